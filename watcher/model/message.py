"""Notifications: one message as a structure, before any channel has rendered it.

`notify` builds it once; each adapter in `deliver` renders the same structure with its own means (Slack blocks,
Discord embeds, HTML mail, plain text). All text in it is already redacted and cleaned of control characters, and
not yet escaped: escaping is the channel's own, and every adapter must do it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Mark(StrEnum):
    """State and severity of a message or a section: a colour and a word, never the colour alone."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    RECOVERED = "recovered"
    CLOSED = "closed"

    @property
    def symbol(self) -> str:
        return _SYMBOLS[self]


_SYMBOLS = {
    Mark.CRITICAL: "🔴",
    Mark.WARNING: "🟠",
    Mark.INFO: "🔵",
    Mark.RECOVERED: "🟢",
    Mark.CLOSED: "⚪",
}


class SendReason(StrEnum):
    """Why a message is sent. The words are Alertmanager's where it has one."""

    FIRST = "first notification"
    NEW_ALERTS = "new alerts added"
    GREW = "more members than were told"
    SOME_ENDED = "some alerts resolved"
    ALL_ENDED = "all alerts resolved"
    REPEAT = "repeat interval elapsed"
    BASELINE = "already broken at the first start"
    DIGEST = "many alerts began at once"
    UPDATED = "evidence came after the message"
    TEST = "a test message"


class HoldReason(StrEnum):
    """Why nothing is sent."""

    NOTHING_NEW = "nothing changed and repeat_interval has not passed"
    EXPLAINED = "it is the effect of another alert, and is named in that alert's message"
    INHIBITED = "another alert inhibits it"
    SILENCED = "a silence matches it"
    MUTED = "a time interval mutes its route"
    BASELINE = "it was broken before Watcher first saw it, and stands in the summary"
    VACANT = "its pod was gone before anybody was told of it; told if a replacement fails the same way"
    LINGERS = "a pod is ready again, and nobody was told that none was; told if that does not last"
    NEVER_TOLD = "it ended before anybody was told of it"
    NO_END_WANTED = "send_resolved is false for this integration"
    NO_RECEIVER = "its route leads to no receiver"
    UNSEEN = "it was told, and nothing was heard of it since: it is not repeated until it is seen again"
    MUTED_BY_HINT = "an annotation of its workload or namespace mutes it"
    DIGEST = "very many alerts began at once: it stands in the digest"
    IGNORED_BY_HINT = "an annotation of its workload or namespace has it ignored"


class Span(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A piece of text; `code` asks for a fixed-width face."""

    text: str
    code: bool = False
    bold: bool = False


class Text(msgspec.Struct, frozen=True, tag="text", gc=False):
    """One paragraph."""

    spans: tuple[Span, ...]


class Log(msgspec.Struct, frozen=True, tag="log", gc=False):
    """Log lines, oldest first. `skipped`: how many earlier lines are left out."""

    lines: tuple[str, ...]
    skipped: int = 0


class Heading(msgspec.Struct, frozen=True, tag="heading", gc=False):
    """`mark title — place`: the first line of a section, and of the message."""

    mark: Mark
    title: str
    place: str = ""


class Link(msgspec.Struct, frozen=True, gc=False):
    label: str
    url: str


class Links(msgspec.Struct, frozen=True, tag="links", gc=False):
    links: tuple[Link, ...]


Block = Text | Log | Heading | Links


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`heading` makes sense alone (a phone shows only that); `blocks` follow in the order of messages.md.

    A group of several alerts has a Heading block before each of them.
    """

    heading: Heading
    blocks: tuple[Block, ...] = ()


class AlertView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One alert as receivers and `replay --format json` see it. `members`: see design.md section 6, fine print 13."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    end_reason: str | None = None
    fingerprint: str
    generator_url: str = ""
    members: tuple[dict[str, Any], ...] = ()


class Notification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message for one integration of one receiver. `title` and `text`: the same message in plain text."""

    id: str
    at: datetime
    receiver: str
    integration: str
    """The integration's name inside its receiver: `slack_configs[0]`, `webhook_configs[1]`, `console_configs[0]`."""
    status: str
    """firing while one alert in it fires, else resolved."""
    reason: SendReason
    group_key: str
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    external_url: str = ""
    alerts: tuple[AlertView, ...] = ()
    title: str
    text: str
    message: Message
    whole: Message | None = None
    """Where `message` tells only what changed: all alerts as they are now, for channels that edit the first message."""
