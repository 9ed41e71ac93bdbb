"""Facts of messages as tests need them: one function per trouble, each with the values of a mock-up of messages.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from textwrap import dedent
from typing import Any

import msgspec

from watcher.model.evidence import Evidence
from watcher.model.identity import AlertKey, MemberKey, Workload
from watcher.model.message import SendReason
from watcher.model.signals import AnySignal, ContainerTerminated, CrashLooping, ImagePullFailing, OOMKilled, PodFailed
from watcher.model.state import Alert, AlertState, EndReason, Member, MemberState
from watcher.notify.facts import AlertFacts, Envelope
from watcher.notify.render import render

CLUSTER = "prod-eu"
MI = 1024 * 1024


def at(text: str) -> datetime:
    """`14:02:11` of the day on which these tests play, or a whole time with its date."""
    day = "" if "T" in text else "2026-11-20T"
    return datetime.fromisoformat(day + text).replace(tzinfo=UTC)


NOW = at("14:02:30")


def envelope(
    reason: SendReason = SendReason.FIRST, now: datetime = NOW, cluster: str = CLUSTER, message: str = "m-1"
) -> Envelope:
    return Envelope(
        id=message,
        at=now,
        receiver="team",
        integration="slack_configs[0]",
        reason=reason,
        group_key='{}:{workload="api"}',
        group_labels={"cluster": cluster, "workload": "api"},
        cluster=cluster,
    )


def facts(
    signals: Sequence[AnySignal],
    alertname: str,
    *,
    severity: str = "warning",
    since: str | datetime | None = None,
    counts: Sequence[int] = (),
    alert: dict[str, Any] | None = None,
    **more: Any,
) -> AlertFacts:
    """An alert that fires because of `signals`, the worst first; `counts` are the members' own."""
    lead = signals[0]
    key = AlertKey(
        alertname=alertname,
        cluster=lead.cluster,
        namespace=lead.namespace,
        workload_kind=lead.workload_kind,
        workload=lead.workload,
        container=getattr(lead, "container", "") if not isinstance(lead, PodFailed) else "",
    )
    began = at(since) if isinstance(since, str) else since or min(signal.since for signal in signals)
    counts = counts or [1] * len(signals)
    fields: dict[str, Any] = {
        "key": key,
        "workload": Workload(lead.namespace, lead.workload_kind, lead.workload),
        "state": AlertState.FIRING,
        "labels": _labels(key, severity),
        "annotations": {},
        "fingerprint": "af69f40dfc0853e0",
        "starts_at": began,
        "since": began,
        "lead": lead,
        "count": sum(counts),
        "peak": len(signals),
    }
    members = tuple(_member(key, signal, count) for signal, count in zip(signals, counts, strict=True))
    return AlertFacts(alert=Alert(**{**fields, **(alert or {})}), members=members, **more)


def _member(alert: AlertKey, signal: AnySignal, count: int) -> Member:
    return Member(
        key=MemberKey(rule=alert.alertname, subject=signal.subject),
        alert=alert,
        workload=Workload(signal.namespace, signal.workload_kind, signal.workload),
        state=MemberState.FIRING,
        signal=signal,
        since=signal.since,
        count=count,
    )


def _labels(key: AlertKey, severity: str) -> dict[str, str]:
    named = msgspec.structs.asdict(key)
    return {**{name: value for name, value in named.items() if value}, "severity": severity}


def ended(told: AlertFacts, reason: EndReason, when: datetime = NOW, **more: Any) -> AlertFacts:
    """The same alert after its end: its members are gone."""
    alert = msgspec.structs.replace(told.alert, state=AlertState.ENDED, ends_at=when, end_reason=reason)
    return msgspec.structs.replace(told, alert=alert, members=(), **more)


def before(told: AlertFacts, when: str = "13:55:00") -> AlertFacts:
    """The same alert as its receiver was told of it at `when`, with all the members that it has."""
    return msgspec.structs.replace(told, told_members=max(len(told.members), 1), told_at=at(when))


def unheard(told: AlertFacts, reason: EndReason, when: datetime = NOW) -> AlertFacts:
    """The same alert after its end, of which its receiver never heard that it began."""
    return msgspec.structs.replace(ended(told, reason, when), unheard=True)


def changed(told: AlertFacts, **fields: Any) -> AlertFacts:
    """The same facts with other fields of the alert."""
    return msgspec.structs.replace(told, alert=msgspec.structs.replace(told.alert, **fields))


def _of(workload: str, pod: str, namespace: str = "shop", kind: str = "Deployment", node: str = "n7") -> dict[str, Any]:
    return {
        "uid": f"uid-{pod}",
        "cluster": CLUSTER,
        "namespace": namespace,
        "workload_kind": kind,
        "workload": workload,
        "pod": pod,
        "node": node,
    }


# ---- signals ------------------------------------------------------------


def oom_signal(pod: str = "api-6d4cf-abcde", since: str = "14:02:11", **more: Any) -> OOMKilled:
    fields: dict[str, Any] = {
        **_of("api", pod),
        "since": at(since),
        "container": "app",
        "image": "registry.example/api:1.4.2",
        "exit_code": 137,
        "reason": "OOMKilled",
        "ran_seconds": 180.0,
        "memory_limit_bytes": 512 * MI,
        "limits": {"memory": "512Mi"},
    }
    return OOMKilled(**{**fields, **more})


def crash_signal(pod: str = "checkout-7c9d8-x2k4q", **more: Any) -> CrashLooping:
    fields: dict[str, Any] = {
        **_of("checkout", pod),
        "since": at("13:50:30"),
        "container": "app",
        "image": "registry.example/checkout:2.0.0",
        "exit_code": 1,
        "reason": "Error",
        "ran_seconds": 4.0,
        "min_ran_seconds_6h": 3.0,
        "in_backoff": True,
        "backoff_seconds": 80.0,
        "deaths_10m": 3,
    }
    return CrashLooping(**{**fields, **more})


def image_signal(pod: str = "worker-5f7b6-aaaaa", **more: Any) -> ImagePullFailing:
    fields: dict[str, Any] = {
        **_of("worker", pod, node="n3"),
        "since": at("09:14:00"),
        "container": "worker",
        "image": "registry.example/worker:9.9.9",
        "cause": "not_found",
        "reason": "ImagePullBackOff",
        "message": ("rpc error: code = NotFound desc = Error response from daemon: manifest unknown: manifest unknown"),
    }
    return ImagePullFailing(**{**fields, **more})


def failed_signal(pod: str = "import-29210-q7w8e", since: str = "14:00:00", **more: Any) -> PodFailed:
    fields: dict[str, Any] = {
        **_of("import", pod, kind="CronJob"),
        "since": at(since),
        "cause": "exit",
        "reason": "Error",
        "container": "main",
        "image": "registry.example/import:7",
        "exit_code": 1,
    }
    return PodFailed(**{**fields, **more})


def death_signal(pod: str = "api-6d4cf-abcde", since: str = "14:02:11", **more: Any) -> ContainerTerminated:
    fields: dict[str, Any] = {
        **_of("api", pod),
        "since": at(since),
        "container": "app",
        "image": "registry.example/api:1.4.2",
        "exit_code": 139,
        "reason": "Error",
        "ran_seconds": 61.0,
    }
    return ContainerTerminated(**{**fields, **more})


# ---- the mock-ups ------------------------------------------------------------

OOM_LOG = ("14:02:10 INFO  cache warm-up 81 %", "14:02:11 WARN  heap 498 MiB of 512 MiB")


def oom_kill() -> AlertFacts:
    """The first mock-up: three pods, the log, and a crash loop that is its effect."""
    signals = [
        oom_signal("api-6d4cf-abcde", "14:02:11"),
        oom_signal("api-6d4cf-fghij", "13:58:00", node="n3"),
        oom_signal("api-6d4cf-klmno", "13:42:11"),
    ]
    told = facts(signals, "ContainerOOMKilled", since="13:42:11", counts=[2, 1, 1], pods_total=12, pods_ready=9)
    evidence = Evidence(alert=told.alert.key, pod="api-6d4cf-abcde", container="app", log=OOM_LOG)
    loop = facts([_loop_of_api()], "ContainerCrashLooping").alert
    return msgspec.structs.replace(changed(told, evidence=evidence), explains=(loop,))


def _loop_of_api() -> CrashLooping:
    return crash_signal("api-6d4cf-abcde", workload="api")


def image_not_found() -> AlertFacts:
    signals = [image_signal("worker-5f7b6-aaaaa"), image_signal("worker-5f7b6-bbbbb", node="n4")]
    return facts(signals, "ImagePullFailing", pods_total=6, pods_ready=4)


def crash_loop(pods: int = 1, total: int = 12) -> AlertFacts:
    names = [f"checkout-7c9d8-x2k{n:02}" for n in range(pods)]
    return facts(
        [crash_signal(name, node=f"n{n + 1}") for n, name in enumerate(names)],
        "ContainerCrashLooping",
        counts=[7] if pods == 1 else [9 - min(n, 8) for n in range(pods)],
        pods_total=total,
        pods_ready=total - pods,
    )


def growth() -> AlertFacts:
    return msgspec.structs.replace(crash_loop(12), told_members=1, told_at=at("10:02:00"))


def recovered() -> AlertFacts:
    """OOM-killed nine times over 1 h 12 min, and well since."""
    told = facts([oom_signal(since="14:02:11")], "ContainerOOMKilled", since="12:50:11", counts=[9])
    told = msgspec.structs.replace(told, pods_total=12, pods_ready=12)
    return ended(told, EndReason.RECOVERED, at("15:02:11"))


def failed_job() -> AlertFacts:
    return facts([failed_signal()], "PodFailed")


def many(count: int, text: str = "x") -> list[AlertFacts]:
    """`count` alerts of as many workloads, each with `text` wherever the cluster may put one."""
    return [
        changed(
            facts(
                [crash_signal(f"w{n}-7c9d8-aaaaa", workload=f"w{n}", message=text)],
                "ContainerCrashLooping",
                counts=[3],
                pods_total=1,
            ),
            annotations={"description": text},
        )
        for n in range(count)
    ]


# ---- what is said of them ------------------------------------------------------------


def told(*alerts: AlertFacts, now: str = "14:02:30", reason: SendReason = SendReason.FIRST) -> str:
    notification = render(envelope(reason, at(now)), alerts)
    return f"{notification.title}\n{notification.text}".rstrip("\n")


def text(lines: str) -> str:
    return dedent(lines).strip("\n")
