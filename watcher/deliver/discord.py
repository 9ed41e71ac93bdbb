"""Discord by webhook: the first line as content, which a phone shows, and one embed for each alert.

`wait=true` makes Discord answer with the message it made, whose id is kept: an end, and evidence that came late, are
edited into it; a message that is gone is sent anew. `allowed_mentions` with nothing to parse makes every mention plain
text, whatever stands in the message. Limits: 2,000 characters of content, 10 embeds, 256 a title, 4,096 a description,
6,000 in all embeds together (https://discord.com/developers/docs/resources/message#embed-object-embed-limits). Rates:
a 429 says how long to wait, also one for all webhooks (`global`), and each answer how many more are taken
(https://discord.com/developers/docs/topics/rate-limits).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

import aiohttp
import msgspec

from watcher.deliver.answers import LONGEST_PAUSE, Answer, outcome_of
from watcher.deliver.fitting import Limits, lay_out, log_text, shown, units, within
from watcher.deliver.html import COLOURS
from watcher.deliver.http import Client, Request, ask, post
from watcher.deliver.templating import PROBLEM, Texts
from watcher.lib.text import code_block_discord, escape_discord, fit
from watcher.model.config import DiscordConfig, Secret
from watcher.model.delivery import Delivered, Outcome, TryLater
from watcher.model.message import Block, Heading, Links, Log, Message, Notification, Span, Text
from watcher.notify.changes import EDITS, standing
from watcher.notify.plain import heading_line

CONTENT: Final = 2000
TITLE: Final = 256
DESCRIPTION: Final = 4096
PROBLEMS: Final = 3
LIMITS: Final = Limits(room=5800, block=3800, part=4000, full=9)

_UNKNOWN_MESSAGE: Final = 10008
"""https://discord.com/developers/docs/topics/opcodes-and-status-codes#json"""
_FENCE: Final = "```"
_NEW_ONLY: Final = ("username", "avatar_url")


class DiscordSender:
    def __init__(self, config: DiscordConfig, session: aiohttp.ClientSession, timeout: timedelta | None = None) -> None:
        self._config = config
        self._session = session
        self._timeout = timeout or timedelta(seconds=10)
        self._client = Client(config.http)
        self._texts = texts_of(config)

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        if notification.reason not in EDITS or not reference.isdigit():
            return await self._new(notification, notification.message)
        outcome = await self._edit(notification, reference)
        return outcome if outcome is not None else await self._new(notification, standing(notification))

    async def close(self) -> None:
        """The session is the application's."""

    async def _new(self, notification: Notification, message: Message) -> Outcome:
        body = msgspec.json.encode(payload(notification, self._config, self._texts, message))
        url = Secret(_address(self._config.webhook_url.value, "", "wait=true"))
        answer = await post(self._session, url, body, {}, self._timeout, self._client)
        return self._outcome(answer) if isinstance(answer, Answer) else answer

    async def _edit(self, notification: Notification, reference: str) -> Outcome | None:
        """None: there is no such message any more."""
        whole = payload(notification, self._config, self._texts, standing(notification))
        body = msgspec.json.encode({key: value for key, value in whole.items() if key not in _NEW_ONLY})
        url = Secret(_address(self._config.webhook_url.value, f"/messages/{reference}"))
        headers = {"Content-Type": "application/json"}
        patch = Request(method="PATCH", url=url, body=body, headers=headers, timeout=self._timeout)
        answer = await ask(self._session, patch, self._client)
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 404 and _field(answer, "code") == _UNKNOWN_MESSAGE:
            return None
        return self._outcome(answer, reference)

    def _outcome(self, answer: Answer, reference: str = "") -> Outcome:
        outcome = outcome_of(answer, [self._config.webhook_url.value, *self._client.secrets])
        match outcome:
            case Delivered():
                made = _field(answer, "id")
                pause = _reset(answer) if answer.headers.get("x-ratelimit-remaining") == "0" else None
                return Delivered(reference=reference or (made if isinstance(made, str) else ""), pause=pause)
            case TryLater() if answer.status == 429:
                # `retry_after` was in milliseconds before version 8 of the API, and an address without a version is
                # an old one; this header is in seconds everywhere.
                return TryLater(reason=outcome.reason, after=_reset(answer) or outcome.after)
            case _:
                return outcome


def texts_of(config: DiscordConfig) -> Texts:
    """Its templates; keys as the configuration file has them."""
    return Texts({key: getattr(config, key) for key in ("content", "title", "message")})


def payload(
    notification: Notification, config: DiscordConfig, texts: Texts | None = None, message: Message | None = None
) -> dict[str, Any]:
    """`message` is the notification's, or the part of it that is told here."""
    message = message or notification.message
    writing = (texts or texts_of(config)).of(notification)
    content = _closed(_short(writing.text("content", CONTENT, escape_discord), CONTENT - PROBLEMS * PROBLEM - 8))
    title = _short(" ".join(writing.text("title", TITLE, escape_discord).split()), TITLE)
    own = _closed(_short(writing.text("message", DESCRIPTION, escape_discord), DESCRIPTION - 8))
    above = title if content else ""
    embeds = [_own(own, above, message)] if own else _embeds(message, above)
    lines = [content or (f"**{title}**" if title else shown(message.heading, CONTENT, show))]
    lines += [fit(problem, PROBLEM, escape_discord) for problem in writing.problems[:PROBLEMS]]
    wanted = {"username": config.username, "avatar_url": config.avatar_url}
    return {
        **{key: value for key, value in wanted.items() if value},
        "content": _short("\n".join(lines), CONTENT),
        "embeds": [embed for embed in embeds if embed["description"] or "title" in embed],
        "allowed_mentions": {"parse": []},
    }


def _own(text: str, title: str, message: Message) -> dict[str, Any]:
    """What a template says in the place of Watcher's text."""
    titled = {"title": title} if title else {}
    return {"color": COLOURS[message.heading.mark], **titled, "description": text}


def _embeds(message: Message, title: str) -> list[dict[str, Any]]:
    layout = lay_out(message, show, LIMITS if not title else msgspec.structs.replace(LIMITS, room=LIMITS.room - TITLE))
    embeds: list[dict[str, Any]] = []
    for part in layout.parts:
        embed: dict[str, Any] = {"color": COLOURS[(part.heading or message.heading).mark]}
        if part.heading is not None:
            embed["title"] = shown(part.heading, TITLE, _title)
        elif title:
            embed["title"] = title
        embeds.append({**embed, "description": "\n".join(part.texts)})
    if layout.others:
        embeds.append({"color": COLOURS[message.heading.mark], "description": "\n".join(layout.others)})
    return embeds


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


def _short(text: str, limit: int) -> str:
    """At most `limit` units; what a template has made is cut anywhere but inside of an escape."""
    return text if units(text) <= limit else within(limit, lambda room: f"{text[: max(room - 2, 0)].rstrip(chr(92))} …")


def _closed(text: str) -> str:
    return f"{text}\n{_FENCE}" if text.count(_FENCE) % 2 else text


def _address(url: str, path: str, query: str = "") -> str:
    """`url` with more of a path and a query; its own query (`thread_id`) stays."""
    base, _, own = url.partition("?")
    asked = "&".join(part for part in (own, query) if part)
    return f"{base.rstrip('/')}{path}" + (f"?{asked}" if asked else "")


def _reset(answer: Answer) -> timedelta | None:
    """When this webhook may send again."""
    try:
        seconds = float(answer.headers.get("x-ratelimit-reset-after", ""))
    except ValueError:
        return None
    # The comparison is false for nan too.
    return min(timedelta(seconds=seconds), LONGEST_PAUSE) if 0 <= seconds < 1e9 else None


def _field(answer: Answer, key: str) -> Any:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return document.get(key) if isinstance(document, dict) else None
