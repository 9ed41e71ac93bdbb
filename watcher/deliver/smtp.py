"""One mail on its way to its server, in a thread, and what the server's answers mean.

smtplib rather than aiosmtplib: it comes with Python, and what is missing in it (a login by name, an identity, UTF-8 in
passwords, a way to stop) is little. As in Alertmanager: TLS from the first byte on port 465 or where it is forced,
elsewhere `require_tls` demands STARTTLS; no login where the server offers none.

| answer | outcome |
|---|---|
| 4xx, also to a login (454) | try later |
| 5xx, also to a login (535), to the greeting (554), or because something is not offered | give up |
| of several addresses some refused | 4xx: a later attempt goes to these alone; 5xx: logged, the others have it |
| refused, unknown or silent server, one that hangs up at any moment | try later |
| no trusted TLS, a certificate that has run out | try later: certificates get renewed |

A server that takes the mail and breaks off before its answer gets it again, with the same Message-ID. Once it has
answered, nothing that happens on the way out makes the mail undelivered.
"""

from __future__ import annotations

import base64
import hmac
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import EmailMessage
from typing import Final

from watcher.deliver.tls import TlsContexts, TlsProblem
from watcher.model.config import EmailConfig
from watcher.model.delivery import GiveUp, TryLater

Refused = Mapping[str, tuple[int, bytes]]
"""Addresses with the server's answer."""

TROUBLE: Final = (OSError, smtplib.SMTPException, TlsProblem)
"""What `Courier.carry` raises; a TimeoutError is an OSError."""

_TLS_PORT: Final = 465
_GOODBYE: Final = 1.0
"""Seconds for the answer to QUIT, which changes nothing."""
_UNKNOWN_MECHANISM: Final = 504
_SILENT: Final = "no answer from the mail server in time"


class Courier:
    """One connection for one mail. `carry` runs in a thread, `abort` in any other."""

    def __init__(self, config: EmailConfig, contexts: TlsContexts, timeout: float) -> None:
        """`timeout`: seconds for each step on the wire."""
        self._config = config
        self._contexts = contexts
        self._timeout = timeout
        host, _, port = config.smarthost.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._connection: smtplib.SMTP | None = None
        self._aborted = False

    def carry(self, message: EmailMessage, sender: str, to: list[str]) -> Refused:
        """Answers who was refused, where somebody was not. Raises one of TROUBLE."""
        connection = self._connection = self._connect()
        try:
            if self._aborted:
                raise TimeoutError
            if self._config.require_tls and not self._implicit:
                connection.starttls(context=self._contexts.context())
            _log_in(connection, self._config)
            refused = connection.send_message(message, sender, to)
            with suppress(OSError, smtplib.SMTPException):
                if connection.sock is not None:
                    connection.sock.settimeout(_GOODBYE)
                connection.quit()
            return refused
        finally:
            connection.close()

    def abort(self) -> None:
        """Makes `carry` fail soon, whatever it waits for."""
        self._aborted = True
        sock = self._connection.sock if self._connection is not None else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    @property
    def _implicit(self) -> bool:
        wanted = self._config.implicit_tls
        return self._port == _TLS_PORT if wanted is None else wanted

    def _connect(self) -> smtplib.SMTP:
        hello, timeout = self._config.hello, self._timeout
        if self._implicit:
            context = self._contexts.context()
            return smtplib.SMTP_SSL(self._host, self._port, hello, timeout=timeout, context=context)
        return smtplib.SMTP(self._host, self._port, hello, timeout=timeout)


def outcome_of_trouble(error: Exception, smarthost: str) -> TryLater | GiveUp:
    """The table above. The reason may hold what the server said."""
    match error:
        case TlsProblem():
            return TryLater(reason=str(error))
        case smtplib.SMTPException():
            return _objection(error)
        case TimeoutError():
            return TryLater(reason=_SILENT)
        case ssl.SSLError():
            why = f": {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else ""
            return TryLater(reason=f"no trusted TLS connection to the mail server{why}")
        case socket.gaierror():
            return TryLater(reason=f"the name of the mail server {smarthost} cannot be resolved")
        case OSError():
            return TryLater(reason=f"cannot connect to {smarthost}: {error.strerror or 'no answer'}")
        case _:
            return GiveUp(reason=f"the mail cannot be sent: {type(error).__name__}")


def _objection(error: smtplib.SMTPException) -> TryLater | GiveUp:
    """What the server said; every SMTPException is an OSError too."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            reason = refusals(error.recipients)
            later = any(code < 500 for code, _ in error.recipients.values())
            return TryLater(reason=reason) if later else GiveUp(reason=reason)
        case smtplib.SMTPResponseException():
            said = error.smtp_error
            words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            reason = f"SMTP {error.smtp_code}: {words}"
            return GiveUp(reason=reason) if 500 <= error.smtp_code < 600 else TryLater(reason=reason)
        case smtplib.SMTPServerDisconnected() if isinstance(error.__context__, TimeoutError):
            return TryLater(reason=_SILENT)
        case smtplib.SMTPNotSupportedError():
            return GiveUp(reason=f"the mail server cannot do what is asked: {error}")
        case _:
            return TryLater(reason=f"the mail server broke off: {error}")


def refusals(refused: Refused) -> str:
    return "; ".join(
        f"SMTP {code} for {address}: {said.decode('utf-8', 'replace')}" for address, (code, said) in refused.items()
    )


def _log_in(connection: smtplib.SMTP, config: EmailConfig) -> None:
    if not config.auth_username or (config.auth_password is None and config.auth_secret is None):
        return
    connection.ehlo_or_helo_if_needed()
    offered = connection.esmtp_features.get("auth", "").upper().split()
    if not offered:
        return
    encrypted = isinstance(connection.sock, ssl.SSLSocket)
    code, said = 0, b""
    for mechanism in _mechanisms(config, encrypted):
        if mechanism in offered:
            code, said = _LOGINS[mechanism](connection, config)
            if code != _UNKNOWN_MECHANISM:
                break
    if not code:
        raise smtplib.SMTPNotSupportedError(f"it offers only {' '.join(offered)} for the login")
    # 503: already logged in (by its address, or by the certificate).
    if code not in (235, 503):
        raise smtplib.SMTPAuthenticationError(code, said)


def _mechanisms(config: EmailConfig, encrypted: bool) -> tuple[str, ...]:
    """The best first: with a secret of its own CRAM-MD5, and where the line is open the one that hides the password."""
    if config.auth_password is None:
        return ("CRAM-MD5",)
    if config.auth_secret is not None or not encrypted:
        return ("CRAM-MD5", "PLAIN", "LOGIN")
    return ("PLAIN", "LOGIN", "CRAM-MD5")


def _plain(connection: smtplib.SMTP, config: EmailConfig) -> tuple[int, bytes]:
    """RFC 4616."""
    password = config.auth_password.value if config.auth_password is not None else ""
    answer = _b64(f"{config.auth_identity}\0{config.auth_username}\0{password}".encode())
    code, said = connection.docmd("AUTH", f"PLAIN {answer}")
    return connection.docmd(answer) if code == 334 else (code, said)


def _login(connection: smtplib.SMTP, config: EmailConfig) -> tuple[int, bytes]:
    code, said = connection.docmd("AUTH", "LOGIN")
    password = config.auth_password.value if config.auth_password is not None else ""
    for word in (config.auth_username, password):
        if code == 334:
            code, said = connection.docmd(_b64(word.encode()))
    return code, said


def _cram_md5(connection: smtplib.SMTP, config: EmailConfig) -> tuple[int, bytes]:
    """RFC 2195."""
    secret = config.auth_secret or config.auth_password
    code, said = connection.docmd("AUTH", "CRAM-MD5")
    if code != 334 or secret is None:
        return code, said
    digest = hmac.new(secret.value.encode(), _decoded(said), "md5").hexdigest()
    return connection.docmd(_b64(f"{config.auth_username} {digest}".encode()))


def _decoded(challenge: bytes) -> bytes:
    try:
        return base64.b64decode(challenge, validate=True)
    except ValueError:
        raise smtplib.SMTPServerDisconnected("its challenge cannot be read") from None


def _b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


_LOGINS: Final[Mapping[str, Callable[[smtplib.SMTP, EmailConfig], tuple[int, bytes]]]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
}
