"""Expressions over the fields of a signal: values, undecided ones, and errors with their places."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.model.signals import SIGNALS, CrashLooping, OOMKilled
from watcher.rules.cel import MAX_BYTES, CelExpression, compile_expression, used_fields
from watcher.rules.cel_errors import CelError, Issue

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def fields(**values: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(CrashLooping(since=NOW, **values))


def value(text: str, **values: Any) -> bool | None:
    decided, error = compile_expression(text, CrashLooping).evaluate(fields(**values))
    assert error == ""
    return decided


def issues(text: str) -> tuple[Issue, ...]:
    with pytest.raises(CelError) as caught:
        compile_expression(text, CrashLooping)
    return caught.value.issues


def only(text: str) -> tuple[int, int, str]:
    (issue,) = issues(text)
    return issue.line, issue.column, issue.message


# -- values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS.keys())
def test_every_field_of_every_signal_is_known(signal: type[Any]) -> None:
    for name in signal.__struct_fields__:
        expression = compile_expression(f"{name} == {name}", signal)
        assert expression.names == (name,)


def test_namespace_is_used_bare_though_cel_reserves_the_word() -> None:
    assert value('namespace == "shop"', namespace="shop") is True
    assert value('namespace.startsWith("b") || namespace in ["a", "shop"]', namespace="shop") is True


def test_the_word_namespace_keeps_its_meaning_in_strings_and_behind_a_dot() -> None:
    assert value('labels.namespace == "namespace"', labels={"namespace": "namespace"}) is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ran_seconds >= 40", True, id="decimal field, whole number"),
        pytest.param("40 <= ran_seconds", True, id="whole number, decimal field"),
        pytest.param("ran_seconds == 40", True, id="equal"),
        pytest.param("ran_seconds != 40", False, id="not equal"),
        pytest.param("deaths_10m > 2.5", True, id="whole field, decimal number"),
        pytest.param("exit_code < 1.5", True, id="whole field that may be null, decimal number"),
        pytest.param("ran_seconds > 39.9", True, id="both decimal"),
    ],
)
def test_whole_and_decimal_numbers_compare(text: str, expected: bool) -> None:
    assert value(text, ran_seconds=40.0, deaths_10m=3, exit_code=1) is expected


def test_times_compare_with_literals() -> None:
    assert value('since >= timestamp("2026-11-20T10:00:00Z")') is True
    assert value('since > timestamp("2026-11-20T10:00:00Z") + duration("1s")') is False


def test_a_missing_label_has_a_default_where_the_author_gives_one() -> None:
    assert value('labels[?"team"].orValue("none") == "none"') is True


# -- undecided ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("backoff_seconds >= 40", id="greater"),
        pytest.param("!(backoff_seconds >= 40)", id="negated"),
        pytest.param("exit_code == 1", id="equal"),
        pytest.param("exit_code != 0", id="not equal, which CEL itself would call true"),
        pytest.param("exit_code in [1, 2]", id="in a list"),
        pytest.param("exit_code + 1 > 1", id="inside arithmetic"),
        pytest.param('labels["team"] == "a"', id="label that the object lacks"),
        pytest.param("backoff_seconds >= 40 ? true : false", id="as a condition"),
        pytest.param("deaths_10m >= 3 || backoff_seconds >= 40", id="or with something false"),
        pytest.param("deaths_10m < 3 && backoff_seconds >= 40", id="and with something true"),
    ],
)
def test_an_unknown_value_is_undecided_and_no_error(text: str) -> None:
    assert value(text) is None


def test_an_unknown_value_does_not_matter_where_the_rest_decides() -> None:
    text = "deaths_10m >= 3 || (in_backoff && backoff_seconds >= 40)"
    assert value(text, deaths_10m=3, in_backoff=True) is True
    assert value(text, deaths_10m=2, in_backoff=False) is False
    assert value(text, deaths_10m=2, in_backoff=True) is None
    assert value(text, deaths_10m=2, in_backoff=True, backoff_seconds=40.0) is True


Formula = tuple[str, bool | None]
"""A text and its value in Kleene's logic of true, false and unknown."""

ATOMS: tuple[Formula, ...] = (
    ("deaths_10m >= 3", True),
    ("deaths_10m < 3", False),
    ("backoff_seconds >= 40", None),
    ("exit_code != 0", None),
    ("exit_code == null", True),
    ("ran_seconds == null", False),
    ('labels["team"] == "a"', None),
)


def _not(one: Formula) -> Formula:
    return f"!({one[0]})", None if one[1] is None else not one[1]


def _and(pair: tuple[Formula, Formula]) -> Formula:
    (left, a), (right, b) = pair
    return f"({left}) && ({right})", False if False in (a, b) else None if None in (a, b) else True


def _or(pair: tuple[Formula, Formula]) -> Formula:
    (left, a), (right, b) = pair
    return f"({left}) || ({right})", True if True in (a, b) else None if None in (a, b) else False


def _larger(smaller: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    pairs = st.tuples(smaller, smaller)
    return st.one_of(smaller.map(_not), pairs.map(_and), pairs.map(_or))


@given(st.recursive(st.sampled_from(ATOMS), _larger, max_leaves=6))
@settings(max_examples=100, deadline=None)
def test_unknown_values_combine_as_in_kleenes_logic(formula: Formula) -> None:
    assert value(formula[0], deaths_10m=3, ran_seconds=1.0) is formula[1]


@given(st.text(alphabet=st.sampled_from("readynull&|=!()[]{}'\"\\ .?:,3\n/é\x00"), max_size=40))
@settings(max_examples=200, deadline=None)
def test_whatever_the_text_only_a_cel_error_comes_of_it(text: str) -> None:
    found: tuple[Issue, ...] = ()
    try:
        compile_expression(text, CrashLooping).evaluate(fields())
    except CelError as error:
        found = error.issues
    assert all(issue.line >= 1 and issue.column >= 1 for issue in found)


@pytest.mark.parametrize(
    ("text", "when_null", "when_one"),
    [
        pytest.param("exit_code == null", True, False, id="is null"),
        pytest.param("exit_code != null", False, True, id="is not null"),
        pytest.param("null == exit_code", True, False, id="null first"),
        pytest.param("exit_code == null || exit_code != 0", True, True, id="null or failed"),
        pytest.param("exit_code != null && exit_code == 1", False, True, id="guarded"),
        pytest.param("!(exit_code == null) && ran_seconds == null", False, True, id="two fields"),
    ],
)
def test_only_a_comparison_with_null_asks_whether_a_value_is_known(text: str, when_null: bool, when_one: bool) -> None:
    assert value(text) is when_null
    assert value(text, exit_code=1) is when_one


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("1 / deaths_10m > 0", "divide by zero", id="division by zero"),
        pytest.param("reason.matches(message)", "invalid regular expression", id="regex from a field"),
    ],
)
def test_an_error_at_run_time_is_undecided_and_named(text: str, error: str) -> None:
    decided, said = compile_expression(text, CrashLooping).evaluate(fields(message="["))
    assert decided is None
    assert error in said


def test_a_value_that_cel_cannot_take_does_not_raise() -> None:
    decided, said = compile_expression('reason == "a"', CrashLooping).evaluate(fields(reason="\ud800"))
    assert decided is None
    assert said


# -- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "ready && deaths_10 >= 3",
            (1, 10, "CrashLooping has no field 'deaths_10'; did you mean 'deaths_10m'?"),
            id="misspelt field",
        ),
        pytest.param(
            "Ready",
            (1, 1, "CrashLooping has no field 'Ready'; did you mean 'ready'?"),
            id="field in another case",
        ),
        pytest.param(
            'namespac == "a"',
            (1, 1, "CrashLooping has no field 'namespac'; did you mean 'namespace'?"),
            id="misspelt reserved word",
        ),
        pytest.param(
            "deaths_10m >= 3\n  && redy",
            (2, 6, "CrashLooping has no field 'redy'; did you mean 'ready'?"),
            id="second line",
        ),
        pytest.param('deaths_10m > "3"', (1, 12, "> does not take int and string"), id="wrong type"),
        pytest.param("labels.app == 3", (1, 12, "== does not take string and int"), id="a label is text"),
        pytest.param("deaths_10m", (1, 1, "the result must be true or false, not INT"), id="not a condition"),
        pytest.param("deaths_10m = 3", (1, 12, "write == to compare"), id="one equals sign"),
        pytest.param("ready and in_backoff", (1, 7, "write && instead of and"), id="and"),
        pytest.param("ready OR in_backoff", (1, 7, "write || instead of OR"), id="or"),
        pytest.param("not ready", (1, 1, "write ! instead of not"), id="not"),
        pytest.param("ready &&", (1, 9, "the expression ends too early"), id="cut off"),
        pytest.param(
            'reason.startWith("a")',
            (1, 8, "there is no function startWith(); did you mean startsWith()?"),
            id="misspelt function",
        ),
        pytest.param("reason.matches()", (1, 8, "the function matches() takes other arguments"), id="wrong arguments"),
        pytest.param('reason.matches("[a")', (1, 16, 'bad regex "[a": missing ]: [a'), id="bad regex, method"),
        pytest.param("matches(reason, r'(')", (1, 17, "bad regex r'(': missing ): ("), id="bad regex, function"),
        pytest.param(
            'duration("7d") > duration("1h")',
            (1, 10, '"7d" is no duration of CEL\'s, such as 90s or 168h'),
            id="Prometheus' duration",
        ),
        pytest.param(
            'since > timestamp("2026")',
            (1, 19, '"2026" is no time such as 2026-11-20T10:00:00Z'),
            id="bad time",
        ),
        pytest.param(
            'ready && reason == "\ud800"', (1, 21, "this character is half of one: write it whole"), id="surrogate"
        ),
        pytest.param("  ", (1, 1, "the expression is empty: leave the key out to mean always"), id="empty"),
        pytest.param("a" * (MAX_BYTES + 1), (1, 1, "the expression is longer than 2048 bytes"), id="too long"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, expected: tuple[int, int, str]) -> None:
    assert only(text) == expected


def test_a_name_that_is_near_nothing_gets_the_list_of_fields() -> None:
    _, _, message = only("qqq > 3")
    assert message.startswith("CrashLooping has no field 'qqq': it has annotations, backoff_seconds, ")


def test_all_errors_of_an_expression_come_at_once_in_their_order() -> None:
    found = issues('redy && reason.matches("[") && namespce == "x"')
    assert [(issue.line, issue.column) for issue in found] == [(1, 1), (1, 24), (1, 32)]


def test_a_deeply_nested_expression_is_refused_and_crashes_nothing() -> None:
    _, _, message = only("(" * 500 + "ready" + ")" * 500)
    assert "recursion limit" in message


def test_our_names_inside_the_environments_cannot_be_used() -> None:
    assert only('_namespac == "a"')[2].startswith("CrashLooping has no field '_namespac'")
    assert only("_is_null_exit_code")[2].startswith("CrashLooping has no field '_is_null_exit_code'")


def test_a_null_comparison_inside_arithmetic_is_refused() -> None:
    with pytest.raises(CelError):
        compile_expression("1.5 + ran_seconds == null", CrashLooping)


# -- what the text tells -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("false", False, id="false"),
        pytest.param("1 > 2", False, id="arithmetic"),
        pytest.param("false && ready", False, id="false whatever the field"),
        pytest.param("true || ready", True, id="true whatever the field"),
        pytest.param("ready", None, id="a field"),
        pytest.param("exit_code == null", None, id="null test"),
    ],
)
def test_a_constant_is_known(text: str, expected: bool | None) -> None:
    assert compile_expression(text, CrashLooping).constant() is expected


def test_the_names_of_an_expression_are_in_the_order_of_its_text() -> None:
    expression: CelExpression = compile_expression('oom_class == "node" && limits.memory != ""', OOMKilled)
    assert expression.names == ("oom_class", "limits")
    assert [(name, place.column) for name, place in used_fields(expression.text, OOMKilled)] == [
        ("oom_class", 1),
        ("limits", 24),
    ]
