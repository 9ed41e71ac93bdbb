"""Which of a notification's two messages a channel shows: what changed, or all of it as it now is.

A channel that edits puts the whole in the place of its first message, and what changed into that one's thread.
Elsewhere the first message is still there: what changed is enough. `render_changes` makes the words.
"""

from __future__ import annotations

from typing import Final

from watcher.model.message import Message, Notification, SendReason

EDITS: Final = frozenset((SendReason.SOME_ENDED, SendReason.ALL_ENDED, SendReason.UPDATED))
"""Why a message is edited where the channel can; all other reasons are messages of their own everywhere."""


def changes(notification: Notification) -> Message:
    """For a message of its own."""
    return notification.message


def standing(notification: Notification) -> Message:
    """For the place of the first message."""
    return notification.whole or notification.message
