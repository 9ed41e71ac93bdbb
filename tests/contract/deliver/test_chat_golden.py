"""What Slack and Discord are sent for a later message of a conversation, kept as files that are read in review.

`slack` is a webhook's body, `slack_token` and `discord` are the calls made where a first message can be edited.
After a change that is meant: `UPDATE_GOLDEN=1 pytest tests/contract/deliver/test_chat_golden.py`, and read the diff.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.support.chats import CHANNEL, TOKEN, DiscordApi, SlackApi
from tests.support.messages import at, changed, crash_loop, ended, envelope, growth, many, oom_kill, recovered
from watcher.deliver import slack
from watcher.deliver.discord import DiscordSender
from watcher.deliver.slack import SlackSender
from watcher.model.config import DiscordConfig, Secret, SlackConfig
from watcher.model.delivery import Delivered
from watcher.model.evidence import Evidence
from watcher.model.message import Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify.facts import AlertFacts
from watcher.notify.render import digest, render, summary

GOLDEN = Path(__file__).parents[2] / "golden" / "chats"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
LIMIT = timedelta(seconds=5)

HOSTILE = (
    "<!channel> <@U1> @everyone @here <b>bold</b> `tick` ```fence *star* [a](http://x) | # > \x1b[31mred\x07\u202e"
)


def told(facts: AlertFacts) -> AlertFacts:
    return msgspec.structs.replace(facts, told_members=len(facts.members), told_at=at("13:51:00"))


def hostile() -> AlertFacts:
    facts = changed(crash_loop(), labels={"severity": "critical", "pod": HOSTILE}, annotations={"description": HOSTILE})
    return changed(facts, evidence=Evidence(alert=facts.alert.key, log=(HOSTILE, "```", "`` `")))


def oversize() -> list[AlertFacts]:
    """200 alerts with 4 KB of text each, and a long log."""
    return [
        changed(one, evidence=Evidence(alert=one.alert.key, log=tuple(f"{n} {'&' * 300}" for n in range(50))))
        for one in many(200, "<text> & more " * 290)
    ]


NOTIFICATIONS: dict[str, Callable[[], Notification]] = {
    "firing": lambda: render(envelope(), [oom_kill()]),
    "more_alerts": lambda: render(envelope(SendReason.NEW_ALERTS), [told(crash_loop()), oom_kill()]),
    "growth": lambda: render(envelope(SendReason.GREW), [growth()]),
    "repeat": lambda: render(envelope(SendReason.REPEAT), [told(crash_loop())]),
    "partly_resolved": lambda: render(
        envelope(SendReason.SOME_ENDED), [told(crash_loop()), ended(oom_kill(), EndReason.RECOVERED)]
    ),
    "updated": lambda: render(envelope(SendReason.UPDATED), [oom_kill()]),
    "all_ended": lambda: render(
        envelope(SendReason.ALL_ENDED), [recovered(), ended(crash_loop(), EndReason.DELETED, at("14:10:00"))]
    ),
    **{
        f"ended_{reason.value}": lambda reason=reason: render(  # type: ignore[misc]
            envelope(SendReason.ALL_ENDED), [ended(told(crash_loop()), reason)]
        )
        for reason in EndReason
    },
    "baseline": lambda: summary(envelope(SendReason.BASELINE), [*many(9), oom_kill()]),
    "digest": lambda: digest(envelope(SendReason.DIGEST), [*many(40), oom_kill()]),
    "hostile": lambda: render(envelope(), [hostile()]),
    "oversize": lambda: render(envelope(), oversize()),
}


async def by_webhook(notification: Notification) -> Any:
    return slack.payload(notification, SlackConfig(api_url=Secret("")))


async def with_token(notification: Notification) -> Any:
    api = SlackApi()
    api.messages["1.0"] = {}
    await api.start()
    async with aiohttp.ClientSession() as session:
        config = SlackConfig(api_url=Secret(api.url), token=Secret(TOKEN), channel="#ops")
        outcome = await SlackSender(config, session, LIMIT).send(notification, f"{CHANNEL} 1.0")
    await api.stop()
    assert isinstance(outcome, Delivered), (outcome, api.refused)
    return [{"method": call.method, "body": call.body} for call in api.calls]


async def discord(notification: Notification) -> Any:
    api = DiscordApi()
    api.messages["1"] = {}
    await api.start()
    async with aiohttp.ClientSession() as session:
        outcome = await DiscordSender(DiscordConfig(webhook_url=Secret(api.url)), session, LIMIT).send(
            notification, "1"
        )
    await api.stop()
    assert isinstance(outcome, Delivered), (outcome, api.refused)
    return [{"method": call.method, "body": call.body} for call in api.calls]


KINDS: dict[str, Callable[[Notification], Awaitable[Any]]] = {
    "slack": by_webhook,
    "slack_token": with_token,
    "discord": discord,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NOTIFICATIONS)
async def test_a_later_message_looks_as_it_was_agreed(name: str, kind: str) -> None:
    path = GOLDEN / f"{name}.{kind}.json"
    text = json.dumps(await KINDS[kind](NOTIFICATIONS[name]()), ensure_ascii=False, indent=1) + "\n"
    if UPDATE:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_kept_file_belongs_to_a_message() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {
        f"{name}.{kind}.json" for name in NOTIFICATIONS for kind in KINDS
    }
