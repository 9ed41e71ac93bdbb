"""What a message may say of one alert: gathered from everything that is known at the moment it is sent."""

from __future__ import annotations

import msgspec

from watcher.model.identity import AlertKey
from watcher.model.signals import NodeSignal, WorkloadDown
from watcher.model.state import Alert, Member, Told
from watcher.notify.facts import AlertFacts, PodOnNode
from watcher.pipeline import sight
from watcher.pipeline.core import Step, subjects


def facts(step: Step, key: AlertKey, told: Told | None) -> AlertFacts:
    """`told`: what its receiver was told of it last."""
    alert = step.draft.alerts.get(key)
    assert alert is not None
    members: list[Member] = list(subjects(step.members(key)).values())
    members.sort(key=lambda m: (-m.count, m.since, m.key))
    unseen = alert.unseen_since is not None
    return AlertFacts(
        alert=alert,
        members=tuple(members),
        pods_total=step.tally(alert.workload).pods,
        pods_ready=step.tally(alert.workload).ready,
        told_members=told.members if told is not None else None,
        told_at=told.at if told is not None else None,
        explains=tuple(other for other in step.draft.alerts.by("explained_by", key) if other.ends_at is None),
        log_expected=alert.evidence_asked is not None and alert.evidence is None,
        causes=_causes(step, alert),
        pods_on_node=_pods_on_node(step, alert),
        silent_nodes=sight.silent_nodes(step, members) if unseen else (),
        stale_kinds=sight.stale_kinds(step, members) if unseen else (),
    )


def facts_of_ended(step: Step, alert: Alert, told: Told | None, *, unheard: bool) -> AlertFacts:
    """Of an alert that is over, and perhaps forgotten. `unheard`: its receiver never heard that it began."""
    present = step.draft.alerts.get(alert.key)
    if present is not None and (present.starts_at, present.ends_at) == (alert.starts_at, alert.ends_at):
        found = facts(step, alert.key, told)
    else:
        found = AlertFacts(
            alert=alert, pods_total=step.tally(alert.workload).pods, pods_ready=step.tally(alert.workload).ready
        )
    return msgspec.structs.replace(found, unheard=unheard)


def _causes(step: Step, alert: Alert) -> tuple[Alert, ...]:
    if not isinstance(alert.lead, WorkloadDown):
        return ()
    others = step.draft.alerts.by("workload", alert.workload)
    return tuple(other for other in others if other.ends_at is None and other.key.alertname in alert.lead.causes)


def _pods_on_node(step: Step, alert: Alert) -> tuple[PodOnNode, ...]:
    """Looked for among all pods: an index by node would cost more than the few messages about nodes."""
    if not isinstance(alert.lead, NodeSignal):
        return ()
    node = alert.lead.node
    return tuple(
        sorted(
            PodOnNode(pod.workload, pod.name) for pod in step.draft.pods.all() if pod.node == node and not pod.finished
        )
    )
