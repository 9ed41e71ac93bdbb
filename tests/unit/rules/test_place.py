import pytest

from watcher.lib.yamlpos import load
from watcher.rules.place import position_within


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("key: aa >= 3 && HERE", id="plain"),
        pytest.param("key: aa >= 3\n  && HERE", id="plain, folded"),
        pytest.param("key: aa   \n\n     && HERE # comment", id="plain, with a blank line"),
        pytest.param("key: 'it''s' # x", id="single quotes, cut"),
        pytest.param("key: 'a == ''b'' && HERE'", id="single quotes"),
        pytest.param("key: 'a\n  && HERE'", id="single quotes, folded"),
        pytest.param('key: "a == \\"b\\" && \\x41\\u0042 && HERE"', id="double quotes, escapes"),
        pytest.param('key: "a \\\n    && HERE"', id="double quotes, escaped line break"),
        pytest.param('key: "a\\n && HERE"', id="double quotes, written line break"),
        pytest.param("key: |\n  a\n    && b\n  && HERE\n", id="literal block"),
        pytest.param("key: |2-\n    a\n  && HERE\n", id="literal block with an indentation mark"),
        pytest.param("key: >-\n  a\n  && b\n\n  && HERE\n", id="folded block"),
        pytest.param("key: | # why\n\n  a\n\n  && HERE\n", id="literal block, blank lines"),
        pytest.param("key: &x !!str 'a && HERE'", id="anchor and tag"),
        pytest.param("key: |\r\n  a\r\n  && HERE\r\n", id="carriage returns"),
        pytest.param("x: [1,\n {key: a && HERE}]\n", id="flow"),
        pytest.param("# é😀\nkey: é😀 && HERE", id="beyond ASCII"),
    ],
)
def test_a_place_inside_a_scalar_is_found_in_the_file(source: str) -> None:
    document = load(source, "f.yaml")
    path: tuple[str | int, ...] = ("x", 1, "key") if source.startswith("x") else ("key",)
    text = document.source(path) or ""
    mark = "HERE" if "HERE" in source else "s"
    index = text.index(mark)
    line, column = text[:index].count("\n") + 1, index - (text[:index].rfind("\n") + 1) + 1
    found = position_within(document, path, line, column)
    assert source.splitlines()[found.line - 1][found.column - 1 :].startswith(mark)


def test_the_end_of_the_text_is_behind_its_last_character() -> None:
    found = position_within(load("key: 'a &&'", "f.yaml"), ("key",), 1, 5)
    assert (found.line, found.column) == (1, 11)


def test_what_is_no_scalar_keeps_its_own_position() -> None:
    found = position_within(load("key: [1]", "f.yaml"), ("key",), 1, 3)
    assert (found.line, found.column) == (1, 6)
