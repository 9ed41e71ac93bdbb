"""Slack's Web API and Discord's webhooks as local servers: they keep messages, edit them, and check as the vendor does.

Slack: https://docs.slack.dev/reference/methods/chat.postMessage, chat.update and
https://docs.slack.dev/reference/block-kit/blocks. Discord: https://discord.com/developers/docs/resources/webhook.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from tests.support.receivers import SLACK_ALL, Answering, DiscordReceiver, units

TOKEN: Final = "xoxb-T0KEN-of-the-bot"
CHANNEL: Final = "C0123456789"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was let in."""

    method: str
    body: dict[str, Any]
    query: Mapping[str, str] = {}


class _Server:
    """`answers` are given one after the other to the methods named; a method without one does its work."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, list[Answering]] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def methods(self) -> list[str]:
        return [call.method for call in self.calls]

    async def start(self) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def scripted(self, method: str) -> web.Response | None:
        if not self.answers.get(method):
            return None
        answering = self.answers[method].pop(0)
        kind = "application/json" if answering.body.startswith("{") else "text/plain"
        return web.Response(status=answering.status, text=answering.body, headers=answering.headers, content_type=kind)

    async def _take(self, request: web.Request) -> web.Response:
        raise NotImplementedError


class SlackApi(_Server):
    """chat.postMessage and chat.update for one token and one channel."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/chat.postMessage"

    def thread(self, ts: str) -> list[dict[str, Any]]:
        return [message for message in self.messages.values() if message.get("thread_ts") == ts]

    async def _take(self, request: web.Request) -> web.Response:
        method = request.path.rpartition("/")[2]
        body = json.loads(await request.text())
        self.calls.append(Call(method=method, body=body))
        scripted = self.scripted(method)
        if scripted is not None:
            return scripted
        wrong = self._wrong(request, method, body)
        if wrong:
            self.refused.append(wrong)
            return web.json_response({"ok": False, "error": wrong})
        ts = body["ts"] if method == "chat.update" else f"1700000000.{len(self.messages) + 1:06}"
        self.messages[ts] = {**self.messages.get(ts, {}), **body}
        return web.json_response({"ok": True, "channel": CHANNEL, "ts": ts})

    def _wrong(self, request: web.Request, method: str, body: dict[str, Any]) -> str:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return "invalid_auth"
        if request.headers.get("Content-Type") != "application/json; charset=utf-8":
            return "missing_charset"
        if body.get("channel") not in ("#ops", CHANNEL) or (method == "chat.update" and body["channel"] != CHANNEL):
            return "channel_not_found"
        if method == "chat.update" and body["ts"] not in self.messages:
            return "message_not_found"
        if body.get("thread_ts", "") not in ("", *self.messages):
            return "thread_not_found"
        if method == "chat.update" and not {"text", "blocks", "attachments"} <= set(body):
            return "no_text"
        return wrong_blocks(body)


def wrong_blocks(body: dict[str, Any]) -> str:
    """What Slack finds wrong with a message; empty: nothing."""
    blocks = [*body["blocks"], *(block for each in body.get("attachments", []) for block in each["blocks"])]
    if not body["text"] or len(body["text"]) > 40_000:
        return "no_text"
    if not 0 < len(blocks) <= 50:
        return "invalid_blocks"
    faults = [fault for block in blocks for fault in _faults(block)]
    total = sum(units(text["text"]) for block in blocks for text in _texts(block))
    return "; ".join(faults) or ("msg_blocks_too_long" if total > SLACK_ALL else "")


def _texts(block: dict[str, Any]) -> Iterator[dict[str, str]]:
    if "text" in block:
        yield block["text"]
    yield from block.get("fields", [])
    yield from (element["text"] for element in block.get("elements", []))


def _faults(block: dict[str, Any]) -> Iterator[str]:
    limits = {"header": 150, "section": 3000, "actions": 75}
    if block["type"] not in limits:
        yield f"no block {block['type']}"
        return
    if block["type"] == "section" and not ("text" in block) ^ ("fields" in block):
        yield "a section of nothing"
    if not len(block.get("fields", [])) <= 10 or not len(block.get("elements", [])) <= 25:
        yield "too many"
    for text in _texts(block):
        limit = 2000 if "fields" in block else limits[block["type"]]
        if not 0 < units(text["text"]) <= limit:
            yield f"{block['type']}: {units(text['text'])} characters"
        if text["type"] != ("mrkdwn" if block["type"] == "section" else "plain_text"):
            yield f"{block['type']}: {text['type']}"
        if text["type"] == "mrkdwn" and (not text["verbatim"] or text["text"].count("```") % 2):
            yield "an open fence, or not verbatim"
    for element in block.get("elements", []):
        if not element["url"].startswith("http") or len(element["url"]) > 3000:
            yield "no url"


class DiscordApi(_Server):
    """One webhook whose messages can be edited."""

    path: Final = "/api/webhooks/1/T0KEN-in-the-path"
    headers: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.headers = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    async def _take(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        self.calls.append(Call(method=request.method, body=body, query=dict(request.query)))
        scripted = self.scripted(request.method)
        if scripted is not None:
            return scripted
        wrong = self._wrong(request, body)
        if wrong:
            self.refused.append(wrong)
            return web.json_response({"message": wrong, "code": 50035}, status=400)
        identity = (
            request.path.rpartition("/")[2]
            if request.method == "PATCH"
            else f"13000000000000000{len(self.messages) + 1:02}"
        )
        if request.method == "PATCH" and identity not in self.messages:
            return web.json_response({"message": "Unknown Message", "code": 10008}, status=404)
        self.messages[identity] = body
        return web.json_response({"id": identity}, headers=self.headers)

    def _wrong(self, request: web.Request, body: dict[str, Any]) -> str:
        if request.method == "PATCH" and set(body) & {"username", "avatar_url"}:
            return "Invalid Form Body"
        if request.method == "POST" and request.query.get("wait") != "true":
            return "the message's id is not asked for"
        if body.get("allowed_mentions") != {"parse": []}:
            return "mentions"
        return DiscordReceiver().wrong(body)
