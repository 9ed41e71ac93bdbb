"""Scenario files: what they mean, and what is said of wrong ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.demo.stage import START, Stage
from watcher.demo import scenario as scenarios
from watcher.demo import steps
from watcher.demo.behaviour import PULL_ERRORS, CannotPull, Die, Run, go_duration, pull_failure
from watcher.demo.faults import DropWatches
from watcher.demo.player import Player, plan_of
from watcher.demo.scenario import ScenarioError, load_scenario, parse_scenario, shipped
from watcher.demo.steps import ACTIONS


def test_every_shipped_scenario_is_valid_and_plays_to_its_end() -> None:
    assert set(shipped()) >= {"tour", "healthy", "crashloop", "oom", "imagepull"}
    for name in shipped():
        scenario = load_scenario(name)
        assert scenario.name == name
        assert scenario.about


@pytest.mark.parametrize("name", ["healthy", "crashloop", "oom", "imagepull", "tour"])
def test_a_shipped_scenario_ends_with_everything_well(name: str) -> None:
    stage = Stage()
    scenario = load_scenario(name)
    stage.timeline.restart(START - scenario.history)
    Player(stage.world, scenario, stage.faults.append).begin()
    stage.run((scenario.history + scenario.end() + timedelta(minutes=20)).total_seconds())
    for deployment in stage.cluster.list("Deployment"):
        assert deployment["status"]["readyReplicas"] == deployment["spec"]["replicas"], deployment["metadata"]["name"]


def test_a_history_has_happened_when_the_scenario_begins() -> None:
    stage = Stage("history: 26h\nworkloads: [{deployment: a/web, image: 'r/x:1', does: {crash: {times: 2}}}]")
    assert stage.timeline.now() == START
    (pod,) = stage.cluster.list("Pod")
    assert pod["metadata"]["creationTimestamp"] == "2026-11-19T08:00:00Z"
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 2
    assert pod["status"]["containerStatuses"][0]["ready"] is True


def test_steps_count_from_the_beginning_not_from_the_history() -> None:
    stage = Stage(
        "history: 1h\nworkloads: [{deployment: a/web, image: 'r/x:1'}]\n"
        "timeline: [{at: 60s, scale: a/web, replicas: 3}]"
    )
    stage.run(59)
    assert len(stage.cluster.list("Pod")) == 1
    stage.run(10)
    assert len(stage.cluster.list("Pod")) == 3


def test_claims_fill_and_steps_reach_faults_logs_and_notes() -> None:
    stage = Stage(
        "claims: [{claim: a/data, size: 10Gi, used: 50}]\n"
        "workloads: [{statefulset: a/db, image: 'r/x:1', volumes: {data: data}}]\n"
        "timeline:\n"
        "  - {at: 60s, fill: a/data, to: 90, over: 10m}\n"
        "  - {at: 60s, fault: {fault: drop_watches, abrupt: true}}\n"
        "  - {at: 60s, claim_phase: a/data, phase: Lost, message: gone}\n"
        "  - {at: 60s, log: a/db, lines: [one, two]}\n"
        "  - {at: 60s, note: a/db, reason: Probe, message: slow, warning: true}\n"
    )
    stage.run(61)
    assert stage.faults == [DropWatches(abrupt=True)]
    assert stage.logs.read("a", "db-0", {}) == b"one\ntwo\n"
    assert stage.events("Probe")[0]["type"] == "Warning"
    assert stage.cluster.list("PersistentVolumeClaim")[0]["status"]["phase"] == "Lost"
    assert stage.events("ProvisioningFailed")[0]["involvedObject"]["name"] == "data"
    node = stage.cluster.list("Pod")[0]["spec"]["nodeName"]
    shares = []
    for _ in range(3):
        (volume,) = [
            v
            for p in stage.stats.summary(node)["pods"]
            for v in p["volume"]
            if v.get("pvcRef", {}).get("name") == "data"
        ]
        shares.append(round(100 * volume["usedBytes"] / volume["capacityBytes"]))
        stage.run(300)
    assert shares == [50, 68, 88]


def test_a_step_whose_target_is_gone_breaks_loudly() -> None:
    stage = Stage("workloads: [{pod: a/x, image: 'r/x:1'}]\ntimeline: [{at: 1s, remove: a/x}, {at: 2s, crash: a/x}]")
    with pytest.raises(KeyError, match="no workload a/x to crash"):
        stage.run(5)


WRONG = """\
scenario: wrong
workloads:
  - deployment: shop/web
    image: r/x:1
    replicas: many
    does: {crash: {exit: 1}, oom: {}}
  - {image: "r/y:1"}
timelime: []
"""


def test_everything_wrong_is_said_at_once_with_its_place() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(WRONG, "wrong.yaml")
    messages = [str(problem) for problem in caught.value.problems]
    assert messages == [
        "wrong.yaml:5:15: replicas must be a whole number, not text",
        "wrong.yaml:6:11: only one behaviour is possible, not crash and oom",
        "wrong.yaml:7:5: a workload needs one of deployment, statefulset, daemonset, job, cronjob, pod",
        "wrong.yaml:8:1: unknown key timelime; did you mean timeline?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "timeline: [{at: 1s, crash: a/nope}]", "there is no workload 'a/nope'; known are a/x", id="target"
        ),
        pytest.param("timeline: [{crash: a/x, container: y}]", "a/x has no container 'y'; it has app", id="container"),
        pytest.param("timeline: [{at: 1s, crahs: a/x}]", "did you mean crash where crahs stands?", id="misspelt"),
        pytest.param("timeline: [{at: 1s}]", "a step needs an action: one of crash", id="no action"),
        pytest.param("timeline: [{crash: a/x, scale: a/x}]", "one action, not crash and scale", id="two actions"),
        pytest.param("timeline: [{scale: a/x}]", "replicas is missing", id="missing option"),
        pytest.param("timeline: [{crash: a/x, replicas: 3}]", "unknown key replicas", id="foreign option"),
        pytest.param("timeline: [{at: soon, crash: a/x}]", "soon", id="no time"),
        pytest.param("timeline: [{node_down: node-9}]", "there is no node 'node-9'", id="node"),
        pytest.param("timeline: [{fill: a/x, to: 90}]", "there is no claim 'a/x'; known are none", id="claim"),
        pytest.param("timeline: [{fault: {fault: nonsense}}]", "no such fault: Invalid value 'nonsense'", id="fault"),
        pytest.param("timeline: [{become: a/x, then: {dance: 1}}]", "unknown key dance", id="behaviour"),
        pytest.param("claims: [{claim: a/c, size: large}]", "'large' is not a quantity", id="size"),
    ],
)
def test_what_a_scenario_cannot_mean(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(f"scenario: s\nworkloads: [{{deployment: a/x, image: 'r/x:1'}}]\n{text}\n")
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.position.line == 3


def test_a_volume_needs_its_claim_and_a_workload_a_namespace() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(
            "scenario: s\nworkloads:\n  - {pod: x, image: 'r/x:1'}\n  - {pod: a/y, image: 'r/x:1', volumes: {d: e}}\n"
            "  - {pod: a/y, image: 'r/x:1'}\n"
        )
    messages = [problem.message for problem in caught.value.problems]
    assert messages == [
        "'x' must be NAMESPACE/NAME",
        "there is no claim a/e under `claims`",
        "there are two workloads a/y",
    ]


def test_every_action_is_in_the_documentation_of_its_module() -> None:
    assert steps.__doc__ is not None
    for action in ACTIONS:
        assert f"    {action}: " in steps.__doc__ or f"/ {action}: " in steps.__doc__, action


def test_the_example_in_the_documentation_is_a_valid_scenario() -> None:
    assert scenarios.__doc__ is not None
    lines = [line[4:] for line in scenarios.__doc__.splitlines() if line.startswith("    ")]
    parsed = parse_scenario("\n".join(lines))
    assert parsed.history == timedelta(hours=2)
    assert [step.action for step in parsed.steps] == ["crash", "recover"]


@pytest.mark.parametrize("cause", sorted(PULL_ERRORS))
def test_every_pull_error_names_the_image_and_leaves_no_gap(cause: str) -> None:
    reason, message = pull_failure(cause, "registry.example.com/shop/web:1.2", modern=True)
    assert reason == "ErrImagePull"
    assert "registry.example.com/shop/web:1.2" in message
    assert "{" not in message


def test_any_text_can_be_a_pull_error() -> None:
    assert pull_failure("boom {image} {x}", "r/x:1", modern=False) == ("ErrImagePull", "boom r/x:1 {x}")


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (60, "1m0s"), (160, "2m40s"), (300, "5m0s"), (3600, "1h0m0s")]
)
def test_spans_are_written_as_go_writes_them(seconds: int, text: str) -> None:
    assert go_duration(timedelta(seconds=seconds)) == text


def test_behaviours_are_read_with_their_defaults() -> None:
    parsed = parse_scenario(
        "scenario: s\nworkloads:\n"
        "  - {pod: a/a, image: 'r/x:1', does: {oom: {}}}\n  - {pod: a/b, image: 'r/x:1', does: {cannot_pull: tls}}\n"
        "  - {pod: a/c, image: 'r/x:1', does: {run: {ready: false}}}\n  - {pod: a/d, image: 'r/x:1'}\n"
    )
    found = [plan_of(shape).does.get("app") for shape in parsed.workloads]
    assert found == [
        Die(exit=137, reason="OOMKilled", after=timedelta(seconds=20)),
        CannotPull(cause="tls"),
        Run(ready=False),
        None,
    ]
