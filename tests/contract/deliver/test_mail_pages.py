"""How mails look: their HTML kept as files, and seen by a real browser where this machine has one.

After a change that is meant: `UPDATE_GOLDEN=1 pytest tests/contract/deliver/test_mail_pages.py`, and look at the files.
With `MAIL_PICTURES=directory` the browser's pictures are kept there.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.contract.deliver.test_golden import NOTIFICATIONS
from tests.support import browser
from tests.support.hostile import hostile, oversize
from tests.support.messages import crash_loop, ended, envelope
from watcher.deliver.email import payload
from watcher.deliver.html import LIMIT, page
from watcher.model.config import EmailConfig
from watcher.model.message import Heading, Link, Links, Mark, Message, Notification, SendReason, Span, Text
from watcher.model.state import EndReason
from watcher.notify.render import render

GOLDEN = Path(__file__).parents[2] / "golden" / "mail"
CONFIG = EmailConfig(to=("oncall@example.org",), sender="watcher@example.org", smarthost="localhost:25")


KEPT: dict[str, Callable[[], Notification]] = {
    **{
        name: NOTIFICATIONS[name]
        for name in ("oom_kill", "growth", "group", "partly_resolved", "digest", "first_start", "test_message")
    },
    **{
        f"ended_{reason.value}": lambda reason=reason: render(  # type: ignore[misc]
            envelope(SendReason.ALL_ENDED), [ended(crash_loop(), reason)]
        )
        for reason in EndReason
    },
    "hostile": lambda: render(envelope(), [hostile()]),
    "oversize": lambda: render(envelope(), oversize()),
}


def html(notification: Notification) -> str:
    part = payload(notification, CONFIG).get_body(("html",))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


@pytest.mark.parametrize("name", KEPT)
def test_a_mail_looks_as_it_was_agreed(name: str) -> None:
    path = GOLDEN / f"{name}.html"
    text = html(KEPT[name]())
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_kept_page_belongs_to_a_mail() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.html" for name in KEPT}


# ---- what holds for all of them --------------------------------------------------------------------------------------


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", KEPT)
def test_nothing_in_a_mail_is_loaded_run_or_sent(name: str) -> None:
    text = html(KEPT[name]())
    parser = Elements()
    parser.feed(text)
    assert not {tag for tag, _ in parser.found} & {"img", "script", "link", "iframe", "form", "object", "video", "svg"}
    assert not {key for _, attributes in parser.found for key in attributes} & {"src", "background", "action"}
    assert not any(key.startswith("on") for _, attributes in parser.found for key in attributes)
    assert "url(" not in text.partition("</style>")[0]
    assert "@import" not in text


def test_gmail_cuts_no_mail_off() -> None:
    """It does so at 102 KB."""
    blocks = tuple(Text((Span("<&>" * 300),)) for _ in range(400))
    sections = tuple(block for n in range(900) for block in (Heading(Mark.WARNING, f"{n} crash-loops"), blocks[0]))
    lines = page(Message(heading=Heading(Mark.CRITICAL, "x"), blocks=blocks))
    assert len(lines.encode()) <= LIMIT
    assert f"… and {400 - lines.count('&lt;&amp;&gt;' * 300)} more lines" in lines
    told = page(Message(heading=Heading(Mark.CRITICAL, "x"), blocks=sections))
    assert len(told.encode()) <= LIMIT
    shown = told.count("crash-loops")
    assert f"… and {900 - shown} more alerts" in told
    assert told.endswith("</body></html>\n")


def test_only_web_addresses_are_links() -> None:
    links = Links((Link("Runbook", "https://x.example/?a=1&b=2"), Link("Bad", "javascript:alert(1)")))
    told = page(Message(heading=Heading(Mark.INFO, "x"), blocks=(links,)))
    assert 'href="https://x.example/?a=1&amp;b=2"' in told
    assert told.count("href=") == 1
    assert "Bad: javascript:alert(1)" in told


# ---- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[browser.Page]:
    if browser.BROWSER is None:
        pytest.skip("no Chromium on this machine to look at mails with")
    async with browser.page(tmp_path / "profile") as opened:
        yield opened


WIDE = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth).length"
HIDDEN = "document.querySelector('body > div').getBoundingClientRect().height"


async def test_a_browser_shows_every_mail_within_its_width_and_asks_for_nothing(
    tab: browser.Page, tmp_path: Path
) -> None:
    pictures = os.environ.get("MAIL_PICTURES")
    for name, make in KEPT.items():
        notification = make()
        path = tmp_path / f"{name}.html"
        path.write_text(html(notification), encoding="utf-8")
        for width, dark in ((375, False), (800, False), (800, True)):
            tab.requested.clear()
            await tab.show(path, width, dark=dark)
            assert await tab.value(WIDE) == 0, (name, width)
            assert await tab.value(HIDDEN) == 0, name
            assert notification.message.heading.title in await tab.value("document.querySelector('h1').innerText")
            assert tab.requested == [path.as_uri()]
            if pictures:
                kept = Path(pictures) / f"{name}-{width}{'-dark' if dark else ''}.png"
                kept.write_bytes(await tab.picture())


async def test_a_dark_reader_gets_light_letters_on_dark(tab: browser.Page, tmp_path: Path) -> None:
    path = tmp_path / "mail.html"
    path.write_text(html(KEPT["oom_kill"]()), encoding="utf-8")
    colours = {}
    for dark in (False, True):
        await tab.show(path, 800, dark=dark)
        pair = "getComputedStyle(document.querySelector('.w-card')).backgroundColor"
        text = "getComputedStyle(document.querySelector('.w-text')).color"
        colours[dark] = (await tab.value(pair), await tab.value(text))
    assert colours == {
        False: ("rgb(255, 255, 255)", "rgb(31, 35, 40)"),
        True: ("rgb(22, 27, 34)", "rgb(230, 237, 243)"),
    }
