"""Cause and effect, per member: whose trouble is the effect of another signal's cause (design.md section 6).

An explained member does not count: its alert is held while all of its members are explained, and what it would have
said stands in the cause's message. A cause that does not fire yet explains too, as long as it is pending.
"""

from __future__ import annotations

import msgspec

from watcher.model.identity import AlertKey
from watcher.model.signals import (
    AnySignal,
    ContainerNotStarting,
    CrashLooping,
    ImagePullFailing,
    NodeNotReady,
    OomClass,
    OOMKilled,
    PodNotReady,
    PodPending,
)
from watcher.model.state import Member, MemberState
from watcher.pipeline.core import Step

TOLD_SEVERITIES = frozenset({"critical", "warning"})
_OOM = frozenset({OomClass.MAIN_PROCESS.value, OomClass.CHILD_THEN_EXIT.value, OomClass.NODE.value})
_WAITS = (PodPending, PodNotReady)
_KEEPS_WAITING = (ImagePullFailing, ContainerNotStarting, CrashLooping)
CAUSES = (OOMKilled, NodeNotReady, *_KEEPS_WAITING)


def explain(step: Step, member: Member) -> AlertKey | None:
    """The alert that explains a member now; the member remembers it."""
    cause = _cause(step, member)
    if cause != member.explained_by:
        step.draft.members.put(member.key, msgspec.structs.replace(member, explained_by=cause))
    return cause


def effects_changed(step: Step, cause: Member) -> None:
    """A member that may explain others begins, fires or ends: those are looked at again in this instant."""
    if not isinstance(cause.signal, CAUSES):
        return
    near = step.draft.members
    others = (
        near.by("node", cause.signal.node)
        if isinstance(cause.signal, NodeNotReady)
        else near.by("uid", cause.key.subject.uid)
    )
    for key in sorted({other.alert for other in others if other.alert != cause.alert}):
        alert = step.draft.alerts.get(key)
        if alert is not None and alert.ends_at is None:
            step.touch(alert)


def _cause(step: Step, member: Member) -> AlertKey | None:
    signal = member.signal
    if not signal.pod:
        return None
    for other in step.draft.members.by("uid", member.key.subject.uid):
        if other.key != member.key and _is_effect(step, signal, member, other):
            return other.alert
    for other in step.draft.members.by("uid", f"node/{signal.node}") if signal.node else ():
        if isinstance(other.signal, NodeNotReady) and other.state is not MemberState.PENDING and _is_told(step, other):
            return other.alert
    return None


def _is_effect(step: Step, signal: AnySignal, member: Member, other: Member) -> bool:
    """Whether `member` is the effect of `other`, a member about the same pod."""
    if isinstance(signal, _WAITS):
        return isinstance(other.signal, _KEEPS_WAITING) and _is_told(step, other)
    if not isinstance(signal, CrashLooping) or other.key.subject != member.key.subject:
        return False
    if isinstance(other.signal, ContainerNotStarting):
        return True
    if not isinstance(other.signal, OOMKilled) or other.state is MemberState.PENDING or not _is_told(step, other):
        return False
    history = step.draft.histories.get((member.key.subject.uid, member.key.subject.container))
    return history is not None and history.oom_class in _OOM


def _is_told(step: Step, member: Member) -> bool:
    rule = step.core.by_rule.get(member.key.rule)
    return rule is not None and rule.severity in TOLD_SEVERITIES
