import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.lib.gotext import go_quote, go_unquote

QUOTED = {
    "plain": ("shop", '"shop"'),
    "quote": ('a"b', '"a\\"b"'),
    "backslash": ("a\\d", '"a\\\\d"'),
    "newline": ("a\nb\t", '"a\\nb\\t"'),
    "control": ("\x00\x7f", '"\\x00\\x7f"'),
    "printable unicode": ("Σ🙂", '"Σ🙂"'),
    "no-break space": ("a\xa0b", '"a\\u00a0b"'),
    "private use": ("\U0010ffff", '"\\U0010ffff"'),
}


@pytest.mark.parametrize(("text", "quoted"), QUOTED.values(), ids=QUOTED.keys())
def test_a_text_is_quoted_as_go_does(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted


@pytest.mark.parametrize(
    ("quoted", "text"),
    [('"\\xf0\\x9f\\x99\\x82"', "🙂"), ('"\\U0001f642"', "🙂"), ('"\\101\\u00e9"', "Aé"), ('""', "")],
    ids=["bytes", "code point", "octal", "empty"],
)
def test_every_escape_of_go_is_read(quoted: str, text: str) -> None:
    assert go_unquote(quoted) == text


@pytest.mark.parametrize(
    "quoted",
    [
        '"',
        "x",
        '"a',
        '"a"b"',
        '"\\w"',
        '"\\"',
        '"\\xf0\\x9f"',
        '"\\ud800"',
        '"\\U00110000"',
        '"a\nb"',
        '"\\477"',
    ],
)
def test_what_go_refuses_is_refused(quoted: str) -> None:
    with pytest.raises(ValueError, match=r"quote|escape|codec|ordinal|range|string"):
        go_unquote(quoted)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_was_quoted_is_read_back(text: str) -> None:
    assert go_unquote(go_quote(text)) == text
