from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.lib.matchers import (
    Matcher,
    MatcherError,
    MatcherMode,
    MatcherOp,
    format_matchers,
    matches_all,
    parse_matcher,
    parse_matchers,
    read_matchers,
    sort_matchers,
)


def shown(text: str, mode: MatcherMode = MatcherMode.FALLBACK) -> list[tuple[str, str, str]]:
    return [(each.name, each.op.value, each.value) for each in parse_matchers(text, mode)]


BOTH = {
    "braces": ('{foo="bar"}', [("foo", "=", "bar")]),
    "no braces": ("foo=bar", [("foo", "=", "bar")]),
    "comma at the end": ("foo=bar,", [("foo", "=", "bar")]),
    "all operators": (
        'a="1",b!="2",c=~"3",d!~"4"',
        [("a", "=", "1"), ("b", "!=", "2"), ("c", "=~", "3"), ("d", "!~", "4")],
    ),
    "spaces": ('{foo = "bar" , dings != "bums" , }', [("foo", "=", "bar"), ("dings", "!=", "bums")]),
    "comma in quotes": ('{foo="bar,quux", job="j"}', [("foo", "=", "bar,quux"), ("job", "=", "j")]),
    "quotes in quotes": ('a="say \\"x, y\\""', [("a", "=", 'say "x, y"')]),
    "empty in quotes": ('{foo=""}', [("foo", "=", "")]),
    "newline escape": ('a="b\\n"', [("a", "=", "b\n")]),
    "nothing": ("", []),
    "empty braces": ("{}", []),
}


@pytest.mark.parametrize("mode", MatcherMode)
@pytest.mark.parametrize(("text", "expected"), BOTH.values(), ids=BOTH.keys())
def test_a_text_of_both_grammars_means_the_same_in_every_mode(
    text: str, expected: list[tuple[str, str, str]], mode: MatcherMode
) -> None:
    assert shown(text, mode) == expected
    assert read_matchers(text, mode).warning is None


CLASSIC_ONLY = {
    "empty value": ("foo=", [("foo", "=", "")]),
    "equals twice": ("foo==bar", [("foo", "=", "=bar")]),
    "single quotes stay": ("foo='x'", [("foo", "=", "'x'")]),
    "tildes": ("tricky=~~~", [("tricky", "=~", "~~")]),
    "unknown escape stays": ("a=bar\\t", [("a", "=", "bar\\t")]),
    "regex digits in quotes": ('a=~"\\d+"', [("a", "=~", "\\d+")]),
    "last backslash": ("a=b\\", [("a", "=", "b\\")]),
    "escaped quote without quotes": ('x==\\\\=\\=\\"', [("x", "=", '=\\=\\="')]),
    "brace in the value": ("{foo=bar}}", [("foo", "=", "bar}")]),
    "no closing brace": ("{foo=", [("foo", "=", "")]),
    "spaces in the value": ("a=b c", [("a", "=", "b c")]),
}


@pytest.mark.parametrize(("text", "expected"), CLASSIC_ONLY.values(), ids=CLASSIC_ONLY.keys())
def test_a_text_of_the_classic_grammar_alone_is_read_with_a_warning(
    text: str, expected: list[tuple[str, str, str]]
) -> None:
    assert shown(text) == expected
    assert "double quotes" in (read_matchers(text).warning or "")
    with pytest.raises(MatcherError):
        parse_matchers(text, MatcherMode.UTF8)


UTF8_ONLY = {
    "dots": ("a.b=c", [("a.b", "=", "c")]),
    "dashes": ('{name-x = "bar"}', [("name-x", "=", "bar")]),
    "quoted name": ('{"foo bar"!~"x"}', [("foo bar", "!~", "x")]),
    "emoji": ("{🙂=🙂bar}", [("🙂", "=", "🙂bar")]),
    "bytes": ('"foo"="\\xf0\\x9f\\x99\\x82"', [("foo", "=", "🙂")]),
}


@pytest.mark.parametrize(("text", "expected"), UTF8_ONLY.values(), ids=UTF8_ONLY.keys())
def test_a_text_of_the_newer_grammar_alone_is_read(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert shown(text) == shown(text, MatcherMode.UTF8) == expected
    with pytest.raises(MatcherError):
        parse_matchers(text, MatcherMode.CLASSIC)


def test_where_the_grammars_differ_the_classic_one_counts_and_the_author_is_told() -> None:
    text = 'a="x\\ty"'
    assert shown(text) == [("a", "=", "x\\ty")]
    assert shown(text, MatcherMode.UTF8) == [("a", "=", "x\ty")]
    assert "reads differently" in (read_matchers(text).warning or "")


def test_a_single_unquoted_value_of_the_classic_grammar_may_hold_commas() -> None:
    assert parse_matcher("foo=bar,baz=q") == Matcher(name="foo", op=MatcherOp.EQUAL, value="bar,baz=q")


FALLBACK_ERRORS = {
    "foo": "bad matcher format: foo",
    "{,}": "bad matcher format: ",
    "{{foo=": "bad matcher format: {foo=",
    'job="value': 'matcher value contains unescaped double quote: "value',
    'job=value"': 'matcher value contains unescaped double quote: value"',
    'a="b"c"': 'matcher value contains unescaped double quote: "b"c"',
    'foo=~"[)$': 'matcher value contains unescaped double quote: "[)$',
    'foo=~"["': "error parsing regexp: missing closing ]: `[)$`",
}


@pytest.mark.parametrize(("text", "message"), FALLBACK_ERRORS.items(), ids=[repr(text) for text in FALLBACK_ERRORS])
def test_where_both_grammars_fail_the_classic_error_is_given(text: str, message: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert str(caught.value) == message


UTF8_ERRORS = {
    ",": "0:1: unexpected ,: expected label name",
    "{,}": "1:2: unexpected ,: expected label name",
    "{": "0:1: end of input: expected close brace",
    "}": "0:1: }: expected opening brace",
    "foo=bar}": "0:8: }: expected opening brace",
    "{foo=bar": "0:8: end of input: expected close brace",
    "{foo=bar,": "0:9: end of input: expected close brace",
    "{foo=bar}}": "9:10: }: expected end of input",
    "{}x": "2:3: x: expected end of input",
    '{foo=:"bar"}': '6:11: unexpected "bar": expected a comma or close brace',
    '{foo="bar\\w"}': '5:12: "bar\\w": invalid input',
    "{foo=bar\\n}": "8:9: \\: invalid input: expected a comma or close brace",
    '{"foo"="\\xf0\\x9f"}': '7:17: "\\xf0\\x9f": invalid input',
    'statuscode=~"\\d+"': '12:17: "\\d+": invalid input',
    "foo": "end of input: expected an operator such as '=', '!=', '=~' or '!~'",
    "foo=": "end of input: expected label value",
    "foo!": "3:4: unexpected end of input, expected one of '=~': expected an operator such as '=', '!=', '=~' or '!~'",
    "foo!!": "3:4: !: expected one of '=~': expected an operator such as '=', '!=', '=~' or '!~'",
    "a=b,=": "4:5: unexpected =: expected a matcher or close brace after comma",
    'foo="bar': '4:8: "bar: missing end ": expected label value',
    "~": "0:1: ~: invalid input",
}


@pytest.mark.parametrize(("text", "message"), UTF8_ERRORS.items(), ids=[repr(text) for text in UTF8_ERRORS])
def test_an_error_of_the_newer_grammar_names_its_columns(text: str, message: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text, MatcherMode.UTF8)
    assert str(caught.value) == message


SINGLE_ERRORS = [
    ("{foo=bar}", MatcherMode.FALLBACK, "unexpected open or close brace: {foo=bar}"),
    ("foo=bar}", MatcherMode.UTF8, "unexpected open or close brace: foo=bar}"),
    ("{foo=bar}", MatcherMode.CLASSIC, "bad matcher format: {foo=bar}"),
    ("", MatcherMode.FALLBACK, "bad matcher format: "),
    ("", MatcherMode.UTF8, "no matchers"),
    ("a=b,c=d", MatcherMode.UTF8, "expected 1 matcher, found 2"),
    ("a.b", MatcherMode.FALLBACK, "bad matcher format: a.b"),
    (
        'alertname="A1",severity="warning"',
        MatcherMode.FALLBACK,
        'matcher value contains unescaped double quote: "A1",severity="warning"',
    ),
]


@pytest.mark.parametrize(("text", "mode", "message"), SINGLE_ERRORS)
def test_where_one_matcher_is_expected_anything_else_is_refused(text: str, mode: MatcherMode, message: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matcher(text, mode)
    assert str(caught.value) == message


def test_a_missing_label_reads_as_the_empty_string() -> None:
    assert parse_matcher('x=""').matches({})
    assert not parse_matcher('x!=""').matches({})
    assert parse_matcher('x!=""').matches({"x": "1"})
    assert parse_matcher('x=~".*"').matches({})
    assert not parse_matcher('x=~".+"').matches({})
    assert parse_matcher('x!~".+"').matches({})


MEANINGS = [
    ("web", "web", True),
    ("web", "web-1", False),
    ("web", "my-web", False),
    ("web|api", "api-1", False),
    ("a$", "a\n", False),
    ("a.b", "a\nb", False),
    ("(?s)a.b", "a\nb", True),
    ("\\d", "٣", False),
    ("\\w+", "é", False),
    ("(?i)WEB", "web", True),
    (".", "🙂", True),
    ("", "", True),
    ("(a+)+b", "a" * 5000, False),
]


@pytest.mark.parametrize(
    ("regex", "value", "expected"), MEANINGS, ids=[each[0] + "~" + each[1][:8] for each in MEANINGS]
)
def test_a_regex_is_anchored_and_means_what_it_means_in_go(regex: str, value: str, expected: bool) -> None:
    matcher = Matcher(name="x", op=MatcherOp.REGEX, value=regex)
    assert matcher.matches({"x": value}) is expected
    assert Matcher(name="x", op=MatcherOp.NOT_REGEX, value=regex).matches({"x": value}) is not expected


REGEX_ERRORS = {
    "[": "missing closing ]: `[)$`",
    "(": "missing closing ): `^(?:()$`",
    ")": "unexpected ): `^(?:))$`",
    "a**": "invalid nested repetition operator: `**`",
    "*": "missing argument to repetition operator: `*`",
    "(?=x)": "invalid or unsupported Perl syntax: `(?=`",
    "(a)\\1": "invalid escape sequence: `\\1`",
    "a{2000}": "invalid repeat count: `{2000}`",
    "[z-a]": "invalid character class range: `z-a`",
}


@pytest.mark.parametrize(("regex", "message"), REGEX_ERRORS.items(), ids=REGEX_ERRORS.keys())
def test_a_bad_regex_is_refused_in_gos_words(regex: str, message: str) -> None:
    with pytest.raises(MatcherError) as caught:
        Matcher(name="x", op=MatcherOp.REGEX, value=regex)
    assert str(caught.value) == f"error parsing regexp: {message}"


def test_a_value_that_is_no_text_neither_raises_nor_matches_itself() -> None:
    assert not parse_matcher('x=~"ab"').matches({"x": "a\ud800b"})
    with pytest.raises(MatcherError, match="not valid UTF-8"):
        parse_matcher("x=\ud800", MatcherMode.CLASSIC)


def test_matchers_are_printed_sorted_as_alertmanager_does() -> None:
    made = parse_matchers('x!="1",team="a",sev=~"^(?:c.*)$",b!~"q|\\"r\\"",x="1"')
    expected = '{b!~"q|\\"r\\"",sev=~"^(?:c.*)$",team="a",x="1",x!="1"}'
    for order in permutations(made):
        assert format_matchers(sort_matchers(order)) == expected


def test_a_name_with_reserved_characters_is_printed_in_quotes() -> None:
    assert str(Matcher(name="a b", op=MatcherOp.EQUAL, value="ü\t")) == '"a b"="ü\\t"'
    assert str(Matcher(name="a.b", op=MatcherOp.EQUAL, value="c")) == 'a.b="c"'


def test_all_matchers_must_hold_and_none_match_everything() -> None:
    matchers = parse_matchers("a=1,b=2")
    assert matches_all(matchers, {"a": "1", "b": "2", "c": "3"})
    assert not matches_all(matchers, {"a": "1"})
    assert matches_all((), {})


def test_a_matcher_survives_json_and_a_bad_one_is_refused_there() -> None:
    matcher = parse_matcher('a=~"b|c"')
    assert msgspec.json.decode(msgspec.json.encode(matcher), type=Matcher) == matcher
    with pytest.raises(msgspec.ValidationError, match="missing closing"):
        msgspec.json.decode(b'{"name":"a","op":"=~","value":"["}', type=Matcher)


def test_a_long_run_of_spaces_is_read_in_linear_time() -> None:
    assert parse_matcher("a=b" + " " * 200_000 + "c").value.endswith(" c")


@given(st.text(alphabet="ab={}!~,\\\"' \t🙂", max_size=20), st.sampled_from(MatcherMode))
def test_any_text_is_read_or_refused_with_our_error(text: str, mode: MatcherMode) -> None:
    try:
        for matcher in parse_matchers(text, mode):
            assert matcher.name
    except MatcherError:
        return


names = st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"]))
values = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), values, st.sampled_from(["=", "!="]))
def test_what_is_printed_is_read_back(name: str, value: str, op: str) -> None:
    matcher = Matcher(name=name, op=MatcherOp(op), value=value)
    assert parse_matchers(format_matchers([matcher])) == (matcher,)


@given(names, values)
def test_a_reserved_name_is_read_back_by_the_newer_grammar(name: str, value: str) -> None:
    matcher = Matcher(name=name + " ", op=MatcherOp.EQUAL, value=value)
    assert parse_matchers(str(matcher), MatcherMode.UTF8) == (matcher,)
