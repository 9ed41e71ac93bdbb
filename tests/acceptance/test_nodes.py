"""Stories of nodes, through the whole pipeline with the shipped rules."""

from __future__ import annotations

from tests.support.objects import event, node
from tests.support.pods import pod
from tests.support.timeline import PODS, Timeline, time
from watcher.model.changes import Draft
from watcher.model.config import FirstStart
from watcher.model.observations import Forbidden, Scope
from watcher.pipeline import objects
from watcher.pipeline.core import Step

NODES = Scope(kind="Node")


def step_of(line: Timeline) -> Step:
    view = line.player.view
    return Step(core=line.core, draft=Draft(view), at=view.meta.now or time(0))


def test_row_62_a_node_that_is_not_ready_is_told_after_five_minutes() -> None:
    line = Timeline().lists(node("n1"), node("n2"))
    line.at(60).sees(node("n1", "Unknown", changed=60))
    assert line.until(359) == []
    assert line.until(380) == [(370, "FIRST", "NodeNotReady")]
    (alert,) = line.sent[0].alerts
    assert (alert.labels["node"], alert.labels["severity"]) == ("n1", "critical")
    assert "namespace" not in alert.labels
    assert "workload" not in alert.labels
    line.at(900).sees(node("n1", changed=900))
    assert line.until(1800)[1:] == [(970, "ALL_ENDED", "-NodeNotReady:recovered")]


def test_five_minutes_count_from_the_nodes_own_transition() -> None:
    line = Timeline().lists(node("n1"))
    line.at(200).sees(node("n1", "False", changed=-90))
    assert line.until(300) == [(220, "FIRST", "NodeNotReady")]


def test_a_node_that_comes_back_within_five_minutes_is_silent() -> None:
    line = Timeline().lists(node("n1"))
    line.at(60).sees(node("n1", "Unknown", changed=60))
    line.at(300).sees(node("n1", changed=300))
    assert line.until(3600) == []


def test_a_cordoned_node_is_silent() -> None:
    line = Timeline().lists(node("n1"))
    line.at(60).sees(node("n1", "Unknown", changed=60, cordoned=True, pressures=("DiskPressure",)))
    assert line.until(3600) == []


def test_a_node_that_has_just_registered_is_silent() -> None:
    line = Timeline().lists(node("n1"))
    line.at(60).sees(node("n2", ready=""))
    assert line.until(3600) == []


def test_pressures_of_a_node_are_one_alert_after_ten_minutes() -> None:
    line = Timeline().lists(node("n1"))
    line.at(60).sees(node("n1", pressures=("MemoryPressure",), changed=60))
    line.at(120).sees(node("n1", pressures=("MemoryPressure", "DiskPressure"), changed=60))
    assert line.until(700) == [(670, "FIRST", "NodeUnderPressure")]
    assert "MemoryPressure, DiskPressure" in line.sent[0].alerts[0].annotations["summary"]


def test_a_node_that_is_deleted_ends_its_alerts_as_deleted() -> None:
    line = Timeline().lists(node("n1"))
    line.at(60).sees(node("n1", "Unknown", changed=60))
    line.at(900).deletes(node("n1"))
    assert line.until(1800)[1:] == [(970, "ALL_ENDED", "-NodeNotReady:deleted")]


def test_a_node_that_a_later_list_does_not_hold_is_gone() -> None:
    line = Timeline().lists(node("n1"), node("n2"))
    line.at(60).sees(node("n1", "Unknown", changed=60))
    line.at(900).lists(node("n2"))
    assert line.until(1800)[1:] == [(970, "ALL_ENDED", "-NodeNotReady:deleted")]


def test_a_partial_list_ends_nothing() -> None:
    line = Timeline().lists(node("n1"), node("n2"))
    line.at(60).sees(node("n1", "Unknown", changed=60))
    line.at(900).lists(node("n2"), complete=False)
    assert line.until(1800) == [(370, "FIRST", "NodeNotReady")]


def test_another_machine_under_the_same_name_ends_the_alert_of_the_earlier_one() -> None:
    line = Timeline().lists(node("n1"))
    line.at(60).sees(node("n1", "Unknown", changed=60))
    line.at(900).sees(node("n1", uid="another"))
    assert line.until(1800)[1:] == [(970, "ALL_ENDED", "-NodeNotReady:deleted")]


def test_what_is_found_at_first_sight_is_told_by_the_summary_alone() -> None:
    line = Timeline(first_start=FirstStart.SUMMARY).lists(node("n1", "Unknown", changed=-9000))
    assert [reason for _, reason, _ in line.until(3600)] == ["BASELINE"]


def test_a_node_that_is_still_not_ready_after_a_restart_is_not_told_again() -> None:
    line = Timeline().lists(node("n1"))
    line.at(60).sees(node("n1", "Unknown", changed=60))
    line.until(600)
    line.at(900).restarts(PODS, NODES).lists().lists(node("n1", "Unknown", changed=60))
    assert line.until(3600) == [(370, "FIRST", "NodeNotReady")]


def test_a_node_that_vanished_while_watcher_was_down_ends_its_alerts_as_deleted() -> None:
    line = Timeline().lists(node("n1"))
    line.at(60).sees(node("n1", "Unknown", changed=60))
    line.until(600)
    line.at(900).restarts(NODES).lists(node("n2"))
    assert line.until(3600)[1:] == [(970, "ALL_ENDED", "-NodeNotReady:deleted")]


def test_row_75_a_node_is_silent_from_its_last_word_on_and_after_it_was_deleted() -> None:
    line = Timeline().lists(node("n1")).lists(pod(node="n1"))
    assert objects.silent_since(step_of(line), "n1") is None
    line.at(60).sees(node("n1", "Unknown", changed=20))
    assert objects.silent_since(step_of(line), "n1") == time(20)
    line.at(600).deletes(node("n1"))
    assert objects.silent_since(step_of(line), "n1") == time(20)
    line.at(700).sees(node("n1", uid="another"))
    assert objects.silent_since(step_of(line), "n1") is None


def test_a_healthy_node_that_is_deleted_is_silent_since_then() -> None:
    line = Timeline().lists(node("n1"), node("n2"))
    line.at(60).deletes(node("n1"))
    line.at(120).lists(node("n2"))
    assert objects.silent_since(step_of(line), "n1") == time(60)
    assert objects.silent_since(step_of(line), "n2") is None


def test_deleted_nodes_are_forgotten_in_the_end() -> None:
    line = Timeline().lists(node("n1"), node("n2"))
    line.at(60).deletes(node("n1"))
    line.at(3 * 86400).deletes(node("n2"))
    assert set(line.player.view.nodes.rows) == {"n2"}


def test_where_nodes_may_not_be_read_nobody_is_silent() -> None:
    line = Timeline().takes(Forbidden(at=time(0), scope=NODES)).lists(pod(node="n1"))
    assert objects.silent_since(step_of(line), "n1") is None


def test_kills_of_the_kernel_on_a_node_are_remembered_as_long_as_its_events_are() -> None:
    line = Timeline().lists(node("n1")).lists(kind="Event")
    first = event(node("n1"), "SystemOOM", at=10, name="a")
    line.at(10).sees(first, event(node("n1"), "SystemOOM", at=5, name="b"), event(node("n1"), "Rebooted", at=5))
    assert objects.system_ooms(step_of(line), "n1") == [time(5), time(10)]
    line.at(3600).deletes(first)
    assert objects.system_ooms(step_of(line), "n1") == [time(5)]
    line.at(3700).lists(kind="Event")
    assert objects.system_ooms(step_of(line), "n1") == []
    assert line.player.view.warned.rows == {}
