"""Pods that failed for good."""

from __future__ import annotations

from typing import Final

from watcher.model.message import Text
from watcher.model.signals import PodFailed
from watcher.notify.render_case import Case, Words, within
from watcher.notify.render_container import image_line, look, own_words
from watcher.notify.render_exit import code_in_words, exits_with
from watcher.notify.render_text import Part, argument, clock, code, many, name, paragraph, said

_VERBS: Final = {
    "evicted": ("was evicted", "were evicted"),
    "deadline": ("ran longer than its deadline", "ran longer than their deadline"),
    "node_lost": ("was lost with its node", "were lost with their nodes"),
    "rejected": ("was rejected by its node", "were rejected by their nodes"),
    "preempted": ("gave way to a pod of higher priority", "gave way to pods of higher priority"),
    "shutdown": ("was stopped by the shutdown of its node", "were stopped by the shutdown of their nodes"),
}
_FAILED: Final = ("failed", "failed")
_OF_THE_NODE: Final = frozenset({"evicted", "node_lost", "rejected", "shutdown"})
_OF_A_CONTAINER: Final = frozenset({"exit", "start_failed"})


class PodFailedWords(Words[PodFailed]):
    kind = "failed pod"
    effect = "failed"
    over = "no longer fails"

    def title(self, case: Case, signal: PodFailed) -> str:
        one, several = _VERBS.get(signal.cause, _FAILED)
        count = len(case.pods)
        if count > 1:
            return f"{many(count, 'pod')} of {case.name} {several}"
        if signal.cause == "start_failed":
            return f"{case.name} failed: it could not be started"
        if signal.cause in _OF_A_CONTAINER and signal.exit_code is not None:
            return f"{case.name} failed with exit code {code_in_words(signal)}"
        return f"{case.name} {one}"

    def sentence(self, case: Case, signal: PodFailed) -> list[Part]:
        one, several = _VERBS.get(signal.cause, _FAILED)
        last, count = clock(case.last, case.at, True), max(case.alert.count, len(case.pods))
        died: list[Part] = []
        if signal.cause in _OF_A_CONTAINER and signal.container:
            died = ["container ", code(name(signal.container)), f" {exits_with(signal, past=True)}"]
        if count > 1:
            head = f"{many(count, 'pod')} {several} {within(case.between)}, the last at {last}"
            return [head, ": " if died else "", *died, "."]
        if died:
            return [f"The pod failed at {last}: ", *died, "."]
        return [f"The pod {one} at {last}."]

    def pods(self, case: Case) -> str:
        """Failed pods are none of the workload's pods; what counts is how many of those are ready."""
        total, ready = case.facts.pods_total, case.facts.pods_ready
        if not total:
            return ""
        if not ready:
            return "its only pod is not ready" if total == 1 else f"none of its {total:,} pods is ready"
        if ready >= total > 1:
            return f"all its {total:,} pods are ready"
        return f"{ready:,} of {many(total, 'pod')} {'is' if ready == 1 else 'are'} ready"

    def evidence(self, case: Case, signal: PodFailed) -> list[Text]:
        if signal.cause in _OF_A_CONTAINER:
            return [*own_words(case, signal.message), *image_line(signal.image)]
        words = ": ".join(part for part in (signal.reason, signal.message) if part)
        return [paragraph([f"kubelet says: {said(words)}"])] if words else []

    def next_step(self, case: Case, signal: PodFailed) -> list[Part]:
        if signal.cause in _OF_THE_NODE and signal.node:
            return [code(f"kubectl describe node {argument(signal.node)}")]
        if signal.cause == "exit":
            return look(case, signal, "")
        return [code(f"kubectl -n {argument(signal.namespace)} describe pod {argument(signal.pod)}")]

    def was(self, case: Case, signal: PodFailed) -> str:
        count = max(case.alert.count, case.alert.peak)
        one, several = _VERBS.get(signal.cause, _FAILED)
        if count == 1:
            return f"A pod {one}"
        return f"{many(count, 'pod')} {several} {within(case.between)}"
