"""Rule files become rules, or every error at once with file, line and column."""

from datetime import timedelta
from textwrap import dedent

import pytest

from watcher.lib.problems import Problem
from watcher.lib.yamlpos import Document, YamlError, load
from watcher.model.rule import CompiledRule
from watcher.model.signals import CrashLooping
from watcher.rules.compile import compile_rules


def document(text: str, file: str = "mine.yaml") -> Document:
    return load(dedent(text).lstrip("\n"), file)


def problems(*texts: str) -> list[str]:
    _, found = compile_rules([document(text, f"{'abc'[index]}.yaml") for index, text in enumerate(texts)])
    return [str(problem) for problem in found]


def rules(*texts: str) -> tuple[CompiledRule, ...]:
    compiled, found = compile_rules([document(text) for text in texts])
    assert found == []
    return compiled


def rule(line: str) -> str:
    """A file with one rule; the line given stands in line 6, from column 9."""
    return f"""
        groups:
          - name: mine
            rules:
              - alert: Mine
                signal: CrashLooping
                {line}
        """


GOOD = """
    groups:
      - name: mine
        rules:
          - alert: Mine
            signal: CrashLooping
            where: deaths_10m >= 3
            until: ready
            for: 1m
            keep_firing_for: 1h30m
            per: pod
            labels: {severity: critical, team: shop}
            annotations:
              summary: "{{ workload }} died {{ deaths_10m }} times ({{ members | length }} pods)"
          - alert: Mine
            signal: CrashLooping
          - alert: Other
            signal: PodFailed
    """


def test_a_rule_has_what_its_file_says() -> None:
    first, second, other = rules(GOOD)
    assert (first.id, second.id, other.id) == ("Mine", "Mine#2", "Other")
    assert (first.alert, first.group, first.signal) == ("Mine", "mine", CrashLooping)
    assert first.where is not None
    assert first.where.text == "deaths_10m >= 3"
    assert first.until is not None
    assert first.until.text == "ready"
    assert (first.hold, first.keep_firing_for, first.per) == (timedelta(minutes=1), timedelta(minutes=90), "pod")
    assert first.labels == {"severity": "critical", "team": "shop"}
    assert first.severity == "critical"
    values = {"workload": "api", "deaths_10m": 4, "members": [1, 2]}
    assert first.annotations["summary"].render(values) == "api died 4 times (2 pods)"


def test_what_a_rule_leaves_out_has_the_documented_default() -> None:
    rule = rules(GOOD)[1]
    assert rule.where is None
    assert rule.until is None
    assert (rule.hold, rule.keep_firing_for, rule.per) == (timedelta(), timedelta(), "workload")
    assert rule.labels == {}


def test_the_hash_changes_with_the_rule_and_not_with_its_place() -> None:
    before, after = rules(GOOD)[0], rules("# moved\n" + dedent(GOOD).lstrip())[0]
    assert before.text_hash == after.text_hash
    changed = rules(GOOD.replace("deaths_10m >= 3", "deaths_10m >= 4"))[0]
    assert changed.text_hash != before.text_hash


def test_a_boolean_without_quotes_is_an_expression() -> None:
    (compiled,) = rules(rule("until: false"))
    assert compiled.until is not None
    assert compiled.until.text == "false"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("fro: 5m", "a.yaml:6:9: unknown key fro; did you mean for?", id="unknown key"),
        pytest.param(
            "expr: up == 0",
            "a.yaml:6:9: expr is PromQL, which Watcher does not have: write signal and where instead",
            id="PromQL",
        ),
        pytest.param(
            "where: deaths_10 >= 3",
            "a.yaml:6:16: CrashLooping has no field 'deaths_10'; did you mean 'deaths_10m'?",
            id="misspelt field, plain",
        ),
        pytest.param(
            "where: 'ready && reason == ''x'' && redy'",
            "a.yaml:6:45: CrashLooping has no field 'redy'; did you mean 'ready'?",
            id="misspelt field, behind doubled quotation marks",
        ),
        pytest.param(
            "where: >-\n                  ready &&\n                  deaths_10 >= 3",
            "a.yaml:8:11: CrashLooping has no field 'deaths_10'; did you mean 'deaths_10m'?",
            id="misspelt field, folded block",
        ),
        pytest.param(
            "until: |\n                  ready\n                  && redy",
            "a.yaml:8:14: CrashLooping has no field 'redy'; did you mean 'ready'?",
            id="misspelt field, literal block",
        ),
        pytest.param(
            'where: reason.matches("[a")', 'a.yaml:6:31: bad regex "[a": missing ]: [a', id="bad regex in matches()"
        ),
        pytest.param("where: deaths_10m", "a.yaml:6:16: the result must be true or false, not INT", id="no condition"),
        pytest.param("where: 3", "a.yaml:6:16: where must be text: put it in quotes", id="a number for a condition"),
        pytest.param(
            "for: 5", "a.yaml:6:14: duration '5' has no unit: write 5s for seconds, 5m for minutes", id="no unit"
        ),
        pytest.param("per: container", "a.yaml:6:14: per must be 'workload' or 'pod'", id="per"),
        pytest.param(
            "labels: {severity: bad}",
            "a.yaml:6:28: severity must be one of critical, warning, info",
            id="severity",
        ),
        pytest.param(
            'labels: {severity: "{{ cause }}"}',
            "a.yaml:6:28: a label is constant: templates are for annotations",
            id="severity that is no constant",
        ),
        pytest.param(
            "labels: {a-b: c}", "a.yaml:6:18: a-b is no label name: letters, digits and _ only", id="label name"
        ),
        pytest.param(
            "labels: {namespace: c}",
            "a.yaml:6:18: the label namespace is set by Watcher: remove it or rename it",
            id="label of the subject",
        ),
        pytest.param("labels: {team: 3}", "a.yaml:6:24: team must be text: put it in quotes", id="label value"),
        pytest.param(
            'annotations: {summary: "{{ workloda }}"}',
            "a.yaml:6:36: there is no value workloda, did you mean workload?",
            id="unknown name in a template",
        ),
        pytest.param(
            "annotations:\n                  summary: |\n                    {{ workload }}\n"
            "                    is {{ deaths_10m | percnt }}",
            "a.yaml:9:32: there is no filter percnt, did you mean percent?",
            id="unknown filter in the second line of a template",
        ),
        pytest.param(
            'annotations: {summary: "{% if %}"}',
            "a.yaml:6:33: Expected an expression, got 'end of statement block'",
            id="template syntax",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_with_its_place(line: str, expected: str) -> None:
    assert problems(rule(line)) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("groups: 3", "a.yaml:1:9: groups must be a list", id="groups"),
        pytest.param("group: []", "a.yaml:1:1: unknown key group; did you mean groups?", id="unknown key"),
        pytest.param("groups: [{rules: []}]", "a.yaml:1:10: name is missing", id="group without a name"),
        pytest.param(
            "groups: [{name: a, rules: []}, {name: a, rules: []}]",
            "a.yaml:1:39: the group a is there already, in line 1",
            id="group twice",
        ),
        pytest.param("groups: [{name: a, rules: [x]}]", "a.yaml:1:28: rules[0] must be a mapping, not text", id="rule"),
        pytest.param(
            "groups: [{name: a, rules: [{signal: CrashLooping}]}]", "a.yaml:1:28: alert is missing", id="no alert"
        ),
        pytest.param("groups: [{name: a, rules: [{alert: X}]}]", "a.yaml:1:28: signal is missing", id="no signal"),
        pytest.param(
            "groups: [{name: a, rules: [{alert: X, signal: Crashlooping}]}]",
            "a.yaml:1:47: there is no signal Crashlooping; did you mean CrashLooping?",
            id="misspelt signal",
        ),
        pytest.param(
            "groups: [{name: a, rules: [{alert: 'a|b', signal: PodFailed}]}]",
            "a.yaml:1:36: an alert's name must not be empty, nor hold |, # or control characters",
            id="alert name",
        ),
        pytest.param("[]", "a.yaml:1:1: this must be a mapping, not a list", id="list"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(text: str, expected: str) -> None:
    assert expected in problems(text)


def test_rules_of_one_alert_stand_in_one_group() -> None:
    first = "groups: [{name: a, rules: [{alert: X, signal: PodFailed}]}]"
    second = "groups: [{name: a, rules: [{alert: X, signal: PodFailed}]}]"
    assert problems(first, second) == [
        "b.yaml:1:36: the alert X is in another group too (a.yaml:1:36): rules of one alert stand in one group"
    ]


def test_a_rule_that_can_never_fire_is_a_warning_and_a_rule_all_the_same() -> None:
    compiled, found = compile_rules([document(rule("where: ready && 1 > 2"))])
    assert len(compiled) == 1
    assert [(problem.is_error, problem.message) for problem in found] == [
        (False, "this is always false: the rule can never fire")
    ]


def test_all_errors_of_all_files_come_at_once() -> None:
    found = problems(
        rule("where: redy\n                fro: 1m\n                for: x"), rule("per: x").replace("Mine", "B")
    )
    places = sorted(text.split(": ")[0] for text in found)
    assert places == ["a.yaml:6:16", "a.yaml:7:9", "a.yaml:8:14", "b.yaml:6:14"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param('where: "app" == container', "goes on after its closing quotation mark", id="quotation mark"),
        pytest.param("where: !ready", "starts with !", id="exclamation mark"),
        pytest.param("where: ready ? true : false", "holds a colon with a space", id="colon with spaces"),
    ],
)
def test_an_expression_that_yaml_cannot_read_is_to_be_put_in_quotes(line: str, says: str) -> None:
    with pytest.raises(YamlError) as caught:
        document(rule(line))
    (problem,) = caught.value.problems
    assert problem.position.line == 6
    assert "quotes" in problem.message
    assert says in problem.message or "YAML tag" in problem.message


def test_a_duplicate_key_is_refused() -> None:
    with pytest.raises(YamlError, match=r"mine\.yaml:6:9: signal is given twice, first in line 5"):
        document(rule("signal: PodFailed"))


def test_problems_are_records_with_a_position() -> None:
    _, found = compile_rules([document(rule("per: x"))])
    assert isinstance(found[0], Problem)
    assert (found[0].position.file, found[0].position.line, found[0].position.column) == ("mine.yaml", 6, 14)


def test_a_field_that_only_grows_with_time_is_refused_in_where_and_allowed_in_until(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None of the present signals has one, so the table is filled for this test."""
    monkeypatch.setattr("watcher.rules.compile.GROWING_FIELDS", frozenset({"deaths_6h"}))
    assert problems(rule("where: ready && deaths_6h > 3")) == [
        "a.yaml:6:25: deaths_6h only grows with time: leave it out of where and say how long with for"
    ]
    assert problems(rule("until: deaths_6h > 3")) == []
