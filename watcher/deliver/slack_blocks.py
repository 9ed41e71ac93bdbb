"""A message as Slack's Block Kit: a header and sections; the top-level text is what a phone shows.

The mark in the header is the colour: attachments could have a bar of it, but Slack folds long ones away; who sets
`color` gets one all the same. `verbatim` keeps Slack from making links and mentions of plain text. Documented limits:
50 blocks, 3,000 characters a section, 150 a header, 10 fields of 2,000, 25 buttons
(https://docs.slack.dev/reference/block-kit/blocks). Undocumented: msg_blocks_too_long from about 11,000 to 13,200
characters in all (https://github.com/slackapi/bolt-js/issues/2509 and 2867).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from watcher.deliver.fitting import Layout, Limits, lay_out, log_text, shown, units, within
from watcher.deliver.templating import Texts, Writing
from watcher.lib.text import code_block_slack, cut, escape_slack, fit
from watcher.model.config import SlackConfig
from watcher.model.message import Block, Heading, Links, Log, Message, Notification, Span, Text
from watcher.notify.plain import heading_line

HEADER: Final = 150
SECTION: Final = 3000
ALL: Final = 10_000
LIMITS: Final = Limits(room=9000, block=2800, part=9000)
PRETEXT: Final = 1000
FIELDS: Final = 10
FIELD: Final = 200
SHORT_FIELDS: Final = 10
BUTTONS: Final = 10
BUTTON: Final = 75
URL: Final = 3000
SHORT: Final = 200
"""Of a channel, a name, a picture's address, a title that is a link."""
PROBLEMS: Final = 3
"""Of templates that failed, told beside a message."""

_FENCE: Final = "```"
_HTTP: Final = re.compile(r"https?://[^\s<>|\"`]+")
_COLOR: Final = re.compile(r"good|warning|danger|#[0-9a-fA-F]{6}")
_TORN: Final = re.compile(r"&[a-z]{0,4}(?=$| …$)")
"""An entity that a cut has torn."""


def texts_of(config: SlackConfig) -> Texts:
    """Its templates; keys as the configuration file has them."""
    sources = {
        key: getattr(config, key)
        for key in (
            *("channel", "username", "icon_emoji", "icon_url"),
            *("title", "title_link", "pretext", "text", "fallback", "color"),
        )
    }
    for at, field in enumerate(config.fields):
        sources |= {f"fields[{at}].title": field.title, f"fields[{at}].value": field.value}
    for at, action in enumerate(config.actions):
        sources |= {f"actions[{at}].text": action.text, f"actions[{at}].url": action.url}
    return Texts(sources)


def payload(notification: Notification, config: SlackConfig, texts: Texts, message: Message) -> dict[str, Any]:
    """`message` is the notification's, or the part of it that is told here."""
    writing = texts.of(notification)
    wanted = {key: writing.text(key, SHORT) for key in ("channel", "username", "icon_emoji", "icon_url")}
    title = writing.text("title", SECTION)
    fallback = " ".join((writing.text("fallback", SECTION) or title).split())
    head = [*_pretext(writing), _head(message.heading, title, writing.text("title_link", URL))]
    color = _color(writing)
    own = writing.text("text", LIMITS.room, _value)
    tail = [*_fields(writing, config), *_actions(writing, config)]
    tail += map(_section, _joined(escape_slack(problem) for problem in writing.problems[:PROBLEMS]))
    body = [*map(_section, _body(own, message, ALL - _size([*head, *tail]))), *tail]
    coloured = {"attachments": [{"color": color, "blocks": body}]} if color and body else {}
    return {
        **{key: value for key, value in wanted.items() if value},
        "text": within(SECTION, lambda room: fit(fallback, room, escape_slack))
        or shown(message.heading, SECTION, show),
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": head if coloured else [*head, *body],
        **coloured,
    }


def _head(heading: Heading, title: str, link: str) -> dict[str, Any]:
    """A header cannot be a link: with `title_link` the title is a section."""
    title = " ".join(title.split()) or heading_line(heading)
    url = _entities(link)
    room = SECTION - units(url) - len("*<|>*")
    if not _HTTP.fullmatch(link) or room < HEADER:
        return _title(title)
    text = within(min(room, SHORT), lambda left: fit(title, left, escape_slack))
    return _section(f"*<{url}|{text.replace('|', '¦')}>*")


def _title(title: str) -> dict[str, Any]:
    text = within(HEADER, lambda room: cut(title, room))
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _pretext(writing: Writing) -> Iterator[dict[str, Any]]:
    text = writing.text("pretext", PRETEXT, _value)
    if text:
        yield from map(_section, _split(text))


def _color(writing: Writing) -> str:
    color = writing.text("color", SHORT)
    if not color or _COLOR.fullmatch(color):
        return color
    writing.problems.append("The template of color must give good, warning, danger or #RRGGBB.")
    return ""


def _body(own: str, message: Message, room: int) -> Iterable[str]:
    """`own`: what a template says in the place of Watcher's text."""
    if own:
        return _split(own if len(own) <= room else f"{own[: room - 2]} …")
    return _sections(lay_out(message, show, msgspec.structs.replace(LIMITS, room=min(LIMITS.room, room))))


def _size(blocks: Iterable[dict[str, Any]]) -> int:
    """Characters of all texts of some blocks."""
    texts = (
        text for block in blocks for text in (block.get("text"), *block.get("fields", ()), *block.get("elements", ()))
    )
    return sum(units(str(text.get("text", ""))) for text in texts if text)


def _fields(writing: Writing, config: SlackConfig) -> Iterator[dict[str, Any]]:
    """Long ones a line each, short ones side by side."""
    lines: list[str] = []
    pairs: list[dict[str, Any]] = []
    for at, field in enumerate(config.fields[:FIELDS]):
        title, value = (writing.text(f"fields[{at}].{key}", FIELD, _value) for key in ("title", "value"))
        text = "\n".join(_closed(part) for part in (f"*{_untorn(title)}*" if title else "", _untorn(value)) if part)
        if field.short and text:
            pairs.append({"type": "mrkdwn", "text": text, "verbatim": True})
        elif text:
            lines.append(text)
    yield from map(_section, _joined(lines))
    if pairs:
        yield {"type": "section", "fields": pairs[:SHORT_FIELDS]}


def _actions(writing: Writing, config: SlackConfig) -> Iterator[dict[str, Any]]:
    buttons: list[dict[str, Any]] = []
    for at, action in enumerate(config.actions[:BUTTONS]):
        text = " ".join(writing.text(f"actions[{at}].text", SHORT).split())
        url = writing.text(f"actions[{at}].url", URL)
        if not text or not _HTTP.fullmatch(url):
            continue
        label = {"type": "plain_text", "text": within(BUTTON, lambda room, text=text: cut(text, room))}  # type: ignore[misc]
        style = {"style": action.style} if action.style in ("primary", "danger") else {}
        buttons.append({"type": "button", "text": label, "url": url, **style})
    if buttons:
        yield {"type": "actions", "elements": buttons}


def show(block: Block, limit: int) -> str:
    """A block as mrkdwn."""
    match block:
        case Heading():
            return _heading(block, limit)
        case Text():
            text = "".join(_span(span) for span in block.spans if span.text)
            return text if len(text) <= limit else fit("".join(span.text for span in block.spans), limit, escape_slack)
        case Log():
            return log_text(block, limit, code_block_slack)
        case Links():
            text = " · ".join(f"<{_entities(link.url)}|{escape_slack(link.label)}>" for link in block.links)
            return text if len(text) <= limit else ""


def _heading(heading: Heading, limit: int) -> str:
    place = f" — {escape_slack(heading.place)}" if heading.place else ""
    text = f"{heading.mark.symbol} *{escape_slack(heading.title)}*{place}"
    return text if len(text) <= limit else fit(heading_line(heading), limit, escape_slack)


def _span(span: Span) -> str:
    if span.code:
        # Inside backticks Slack knows no marks, so nothing but the backtick itself needs another face.
        return f"`{_entities(span.text.replace('`', 'ˋ'))}`"
    text = escape_slack(span.text)
    return f"*{text}*" if span.bold else text


def _value(text: str) -> str:
    """What comes out of a template's value; an address stays one, for templates that make links."""
    return _entities(text) if _HTTP.fullmatch(text) else escape_slack(text)


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _sections(layout: Layout) -> Iterable[str]:
    """The texts of each alert joined up to the limit of a section."""
    for part in layout.parts:
        heading = [shown(part.heading, LIMITS.block, show)] if part.heading is not None else []
        yield from _joined([*heading, *part.texts])
    yield from _joined(layout.others)


def _joined(texts: Iterable[str]) -> Iterable[str]:
    section = ""
    for text in texts:
        if section and units(section) + 1 + units(text) > SECTION:
            yield section
            section = ""
        section += ("\n" if section else "") + text
    if section:
        yield section


def _split(text: str) -> Iterator[str]:
    """A template's mrkdwn in sections; a code block that goes on in the next one is closed and opened again."""
    room = SECTION - 2 * len(_FENCE) - 2
    section, fenced = "", False
    for line in _lines(_untorn(text), room):
        if section and units(section) + 1 + units(line) > room:
            yield _closed(section)
            section = _FENCE if fenced else ""
        section += ("\n" if section else "") + line
        fenced ^= bool(line.count(_FENCE) % 2)
    if section.strip():
        yield _closed(section)


def _lines(text: str, room: int) -> Iterator[str]:
    """Lines of at most `room` units, cut where no entity is torn."""
    for line in text.split("\n"):
        rest = line
        while units(rest) > room:
            piece = _untorn(rest[: room // 2]) or rest[: room // 2]
            yield piece
            rest = rest[len(piece) :]
        yield rest


def _untorn(text: str) -> str:
    return _TORN.sub("", text)


def _closed(section: str) -> str:
    return f"{section}\n{_FENCE}" if section.count(_FENCE) % 2 else section
