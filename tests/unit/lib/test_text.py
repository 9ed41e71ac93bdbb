import html
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watcher.lib.text import (
    clean,
    code_block_discord,
    code_block_slack,
    cut,
    cut_lines,
    cut_middle,
    escape_discord,
    escape_html,
    escape_slack,
    fit,
)

HOSTILE = st.text(
    alphabet=st.sampled_from("ab1 \n\t\r`*_~|<>&@!#-.()[]\\:/\x1b[m\x00\x7f\x9b\u202e\u200b\u2028\ud800🙂é\u0301")
)

CLEANED = {
    "plain": ("web-1 is ready", "web-1 is ready"),
    "newline and tab": ("a\n\tb", "a\n\tb"),
    "windows lines": ("a\r\nb\rc", "a\nb\nc"),
    "colours": ("\x1b[1;31mERROR\x1b[0m x", "ERROR x"),
    "one-byte csi": ("\x9b31mred", "red"),
    "title of the terminal": ("\x1b]0;evil\x07text", "text"),
    "title without end": ("\x1b]0;evil\nnext", "\nnext"),
    "link": ("\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\", "y"),
    "cursor": ("\x1b[2J\x1b[Hx\x1b7\x1b(B", "x"),
    "bell and nul": ("a\x07\x00b\x7f", "ab"),
    "turned direction": ("abc\u202etxt.exe\u202c\u2066x\u2069", "abctxt.exex"),
    "zero width": ("a\u200bb\ufeffc", "abc"),
    "line separator": ("a\u2028b\x85c", "a\nb\nc"),
    "surrogate": ("a\ud800b", "a\ufffdb"),
    "emoji of several": ("👩\u200d🚒 é", "👩\u200d🚒 é"),
    "tags": ("x\U000e0041", "x"),
}


@pytest.mark.parametrize(("text", "expected"), CLEANED.values(), ids=CLEANED.keys())
def test_text_is_cleaned(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(HOSTILE | st.text(alphabet=st.characters()))
def test_clean_text_is_printable_and_stays_as_it_is(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    once.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", once)


def test_long_escapes_are_removed_in_linear_time() -> None:
    assert clean("\x1b[" + "0" * 500_000) == ""
    assert clean("\x1b[0;" * 200_000) == ""
    assert clean("\x1b]" * 300_000 + "\nx") == "\nx"


CUT = [
    ("short", 10, "short"),
    ("exactly ten", 11, "exactly ten"),
    ("one two three four five six seven", 32, "one two … (26 more characters)"),
    ("word " * 10, 30, "word … (46 more characters)"),
    ("a" * 50, 30, "aaaaaaa … (43 more characters)"),
    ("a" * 50, 5, "aaaa…"),
    ("a" * 50, 1, "…"),
    ("a" * 50, 0, ""),
]


@pytest.mark.parametrize(("text", "limit", "expected"), CUT, ids=[f"{len(text)} to {limit}" for text, limit, _ in CUT])
def test_a_long_text_is_cut_at_a_word_with_a_count(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected
    assert len(cut(text, limit)) <= limit


@given(HOSTILE, st.integers(min_value=0, max_value=80))
def test_a_cut_text_keeps_the_limit_and_counts_right(text: str, limit: int) -> None:
    shown = cut(text, limit)
    assert len(shown) <= limit
    assert cut(shown, limit) == shown
    match = re.fullmatch(r"(?s)(.*) … \((\d+) more characters?\)", shown)
    if match and shown != text:
        assert text.startswith(match[1])
        assert len(match[1]) + int(match[2]) == len(text)


def test_a_cut_does_not_tear_an_accent_off() -> None:
    text = "e\u0301" * 40
    shown = cut(text, 40)
    assert shown.partition(" …")[0].endswith("\u0301")


def test_a_name_keeps_both_ends() -> None:
    assert cut_middle("checkout-service-6d4cf-abcde", 15) == "checkou…f-abcde"
    assert cut_middle("short", 5) == "short"
    assert [cut_middle("abcdef", limit) for limit in (3, 2, 1, 0)] == ["a…f", "a…", "…", ""]


@given(HOSTILE, st.integers(min_value=0, max_value=30))
def test_a_name_keeps_its_limit(name: str, limit: int) -> None:
    shown = cut_middle(name, limit)
    assert len(shown) <= limit
    if limit >= 3 and shown != name:
        assert shown[0] == name[0]
        assert shown[-1] == name[-1]


def test_the_last_lines_are_kept_with_a_count() -> None:
    lines = [f"line {number}" for number in range(40)]
    kept = cut_lines(lines, 3, 1000)
    assert kept.lines == ("line 37", "line 38", "line 39")
    assert str(kept) == "… 37 earlier lines\nline 37\nline 38\nline 39"
    assert str(cut_lines(lines[:2], 12, 1000)) == "line 0\nline 1"
    assert str(cut_lines(lines, 12, 34)) == "… 38 earlier lines\nline 38\nline 39"
    assert str(cut_lines(lines, 12, 33)) == "… 39 earlier lines\nline 39"


def test_lines_are_kept_whole() -> None:
    kept = cut_lines(["a" * 30, "b" * 30, "c" * 30], 12, 80)
    assert kept.lines == ("b" * 30, "c" * 30)
    assert kept.note == "… 1 earlier line"
    assert len(str(kept)) <= 80


def test_only_a_last_line_that_is_too_long_is_cut() -> None:
    kept = cut_lines(["x", "word " * 100], 12, 80)
    assert kept.missing == 1
    assert kept.lines[0].endswith("more characters)")
    assert len(str(kept)) <= 80
    assert cut_lines(["x" * 100, "y"], 0, 80).lines == ()
    assert cut_lines([], 12, 80).lines == ()


@given(st.lists(HOSTILE.map(lambda line: line.replace("\n", "")), max_size=8), st.integers(0, 6), st.integers(0, 90))
def test_cut_lines_keep_their_limits(lines: list[str], max_lines: int, max_chars: int) -> None:
    kept = cut_lines(lines, max_lines, max_chars)
    assert len(kept.lines) <= max_lines
    assert len(kept.lines) + kept.missing == len(lines)
    if kept.lines:
        assert len(str(kept)) <= max_chars
        assert tuple(lines[len(lines) - len(kept.lines) + 1 :]) == kept.lines[1:]


SLACK = {
    "channel ping": ("<!channel> <@U123> <#C1>", "&lt;!channel&gt; &lt;@U123&gt; &lt;#C1&gt;"),
    "plain pings": ("@here @channel @Everyone a@b", "@\u200bhere @\u200bchannel @\u200bEveryone a@b"),
    "link": ("<http://x|y>", "&lt;http://x|y&gt;"),
    "ampersand": ("a & b &lt;", "a &amp; b &amp;lt;"),
    "backticks": ("```x``` `y`", "ˋˋˋxˋˋˋ ˋyˋ"),
    "styles": ("*bold* _it_ ~no~", "∗bold* ＿it_ ∼no~"),
    "names stay": ("my_pod_name 2 * 3 ~ 4", "my_pod_name 2 * 3 ~ 4"),
}


@pytest.mark.parametrize(("text", "expected"), SLACK.values(), ids=SLACK.keys())
def test_slack_shows_text_as_text(text: str, expected: str) -> None:
    assert escape_slack(text) == expected


@given(HOSTILE)
def test_nothing_in_slack_is_a_tag_a_fence_or_a_ping(text: str) -> None:
    shown = escape_slack(text)
    assert not re.search("[<>`]", shown)
    assert not re.search("@(here|channel|everyone)", shown)


DISCORD = {
    "everyone": ("@everyone @here <@1>", "@\u200beveryone @\u200bhere \\<@\u200b1\\>"),
    "marks": ("*a* __b__ ~~c~~ ||d||", "\\*a\\* \\_\\_b\\_\\_ \\~\\~c\\~\\~ \\|\\|d\\|\\|"),
    "backticks": ("```x```", "\\`\\`\\`x\\`\\`\\`"),
    "backslash": ("a\\*b", "a\\\\\\*b"),
    "masked link": ("[x](http://y)", "\\[x\\]\\(http://y\\)"),
    "address": ("see https://x.y/a_b-c?d=e_f", "see https://x.y/a_b-c?d=e_f"),
    "heading and quote": ("# a\n> b", "\\# a\n\\> b"),
    "list": ("- a\n + b\n12. c\na-b", "\\- a\n \\+ b\n12\\. c\na-b"),
}


@pytest.mark.parametrize(("text", "expected"), DISCORD.values(), ids=DISCORD.keys())
def test_discord_shows_text_as_text(text: str, expected: str) -> None:
    assert escape_discord(text) == expected


@given(HOSTILE)
def test_every_mark_of_discord_is_escaped(text: str) -> None:
    shown = escape_discord(text)
    assert "@everyone" not in shown
    assert not re.search(r"(?<!\\)[`*<>\[\]|]", re.sub(r"\\\\", "", shown))


def test_html_is_escaped() -> None:
    assert escape_html("<b>\"x\" & 'y'") == "&lt;b&gt;&quot;x&quot; &amp; &#x27;y&#x27;"


@given(HOSTILE)
def test_html_shows_what_was_written(text: str) -> None:
    assert not re.search("[<>\"']", escape_html(text))
    assert html.unescape(escape_html(text)) == text


ESCAPES = [escape_slack, escape_discord, escape_html]


@given(HOSTILE, st.integers(0, 60), st.sampled_from(ESCAPES))
@example("&" * 50, 30, escape_slack)
def test_fitted_text_keeps_the_limit_and_tears_no_escape(text: str, limit: int, escape: Callable[[str], str]) -> None:
    shown = fit(text, limit, escape)
    assert len(shown) <= limit
    if escape is escape_slack:
        assert re.fullmatch(r"(?s)(?:[^&]|&amp;|&lt;|&gt;)*", shown)


def test_text_that_fits_is_only_escaped() -> None:
    assert fit("a & b", 9, escape_slack) == "a &amp; b"
    assert fit("a & b", 8, escape_slack) != "a &amp; b"


@pytest.mark.parametrize("block", [code_block_slack, code_block_discord], ids=["slack", "discord"])
def test_a_code_block_cannot_be_closed_from_inside(block: Callable[..., str]) -> None:
    shown = block(["```", "a ```` b", "`x`", "````"])
    assert shown.startswith("```\n")
    assert shown.endswith("\n```")
    assert "``" not in shown[3:-3]


def test_a_code_block_of_slack_holds_entities() -> None:
    assert code_block_slack(["<!channel> & x"]) == "```\n&lt;!channel&gt; &amp; x\n```"
    assert code_block_discord(["<b> & x"]) == "```\n<b> & x\n```"
    assert code_block_slack([]) == ""


@given(st.lists(HOSTILE, max_size=6), st.integers(0, 80), st.sampled_from([code_block_slack, code_block_discord]))
def test_a_code_block_keeps_its_limit_and_its_fences(lines: list[str], limit: int, block: Callable[..., str]) -> None:
    shown = block(lines, limit)
    assert len(shown) <= limit
    assert "``" not in shown[3:-3]
    assert not shown or (shown.startswith("```\n") and shown.endswith("\n```"))


def test_a_code_block_keeps_the_last_lines() -> None:
    assert code_block_discord(["one", "two", "three"], 17) == "```\ntwo\nthree\n```"
    assert code_block_slack(["<" * 100], 70).endswith("\n```")
