"""Receivers of messages as real local servers: they check what the vendor checks, and can answer with any trouble."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any, Final

import msgspec
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

HANG: Final = -1
"""An answer that never comes."""
HANG_UP: Final = -2
"""The connection is closed without an answer."""
ENDLESS: Final = -3
"""200, and a body that never ends."""

SLACK_TEXT: Final = 3000
SLACK_BLOCKS: Final = 50
SLACK_ALL: Final = 11_000
DISCORD_ALL: Final = 6000
FIRST: Final = 1300000000000000001
"""Discord's first message."""


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says instead of its usual answer."""

    status: int
    body: str = "no"
    headers: Mapping[str, str] = {}


class Received(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    method: str = "POST"
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class HttpReceiver:
    """Takes JSON. A subclass says what is wrong with it, and answers as its vendor does."""

    path: str = "/hook/T0KEN-in-the-path"

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.refused: list[str] = []
        self.answering: Answering | None = None
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self._scheme = "http"
        self.port = 0

    @property
    def base(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base}{self.path}"

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self._scheme = "http" if tls is None else "https"
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.text())
        received = Received(
            path=request.path,
            method=request.method,
            query=dict(request.query),
            headers=dict(request.headers),
            body=body,
        )
        wrong = self.wrong(body)
        if wrong:
            self.refused.append(wrong)
            return self.refusal(wrong)
        self.received.append(received)
        if self.answering is None:
            return self.thanks(request, body)
        if self.answering.status < 0:
            return await self._misbehave(request, self.answering.status)
        return web.Response(status=self.answering.status, text=self.answering.body, headers=self.answering.headers)

    async def _misbehave(self, request: web.Request, how: int) -> web.StreamResponse:
        response = web.StreamResponse()
        if how == HANG_UP and request.transport is not None:
            request.transport.close()
        if how == ENDLESS:
            await response.prepare(request)
            await response.write(b"o")
        if how != HANG_UP:
            await self._closing.wait()
        return response

    def wrong(self, body: Any) -> str:
        """The vendor's word for it; empty: nothing."""
        return ""

    def refusal(self, wrong: str) -> web.Response:
        return web.Response(status=400, text=wrong)

    def thanks(self, request: web.Request, body: Any) -> web.Response:
        return web.Response(text="ok")

    def seen(self, body: Any) -> str:
        """What people read of a request."""
        return "\n".join(texts(body))


class SlackReceiver(HttpReceiver):
    """An incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks."""

    path = "/services/T000/B000/T0KEN-in-the-path"

    def wrong(self, body: Any) -> str:
        if not body["text"] or len(body["text"]) > 40_000:
            return "no_text"
        blocks = [*body["blocks"], *(block for one in body.get("attachments", []) for block in one["blocks"])]
        if not 0 < len(body["blocks"]) <= SLACK_BLOCKS or len(blocks) > 2 * SLACK_BLOCKS:
            return "invalid_blocks"
        wrong = next(filter(None, map(_wrong_block, blocks)), "")
        total = sum(units(text) for block in blocks for text in texts(block.get("text", {})))
        return wrong or ("msg_blocks_too_long" if total > SLACK_ALL else "")


def _wrong_block(block: Any) -> str:
    if block["type"] not in ("header", "section", "actions", "context"):
        return "invalid_blocks_format"
    if block["type"] not in ("header", "section") or "text" not in block:
        return ""
    text = block["text"]["text"]
    header = block["type"] == "header"
    if block["text"]["type"] != ("plain_text" if header else "mrkdwn"):
        return "invalid_blocks_format"
    return "" if 0 < units(text) <= (150 if header else SLACK_TEXT) else "invalid_blocks"


class DiscordReceiver(HttpReceiver):
    path = "/api/webhooks/1/T0KEN-in-the-path"

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, Any] = {}

    def wrong(self, body: Any) -> str:
        embeds = body.get("embeds", [])
        content = body.get("content", "")
        if not content and not embeds:
            return "Cannot send an empty message"
        if units(content) > 2000 or len(embeds) > 10:
            return "BASE_TYPE_MAX_LENGTH"
        total = 0
        for embed in embeds:
            if not set(embed) <= {"title", "description", "color", "fields", "footer"} or len(embed) < 2:
                return "Invalid Form Body"
            if units(embed.get("title", "")) > 256 or units(embed.get("description", "")) > 4096:
                return "BASE_TYPE_MAX_LENGTH"
            total += units(embed.get("title", "")) + units(embed.get("description", ""))
        return "MAX_EMBED_SIZE_EXCEEDED" if total > DISCORD_ALL else ""

    def refusal(self, wrong: str) -> web.Response:
        return web.json_response({"message": "Invalid Form Body", "code": 50035, "errors": wrong}, status=400)

    def thanks(self, request: web.Request, body: Any) -> web.Response:
        number = request.path.rpartition("/")[2] if request.method == "PATCH" else str(FIRST + len(self.messages))
        if request.method == "PATCH" and number not in self.messages:
            return web.json_response({"message": "Unknown Message", "code": 10008}, status=404)
        self.messages[number] = body
        if request.method == "PATCH" or request.query.get("wait") == "true":
            return web.json_response({"id": number, "content": "…"})
        return web.Response(status=204)


class WebhookReceiver(HttpReceiver):
    """Reads what Alertmanager's webhook sends, version 4."""

    def wrong(self, body: Any) -> str:
        texts = ("receiver", "status", "externalURL", "version", "groupKey", "notification_reason")
        maps = ("groupLabels", "commonLabels", "commonAnnotations")
        if body["version"] != "4" or not all(isinstance(body[key], str) for key in texts):
            return "not version 4"
        if not all(isinstance(body[key], dict) for key in maps) or not isinstance(body["truncatedAlerts"], int):
            return "wrong type"
        for alert in body["alerts"]:
            if alert["status"] not in ("firing", "resolved") or len(alert["fingerprint"]) != 16:
                return "wrong alert"
            if not all(alert[key].endswith("Z") for key in ("startsAt", "endsAt")):
                return "wrong time"
        return ""


class AppriseReceiver(HttpReceiver):
    """What Apprise's json:// posts."""

    path = "/T0KEN-in-the-path"

    def wrong(self, body: Any) -> str:
        return "" if body["title"] and len(body["message"]) <= 32_768 else "too long"


class MailReceiver:
    """An SMTP server; `answers` maps a command (RCPT, DATA, …) or an address to its answer."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answers: dict[str, str] = {}
        self.hangs = False
        self._server: asyncio.Server | None = None
        self._closing = asyncio.Event()
        self.port = 0

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def _session(self) -> SMTP:
        return SMTP(self, hostname="mail.example", enable_SMTPUTF8=True, auth_require_tls=False)

    async def stop(self) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        if self.hangs:
            await self._closing.wait()
        session.host_name = hostname
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address, self.answers.get("RCPT", ""))
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.answers:
            return self.answers["DATA"]
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


def texts(body: Any) -> list[str]:
    """All texts of a JSON document but its keys."""
    if isinstance(body, str):
        return [body]
    if isinstance(body, dict):
        return [text for value in body.values() for text in texts(value)]
    return [text for value in body for text in texts(value)] if isinstance(body, list) else []


def units(text: str) -> int:
    """Characters as JavaScript counts them."""
    return len(text.encode("utf-16-le")) // 2
