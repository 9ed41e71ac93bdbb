"""What kubectl shows in its columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.demo.stage import Stage
from watcher.demo import pods
from watcher.demo.pods import Container, terminated, waiting
from watcher.demo.podtable import human_duration, pod_cells
from watcher.demo.resources import RESOURCES
from watcher.demo.tables import column_definitions, row

NOW = pods.BORN + timedelta(hours=1)


def shown(pod: dict[str, Any]) -> tuple[Any, Any, Any]:
    """READY, STATUS, RESTARTS."""
    _, ready, status, restarts, *_ = pod_cells(pod, NOW)
    return ready, status, restarts


def of(*containers: Container, **fields: Any) -> dict[str, Any]:
    return pods.make("ns", "web", containers=containers or (Container(),), **fields)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(of(), ("1/1", "Running", "0"), id="running"),
        pytest.param(of(Container(ready=False)), ("0/1", "Running", "0"), id="not ready"),
        pytest.param(
            of(Container(state=waiting("CrashLoopBackOff"), last=terminated(1), restarts=4)),
            ("0/1", "CrashLoopBackOff", "4 (60m ago)"),
            id="crash loop with the time of the last death",
        ),
        pytest.param(
            of(Container(state=terminated(137, "OOMKilled"))), ("0/1", "OOMKilled", "0"), id="terminated with a reason"
        ),
        pytest.param(
            of(Container(state={"terminated": {"exitCode": 3, "reason": ""}})),
            ("0/1", "ExitCode:3", "0"),
            id="no reason",
        ),
        pytest.param(
            of(Container(state={"terminated": {"exitCode": 137, "signal": 9}})), ("0/1", "Signal:9", "0"), id="signal"
        ),
        pytest.param(
            of(Container(state=terminated(0)), status={"phase": "Succeeded"}), ("0/1", "Completed", "0"), id="completed"
        ),
        pytest.param(
            of(Container(state=terminated(0)), Container(name="two")),
            ("1/2", "NotReady", "0"),
            id="one of two completed",
        ),
        pytest.param(
            of(status={"phase": "Failed", "reason": "Evicted", "containerStatuses": None}),
            ("0/1", "Evicted", "0"),
            id="evicted",
        ),
        pytest.param(of(deleted=NOW), ("1/1", "Terminating", "0"), id="terminating"),
        pytest.param(
            of(deleted=NOW, status={"reason": "NodeLost"}), ("1/1", "Unknown", "0"), id="terminating on a lost node"
        ),
        pytest.param(
            of(
                Container(name="i", kind="init", state=waiting("PodInitializing")),
                Container(state=waiting("PodInitializing")),
            ),
            ("0/1", "Init:0/1", "0"),
            id="initializing",
        ),
        pytest.param(
            of(
                Container(name="i", kind="init", state=waiting("CrashLoopBackOff"), last=terminated(1), restarts=2),
                Container(state=waiting("PodInitializing")),
            ),
            ("0/1", "Init:CrashLoopBackOff", "2 (60m ago)"),
            id="init crash loop",
        ),
        pytest.param(
            of(
                Container(name="i", kind="init", state=terminated(2), ready=False),
                Container(state=waiting("PodInitializing")),
            ),
            ("0/1", "Init:Error", "0"),
            id="init failed",
        ),
        pytest.param(
            of(Container(name="proxy", kind="sidecar", restarts=1, last=terminated(1)), Container()),
            ("2/2", "Running", "1 (60m ago)"),
            id="a sidecar counts",
        ),
        pytest.param(
            of(Container(name="i", kind="init", restarts=3), Container()),
            ("1/1", "Running", "0"),
            id="init restarts are over",
        ),
    ],
)
def test_pods_are_printed_as_kubernetes_prints_them(pod: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert shown(pod) == expected


def test_a_gated_pod_says_so() -> None:
    gate = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    pod = of(status={"phase": "Pending", "conditions": [gate], "containerStatuses": []})
    assert shown(pod) == ("0/1", "SchedulingGated", "0")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (119, "119s"),
        (120, "2m"),
        (135, "2m15s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 120, "3h2m"),
        (9 * 3600 + 120, "9h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d1h"),
        (9 * 86400, "9d"),
        (800 * 86400, "2y70d"),
        (3650 * 86400, "10y"),
    ],
)
def test_spans_are_printed_in_two_units_at_most(seconds: int, text: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == text


def test_every_kind_has_as_many_cells_as_columns() -> None:
    stage = Stage(
        "claims: [{claim: a/c}]\n"
        "workloads:\n"
        "  - {deployment: a/d, image: 'r/x:1'}\n  - {statefulset: a/s, image: 'r/x:1'}\n"
        "  - {daemonset: a/e, image: 'r/x:1'}\n  - {cronjob: a/c, image: 'r/x:1', every: 1m}\n"
    )
    stage.cluster.put({"kind": "Lease", "metadata": {"name": "l", "namespace": "a"}, "spec": {"holderIdentity": "me"}})
    stage.cluster.put({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "a"}})
    stage.run(130)
    for resource in RESOURCES:
        (item, *_) = stage.cluster.list(resource.kind)
        cells = row(resource, item, datetime.now(UTC), "None")["cells"]
        assert len(cells) == len(column_definitions(resource)), resource.kind
        assert item["metadata"]["name"] in cells
