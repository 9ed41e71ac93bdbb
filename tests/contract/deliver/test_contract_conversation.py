"""The contract of all channels: one group from its first message to its end, and texts of templates that fail.

Where a channel edits, an end goes into the first message; whatever is new is always a message of its own.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from tests.support.channels import ALL, EDITING, HttpChannel, channel
from tests.support.hostile import HOSTILE
from tests.support.messages import before, changed, crash_loop, ended, envelope, facts, growth, oom_kill, oom_signal
from tests.support.receivers import Answering, DiscordReceiver, HttpReceiver, texts
from tests.support.vendors import PagerDutyReceiver, SlackApiReceiver, TelegramReceiver
from watcher.model.delivery import Delivered, TryLater
from watcher.model.message import Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify.render import render
from watcher.ports import Sender

FIRST = render(envelope(), [oom_kill()])
JOINING = render(envelope(SendReason.NEW_ALERTS), [before(oom_kill()), crash_loop()])
GREW = render(envelope(SendReason.GREW), [before(oom_kill()), growth()])
PARTLY = render(envelope(SendReason.SOME_ENDED), [before(crash_loop()), ended(before(oom_kill()), EndReason.RECOVERED)])
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


BROKEN = "{{ alerts[0].labels.severity.nope.never }}"
"""It compiles, and fails for every alert."""

TEMPLATED: dict[str, dict[str, Any]] = {
    "slack": {"title": BROKEN, "text": BROKEN},
    "slack with a token": {"text": BROKEN},
    "discord": {"message": BROKEN},
    "pagerduty": {"description": BROKEN, "details": (("more", BROKEN),)},
    "telegram": {"message": BROKEN},
    "teams": {"title": BROKEN, "text": BROKEN},
}


@pytest.mark.parametrize("name", TEMPLATED)
async def test_a_template_that_fails_gives_the_built_in_text_and_says_so(name: str) -> None:
    async with channel(name, texts=TEMPLATED[name]) as through:
        await tell(through.sender, FIRST, "")
        seen = "\n".join(texts(through.bodies)) if isinstance(through, HttpChannel) else ""
        assert through.refused == []
    assert "OOM-killed" in seen
    assert "512 Mi limit" in seen
    assert re.search(r"The template of \S+ could not be used", seen.replace("\\", ""))


HOSTILE_LABEL = changed(oom_kill(), labels={"severity": "critical", "team": HOSTILE, "alertname": "X"})
GOOD = "team: {{ alerts[0].labels.team }}"
WRITTEN: dict[str, dict[str, Any]] = {
    "slack": {"text": GOOD},
    "discord": {"message": GOOD},
    "pagerduty": {"description": GOOD},
    "telegram": {"message": f"<b>{GOOD}</b>"},
    "telegram in MarkdownV2": {"message": f"*{GOOD}*", "parse_mode": "MarkdownV2"},
    "telegram in plain text": {"message": GOOD, "parse_mode": ""},
    "teams": {"text": f"**{GOOD}**"},
}


@pytest.mark.parametrize("case", WRITTEN)
async def test_what_a_template_takes_from_the_cluster_is_shown_as_text(case: str) -> None:
    name = case.partition(" ")[0]
    async with channel(name, texts=WRITTEN[case]) as through:
        await tell(through.sender, render(envelope(), [HOSTILE_LABEL]), "")
        assert through.refused == []
        seen = through.visible()
        assert "team: " in seen
        assert "\x1b" not in seen
        assert isinstance(through, HttpChannel)
        raw = "\n".join(texts(through.bodies))
    if name == "telegram":
        assert not re.search(r"(?<!\w)@(?=\w)", raw)
    if case == "telegram":
        assert "<b>bold" not in raw
    if case == "teams":
        assert r"\[a\]\(http" in raw


async def test_a_template_whose_markup_telegram_cannot_read_gives_the_built_in_text() -> None:
    async with channel("telegram", texts={"message": "<b>{{ title }}"}) as through:
        outcome = await through.sender.send(FIRST)
        assert isinstance(outcome, Delivered)
        assert through.refused == [
            "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\""
        ]
        assert "512 Mi limit" in through.visible()
        assert "gives markup that Telegram cannot read" in through.visible()


@pytest.mark.parametrize("parse_mode", ["", "HTML", "Markdown"])
async def test_telegram_reads_watchers_own_text_in_every_parse_mode(parse_mode: str) -> None:
    async with channel("telegram", texts={"parse_mode": parse_mode, "message_thread_id": 7}) as through:
        await tell(through.sender, FIRST, "")
        assert isinstance(through, HttpChannel)
        (body,) = through.bodies
    assert body.get("parse_mode") == ("HTML" if parse_mode else None)
    assert body["message_thread_id"] == 7
    assert body["link_preview_options"] == {"is_disabled": True}


async def test_telegram_never_edits_in_another_chat() -> None:
    async with channel("telegram") as through:
        await tell(through.sender, FIRST, "")
        assert isinstance(through, HttpChannel)
        await through.sender.send(OVER, "-100999:1")
        assert [received.path.rpartition("/")[2] for received in through.server.received] == ["sendMessage"] * 2


async def test_pagerduty_gets_what_its_configuration_says_and_the_rest_from_the_alerts() -> None:
    configured = {
        "severity": "{{ 'error' if status == 'firing' else 'info' }}",
        "client_url": "https://watcher.example",
        "details": (("team", "{{ receiver }}"), ("fixed", "yes")),
        "links": (("https://wiki.example/{{ common_labels.alertname }}", "Wiki"), ("", "left out")),
        "images": (("https://i.example/x.png", "", ""), ("", "left out", "")),
        "class_name": "outage",
    }
    async with channel("pagerduty", texts=configured) as through:
        await tell(through.sender, FIRST, "")
        assert isinstance(through, HttpChannel)
        (event,) = through.bodies
    assert event["event_action"] == "trigger"
    assert event["client"] == "Watcher"
    assert event["links"] == [{"href": "https://wiki.example/ContainerOOMKilled", "text": "Wiki"}]
    assert event["images"] == [{"src": "https://i.example/x.png"}]
    payload = event["payload"]
    expected = {
        "source": "prod-eu/shop/api",
        "severity": "error",
        "class": "outage",
        "group": "shop",
        "component": "api",
    }
    assert {key: payload[key] for key in expected} == expected
    assert payload["custom_details"].items() >= {"team": "team", "fixed": "yes", "num_firing": "1"}.items()


async def test_the_dedup_key_is_alertmanagers_so_that_open_incidents_are_resolved_after_a_move() -> None:
    async with channel("pagerduty") as through:
        await tell(through.sender, FIRST, "")
        assert isinstance(through, HttpChannel)
        assert through.bodies[0]["dedup_key"] == hashlib.sha256(FIRST.group_key.encode()).hexdigest()


@pytest.mark.parametrize("name", ALL)
async def test_a_text_of_a_rule_that_failed_is_told_beside_the_built_in_text(name: str) -> None:
    told = changed(oom_kill(), problems=("description: division by zero",))
    async with channel(name) as through:
        await tell(through.sender, render(envelope(), [told]), "")
        seen = through.visible().replace("\\", "")
    assert "512 Mi limit" in seen
    assert "A text of its rule could not be made: description: division by zero" in seen


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        pytest.param("pagerduty", {"details": tuple((f"d{at}", "{{ text * 1 }}") for at in range(60))}, id="PagerDuty"),
        pytest.param("pagerduty", {"details": tuple((f"d{at}", "🧨" * 4000) for at in range(60))}, id="details"),
        pytest.param("pagerduty", {"description": "x" * 5000, "source": "y" * 5000}, id="summary"),
        pytest.param("telegram", {"message": "🧨" * 4000}, id="Telegram"),
        pytest.param("telegram", {"message": "🧨" * 4000, "parse_mode": ""}, id="Telegram without markup"),
        pytest.param("teams", {"title": "🧨" * 900, "text": "🧨 " * 7000}, id="Teams"),
    ],
)
async def test_a_template_that_gives_too_much_is_never_a_reason_to_refuse(name: str, texts: dict[str, Any]) -> None:
    async with channel(name, texts=texts) as through:
        await tell(through.sender, FIRST, "")
        assert through.refused == []
