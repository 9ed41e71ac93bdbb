"""Slack by incoming webhook: Block Kit, a header and sections; the top-level text is what a phone shows.

The mark in the header is the colour: attachments could have a bar of it, but Slack folds long ones away. `verbatim`
keeps Slack from making links and mentions of plain text. Documented limits: 50 blocks, 3,000 characters a section,
150 a header (https://docs.slack.dev/reference/block-kit/blocks). Undocumented: msg_blocks_too_long from about 11,000
to 13,200 characters in all (https://github.com/slackapi/bolt-js/issues/2509 and 2867).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import aiohttp
import msgspec

from watcher.deliver.answers import Answer, outcome_of
from watcher.deliver.fitting import Layout, Limits, lay_out, log_text, shown, units, within
from watcher.deliver.http import TIMEOUT, post
from watcher.lib.text import code_block_slack, cut, escape_slack, fit
from watcher.model.config import SlackConfig
from watcher.model.delivery import Outcome
from watcher.model.message import Block, Heading, Links, Log, Notification, Span, Text
from watcher.notify.plain import heading_line

HEADER: Final = 150
SECTION: Final = 3000
LIMITS: Final = Limits(room=9000, block=2800, part=9000)


class SlackSender:
    def __init__(self, config: SlackConfig, session: aiohttp.ClientSession, timeout: timedelta = TIMEOUT) -> None:
        self._config = config
        self._session = session
        self._timeout = timeout

    async def send(self, notification: Notification) -> Outcome:
        body = msgspec.json.encode(payload(notification, self._config))
        answer = await post(self._session, self._config.api_url, body, {}, self._timeout)
        return outcome_of(answer, [self._config.api_url.value]) if isinstance(answer, Answer) else answer

    async def close(self) -> None:
        """The session is the application's."""


def payload(notification: Notification, config: SlackConfig) -> dict[str, Any]:
    heading = notification.message.heading
    wanted = {
        "channel": config.channel,
        "username": config.username,
        "icon_emoji": config.icon_emoji,
        "icon_url": config.icon_url,
    }
    title = within(HEADER, lambda room: cut(heading_line(heading), room))
    return {
        **{key: value for key, value in wanted.items() if value},
        "text": shown(heading, SECTION, show),
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
            *(_section(text) for text in _sections(lay_out(notification.message, show, LIMITS))),
        ],
    }


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
