"""Channels: what attempts say of an integration, and the alert when it does not deliver.

WatcherCannotDeliver fires while the last message died, or while the oldest has waited for too long; it is told to
every other integration.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.detect.signals import Findings
from watcher.model.config import Integration
from watcher.model.delivery import Outcome
from watcher.model.identity import Workload
from watcher.model.signals import DeliveryFailing
from watcher.model.state import Channel
from watcher.notify.channels import TOO_OLD, after_attempt
from watcher.pipeline import judging
from watcher.pipeline.core import Step
from watcher.pipeline.judging import Judged

LOOK_AGAIN = timedelta(seconds=30)
"""While messages are too old, whether they still are is asked this often."""

FORGIVEN_AFTER = timedelta(hours=24)
"""A dead letter after which nothing more was to be said is no trouble for ever."""

Key = tuple[str, str]


def enqueued(step: Step, key: Key) -> None:
    """A message was put into the outbox: it will have waited too long some day."""
    channel = step.channel(key)
    if channel.due is None:
        step.draft.channels.put(key, msgspec.structs.replace(channel, due=step.at + TOO_OLD))


def attempted(step: Step, key: Key, outcome: Outcome) -> None:
    """One attempt has ended."""
    config = _config(step, key)
    if config is None:
        return
    before = step.channel(key)
    channel = after_attempt(before, outcome, config, step.at)
    if channel.dead_at != before.dead_at:
        channel = msgspec.structs.replace(channel, due=_due(step, channel))
    step.draft.channels.put(key, channel)
    if channel.dead_at != before.dead_at:
        _judge(step, channel)


def wake(step: Step, key: Key) -> None:
    """The oldest message may be too old now, or be no longer."""
    channel = step.channel(key)
    if channel.dead_at is not None and channel.dead_at + FORGIVEN_AFTER <= step.at:
        channel = msgspec.structs.replace(channel, dead_at=None)
    channel = msgspec.structs.replace(channel, due=_due(step, channel))
    step.draft.channels.put(key, channel)
    _judge(step, channel)


def _due(step: Step, channel: Channel) -> datetime | None:
    """When to look again: at the age of the oldest message, and when a dead letter is forgiven."""
    if _config(step, channel.key) is None:
        return None
    oldest = _oldest(step, channel.key)
    dues = [channel.dead_at + FORGIVEN_AFTER] if channel.dead_at is not None else []
    if oldest is not None:
        dues.append(oldest + TOO_OLD if oldest + TOO_OLD > step.at else step.at + LOOK_AGAIN)
    return min(dues, default=None)


def configured(step: Step) -> None:
    """At a start: integrations that the configuration no longer has are forgotten, with their trouble."""
    for channel in sorted(step.draft.channels.all(), key=lambda one: one.key):
        if _config(step, channel.key) is None:
            step.draft.channels.drop(channel.key)
            judging.judge(step, _judged(channel.key), Findings(), judging.NO_BASELINE)


def _judge(step: Step, channel: Channel) -> None:
    oldest = _oldest(step, channel.key)
    since = oldest if oldest is not None and oldest + TOO_OLD <= step.at else channel.dead_at
    states = () if since is None else (_signal(step, channel, since),)
    judging.judge(step, _judged(channel.key), Findings(states=states), judging.NO_BASELINE)


def _signal(step: Step, channel: Channel, since: datetime) -> DeliveryFailing:
    judged = _judged(channel.key)
    return DeliveryFailing(
        uid=judged.uid,
        cluster=step.core.cluster,
        workload_kind=judged.workload.kind,
        workload=judged.workload.name,
        since=since,
        receiver=channel.receiver,
        integration=channel.integration,
        dead=channel.dead_at is not None,
        reason=channel.error,
    )


def _judged(key: Key) -> Judged:
    name = f"{key[0]}/{key[1]}"
    return Judged(f"channel/{name}", Workload("", "Receiver", name))


def _oldest(step: Step, key: Key) -> datetime | None:
    rows = (step.draft.outbox.get(name) for name in step.draft.outbox.keys("channel", key))
    return min((row.waits_since or row.created_at for row in rows if row is not None), default=None)


def _config(step: Step, key: Key) -> Integration | None:
    receiver = step.core.receivers.get(key[0])
    integrations = receiver.integrations if receiver is not None else ()
    return next((config for name, config in integrations if name == key[1]), None)
