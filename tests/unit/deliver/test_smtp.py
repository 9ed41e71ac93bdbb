"""TLS and logins of mail servers: who is trusted, what is shown to whom, and what their refusals mean."""

from __future__ import annotations

import asyncio
import base64
import hmac
import ssl
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.certificates import certificate, key_of, server_context
from tests.support.channels import mail_config
from tests.support.messages import envelope, oom_kill
from tests.support.receivers import MailReceiver
from watcher.deliver.email import EmailSender
from watcher.model.config import Secret, TlsConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.notify.render import render

MESSAGE = render(envelope(), [oom_kill()])
PASSWORD = "s3cret-pässw0rd"


class Guarded(MailReceiver):
    """Takes mail only over TLS and with the password; `implicit`: TLS from the first byte."""

    def __init__(
        self, context: ssl.SSLContext | None, *, implicit: bool = False, without: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self._context = context
        self._implicit = implicit
        self._without = without
        self.mechanisms: list[str] = []
        self.says = ""

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        context = self._context if self._implicit else None
        self._server = await loop.create_server(self._session, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    def _session(self) -> SMTP:
        starttls = self._context if not self._implicit else None
        return SMTP(
            self,
            hostname="mail.example",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=starttls is not None,
            auth_require_tls=starttls is not None,
            auth_exclude_mechanism=self._without,
            authenticator=self._judge,
        )

    def _judge(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        self.mechanisms.append(mechanism)
        if self.says:
            return AuthResult(success=False, handled=False, message=self.says)
        right = isinstance(data, LoginPassword) and data == LoginPassword(b"watcher", PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    async def auth_CRAM__MD5(self, server: SMTP, args: list[str]) -> AuthResult:
        self.mechanisms.append("CRAM-MD5")
        challenge = "<1896.697170952@mail.example>"
        answer = await server.challenge_auth(challenge)
        digest = hmac.new(b"s3cret", challenge.encode(), "md5").hexdigest()
        right = answer is not MISSING and answer == f"watcher {digest}".encode()
        return AuthResult(success=right, handled=False, auth_data="watcher")


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@asynccontextmanager
async def guarded(server: Guarded) -> AsyncIterator[Guarded]:
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def send(server: MailReceiver, executor: Executor, **fields: object) -> Outcome:
    fields = {"require_tls": True, "auth_username": "watcher", "auth_password": Secret(PASSWORD), **fields}
    config = msgspec.structs.replace(mail_config(server.port), **fields)
    return await EmailSender(config, executor).send(MESSAGE)


# ---- TLS -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "from the first byte"])
async def test_a_password_goes_over_tls_to_a_server_that_is_trusted(
    implicit: bool, tmp_path: Path, executor: Executor
) -> None:
    own = certificate(tmp_path)
    tls = TlsConfig(ca_file=str(own))
    async with guarded(Guarded(server_context(own), implicit=implicit)) as server:
        assert isinstance(await send(server, executor, tls=tls, implicit_tls=implicit), Delivered)
        wrong = await send(server, executor, tls=tls, implicit_tls=implicit, auth_password=Secret("wrong-passw0rd"))
    assert isinstance(wrong, GiveUp)
    assert wrong.reason.startswith("SMTP 535")
    assert "wrong-passw0rd" not in wrong.reason
    assert len(server.received) == 1


async def test_the_machines_own_authorities_count_without_a_ca_file(
    tmp_path: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    async with guarded(Guarded(server_context(own))) as server:
        assert isinstance(await send(server, executor), Delivered)


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "from the first byte"])
async def test_a_server_that_nobody_vouches_for_gets_no_password(
    implicit: bool, tmp_path: Path, executor: Executor
) -> None:
    async with guarded(Guarded(server_context(certificate(tmp_path)), implicit=implicit)) as server:
        outcome = await send(server, executor, implicit_tls=implicit)
    assert isinstance(outcome, TryLater)
    assert outcome.reason.startswith("no trusted TLS connection to the mail server: ")
    assert (server.received, server.mechanisms) == ([], [])


async def test_the_certificate_must_have_the_configured_name(tmp_path: Path, executor: Executor) -> None:
    own = certificate(tmp_path, names="DNS:smtp.example")
    named = TlsConfig(ca_file=str(own), server_name="smtp.example")
    for implicit in (False, True):
        async with guarded(Guarded(server_context(own), implicit=implicit)) as server:
            assert isinstance(await send(server, executor, tls=named, implicit_tls=implicit), Delivered)
            unnamed = TlsConfig(ca_file=str(own))
            assert isinstance(await send(server, executor, tls=unnamed, implicit_tls=implicit), TryLater)


async def test_a_server_that_is_not_to_be_verified_is_not(tmp_path: Path, executor: Executor) -> None:
    async with guarded(Guarded(server_context(certificate(tmp_path)))) as server:
        assert isinstance(await send(server, executor, tls=TlsConfig(insecure_skip_verify=True)), Delivered)


async def test_watcher_shows_its_own_certificate_where_it_has_one(tmp_path: Path, executor: Executor) -> None:
    own, mine = certificate(tmp_path), certificate(tmp_path, "client")
    async with guarded(Guarded(server_context(own, mine), implicit=True)) as server:
        shown = TlsConfig(ca_file=str(own), cert_file=str(mine), key_file=str(key_of(mine)))
        assert isinstance(await send(server, executor, tls=shown, implicit_tls=True), Delivered)
        hidden = TlsConfig(ca_file=str(own))
        assert isinstance(await send(server, executor, tls=hidden, implicit_tls=True), TryLater)


async def test_tls_files_that_are_gone_are_tried_later(tmp_path: Path, executor: Executor) -> None:
    async with guarded(Guarded(server_context(certificate(tmp_path)))) as server:
        outcome = await send(server, executor, tls=TlsConfig(ca_file=str(tmp_path / "gone.pem")))
    assert isinstance(outcome, TryLater)
    assert "gone.pem" in outcome.reason


async def test_plain_text_to_a_port_that_speaks_tls_is_tried_later(tmp_path: Path, executor: Executor) -> None:
    async with guarded(Guarded(server_context(certificate(tmp_path)), implicit=True)) as server:
        config = msgspec.structs.replace(mail_config(server.port), implicit_tls=False)
        outcome = await EmailSender(config, executor, timedelta(seconds=0.5)).send(MESSAGE)
    assert isinstance(outcome, TryLater)


# ---- logins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("without", "fields", "mechanism"),
    [
        ((), {}, "PLAIN"),
        (("PLAIN",), {}, "LOGIN"),
        ((), {"auth_secret": Secret("s3cret")}, "CRAM-MD5"),
        (("PLAIN", "LOGIN"), {"auth_secret": Secret("s3cret"), "auth_password": None}, "CRAM-MD5"),
        (("PLAIN", "LOGIN"), {"auth_password": Secret("s3cret")}, "CRAM-MD5"),
        (("CRAM-MD5",), {"auth_secret": Secret("s3cret")}, "PLAIN"),
    ],
    ids=["PLAIN", "LOGIN", "secret", "secret alone", "password as the secret", "secret not asked for"],
)
async def test_the_login_is_one_that_the_server_offers(
    without: tuple[str, ...], fields: dict[str, object], mechanism: str, tmp_path: Path, executor: Executor
) -> None:
    own = certificate(tmp_path)
    async with guarded(Guarded(server_context(own), without=without)) as server:
        assert isinstance(await send(server, executor, tls=TlsConfig(ca_file=str(own)), **fields), Delivered)
    assert server.mechanisms == [mechanism]


async def test_on_an_open_line_the_login_that_hides_the_password_comes_first(executor: Executor) -> None:
    async with guarded(Guarded(None)) as server:
        assert isinstance(await send(server, executor, require_tls=False, auth_password=Secret("s3cret")), Delivered)
    assert server.mechanisms == ["CRAM-MD5"]


@pytest.mark.parametrize(
    ("says", "expected"),
    [("454 4.7.0 the directory is away", TryLater), ("535 5.7.8 no", GiveUp), ("534 5.7.9 too weak", GiveUp)],
    ids=["for now", "wrong", "too weak"],
)
async def test_a_refused_login_decides_by_its_first_digit(
    says: str, expected: type, tmp_path: Path, executor: Executor
) -> None:
    own = certificate(tmp_path)
    async with guarded(Guarded(server_context(own))) as server:
        server.says = says
        outcome = await send(server, executor, tls=TlsConfig(ca_file=str(own)))
    assert isinstance(outcome, expected)
    assert says[:3] in repr(outcome)
    assert server.mechanisms == ["PLAIN"]


async def test_a_wrong_secret_is_given_up(tmp_path: Path, executor: Executor) -> None:
    own = certificate(tmp_path)
    async with guarded(Guarded(server_context(own), without=("PLAIN", "LOGIN"))) as server:
        outcome = await send(server, executor, tls=TlsConfig(ca_file=str(own)), auth_secret=Secret("wrong-s3cret"))
    assert isinstance(outcome, GiveUp)
    assert "535" in outcome.reason


async def test_a_login_that_watcher_does_not_know_is_given_up(tmp_path: Path, executor: Executor) -> None:
    own = certificate(tmp_path)

    class Modern(Guarded):
        async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
            return AuthResult(success=False, handled=False)

    async with guarded(Modern(server_context(own), without=("PLAIN", "LOGIN", "CRAM-MD5"))) as server:
        outcome = await send(server, executor, tls=TlsConfig(ca_file=str(own)))
    assert outcome == GiveUp(reason="the mail server cannot do what is asked: it offers only XOAUTH2 for the login")


async def test_an_identity_goes_with_a_plain_login(tmp_path: Path, executor: Executor) -> None:
    own = certificate(tmp_path)
    seen: list[str] = []

    class Reading(Guarded):
        async def auth_PLAIN(self, server: SMTP, args: list[str]) -> AuthResult:
            seen.append(base64.b64decode(args[1]).decode())
            return AuthResult(success=True, auth_data="watcher")

    async with guarded(Reading(server_context(own))) as server:
        outcome = await send(server, executor, tls=TlsConfig(ca_file=str(own)), auth_identity="oncall")
    assert isinstance(outcome, Delivered)
    assert seen == [f"oncall\0watcher\0{PASSWORD}"]


async def test_a_server_that_offers_no_login_is_asked_for_none(executor: Executor) -> None:
    class Open(MailReceiver):
        def _session(self) -> SMTP:
            return SMTP(self, hostname="mail.example", enable_SMTPUTF8=True)

    server = Open()
    await server.start()
    outcome = await send(server, executor, require_tls=False)
    await server.stop()
    assert isinstance(outcome, Delivered)
