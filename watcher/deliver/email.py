"""E-mail: one message with a text and an HTML part, to all addresses, over SMTP.

smtplib in the bounded executor rather than Apprise's mail plugin: that one swallows the server's answer (450 and 550
read the same), makes its text part from the HTML, and cannot say `hello`. As Alertmanager does it: port 465 is TLS
from the first byte, elsewhere `require_tls` demands STARTTLS. Where a server takes the message for some addresses
only, a later attempt goes to the others alone; that memory is lost with the process, and costs a doubled mail then.
"""

from __future__ import annotations

import asyncio
import logging
import re
import smtplib
import ssl
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from typing import Final

from watcher.deliver.answers import REASON_LIMIT, without
from watcher.deliver.html import page
from watcher.deliver.http import USER_AGENT
from watcher.lib.text import clean, cut
from watcher.model.config import EmailConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.message import Notification

log = logging.getLogger(__name__)

SOCKET_TIMEOUT: Final = timedelta(seconds=10)
"""Of each step on the wire."""
TIMEOUT: Final = timedelta(seconds=30)
"""Of the whole, queueing for a thread included."""

_TLS_PORT: Final = 465
_SUBJECT_LIMIT: Final = 200
_REMEMBERED: Final = 1000
_ADDRESS: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class EmailSender:
    def __init__(self, config: EmailConfig, executor: Executor, timeout: timedelta = TIMEOUT) -> None:
        self._config = config
        self._timeout = timeout
        self._executor = executor
        self._accepted: OrderedDict[str, set[str]] = OrderedDict()
        host, _, port = config.smarthost.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)

    async def send(self, notification: Notification) -> Outcome:
        try:
            message = payload(notification, self._config)
        except (ValueError, MessageError) as error:
            return GiveUp(reason=self._safe(f"the mail cannot be made: {error}"))
        done = self._accepted.get(notification.id, set())
        left = [address for address in _addresses(self._config.to) if address not in done]
        job = asyncio.get_running_loop().run_in_executor(self._executor, self._submit, message, left)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                refused = await job
        except (OSError, smtplib.SMTPException) as error:
            # TimeoutError is an OSError.
            if done and isinstance(error, smtplib.SMTPRecipientsRefused):
                return self._conclude(notification.id, left, error.recipients)
            return self._failure(error)
        return self._conclude(notification.id, left, refused)

    async def close(self) -> None:
        """The executor is the application's."""

    def _submit(self, message: EmailMessage, to: list[str]) -> Mapping[str, tuple[int, bytes]]:
        """In a thread of the executor. Answers who was refused, where somebody was not."""
        config = self._config
        timeout = min(SOCKET_TIMEOUT, self._timeout).total_seconds()
        sender = _addresses([config.sender])[0]
        connection: smtplib.SMTP
        if self._port == _TLS_PORT:
            context = ssl.create_default_context()
            connection = smtplib.SMTP_SSL(self._host, self._port, config.hello, timeout=timeout, context=context)
        else:
            connection = smtplib.SMTP(self._host, self._port, config.hello, timeout=timeout)
        with connection:
            if config.require_tls and self._port != _TLS_PORT:
                connection.starttls(context=ssl.create_default_context())
            if config.auth_username and config.auth_password is not None:
                connection.login(config.auth_username, config.auth_password.value)
            return connection.send_message(message, sender, to)

    def _conclude(self, message: str, to: Iterable[str], refused: Mapping[str, tuple[int, bytes]]) -> Outcome:
        """The server took it for one address at least, now or at an earlier attempt."""
        if not refused:
            self._accepted.pop(message, None)
            return Delivered()
        later = [address for address, (code, _) in refused.items() if code < 500]
        if not later:
            log.warning(
                "some addresses of a mail were refused",
                extra={"event": "delivery.partly_refused", "message_id": message, "refused": sorted(refused)},
            )
            self._accepted.pop(message, None)
            return Delivered()
        for_good = {address for address in to if address not in later}
        self._accepted[message] = self._accepted.get(message, set()) | for_good
        while len(self._accepted) > _REMEMBERED:
            self._accepted.popitem(last=False)
        return TryLater(reason=self._safe(_refusals(refused)))

    def _failure(self, error: OSError | smtplib.SMTPException) -> Outcome:
        match error:
            case TimeoutError():
                return TryLater(reason="no answer from the mail server in time")
            case smtplib.SMTPRecipientsRefused():
                reason = self._safe(_refusals(error.recipients))
                later = any(code < 500 for code, _ in error.recipients.values())
                return TryLater(reason=reason) if later else GiveUp(reason=reason)
            case smtplib.SMTPResponseException():
                said = error.smtp_error
                words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
                reason = self._safe(f"SMTP {error.smtp_code}: {words}")
                return GiveUp(reason=reason) if 500 <= error.smtp_code < 600 else TryLater(reason=reason)
            case smtplib.SMTPNotSupportedError():
                return GiveUp(reason=self._safe(f"the mail server cannot do what is asked: {error}"))
            case ssl.SSLError():
                return TryLater(reason="no trusted TLS connection to the mail server")
            case smtplib.SMTPException():
                return TryLater(reason=self._safe(f"the mail server broke off: {error}"))
            case _:
                return TryLater(reason=f"cannot connect to {self._config.smarthost}: {error.strerror or 'no answer'}")

    def _safe(self, text: str) -> str:
        password = self._config.auth_password
        text = without(text, [password.value] if password is not None else [])
        return cut(" ".join(clean(text).split()), REASON_LIMIT)


def payload(notification: Notification, config: EmailConfig) -> EmailMessage:
    """The mail. Its Message-ID is the same for every attempt. Raises ValueError for an address that is none."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = cut(" ".join(notification.title.split()), _SUBJECT_LIMIT)
    message["From"] = _parsed([config.sender])
    message["To"] = _parsed(config.to)
    message["Date"] = format_datetime(notification.at)
    domain = _addresses([config.sender])[0].rpartition("@")[2]
    message["Message-ID"] = f"<{_UNSAFE.sub('-', notification.id)}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Mailer"] = USER_AGENT
    message.set_content(f"{notification.title}\n\n{notification.text}\n", cte="quoted-printable")
    message.add_alternative(page(notification.message), subtype="html", cte="quoted-printable")
    return message


def _parsed(written: Iterable[str]) -> list[Address]:
    pairs = getaddresses(list(written))
    if not pairs or not all(_ADDRESS.fullmatch(address) for _, address in pairs):
        raise ValueError(f"not an address: {', '.join(written)}")
    return [Address(display_name=name, addr_spec=address) for name, address in pairs]


def _addresses(written: Iterable[str]) -> list[str]:
    return [address for _, address in getaddresses(list(written))]


def _refusals(refused: Mapping[str, tuple[int, bytes]]) -> str:
    return "; ".join(
        f"SMTP {code} for {address}: {said.decode('utf-8', 'replace')}" for address, (code, said) in refused.items()
    )
