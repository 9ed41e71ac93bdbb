"""Nodes: not ready, or under pressure. A node's message speaks for its pods, whose own alerts it holds back."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from watcher.lib.durations import in_words
from watcher.model.identity import Workload
from watcher.model.message import Text
from watcher.model.signals import NodeNotReady, NodePressure, NodeSignal, Signal
from watcher.notify.render_case import Case, Words, lasting
from watcher.notify.render_text import Part, argument, code, listed, many, name, paragraph, said

WORKLOADS: Final = 40
"""So many workloads of a node are named, each with its pod; more would be longer than a channel takes."""

_UNKNOWN: Final = "Unknown"
_PRESSURES: Final = {
    "MemoryPressure": "memory",
    "DiskPressure": "disk space",
    "PIDPressure": "process ids",
}
_NETWORK: Final = "NetworkUnavailable"


class NodeWords(Words[NodeSignal]):
    """What the words of all nodes share."""

    speaks_for_pods = True

    def called(self, case: Case, signal: NodeSignal) -> str:
        return f"Node {case.name}"

    def what(self, case: Case, signal: NodeSignal) -> list[str]:
        return [f"Node {case.name}", "cordoned" if signal.cordoned else ""]

    def pods(self, case: Case) -> str:
        pods = case.facts.pods_on_node
        if not pods:
            return ""
        workloads = len({pod.workload for pod in pods})
        of = f" of {many(workloads, 'workload')}" if workloads < len(pods) or workloads == 1 else ""
        verb = "ran" if _silent(case.alert.lead) else "runs" if len(pods) == 1 else "run"
        return f"{many(len(pods), 'pod')}{of} {verb} there"

    def named(self, case: Case, signal: NodeSignal) -> str:
        """`api ×3 (shop), es-0 (logging)`: those with most pods first."""
        groups: dict[Workload, list[str]] = defaultdict(list)
        for pod in sorted(case.facts.pods_on_node):
            groups[pod.workload].append(pod.pod)
        ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        return listed([_of_workload(workload, pods) for workload, pods in ordered], WORKLOADS)

    def next_step(self, case: Case, signal: NodeSignal) -> list[Part]:
        return [code(f"kubectl describe node {argument(signal.node)}")]


def _of_workload(workload: Workload, pods: list[str]) -> str:
    what = name(pods[0]) if len(pods) == 1 else f"{name(workload.name)} ×{len(pods):,}"
    return f"{what} ({name(workload.namespace)})" if workload.namespace else what


class NodeNotReadyWords(NodeWords):
    kind = "node not ready"
    effect = "is not ready"
    over = "is ready again"

    def title(self, case: Case, signal: NodeSignal) -> str:
        return f"Node {case.name} is not ready"

    def sentence(self, case: Case, signal: NodeSignal) -> list[Part]:
        if _silent(signal):
            return [f"No word from its kubelet{lasting(case)}."]
        return [f"Its kubelet has said that it is not ready{lasting(case)}."]

    def evidence(self, case: Case, signal: NodeSignal) -> list[Text]:
        words = said(": ".join(part for part in (signal.reason, signal.message) if part))
        # Of a silent kubelet the control plane says only that it is silent.
        return [paragraph([f"kubelet says: {words}"])] if words and not _silent(signal) else []

    def next_step(self, case: Case, signal: NodeSignal) -> list[Part]:
        advice = ", and see whether the machine runs" if _silent(signal) else ""
        return [*super().next_step(case, signal), advice]

    def was(self, case: Case, signal: NodeSignal) -> str:
        return f"It was not ready for {in_words(case.lasted)}"


class NodePressureWords(NodeWords):
    kind = "node under pressure"
    effect = "is under pressure"
    over = "is no longer under pressure"

    def title(self, case: Case, signal: NodeSignal) -> str:
        lacks = _lacks(signal)
        if lacks:
            return f"Node {case.name} runs out of {' and '.join(lacks)}"
        return (
            f"Node {case.name} has no network" if _NETWORK in _conditions(signal) else f"Node {case.name} {self.effect}"
        )

    def sentence(self, case: Case, signal: NodeSignal) -> list[Part]:
        conditions = " and ".join(name(condition) for condition in _conditions(signal)) or "pressure"
        evicts = "; it evicts pods and takes no new ones until it has room" if _lacks(signal) else ""
        return [f"Its kubelet has reported {conditions}{lasting(case)}{evicts}."]

    def evidence(self, case: Case, signal: NodeSignal) -> list[Text]:
        words = said(signal.message)
        return [paragraph([f"kubelet says: {words}"])] if words else []

    def was(self, case: Case, signal: NodeSignal) -> str:
        return f"It was under pressure for {in_words(case.lasted)}"


def _silent(signal: Signal) -> bool:
    return isinstance(signal, NodeNotReady) and signal.status == _UNKNOWN


def _conditions(signal: NodeSignal) -> tuple[str, ...]:
    return signal.conditions if isinstance(signal, NodePressure) else ()


def _lacks(signal: NodeSignal) -> list[str]:
    return [_PRESSURES[condition] for condition in _conditions(signal) if condition in _PRESSURES]
