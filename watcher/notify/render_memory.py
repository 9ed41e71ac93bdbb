"""Containers that were killed for memory."""

from __future__ import annotations

from watcher.lib.durations import in_words
from watcher.lib.quantity import format_bytes
from watcher.model.message import Text
from watcher.model.signals import OomClass, OOMKilled
from watcher.notify.render_case import Case, Words, within
from watcher.notify.render_container import image_line, own_words, subject
from watcher.notify.render_text import Part, argument, clock, code, paragraph, said, span, times


class OomWords(Words[OOMKilled]):
    kind = "OOM kill"
    effect = "is OOM-killed"
    over = "is no longer OOM-killed"
    first = "first kill"
    counted = True

    def title(self, case: Case, signal: OOMKilled) -> str:
        match signal.oom_class:
            case OomClass.CHILD_GRACEFUL:
                return f"{case.name} had a process OOM-killed"
            case OomClass.EVICTED:
                return f"{case.name} is evicted for memory"
            case OomClass.NODE:
                return f"{case.name} is OOM-killed: its node ran out of memory"
            case _:
                return f"{case.name} is OOM-killed"

    def sentence(self, case: Case, signal: OOMKilled) -> list[Part]:
        count, ran = case.alert.count, signal.ran_seconds
        before, after = _killed(signal)
        last = clock(case.last, case.at, True)
        running = f" after running {span(ran)}" if ran is not None else ""
        if count == 1:
            return [*subject(signal), f" {before} at {last}{running}{after}."]
        often = f"{times(count)} {within(case.between)}"
        return [*subject(signal), f" {before} {often}{after}; last at {last}{running}."]

    def evidence(self, case: Case, signal: OOMKilled) -> list[Text]:
        # Where the node's memory ran out, the container's own limit, and with it the heap, is not the cause.
        heap = said(signal.heap) if signal.oom_class != OomClass.NODE else ""
        jvm = [paragraph([f"Heap of its JVM: {heap}."])] if heap else []
        return [*jvm, *own_words(case, signal.message), *image_line(signal.image)]

    def next_step(self, case: Case, signal: OOMKilled) -> list[Part]:
        if signal.oom_class == OomClass.NODE and signal.node:
            return [code(f"kubectl describe node {argument(signal.node)}"), ", and see what else uses its memory"]
        describe = code(f"kubectl -n {argument(signal.namespace)} describe pod {argument(signal.pod)}")
        if signal.oom_class in (OomClass.NODE, OomClass.EVICTED):
            return [describe]
        if _limit(signal):
            return [describe, ", raise the limit or lower what it uses"]
        return [describe, ", lower what it uses"]

    def was(self, case: Case, signal: OOMKilled) -> str:
        count = case.alert.count
        return f"It was OOM-killed {times(count)}" + (f" over {in_words(case.between)}" if count > 1 else "")


def _killed(signal: OOMKilled) -> tuple[str, str]:
    """The predicate, before and after how often."""
    why = f" for using more than {_limit(signal)}" if _limit(signal) else " for lack of memory"
    match signal.oom_class:
        case OomClass.NODE:
            return "was killed", " because its node ran out of memory"
        case OomClass.EVICTED:
            return "was evicted", " for lack of memory"
        case OomClass.CHILD_THEN_EXIT:
            exit_code = f" and then exited with {signal.exit_code}" if signal.exit_code is not None else ""
            return "had a process killed", f"{why}{exit_code}"
        case OomClass.CHILD_GRACEFUL:
            return "had a process killed", f"{why}; its own stop was graceful"
        case _:
            return "was killed", why


def _limit(signal: OOMKilled) -> str:
    if signal.memory_limit_bytes:
        return f"its {format_bytes(signal.memory_limit_bytes)} limit"
    written = said(signal.limits.get("memory", ""), 20)
    return f"its {written} limit" if written else ""
