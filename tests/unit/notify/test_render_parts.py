"""What stands around the words of a trouble: texts of the rule, logs, members, times; and the data beside them."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.messages import (
    CLUSTER,
    at,
    changed,
    crash_loop,
    crash_signal,
    ended,
    envelope,
    facts,
    failed_job,
    failed_signal,
    image_not_found,
    oom_kill,
    recovered,
    text,
    told,
)
from watcher.model.evidence import Evidence
from watcher.model.state import EndReason
from watcher.notify.render import render

# ---- what stands around ------------------------------------------------------------------------------------------


def test_the_rules_own_texts_are_used_and_a_text_that_could_not_be_made_is_said() -> None:
    alert = changed(
        crash_loop(),
        annotations={
            "summary": "Checkout is broken again",
            "description": "Call the shop team.",
            "runbook_url": "https://runbooks.example/checkout",
        },
        problems=("dashboard_url: 'claim' is undefined",),
    )
    lines = told(alert).splitlines()
    assert lines[0] == "🟠 Checkout is broken again — shop, prod-eu"
    assert "Call the shop team." in lines
    assert "A text of its rule could not be made: dashboard_url: 'claim' is undefined" in lines
    assert lines[-1] == "Runbook: https://runbooks.example/checkout"
    assert "checkout-7c9d8-x2k00 (node n1)" in lines, "the title does not name the workload"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x.example/a b", "see the wiki", "https://x|y"])
def test_only_an_address_of_the_web_becomes_a_link(url: str) -> None:
    assert "Runbook" not in told(changed(crash_loop(), annotations={"runbook_url": url}))


@pytest.mark.parametrize(
    ("evidence", "expected", "line"),
    [
        (None, True, "The logs are not read yet."),
        (None, False, None),
        ({"missing": "the logs were not to be had: forbidden"}, True, "The logs were not to be had: forbidden."),
        ({}, True, None),
    ],
    ids=["on the way", "not asked for", "not to be had", "nothing found"],
)
def test_logs_that_are_not_there_are_explained(
    evidence: dict[str, str] | None, expected: bool, line: str | None
) -> None:
    alert = crash_loop()
    if evidence is not None:
        alert = changed(alert, evidence=Evidence(alert=alert.alert.key, missing=evidence.get("missing", "")))
    lines = told(msgspec.structs.replace(alert, log_expected=expected)).splitlines()
    assert [one for one in lines if "log" in one and not one.startswith("Next")] == ([line] if line else [])


def test_a_long_log_keeps_its_last_twelve_lines_and_counts_the_others() -> None:
    alert = crash_loop()
    log = Evidence(alert=alert.alert.key, log=tuple(f"line {n}" for n in range(40)))
    lines = told(changed(alert, evidence=log)).splitlines()
    assert [line for line in lines if line.startswith("    ")] == [
        "    (28 earlier lines)",
        *(f"    line {n}" for n in range(28, 40)),
    ]
    assert lines[-1] == "Next: `kubectl -n shop describe pod checkout-7c9d8-x2k00`"


def test_events_are_shown_unless_they_only_repeat_the_loop() -> None:
    alert = crash_loop()
    events = (
        "Unhealthy: Liveness probe failed: connection refused (12 times)",
        "BackOff: Back-off restarting failed container app",
    )
    text_ = told(changed(alert, evidence=Evidence(alert=alert.alert.key, events=events)))
    assert "Kubernetes says: Unhealthy: Liveness probe failed: connection refused (12 times)" in text_
    assert "restarting failed" not in text_


def test_effects_of_other_containers_and_workloads_are_named() -> None:
    other = facts([crash_signal(workload="api", container="proxy")], "ContainerCrashLooping").alert
    stranger = facts([failed_signal()], "PodFailed").alert
    text_ = told(msgspec.structs.replace(oom_kill(), explains=(other, stranger)))
    assert "Container proxy is in a crash loop; that is an effect of this." in text_
    assert "CronJob import failed; that is an effect of this." in text_


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("2026-11-20T00:10:00", "since 00:10 UTC · "),
        ("2026-11-19T23:10:00", "since 23:10 UTC yesterday · "),
        ("2026-11-02T23:10:00", "since 23:10 UTC on 2 Nov · "),
        ("2025-12-31T23:10:00", "since 23:10 UTC on 31 Dec 2025 · "),
    ],
)
def test_a_time_of_another_day_says_its_day_and_the_zone_is_named_once(since: str, words: str) -> None:
    text_ = told(facts([crash_signal()], "ContainerCrashLooping", since=since))
    assert words in text_
    assert text_.count("UTC") == 1


def test_members_that_exit_differently_say_so_and_a_pod_on_its_way_out_is_marked() -> None:
    two = facts([crash_signal("c-1-aaaaa"), crash_signal("c-1-bbbbb", exit_code=137)], "X", counts=[3, 2])
    leaving = msgspec.structs.replace(two.members[1], leaving=True)
    text_ = told(msgspec.structs.replace(two, members=(two.members[0], leaving)))
    assert "aaaaa (3×, exit 1, node n7), bbbbb (2×, exit 137, being deleted, n7)" in text_


def test_pods_whose_last_parts_are_equal_keep_their_whole_names() -> None:
    text_ = told(facts([crash_signal("checkout-1-aaaaa"), crash_signal("checkout-2-aaaaa")], "X"))
    assert "checkout-1-aaaaa (1×, node n7), checkout-2-aaaaa (1×, n7)" in text_


def test_a_pod_of_its_own_is_named_once() -> None:
    lines = told(facts([crash_signal("migrate", workload="migrate", workload_kind="Pod")], "X")).splitlines()
    assert "Pod migrate · node n7 · namespace shop · cluster prod-eu · since 13:50 UTC · warning" in lines
    assert not any(line.startswith("migrate") for line in lines)


def test_nothing_unknown_leaves_a_gap() -> None:
    bare = crash_signal(
        cluster="",
        node="",
        image="",
        reason="",
        exit_code=None,
        ran_seconds=None,
        in_backoff=False,
        backoff_seconds=None,
    )
    assert told(facts([bare], "X", severity="")) == text(
        """
        🟠 checkout crash-loops — shop
        Container `app` dies. 1 pod.
        Deployment checkout · namespace shop · since 13:50 UTC
        x2k4q
        Next: `kubectl -n shop logs checkout-7c9d8-x2k4q -c app --previous`
        """
    )


def test_the_same_facts_in_another_order_give_the_same_message() -> None:
    alerts = [oom_kill(), crash_loop(), image_not_found(), failed_job()]
    assert render(envelope(), alerts) == render(envelope(), alerts[::-1])


# ---- beside the words ----------------------------------------------------------------------------------------------


def test_the_notification_carries_what_machines_read() -> None:
    notification = render(envelope(), [oom_kill(), ended(crash_loop(), EndReason.RECOVERED)])
    assert notification.status == "firing"
    assert notification.common_labels == {
        "cluster": CLUSTER,
        "namespace": "shop",
        "workload_kind": "Deployment",
        "container": "app",
        "severity": "warning",
    }
    first, second = notification.alerts
    assert (first.status, first.ends_at, first.end_reason) == ("firing", None, None)
    assert (second.status, second.ends_at, second.end_reason) == ("resolved", at("14:02:30"), "recovered")
    assert first.members[0] == {
        "pod": "api-6d4cf-abcde",
        "container": "app",
        "node": "n7",
        "since": "2026-11-20T14:02:11Z",
        "container_kind": "app",
        "image": "registry.example/api:1.4.2",
        "restart_count": 0,
        "limits": {"memory": "512Mi"},
        "exit_code": 137,
        "reason": "OOMKilled",
        "ran_seconds": 180.0,
        "oom_class": "main_process",
        "memory_limit_bytes": 536870912,
    }


def test_a_message_of_ends_only_is_resolved() -> None:
    assert render(envelope(), [recovered()]).status == "resolved"
