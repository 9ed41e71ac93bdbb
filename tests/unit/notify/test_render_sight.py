"""What is not seen, what an annotation changed, what was rolled out before, and what a cause says of its effects."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tests.support.messages import at, changed, crash_loop, crash_signal, ended, facts, oom_kill, oom_signal, told
from tests.support.troubles import (
    image_over_waiting,
    jvm_oom,
    not_ready_signal,
    not_starting,
    rollout,
    unseen,
    volume_nearly_full,
    with_effects,
)
from watcher.model.evidence import Evidence
from watcher.model.state import EndReason


@pytest.mark.parametrize(
    ("nodes", "kinds", "why"),
    [
        (("n1",), (), " (node n1 is not heard of)"),
        (("n1", "n2"), (), " (nodes n1, n2 are not heard of)"),
        ((), ("Pod",), " (Watcher does not hear of pods)"),
        (("n1",), ("Pod", "Node"), " (node n1 is not heard of; Watcher does not hear of pods and nodes)"),
        ((), (), ""),
    ],
    ids=["a node", "two nodes", "a stream", "both", "not known"],
)
def test_an_alert_that_is_not_seen_says_since_when_and_why(
    nodes: tuple[str, ...], kinds: tuple[str, ...], why: str
) -> None:
    alert = msgspec.structs.replace(unseen(crash_loop(), at("13:58:00"), nodes), stale_kinds=kinds)
    lines = told(alert).splitlines()
    assert lines[0] == "🟠 checkout crash-loops — shop, prod-eu"
    assert lines[2] == f"Not seen since 13:58{why}: whether it goes on is not known."


def test_a_single_member_that_is_not_seen_is_marked_among_the_others() -> None:
    two = facts([crash_signal("c-1-aaaaa"), crash_signal("c-1-bbbbb")], "X", counts=[3, 2])
    gone = msgspec.structs.replace(two.members[1], unseen_since=at("13:58:00"))
    text = told(msgspec.structs.replace(two, members=(two.members[0], gone)))
    assert "aaaaa (3×, node n7), bbbbb (2×, not seen since 13:58, n7)" in text
    assert "Not seen since" not in text


@pytest.mark.parametrize(
    ("since", "nodes", "title", "words"),
    [
        ("2026-11-19T14:02:30", ("n1",), "not seen for 24 h", "Its node n1 has not reported since 14:02 yesterday."),
        (
            "2026-11-17T14:02:30",
            ("a", "b"),
            "not seen for 3 d",
            "Its nodes a, b have not reported since 14:02 on 17 Nov.",
        ),
        ("2026-11-20T13:02:30", (), "not seen for 1 h", "Nothing was heard of it since 13:02."),
    ],
    ids=["a day, one node", "days, two nodes", "an hour, no node"],
)
def test_what_is_closed_as_unknown_is_white_and_not_called_recovered(
    since: str, nodes: tuple[str, ...], title: str, words: str
) -> None:
    assert told(ended(unseen(crash_loop(), at(since), nodes), EndReason.UNKNOWN)).splitlines() == [
        f"⚪ checkout: closed, {title} — shop, prod-eu",
        f"It crashed 7 times over 12 min. {words} Closed as unknown, not recovered: whether it goes on is not known.",
    ]


def test_what_recovered_after_it_was_not_seen_is_green_and_says_nothing_of_that() -> None:
    over = ended(unseen(crash_loop(), at("13:58:00")), EndReason.RECOVERED)
    assert (
        told(over)
        == "🟢 checkout has recovered — shop, prod-eu\nIt crashed 7 times over 12 min; 11 of 12 pods are ready."
    )


def test_annotations_that_were_applied_are_named_in_one_short_line() -> None:
    hints = (
        "watcher.io/runbook=https://x.example/a on the namespace",
        "watcher.io/receiver=shop on Deployment checkout",
    )
    lines = told(changed(crash_loop(), hints=hints)).splitlines()
    assert lines[-1] == f"By annotation: {hints[0]}; {hints[1]}."
    long = told(changed(crash_loop(), hints=("watcher.io/runbook=" + "x" * 500,))).splitlines()
    assert len(long[-1]) < 200
    assert "By annotation" not in told(crash_loop())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "First crash 40 s after Deployment api revision 17: image 1.2.3 → 1.2.4."),
        ({"revision": None, "changes": ()}, "First crash 40 s after Deployment api was rolled out."),
        ({"after": timedelta(minutes=4)}, "First crash 4 min after Deployment api revision 17: image 1.2.3 → 1.2.4."),
    ],
    ids=["all known", "no revision", "later"],
)
def test_a_rollout_shortly_before_stands_right_under_the_sentence(fields: dict[str, object], words: str) -> None:
    alert = crash_loop()
    found = Evidence(alert=alert.alert.key, rollout=rollout(**fields))
    assert told(changed(alert, evidence=found)).splitlines()[2] == words


def test_evidence_that_could_not_be_had_says_why_beside_what_was_found() -> None:
    lines = told(jvm_oom()).splitlines()
    assert lines[2] == "First kill 40 s after Deployment api revision 17: image 1.2.3 → 1.2.4."
    assert "The log could not be read in time." in lines


def test_the_heap_of_a_jvm_stands_beside_the_limit_unless_the_node_ran_out_of_memory() -> None:
    heap = "-Xmx512m beside a limit of 512 Mi"
    assert f"Heap of its JVM: {heap}." in told(jvm_oom()).splitlines()
    of_node = told(facts([oom_signal(oom_class="node", heap=heap)], "ContainerOOMKilled"))
    assert of_node.splitlines()[0] == "🟠 api is OOM-killed: its node ran out of memory — shop, prod-eu"
    assert "JVM" not in of_node
    assert "JVM" not in told(oom_kill())


def test_a_cause_names_the_pods_that_wait_because_of_it() -> None:
    text = told(image_over_waiting())
    assert "A pod of the same workload is pending; that is an effect of this." in text
    assert "A pod of the same workload is not ready; that is an effect of this." in text
    assert "A pod of the same workload is pending; that is an effect of this." in told(not_starting())
    loop = with_effects(crash_loop(), facts([not_ready_signal()], "PodNotReady"))
    assert "A pod of the same workload is not ready; that is an effect of this." in told(loop)


def test_a_volume_whose_node_is_silent_is_not_seen_either() -> None:
    """Row 75 of the behaviours."""
    alert = unseen(volume_nearly_full(), at("13:50:00"), ("n7",))
    assert (
        "Not seen since 13:50 (node n7 is not heard of): whether it goes on is not known." in told(alert).splitlines()
    )
