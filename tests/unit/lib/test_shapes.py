"""pydantic's verdicts as problems: places, sentences, and never the value."""

from datetime import timedelta
from textwrap import dedent
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field, ValidationError

from watcher.lib.shapes import Duration, Shape, nearest, shape_problems
from watcher.lib.yamlpos import load


class Leaf(Shape):
    UNKNOWN_KEYS: ClassVar[dict[str, str]] = {"old": "old is gone: write size"}
    size: int = 0
    text: str = ""
    kind: Literal["a", "b"] = "a"
    span: Duration = timedelta()
    on: bool = False


class Root(Shape):
    name: str
    leaf: Leaf | None = None
    leaves: list[Leaf] = Field(default_factory=list)
    by_name: dict[str, Leaf] = Field(default_factory=dict)
    words: list[str] = Field(default_factory=list)
    some: list[str] = Field(default=["x"], min_length=1)


def problems(text: str) -> list[str]:
    document = load(dedent(text), "f.yaml")
    with pytest.raises(ValidationError) as caught:
        Root.model_validate(document.data)
    return [str(problem) for problem in shape_problems(caught.value, document, Root, ())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("leaf: {}", "f.yaml:1:1: name is missing", id="missing"),
        pytest.param("{name: a, lef: {}}", "f.yaml:1:11: unknown key lef; did you mean leaf?", id="unknown, near one"),
        pytest.param(
            "{name: a, qqq: 1}",
            "f.yaml:1:11: unknown key qqq: known are by_name, leaf, leaves, name, some, words",
            id="unknown, near none",
        ),
        pytest.param("{name: a, leaf: {old: 1}}", "f.yaml:1:18: old is gone: write size", id="known to be unknown"),
        pytest.param(
            "{name: a, leaves: [{}, {sise: 1}]}", "f.yaml:1:25: unknown key sise; did you mean size?", id="in a list"
        ),
        pytest.param(
            "{name: a, by_name: {x: {txt: 1}}}", "f.yaml:1:25: unknown key txt; did you mean text?", id="in a mapping"
        ),
        pytest.param("{name: 3}", "f.yaml:1:8: name must be text: put it in quotes", id="number for text"),
        pytest.param("{name: [a]}", "f.yaml:1:8: name must be text, not a list", id="list for text"),
        pytest.param(
            "{name: }", "f.yaml:1:8: name must be text, not empty (text that begins with # needs quotes)", id="nothing"
        ),
        pytest.param("{name: a, words: b}", "f.yaml:1:18: words must be a list, not text", id="text for a list"),
        pytest.param("{name: a, words: [b, 3]}", "f.yaml:1:22: words[1] must be text: put it in quotes", id="item"),
        pytest.param("{name: a, some: []}", "f.yaml:1:17: some must not be empty", id="empty list"),
        pytest.param("{name: a, leaf: []}", "f.yaml:1:17: leaf must be a mapping, not a list", id="list for a mapping"),
        pytest.param(
            "{name: a, leaf: {size: x}}", "f.yaml:1:24: size must be a whole number, not text", id="no number"
        ),
        pytest.param("{name: a, leaf: {kind: c}}", "f.yaml:1:24: kind must be 'a' or 'b'", id="no choice"),
        pytest.param("{name: a, leaf: {on: 7}}", "f.yaml:1:22: on must be true or false", id="no truth"),
        pytest.param(
            "{name: a, leaf: {span: 7}}",
            "f.yaml:1:24: duration '7' has no unit: write 7s for seconds, 7m for minutes",
            id="no unit",
        ),
        pytest.param(
            "{name: a, leaf: {span: [7]}}",
            "f.yaml:1:24: span must be a duration such as 30s, 5m or 1h30m",
            id="no duration",
        ),
        pytest.param("[]", "f.yaml:1:1: this must be a mapping, not a list", id="no mapping at all"),
    ],
)
def test_each_problem_has_a_place_and_says_what_to_do(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_all_problems_come_at_once() -> None:
    assert len(problems("{leaf: {size: x, kind: c}, words: 3}")) == 4


def test_what_was_given_is_not_repeated() -> None:
    secret = "S3CRET"
    texts = [f"{{name: a, leaf: {secret}}}", f"{{name: a, leaf: {{size: {secret}, kind: {secret}, on: {secret}}}}}"]
    assert not any(secret in problem for text in texts for problem in problems(text))


def test_yes_and_on_are_truths_as_in_files_made_for_go() -> None:
    data: Any = load("{size: 1, on: yes}", "f.yaml").data
    assert Leaf.model_validate(data).on


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("recievers", "receivers", id="swapped"),
        pytest.param("RECEIVERS", "receivers", id="case"),
        pytest.param("zzz", "", id="far from all"),
    ],
)
def test_the_nearest_word_is_found(name: str, expected: str) -> None:
    assert nearest(name, ("receivers", "route")) == expected
