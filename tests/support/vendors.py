"""Slack's Web API, PagerDuty, Telegram and Teams as local servers, with their documented limits and their own words."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from typing import Any, Final

import msgspec
from aiohttp import web

from tests.support.chats import wrong_blocks
from tests.support.receivers import HttpReceiver, units

ROUTING_KEY: Final = "T0KEN-in-the-path-0000000000000k"
BOT_TOKEN: Final = "123456789:T0KEN-in-the-path"
SLACK_TOKEN: Final = "xoxb-T0KEN-in-the-path"
SLACK_CHANNEL: Final = "C0123456789"
CHAT: Final = "-1001234567890"

TEAMS_ALL: Final = 28_672
"""Bytes of what a workflow posts; "Actual message properties size … whereas max allowed size is 28672 bytes"."""


class SlackApiReceiver(HttpReceiver):
    """Slack's Web API: 200 for nearly everything, and in the JSON whether it worked."""

    path = "/api/chat.postMessage"

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, Any] = {}

    def wrong(self, body: Any) -> str:
        return wrong_blocks(body)

    def refusal(self, wrong: str) -> web.Response:
        return web.json_response({"ok": False, "error": wrong})

    def thanks(self, request: web.Request, body: Any) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {SLACK_TOKEN}":
            return self.refusal("invalid_auth")
        if body.get("channel") not in (SLACK_CHANNEL, "#ops"):
            return self.refusal("channel_not_found")
        ts = body.get("ts") or f"1700000000.{len(self.messages) + 1:06}"
        if request.path.endswith("chat.update") and ts not in self.messages:
            return self.refusal("message_not_found")
        self.messages[ts] = body
        return web.json_response({"ok": True, "channel": SLACK_CHANNEL, "ts": ts})


class PagerDutyReceiver(HttpReceiver):
    """The Events API v2 (https://developer.pagerduty.com/docs/events-api-v2/trigger-events)."""

    path = "/v2/enqueue"

    def __init__(self) -> None:
        super().__init__()
        self.open: set[str] = set()
        self.pages: list[str] = []
        """The summary of each incident when it was opened: that is when somebody is called."""

    def wrong(self, body: Any) -> str:
        payload = body["payload"]
        faults = {
            "Event is larger than 512 KB": len(msgspec.json.encode(body)) > 512 * 1024,
            "Length of 'routing_key' is incorrect (should be 32 characters)": len(body["routing_key"]) != 32,
            "'event_action' is invalid": body["event_action"] not in ("trigger", "acknowledge", "resolve"),
            "'dedup_key' is missing or too long": not 0 < len(body["dedup_key"]) <= 255,
            "'payload.summary' is missing or too long": not 0 < len(payload["summary"]) <= 1024,
            "'payload.severity' is invalid": payload["severity"] not in ("critical", "error", "warning", "info"),
            "'payload.source' is missing or blank": not payload["source"],
            "'links' is invalid": not all(link["href"].startswith("http") for link in body.get("links", [])),
        }
        return ", ".join(fault for fault, is_there in faults.items() if is_there)

    def refusal(self, wrong: str) -> web.Response:
        said = {"status": "invalid event", "message": "Event object is invalid", "errors": [wrong]}
        return web.json_response(said, status=400)

    def thanks(self, request: web.Request, body: Any) -> web.Response:
        key = body["dedup_key"]
        if body["event_action"] == "resolve":
            self.open.discard(key)
        elif key not in self.open:
            self.open.add(key)
            self.pages.append(body["payload"]["summary"])
        return web.json_response({"status": "success", "message": "Event processed", "dedup_key": key}, status=202)

    def seen(self, body: Any) -> str:
        payload = body["payload"]
        return f"{payload['summary']}\n{payload['custom_details']['text']}"


class TelegramReceiver(HttpReceiver):
    """The Bot API (https://core.telegram.org/bots/api)."""

    path = f"/bot{BOT_TOKEN}/sendMessage"

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[int, str] = {}

    def wrong(self, body: Any) -> str:
        try:
            text = shown_by_telegram(body["text"]) if body.get("parse_mode") == "HTML" else body["text"]
        except ValueError as error:
            return f"Bad Request: can't parse entities: {error}"
        if not text.strip():
            return "Bad Request: message text is empty"
        return "Bad Request: message is too long" if units(text) > 4096 else ""

    def refusal(self, wrong: str, status: int = 400) -> web.Response:
        return web.json_response({"ok": False, "error_code": status, "description": wrong}, status=status)

    def thanks(self, request: web.Request, body: Any) -> web.Response:
        token, method = request.path.removeprefix("/bot").split("/")
        if token != BOT_TOKEN:
            return self.refusal("Not Found", 404)
        if str(body["chat_id"]) != CHAT:
            return self.refusal("Bad Request: chat not found")
        number = body.get("message_id", len(self.messages) + 1)
        if method == "editMessageText":
            if number not in self.messages:
                return self.refusal("Bad Request: message to edit not found")
            if self.messages[number] == body["text"]:
                return self.refusal("Bad Request: message is not modified: specified new message content is the same")
        self.messages[number] = body["text"]
        return web.json_response({"ok": True, "result": {"message_id": number, "text": body["text"]}})

    def seen(self, body: Any) -> str:
        return shown_by_telegram(body["text"]) if body.get("parse_mode") == "HTML" else str(body["text"])


class TeamsReceiver(HttpReceiver):
    """A Power Automate workflow: 202 before it posts. What it refuses later, only its owner sees."""

    path = "/workflows/T0KEN-in-the-path/triggers/manual/paths/invoke"

    def wrong(self, body: Any) -> str:
        (attachment,) = body["attachments"]
        card = attachment["content"]
        if body["type"] != "message" or attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
            return "InvalidParameter"
        for block in card["body"]:
            if block["type"] not in ("RichTextBlock", "TextBlock"):
                return "AdaptiveCard: unknown element"
            if not (block["inlines"] if block["type"] == "RichTextBlock" else block["text"]):
                return "AdaptiveCard: empty element"
        # A fifth is added on the way: https://github.com/MicrosoftDocs/msteams-docs/issues/11274
        actual = int(len(msgspec.json.encode(body)) * 1.2)
        return f"MessageSizeExceeded-{actual} bytes" if actual > TEAMS_ALL else ""

    def refusal(self, wrong: str) -> web.Response:
        return web.Response(status=202)

    def thanks(self, request: web.Request, body: Any) -> web.Response:
        return web.Response(status=202)

    def seen(self, body: Any) -> str:
        blocks = body["attachments"][0]["content"]["body"]
        return "\n".join(
            "".join(run["text"] for run in block["inlines"]) if "inlines" in block else block["text"]
            for block in blocks
        )


class _Telegrams(HTMLParser):
    """Telegram's HTML: a few tags, each closed, and four named entities."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text = ""
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("b", "i", "u", "s", "code", "pre", "a", "blockquote"):
            raise ValueError(f'Unsupported start tag "{tag}"')
        self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            raise ValueError(f'Unmatched end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        if "<" in data:
            raise ValueError("Unexpected character")
        self.text += data

    def handle_entityref(self, name: str) -> None:
        self.text += html.unescape(f"&{name};") if name in ("lt", "gt", "amp", "quot") else f"&{name};"

    def handle_charref(self, name: str) -> None:
        self.text += html.unescape(f"&#{name};")


def shown_by_telegram(text: str) -> str:
    """What people see of it. Raises ValueError as Telegram complains."""
    parser = _Telegrams()
    parser.feed(text)
    parser.close()
    if parser.stack:
        raise ValueError(f'Can\'t find end tag corresponding to start tag "{parser.stack[-1]}"')
    return parser.text
