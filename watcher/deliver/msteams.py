"""Microsoft Teams by a Power Automate workflow: an Adaptive Card of lines that Teams takes for nothing but text.

Not through Apprise, whose plugin takes no webhook's URL as it stands, cuts at 1,000 characters, and sends Markdown,
which Teams has no safe escape for. A RichTextBlock knows no Markdown and no mentions: only `{{DATE(…)}}` is looked
for in it, so two braces get a gap (https://learn.microsoft.com/en-us/adaptive-cards/create/textfeatures).

The workflow answers 202 before it posts, and a card above 28 KB fails behind that answer where nobody sees it; what it
posts is up to a fifth larger than what it got (https://github.com/MicrosoftDocs/msteams-docs/issues/11274), so cards
end at 20 KB. Nothing comes back that could be edited. 429 is tried later, other 4xx given up (400: the workflow is
off or wants another form; 401: its signature is no longer valid; 404: it is gone). The older connectors answered 200
with an error in words; that is read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec.structs import replace

from watcher.deliver.answers import Answer, outcome_of
from watcher.deliver.fitting import Limits, lay_out, shown
from watcher.deliver.http import Client, post
from watcher.deliver.templating import Texts, Writing
from watcher.lib.text import cut
from watcher.model.config import MSTeamsConfig
from watcher.model.delivery import Outcome
from watcher.model.message import Block, Heading, Links, Log, Mark, Notification, Text
from watcher.notify.plain import heading_line, skipped_words

CARD: Final = 20_000
"""Bytes."""
TITLE: Final = 500

_BLOCK: Final = 4000
_TEMPLATE: Final = 12_000
"""Characters of a text that a template gives."""
_SMALLEST: Final = 500
_FEWER: Final = 0.7
_COLOURS: Final = {Mark.CRITICAL: "Attention", Mark.WARNING: "Warning", Mark.INFO: "Accent", Mark.RECOVERED: "Good"}
_HIDDEN_ERROR: Final = re.compile(rb"returned HTTP error (\d{3})")

# Marks of our own inside of laid-out text, from Unicode's private use area; they are taken out of what comes from
# elsewhere, and become the card's runs at the end.
_CODE, _BOLD, _END, _LINK, _TARGET = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"
_MARKS: Final = re.compile("[\ue000-\ue004]")
_RUN: Final = re.compile(
    "(?P<kind>[\ue000\ue001\ue003])(?P<text>[^\ue000-\ue004]*)(?:\ue004(?P<url>[^\ue002]*))?\ue002?"
)


class MSTeamsSender:
    def __init__(self, config: MSTeamsConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        self._client = Client(config.http)
        self._texts = Texts({"title": config.title, "text": config.text})

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        body = msgspec.json.encode(payload(notification, self._texts.of(notification)))
        answer = await post(self._session, self._config.webhook_url, body, {}, self._config.timeout, self._client)
        if not isinstance(answer, Answer):
            return answer
        error = _HIDDEN_ERROR.search(answer.body) if answer.status == 200 else None
        if error is not None:
            answer = replace(answer, status=int(error[1]))
        return outcome_of(answer, [self._config.webhook_url.value, *self._client.secrets])

    async def close(self) -> None:
        """The session is the application's."""


def payload(notification: Notification, texts: Writing) -> dict[str, Any]:
    """The message with its card, no larger than Teams takes."""
    title = _inert(texts.text("title", TITLE))
    text = texts.text("text", _TEMPLATE, _escape)
    problems = list(texts.problems)
    room = CARD
    while True:
        own = [_title(notification.message.heading, "Medium", title)]
        own += [_markdown(cut(text, room))] if text else _body(notification, room)
        message = _message(notification, [*own, *(_line(_inert(problem), apart=True) for problem in problems)])
        if len(msgspec.json.encode(message)) <= CARD or room <= _SMALLEST:
            return message
        room = int(room * _FEWER)


def _message(notification: Notification, body: list[dict[str, Any]]) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": cut(_inert(notification.title), TITLE),
        "body": body,
        "msteams": {"width": "full"},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _body(notification: Notification, room: int) -> list[dict[str, Any]]:
    layout = lay_out(notification.message, show, Limits(room=room, block=min(room, _BLOCK), part=room))
    body: list[dict[str, Any]] = []
    for part in layout.parts:
        if part.heading is not None:
            body.append(_title(part.heading, "Default"))
        body += (_line(line) for text in part.texts for line in text.split("\n"))
    body += (_line(line, apart=at == 0) for at, text in enumerate(layout.others) for line in text.split("\n"))
    return body


def show(block: Block, limit: int) -> str:
    """A block as lines of text with our marks."""
    match block:
        case Heading():
            return cut(_inert(heading_line(block)), limit)
        case Text():
            marked = "".join(
                f"{_CODE if span.code else _BOLD}{_inert(span.text)}{_END}"
                if span.code or span.bold
                else _inert(span.text)
                for span in block.spans
            )
            return marked if len(marked) <= limit else cut(_inert("".join(span.text for span in block.spans)), limit)
        case Log():
            return _log(block, limit)
        case Links():
            links = (link for link in block.links if urlsplit(link.url).scheme in ("http", "https"))
            text = " · ".join(f"{_LINK}{_inert(link.label)}{_TARGET}{_inert(link.url)}{_END}" for link in links)
            return text if len(text) <= limit else ""


def _log(log: Log, limit: int) -> str:
    """The last lines that fit, under the number of those that do not."""
    for start in range(len(log.lines)):
        skipped = log.skipped + start
        note = [f"({skipped_words(skipped)})"] if skipped else []
        lines = [_inert(line) for line in log.lines[start:]]
        if start == len(log.lines) - 1:
            lines = [cut(lines[0], max(limit - sum(map(len, note)) - 3, 1))]
        text = "\n".join([*note, *(f"{_CODE}{line}{_END}" for line in lines)])
        if len(text) <= limit:
            return text
    return ""


def _inert(text: str) -> str:
    return _MARKS.sub("\ufffd", text).replace("{{", "{\u200b{")


def _escape(text: str) -> str:
    """For the Markdown of a TextBlock, in a template's text."""
    return re.sub(r"([\\`*_\[\]()<>#~|])", r"\\\1", _inert(text))


def _markdown(text: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True}


def _title(heading: Heading, size: str, written: str = "") -> dict[str, Any]:
    text = written or shown(heading, TITLE, show)
    run: dict[str, Any] = {"type": "TextRun", "text": text, "size": size, "weight": "Bolder"}
    if heading.mark in _COLOURS:
        run["color"] = _COLOURS[heading.mark]
    return {"type": "RichTextBlock", "inlines": [run], "separator": True}


def _line(line: str, *, apart: bool = False) -> dict[str, Any]:
    block = {"type": "RichTextBlock", "inlines": list(_runs(line)) or [{"type": "TextRun", "text": " "}]}
    return {**block, **({"separator": True} if apart else {"spacing": "Small"})}


def _runs(line: str) -> Iterator[dict[str, Any]]:
    at = 0
    for match in _RUN.finditer(line):
        if before := line[at : match.start()]:
            yield {"type": "TextRun", "text": _MARKS.sub("", before)}
        run: dict[str, Any] = {"type": "TextRun", "text": match["text"]}
        if match["kind"] == _CODE:
            run["fontType"] = "Monospace"
        elif match["kind"] == _BOLD:
            run["weight"] = "Bolder"
        elif match["url"]:
            run["selectAction"] = {"type": "Action.OpenUrl", "url": match["url"]}
        if run["text"]:
            yield run
        at = match.end()
    if rest := _MARKS.sub("", line[at:]):
        yield {"type": "TextRun", "text": rest}
