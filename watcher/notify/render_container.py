"""Containers that die: crash loops and single deaths."""

from __future__ import annotations

from typing import Final

from watcher.lib.durations import in_words
from watcher.model.message import Text
from watcher.model.signals import ContainerSignal, ContainerTerminated, CrashLooping, LastExit, PodFailed, Signal
from watcher.notify.render_case import Case, Words, within
from watcher.notify.render_exit import NOT_STARTED, code_in_words, exits_with
from watcher.notify.render_text import Part, argument, capital, clock, code, name, paragraph, said, span, times

_NOUNS: Final = {"init": "init container", "sidecar": "sidecar"}

_UNDO: Final = {"Deployment": "deployment", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}
"""What `kubectl rollout undo` knows."""

RESTARTS_SECONDS: Final = 300
"""A container whose shortest life is longer is not in a loop: it restarts often (as ContainerRestartingOften)."""


def noun(signal: ContainerSignal) -> str:
    return _NOUNS.get(signal.container_kind, "container")


def subject(signal: ContainerSignal) -> list[Part]:
    """`Container app`, with the name set apart."""
    return [capital(noun(signal)) + " ", code(name(signal.container))]


def image_line(image: str) -> list[Text]:
    return [paragraph(["Image ", code(name(image, 120))])] if image else []


def undo_rollout(signal: Signal) -> str:
    """The command that takes the workload back to its last revision; empty where there is none."""
    kind = _UNDO.get(signal.workload_kind)
    if not kind or not signal.workload:
        return ""
    return f"kubectl -n {argument(signal.namespace)} rollout undo {kind}/{argument(signal.workload)}"


def own_words(case: Case, message: str) -> list[Text]:
    """The termination message, unless the log lines below hold it."""
    text = said(message)
    evidence = case.alert.evidence
    if not text or (evidence is not None and any(text in said(line) for line in evidence.log)):
        return []
    return [paragraph([f"It said: {text}"])]


def look(case: Case, signal: LastExit | PodFailed, again: str) -> list[Part]:
    """The log where the message has none of it, else the pod's description."""
    pod, where = argument(signal.pod), f"kubectl -n {argument(signal.namespace)}"
    evidence = case.alert.evidence
    if (evidence is not None and evidence.log) or not signal.container:
        return [code(f"{where} describe pod {pod}")]
    return [code(f"{where} logs {pod} -c {argument(signal.container)}{again}")]


class CrashLoopWords(Words[CrashLooping]):
    kind = "crash loop"
    effect = "is in a crash loop"
    over = "no longer crashes"
    first = "first crash"
    counted = True

    def title(self, case: Case, signal: CrashLooping) -> str:
        if (signal.min_ran_seconds_6h or 0) >= RESTARTS_SECONDS:
            return f"{case.name} restarts often"
        if signal.exit_code == 0:
            return f"{case.name} exits with 0 in a loop"
        return f"{case.name} crash-loops"

    def sentence(self, case: Case, signal: CrashLooping) -> list[Part]:
        ran = ""
        if signal.ran_seconds is not None and signal.reason not in NOT_STARTED:
            ran = f" after about {span(signal.ran_seconds)}"
        count = case.alert.count
        often = f"; {times(count)} {within(case.lasted)}" if count > 1 else ""
        again = ", and is started again each time" if signal.exit_code == 0 else ""
        return [*subject(signal), f" {exits_with(signal)}{ran}{again}{often}."]

    def evidence(self, case: Case, signal: CrashLooping) -> list[Text]:
        return [
            *self._state(signal),
            *own_words(case, signal.message),
            *image_line(signal.image),
        ]

    def _state(self, signal: CrashLooping) -> list[Text]:
        """Kubernetes' own words, for who looks it up there."""
        reason, exit_code = said(signal.reason, 60), signal.exit_code
        last = "/".join(str(part) for part in (reason, exit_code) if part not in ("", None))
        if signal.in_backoff:
            pause = f" (pause {span(signal.backoff_seconds)})" if signal.backoff_seconds else ""
            exit_words = f"; last exit {last}" if last else ""
            return [paragraph([f"In CrashLoopBackOff{pause}{exit_words}."])]
        if reason in ("", "Error", "Completed"):
            return []
        return [paragraph([f"Last exit {last}."])]

    def next_step(self, case: Case, signal: CrashLooping) -> list[Part]:
        return look(case, signal, " --previous")

    def was(self, case: Case, signal: CrashLooping) -> str:
        count = case.alert.count
        return f"It crashed {times(count)}" + (f" over {in_words(case.lasted)}" if count > 1 else "")


class TerminatedWords(Words[ContainerTerminated]):
    kind = "container died"
    effect = "died"
    over = "has not died again"
    first = "first death"
    counted = True

    def title(self, case: Case, signal: ContainerTerminated) -> str:
        if signal.exit_code is None:
            return f"{case.name}: a container died"
        return f"{case.name} exited with {code_in_words(signal)}"

    def sentence(self, case: Case, signal: ContainerTerminated) -> list[Part]:
        count, ran = case.alert.count, signal.ran_seconds
        after = f" after running {span(ran)}" if ran is not None else ""
        ended = exits_with(signal, past=True)
        if count == 1:
            return [*subject(signal), f" {ended} at {clock(case.last, case.at, True)}{after}."]
        often = f"{times(count)} {within(case.between)}"
        return [*subject(signal), f" {ended} {often}; last at {clock(case.last, case.at, True)}{after}."]

    def evidence(self, case: Case, signal: ContainerTerminated) -> list[Text]:
        return [*own_words(case, signal.message), *image_line(signal.image)]

    def next_step(self, case: Case, signal: ContainerTerminated) -> list[Part]:
        return look(case, signal, " --previous")

    def was(self, case: Case, signal: ContainerTerminated) -> str:
        count = case.alert.count
        return f"It died {times(count)}" + (f" over {in_words(case.between)}" if count > 1 else "")
