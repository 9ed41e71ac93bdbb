"""Mail: what it looks like, and how servers that do not take it as it is are answered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.channels import mail_config
from tests.support.messages import crash_loop, crash_signal, envelope, facts, oom_kill
from tests.support.receivers import MailReceiver
from watcher.deliver.email import EmailSender, payload
from watcher.model.config import EmailConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.notify.render import render

MESSAGE = render(envelope(), [oom_kill()])


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
async def server() -> AsyncIterator[MailReceiver]:
    receiver = MailReceiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


async def send(server: MailReceiver, executor: Executor, **fields: object) -> Outcome:
    config = msgspec.structs.replace(mail_config(server.port), **fields)
    return await EmailSender(config, executor).send(MESSAGE)


# ---- the mail itself ---------------------------------------------------------------------------------------------


async def test_a_mail_has_a_text_and_an_html_part_and_one_identity(server: MailReceiver, executor: Executor) -> None:
    sender = EmailSender(mail_config(server.port), executor)
    assert isinstance(await sender.send(MESSAGE), Delivered)
    assert isinstance(await sender.send(MESSAGE), Delivered)
    first, second = server.received
    assert first["Subject"] == "🟠 api is OOM-killed — shop, prod-eu"
    assert first["From"] == "Watcher <watcher@example.org>"
    assert first["To"] == "oncall@example.org, Team <team@example.org>"
    assert first["Date"] == "Fri, 20 Nov 2026 14:02:30 +0000"
    assert first["Message-ID"] == second["Message-ID"]
    assert re.fullmatch(r"<watcher\.20261120\.[0-9a-f]{8}\.[0-9a-f]{12}@example\.org>", first["Message-ID"])
    assert first["X-Watcher-Severity"] == "warning"
    assert first["X-Watcher-Status"] == "firing"
    assert first["X-Watcher-Receiver"] == "team"
    assert first["Auto-Submitted"] == "auto-generated"
    assert server.recipients[0] == ["oncall@example.org", "team@example.org"]
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]


def test_a_title_of_any_length_is_one_subject() -> None:
    long = render(envelope(), [facts([crash_signal(workload="w" * 250)], "X"), crash_loop(), oom_kill()])
    subject = payload(long, mail_config(25))["Subject"]
    assert len(subject) <= 200
    assert "\n" not in subject


@pytest.mark.parametrize("to", ["nobody", "a@b@c", "x y <@>"])
async def test_an_address_that_is_none_is_given_up(to: str, server: MailReceiver, executor: Executor) -> None:
    outcome = await send(server, executor, to=(to,))
    assert isinstance(outcome, GiveUp)


async def test_watcher_says_hello_by_the_configured_name(executor: Executor) -> None:
    names: list[str] = []

    class Greeter(MailReceiver):
        async def handle_EHLO(
            self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
        ) -> list[str]:
            names.append(hostname)
            return await super().handle_EHLO(server, session, envelope, hostname, responses)

    greeter = Greeter()
    await greeter.start()
    assert isinstance(await send(greeter, executor, hello="watcher.example.org"), Delivered)
    await greeter.stop()
    assert names == ["watcher.example.org"]


# ---- servers that object -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"), [("450 greylisted", TryLater), ("550 no such user", GiveUp)], ids=["for now", "for good"]
)
async def test_when_all_addresses_are_refused_nothing_is_sent(
    answer: str, expected: type, server: MailReceiver, executor: Executor
) -> None:
    server.answers["RCPT"] = answer
    outcome = await send(server, executor)
    assert isinstance(outcome, expected)
    assert answer.partition(" ")[2] in repr(outcome)
    assert server.received == []


async def test_one_address_refused_for_good_does_not_hold_back_the_others(
    server: MailReceiver, executor: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers["team@example.org"] = "550 no such user"
    assert isinstance(await send(server, executor), Delivered)
    assert server.recipients == [["oncall@example.org"]]
    assert [record.__dict__["event"] for record in caplog.records if "refused" in record.msg] == [
        "delivery.partly_refused"
    ]


async def test_one_address_refused_for_now_is_tried_again_alone(server: MailReceiver, executor: Executor) -> None:
    sender = EmailSender(mail_config(server.port), executor)
    server.answers["team@example.org"] = "450 greylisted"
    assert isinstance(await sender.send(MESSAGE), TryLater)
    assert isinstance(await sender.send(MESSAGE), TryLater)
    server.answers.clear()
    assert isinstance(await sender.send(MESSAGE), Delivered)
    assert server.recipients == [["oncall@example.org"], ["team@example.org"]]


async def test_an_address_refused_for_good_at_last_does_not_undo_the_others(
    server: MailReceiver, executor: Executor
) -> None:
    sender = EmailSender(mail_config(server.port), executor)
    server.answers["team@example.org"] = "450 greylisted"
    assert isinstance(await sender.send(MESSAGE), TryLater)
    server.answers["team@example.org"] = "550 no such user"
    assert isinstance(await sender.send(MESSAGE), Delivered)
    assert server.recipients == [["oncall@example.org"]]


async def test_a_server_without_starttls_is_given_up_where_tls_is_required(
    server: MailReceiver, executor: Executor
) -> None:
    outcome = await send(server, executor, require_tls=True)
    assert isinstance(outcome, GiveUp)
    assert "STARTTLS" in outcome.reason
    assert server.received == []


async def test_a_server_that_hangs_up_is_tried_later(executor: Executor) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        assert isinstance(await EmailSender(mail_config(port), executor).send(MESSAGE), TryLater)


def test_a_mail_server_needs_a_port() -> None:
    config = EmailConfig(to=("a@b.example",), sender="w@b.example", smarthost="smtp")
    with ThreadPoolExecutor(max_workers=1) as pool, pytest.raises(ValueError, match="smtp"):
        EmailSender(config, pool, timedelta(seconds=1))


# ---- servers that break off --------------------------------------------------------------------------------------


@asynccontextmanager
async def scripted(*answers: str, hang: bool = False) -> AsyncIterator[tuple[int, list[str]]]:
    """A server that greets and answers each command with the next of `answers`, then hangs up; what it was told.

    The text of a mail counts as one command. With `hang` it stays silent instead of hanging up.
    """
    told: list[str] = []
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for answer in answers:
                writer.write(f"{answer}\r\n".encode())
                ends = b"\r\n.\r\n" if answer.startswith("354") else b"\r\n"
                told.append((await reader.readuntil(ends)).decode())
        if hang:
            await over.wait()
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], told
        over.set()


ACCEPTED = ("220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "354 go", "250 taken")


@pytest.mark.parametrize("taken", range(len(ACCEPTED)), ids=[f"before {answer}" for answer in ACCEPTED])
async def test_a_server_that_hangs_up_before_it_took_the_mail_gets_it_again(taken: int, executor: Executor) -> None:
    async with scripted(*ACCEPTED[:taken]) as (port, _):
        outcome = await EmailSender(mail_config(port), executor).send(MESSAGE)
    assert isinstance(outcome, TryLater)
    assert outcome.reason


@pytest.mark.parametrize("goodbye", ["", "421 too slow", "500 what?", "hangs"])
async def test_what_was_taken_is_delivered_whatever_the_server_says_to_the_goodbye(
    goodbye: str, executor: Executor
) -> None:
    answers = (*ACCEPTED, goodbye) if goodbye and goodbye != "hangs" else ACCEPTED
    async with scripted(*answers, hang=goodbye == "hangs") as (port, told):
        outcome = await EmailSender(mail_config(port), executor).send(MESSAGE)
    assert isinstance(outcome, Delivered)
    assert told[-1].lower() == "quit\r\n"


@pytest.mark.parametrize("answered", [0, 1, 5, 6], ids=["greeting", "hello", "data", "text"])
async def test_a_server_that_falls_silent_frees_the_thread(answered: int, executor: Executor) -> None:
    async with scripted(*ACCEPTED[:answered], hang=True) as (port, _):
        sender = EmailSender(mail_config(port), executor, timedelta(seconds=0.3))
        outcome = await sender.send(MESSAGE)
        await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(executor, int), 5)
    assert outcome == TryLater(reason="no answer from the mail server in time")


async def test_a_server_that_answers_letter_by_letter_frees_the_thread(executor: Executor) -> None:
    """Each letter comes in time, so that no step on the wire ever takes too long."""
    over = asyncio.Event()

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n250-")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        over.set()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listening:
        sender = EmailSender(mail_config(listening.sockets[0].getsockname()[1]), executor, timedelta(seconds=0.4))
        assert isinstance(await sender.send(MESSAGE), TryLater)
        await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(executor, int), 5)
        await asyncio.wait_for(over.wait(), 5)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("554 no mail from here",), GiveUp),
        (("421 busy",), TryLater),
        (("220 hi", "550 who?", "550 who?"), GiveUp),
        (("220 hi", "250 hi", "451 not now"), TryLater),
        (("220 hi", "250 hi", "553 not you"), GiveUp),
        (("220 hi", "250 hi", "250 ok", "550 no", "450 later"), TryLater),
        (("220 hi", "250 hi", "250 ok", "550 no", "550 no"), GiveUp),
        (("220 hi", "250 hi", "250 ok", "250 ok", "421 enough"), TryLater),
        (("220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "451 not now"), TryLater),
        (("220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "354 go", "452 full"), TryLater),
        (("220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "354 go", "554 spam"), GiveUp),
        (("220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "354 go", "nonsense"), TryLater),
    ],
)
async def test_each_answer_decides_by_its_first_digit_wherever_it_comes(
    answers: tuple[str, ...], expected: type, executor: Executor
) -> None:
    async with scripted(*answers) as (port, _):
        outcome = await EmailSender(mail_config(port), executor).send(MESSAGE)
    assert isinstance(outcome, expected)


async def test_an_address_that_was_not_asked_for_yet_is_not_counted_as_served(executor: Executor) -> None:
    """The first address is for later, the second attempt breaks off at the first of the two that are left."""
    config = msgspec.structs.replace(mail_config(1), to=("a@example.org", "b@example.org", "c@example.org"))
    sender = EmailSender(config, executor)
    first = ("220 hi", "250 hi", "250 ok", "250 ok", "450 later", "450 later", "354 go", "250 taken", "221 bye")
    second = ("220 hi", "250 hi", "250 ok", "421 enough")
    third = ("220 hi", "250 hi", "250 ok", "250 ok", "250 ok", "354 go", "250 taken", "221 bye")
    asked = []
    for answers, expected in ((first, TryLater), (second, TryLater), (third, Delivered)):
        async with scripted(*answers) as (port, told):
            moved = msgspec.structs.replace(config, smarthost=f"127.0.0.1:{port}")
            sender._config = moved
            assert isinstance(await sender.send(MESSAGE), expected)
        asked.append([line[9] for line in told if line.startswith("rcpt")])
    assert asked == [["a", "b", "c"], ["b"], ["b", "c"]]
