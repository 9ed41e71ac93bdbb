"""Every channel behind one face: a sender, the server it talks to, and what a reader of that channel sees."""

from __future__ import annotations

import io
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, NamedTuple

import aiohttp
from msgspec.structs import replace

from tests.support.receivers import (
    HANG,
    Answering,
    AppriseReceiver,
    DiscordReceiver,
    HttpReceiver,
    MailReceiver,
    SlackReceiver,
    WebhookReceiver,
)
from tests.support.vendors import (
    BOT_TOKEN,
    CHAT,
    ROUTING_KEY,
    SLACK_TOKEN,
    PagerDutyReceiver,
    SlackApiReceiver,
    TeamsReceiver,
    TelegramReceiver,
)
from watcher.deliver.apprise import AppriseSender
from watcher.deliver.console import ConsoleSender
from watcher.deliver.discord import DiscordSender
from watcher.deliver.email import EmailSender
from watcher.deliver.msteams import MSTeamsSender
from watcher.deliver.pagerduty import PagerDutySender
from watcher.deliver.slack import SlackSender
from watcher.deliver.telegram import TelegramSender
from watcher.deliver.webhook import WebhookSender
from watcher.model.config import (
    AppriseConfig,
    ConsoleConfig,
    DiscordConfig,
    EmailConfig,
    HttpClient,
    MSTeamsConfig,
    PagerDutyConfig,
    Secret,
    SlackConfig,
    TelegramConfig,
    WebhookConfig,
)
from watcher.ports import Sender

OWN: Final = ("slack", "slack with a token", "discord", "webhook", "pagerduty", "telegram", "teams")
"""The HTTP channels with an adapter of their own."""
EDITING: Final = ("slack with a token", "discord", "telegram")
CHATS: Final = ("slack", "slack with a token", "discord", "telegram", "teams")
"""With less room than a long message needs."""
HTTP: Final = (*OWN, "apprise")
NETWORK: Final = (*HTTP, "email")
ALL: Final = (*NETWORK, "console")

SECRETS: Final = ("T0KEN-in-the-path", "s3cret-passw0rd")
"""What stands in the channels' configuration and nowhere else."""


class Channel:
    """One channel under test. `raw` is what was carried, `visible` what people read of it."""

    sender: Sender

    def raw(self) -> str:
        raise NotImplementedError

    def visible(self) -> str:
        raise NotImplementedError

    @property
    def refused(self) -> list[str]:
        """What the vendor found wrong."""
        return []

    def answer(self, answering: Answering) -> None:
        raise NotImplementedError


class HttpChannel(Channel):
    def __init__(self, sender: Sender, server: HttpReceiver) -> None:
        self.sender = sender
        self.server = server

    @property
    def bodies(self) -> list[Any]:
        return [received.body for received in self.server.received]

    def raw(self) -> str:
        return json.dumps(self.bodies, ensure_ascii=False)

    def visible(self) -> str:
        return "\n".join(self.server.seen(body) for body in self.bodies)

    @property
    def refused(self) -> list[str]:
        return self.server.refused

    def answer(self, answering: Answering) -> None:
        self.server.answering = answering


class MailChannel(Channel):
    def __init__(self, sender: Sender, server: MailReceiver) -> None:
        self.sender = sender
        self.server = server

    def raw(self) -> str:
        return "\n".join(message.as_string() for message in self.server.received)

    def visible(self) -> str:
        return "\n".join(
            f"{message['Subject']}\n{part.get_content()}".replace("\r\n", "\n")
            for message in self.server.received
            if (part := message.get_body(("plain",))) is not None
        )

    def answer(self, answering: Answering) -> None:
        if answering.status == HANG:
            self.server.hangs = True
        else:
            self.server.answers["DATA"] = f"{answering.status} {answering.body}"


class ConsoleChannel(Channel):
    def __init__(self, sender: Sender, stream: io.StringIO) -> None:
        self.sender = sender
        self.stream = stream

    def raw(self) -> str:
        return self.stream.getvalue()

    def visible(self) -> str:
        return self.stream.getvalue()


@asynccontextmanager
async def channel(
    name: str,
    timeout: timedelta = timedelta(seconds=8),
    tls: ssl.SSLContext | None = None,
    texts: Mapping[str, Any] | None = None,
) -> AsyncIterator[Channel]:
    """The channel called `name`, with its server running; `tls`: behind that certificate; `texts`: its templates."""
    if name == "console":
        stream = io.StringIO()
        yield ConsoleChannel(ConsoleSender(ConsoleConfig(), stream), stream)
        return
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="deliver") as executor:
        async with aiohttp.ClientSession() as session:
            if name == "email":
                mail = MailReceiver()
                await mail.start()
                try:
                    yield MailChannel(EmailSender(mail_config(mail.port), executor, timeout), mail)
                finally:
                    await mail.stop()
                return
            server = _SERVERS[name]()
            await server.start(tls)
            try:
                yield HttpChannel(_sender(name, server, Parts(session, executor, timeout, texts or {})), server)
            finally:
                await server.stop()


_SERVERS: Final[dict[str, type[HttpReceiver]]] = {
    "slack": SlackReceiver,
    "slack with a token": SlackApiReceiver,
    "discord": DiscordReceiver,
    "webhook": WebhookReceiver,
    "pagerduty": PagerDutyReceiver,
    "telegram": TelegramReceiver,
    "teams": TeamsReceiver,
    "apprise": AppriseReceiver,
}


def mail_config(port: int) -> EmailConfig:
    return EmailConfig(
        to=("oncall@example.org", "Team <team@example.org>"),
        sender="Watcher <watcher@example.org>",
        smarthost=f"127.0.0.1:{port}",
        require_tls=False,
    )


class Parts(NamedTuple):
    session: aiohttp.ClientSession
    executor: ThreadPoolExecutor
    timeout: timedelta
    texts: Mapping[str, Any]


def _sender(name: str, server: HttpReceiver, parts: Parts) -> Sender:
    session, executor, timeout, texts = parts
    url = Secret(server.url)
    sender: Sender
    match name:
        case "slack":
            sender = SlackSender(replace(SlackConfig(api_url=url), **texts), session, timeout)
        case "slack with a token":
            slack = SlackConfig(api_url=url, token=Secret(SLACK_TOKEN), channel="#ops")
            sender = SlackSender(replace(slack, **texts), session, timeout)
        case "discord":
            sender = DiscordSender(replace(DiscordConfig(webhook_url=url), **texts), session, timeout)
        case "webhook":
            client = HttpClient(basic_username="u", basic_password=Secret(SECRETS[1]))
            sender = WebhookSender(WebhookConfig(url=url, timeout=timeout, http=client), session)
        case "pagerduty":
            pagerduty = PagerDutyConfig(routing_key=Secret(ROUTING_KEY), url=server.url, timeout=timeout)
            sender = PagerDutySender(replace(pagerduty, **texts), session)
        case "telegram":
            token = Secret(BOT_TOKEN)
            telegram = TelegramConfig(bot_token=token, chat_id=CHAT, api_url=server.base, timeout=timeout)
            sender = TelegramSender(replace(telegram, **texts), session)
        case "teams":
            sender = MSTeamsSender(replace(MSTeamsConfig(webhook_url=url, timeout=timeout), **texts), session)
        case _:
            schema = "jsons" if server.base.startswith("https") else "json"
            host = f"{schema}://user:{SECRETS[1]}@127.0.0.1:{server.port}"
            apprise = AppriseConfig(url=Secret(f"{host}{server.path}?rto={timeout.total_seconds():g}"))
            sender = AppriseSender(apprise, executor, timeout)
    return sender
