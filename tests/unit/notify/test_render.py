"""What a message says, word by word: the mock-ups of messages.md that the present signals can give."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.messages import (
    changed,
    crash_loop,
    crash_signal,
    ended,
    facts,
    growth,
    image_not_found,
    image_signal,
    oom_kill,
    recovered,
    text,
    told,
)
from watcher.model.message import SendReason
from watcher.model.state import EndReason

# ---- the mock-ups ------------------------------------------------------------------------------------------------


def test_an_oom_kill_says_how_often_how_much_where_and_what_follows_from_it() -> None:
    assert told(oom_kill()) == text(
        """
        🟠 api is OOM-killed — shop, prod-eu
        Container `app` was killed 4 times in 20 min for using more than its 512 Mi limit; last at 14:02:11 after running 3 min. 3 of 12 pods.
        Image `registry.example/api:1.4.2`
        Deployment api · namespace shop · cluster prod-eu · since 13:42 UTC · warning
        abcde (2×, node n7), fghij (1×, n3), klmno (1×, n7)
            14:02:10 INFO  cache warm-up 81 %
            14:02:11 WARN  heap 498 MiB of 512 MiB
        The same container is in a crash loop; that is an effect of this.
        Next: `kubectl -n shop describe pod api-6d4cf-abcde`, raise the limit or lower what it uses
        """  # noqa: E501
    )


def test_an_image_that_is_not_there_says_what_the_registry_said_and_who_still_runs() -> None:
    assert told(image_not_found(), now="09:20:00") == text(
        """
        🟠 worker cannot start: image tag not found — shop, prod-eu
        `registry.example/worker:9.9.9` does not exist in the registry; tried for 6 min. 2 of 6 pods; 4 are ready.
        registry says: manifest unknown
        Deployment worker · namespace shop · cluster prod-eu · since 09:14 UTC · warning
        aaaaa (node n3), bbbbb (n4)
        Next: `kubectl -n shop rollout undo deployment/worker`, or push the tag
        """
    )


def test_a_crash_loop_says_how_it_exits_and_that_kubernetes_waits() -> None:
    assert told(crash_loop()) == text(
        """
        🟠 checkout crash-loops — shop, prod-eu
        Container `app` exits with 1 (application error) after about 4 s; 7 times in 12 min. 1 of 12 pods.
        In CrashLoopBackOff (pause 1 min 20 s); last exit Error/1.
        Image `registry.example/checkout:2.0.0`
        Deployment checkout · namespace shop · cluster prod-eu · since 13:50 UTC · warning
        x2k00 (node n1)
        Next: `kubectl -n shop logs checkout-7c9d8-x2k00 -c app --previous`
        """
    )


def test_growth_says_how_many_it_was_and_when_and_names_the_worst_five() -> None:
    assert told(growth(), reason=SendReason.GREW) == text(
        """
        🟠 checkout crash-loops, now on 12 of 12 pods — shop, prod-eu
        Was 1 pod at 10:02. Container `app` exits with 1 (application error) after about 4 s; 48 times in 12 min. None is ready.
        Deployment checkout · namespace shop · cluster prod-eu · since 13:50 UTC · warning
        x2k00 (9×, node n1), x2k01 (8×, n2), x2k02 (7×, n3), x2k03 (6×, n4), x2k04 (5×, n5) and 7 more
        Next: `kubectl -n shop logs checkout-7c9d8-x2k00 -c app --previous`
        """  # noqa: E501
    )


def test_a_recovery_is_green_and_says_what_it_had_been() -> None:
    assert told(recovered(), now="15:02:20", reason=SendReason.ALL_ENDED) == text(
        """
        🟢 api has recovered — shop, prod-eu
        It was OOM-killed 9 times over 1 h 12 min; all 12 pods are ready.
        """
    )


@pytest.mark.parametrize(
    ("reason", "title", "words"),
    [
        (EndReason.DELETED, "its pods were deleted", "It crashed 7 times over 12 min."),
        (EndReason.IDLE, "idle: no pod mounts it any more", "It crashed 7 times over 12 min."),
        (
            EndReason.UNKNOWN,
            "not seen for a long time",
            "It crashed 7 times over 12 min. Closed as unknown, not recovered: whether it goes on is not known.",
        ),
        (EndReason.OUT_OF_SCOPE, "out of scope", "It crashed 7 times over 12 min. Watcher no longer watches it."),
        (EndReason.RULE_REMOVED, "its rule was removed", "It crashed 7 times over 12 min."),
        (EndReason.MOVED, "moved to another receiver", "It crashed 7 times over 12 min."),
        (EndReason.EXPIRED, "expired: it is no longer reported", "It crashed 7 times over 12 min."),
    ],
    ids=[reason.value for reason in EndReason if reason is not EndReason.RECOVERED],
)
def test_any_other_end_is_white_and_says_why(reason: EndReason, title: str, words: str) -> None:
    assert told(ended(crash_loop(), reason)) == f"⚪ checkout: closed, {title} — shop, prod-eu\n{words}"


@pytest.mark.parametrize(
    ("failing", "total", "ready", "phrase"),
    [
        (3, 12, 9, "3 of 12 pods."),
        (3, 12, 0, "3 of 12 pods, none of the 12 is ready."),
        (2, 2, 0, "2 of 2 pods, none is ready."),
        (1, 1, 0, "Its only pod."),
        (3, 2, 0, "3 pods."),
    ],
    ids=["some", "some, but none is ready", "all", "the only one", "more than there are now"],
)
def test_it_says_how_many_pods_of_how_many(failing: int, total: int, ready: int, phrase: str) -> None:
    alert = msgspec.structs.replace(crash_loop(failing), pods_total=total, pods_ready=ready)
    assert told(alert).splitlines()[1].endswith(f" in 12 min. {phrase}")


# ---- several alerts ----------------------------------------------------------------------------------------------


def test_several_alerts_are_counted_and_named_and_told_worst_first_without_repeating_the_place() -> None:
    down = changed(crash_loop(), labels={**crash_loop().alert.labels, "severity": "critical"})
    lines = told(oom_kill(), down).splitlines()
    assert lines[:2] == [
        "🔴 2 alerts: checkout crash-loops; api is OOM-killed — shop, prod-eu",
        "🔴 checkout crash-loops",
    ]
    assert "" in lines
    assert lines[lines.index("") + 1] == "🟠 api is OOM-killed"


def test_alerts_of_one_workload_say_its_name_once_and_tell_containers_apart() -> None:
    proxy = facts([crash_signal(container="proxy")], "ContainerCrashLooping")
    heading = told(crash_loop(), proxy).splitlines()[0]
    assert heading == "🟠 2 alerts: checkout crash-loops (app); crash-loops (proxy) — shop, prod-eu"


@pytest.mark.parametrize(
    ("second", "mark"),
    [(EndReason.RECOVERED, "🟢"), (EndReason.DELETED, "⚪")],
    ids=["all recovered", "one was deleted"],
)
def test_a_group_is_green_only_when_all_of_it_recovered(second: EndReason, mark: str) -> None:
    title = told(ended(oom_kill(), EndReason.RECOVERED), ended(crash_loop(), second)).splitlines()[0]
    assert title.startswith(f"{mark} 2 alerts have ended: ")


def test_from_the_sixth_alert_on_each_has_one_line() -> None:
    alerts = [facts([crash_signal(workload=f"w{n:02}")], "ContainerCrashLooping") for n in range(8)]
    lines = told(*alerts).splitlines()
    assert lines[-4:] == ["🟠 3 more alerts", *(f"🟠 w{n:02} crash-loops" for n in (5, 6, 7))]
    assert sum(line.startswith("Next: ") for line in lines) == 5


def test_of_forty_alerts_five_are_told_and_the_others_are_counted_and_named() -> None:
    alerts = [facts([crash_signal(workload=f"w{n:02}")], "ContainerCrashLooping") for n in range(38)]
    images = [facts([image_signal(workload=f"i{n}")], "ImagePullFailing") for n in range(2)]
    lines = told(*alerts, *images).splitlines()
    assert lines[0].startswith("🟠 40 alerts: w00 crash-loops; w01 crash-loops; w02 crash-loops and 37 more")
    named = ", ".join(f"w{n:02}" for n in range(5, 38))
    assert lines[-3:] == [
        "🟠 35 more alerts",
        f"Crash loop: 33 in shop ({named})",
        "Image cannot be pulled: 2 in shop (i0, i1)",
    ]
    assert len(lines) < 50


def test_alerts_of_several_namespaces_each_say_their_place() -> None:
    other = facts([crash_signal(namespace="billing")], "ContainerCrashLooping")
    lines = told(crash_loop(), other).splitlines()
    assert lines[0].endswith("— billing and shop, prod-eu")
    assert [line for line in lines[1:] if line.startswith("🟠")] == [
        "🟠 checkout crash-loops (app) — billing, prod-eu",
        "🟠 checkout crash-loops (app) — shop, prod-eu",
    ]
