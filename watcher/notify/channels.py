"""How often a channel may be sent to, when it is left in peace, and whether people read it as it comes.

A rate is a GCRA: one time up to which it is used up, so that it survives a restart as one stored value. After failures
in a row one message at a time is tried, with growing pauses for the whole channel. Rates are the vendors' documented
ones: Slack one message a second for each channel (https://docs.slack.dev/apis/web-api/rate-limits), Discord 30 a minute
for each webhook, Telegram 20 a minute for each group (https://core.telegram.org/bots/faq#broadcasting-to-users), Teams
4 a second.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.lib.jitter import share
from watcher.model.config import (
    AppriseConfig,
    ConsoleConfig,
    DiscordConfig,
    EmailConfig,
    Integration,
    MSTeamsConfig,
    SlackConfig,
    TelegramConfig,
)
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.state import Channel
from watcher.notify.retry import FIRST_PAUSE, GIVE_UP_AFTER, LONGEST_PAUSE

CIRCUIT_OPENS_AT = 5
"""Failures in a row from which on the whole channel waits, and is tried with one message at a time."""

TOO_OLD = timedelta(minutes=5)
"""A message that waits longer than this is trouble of its own."""


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of channel is like."""

    chat: bool = False
    """People read it as it comes: a storm reaches it as a digest. The others are read by machines, each message."""
    every: timedelta | None = None
    """One message in this time; None: as fast as it answers."""
    burst: int = 1
    """How many may come at once after a pause."""


_MACHINE = Traits()
_TRAITS: dict[type[Integration], Traits] = {
    SlackConfig: Traits(chat=True, every=timedelta(seconds=1), burst=5),
    DiscordConfig: Traits(chat=True, every=timedelta(seconds=2), burst=5),
    TelegramConfig: Traits(chat=True, every=timedelta(seconds=3), burst=5),
    MSTeamsConfig: Traits(chat=True, every=timedelta(milliseconds=250), burst=4),
    EmailConfig: Traits(chat=True),
    AppriseConfig: Traits(chat=True, every=timedelta(seconds=1), burst=5),
    ConsoleConfig: Traits(chat=True),
}


def traits(config: Integration) -> Traits:
    return _TRAITS.get(type(config), _MACHINE)


def edits(config: Integration) -> bool:
    """Whether it can change a message that was sent: Slack only with a token."""
    if isinstance(config, SlackConfig):
        return config.token is not None
    return isinstance(config, DiscordConfig | TelegramConfig)


def after_attempt(channel: Channel, outcome: Outcome, config: Integration, at: datetime) -> Channel:
    """What one attempt says of the channel."""
    paced_to, slot = _pace(channel, traits(config), at)
    # Another message that was on its way at the same time may have been asked to wait for longer.
    waits = [slot, channel.not_before]
    failures, dead_at, error = channel.failures, channel.dead_at, channel.error
    match outcome:
        case Delivered(pause=pause):
            failures, dead_at, error = 0, None, ""
            waits.append(at + pause if pause is not None else None)
        case TryLater(reason=reason, after=after):
            failures, error = failures + 1, reason
            waits.append(at + min(after, GIVE_UP_AFTER) if after is not None else None)
            waits.append(at + _circuit_pause(channel, failures) if failures >= CIRCUIT_OPENS_AT else None)
        case GiveUp(reason=reason):
            dead_at, error = at, reason
    known = [time for time in waits if time is not None and time > at]
    return msgspec.structs.replace(
        channel,
        paced_to=paced_to,
        not_before=max(known) if known else None,
        failures=failures,
        dead_at=dead_at,
        error=error,
    )


def _pace(channel: Channel, traits: Traits, at: datetime) -> tuple[datetime | None, datetime | None]:
    """(up to when the rate is used up with this message, when the next may go)."""
    if traits.every is None:
        return None, None
    paced_to = max(channel.paced_to or at, at) + traits.every
    slot = paced_to - traits.burst * traits.every
    return paced_to, slot if slot > at else None


def _circuit_pause(channel: Channel, failures: int) -> timedelta:
    """Exponential with full jitter; the same for the same failure, so that a replay gives the same times."""
    ceiling = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
    pause: timedelta = ceiling * share(f"{channel.receiver}/{channel.integration}/{failures}")
    return max(FIRST_PAUSE, pause)
