"""Hints of the team that owns a workload: read when an alert begins, and checked as soon as they are seen.

An annotation that does not do what its author meant is a mistake (`Changes.mistakes`), whether there is trouble or not.
"""

from __future__ import annotations

from collections.abc import Mapping

from watcher.detect.hints import read
from watcher.model.hints import PREFIX, Hints
from watcher.model.identity import Workload
from watcher.model.message import HoldReason
from watcher.model.rule import CompiledRule
from watcher.model.signals import AnySignal
from watcher.model.state import Decision, Member
from watcher.pipeline.core import Step

_NONE = Hints()


def check(step: Step, workload: Workload, annotations: Mapping[str, str] | None) -> None:
    """Report what is wrong in the annotations of a pod, or of a namespace (`workload` then names only that)."""
    if annotations and any(key.startswith(PREFIX) for key in annotations):
        own, above = (annotations, None) if workload.name else (None, annotations)
        step.draft.mistakes.extend(read(step.core.known_hints, step.at, workload, own, above).mistakes)


def hints_for(step: Step, workload: Workload, signal: AnySignal) -> Hints:
    """What holds for a workload (or a claim) now."""
    own = signal.annotations
    state = step.draft.namespaces.get(workload.namespace)
    above = (state.namespace.metadata.annotations if state is not None else None) or {}
    if not any(key.startswith(PREFIX) for key in (*own, *above)):
        return _NONE
    return read(step.core.known_hints, step.at, workload, own, above)


def is_ignored(step: Step, rule: CompiledRule, member: Member) -> bool:
    """Whether the owner does not want this alert; then that is written down, and nothing fires."""
    hints = hints_for(step, member.workload, member.signal)
    if not hints.ignores(rule.signal.__name__, rule.alert):
        return False
    step.decided(
        Decision(
            at=step.at, group="", receiver="", integration="", alert=member.alert, verdict="hold",
            reason=HoldReason.IGNORED_BY_HINT.value,
        )
    )  # fmt: skip
    return True
