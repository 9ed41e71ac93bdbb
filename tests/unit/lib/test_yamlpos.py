import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.lib.problems import Position, Problem, Severity, sort_problems
from watcher.lib.yamlpos import Path, YamlError, load

RULES = """\
# a comment
groups:
  - name: volumes
    rules:
      - alert: VolumeFillingUp
        where: "used_percent >= 85"
        labels: {severity: warning, 'team': é🙂}
"""


def at(line: int, column: int) -> Position:
    return Position(file="rules.yaml", line=line, column=column)


def problems(text: str | bytes, limit: int = 5_000_000) -> list[str]:
    with pytest.raises(YamlError) as caught:
        load(text, "f", limit=limit)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(each) for each in caught.value.problems]


def test_data_is_plain() -> None:
    assert load(RULES, "rules.yaml").data == {
        "groups": [
            {
                "name": "volumes",
                "rules": [
                    {
                        "alert": "VolumeFillingUp",
                        "where": "used_percent >= 85",
                        "labels": {"severity": "warning", "team": "é🙂"},
                    }
                ],
            }
        ]
    }


RULE = ("groups", 0, "rules", 0)


def test_values_and_keys_have_their_places_counted_from_one() -> None:
    document = load(RULES, "rules.yaml")
    assert document.position(()) == at(2, 1)
    assert document.position(("groups", 0)) == at(3, 5)
    assert document.position((*RULE, "where")) == at(6, 16)
    assert document.position((*RULE, "where"), key=True) == at(6, 9)
    assert document.position((*RULE, "labels", "team")) == at(7, 45)
    assert document.position((*RULE, "labels", "team"), key=True) == at(7, 37)
    assert str(document.position((*RULE, "where"))) == "rules.yaml:6:16"


def test_a_part_that_does_not_exist_has_the_place_of_what_should_contain_it() -> None:
    document = load(RULES, "rules.yaml")
    assert document.position((*RULE, "for")) == document.position(RULE) == at(5, 9)
    assert document.position((*RULE, "labels", "x", 3, "y")) == at(7, 17)
    assert document.position((*RULE, "labels", "x"), key=True) == at(7, 9)
    assert document.position(("groups", 7)) == at(3, 3)
    assert document.position(("groups", -1)) == at(3, 3)


def test_a_problem_is_printed_with_file_line_and_column() -> None:
    document = load(RULES, "rules.yaml")
    assert str(document.problem((*RULE, "where"), "is bad")) == "rules.yaml:6:16: is bad"
    warning = document.problem((*RULE, "where"), "is odd", key=True, severity=Severity.WARNING)
    assert str(warning) == "rules.yaml:6:9: warning: is odd"
    assert not warning.is_error


def test_the_source_of_a_scalar_is_kept() -> None:
    document = load("a: 1.10\nb: true\nc: [x]\nd: '5'\ne:\n", "f")
    assert [document.source((key,)) for key in "abcdex"] == ["1.10", "true", None, "5", "", None]


SCALARS = {
    "on": "on",
    "off": "off",
    "yes": "yes",
    "No": "No",
    "012": "012",
    "1_000": "1_000",
    "0o7": "0o7",
    "0x1f": "0x1f",
    "12:30": "12:30",
    "2024-01-01": "2024-01-01",
    "2024-01-01T10:00:00Z": "2024-01-01T10:00:00Z",
    "1.2.3": "1.2.3",
    "+": "+",
    ".": ".",
    "1e": "1e",
    "5m": "5m",
    "=": "=",
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    "0": 0,
    "-5": -5,
    "+7": 7,
    "85": 85,
    "8.5": 8.5,
    "1.": 1.0,
    ".5": 0.5,
    "1e3": 1000.0,
    "-.inf": -math.inf,
    "1234567890123": 1234567890123,
    "9" * 5000: "9" * 5000,
    '"true"': "true",
    "'1'": "1",
    "!!str 12": "12",
    "!!float 1": 1.0,
    "!!int 3": 3,
    "a == 'x'": "a == 'x'",
    "|\n  x\n  y": "x\ny\n",
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=[text[:20] or "nothing" for text in SCALARS])
def test_a_scalar_holds_no_surprise(text: str, value: object) -> None:
    data = load(f"k: {text}\n", "f").data
    assert data == {"k": value}
    assert isinstance(data, dict)
    assert type(data["k"]) is type(value)


def test_not_a_number_is_a_number() -> None:
    data = load("[.nan]", "f").data
    assert isinstance(data, list)
    assert math.isnan(data[0])


UNQUOTED = {
    "not at the start": ("where: !ready && x\n", "1:16", "where: '!ready && x'"),
    "a tag": ("where: !ready\n", "1:8", "starts with ! is a YAML tag: put the expression in quotes"),
    "a tag in brackets": ("where: !(a || b)\n", "1:13", "put the expression in quotes"),
    "a lone exclamation mark": ("where: ! ready\n", "1:8", "put the expression in quotes"),
    "quotes at the start": ('where: "OOM" == reason\n', "1:14", "where: '\"OOM\" == reason'"),
    "a colon": ("where: a == 'x' ? b : c\n", "1:21", "where: 'a == ''x'' ? b : c'"),
    "a list item with a colon": ("- where: a ? b : c\n", "1:16", "where: 'a ? b : c'"),
    "a comparison": ("where: >= 85\n", "1:9", "starts with >"),
    "a list literal": ("where: [1] == x\n", "1:12", "starts with ["),
    "a template": ("summary: {{ claim }}\n", "1:11", "starts with { is a mapping in YAML: put the"),
    "a template and text": ("summary: {{ claim }} is full\n", "1:22", "summary: '{{ claim }} is full'"),
    "an at sign": ("to: @team\n", "1:5", "starts with @"),
    "a star": ("a: *.example.org\n", "1:5", "starts with *"),
    "an alias by mistake": ("a: *name\n", "1:4", "there is no &name above"),
}


@pytest.mark.parametrize(("text", "place", "hint"), UNQUOTED.values(), ids=UNQUOTED.keys())
def test_what_needs_quotes_and_has_none_is_told_so(text: str, place: str, hint: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(f"f:{place}: ")
    assert hint in found[0]


@pytest.mark.parametrize(("text", "place", "hint"), UNQUOTED.values(), ids=UNQUOTED.keys())
def test_a_suggested_line_is_yaml(text: str, place: str, hint: str) -> None:
    message = problems(text)[0]
    if "write " in message:
        assert isinstance(load(message.partition("write ")[2], "f").data, dict)


def test_the_value_of_a_secret_is_not_repeated_in_the_error() -> None:
    for key in ("password", "api_url", "auth_token", "service_key"):
        assert "hunter2" not in problems(f'{key}: "hunter2"x\n')[0]


SYNTAX = {
    "tab": ("a:\n\t- b\n", "f:2:1: a tab cannot indent YAML: use spaces"),
    "list not closed": (
        "a: [1,2\nb: 3\n",
        "f:2:2: expected , or ] in the list opened in line 1, column 4: close it, or put the text in quotes",
    ),
    "quote not closed": ('a: "x\nb: 1\n', "f:1:4: the quotation mark that opens here is never closed"),
    "escape": (
        'a: "\\d"\n',
        "f:1:5: unknown escape in double quotes: write \\\\ for a backslash, or use single quotes",
    ),
    "indentation": (
        "a: b\n  c: d\n",
        "f:2:4: a colon with a space is not allowed here: check the indentation, or put the text in quotes",
    ),
    "no colon": ("a: 1\nb\n", "f:2:1: this is no `key: value`: a colon with a space is missing"),
    "control character": (
        "a: 1\nb: x\x01\n",
        "f:2:5: the control character U+0001 is not allowed: remove it",
    ),
    "surrogate": ("a: \ud800\n", "f:1:4: the control character U+D800 is not allowed: remove it"),
    "two documents": (
        "a: 1\n---\nb: 2\n",
        "f:2:1: a second document begins here: one is expected, remove the ---",
    ),
    "empty": ("", "f:1:1: the file is empty"),
    "comments only": ("# nothing\n", "f:1:1: the file is empty"),
    "separator only": ("---\n", "f:1:1: the file is empty"),
    "version": ("%YAML 9.9\n---\na: 1\n", "f:1:1: only YAML 1.1 and 1.2 are read: remove the %YAML line"),
    "number as key": ("80: x\n", "f:1:1: a key must be text: put 80 in quotes"),
    "list as key": ("? [a]\n: 1\n", "f:1:3: a key must be text, not a list or a mapping"),
    "merge of a text": ("<<: x\n", "f:1:1: << takes a mapping or a list of mappings"),
    "wrong tag": ("a: !!int x\n", "f:1:4: the tag does not fit the value: it is no int"),
    "alias in itself": ("a: &a [*a]\n", "f:1:8: *a stands inside of &a itself"),
}


@pytest.mark.parametrize(("text", "message"), SYNTAX.values(), ids=SYNTAX.keys())
def test_a_fault_is_told_in_a_sentence_at_its_place(text: str, message: str) -> None:
    assert problems(text) == [message]


def test_bytes_that_are_no_utf8_are_refused_at_their_place() -> None:
    assert problems("a: ä\nb: é".encode() + b"\xff") == ["f:2:5: byte 0xff is not UTF-8: save the file as UTF-8"]


def test_bytes_and_a_byte_order_mark_are_read() -> None:
    assert load("\ufeffa: ä".encode(), "f").data == {"a": "ä"}


def test_many_problems_are_told_at_once_in_reading_order() -> None:
    text = "a: 1\na: 2\nb: !x y\n5: z\nc: {d: 1, d: 2}\ne: *no\nf: 'x' y\n"
    assert [each.split(": ")[0] for each in problems(text)] == [
        "f:2:1",
        "f:3:4",
        "f:4:1",
        "f:5:11",
        "f:6:4",
        "f:7:8",
    ]


def test_a_key_given_twice_names_both_places() -> None:
    assert problems("x:\n  a: 1\n  b: 2\n  a: 3\n") == [
        "f:4:3: a is given twice, first in line 2, column 3: remove one"
    ]
    assert problems('"a": 1\na: 2\n') == ["f:2:1: a is given twice, first in line 1, column 1: remove one"]


def test_the_number_of_problems_is_bounded() -> None:
    assert len(problems("a: 1\n" * 5000)) == 100


def test_aliases_and_merge_keys_are_expanded() -> None:
    text = 'x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [*x, {c: 4}], a: 0}\nw: *x\n"<<": t\n'
    document = load(text, "f")
    assert document.data == {
        "x": {"a": 1, "b": 2},
        "y": {"a": 1, "b": 3},
        "z": {"a": 0, "b": 2, "c": 4},
        "w": {"a": 1, "b": 2},
        "<<": "t",
    }


def test_what_came_through_an_alias_has_the_place_of_its_definition() -> None:
    document = load("x: &x {a: 1}\ny: {<<: *x}\nz: *x\n", "f")
    assert document.position(("y", "a")) == Position(file="f", line=1, column=11)
    assert document.position(("z", "a"), key=True) == Position(file="f", line=1, column=8)


def test_aliases_may_expand_to_a_thousand_nodes_and_no_more() -> None:
    hundred = "x: &x [" + "1," * 99 + "]\n"
    fine = hundred + "y: [" + "*x," * 10 + "]\n"
    data = load(fine, "f").data
    assert isinstance(data, dict)
    assert len(data["y"]) == 10
    assert problems(hundred + "y: [" + "*x," * 11 + "]\n") == ["f:2:35: the aliases expand to more than 1,000 nodes"]


def test_a_billion_laughs_cost_nothing() -> None:
    lines = ["a0: &a0 [lol]"] + [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    tracemalloc.start()
    found = problems("\n".join(lines))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "aliases expand" in found[0]
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "text",
    ["[" * 300_000, "- " * 300_000 + "a", "{a: " * 100_000, "? " * 100_000, "[" * 65 + "]" * 65],
    ids=["brackets", "dashes", "braces", "question marks", "one level too many"],
)
def test_deep_nesting_is_refused_and_does_not_crash_the_process(text: str) -> None:
    assert any("nested deeper than 64 levels" in each for each in problems(text))


def test_nesting_cannot_be_hidden_in_aliases() -> None:
    text = f"a: &a {'[' * 40}{']' * 40}\nb: {'[' * 40}*a{']' * 40}\n"
    assert problems(text) == ["f:2:44: nested deeper than 64 levels"]


def test_sixty_four_levels_are_allowed() -> None:
    assert load("[" * 64 + "]" * 64, "f").data


def test_a_text_over_the_limit_is_refused_unread() -> None:
    assert problems("é" * 60, limit=100) == ["f:1:1: the file has 120 bytes, more than the 100 that are read"]
    assert problems(b"[" * 101, limit=100) == ["f:1:1: the file has 101 bytes, more than the 100 that are read"]
    assert load("x" * 100, "f", limit=100).data == "x" * 100


def faults(text: str | bytes) -> tuple[Problem, ...]:
    try:
        load(text, "f")
    except YamlError as error:
        return error.problems or (Problem(position=at(0, 0), message="an error without a problem"),)
    return ()


@given(st.text(alphabet="ab:- \n\t[]{}'\"!&*|>#?,%@1~<", max_size=30))
def test_any_text_is_read_or_refused_with_our_error(text: str) -> None:
    for problem in faults(text):
        assert problem.position.line >= 1
        assert problem.position.column >= 1
        assert "\n" not in problem.message


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused_with_our_error(raw: bytes) -> None:
    assert all(problem.position.line >= 1 for problem in faults(raw))


def test_problems_are_sorted_and_told_once() -> None:
    def problem(line: int, column: int, severity: Severity = Severity.ERROR) -> Problem:
        return Problem(position=at(line, column), message="m", severity=severity)

    mixed = [problem(2, 1), problem(1, 9, Severity.WARNING), problem(10, 1), problem(1, 9), problem(2, 1)]
    assert [(each.position.line, each.is_error) for each in sort_problems(mixed)] == [
        (1, True),
        (1, False),
        (2, True),
        (10, True),
    ]


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        pytest.param("a: b c # d", ("a",), "b c", id="plain"),
        pytest.param("a: 'b''c'\n", ("a",), "'b''c'", id="quotes"),
        pytest.param("ü: 😀\nb: [c, 'd']", ("b", 1), "'d'", id="after wide characters"),
        pytest.param("a: &x !!str b\nc: *x", ("c",), "&x !!str b", id="through an alias, with anchor and tag"),
        pytest.param("a: &x {k: v}\nc: {<<: *x}", ("c", "k"), "v", id="merged"),
        pytest.param("a: |-\n  b\n  c\nd: e", ("a",), "|-\n  b\n  c", id="a block"),
    ],
)
def test_the_span_of_a_scalar_is_what_its_author_wrote(text: str, path: Path, expected: str) -> None:
    document = load(text, "f")
    span = document.span(path)
    assert span is not None
    assert document.text[span[0] : span[1]].rstrip() == expected


def test_what_is_no_scalar_has_no_span() -> None:
    document = load("a: [b]", "f")
    assert document.span(("a",)) is None
    assert document.span(("x",)) is None
