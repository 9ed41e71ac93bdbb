"""How messages look, kept as files beside messages.md: plain text, Slack's blocks, Discord's embeds.

After a change that is meant: `UPDATE_GOLDEN=1 pytest tests/contract/deliver/test_golden.py`, and read the diff.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import troubles
from tests.support.messages import (
    at,
    before,
    changed,
    crash_loop,
    ended,
    envelope,
    failed_job,
    growth,
    image_not_found,
    many,
    oom_kill,
    recovered,
    unheard,
)
from watcher.deliver import discord, slack
from watcher.model.config import DiscordConfig, Secret, SlackConfig
from watcher.model.message import Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify import render as rendering
from watcher.notify.render import render, summary

GOLDEN = Path(__file__).parents[2] / "golden"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))

NOTIFICATIONS: dict[str, Callable[[], Notification]] = {
    "oom_kill": lambda: render(envelope(), [oom_kill()]),
    "image_not_found": lambda: render(envelope(now=at("09:20:00")), [image_not_found()]),
    "crash_loop": lambda: render(envelope(), [crash_loop()]),
    "growth": lambda: render(envelope(SendReason.GREW), [growth()]),
    "failed_job": lambda: render(envelope(), [failed_job()]),
    "recovered": lambda: render(envelope(SendReason.ALL_ENDED, at("15:02:20")), [recovered()]),
    "deleted": lambda: render(envelope(SendReason.ALL_ENDED), [ended(crash_loop(), EndReason.DELETED)]),
    "group": lambda: render(envelope(), [oom_kill(), crash_loop(), image_not_found()]),
    "partly_resolved": lambda: render(
        envelope(SendReason.SOME_ENDED), [before(crash_loop()), ended(before(oom_kill()), EndReason.RECOVERED)]
    ),
    "twelve_alerts": lambda: render(envelope(), many(12)),
    "forty_alerts": lambda: render(envelope(), [*many(38), oom_kill(), image_not_found()]),
    "new_alert": lambda: render(envelope(SendReason.NEW_ALERTS), [oom_kill(), before(crash_loop())]),
    "new_alerts": lambda: render(
        envelope(SendReason.NEW_ALERTS),
        [oom_kill(), image_not_found(), before(crash_loop()), ended(before(failed_job()), EndReason.RECOVERED)],
    ),
    "growth_in_a_group": lambda: render(envelope(SendReason.GREW), [growth(), before(oom_kill())]),
    "all_ended": lambda: render(
        envelope(SendReason.ALL_ENDED),
        [ended(before(oom_kill()), EndReason.RECOVERED), ended(before(crash_loop()), EndReason.DELETED)],
    ),
    "repeat": lambda: render(envelope(SendReason.REPEAT), [before(oom_kill())]),
    "repeat_of_a_group": lambda: render(
        envelope(SendReason.REPEAT), [before(oom_kill()), before(crash_loop()), before(image_not_found())]
    ),
    "unheard": lambda: render(envelope(SendReason.ALL_ENDED), [unheard(crash_loop(), EndReason.RECOVERED)]),
    "digest": lambda: rendering.digest(
        envelope(SendReason.DIGEST),
        [
            *many(35),
            changed(image_not_found(), starts_at=at("13:51:00")),
            changed(troubles.down(), starts_at=at("13:51:02")),
        ],
    ),
    "digest_partly_resolved": lambda: rendering.digest(
        envelope(SendReason.SOME_ENDED),
        [
            *(ended(before(one), EndReason.RECOVERED) for one in many(29)),
            ended(before(image_not_found()), EndReason.DELETED),
            before(troubles.down()),
        ],
    ),
    "test_message": lambda: rendering.test(envelope(SendReason.TEST)),
    "not_starting": lambda: render(envelope(), [troubles.not_starting()]),
    "pending": lambda: render(envelope(), [troubles.pending()]),
    "stuck_in_creation": lambda: render(envelope(), [troubles.stuck()]),
    "not_ready": lambda: render(envelope(), [troubles.not_ready()]),
    "down": lambda: render(envelope(), [troubles.down()]),
    "volume_nearly_full": lambda: render(envelope(), [troubles.volume_nearly_full()]),
    "volume_filling_up": lambda: render(envelope(), [troubles.volume_filling_up()]),
    "volume_will_fill": lambda: render(envelope(), [troubles.volume_will_fill()]),
    "volume_inodes": lambda: render(envelope(), [troubles.volume_inodes()]),
    "node_disk": lambda: render(envelope(), [troubles.node_disk()]),
    "claim_pending": lambda: render(envelope(), [troubles.claim_pending()]),
    "claim_lost": lambda: render(envelope(), [troubles.claim_lost()]),
    "claim_unmounted": lambda: render(envelope(), [troubles.claim_unmounted()]),
    "node_not_ready": lambda: render(envelope(), [troubles.node_not_ready()]),
    "node_pressure": lambda: render(envelope(), [troubles.node_pressure()]),
    "blind": lambda: render(envelope(), [troubles.blind()]),
    "jvm_oom": lambda: render(envelope(), [troubles.jvm_oom()]),
    "not_seen": lambda: render(envelope(), [troubles.not_seen()]),
    "unknown": lambda: render(envelope(SendReason.ALL_ENDED), [troubles.unknown()]),
    "idle": lambda: render(envelope(SendReason.ALL_ENDED), [troubles.idle()]),
    "image_over_waiting": lambda: render(envelope(now=at("09:20:00")), [troubles.image_over_waiting()]),
    "first_start": lambda: summary(envelope(SendReason.BASELINE), [*many(9), oom_kill(), image_not_found()]),
}


def plain_text(notification: Notification) -> str:
    return f"{notification.title}\n{notification.text}\n"


def slack_blocks(notification: Notification) -> str:
    return _json(slack.payload(notification, SlackConfig(api_url=Secret(""))))


def discord_embeds(notification: Notification) -> str:
    return _json(discord.payload(notification, DiscordConfig(webhook_url=Secret(""))))


def _json(payload: dict[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, indent=2) + "\n"


KINDS: dict[str, Callable[[Notification], str]] = {
    "txt": plain_text,
    "slack.json": slack_blocks,
    "discord.json": discord_embeds,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_a_message_looks_as_it_was_agreed(name: str, kind: str) -> None:
    path = GOLDEN / f"{name}.{kind}"
    text = KINDS[kind](NOTIFICATIONS[name]())
    if UPDATE:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_kept_file_belongs_to_a_message() -> None:
    kept = {path.name for path in GOLDEN.iterdir() if path.name.endswith(tuple(f".{kind}" for kind in KINDS))}
    assert kept == {f"{name}.{kind}" for name in NOTIFICATIONS for kind in KINDS}
