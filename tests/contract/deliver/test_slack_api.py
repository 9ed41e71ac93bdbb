"""Slack with a bot token: what is edited, what goes to the thread, and which of Slack's errors means what."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import msgspec
import pytest

from tests.support.chats import CHANNEL, TOKEN, SlackApi
from tests.support.messages import at, crash_loop, ended, envelope, growth, oom_kill, recovered
from tests.support.receivers import Answering
from watcher.deliver.slack import SlackSender
from watcher.deliver.slack_api import GONE, LATER, is_method, method_url, place
from watcher.model.config import Secret, SlackConfig
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.message import Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify.render import render

TOLD = msgspec.structs.replace(crash_loop(), told_members=1, told_at=at("13:51:00"))
FIRST = render(envelope(), [crash_loop(), oom_kill()])
SOME_ENDED = render(envelope(SendReason.SOME_ENDED), [TOLD, ended(oom_kill(), EndReason.RECOVERED)])
ALL_ENDED = render(envelope(SendReason.ALL_ENDED, at("15:02:20")), [recovered()])
UPDATED = render(envelope(SendReason.UPDATED), [oom_kill()])


class Slack:
    def __init__(self, api: SlackApi, session: aiohttp.ClientSession) -> None:
        self.api = api
        config = SlackConfig(api_url=Secret(api.url), token=Secret(TOKEN), channel="#ops", username="w")
        self.sender = SlackSender(config, session, timedelta(seconds=5))

    def answers(self, method: str, *errors: str, status: int = 200, **headers: str) -> None:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.api.answers.setdefault(method, []).extend(
            Answering(status=status, body=msgspec.json.encode({"ok": False, "error": error}).decode(), headers=named)
            for error in errors
        )

    async def first(self) -> str:
        """The reference of the first message."""
        outcome = await self.sender.send(FIRST)
        assert isinstance(outcome, Delivered)
        self.api.calls.clear()
        return outcome.reference


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    api = SlackApi()
    await api.start()
    async with aiohttp.ClientSession() as session:
        yield Slack(api, session)
    await api.stop()
    assert api.refused == []


async def test_a_first_message_is_posted_and_its_place_kept(slack: Slack) -> None:
    assert await slack.sender.send(FIRST) == Delivered(reference=f"{CHANNEL} 1700000000.000001")
    assert slack.api.methods == ["chat.postMessage"]


@pytest.mark.parametrize(
    "reason",
    [
        SendReason.FIRST,
        SendReason.NEW_ALERTS,
        SendReason.GREW,
        SendReason.REPEAT,
        SendReason.BASELINE,
        SendReason.DIGEST,
        SendReason.TEST,
    ],
)
async def test_what_is_news_is_a_message_of_its_own_and_in_no_thread(slack: Slack, reason: SendReason) -> None:
    reference = await slack.first()
    outcome = await slack.sender.send(render(envelope(reason), [growth()]), reference)
    assert outcome == Delivered(reference=f"{CHANNEL} 1700000000.000002")
    (call,) = slack.api.calls
    assert call.method == "chat.postMessage"
    assert not {"thread_ts", "reply_broadcast"} & set(call.body)


@pytest.mark.parametrize("notification", [SOME_ENDED, ALL_ENDED], ids=["some ended", "all ended"])
async def test_an_end_is_edited_in_and_its_details_go_to_the_thread(slack: Slack, notification: Notification) -> None:
    reference = await slack.first()
    ts = reference.split()[1]
    assert await slack.sender.send(notification, reference) == Delivered(reference=reference)
    assert slack.api.methods == ["chat.update", "chat.postMessage"]
    (reply,) = slack.api.thread(ts)
    assert "OOM-killed" in str(reply["blocks"])
    assert "Next:" not in str(reply["blocks"])
    title = slack.api.messages[ts]["blocks"][0]["text"]["text"]
    assert title.startswith("🟢 api has recovered" if notification is ALL_ENDED else "🟠 1 of 2 alerts still fires")


async def test_what_still_fires_keeps_its_details_in_the_edited_message(slack: Slack) -> None:
    reference = await slack.first()
    await slack.sender.send(SOME_ENDED, reference)
    assert "kubectl -n shop logs" in str(slack.api.messages[reference.split()[1]]["blocks"])


async def test_evidence_that_came_late_is_edited_in_and_said_nowhere_else(slack: Slack) -> None:
    reference = await slack.first()
    assert await slack.sender.send(UPDATED, reference) == Delivered(reference=reference)
    assert slack.api.methods == ["chat.update"]


@pytest.mark.parametrize("reference", ["", "nonsense", "a b c"])
async def test_an_end_without_a_message_to_edit_is_a_message_of_its_own(slack: Slack, reference: str) -> None:
    assert await slack.sender.send(SOME_ENDED, reference) == Delivered(reference=f"{CHANNEL} 1700000000.000001")
    (call,) = slack.api.calls
    assert call.method == "chat.postMessage"
    assert "thread_ts" not in call.body
    assert "kubectl" not in str(call.body)


@pytest.mark.parametrize("error", sorted(GONE))
async def test_a_message_that_cannot_be_edited_any_more_is_sent_anew(slack: Slack, error: str) -> None:
    reference = await slack.first()
    slack.answers("chat.update", error)
    assert await slack.sender.send(SOME_ENDED, reference) == Delivered(reference=f"{CHANNEL} 1700000000.000002")
    assert slack.api.methods == ["chat.update", "chat.postMessage"]
    assert "thread_ts" not in slack.api.calls[1].body


async def test_when_the_thread_fails_a_retry_says_nothing_twice(slack: Slack) -> None:
    reference = await slack.first()
    ts = reference.split()[1]
    slack.answers("chat.postMessage", "internal_error", "ratelimited")
    outcomes = [await slack.sender.send(SOME_ENDED, reference) for _ in range(3)]
    assert [type(outcome).__name__ for outcome in outcomes] == ["TryLater", "TryLater", "Delivered"]
    assert len(slack.api.messages) == 2
    assert len(slack.api.thread(ts)) == 1


async def test_when_the_edit_fails_nothing_goes_to_the_thread(slack: Slack) -> None:
    reference = await slack.first()
    slack.answers("chat.update", "fatal_error")
    assert isinstance(await slack.sender.send(SOME_ENDED, reference), TryLater)
    assert slack.api.methods == ["chat.update"]


@pytest.mark.parametrize("error", ["thread_not_found", "restricted_action_thread_locked", "not_in_channel"])
async def test_a_thread_that_refuses_for_good_does_not_undo_the_edit(slack: Slack, error: str) -> None:
    reference = await slack.first()
    slack.answers("chat.postMessage", error)
    assert await slack.sender.send(SOME_ENDED, reference) == Delivered(reference=reference)


GIVE_UP = (
    *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"),
    *("channel_not_found", "not_in_channel", "is_archived", "restricted_action", "msg_too_long", "no_text"),
    *("invalid_blocks", "msg_blocks_too_long", "some_error_of_tomorrow"),
)


@pytest.mark.parametrize("error", GIVE_UP)
async def test_an_error_that_stays_is_given_up_with_its_name(slack: Slack, error: str) -> None:
    slack.answers("chat.postMessage", error)
    outcome = await slack.sender.send(FIRST)
    assert isinstance(outcome, GiveUp)
    assert outcome.reason.startswith(f"Slack: {error}")


@pytest.mark.parametrize("error", sorted(LATER))
async def test_an_error_that_passes_is_tried_later(slack: Slack, error: str) -> None:
    slack.answers("chat.postMessage", error, Retry_After="30")
    assert await slack.sender.send(FIRST) == TryLater(reason=f"Slack: {error}", after=timedelta(seconds=30))


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_429_is_tried_after_the_pause_that_slack_asks_for(slack: Slack, method: str) -> None:
    reference = await slack.first()
    slack.answers(method, "ratelimited", status=429, Retry_After="7")
    outcome = await slack.sender.send(SOME_ENDED, reference)
    assert isinstance(outcome, TryLater)
    assert outcome.after == timedelta(seconds=7)


async def test_what_is_wrong_with_the_blocks_is_said(slack: Slack) -> None:
    body = '{"ok": false, "error": "invalid_blocks", "errors": ["must be less than 3001 characters [json-pointer:/x]"]}'
    slack.api.answers["chat.postMessage"] = [Answering(status=200, body=body)]
    outcome = await slack.sender.send(FIRST)
    assert outcome == GiveUp(reason="Slack: invalid_blocks (must be less than 3001 characters [json-pointer:/x])")


@pytest.mark.parametrize("body", ["", "<html>sign in</html>", "[]", "{}", '{"ok": "yes"}'])
async def test_an_answer_that_is_not_slacks_is_no_delivery(slack: Slack, body: str) -> None:
    slack.api.answers["chat.postMessage"] = [Answering(status=200, body=body)]
    assert isinstance(await slack.sender.send(FIRST), TryLater)


async def test_the_token_is_in_no_reason_and_in_no_log(slack: Slack, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    slack.answers("chat.postMessage", f"invalid_auth {TOKEN}")
    outcomes = [await slack.sender.send(FIRST)]
    slack.api.answers["chat.postMessage"] = [Answering(status=403, body=f"no: {TOKEN}")]
    outcomes.append(await slack.sender.send(FIRST))
    told = "\n".join([*map(repr, outcomes), *(record.getMessage() for record in caplog.records)])
    assert TOKEN not in told
    assert "invalid_auth" in told


async def test_a_webhook_address_that_is_the_web_api_without_a_token_is_no_delivery(slack: Slack) -> None:
    async with aiohttp.ClientSession() as session:
        outcome = await SlackSender(SlackConfig(api_url=Secret(slack.api.url)), session).send(FIRST)
    slack.api.refused.clear()
    assert outcome == GiveUp(reason="Slack: invalid_auth")


async def test_by_webhook_an_end_is_short_and_tells_nothing_again(slack: Slack) -> None:
    slack.api.answers["hook"] = [Answering(status=200, body="ok")]
    async with aiohttp.ClientSession() as session:
        url = Secret(f"http://127.0.0.1:{slack.api.port}/hook")
        assert await SlackSender(SlackConfig(api_url=url), session).send(SOME_ENDED) == Delivered()
    shown = str(slack.api.calls[0].body["blocks"])
    assert "It was OOM-killed 4 times" in shown
    assert "kubectl" not in shown


def test_a_place_is_read_as_it_is_written() -> None:
    there = place("C1 1700000000.000100")
    assert there is not None
    assert (there.channel, there.ts, str(there)) == ("C1", "1700000000.000100", "C1 1700000000.000100")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://slack.com/api/chat.postMessage", True),
        ("https://proxy/slack/chat.postMessage/?x=1", True),
        ("https://hooks.slack.com/services/T/B/x", False),
        ("https://slack.com/api/chat.postMessageX", False),
    ],
)
def test_the_web_api_is_told_from_a_webhook(url: str, expected: bool) -> None:
    assert is_method(url) is expected


def test_another_method_is_beside_the_one_that_is_configured() -> None:
    assert method_url("https://slack.com/api/chat.postMessage", "chat.update") == "https://slack.com/api/chat.update"
