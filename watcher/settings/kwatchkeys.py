"""Every key of kwatch's configuration from 0.8 to its main branch of 2026, and what becomes of it.

A key is taken over by the code that asks for it (TAKEN), is not needed here (NOTE), or is left to people (LEFT), which
may depend on its value: `fine` are the values that ask for nothing that Watcher does not do by itself. The names are
those of the `yaml` tags in config/config.go and, from 0.11 on, internal/config/*.go of github.com/abahmed/kwatch.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec


class Way(StrEnum):
    TAKEN = "taken over"
    NOTE = "not needed"
    LEFT = "left by hand"


class Key(msgspec.Struct, frozen=True):
    """`kind` is bool, number, text, words (a list of texts), words_map, any. `says`: why, or what to do."""

    kind: str
    way: Way = Way.TAKEN
    says: str = ""
    fine: tuple[Any, ...] = ()


class Monitor(msgspec.Struct, frozen=True):
    """A group of keys of which nothing has a counterpart: one word for all of them."""

    keys: tuple[str, ...]
    what: str
    by_default: bool = True
    """Whether kwatch does it where `enabled` is not given."""


def _note(kind: str, says: str) -> Key:
    return Key(kind, Way.NOTE, says)


def _left(kind: str, says: str, *fine: Any) -> Key:
    return Key(kind, Way.LEFT, says, fine)


INSTEAD: Final = "alert on that with a rule of Prometheus's that posts to Watcher (docs/silences.md)"

_LINES: Final = "Watcher takes the last lines before a death and cuts them to what the channel takes"
_ITSELF: Final = "Watcher sees to that by itself"
_INCIDENTS: Final = "Watcher groups and holds alerts by group_wait, group_interval and each rule's keep_firing_for"
_PODS: Final = "Watcher looks at the pods: WorkloadDown after 2 m without a ready one, PodNotReady after 15 m"

KEYS: Final[dict[str, Key]] = {
    "maxRecentLogLines": _note("number", _LINES),
    "ignoreFailedGracefulShutdown": _left(
        "bool", "a kill of a pod that is being deleted is never told here: that cannot be turned on", True
    ),
    "ignoreDisruptionTerminations": _left(
        "bool", "what a drain or an eviction ends is never told here: that cannot be turned on", True
    ),
    "namespaces": Key("words"),
    "namespaceSelector": _left("text", "write the names of these namespaces under watch.namespaces", ""),
    "reasons": Key("words"),
    "ignoreContainerNames": Key("words"),
    "ignorePodNames": Key("words"),
    "ignoreLogPatterns": _left(
        "words",
        "rules do not see log lines: annotate these workloads with watcher.io/ignore and allow it under hints, or "
        "match the termination message in a rule's where",
        [],
    ),
    "ignoreContainerMessages": Key("words"),
    "ignoreNodeReasons": Key("words"),
    "ignoreNodeMessages": Key("words"),
    "resyncSeconds": _note("number", _ITSELF),
    "workers": _note("number", _ITSELF),
    "disableUpdateCheck": _note("bool", "Watcher does not look for newer versions"),
    "upgrader.disableUpdateCheck": _note("bool", "Watcher does not look for newer versions"),
    "telemetry.enabled": _note("bool", "Watcher sends nothing to its makers"),
    "adaptiveThresholds": _note("bool", _ITSELF),
    "containerRestartThreshold": _left(
        "number",
        "a number that only grows would never end an alert: ContainerRestartingOften counts deaths_6h, change it there",
        0,
    ),
    "reportStartupBaseline": Key("bool"),
    "includeEvents": _left(
        "bool", "to have no events in messages, leave the permission to list events out of Watcher's Role", True
    ),
    "includeLogs": _left(
        "bool", "to have no log lines in messages, leave the permission pods/log out of Watcher's Role", True
    ),
    "severityByReason": Key("words_map"),
    "severityByOwnerKind": _left(
        "words_map",
        "a rule has one severity: write a route with matchers on workload_kind, or rules of your own",
        {},
    ),
    "runbooks": Key("words_map"),
    "templates": _left("words_map", "Watcher writes its messages; receivers take Jinja2 texts (docs/receivers.md)", {}),
    "app.proxyURL": Key("text"),
    "app.clusterName": Key("text"),
    "app.disableStartupMessage": _note("bool", "Watcher has no greeting: it tells once what is broken at the start"),
    "app.logFormatter": _note("text", "Watcher's logs are JSON"),
    "app.insecureSkipTLSVerify": Key("bool"),
    "app.caBundlePath": Key("text"),
    "healthCheck.enabled": _note("bool", "/-/healthy and /-/ready are always there, on http.listen"),
    "healthCheck.port": _note("number", "http.listen says where Watcher answers, by default port 9093"),
    "healthCheck.pprof": _left("bool", "there are no profiling endpoints", False),
    "healthCheck.diagnostics": _note("bool", "alerts, messages and dead letters are always there over HTTP"),
    "healthCheck.diagnosticsToken": Key("text"),
    "heartbeatMonitor.enabled": Key("bool"),
    "heartbeatMonitor.interval": _note("number", "Watcher calls its heartbeat every minute"),
    "heartbeatMonitor.url": Key("text"),
    "pvcMonitor.enabled": Key("bool"),
    "pvcMonitor.interval": Key("number"),
    "pvcMonitor.threshold": Key("number"),
    "pvcMonitor.criticalThreshold": Key("number"),
    "pvcMonitor.clearThreshold": Key("number"),
    "nodeMonitor.enabled": Key("bool"),
    "nodeMonitor.sustainedMinutes": Key("number"),
    "pendingPodMonitor.enabled": Key("bool"),
    "pendingPodMonitor.threshold": Key("number"),
    "notReadyMonitor.enabled": Key("bool"),
    "oomMonitor.enabled": Key("bool"),
    "oomMonitor.threshold": _note("number", "ContainerOOMKilled tells each OOM kill once and says how often it was"),
    "oomMonitor.windowMinutes": _note("number", "ContainerOOMKilled ends an hour after the last OOM kill"),
    "scheduleMonitor.enabled": _note("bool", "messages always say since when a pod waits"),
    "rolloutMonitor.enabled": _note("bool", _PODS),
    "rolloutMonitor.sustainedMinutes": _note("number", _PODS),
    "statefulSetMonitor.enabled": _note("bool", _PODS),
    "statefulSetMonitor.sustainedMinutes": _note("number", _PODS),
    "daemonSetMonitor.enabled": _note("bool", _PODS),
    "daemonSetMonitor.sustainedMinutes": _note("number", _PODS),
    "jobMonitor.enabled": _left(
        "bool", f"failed pods of Jobs are told (PodFailed), suspended Jobs are not: {INSTEAD}", False
    ),
    "inhibition.nodeSuppressesPods": _left(
        "bool", "what a node's failure explains is named in its message and not told by itself", True
    ),
    "smartGrouping.windowSeconds": _note("number", _INCIDENTS),
    "smartGrouping.namespaceFanOutThreshold": _note("number", "storm makes a digest of many groups at once"),
    "correlation.window": _note("number", _INCIDENTS),
    "correlation.cooldown": _note("number", _INCIDENTS),
    "correlation.cooldownMinutes": _note("number", _INCIDENTS),
    "correlation.staleThreshold": _note("number", _INCIDENTS),
    "correlation.lifecycleInterval": _note("number", _INCIDENTS),
    "correlation.resolveHoldDown": _note("number", _INCIDENTS),
    "correlation.startupQuiet": _note("number", "first_start says what becomes of what is broken at the start"),
    "correlation.maxBaseline": _note("number", _ITSELF),
    "correlation.escalation.enabled": _left(
        "bool", "a crash loop stays a warning, WorkloadDown is critical: change a rule's severity for more", False
    ),
    "correlation.escalation.tiers": _note("any", "Watcher has no tiers of restarts"),
    "correlation.renotify.intervalBySeverity": _left(
        "any", "reminders come every repeat_interval (12h): write it in a route with matchers on severity", {}
    ),
    "correlation.renotify.maxPerIncident": _note("number", "reminders go on while the alert does"),
    "maintenance.enabled": Key("bool"),
    "maintenance.annotation": _note("text", "see maintenance"),
    "maintenance.untilAnnotation": _note("text", "see maintenance"),
    "message.includePrivateLogAddresses": _note("bool", "secrets in log lines are struck out, addresses stay"),
    "leaderElection.enabled": _left(
        "bool", "several replicas need Postgres as their store: see docs/operating.md", False
    ),
    "leaderElection.leaseName": _note("text", "see leaderElection.enabled"),
    "leaderElection.namespace": _note("text", "see leaderElection.enabled"),
    "crd.enabled": _left("bool", "Watcher has no custom resource: import your KwatchConfig too, by itself", False),
    "crd.failureConditions": _left("any", f"Watcher does not look at custom resources: {INSTEAD}", []),
    "crd.graphReferences": _left("any", "Watcher does not look at custom resources", []),
    "auditLog.enabled": _note("bool", "decisions are kept in the database, with their reasons"),
    "auditLog.output": _note("text", "decisions are kept in the database, with their reasons"),
    "llm.enabled": _left("bool", "Watcher asks no language model", False),
    "kubelet.insecureSkipVerify": Key("bool"),
    "watch.secrets": _note("bool", "Watcher never reads Secrets"),
    "silences": Key("any"),
    "alert": Key("any"),
}

_USAGE: Final = ("memoryWarningPercent", "memoryCriticalPercent", "cpuWarningPercent", "cpuCriticalPercent")

MONITORS: Final[dict[str, Monitor]] = {
    "cronJobMonitor": Monitor(("enabled", "sustainedMinutes"), "suspended CronJobs and missed schedules"),
    "hpaMonitor": Monitor(("enabled", "sustainedMinutes"), "autoscalers at their limit"),
    "tlsMonitor": Monitor(("enabled", "threshold", "criticalThreshold"), "certificates that run out", False),
    "serviceMonitor": Monitor(("enabled",), "Services without ready endpoints"),
    "admissionWebhookMonitor": Monitor(("enabled",), "admission webhooks that nobody answers"),
    "controlPlaneMonitor": Monitor(
        ("enabled", "intervalSeconds", "apiServerLatencyWarningMs", "failureThreshold", "recoveryThreshold"),
        "the control plane's health",
    ),
    "ingressMonitor": Monitor(("enabled",), "Ingresses without ready backends"),
    "networkPolicyMonitor": Monitor(("enabled",), "NetworkPolicies that deny everything"),
    "clusterResourceMonitor": Monitor(
        ("enabled", "sustainedMinutes", "nodeLeaseStaleSeconds"), "quotas, namespaces that do not end, node leases"
    ),
    "pdbMonitor": Monitor(("enabled", "sustainedMinutes"), "disruption budgets that block"),
    "nodeResourceMonitor": Monitor(
        (
            *("enabled", "intervalSeconds", "cpuWarning", "cpuCritical", "memWarning", "memCritical"),
            *("filesystemWarningPercent", "filesystemCriticalPercent", "inodeWarningPercent", "inodeCriticalPercent"),
        ),
        "overcommitted nodes",
    ),
    "clusterAutoscalerMonitor": Monitor(("enabled",), "an autoscaler that cannot scale"),
    "runtimeMetricsMonitor": Monitor(("enabled", "intervalSeconds", *_USAGE), "CPU and memory in use", False),
    "kubeletTelemetryMonitor": Monitor(
        (
            *("enabled", "intervalSeconds", "failureThreshold", "recoveryThreshold", "persistState", *_USAGE),
            *("ephemeralStorageWarningPercent", "ephemeralStorageCriticalPercent"),
            *("cpuThrottlingWarningPercent", "cpuThrottlingCriticalPercent", "psiWarningPercent", "psiCriticalPercent"),
            *("networkErrorRateWarning", "networkErrorRateCritical"),
            *("runtimeErrorRateWarning", "runtimeErrorRateCritical"),
        ),
        "CPU, memory and network in use",
    ),
    "activeProbeMonitor": Monitor(
        (
            *("enabled", "intervalSeconds", "timeoutSeconds", "failureThreshold", "recoveryThreshold"),
            *("http", "tcp", "dns", "autoServices", "excludeNamespaces"),
        ),
        "probes of addresses",
        False,
    ),
}

SILENCE_KEYS: Final = (
    *("namespaces", "reasons", "podNamePatterns", "containerNames", "logPatterns", "containerMessages"),
    *("eventMessages", "nodeReasons", "nodeMessages"),
)
ROUTE_KEYS: Final = ("namespaces", "severities", "reasons", "owners")
