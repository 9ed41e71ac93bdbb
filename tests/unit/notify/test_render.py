"""What a message says, word by word: the mock-ups of messages.md that the present signals can give."""

from __future__ import annotations

from textwrap import dedent
from typing import cast

import msgspec
import pytest

from tests.support.messages import (
    CLUSTER,
    at,
    changed,
    crash_loop,
    crash_signal,
    death_signal,
    ended,
    envelope,
    facts,
    failed_job,
    failed_signal,
    growth,
    image_not_found,
    image_signal,
    oom_kill,
    oom_signal,
    recovered,
)
from watcher.model.evidence import Evidence
from watcher.model.message import SendReason
from watcher.model.signals import AnySignal, Signal
from watcher.model.state import EndReason
from watcher.notify.facts import AlertFacts
from watcher.notify.render import render


def told(*alerts: AlertFacts, now: str = "14:02:30", reason: SendReason = SendReason.FIRST) -> str:
    notification = render(envelope(reason, at(now)), alerts)
    return f"{notification.title}\n{notification.text}".rstrip("\n")


def text(lines: str) -> str:
    return dedent(lines).strip("\n")


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
        In CrashLoopBackOff (pause 1 min 20 s); last exit Error/1.
        Image `registry.example/checkout:2.0.0`
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
        (EndReason.IDLE, "idle: no running pod uses it", "It crashed 7 times over 12 min."),
        (
            EndReason.UNKNOWN,
            "not seen for a long time",
            "It crashed 7 times over 12 min. Whether it goes on is not known.",
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


def test_what_has_ended_stands_below_what_still_fires_and_does_not_claim_that_all_is_well() -> None:
    lines = told(ended(oom_kill(), EndReason.RECOVERED), crash_loop(), reason=SendReason.SOME_ENDED).splitlines()
    assert lines[0] == "🟠 1 of 2 alerts still fires: checkout crash-loops — shop, prod-eu"
    assert lines[-2:] == [
        "🟢 api is no longer OOM-killed",
        "It was OOM-killed 4 times over 20 min; 9 of 12 pods are ready.",
    ]


@pytest.mark.parametrize(
    ("second", "mark"),
    [(EndReason.RECOVERED, "🟢"), (EndReason.DELETED, "⚪")],
    ids=["all recovered", "one was deleted"],
)
def test_a_group_is_green_only_when_all_of_it_recovered(second: EndReason, mark: str) -> None:
    title = told(ended(oom_kill(), EndReason.RECOVERED), ended(crash_loop(), second)).splitlines()[0]
    assert title.startswith(f"{mark} 2 alerts have ended: ")


def test_from_the_eleventh_alert_on_each_has_one_line() -> None:
    alerts = [facts([crash_signal(workload=f"w{n:02}")], "ContainerCrashLooping") for n in range(13)]
    lines = told(*alerts).splitlines()
    assert lines[-4:] == ["🟠 3 more alerts", *(f"🟠 w{n} crash-loops" for n in (10, 11, 12))]
    assert sum(line.startswith("Next: ") for line in lines) == 10


def test_alerts_of_several_namespaces_each_say_their_place() -> None:
    other = facts([crash_signal(namespace="billing")], "ContainerCrashLooping")
    lines = told(crash_loop(), other).splitlines()
    assert lines[0].endswith("— billing and shop, prod-eu")
    assert [line for line in lines[1:] if line.startswith("🟠")] == [
        "🟠 checkout crash-loops (app) — billing, prod-eu",
        "🟠 checkout crash-loops (app) — shop, prod-eu",
    ]


# ---- the words of single signals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "title", "sentence"),
    [
        (
            crash_signal(exit_code=0, reason="Completed"),
            "checkout exits with 0 in a loop",
            "Container `app` exits with 0 (no error) after about 4 s, and is started again each time;",
        ),
        (
            crash_signal(exit_code=137, container_kind="init", container="migrate"),
            "checkout crash-loops",
            "Init container `migrate` exits with 137 (killed) after about 4 s;",
        ),
        (
            crash_signal(exit_code=139, container_kind="sidecar", container="proxy"),
            "checkout crash-loops",
            "Sidecar `proxy` exits with 139 (segmentation fault) after about 4 s;",
        ),
        (
            crash_signal(exit_code=128, reason="StartError"),
            "checkout crash-loops",
            "Container `app` cannot be started (StartError, exit code 128);",
        ),
        (
            crash_signal(exit_code=137, reason="ContainerStatusUnknown", ran_seconds=None),
            "checkout crash-loops",
            "Container `app` was lost, how it ended is not known;",
        ),
        (
            crash_signal(exit_code=None, reason="", ran_seconds=None),
            "checkout crash-loops",
            "Container `app` dies;",
        ),
        (
            crash_signal(min_ran_seconds_6h=700.0, ran_seconds=720.0),
            "checkout restarts often",
            "Container `app` exits with 1 (application error) after about 12 min;",
        ),
    ],
    ids=["exit 0", "init container", "sidecar", "not started", "lost", "unknown exit", "long lives"],
)
def test_a_crash_loop_reads_its_exit_in_words(signal: object, title: str, sentence: str) -> None:
    assert isinstance(signal, type(crash_signal()))
    lines = told(facts([signal], "ContainerCrashLooping", counts=[7])).splitlines()
    assert lines[0] == f"🟠 {title} — shop, prod-eu"
    assert lines[1].startswith(f"{sentence} 7 times in 12 min.")


def test_exit_137_without_the_word_of_the_runtime_is_never_called_a_lack_of_memory() -> None:
    words = told(facts([crash_signal(exit_code=137)], "ContainerCrashLooping")).lower()
    assert "oom" not in words
    assert "memory" not in words


@pytest.mark.parametrize(
    ("signal", "sentence"),
    [
        (
            oom_signal(oom_class="node"),
            "Container `app` was killed at 14:02:11 after running 3 min because its node ran out of memory.",
        ),
        (
            oom_signal(oom_class="child_then_exit", exit_code=1),
            "Container `app` had a process killed at 14:02:11 after running 3 min for using more than its 512 Mi limit"
            " and then exited with 1.",
        ),
        (
            oom_signal(oom_class="child_graceful", exit_code=0),
            "Container `app` had a process killed at 14:02:11 after running 3 min for using more than its 512 Mi limit;"
            " its own stop was graceful.",
        ),
        (
            oom_signal(memory_limit_bytes=None, limits={}, ran_seconds=None),
            "Container `app` was killed at 14:02:11 for lack of memory.",
        ),
    ],
    ids=["node", "child then exit", "child graceful", "no limit known"],
)
def test_an_oom_kill_says_only_what_is_known_of_it(signal: object, sentence: str) -> None:
    assert isinstance(signal, type(oom_signal()))
    assert told(facts([signal], "ContainerOOMKilled")).splitlines()[1] == sentence + " 1 pod."


@pytest.mark.parametrize(
    ("cause", "title", "next_step"),
    [
        ("unauthorized", "no right to pull the image", "describe pod worker-5f7b6-aaaaa`, check the pull secret"),
        ("denied", "image does not exist or may not be pulled", "rollout undo deployment/worker`, or correct"),
        ("rate_limited", "the registry's rate limit is reached", "aaaaa`, pull with a login, or from a mirror"),
        ("platform", "the image is not built for its node", "rollout undo deployment/worker`, or build"),
        ("unknown", "the image cannot be pulled", "Next: `kubectl -n shop describe pod worker-5f7b6-aaaaa`"),
        ("something_new", "the image cannot be pulled", "Next: `kubectl -n shop describe pod worker-5f7b6-aaaaa`"),
    ],
)
def test_each_cause_of_a_failing_pull_has_its_title_and_its_next_step(cause: str, title: str, next_step: str) -> None:
    lines = told(facts([image_signal(cause=cause)], "ImagePullFailing")).splitlines()
    assert lines[0] == f"🟠 worker cannot start: {title} — shop, prod-eu"
    assert next_step in lines[-1]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            'failed to pull and unpack image "registry.example/worker:9.9.9": failed to resolve reference '
            '"registry.example/worker:9.9.9": registry.example/worker:9.9.9: not found',
            "registry says: not found",
        ),
        (
            "rpc error: code = Unknown desc = Error response from daemon: manifest for worker:9 not found: "
            "manifest unknown: manifest unknown",
            "registry says: manifest for worker:9 not found: manifest unknown",
        ),
        (
            'Back-off pulling image "registry.example/worker:9.9.9": ErrImagePull: rpc error: code = NotFound desc = '
            "reading manifest 9.9.9 in registry.example/worker: manifest unknown",
            "registry says: reading manifest 9.9.9 in registry.example/worker: manifest unknown",
        ),
        ('Back-off pulling image "registry.example/worker:9.9.9"', None),
        ("", None),
    ],
    ids=["containerd", "docker", "new kubelet", "only the pause", "nothing"],
)
def test_the_registrys_words_come_without_their_wrapping(message: str, said: str | None) -> None:
    lines = told(facts([image_signal(message=message)], "ImagePullFailing")).splitlines()
    assert [line for line in lines if " says: " in line] == ([said] if said else [])


@pytest.mark.parametrize(
    ("signals", "title", "sentence"),
    [
        (
            [failed_signal()],
            "import failed with exit code 1 (application error)",
            "The pod failed at 14:00:00: container `main` exited with 1 (application error).",
        ),
        (
            [failed_signal(cause="start_failed", reason="StartError", exit_code=128)],
            "import failed: it could not be started",
            "The pod failed at 14:00:00: container `main` could not be started (StartError, exit code 128).",
        ),
        (
            [failed_signal(cause="deadline", reason="DeadlineExceeded", container="", exit_code=None)],
            "import ran longer than its deadline",
            "The pod ran longer than its deadline at 14:00:00.",
        ),
        (
            [
                failed_signal(f"web-{n}", f"14:0{n}:00", cause="evicted", container="", exit_code=None)
                for n in (2, 1, 0)
            ],
            "3 pods of import were evicted",
            "3 pods were evicted in 2 min, the last at 14:02:00.",
        ),
    ],
    ids=["own exit", "not started", "deadline", "three evicted"],
)
def test_a_failed_pod_says_how_it_failed(signals: list[object], title: str, sentence: str) -> None:
    typed = [signal for signal in signals if isinstance(signal, type(failed_signal()))]
    lines = told(facts(typed, "PodFailed")).splitlines()
    assert lines[0] == f"🟠 {title} — shop, prod-eu"
    assert lines[1] == sentence


def test_a_failed_pod_says_how_many_of_its_workload_are_ready() -> None:
    web = failed_signal("web-1", workload="web", workload_kind="Deployment", cause="evicted", container="")
    sentences = [
        told(facts([web], "PodFailed", pods_total=total, pods_ready=ready)).splitlines()[1].partition(". ")[2]
        for total, ready in ((3, 2), (3, 3), (3, 0), (1, 0), (0, 0))
    ]
    assert sentences == [
        "2 of 3 pods are ready.",
        "All its 3 pods are ready.",
        "None of its 3 pods is ready.",
        "Its only pod is not ready.",
        "",
    ]


def test_the_kubelets_words_about_an_evicted_pod_are_shown() -> None:
    message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi."
    lines = told(facts([failed_signal(cause="evicted", reason="Evicted", message=message)], "PodFailed")).splitlines()
    assert f"kubelet says: Evicted: {message}" in lines
    assert lines[-1] == "Next: `kubectl describe node n7`"


def test_single_deaths_are_told_as_such() -> None:
    lines = told(facts([death_signal()], "SomeRule")).splitlines()
    assert lines[0] == "🟠 api exited with 139 (segmentation fault) — shop, prod-eu"
    assert lines[1] == (
        "Container `app` exited with 139 (segmentation fault) at 14:02:11 after running 1 min 1 s. 1 pod."
    )


def test_a_signal_without_words_of_its_own_is_told_by_its_rule_and_place() -> None:
    class Strange(Signal, frozen=True, kw_only=True, tag="Strange"):
        pass

    strange = cast(
        AnySignal,
        Strange(namespace="shop", workload_kind="Deployment", workload="api", pod="api-1-abcde", since=at("13:50:30")),
    )
    assert told(facts([strange], "SomethingOdd", pods_total=2, pods_ready=2)) == text(
        """
        🟠 api: SomethingOdd — shop
        1 of 2 pods.
        Deployment api · namespace shop · since 13:50 UTC · warning
        abcde
        """
    )


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
