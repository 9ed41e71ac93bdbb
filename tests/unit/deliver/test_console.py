"""The message on a terminal."""

from __future__ import annotations

import io

from tests.support.messages import crash_loop, ended, envelope, oom_kill
from watcher.deliver.console import ConsoleSender
from watcher.model.config import ConsoleConfig
from watcher.model.delivery import Delivered, GiveUp
from watcher.model.state import EndReason
from watcher.notify.render import render

FIRST = render(envelope(), [oom_kill()])
LAST = render(envelope(), [ended(crash_loop(), EndReason.RECOVERED)])


async def test_messages_stand_apart_by_an_empty_line() -> None:
    stream = io.StringIO()
    sender = ConsoleSender(ConsoleConfig(), stream)
    for notification in (FIRST, LAST):
        assert isinstance(await sender.send(notification), Delivered)
    assert stream.getvalue() == f"{FIRST.title}\n{FIRST.text}\n\n{LAST.title}\n{LAST.text}\n\n"


async def test_colour_is_only_on_the_first_line() -> None:
    stream = io.StringIO()
    await ConsoleSender(ConsoleConfig(colour=True), stream).send(LAST)
    assert stream.getvalue() == f"\x1b[1;32m{LAST.title}\x1b[0m\n{LAST.text}\n\n"


async def test_a_terminal_without_the_characters_gets_the_words() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    assert isinstance(await ConsoleSender(ConsoleConfig(), stream).send(FIRST), Delivered)
    assert b"? api is OOM-killed ? shop, prod-eu\n" in raw.getvalue()
    stream.detach()


async def test_a_stream_that_is_closed_is_given_up() -> None:
    stream = io.StringIO()
    stream.close()
    assert isinstance(await ConsoleSender(ConsoleConfig(), stream).send(FIRST), GiveUp)
