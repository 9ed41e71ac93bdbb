"""Digests: very many alerts in one message, each by name; and the test message."""

from __future__ import annotations

import pytest

from tests.support import troubles
from tests.support.messages import before, crash_signal, ended, envelope, facts, image_signal, oom_kill, text, unheard
from watcher.model.message import Mark, SendReason
from watcher.model.state import EndReason
from watcher.notify import render
from watcher.notify.facts import AlertFacts

BASE = "registry.example/base:2024-11"


def loops(namespace: str, count: int, image: str = BASE, node: str = "") -> list[AlertFacts]:
    """Crash loops of as many workloads, each on a node of its own unless one is given."""
    return [
        facts(
            [
                crash_signal(
                    f"w{n}-1-a", workload=f"w{n}", namespace=namespace, image=image, node=node or f"{namespace}-{n}"
                )
            ],
            "ContainerCrashLooping",
        )
        for n in range(count)
    ]


def images(count: int) -> list[AlertFacts]:
    return [
        facts([image_signal(workload=f"i{n}", namespace="tools", since=crash_signal().since)], "ImagePullFailing")
        for n in range(count)
    ]


def told(*alerts: AlertFacts, reason: SendReason = SendReason.DIGEST) -> list[str]:
    notification = render.digest(envelope(reason), alerts)
    assert len(notification.alerts) == len(alerts), "machines get every alert"
    return [notification.title, *notification.text.splitlines()]


def test_a_digest_counts_by_kind_and_namespace_and_names_every_workload() -> None:
    assert told(*loops("shop", 31), *loops("billing", 4), *images(2)) == [
        "🟠 37 more workloads broke within a minute — prod-eu",
        f"Crash loop: 31 in shop ({', '.join(f'w{n}' for n in range(31))}), 4 in billing (w0, w1, w2, w3)",
        "Image cannot be pulled: 2 in tools (i0, i1)",
        f"Probably one cause: 35 of them run image `{BASE}`.",
    ]


def test_critical_ones_stand_first_and_give_the_colour() -> None:
    lines = told(*loops("shop", 3), troubles.down())
    assert lines[0].startswith("🔴 4 more workloads broke within ")
    assert lines[1] == "Critical: shop/checkout (down)"


def test_what_is_no_workload_or_is_in_trouble_twice_is_counted_as_alerts() -> None:
    assert told(*loops("shop", 3), troubles.node_not_ready())[0].startswith("🔴 4 more alerts began within ")
    twice = facts([crash_signal("w0-1-a", workload="w0", container="proxy")], "ContainerCrashLooping")
    lines = told(*loops("shop", 3), twice)
    assert lines[0] == "🟠 4 more alerts began within a minute — prod-eu"
    assert lines[1] == "Crash loop: 4 in shop (w0 (2×), w1, w2)"


@pytest.mark.parametrize(
    ("alerts", "line"),
    [
        (loops("a", 5), f"Probably one cause: all of them run image `{BASE}`."),
        (loops("a", 4), None),
        ([*loops("a", 4), *images(1)], f"Probably one cause: 4 of them run image `{BASE}`."),
        ([*loops("a", 3), *loops("b", 2, image="other:1")], None),
        (
            [*loops("a", 3), *loops("b", 3, image="registry.example/base:2024-12")],
            "Probably one cause: all of them run a version of image `registry.example/base`.",
        ),
        (
            [*loops("a", 3, image="r.example:5000/x"), *loops("b", 3, image="r.example:5000/y")],
            None,
        ),
        (
            [*loops("a", 3, image="x:1", node="n7"), *loops("b", 3, image="y:1", node="n7")],
            "All of them run on node n7.",
        ),
        ([*loops("a", 3, image="", node=""), *loops("b", 3, image="", node="")], None),
    ],
    ids=[
        "one image", "too few to tell", "just enough of them", "too few of them", "two tags", "only the registry",
        "one node", "nothing known",
    ],
)  # fmt: skip
def test_a_common_cause_is_said_only_where_nearly_all_share_it(alerts: list[AlertFacts], line: str | None) -> None:
    found = [one for one in told(*alerts) if "of them" in one]
    assert found == ([line] if line else [])


def test_alerts_of_one_workload_are_no_sign_of_a_common_cause() -> None:
    one = [facts([crash_signal(container=f"c{n}")], "ContainerCrashLooping") for n in range(8)]
    assert not any("cause" in line or "of them" in line for line in told(*one))


def test_ends_say_how_many_have_recovered_tell_the_reasons_apart_and_name_what_is_left() -> None:
    alerts = [before(one) for one in loops("shop", 10)]
    over = [
        *(ended(one, EndReason.RECOVERED) for one in alerts[:6]),
        *(ended(one, EndReason.DELETED) for one in alerts[6:8]),
    ]
    assert told(*over, *alerts[8:], reason=SendReason.SOME_ENDED) == [
        "🟠 6 of 10 workloads have recovered, 2 were closed — prod-eu",
        "🟢 Recovered: 6 in shop (w0, w1, w2, w3, w4, w5)",
        "⚪ Closed, its pods were deleted: 2 in shop (w6, w7)",
        "Still: crash loop: 2 in shop (w8, w9). The first began at 13:50 UTC.",
    ]


@pytest.mark.parametrize(
    ("reasons", "title"),
    [
        ([EndReason.RECOVERED] * 3, "🟢 3 workloads have recovered — prod-eu"),
        ([EndReason.DELETED] * 3, "⚪ 3 workloads were closed — prod-eu"),
        (
            [EndReason.RECOVERED, EndReason.IDLE, EndReason.IDLE],
            "⚪ 1 of 3 workloads has recovered, 2 were closed — prod-eu",
        ),
    ],
    ids=["all recovered", "all closed", "both"],
)  # fmt: skip
def test_a_digest_is_green_only_when_all_of_it_recovered(reasons: list[EndReason], title: str) -> None:
    alerts = [ended(before(one), reason) for one, reason in zip(loops("shop", 3), reasons, strict=True)]
    assert told(*alerts, reason=SendReason.ALL_ENDED)[0] == title


def test_a_later_digest_tells_the_new_ones_and_counts_the_others() -> None:
    old = [before(one) for one in loops("shop", 4)]
    lines = told(*loops("billing", 2), *old[:3], ended(old[3], EndReason.RECOVERED))
    assert lines[0] == "🟠 2 more workloads broke within a minute; 1 of 4 workloads has recovered — prod-eu"
    assert lines[1] == "Crash loop: 2 in billing (w0, w1)"


def test_a_repeat_of_a_digest_says_since_when() -> None:
    lines = told(*(before(one) for one in loops("shop", 3)), reason=SendReason.REPEAT)
    assert lines == [
        "🟠 Still: 3 workloads are in trouble — prod-eu",
        "Still: crash loop: 3 in shop (w0, w1, w2). The first began at 13:50 UTC.",
    ]


def test_what_came_and_went_while_the_receiver_was_away_is_told_in_a_few_lines() -> None:
    lines = told(*(unheard(one, EndReason.RECOVERED) for one in loops("shop", 200)), reason=SendReason.ALL_ENDED)
    assert lines[:2] == [
        "🟢 200 alerts began and ended while this receiver could not be reached — prod-eu",
        "You are told late because this receiver could not be reached.",
    ]
    assert lines[2].startswith("🟢 Recovered: 200 in shop (w0, w1, w2, ")
    assert len(lines) == 3


def test_beside_others_what_came_and_went_has_its_own_lines() -> None:
    lines = told(*loops("shop", 2), oom_kill(), unheard(images(1)[0], EndReason.RECOVERED))
    assert lines[0].startswith("🟠 3 more workloads broke within ")
    assert lines[-2:] == [
        "1 alert began and ended unheard. You are told late because this receiver could not be reached.",
        "🟢 Recovered: 1 in tools (i0)",
    ]


# ---- the test message --------------------------------------------------------------------------------------------


def test_a_test_message_says_that_nothing_is_wrong_and_which_receiver_it_tries() -> None:
    notification = render.test(envelope(SendReason.TEST))
    assert f"{notification.title}\n{notification.text}" == text(
        """
        🔵 Test message from Watcher — prod-eu
        Nothing is wrong: somebody asked Watcher to try this receiver.
        Sent at 14:02 UTC by Watcher on prod-eu to the receiver `team` through `slack_configs[0]`.
        A real message says here what broke, how often and since when, where, and why, as far as it is known.
            14:02:30 INFO  the last log lines stand like this
            14:02:30 INFO  the newest one last
        Next: `kubectl get pods`, or whatever is the next step
        """
    )


def test_machines_see_an_alert_of_their_own_kind_that_nobody_takes_for_real() -> None:
    notification = render.test(envelope(SendReason.TEST))
    assert notification.message.heading.mark is Mark.INFO
    assert notification.status == "firing"
    [alert] = notification.alerts
    assert alert.labels == {
        "alertname": "WatcherTest", "severity": "info", "receiver": "team", "cluster": "prod-eu",
    }  # fmt: skip
    assert notification.common_labels == alert.labels
    assert alert.fingerprint
