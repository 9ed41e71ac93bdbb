"""Which trouble of a receiver becomes which outcome on every channel, and that no secret is in a reason or a log."""

from __future__ import annotations

import logging
from datetime import timedelta
from email.utils import format_datetime

import pytest

from tests.support.channels import HTTP, NETWORK, SECRETS, HttpChannel, MailChannel, channel
from tests.support.messages import NOW, envelope, oom_kill
from tests.support.receivers import ENDLESS, HANG, HANG_UP, Answering
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.notify.render import render

MESSAGE = render(envelope(), [oom_kill()])
SHORT = timedelta(seconds=0.3)

GIVE_UP = (400, 401, 403, 404, 410, 413)
LATER = (408, 425, 429, 500, 502, 503)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("name", HTTP)
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
@pytest.mark.parametrize("name", ["slack", "discord", "webhook"])
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


async def test_discords_own_pause_is_kept() -> None:
    async with channel("discord") as through:
        through.answer(Answering(status=429, body='{"message": "rate limited", "retry_after": 1.5, "global": false}'))
        assert _after(await through.sender.send(MESSAGE)) == timedelta(seconds=1.5)


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
async def test_a_receiver_that_hangs_up_is_tried_later(name: str) -> None:
    async with channel(name) as through:
        through.answer(Answering(status=HANG_UP))
        assert isinstance(await through.sender.send(MESSAGE), TryLater)


@pytest.mark.parametrize("name", ["slack", "discord", "webhook"])
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
            through.answer(Answering(status=status, body=f"no such hook: {' '.join(SECRETS)}"))
            reasons.append(repr(await through.sender.send(MESSAGE)))
        await through.server.stop()
        reasons.append(repr(await through.sender.send(MESSAGE)))
    told = "\n".join([*reasons, *(record.getMessage() for record in caplog.records)])
    assert [secret for secret in _own_secrets(name) if secret in told] == []


def _own_secrets(name: str) -> tuple[str, ...]:
    """The mail of these tests has no password; the servers of the other channels repeat what they got."""
    return {"email": (), "slack": SECRETS[:1], "discord": SECRETS[:1]}.get(name, SECRETS)
