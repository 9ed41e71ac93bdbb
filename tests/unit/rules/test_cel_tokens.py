import pytest

from watcher.rules.cel_tokens import conjuncts, free_names, literal_arguments, null_tests, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a.b == c", ["a", ".", "b", "==", "c"], id="selection"),
        pytest.param("a >= 40.5 // b", ["a", ">=", "40.5"], id="comment"),
        pytest.param(r"""x == 'it\'s'""", ["x", "==", r"'it\'s'"], id="escaped quote"),
        pytest.param(r"""x == r'a\'""", ["x", "==", r"r'a\'"], id="raw string"),
        pytest.param('x == """a"b"""', ["x", "==", '"""a"b"""'], id="triple quotes"),
        pytest.param("a&&!b", ["a", "&&", "!", "b"], id="no spaces"),
        pytest.param("a == 'b", ["a", "==", "'", "b"], id="unclosed string"),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert [token.text for token in tokens(text)] == expected


def test_names_behind_a_dot_and_names_of_functions_do_not_stand_for_fields() -> None:
    stream = tokens("reason.contains(message) && size(labels) > 0 && labels.reason == 'x'")
    assert [token.text for token in free_names(stream)] == ["reason", "message", "labels", "labels"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a.matches('x')", ["'x'"], id="method"),
        pytest.param("matches(a, 'x')", ["'x'"], id="function"),
        pytest.param("matches(f(a, 'b'), 'x')", ["'x'"], id="inner call"),
        pytest.param("a.matches('x' + b)", [], id="not a literal"),
        pytest.param("a.matches(b + 'x')", [], id="ends with a literal"),
        pytest.param("a.matches('x') || b.matches('y')", ["'x'", "'y'"], id="two"),
        pytest.param("a.matches('x'", [], id="unclosed"),
        pytest.param("a.matches()", [], id="empty"),
        pytest.param("matches", [], id="no call"),
    ],
)
def test_literal_arguments(text: str, expected: list[str]) -> None:
    assert [token.text for token in literal_arguments(tokens(text), "matches")] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a == null", [("a", 0, 9, False)], id="equal"),
        pytest.param("b && null != a", [("a", 5, 14, True)], id="not equal"),
        pytest.param("x.a == null", [], id="behind a dot"),
        pytest.param("c == null", [], id="not nullable"),
        pytest.param("a == 3", [], id="not null"),
        pytest.param("a == 'null'", [], id="a string"),
    ],
)
def test_null_tests(text: str, expected: list[tuple[str, int, int, bool]]) -> None:
    found = null_tests(tokens(text), frozenset({"a", "b"}))
    assert [(each.field, each.start, each.end, each.negated) for each in found] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a && b", ("a", "b"), id="two"),
        pytest.param("a && (b && c) && d(e && f)", ("a", "(b && c)", "d(e && f)"), id="brackets"),
        pytest.param("a || b && c", ("a || b && c",), id="or binds less"),
        pytest.param("a ? b : c && d", ("a ? b : c && d",), id="conditional binds less"),
        pytest.param("a == '&&'", ("a == '&&'",), id="in a string"),
        pytest.param(" a ", ("a",), id="one"),
    ],
)
def test_conjuncts(text: str, expected: tuple[str, ...]) -> None:
    assert conjuncts(text) == expected
