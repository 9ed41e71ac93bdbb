"""Rules that look at something that is true and do not hold: written to the history with the reason, on change.

So it can be told later why nobody was told (design.md section 9, "What is stored"): a line from inactive to inactive.
How full a volume is is true of every volume, at all times: of that only the moves of members are written down. What is
known already lies in memory; after a restart what is still so is written once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from watcher.alerts.identity import alert_key
from watcher.model.identity import MemberKey
from watcher.model.rule import CompiledRule, Verdict
from watcher.model.signals import AnySignal, Signal, VolumeUsage
from watcher.model.state import Unmet
from watcher.pipeline.core import Step
from watcher.rules.judge import why_not

INACTIVE = "inactive"


def note(step: Step, rule: CompiledRule, signal: AnySignal, verdict: Verdict) -> None:
    if isinstance(signal, VolumeUsage):
        return
    row = Unmet(key=MemberKey(rule=rule.id, subject=signal.subject), where=verdict.where, text=rule.text_hash)
    if step.draft.unmet.get(row.key) == row:
        return
    step.draft.unmet.put(row.key, row)
    why = f"{why_not(rule, signal)}; rule {rule.id}, text {rule.text_hash}"
    step.transition(alert_key(rule, signal), name(signal), INACTIVE, INACTIVE, why)


def forget(step: Step, rule: CompiledRule, signal: AnySignal) -> None:
    """It holds."""
    step.draft.unmet.drop(MemberKey(rule=rule.id, subject=signal.subject))


def drop(step: Step, uid: str) -> None:
    """The object is gone."""
    for row in step.draft.unmet.by("uid", uid):
        step.draft.unmet.drop(row.key)


def gone(step: Step, uid: str, states: Iterable[AnySignal], kinds: Collection[type[Signal]] | None) -> None:
    """Of an object these states are true now; what else was true of it (of these kinds) is not any more."""
    rows = step.draft.unmet.by("uid", uid)
    if not rows:
        return
    present = {(type(signal), signal.subject) for signal in states}
    for row in rows:
        rule = step.core.by_rule.get(row.key.rule)
        kind = rule.signal if rule is not None else None
        looked_for = kind is None or kinds is None or kind in kinds
        if looked_for and not (kind is not None and kind.OCCURRENCE) and (kind, row.key.subject) not in present:
            step.draft.unmet.drop(row.key)


def name(signal: AnySignal) -> str:
    subject = signal.subject
    return "/".join(part for part in (subject.namespace, subject.pod, subject.container) if part)
