"""The contract of all channels: every kind of message goes through, within the vendor's limits, and says the same.

Behaviours 88 (cut with a count), 89 (hostile text) and 90 (secrets).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from tests.support.channels import ALL, CHATS, Channel, HttpChannel, MailChannel, channel
from tests.support.hostile import HOSTILE, hostile, oversize
from tests.support.messages import (
    before,
    changed,
    crash_loop,
    crash_signal,
    ended,
    envelope,
    facts,
    growth,
    image_not_found,
    many,
    oom_kill,
    recovered,
)
from watcher.lib.text import clean
from watcher.model.delivery import Delivered
from watcher.model.evidence import Evidence
from watcher.model.message import Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify.changes import standing
from watcher.notify.plain import heading_line
from watcher.notify.render import digest, render, summary
from watcher.notify.render import test as a_test

MESSAGES: dict[str, Callable[[], Notification]] = {
    "firing": lambda: render(envelope(), [oom_kill()]),
    "several alerts": lambda: render(envelope(), [oom_kill(), crash_loop(), image_not_found()]),
    "more alerts joining": lambda: render(
        envelope(SendReason.NEW_ALERTS), [before(oom_kill()), crash_loop(), image_not_found()]
    ),
    "growth": lambda: render(envelope(SendReason.GREW), [growth()]),
    "partly resolved": lambda: render(
        envelope(SendReason.SOME_ENDED), [crash_loop(), ended(oom_kill(), EndReason.RECOVERED)]
    ),
    "recovered": lambda: render(envelope(SendReason.ALL_ENDED), [recovered()]),
    **{
        f"closed: {reason.value}": lambda reason=reason: render(  # type: ignore[misc]
            envelope(SendReason.ALL_ENDED), [ended(crash_loop(), reason)]
        )
        for reason in EndReason
        if reason is not EndReason.RECOVERED
    },
    "digest": lambda: digest(envelope(SendReason.DIGEST), [*many(37), oom_kill()]),
    "test": lambda: a_test(envelope(SendReason.TEST)),
    "summary": lambda: summary(envelope(SendReason.BASELINE), [*many(23), oom_kill()]),
    "oversize": lambda: render(envelope(), oversize()),
    "one oversize alert": lambda: render(envelope(), oversize()[:1]),
    "oversize of words": lambda: render(envelope(), many(60, "and so on " * 400)),
    "oversize of emoji": lambda: render(envelope(), many(40, "🧨" * 900)),
    "hostile": lambda: render(envelope(), [hostile()]),
    "hostile end": lambda: render(envelope(SendReason.ALL_ENDED), [ended(hostile(), EndReason.RECOVERED)]),
}


async def deliver(through: Channel, notification: Notification) -> None:
    outcome = await through.sender.send(notification)
    assert through.refused == []
    assert isinstance(outcome, Delivered), outcome


def bare(text: str) -> str:
    """Text without what escaping adds, which differs from channel to channel, and without the coloured mark."""
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return re.sub(r"[\\\u200b*`ˋ🔴🟠🔵🟢⚪]|\s+", "", text)


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("name", ALL)
async def test_a_message_is_taken_and_begins_with_its_first_line(name: str, message: str) -> None:
    notification = MESSAGES[message]()
    async with channel(name) as through:
        await deliver(through, notification)
        # An incident of PagerDuty's is brought up to date: it is told of everything as it stands.
        first = heading_line(standing(notification).heading) if name == "pagerduty" else notification.title
        assert bare(first)[:100] in bare(through.visible())


@pytest.mark.parametrize("message", ["firing", "growth", "recovered", "several alerts", "summary"])
@pytest.mark.parametrize("name", ALL)
async def test_no_channel_leaves_out_a_line_of_an_ordinary_message(name: str, message: str) -> None:
    notification = MESSAGES[message]()
    async with channel(name) as through:
        await deliver(through, notification)
        seen = bare(through.visible())
    assert [line for line in notification.text.splitlines() if bare(line) not in seen] == []


@pytest.mark.parametrize("name", ALL)
async def test_what_is_too_long_is_cut_with_a_count_and_no_fence_is_left_open(name: str) -> None:
    notification = render(envelope(), oversize())
    async with channel(name) as through:
        await deliver(through, notification)
        seen = through.visible()
    assert re.search(r"\(\d+ more characters\)|and \d+ more|\d+ earlier lines", seen)
    assert seen.count("```") % 2 == 0


@pytest.mark.parametrize("name", ALL)
async def test_a_long_paragraph_is_cut_at_a_word(name: str) -> None:
    words = " ".join(f"word{number:05}" for number in range(60_000))
    told = changed(crash_loop(), annotations={"description": words})
    async with channel(name) as through:
        await deliver(through, render(envelope(), [told]))
        seen = through.visible().replace("\n", " ").replace("\\", "")
    cuts = re.findall(r"(\S+) … \([\d,]+ more characters\)", seen)
    assert cuts
    assert all(re.fullmatch(r"word\d{5}|\S*[^\d]", cut) for cut in cuts)


@pytest.mark.parametrize("name", CHATS)
async def test_a_chat_says_how_many_alerts_it_does_not_show(name: str) -> None:
    async with channel(name) as through:
        await deliver(through, render(envelope(), oversize()))
        seen = through.visible()
    shown = len(set(re.findall(r"\bw\d+ crash-loops", seen.replace("\\", ""))))
    assert 3 <= shown < 200
    assert re.search(r"195 more alerts", seen)


@pytest.mark.parametrize("name", ALL)
async def test_hostile_text_is_shown_as_text(name: str) -> None:
    async with channel(name) as through:
        await deliver(through, MESSAGES["hostile"]())
        raw, seen = through.raw(), through.visible()
    assert clean(seen) == seen.replace("\u200b", "")
    assert "\x1b" not in raw
    assert "\\u001b" not in raw
    assert "<!channel>" in seen.replace("&lt;", "<").replace("&gt;", ">").replace("\\", "").replace("\u200b", "")


async def test_slack_gets_no_mention_no_link_and_no_open_fence() -> None:
    async with channel("slack") as through:
        await deliver(through, MESSAGES["hostile"]())
        seen = through.visible()
        assert isinstance(through, HttpChannel)
        sections = [block["text"] for block in through.bodies[0]["blocks"] if block["type"] == "section"]
    assert not re.search(
        r"<[!@#b/]", seen.partition("\n")[2].replace(through.bodies[0]["blocks"][0]["text"]["text"], "")
    )
    assert not re.search(r"@(everyone|here|channel)", through.bodies[0]["text"])
    assert all(section["verbatim"] for section in sections)
    assert all(section["text"].count("```") in (0, 2) for section in sections)


async def test_discord_gets_no_mention_and_no_markup() -> None:
    async with channel("discord") as through:
        await deliver(through, MESSAGES["hostile"]())
        assert isinstance(through, HttpChannel)
        body = through.bodies[0]
    assert body["allowed_mentions"] == {"parse": []}
    description = re.sub(r"```.*?```|(?<!\\)`[^`]*`", "", body["embeds"][0]["description"], flags=re.DOTALL)
    assert "@everyone" not in description
    assert not re.search(r"(?<!\\)[<>|\[\]#*]", description)


async def test_mail_shows_markup_as_text() -> None:
    async with channel("email") as through:
        await deliver(through, MESSAGES["hostile"]())
        assert isinstance(through, MailChannel)
        html = through.server.received[0].get_body(("html",))
    assert html is not None
    parser = Tags()
    parser.feed(html.get_content())
    page = {"html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "h1"}
    assert parser.tags <= page | {"p", "span", "code", "pre"}
    assert "<!channel>" in parser.text


async def test_telegram_gets_no_mention_and_no_tag_but_its_own() -> None:
    async with channel("telegram") as through:
        await deliver(through, MESSAGES["hostile"]())
        assert isinstance(through, HttpChannel)
        text = through.bodies[0]["text"]
    outside = re.sub(r"<(code|pre)>.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"(?<!\w)@\w", outside)
    assert set(re.findall(r"</?(\w+)", text)) <= {"b", "code", "pre"}


async def test_teams_gets_neither_markdown_nor_mentions_nor_functions() -> None:
    told = changed(hostile(), annotations={"description": f"{HOSTILE} {{{{DATE(2017-02-14T06:00:00Z)}}}} <at>x</at>"})
    async with channel("teams") as through:
        await deliver(through, render(envelope(), [told]))
        assert isinstance(through, HttpChannel)
        card = through.bodies[0]["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert "entities" not in card["msteams"]
    assert "{{" not in through.raw()


async def test_apprise_pings_nobody() -> None:
    async with channel("apprise") as through:
        await deliver(through, MESSAGES["hostile"]())
        assert not re.search(r"@everyone|@here|<[!@]", through.visible())


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


SECRETS = {
    "a bearer token": ("Authorization: Bearer eyJhbGciOi.J9.c2VjcmV0LXRva2Vu", "c2VjcmV0LXRva2Vu"),
    "a password in a URL": ("dial postgres://app:hunter2-hunter2@db:5432/x", "hunter2-hunter2"),
    "a key of AWS": (
        "aws_secret_access_key=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    ),
    "a private key": ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh\n-----END PRIVATE KEY-----", "MIIEvQIBADANBgkqh"),
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("name", ALL)
async def test_a_secret_is_struck_out_before_it_is_sent(name: str, secret: str) -> None:
    line, hidden = SECRETS[secret]
    told = facts([crash_signal(message=line)], "X", counts=[3], pods_total=2)
    evidence = Evidence(alert=told.alert.key, log=tuple(line.split("\n")), events=(line,))
    told = changed(told, evidence=evidence, annotations={"description": line})
    async with channel(name) as through:
        await deliver(through, render(envelope(), [told]))
        assert hidden not in through.raw()
        assert "redacted" in through.visible().lower() or "***" in through.visible()
