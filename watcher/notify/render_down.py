"""Workloads of which no pod is ready."""

from __future__ import annotations

from typing import Final

from watcher.lib.durations import in_words
from watcher.model.message import Text
from watcher.model.signals import WorkloadDown
from watcher.notify.facts import AlertFacts
from watcher.notify.render_case import Case, Words, lasting
from watcher.notify.render_text import TITLE_LIMIT, Part, argument, code, listed, many, name, paragraph, said

CAUSES: Final = 5


class DownWords(Words[WorkloadDown]):
    kind = "down"
    effect = "is down"
    over = "is up again"

    def title(self, case: Case, signal: WorkloadDown) -> str:
        if signal.ready_pods:
            return f"{case.name} comes back: {signal.ready_pods:,} of {many(signal.pods, 'pod')} ready again"
        return f"{case.name} is down: {_none(signal)}"

    def sentence(self, case: Case, signal: WorkloadDown) -> list[Part]:
        fail = signal.failing_pods
        failing = f", {fail:,} of them {'fails' if fail == 1 else 'fail'}" if fail and signal.pods > 1 else ""
        return [f"{signal.ready_pods:,} of {many(signal.pods, 'pod')} ready{lasting(case)}{failing}."]

    def pods(self, case: Case) -> str:
        return ""

    def evidence(self, case: Case, signal: WorkloadDown) -> list[Text]:
        told = {alert.key.alertname: Case(facts=AlertFacts(alert=alert), at=case.at) for alert in case.facts.causes}
        names = list(dict.fromkeys((*signal.causes, *told)))
        why = [_cause(cause, told.get(cause)) for cause in names]
        return [paragraph([f"Because of: {listed(why, CAUSES, '; ')}"])] if why else []

    def next_step(self, case: Case, signal: WorkloadDown) -> list[Part]:
        where, kind = f"kubectl -n {argument(signal.namespace)}", signal.workload_kind
        if not kind or not signal.workload:
            return [code(f"{where} get pods")]
        return [code(f"{where} describe {argument(kind.lower())} {argument(signal.workload)}")]

    def was(self, case: Case, signal: WorkloadDown) -> str:
        return f"None of its pods was ready for {in_words(case.lasted)}" if case.lasted else ""


def _none(signal: WorkloadDown) -> str:
    if not signal.pods:
        return "it has no pods"
    return "its only pod is not ready" if signal.pods == 1 else f"none of its {signal.pods:,} pods is ready"


def _cause(alertname: str, cause: Case | None) -> str:
    """`ContainerCrashLooping (container app exits with 1 …)`: what the alert's rule or its kind says of it."""
    own = said(cause.alert.annotations.get("summary", ""), TITLE_LIMIT) if cause is not None else ""
    return name(alertname) + (f" ({own})" if own else "")
