"""The contract of all channels: which trouble of a receiver becomes which outcome; no secret in a reason or a log.

What the vendors answer is theirs: the sources stand in the adapters' docstrings and in docs/receivers.md.
"""

from __future__ import annotations

import logging
import ssl
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.support.channels import HTTP, NETWORK, OWN, SECRETS, HttpChannel, MailChannel, channel
from tests.support.messages import NOW, envelope, oom_kill
from tests.support.receivers import ENDLESS, HANG, HANG_UP, Answering
from tests.support.vendors import BOT_TOKEN, ROUTING_KEY, SLACK_TOKEN
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.notify.render import render

MESSAGE = render(envelope(), [oom_kill()])
SHORT = timedelta(seconds=0.3)

TLS = Path(__file__).parents[2] / "integration" / "source" / "tls"
"""Of an authority that no machine trusts."""

GIVE_UP = (400, 401, 403, 404, 410, 413)
LATER = (408, 425, 429, 500, 502, 503)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("name", [name for name in HTTP if name != "slack with a token"])
async def test_any_2xx_is_delivered(name: str, status: int) -> None:
    async with channel(name) as through:
        through.answer(Answering(status=status, body=""))
        assert isinstance(await through.sender.send(MESSAGE), Delivered)


@pytest.mark.parametrize("status", GIVE_UP)
@pytest.mark.parametrize("name", HTTP)
async def test_what_cannot_get_better_is_given_up_with_the_reason(name: str, status: int) -> None:
    async with channel(name) as through:
        through.answer(Answering(status=status, body="invalid_token"))
        outcome = await through.sender.send(MESSAGE)
    assert isinstance(outcome, GiveUp)
    assert str(status) in outcome.reason
    if name != "apprise":
        assert "invalid_token" in outcome.reason


@pytest.mark.parametrize("status", LATER)
@pytest.mark.parametrize("name", HTTP)
async def test_what_may_get_better_is_tried_later(name: str, status: int) -> None:
    async with channel(name) as through:
        through.answer(Answering(status=status))
        outcome = await through.sender.send(MESSAGE)
    assert isinstance(outcome, TryLater)
    assert str(status) in outcome.reason
    assert outcome.after is None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("name", [name for name in OWN if name != "discord"])
async def test_a_pause_that_the_receiver_asks_for_is_kept(name: str, status: int) -> None:
    async with channel(name) as through:
        through.answer(Answering(status=status, headers={"Retry-After": "37"}))
        assert _after(await through.sender.send(MESSAGE)) == timedelta(seconds=37)
        dates = {"Date": format_datetime(NOW, True), "Retry-After": format_datetime(NOW + timedelta(minutes=2), True)}
        through.answer(Answering(status=status, headers=dates))
        assert _after(await through.sender.send(MESSAGE)) == timedelta(minutes=2)


def _after(outcome: object) -> timedelta | None:
    assert isinstance(outcome, TryLater)
    return outcome.after


TOLD_LATER = {
    "Slack's Web API at its limit": (
        "slack with a token",
        429,
        '{"ok":false,"error":"ratelimited"}',
        {"Retry-After": "30"},
        30,
    ),
    "Slack's Web API says it in the body": ("slack with a token", 200, '{"ok":false,"error":"ratelimited"}', {}, None),
    "Slack breaks": ("slack", 500, "rollup_error", {}, None),
    "Discord's limit": (
        "discord",
        429,
        '{"message":"You are being rate limited.","retry_after":1.5,"global":false}',
        {},
        1.5,
    ),
    "PagerDuty's limit": ("pagerduty", 429, "", {}, None),
    "PagerDuty breaks": ("pagerduty", 500, '{"status":"error","message":"x","errors":["y"]}', {}, None),
    "Telegram's limit": (
        "telegram",
        429,
        '{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":17}}',
        {},
        17,
    ),
    "Telegram is being updated": (
        "telegram",
        502,
        '{"ok":false,"error_code":502,"description":"Bad Gateway"}',
        {},
        None,
    ),
    "Teams' limit": ("teams", 429, '{"error":{"code":"WorkflowTriggerRateExceeded"}}', {"Retry-After": "9"}, 9),
    "Teams' limit behind a 200": (
        "teams",
        200,
        "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429",
        {},
        None,
    ),
    "a workflow that did not answer": ("teams", 502, '{"error":{"code":"NoResponse"}}', {}, None),
}


@pytest.mark.parametrize("case", TOLD_LATER)
async def test_what_the_vendor_says_of_a_passing_trouble_is_tried_later(case: str) -> None:
    name, status, body, headers, after = TOLD_LATER[case]
    async with channel(name) as through:
        through.answer(Answering(status=status, body=body, headers=headers))
        pause = _after(await through.sender.send(MESSAGE))
    assert pause == (timedelta(seconds=after) if after is not None else None)


TOLD_NEVER = {
    "a revoked webhook of Slack's": ("slack", 403, "invalid_token", "invalid_token"),
    "an archived channel": ("slack", 410, "channel_is_archived", "channel_is_archived"),
    "a revoked token": ("slack with a token", 200, '{"ok":false,"error":"token_revoked"}', "token_revoked"),
    "a channel that is not there": (
        "slack with a token",
        200,
        '{"ok":false,"error":"channel_not_found"}',
        "channel_not_found",
    ),
    "a deleted webhook of Discord's": ("discord", 404, '{"message":"Unknown Webhook","code":10015}', "Unknown Webhook"),
    "a wrong token of Discord's": (
        "discord",
        401,
        '{"message":"Invalid Webhook Token","code":50027}',
        "Invalid Webhook",
    ),
    "a wrong routing key": (
        "pagerduty",
        400,
        '{"status":"invalid event","message":"Event object is invalid","errors":["Invalid routing key"]}',
        "Invalid routing key",
    ),
    "a bot that was blocked": (
        "telegram",
        403,
        '{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}',
        "blocked",
    ),
    "a wrong bot token": (
        "telegram",
        401,
        '{"ok":false,"error_code":401,"description":"Unauthorized"}',
        "Unauthorized",
    ),
    "a chat that is not there": (
        "telegram",
        400,
        '{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}',
        "chat not found",
    ),
    "a group that became a supergroup": (
        "telegram",
        400,
        '{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat",'
        '"parameters":{"migrate_to_chat_id":-1009876543210}}',
        "write chat_id: -1009876543210",
    ),
    "a workflow that is off": (
        "teams",
        400,
        '{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"x"}}',
        "WorkflowTriggerIsNotEnabled",
    ),
    "a workflow's address that is no longer valid": (
        "teams",
        401,
        '{"error":{"code":"DirectApiAuthorizationRequired"}}',
        "DirectApiAuthorizationRequired",
    ),
    "a card that is too large, behind a 200": (
        "teams",
        200,
        "Microsoft Teams endpoint returned HTTP error 413 with ContextId x",
        "413",
    ),
}


@pytest.mark.parametrize("case", TOLD_NEVER)
async def test_what_the_vendor_says_of_a_lasting_trouble_is_given_up_with_its_words(case: str) -> None:
    name, status, body, words = TOLD_NEVER[case]
    async with channel(name) as through:
        through.answer(Answering(status=status, body=body))
        outcome = await through.sender.send(MESSAGE)
    assert isinstance(outcome, GiveUp)
    assert words in outcome.reason


async def test_discords_message_id_is_kept() -> None:
    async with channel("discord") as through:
        assert await through.sender.send(MESSAGE) == Delivered(reference="1300000000000000001")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", HTTP)
async def test_a_redirect_to_another_host_is_not_followed(name: str, status: int) -> None:
    async with channel(name) as through:
        assert isinstance(through, HttpChannel)
        elsewhere = f"http://localhost:{through.server.port}/elsewhere"
        through.answer(Answering(status=status, headers={"Location": elsewhere}))
        outcome = await through.sender.send(MESSAGE)
        assert [received.path for received in through.server.received] == [through.server.path]
    assert isinstance(outcome, GiveUp)


@pytest.mark.parametrize("name", NETWORK)
async def test_a_receiver_that_is_not_there_is_tried_later(name: str) -> None:
    async with channel(name) as through:
        assert isinstance(through, HttpChannel | MailChannel)
        await through.server.stop()
        outcome = await through.sender.send(MESSAGE)
    assert isinstance(outcome, TryLater)
    assert outcome.reason


@pytest.mark.parametrize("name", NETWORK)
async def test_a_receiver_that_never_answers_is_tried_later(name: str) -> None:
    async with channel(name, SHORT) as through:
        through.answer(Answering(status=HANG))
        outcome = await through.sender.send(MESSAGE)
        assert isinstance(outcome, TryLater)


@pytest.mark.parametrize("name", HTTP)
async def test_a_certificate_that_nobody_trusts_is_tried_later(name: str) -> None:
    untrusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    untrusted.load_cert_chain(TLS / "kubelet.crt", TLS / "kubelet.key")
    async with channel(name, tls=untrusted) as through:
        assert isinstance(through, HttpChannel)
        outcome = await through.sender.send(MESSAGE)
        assert through.server.received == []
    assert isinstance(outcome, TryLater)
    if name != "apprise":
        assert "no trusted TLS connection" in outcome.reason


@pytest.mark.parametrize("name", HTTP)
async def test_a_receiver_that_hangs_up_is_tried_later(name: str) -> None:
    async with channel(name) as through:
        through.answer(Answering(status=HANG_UP))
        assert isinstance(await through.sender.send(MESSAGE), TryLater)


@pytest.mark.parametrize("name", [name for name in OWN if name != "slack with a token"])
async def test_what_was_accepted_is_delivered_though_the_answers_body_never_ends(name: str) -> None:
    async with channel(name, SHORT) as through:
        through.answer(Answering(status=ENDLESS))
        assert isinstance(await through.sender.send(MESSAGE), Delivered)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(421, TryLater), (450, TryLater), (452, TryLater), (550, GiveUp), (552, GiveUp), (554, GiveUp)],
)
async def test_a_mail_servers_answer_decides_as_its_first_digit_says(code: int, expected: type) -> None:
    async with channel("email") as through:
        through.answer(Answering(status=code, body="so it is"))
        outcome = await through.sender.send(MESSAGE)
    assert isinstance(outcome, expected)
    assert isinstance(outcome, TryLater | GiveUp)
    assert outcome.reason == f"SMTP {code}: so it is"


@pytest.mark.parametrize("name", NETWORK)
async def test_no_secret_is_in_a_reason_or_in_a_log(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with channel(name, SHORT) as through:
        assert isinstance(through, HttpChannel | MailChannel)
        reasons = []
        for status in (400, 302, 503, HANG) if name != "email" else (450, 550, HANG):
            through.answer(Answering(status=status, body=f"no such hook: {' '.join(_own_secrets(name))}"))
            reasons.append(repr(await through.sender.send(MESSAGE)))
        await through.server.stop()
        reasons.append(repr(await through.sender.send(MESSAGE)))
    told = "\n".join([*reasons, *(record.getMessage() for record in caplog.records)])
    assert [secret for secret in _own_secrets(name) if secret in told] == []


def _own_secrets(name: str) -> tuple[str, ...]:
    """The mail of these tests has no password."""
    own = {"email": (), "slack with a token": (SLACK_TOKEN,), "pagerduty": (ROUTING_KEY,), "telegram": (BOT_TOKEN,)}
    return {**own, "webhook": SECRETS, "apprise": SECRETS}.get(name, SECRETS[:1])
