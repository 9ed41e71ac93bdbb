"""What a node's conditions say, of made-up nodes and of recorded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.support.objects import node
from tests.support.timeline import time
from watcher.detect import nodes
from watcher.model.identity import Subject
from watcher.model.kube import Condition, Node, NodeStatus
from watcher.model.signals import NodeNotReady, NodePressure

FIXTURES = Path(__file__).parents[2] / "fixtures"


def recorded(name: str) -> list[Node]:
    text = (FIXTURES / name).read_text(encoding="utf-8")
    document: Any = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    items = document.get("items") or [document.get("object", document)]
    return [msgspec.convert(json.loads(json.dumps(item, default=lambda at: at.isoformat())), Node) for item in items]


@pytest.mark.parametrize(
    ("file", "count", "expected"),
    [
        ("api_watch_node_modified.json", 1, []),
        ("node_crio_master.json", 1, []),
        ("node_healthy_gke.yaml", 1, []),
        ("node_notready_gke.yaml", 1, ["NodeNotReady"]),
        ("node_notready_openshift.yaml", 1, ["NodeNotReady"]),
        ("node_warning_gke.yaml", 1, ["NodePressure"]),
        ("nodes_crio_1_31.json", 1, []),
        ("nodes_crio_1_33_degraded.yaml", 6, []),
        ("nodes_mixed.json", 7, []),
        ("nodes_nri_1_31.yaml", 1, []),
        ("nodes_nri_1_35.yaml", 1, []),
    ],
)
def test_recorded_nodes_give_the_signals_that_they_must_and_healthy_ones_none(
    file: str, count: int, expected: list[str]
) -> None:
    found = recorded(file)
    assert len(found) == count
    said = [type(signal).__name__ for one in found for signal in nodes.signals(one, "c", time(0))]
    assert said == expected


def test_a_node_that_is_not_ready_says_since_when_and_why() -> None:
    one = node(ready="False", reason="KubeletNotReady", message="PLEG is not healthy", changed=-90, cordoned=True)
    (signal,) = nodes.signals(one, "prod-eu", time(0))
    assert isinstance(signal, NodeNotReady)
    assert (signal.status, signal.reason, signal.message) == ("False", "KubeletNotReady", "PLEG is not healthy")
    assert signal.since == time(-90)
    assert signal.cordoned
    assert signal.subject == Subject(uid="node/n1", node="n1")
    assert (signal.cluster, signal.namespace, signal.workload) == ("prod-eu", "", "")


def test_a_node_without_conditions_has_just_registered_and_is_no_trouble() -> None:
    assert nodes.signals(node(ready=""), "c", time(0)) == ()
    assert nodes.readiness(node(ready="")) == ""


def test_a_secret_in_a_conditions_text_is_not_kept() -> None:
    one = node(ready="False", message="registry login password=hunter2hunter2 refused")
    (signal,) = nodes.signals(one, "c", time(0))
    assert "hunter2" not in signal.message


def test_several_pressures_are_one_trouble_since_the_first() -> None:
    one = node(pressures=("DiskPressure",), changed=-600)
    later = Condition(type="MemoryPressure", status="True", reason="LowMemory", last_transition_time=time(-60))
    network = Condition(type="NetworkUnavailable", status="False", last_transition_time=time(-900))
    status = NodeStatus(conditions=[*(one.status.conditions or ()), later, network])
    (signal,) = nodes.signals(msgspec.structs.replace(one, status=status), "c", time(0))
    assert isinstance(signal, NodePressure)
    assert signal.conditions == ("MemoryPressure", "DiskPressure")
    assert signal.since == time(-600)


@pytest.mark.parametrize(
    ("ready", "changed", "since"),
    [("True", -60, None), ("False", -60, None), ("", -60, None), ("Unknown", -60, -60), ("Unknown", 30, 0)],
    ids=["ready", "not ready", "just registered", "silent", "its clock is ahead of ours"],
)
def test_a_node_is_silent_while_its_readiness_is_unknown(ready: str, changed: float, since: float | None) -> None:
    found = nodes.silent_since(node(ready=ready, changed=changed), time(0))
    assert found == (None if since is None else time(since))
