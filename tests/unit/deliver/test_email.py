"""Mail: what it looks like, and how servers that do not take it as it is are answered."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from shutil import which

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.channels import mail_config
from tests.support.messages import crash_loop, crash_signal, envelope, facts, oom_kill
from tests.support.receivers import MailReceiver
from watcher.deliver.email import EmailSender, payload
from watcher.model.config import EmailConfig, Secret
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
    assert first["Message-ID"] == second["Message-ID"] == "<m-1@example.org>"
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


# ---- TLS and passwords -------------------------------------------------------------------------------------------


class Guarded(MailReceiver):
    """Takes mail only over TLS and with the password."""

    def __init__(self, certificate: Path) -> None:
        super().__init__()
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    def _session(self) -> SMTP:
        return SMTP(
            self,
            hostname="mail.example",
            tls_context=self._context,
            require_starttls=True,
            auth_required=True,
            authenticator=self._judge,
        )

    def _judge(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        right = isinstance(data, LoginPassword) and data == LoginPassword(b"watcher", b"s3cret-passw0rd")
        return AuthResult(success=right, handled=False)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    openssl = which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine to make a certificate")
    path = tmp_path / "mail.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", "/CN=mail.example", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path.with_suffix(".key")), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path


@asynccontextmanager
async def guarded(certificate: Path) -> AsyncIterator[MailReceiver]:
    receiver = Guarded(certificate)
    await receiver.start()
    yield receiver
    await receiver.stop()


def login(password: str) -> dict[str, object]:
    return {"require_tls": True, "auth_username": "watcher", "auth_password": Secret(password)}


async def test_a_password_goes_over_tls_to_a_server_that_is_trusted(
    certificate: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with guarded(certificate) as server:
        assert isinstance(await send(server, executor, **login("s3cret-passw0rd")), Delivered)
        wrong = await send(server, executor, **login("wrong-passw0rd"))
    assert isinstance(wrong, GiveUp)
    assert wrong.reason.startswith("SMTP 535")
    assert "wrong-passw0rd" not in wrong.reason
    assert len(server.received) == 1


async def test_a_server_that_nobody_vouches_for_gets_no_password(certificate: Path, executor: Executor) -> None:
    async with guarded(certificate) as server:
        outcome = await send(server, executor, **login("s3cret-passw0rd"))
    assert isinstance(outcome, TryLater)
    assert "TLS" in outcome.reason
    assert server.received == []


def test_a_mail_server_needs_a_port() -> None:
    config = EmailConfig(to=("a@b.example",), sender="w@b.example", smarthost="smtp")
    with ThreadPoolExecutor(max_workers=1) as pool, pytest.raises(ValueError, match="smtp"):
        EmailSender(config, pool, timedelta(seconds=1))
