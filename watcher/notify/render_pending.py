"""Pods that wait: not scheduled, stuck in creation, or running and not ready."""

from __future__ import annotations

from typing import Final

from watcher.lib.durations import in_words
from watcher.model.message import Span, Text
from watcher.model.signals import PodNotReady, PodPending, Signal
from watcher.notify.render_case import Case, Words, lasting, pods_and_ready
from watcher.notify.render_text import Part, argument, code, listed, name, paragraph, said

_WHY: Final = {
    "resources": "no node has room for it",
    "taint": "it does not tolerate the nodes' taints",
    "affinity": "no node fits its affinity",
    "node_selector": "no node fits its node selector",
    "unbound_claim": "a claim of it is not bound",
    "volume_zone": "its volume is in another zone",
    "ports": "its host ports are taken",
    "topology": "no node fits its topology spread",
    "too_many_pods": "the nodes have as many pods as they may",
    "no_nodes": "there are no nodes",
}
_LABELS: Final = {
    "resources": "room",
    "taint": "taints",
    "affinity": "affinity",
    "node_selector": "node selector",
    "unbound_claim": "claims",
    "volume_zone": "zone of the volume",
    "ports": "host ports",
    "topology": "topology spread",
    "too_many_pods": "number of pods",
    "no_nodes": "nodes",
    "unknown": "other reasons",
}
_ADVICE: Final = {
    "resources": "lower its requests, or add a node",
    "taint": "add a toleration, or free a node",
    "affinity": "loosen its affinity, or label a node",
    "node_selector": "correct its node selector, or label a node",
    "unbound_claim": "see why its claim is not bound",
    "volume_zone": "add a node in the volume's zone",
    "ports": "drop the host port, or add a node",
    "topology": "loosen its topology spread, or add nodes",
    "too_many_pods": "add a node",
    "no_nodes": "add a node",
}
_GATES: Final = "ReadinessGatesNotReady"
_CONTAINERS: Final = 5


class PendingWords(Words[PodPending]):
    kind = "pending pod"
    effect = "is pending"
    over = "is no longer pending"

    def title(self, case: Case, signal: PodPending) -> str:
        if signal.stage != "scheduling":
            return f"{case.name} is stuck in creation"
        why = _WHY.get(signal.cause, "")
        return f"{case.name} cannot be scheduled" + (f": {why}" if why else "")

    def sentence(self, case: Case, signal: PodPending) -> list[Part]:
        whose = "The pod" if len(case.pods) <= 1 else "Its pods"
        verb = "has waited" if len(case.pods) <= 1 else "have waited"
        for_what = "for a node" if signal.stage == "scheduling" else "for the containers to be created"
        return [f"{whose} {verb} {for_what}{lasting(case)}."]

    def pods(self, case: Case) -> str:
        return pods_and_ready(case)

    def evidence(self, case: Case, signal: PodPending) -> list[Text]:
        if signal.stage != "scheduling":
            words = said(f"{signal.reason}: {signal.message}")
            return [paragraph([f"kubelet says: {words}"])] if signal.message else []
        if not signal.causes:
            words = said(signal.message)
            return [paragraph([f"scheduler says: {words}"])] if words else []
        causes = [f"{_LABELS.get(cause, cause)} ({said(words)})" for cause, words in _worst_first(signal)]
        return [paragraph(["scheduler says: " + " · ".join(causes)])]

    def next_step(self, case: Case, signal: PodPending) -> list[Part]:
        advice = _ADVICE.get(signal.cause, "") if signal.stage == "scheduling" else ""
        return [_describe(signal), f", {advice}" if advice else ""]

    def was(self, case: Case, signal: PodPending) -> str:
        what = "could not be scheduled" if signal.stage == "scheduling" else "was stuck in creation"
        return f"It {what} for {in_words(case.lasted)}"


def _worst_first(signal: PodPending) -> list[tuple[str, str]]:
    """What most nodes name stands first, the others in the scheduler's order."""
    return sorted(signal.causes.items(), key=lambda item: item[0] != signal.cause)


class NotReadyWords(Words[PodNotReady]):
    kind = "not ready"
    effect = "is not ready"
    over = "is ready again"

    def title(self, case: Case, signal: PodNotReady) -> str:
        return f"{case.name} is not ready"

    def sentence(self, case: Case, signal: PodNotReady) -> list[Part]:
        since, names = lasting(case), [name(container) for container in signal.containers]
        if len(names) == 1:
            return ["Container ", code(names[0]), f" runs and has not been ready{since}."]
        if names:
            return [f"Containers {listed(names, _CONTAINERS)} run and have not been ready{since}."]
        if signal.reason == _GATES:
            return [f"Its containers are ready, and a readiness gate of the pod has not been{since}."]
        return [f"The pod runs and has not been ready{since}."]

    def pods(self, case: Case) -> str:
        return pods_and_ready(case)

    def evidence(self, case: Case, signal: PodNotReady) -> list[Text]:
        words = said(signal.message)
        # Of containers the message only names them, as the sentence does.
        return [paragraph([f"kubelet says: {words}"])] if words and not signal.containers else []

    def next_step(self, case: Case, signal: PodNotReady) -> list[Part]:
        return [_describe(signal), ", and see what its readiness probe asks for" if signal.containers else ""]

    def was(self, case: Case, signal: PodNotReady) -> str:
        return f"It was not ready for {in_words(case.lasted)}"


def _describe(signal: Signal) -> Span:
    return code(f"kubectl -n {argument(signal.namespace)} describe pod {argument(signal.pod)}")
