"""Discord by webhook: the first line as content, which a phone shows, and one embed for each alert.

`allowed_mentions` with nothing to parse makes every mention plain text, whatever stands in the message. `wait=true`
makes Discord answer with the message it made, whose id is kept. Limits: 2,000 characters of content, 10 embeds,
256 a title, 4,096 a description, 6,000 in all embeds together
(https://discord.com/developers/docs/resources/message#embed-object-embed-limits).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

import aiohttp
import msgspec

from watcher.deliver.answers import Answer, outcome_of
from watcher.deliver.fitting import Limits, lay_out, log_text, shown
from watcher.deliver.html import COLOURS
from watcher.deliver.http import TIMEOUT, post
from watcher.lib.text import code_block_discord, escape_discord, fit
from watcher.model.config import DiscordConfig, Secret
from watcher.model.delivery import Delivered, Outcome
from watcher.model.message import Block, Heading, Links, Log, Notification, Span, Text
from watcher.notify.plain import heading_line

CONTENT: Final = 2000
TITLE: Final = 256
LIMITS: Final = Limits(room=5800, block=3800, part=4000, full=9)


class DiscordSender:
    def __init__(self, config: DiscordConfig, session: aiohttp.ClientSession, timeout: timedelta = TIMEOUT) -> None:
        self._config = config
        self._session = session
        self._timeout = timeout

    async def send(self, notification: Notification) -> Outcome:
        url = self._config.webhook_url.value
        waiting = Secret(f"{url}{'&' if '?' in url else '?'}wait=true")
        body = msgspec.json.encode(payload(notification, self._config))
        answer = await post(self._session, waiting, body, {}, self._timeout)
        if not isinstance(answer, Answer):
            return answer
        outcome = outcome_of(answer, [url])
        return Delivered(reference=_message_id(answer.body)) if isinstance(outcome, Delivered) else outcome

    async def close(self) -> None:
        """The session is the application's."""


def payload(notification: Notification, config: DiscordConfig) -> dict[str, Any]:
    message = notification.message
    layout = lay_out(message, show, LIMITS)
    embeds: list[dict[str, Any]] = []
    for part in layout.parts:
        embed: dict[str, Any] = {"color": COLOURS[(part.heading or message.heading).mark]}
        if part.heading is not None:
            embed["title"] = shown(part.heading, TITLE, _title)
        embeds.append({**embed, "description": "\n".join(part.texts)})
    if layout.others:
        embeds.append({"color": COLOURS[message.heading.mark], "description": "\n".join(layout.others)})
    wanted = {"username": config.username, "avatar_url": config.avatar_url}
    return {
        **{key: value for key, value in wanted.items() if value},
        "content": shown(message.heading, CONTENT, show),
        "embeds": [embed for embed in embeds if embed["description"] or "title" in embed],
        "allowed_mentions": {"parse": []},
    }


def show(block: Block, limit: int) -> str:
    """A block as Discord's markdown."""
    match block:
        case Heading():
            place = f" — {escape_discord(block.place)}" if block.place else ""
            text = f"{block.mark.symbol} **{escape_discord(block.title)}**{place}"
            return text if len(text) <= limit else _title(block, limit)
        case Text():
            text = "".join(_span(span) for span in block.spans if span.text)
            return (
                text if len(text) <= limit else fit("".join(span.text for span in block.spans), limit, escape_discord)
            )
        case Log():
            return log_text(block, limit, code_block_discord)
        case Links():
            text = " · ".join(f"[{escape_discord(link.label)}](<{link.url}>)" for link in block.links)
            return text if len(text) <= limit else ""


def _title(block: Block, limit: int) -> str:
    return fit(heading_line(block), limit, escape_discord) if isinstance(block, Heading) else ""


def _span(span: Span) -> str:
    if span.code:
        # Inside backticks Discord knows no marks, so nothing but the backtick itself needs another face.
        return f"`{span.text.replace('`', 'ˋ')}`"
    text = escape_discord(span.text)
    return f"**{text}**" if span.bold else text


def _message_id(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    reference = document.get("id") if isinstance(document, dict) else None
    return reference if isinstance(reference, str) else ""
