"""The contract of all channels: one group from its first message to its end, and texts of templates that fail.

Where a channel edits, an end goes into the first message; whatever is new is always a message of its own.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tests.support.channels import ALL, EDITING, HttpChannel, channel
from tests.support.messages import before, crash_loop, ended, envelope, facts, growth, oom_kill, oom_signal
from tests.support.receivers import Answering, DiscordReceiver, HttpReceiver
from tests.support.vendors import PagerDutyReceiver, SlackApiReceiver, TelegramReceiver
from watcher.deliver.factory import make_sender
from watcher.model.config import (
    DiscordConfig,
    Integration,
    MSTeamsConfig,
    PagerDutyConfig,
    Secret,
    SlackConfig,
    TelegramConfig,
)
from watcher.model.delivery import Delivered, TryLater
from watcher.model.message import Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify.render import render
from watcher.ports import Sender

FIRST = render(envelope(), [oom_kill()])
JOINING = render(envelope(SendReason.NEW_ALERTS), [before(oom_kill()), crash_loop()])
GREW = render(envelope(SendReason.GREW), [before(oom_kill()), growth()])
PARTLY = render(
    envelope(SendReason.SOME_ENDED), [before(crash_loop()), ended(before(oom_kill()), EndReason.RECOVERED)]
)
OVER = render(envelope(SendReason.ALL_ENDED), [ended(before(crash_loop()), EndReason.RECOVERED)])
UPDATED = render(envelope(SendReason.UPDATED), [oom_kill()])


async def tell(sender: Sender, notification: Notification, reference: str) -> str:
    """The reference to hand back with the next message, as the core keeps it."""
    outcome = await sender.send(notification, reference)
    assert isinstance(outcome, Delivered), outcome
    edits = notification.reason in (SendReason.SOME_ENDED, SendReason.ALL_ENDED, SendReason.UPDATED)
    return reference if edits and reference else outcome.reference


def kept(server: HttpReceiver) -> list[str]:
    """What stands in the chat at last, threads aside."""
    assert isinstance(server, SlackApiReceiver | DiscordReceiver | TelegramReceiver)
    messages = [body for body in server.messages.values() if not (isinstance(body, dict) and "thread_ts" in body)]
    return [str(body) for body in messages]


@pytest.mark.parametrize("name", ALL)
async def test_a_whole_conversation_is_taken(name: str) -> None:
    async with channel(name) as through:
        reference = ""
        for notification in (FIRST, JOINING, GREW, PARTLY, OVER):
            reference = await tell(through.sender, notification, reference)
        assert through.refused == []
        assert "recovered" in through.visible() or "no longer crash-loops" in through.visible()


@pytest.mark.parametrize("name", EDITING)
async def test_ends_are_edited_into_the_last_new_message_and_news_are_messages_of_their_own(name: str) -> None:
    async with channel(name) as through:
        assert isinstance(through, HttpChannel)
        reference = await tell(through.sender, FIRST, "")
        reference = await tell(through.sender, JOINING, reference)
        assert len(kept(through.server)) == 2
        reference = await tell(through.sender, PARTLY, reference)
        reference = await tell(through.sender, OVER, reference)
        messages = kept(through.server)
    assert len(messages) == 2
    assert "OOM-killed" in messages[0]
    assert "🟢" in messages[1]


@pytest.mark.parametrize("name", EDITING)
async def test_evidence_that_came_late_is_edited_in_quietly(name: str) -> None:
    async with channel(name) as through:
        assert isinstance(through, HttpChannel)
        bare = facts([oom_signal()], "ContainerOOMKilled", since="13:42:11", counts=[4])
        reference = await tell(through.sender, render(envelope(), [bare]), "")
        assert await tell(through.sender, UPDATED, reference) == reference
        (message,) = kept(through.server)
    assert "heap 498 MiB of 512 MiB" in message


@pytest.mark.parametrize("name", EDITING)
async def test_the_same_edit_twice_is_delivered_twice(name: str) -> None:
    async with channel(name) as through:
        assert isinstance(through, HttpChannel)
        reference = await tell(through.sender, FIRST, "")
        assert await tell(through.sender, OVER, reference) == reference
        assert await tell(through.sender, OVER, reference) == reference
        assert len(kept(through.server)) == 1


@pytest.mark.parametrize("reference", ["", "nonsense", "C0123456789:1.2", "-1001234567890:99", "1300000000000000099"])
@pytest.mark.parametrize("name", EDITING)
async def test_an_end_without_its_first_message_is_a_message_of_its_own(name: str, reference: str) -> None:
    async with channel(name) as through:
        assert isinstance(through, HttpChannel)
        outcome = await through.sender.send(OVER, reference)
        (message,) = kept(through.server)
    assert isinstance(outcome, Delivered)
    assert outcome.reference
    assert "🟢" in message


@pytest.mark.parametrize("name", EDITING)
async def test_an_edit_that_cannot_be_made_now_is_tried_later_and_makes_no_second_message(name: str) -> None:
    async with channel(name) as through:
        assert isinstance(through, HttpChannel)
        reference = await tell(through.sender, FIRST, "")
        through.answer(Answering(status=503))
        assert isinstance(await through.sender.send(OVER, reference), TryLater)
        assert len(kept(through.server)) == 1


async def test_pagerduty_is_paged_once_and_the_incident_is_resolved_when_all_ended() -> None:
    async with channel("pagerduty") as through:
        assert isinstance(through, HttpChannel)
        server = through.server
        assert isinstance(server, PagerDutyReceiver)
        reference = ""
        for notification in (FIRST, JOINING, PARTLY, UPDATED):
            reference = await tell(through.sender, notification, reference)
            assert len(server.open) == 1
        await tell(through.sender, OVER, reference)
        assert server.open == set()
        assert server.pages == ["api is OOM-killed — shop, prod-eu"]
        await tell(through.sender, FIRST, "")
        assert len(server.pages) == 2
    assert {body["dedup_key"] for body in through.bodies} == {reference}


TEMPLATED: dict[str, tuple[str, Integration]] = {
    "slack": ("SlackReceiver", SlackConfig(api_url=Secret(""), title="{{ 1 / 0 }}", text="{{ title.nope.x }}")),
    "discord": ("DiscordReceiver", DiscordConfig(webhook_url=Secret(""), message="{{ title.nope.x }}")),
    "pagerduty": (
        "PagerDutyReceiver",
        PagerDutyConfig(routing_key=Secret("k" * 32), description="{{ title.nope.x }}", details=(("a", "{{ 1 / 0 }}"),)),
    ),
    "telegram": ("TelegramReceiver", TelegramConfig(bot_token=Secret("x"), chat_id="1", message="{{ title.nope.x }}")),
    "teams": ("TeamsReceiver", MSTeamsConfig(webhook_url=Secret(""), title="{{ 1 / 0 }}", text="{{ title.nope.x }}")),
}
