"""Telegram by a bot: one message in Telegram's HTML, which a later one of the same group edits.

Not through Apprise, whose plugin answers without the message's id, cannot edit, knows no other API server, and hides
how long Telegram asks to wait. An edit of a message that is gone or too old becomes a new message; one that would
change nothing counts as delivered. Escaped are `&`, `<` and `>`, which is all that Telegram's HTML needs; a gap after
`@` keeps names from becoming mentions. Limit: 4,096 characters after the entities are parsed
(https://core.telegram.org/bots/api#sendmessage); here they are counted with the markup, which is never less.

| answer | outcome |
|---|---|
| `ok` | delivered |
| 429 | try later, not before `parameters.retry_after` |
| 400, 401, 403 (the bot was blocked or thrown out), 404 (no such bot) | give up |
| 5xx, no answer | try later |
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from watcher.deliver.answers import LONGEST_PAUSE, Answer, outcome_of
from watcher.deliver.fitting import Limits, lay_out, shown, units, within
from watcher.deliver.http import Client, post
from watcher.deliver.templating import Texts, Writing
from watcher.lib.text import cut, fit
from watcher.model.config import Secret, TelegramConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.message import Block, Heading, Links, Log, Message, Notification, Span, Text
from watcher.notify import plain
from watcher.notify.changes import EDITS, changes, standing
from watcher.notify.plain import heading_line, skipped_words

TEXT: Final = 4096
TITLE: Final = 500
LIMITS: Final = Limits(room=3400, block=2500, part=3400)
"""The rest of the 4,096 is for the first line."""

_MENTION: Final = re.compile(r"(?<!\w)@(?=\w)")
_UNCHANGED: Final = "message is not modified"
_UNPARSED: Final = "can't parse entities"
_GONE: Final = re.compile(r"message to edit not found|message can't be edited|MESSAGE_ID_INVALID", re.IGNORECASE)
_PROBLEM: Final = 150
"""Characters for what is wrong with a template."""
_PRE: Final = len("<pre></pre>")


class _Result(msgspec.Struct, frozen=True):
    message_id: int = 0


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float = 0
    migrate_to_chat_id: int = 0


class _Said(msgspec.Struct, frozen=True):
    """What Telegram answers, of it what counts here. An edit may answer with `true` for a result."""

    ok: bool = False
    result: _Result | bool = False
    description: str = ""
    parameters: _Parameters = _Parameters()


class TelegramSender:
    def __init__(self, config: TelegramConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        self._client = Client(config.http)
        self._texts = Texts({"message": config.message})

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        texts = self._texts.of(notification)
        outcome = await self._deliver(notification, reference, texts)
        if isinstance(outcome, GiveUp) and _UNPARSED in outcome.reason and self._config.message:
            texts = Texts({}).of(notification)
            texts.problems.append("The template of message gives markup that Telegram cannot read.")
            outcome = await self._deliver(notification, reference, texts)
        return outcome

    async def _deliver(self, notification: Notification, reference: str, texts: Writing) -> Outcome:
        chat, _, number = reference.rpartition(":")
        edits = notification.reason in EDITS
        # The number counts in its chat only, and the configuration may name another one by now.
        if edits and number.isdecimal() and chat == self._config.chat_id:
            outcome = await self._edit(payload(notification, self._config, texts, standing(notification)), reference)
            if outcome is not None:
                return outcome
            return await self._new(payload(notification, self._config, texts, standing(notification)))
        return await self._new(payload(notification, self._config, texts, changes(notification)))

    async def _new(self, body: dict[str, Any]) -> Outcome:
        answer = await self._call("sendMessage", body)
        if not isinstance(answer, Answer):
            return answer
        outcome = self._outcome(answer)
        if not isinstance(outcome, Delivered):
            return outcome
        result = said(answer).result
        number = result.message_id if isinstance(result, _Result) else 0
        return Delivered(reference=f"{self._config.chat_id}:{number}" if number else "")

    async def close(self) -> None:
        """The session is the application's."""

    async def _edit(self, body: dict[str, Any], reference: str) -> Outcome | None:
        """None: there is nothing left to edit."""
        kept = ("chat_id", "text", "parse_mode", "link_preview_options")
        edit = {"message_id": int(reference.rpartition(":")[2]), **{key: body[key] for key in kept if key in body}}
        answer = await self._call("editMessageText", edit)
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 400:
            if _UNCHANGED in said(answer).description:
                return Delivered(reference=reference)
            if _GONE.search(said(answer).description):
                return None
        outcome = self._outcome(answer)
        return Delivered(reference=reference) if isinstance(outcome, Delivered) else outcome

    async def _call(self, method: str, body: dict[str, Any]) -> Answer | TryLater | GiveUp:
        config = self._config
        url = Secret(f"{config.api_url.rstrip('/')}/bot{config.bot_token.value}/{method}")
        return await post(self._session, url, msgspec.json.encode(body), {}, self._config.timeout, self._client)

    def _outcome(self, answer: Answer) -> Outcome:
        token = self._config.bot_token.value
        outcome = outcome_of(answer, [token, *token.split(":"), *self._client.secrets])
        told = said(answer)
        if isinstance(outcome, TryLater) and outcome.after is None and told.parameters.retry_after > 0:
            pause = min(timedelta(seconds=told.parameters.retry_after), LONGEST_PAUSE)
            return TryLater(reason=outcome.reason, after=pause)
        if isinstance(outcome, GiveUp) and told.parameters.migrate_to_chat_id:
            return GiveUp(reason=f"the group has a new number: write chat_id: {told.parameters.migrate_to_chat_id}")
        return outcome


def said(answer: Answer) -> _Said:
    try:
        return msgspec.json.decode(answer.body, type=_Said)
    except msgspec.DecodeError:
        return _Said()


def payload(notification: Notification, config: TelegramConfig, texts: Writing, message: Message) -> dict[str, Any]:
    """`message` is the notification's, or all of it as it stands."""
    mode = config.parse_mode
    text = texts.text("message", 2 * TEXT, _ESCAPES[mode])
    if units(text) > TEXT and mode:
        # Not cut: that could tear the markup.
        texts.problems.append("The template of message gives more than Telegram takes.")
        text = ""
    if not text:
        text = _html(message, texts.problems) if mode else _plain(message, texts.problems)
        mode = "HTML" if mode else ""
    wanted: dict[str, Any] = {
        "message_thread_id": config.message_thread_id,
        "disable_notification": config.disable_notifications,
        "parse_mode": mode,
    }
    return {
        "chat_id": int(config.chat_id) if config.chat_id.lstrip("-").isdecimal() else config.chat_id,
        "text": text if mode else within(TEXT, lambda room: cut(text, room)),
        "link_preview_options": {"is_disabled": True},
        **{key: value for key, value in wanted.items() if value},
    }


def _html(message: Message, problems: Sequence[str]) -> str:
    layout = lay_out(message, show, LIMITS)
    lines = [shown(message.heading, TITLE, show)]
    for part in layout.parts:
        if part.heading is not None:
            lines += ["", shown(part.heading, LIMITS.block, show)]
        lines += part.texts
    lines += [*([""] if layout.others else []), *layout.others]
    return "\n".join([*lines, *(fit(problem, _PROBLEM, escape) for problem in problems[:1])])


def _plain(message: Message, problems: Sequence[str]) -> str:
    title, text = plain.render(message)
    return _quiet("\n".join([title, *problems, text]))


def show(block: Block, limit: int) -> str:
    """A block as Telegram's HTML."""
    match block:
        case Heading():
            place = f" — {escape(block.place)}" if block.place else ""
            text = f"{block.mark.symbol} <b>{escape(block.title)}</b>{place}"
            return text if len(text) <= limit else fit(heading_line(block), limit, escape)
        case Text():
            text = "".join(_span(span) for span in block.spans if span.text)
            return text if len(text) <= limit else fit("".join(span.text for span in block.spans), limit, escape)
        case Log():
            return _log(block, limit)
        case Links():
            links = (link for link in block.links if urlsplit(link.url).scheme in ("http", "https"))
            text = " · ".join(f'<a href="{html.escape(link.url)}">{escape(link.label)}</a>' for link in links)
            return text if len(text) <= limit else ""


def _escape_v2(text: str) -> str:
    return re.sub(r"([_*\[\]()~`>#+\-=|{}.!\\])", r"\\\1", _quiet(text))


def _escape_v1(text: str) -> str:
    return re.sub(r"([_*`\[])", r"\\\1", _quiet(text))


def escape(text: str) -> str:
    return _entities(_quiet(text))


def _quiet(text: str) -> str:
    return _MENTION.sub("@\u200b", text)


def _entities(text: str) -> str:
    return html.escape(text, quote=False)


def _span(span: Span) -> str:
    if span.code:
        # In code Telegram makes neither mentions nor links: what is copied from it stays as it was.
        return f"<code>{_entities(span.text)}</code>"
    text = escape(span.text)
    return f"<b>{text}</b>" if span.bold else text


def _log(log: Log, limit: int) -> str:
    """The last lines that fit, under the number of those that do not."""
    for start in range(len(log.lines)):
        skipped = log.skipped + start
        note = f"({skipped_words(skipped)})\n" if skipped else ""
        lines = _entities("\n".join(log.lines[start:]))
        if start == len(log.lines) - 1:
            lines = fit(log.lines[start], max(limit - len(note) - _PRE, 1), _entities)
        if len(note) + _PRE + len(lines) <= limit:
            return f"{note}<pre>{lines}</pre>"
    return ""


_ESCAPES: Final = {"HTML": escape, "MarkdownV2": _escape_v2, "Markdown": _escape_v1, "": _quiet}
"""By parse_mode (https://core.telegram.org/bots/api#formatting-options)."""
