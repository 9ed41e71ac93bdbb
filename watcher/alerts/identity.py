"""The key on which one trouble's state hangs, and its labels."""

from __future__ import annotations

from watcher.model.identity import AlertKey
from watcher.model.rule import CompiledRule
from watcher.model.signals import ClaimSignal, ConfigRefused, ContainerSignal, NodeSignal, Signal, StreamStale


def alert_key(rule: CompiledRule, signal: Signal) -> AlertKey:
    """Rule name and subject at workload level, the pod only under `per: pod`; claims and nodes are per object."""
    match signal:
        case StreamStale() | ConfigRefused():
            return AlertKey(alertname=rule.alert, cluster=signal.cluster)
        case NodeSignal():
            return AlertKey(alertname=rule.alert, cluster=signal.cluster, node=signal.node)
        case ClaimSignal(claim=""):
            return AlertKey(alertname=rule.alert, cluster=signal.cluster, node=signal.node)
        case ClaimSignal():
            return AlertKey(
                alertname=rule.alert, cluster=signal.cluster, namespace=signal.namespace, claim=signal.claim
            )
    return AlertKey(
        alertname=rule.alert,
        cluster=signal.cluster,
        namespace=signal.namespace,
        workload_kind=signal.workload_kind,
        workload=signal.workload,
        container=signal.container if isinstance(signal, ContainerSignal) else "",
        pod=signal.pod if rule.per == "pod" else "",
    )


def alert_labels(rule: CompiledRule, key: AlertKey) -> dict[str, str]:
    """The subject's labels and the rule's own on top; sorted by name, empty ones left out."""
    labels = {
        "alertname": key.alertname,
        "cluster": key.cluster,
        "namespace": key.namespace,
        "workload_kind": key.workload_kind,
        "workload": key.workload,
        "container": key.container,
        "claim": key.claim,
        "node": key.node,
        "pod": key.pod,
        **rule.labels,
    }
    return {name: labels[name] for name in sorted(labels) if labels[name]}
