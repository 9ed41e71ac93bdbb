"""E-mail: one message with a text and an HTML part, to all addresses, over SMTP.

Not through Apprise's mail plugin: that one swallows the server's answer (450 and 550 read the same), makes its text
part from the HTML, and cannot say `hello`. deliver/smtp.py carries the mail and reads the answers, mailthreads.py says
which mails belong together, html.py has the HTML. Where a server takes the message for some addresses only, a later
attempt goes to the others alone; that memory is lost with the process, and costs a doubled mail then, which has the
same Message-ID.
"""

from __future__ import annotations

import asyncio
import logging
import re
import smtplib
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Executor
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from typing import Final

import msgspec

from watcher.deliver.answers import REASON_LIMIT, without
from watcher.deliver.html import LIMIT, page
from watcher.deliver.http import USER_AGENT
from watcher.deliver.mailthreads import SUBJECT_LIMIT, Thread, group_hash, own_subject, thread_of
from watcher.deliver.smtp import TROUBLE, Courier, Refused, outcome_of_trouble, refusals
from watcher.deliver.templating import Texts, Writing
from watcher.deliver.tls import TlsContexts
from watcher.lib.text import clean, cut, escape_html
from watcher.model.config import EmailConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.message import Message, Notification, Span, Text

log = logging.getLogger(__name__)

SOCKET_TIMEOUT: Final = timedelta(seconds=10)
"""Of each step on the wire."""
TIMEOUT: Final = timedelta(seconds=30)
"""Of the whole, queueing for a thread included."""

_REMEMBERED: Final = 1000
_ADDRESS: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_HEADER: Final = "headers."


class EmailSender:
    def __init__(self, config: EmailConfig, executor: Executor, timeout: timedelta = TIMEOUT) -> None:
        self._config = config
        self._timeout = timeout
        self._executor = executor
        self._tls = TlsContexts(config.tls)
        self._texts = texts_of(config)
        self._taken: OrderedDict[str, set[str]] = OrderedDict()
        """By message: the addresses that have it, or never will."""
        self._courier()

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        config = self._config
        try:
            thread = thread_of(notification, reference, _domain(config), daily=config.daily_threads)
            message = payload(notification, config, thread if config.threading else None, self._texts)
        except (ValueError, MessageError) as error:
            return GiveUp(reason=self._safe(f"the mail cannot be made: {error}"))
        done = self._taken.get(notification.id, set())
        left = [address for address in _addresses(config.to) if address not in done]
        carried = await self._carry(message, left)
        outcome = self._conclude(notification.id, left, carried)
        if isinstance(outcome, Delivered) and config.threading:
            return Delivered(reference=thread.reference(thread.subject or str(message["Subject"])))
        return outcome

    async def close(self) -> None:
        """The executor is the application's."""

    def _courier(self) -> Courier:
        """Raises ValueError where the smarthost has no port, which `settings` refuses."""
        return Courier(self._config, self._tls, min(SOCKET_TIMEOUT, self._timeout).total_seconds())

    async def _carry(self, message: EmailMessage, to: list[str]) -> Refused | Exception:
        """Who was refused where the mail was taken, else one of TROUBLE."""
        courier = self._courier()
        sender = _addresses([self._config.sender])[0]
        job = asyncio.get_running_loop().run_in_executor(self._executor, courier.carry, message, sender, to)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await job
        except TROUBLE as error:
            courier.abort()
            return error

    def _conclude(self, message: str, to: list[str], carried: Refused | Exception) -> Outcome:
        done = self._taken.get(message, set())
        refused: Refused
        match carried:
            case smtplib.SMTPRecipientsRefused() if done:
                refused = carried.recipients
                done = done | (refused.keys() - _for_now(refused))
            case Exception():
                trouble = outcome_of_trouble(carried, self._config.smarthost)
                return msgspec.structs.replace(trouble, reason=self._safe(trouble.reason))
            case _:
                refused = carried
                done = done | (set(to) - _for_now(refused))
        if done >= set(_addresses(self._config.to)):
            self._taken.pop(message, None)
            self._say(message, refused)
            return Delivered()
        self._taken[message] = done
        while len(self._taken) > _REMEMBERED:
            self._taken.popitem(last=False)
        return TryLater(reason=self._safe(refusals(refused)))

    def _say(self, message: str, refused: Refused) -> None:
        """Nobody else will: the others have the mail."""
        if refused:
            log.warning(
                "some addresses of a mail were refused",
                extra={"event": "delivery.partly_refused", "message_id": message, "refused": sorted(refused)},
            )

    def _safe(self, text: str) -> str:
        secrets = (self._config.auth_password, self._config.auth_secret)
        text = without(text, [secret.value for secret in secrets if secret is not None])
        return cut(" ".join(clean(text).split()), REASON_LIMIT)


def texts_of(config: EmailConfig) -> Texts:
    """Its templates; keys as the configuration file has them."""
    headers = {f"{_HEADER}{name}": value for name, value in config.headers}
    return Texts({"html": config.html or "", "text": config.text, **headers})


def payload(
    notification: Notification, config: EmailConfig, thread: Thread | None = None, texts: Texts | None = None
) -> EmailMessage:
    """The mail; without `thread` it stands alone. Raises ValueError for an address that is none."""
    writing = (texts or texts_of(config)).of(notification)
    mail = EmailMessage(policy=SMTP)
    headers = _headers(config, writing)
    mail["Subject"] = headers.pop("Subject", "") or _subject(notification, thread)
    mail["From"] = _parsed([config.sender])
    mail["To"] = _parsed(config.to)
    mail["Date"] = format_datetime(notification.at)
    _identify(mail, thread or thread_of(notification, "", _domain(config), daily=False))
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Mailer"] = USER_AGENT
    mail["X-Watcher-Receiver"] = " ".join(notification.receiver.split())
    mail["X-Watcher-Status"] = notification.status
    mail["X-Watcher-Severity"] = notification.message.heading.mark.value
    mail["X-Watcher-Reason"] = notification.reason.value
    mail["X-Watcher-Group"] = group_hash(notification)
    for name, value in headers.items():
        del mail[name]
        mail[name] = value
    _fill(mail, notification, writing, with_html=config.html != "")
    return mail


def _identify(mail: EmailMessage, thread: Thread) -> None:
    mail["Message-ID"] = thread.message_id
    if thread.last:
        mail["In-Reply-To"] = thread.last
        mail["References"] = " ".join(dict.fromkeys((thread.first, thread.last)))


def _subject(notification: Notification, thread: Thread | None) -> str:
    return f"Re: {thread.subject}" if thread is not None and thread.subject else own_subject(notification.title)


def _headers(config: EmailConfig, writing: Writing) -> dict[str, str]:
    """What the configuration's templates give; empty ones are left out."""
    made = {name: " ".join(writing.text(f"{_HEADER}{name}", SUBJECT_LIMIT).split()) for name, _ in config.headers}
    return {("Subject" if name.lower() == "subject" else name): value for name, value in made.items() if value}


def _fill(mail: EmailMessage, notification: Notification, writing: Writing, *, with_html: bool) -> None:
    """Both parts: the configuration's own where its template gives something, else Watcher's."""
    text = writing.text("text", LIMIT)
    html = writing.text("html", LIMIT, escape_html)
    lines = [text or f"{notification.title}\n\n{notification.text}".rstrip(), *writing.problems]
    mail.set_content("\n\n".join(lines) + "\n", cte="quoted-printable")
    if not with_html:
        return
    if html:
        html += "".join(f"<p>{escape_html(problem)}</p>" for problem in writing.problems)
    else:
        html = page(_with(notification.message, writing.problems), _preheader(notification, str(mail["Subject"])))
    mail.add_alternative(html, subtype="html", cte="quoted-printable")


def _with(message: Message, problems: Iterable[str]) -> Message:
    more = tuple(Text((Span(problem),)) for problem in problems)
    return Message(heading=message.heading, blocks=(*message.blocks, *more)) if more else message


def _preheader(notification: Notification, subject: str) -> str:
    """What the subject does not say."""
    first = next((line for line in notification.text.splitlines() if line.strip()), "")
    return first if subject == own_subject(notification.title) and first else f"{notification.title} {first}"


def _domain(config: EmailConfig) -> str:
    return _addresses([config.sender])[0].rpartition("@")[2] or "localhost"


def _parsed(written: Iterable[str]) -> list[Address]:
    pairs = getaddresses(list(written))
    if not pairs or not all(_ADDRESS.fullmatch(address) for _, address in pairs):
        raise ValueError(f"not an address: {', '.join(written)}")
    return [Address(display_name=name, addr_spec=address) for name, address in pairs]


def _addresses(written: Iterable[str]) -> list[str]:
    return [address for _, address in getaddresses(list(written))]


def _for_now(refused: Refused) -> set[str]:
    return {address for address, (code, _) in refused.items() if code < 500}
