"""Messages of any shape within any limits."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.messages import NOW
from watcher.deliver import discord, slack
from watcher.deliver.fitting import Limits, lay_out, units
from watcher.model.config import DiscordConfig, Secret, SlackConfig
from watcher.model.message import (
    Block,
    Heading,
    Link,
    Links,
    Log,
    Mark,
    Message,
    Notification,
    SendReason,
    Span,
    Text,
)

NASTY = st.text(
    alphabet=st.one_of(st.sampled_from("`*_~<>&@|[]()#\\ 🧨é\u200d"), st.characters(codec="utf-8")), max_size=300
)
LONG = st.builds(lambda text, times: text * times, NASTY, st.integers(1, 40))
HEADINGS = st.builds(Heading, st.sampled_from(Mark), LONG, NASTY)
TEXTS = st.builds(Text, st.lists(st.builds(Span, LONG, st.booleans(), st.booleans()), max_size=3).map(tuple))
LOGS = st.builds(Log, st.lists(LONG, max_size=12).map(tuple), st.integers(0, 50))
LINKS = st.builds(Links, st.lists(st.builds(Link, NASTY, st.just("https://x.example/&")), max_size=2).map(tuple))
BLOCKS: st.SearchStrategy[Block] = st.one_of(HEADINGS, TEXTS, LOGS, LINKS)
MESSAGES = st.builds(Message, heading=HEADINGS, blocks=st.lists(BLOCKS, max_size=14).map(tuple))


def notification(message: Message) -> Notification:
    return Notification(
        id="m-1",
        at=NOW,
        receiver="team",
        integration="slack_configs[0]",
        status="firing",
        reason=SendReason.FIRST,
        group_key="{}:{}",
        title="t",
        text="t",
        message=message,
    )


@given(MESSAGES)
@settings(max_examples=150, deadline=None)
def test_no_message_breaks_slacks_limits_or_leaves_a_fence_open(message: Message) -> None:
    payload = slack.payload(notification(message), SlackConfig(api_url=Secret("")))
    texts = [block["text"]["text"] for block in payload["blocks"]]
    assert 1 <= len(texts) <= 50
    assert 0 < units(texts[0]) <= 150
    assert all(0 < units(text) <= 3000 for text in texts[1:])
    assert sum(map(units, texts)) <= 11_000
    assert all(text.count("```") % 2 == 0 for text in texts[1:])
    assert not re.search(r"<(?!https://x\.example/)", "".join(texts[1:]))


@given(MESSAGES)
@settings(max_examples=150, deadline=None)
def test_no_message_breaks_discords_limits(message: Message) -> None:
    payload = discord.payload(notification(message), DiscordConfig(webhook_url=Secret("")))
    embeds = payload["embeds"]
    assert 0 < units(payload["content"]) <= 2000
    assert len(embeds) <= 10
    assert all(units(embed.get("title", "")) <= 256 for embed in embeds)
    assert all(units(embed["description"]) <= 4096 for embed in embeds)
    assert sum(units(embed.get("title", "") + embed["description"]) for embed in embeds) <= 6000


def show(block: Block, limit: int) -> str:
    match block:
        case Heading():
            return block.title[:limit]
        case Text():
            return "".join(span.text for span in block.spans)[:limit]
        case Log():
            return "\n".join(block.lines)[-limit:]
        case _:
            return ""


def alert(title: str, *texts: str, log: int = 0) -> list[Block]:
    lines: list[Block] = [Text((Span(text),)) for text in texts]
    return [Heading(Mark.WARNING, title), *lines, *([Log(("x" * 50,) * log)] if log else [])]


def message(*alerts: list[Block]) -> Message:
    return Message(heading=Heading(Mark.WARNING, "all"), blocks=tuple(block for one in alerts for block in one))


def test_what_fits_is_shown_whole() -> None:
    layout = lay_out(
        message(alert("a", "one", "two"), alert("b", "three")), show, Limits(room=200, block=100, part=200)
    )
    assert [part.texts for part in layout.parts] == [("one", "two"), ("three",)]
    assert layout.others == ()


def test_the_first_stay_whole_the_others_keep_their_first_line_and_the_rest_is_counted() -> None:
    alerts = [alert(f"alert {n:02}", "x" * 80) for n in range(40)]
    layout = lay_out(message(*alerts), show, Limits(room=500, block=100, part=500))
    assert [part.texts for part in layout.parts] == [("x" * 80,)] * 4
    assert layout.others[:2] == ("alert 04", "alert 05")
    left = 40 - 4 - (len(layout.others) - 1)
    assert layout.others[-1] == f"… and {left} more alerts"


def test_a_log_gives_way_before_any_other_text() -> None:
    layout = lay_out(message(alert("a", "what", "next", log=20)), show, Limits(room=400, block=2000, part=400))
    what, next_, log = layout.parts[0].texts
    assert (what, next_) == ("what", "next")
    assert 200 < len(log) < 400


def test_paragraphs_that_do_not_fit_are_counted() -> None:
    blocks = [text for n in range(60) for text in alert("", "y" * 40)[1:]]
    layout = lay_out(message([Heading(Mark.WARNING, "a"), *blocks]), show, Limits(room=500, block=100, part=500))
    texts = layout.parts[0].texts
    assert texts[-1] == f"… and {60 - (len(texts) - 1)} more lines"
