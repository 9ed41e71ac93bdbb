"""Fields that are lists of texts, in expressions."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from watcher.model.signals import PodNotReady, WorkloadDown
from watcher.rules.cel import compile_expression
from watcher.rules.cel_errors import CelError

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
DOWN = msgspec.structs.asdict(WorkloadDown(since=NOW, pods=3, causes=("ContainerCrashLooping", "PodPending")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('"PodPending" in causes', True, id="in"),
        pytest.param('!("PodFailed" in causes)', True, id="not in"),
        pytest.param("size(causes) == 2", True, id="size"),
        pytest.param("causes.size() < pods", True, id="size as a method"),
        pytest.param("causes == []", False, id="empty"),
        pytest.param('causes == ["ContainerCrashLooping", "PodPending"]', True, id="equal"),
        pytest.param('causes.exists(each, each.startsWith("Pod"))', True, id="exists"),
        pytest.param('causes.all(each, each.matches("^Pod"))', False, id="all"),
        pytest.param('causes[0] == "ContainerCrashLooping"', True, id="first"),
    ],
)
def test_a_list_is_asked_as_lists_are(text: str, expected: bool) -> None:
    assert compile_expression(text, WorkloadDown).evaluate(DOWN) == (expected, "")


def test_a_list_that_is_empty_has_no_first_text() -> None:
    fields = msgspec.structs.asdict(PodNotReady(since=NOW))
    assert compile_expression("size(containers) == 0", PodNotReady).evaluate(fields) == (True, "")
    value, error = compile_expression('containers[0] == "app"', PodNotReady).evaluate(fields)
    assert value is None
    assert error


@pytest.mark.parametrize("text", ["causes == 2", '"a" == causes', "2 in causes"], ids=["int", "text", "int in it"])
def test_a_list_of_texts_holds_texts(text: str) -> None:
    with pytest.raises(CelError):
        compile_expression(text, WorkloadDown)
