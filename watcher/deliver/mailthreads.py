"""Which mail belongs to which conversation, and under which subject.

A group's mails are one thread: `References` names its first mail and the last one that told something new, and
`In-Reply-To` the latter. Mail programs go by that; Gmail also starts a new conversation where the subject differs
(https://workspaceupdates.googleblog.com/2019/03/threading-changes-in-gmail-conversation-view.html). So what is new (a
first mail, more alerts, growth, a digest) has its own first line for a subject, since that is what a phone shows, and
in Gmail begins a conversation; repeats and ends are filed under it as `Re:` with the same subject, and what happened
is the first thing beside it in the list of mails.

The reference that the core keeps for us: `<first> <last> subject`.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec

from watcher.lib.text import cut
from watcher.model.message import Notification, SendReason

SUBJECT_LIMIT: Final = 200

_ANSWERS: Final = frozenset((SendReason.REPEAT, SendReason.SOME_ENDED, SendReason.ALL_ENDED, SendReason.UPDATED))
_REFERENCE: Final = re.compile(r"(<[^<>\s]{3,200}>) (<[^<>\s]{3,200}>) (\S.*)")
_ID_LIMIT: Final = 76
"""A longer one would be folded as if it were words (RFC 5322 wants lines of at most 78)."""


class Thread(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a mail stands. `first` and `last`: empty where the mail begins the thread."""

    message_id: str
    first: str = ""
    last: str = ""
    subject: str = ""
    """The conversation's, where this mail is an answer in it."""

    def reference(self, subject: str) -> str:
        """What the next mail of the group is told; `subject` is this mail's own, without `Re:`."""
        return f"{self.first or self.message_id} {self.message_id} {subject}"


def thread_of(notification: Notification, reference: str, domain: str, *, daily: bool) -> Thread:
    """`daily`: the first mail of a day (UTC) begins a new thread."""
    message_id = _message_id(notification, domain)
    match = _REFERENCE.fullmatch(reference)
    if match is None or (daily and _day(match[1]) != _day(message_id)):
        return Thread(message_id=message_id)
    answers = notification.reason in _ANSWERS
    return Thread(message_id=message_id, first=match[1], last=match[2], subject=match[3] if answers else "")


def own_subject(title: str) -> str:
    return cut(" ".join(title.split()), SUBJECT_LIMIT)


def group_hash(notification: Notification) -> str:
    """A short name for the group at this receiver."""
    return _hash(f"{notification.receiver}\n{notification.group_key}", 8)


def _message_id(notification: Notification, domain: str) -> str:
    """The same for every attempt, so that what arrives twice is seen to be one."""
    left = f"watcher.{notification.at:%Y%m%d}.{group_hash(notification)}.{_hash(notification.id, 12)}"
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        domain = "localhost"
    while len(left) + len(domain) + 3 > _ID_LIMIT and "." in domain:
        domain = domain.partition(".")[2]
    return f"<{left}@{domain}>"


def _day(message_id: str) -> str:
    return message_id.split(".")[1] if message_id.count(".") else ""


def _hash(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
