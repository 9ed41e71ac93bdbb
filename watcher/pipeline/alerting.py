"""Alerts begin and end with their members; their labels and texts are those of the moment they begin."""

from __future__ import annotations

from typing import Any

import msgspec

from watcher.alerts.identity import alert_labels
from watcher.alerts.lifecycle import AlertEvent, move_alert
from watcher.lib.fnv import fingerprint
from watcher.lib.templates import TemplateProblem
from watcher.model.rule import CompiledRule
from watcher.model.state import Alert, AlertState, EndReason, Member
from watcher.pipeline.core import Step
from watcher.pipeline.hinting import hints_for, is_ignored
from watcher.routing.inhibition import sides


def end_alert(step: Step, alert: Alert, reason: EndReason) -> None:
    step.touch(
        msgspec.structs.replace(
            alert,
            state=AlertState.ENDED,
            ends_at=step.at,
            end_reason=reason,
            vacant_until=None,
            explained_by=None,
            news=True,
        )
    )


def alert_fires(step: Step, rule: CompiledRule, member: Member) -> None:
    """The alert begins, or goes on: what has not been told to have ended has not ended for anybody."""
    alert = step.draft.alerts.get(member.alert)
    if alert is None and is_ignored(step, rule, member):
        return
    before = alert.state if alert is not None else None
    state = move_alert(before, AlertEvent.MEMBER_FIRES)
    if alert is None:
        alert = _new_alert(step, rule, member)
    else:
        again = alert.news or before is AlertState.ENDED
        alert = msgspec.structs.replace(
            alert,
            state=state,
            ends_at=None,
            end_reason=None,
            vacant_until=None,
            news=again,
            count=alert.count + member.count,
        )
    if before is not state:
        step.transition(alert.key, "", before or "inactive", state, AlertEvent.MEMBER_FIRES.value)
    step.touch(alert)


def _new_alert(step: Step, rule: CompiledRule, member: Member) -> Alert:
    labels = alert_labels(rule, member.alert)
    values: dict[str, Any] = {
        **msgspec.structs.asdict(member.signal),
        "members": [msgspec.structs.asdict(member.signal)],
    }
    annotations: dict[str, str] = {}
    problems: list[str] = []
    for name, template in rule.annotations.items():
        try:
            annotations[name] = template.render(values)
        except TemplateProblem as problem:
            problems.append(f"{name}: {problem}")
    hints = hints_for(step, member.workload, member.signal)
    if hints.runbook:
        annotations["runbook_url"] = hints.runbook
    stands = sides(step.core.inhibit_rules, labels)
    return Alert(
        sources=stands.sources,
        targets=stands.targets,
        key=member.alert,
        workload=member.workload,
        state=AlertState.FIRING,
        labels=labels,
        annotations=annotations,
        fingerprint=fingerprint(labels),
        starts_at=step.at,
        news=True,
        since=member.since,
        baseline=member.baseline,
        summary=member.baseline and member.overdue,
        lead=member.signal,
        count=member.count,
        problems=tuple(problems),
        hints=hints.applied,
        receiver=hints.receiver,
        muted_until=hints.mute_until,
    )
