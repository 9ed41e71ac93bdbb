"""Rules over signals: members begin, fire, hold and end, and with them the alerts.

`alerts.lifecycle` says which move follows from what; here the moves are made, with their times.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.alerts.identity import alert_key
from watcher.alerts.lifecycle import AlertEvent, MemberEvent, event_of, move_alert, move_member
from watcher.detect.signals import Findings
from watcher.model.config import FirstStart
from watcher.model.identity import AlertKey, MemberKey, Workload
from watcher.model.rule import CompiledRule, Verdict
from watcher.model.signals import AnySignal, Signal
from watcher.model.state import Alert, AlertState, EndReason, Member, MemberState
from watcher.pipeline import unmet
from watcher.pipeline.alerting import alert_fires, end_alert
from watcher.pipeline.core import REPLACEMENT_PATIENCE, Step
from watcher.pipeline.explaining import effects_changed, explain
from watcher.rules.judge import judge as verdict_of

UNKNOWN_AFTER = timedelta(hours=24)
"""A subject of which nothing was heard for so long is given up (design.md section 2)."""


class Judged(msgspec.Struct, frozen=True, gc=False):
    """The object that signals are about. `shown`: the containers that it tells of now; None: all there are.

    `kinds`: the signals that were looked for; None: all. What else is true of the object is judged elsewhere.
    """

    uid: str
    workload: Workload
    shown: frozenset[str] | None = None
    kinds: tuple[type[Signal], ...] | None = None

    def shows(self, member: Member) -> bool:
        if self.kinds is not None and not isinstance(member.signal, self.kinds):
            return False
        container = member.key.subject.container
        return not container or self.shown is None or container in self.shown


class Baseline(msgspec.Struct, frozen=True, gc=False):
    """Whether what is found now was there before: of a scope never listed before everything, else of new rules."""

    everything: bool = False
    listed: bool = True

    def covers(self, step: Step, rule: CompiledRule) -> bool:
        if not self.listed or step.core.first_start is FirstStart.ALERT:
            return False
        return self.everything or rule.id not in step.draft.meta.rules


NO_BASELINE = Baseline(listed=False)


def judge(step: Step, judged: Judged, findings: Findings, baseline: Baseline) -> None:
    """Hold every rule against an object's signals; a state that is no longer there was seen absent."""
    for occurrence in findings.occurrences:
        for rule in step.core.by_signal.get(type(occurrence), ()):
            _occurred(step, judged, rule, occurrence, baseline)
    if not findings.states and findings.occurrences and findings.histories == {}:
        return
    members = {member.key: member for member in step.draft.members.by("uid", judged.uid)}
    unmet.gone(step, judged.uid, findings.states, judged.kinds)
    for signal in findings.states:
        deaths = findings.new_deaths.get(signal.subject.container, 0)
        for rule in step.core.by_signal.get(type(signal), ()):
            key = MemberKey(rule=rule.id, subject=signal.subject)
            member = members.pop(key, None)
            if member is None:
                _begin(step, judged, rule, signal, baseline)
            else:
                _go_on(step, rule, member, signal, deaths)
    for member in members.values():
        rule_of = step.core.by_rule.get(member.key.rule)
        if rule_of is not None and not rule_of.signal.OCCURRENCE and judged.shows(member):
            _verdict(step, rule_of, member, None, 0)


def _begin(step: Step, judged: Judged, rule: CompiledRule, signal: AnySignal, baseline: Baseline) -> None:
    verdict = verdict_of(rule, signal)
    if move_member(None, event_of(rule, None, verdict)) is None:
        unmet.note(step, rule, signal, verdict)
        return
    unmet.forget(step, rule, signal)
    member = _pending(step, judged, rule, signal, baseline)
    _store(step, member, None, "the rule holds")
    if member.overdue:
        _fire(step, rule, member, verdict)


def _pending(step: Step, judged: Judged, rule: CompiledRule, signal: AnySignal, baseline: Baseline) -> Member:
    """A new member, whose `for` begins now, or when the object says that its state began."""
    due = _due(step, rule, signal)
    return Member(
        key=MemberKey(rule=rule.id, subject=signal.subject),
        alert=alert_key(rule, signal),
        workload=judged.workload,
        state=MemberState.PENDING,
        signal=signal,
        since=signal.since,
        due=due,
        overdue=due <= step.at,
        baseline=baseline.covers(step, rule),
        count=max(1, getattr(signal, "deaths_6h", 1)),
    )


def _due(step: Step, rule: CompiledRule, signal: AnySignal) -> datetime:
    """When `for` is over (design.md section 6, fine print 3)."""
    begin = signal.since if signal.TELLS_SINCE else step.at
    return max(step.at, begin + rule.hold)


def _go_on(step: Step, rule: CompiledRule, member: Member, signal: AnySignal, deaths: int) -> None:
    changed = msgspec.structs.replace(member, signal=signal, leaving=False)
    if deaths and member.state is not MemberState.PENDING:
        changed = msgspec.structs.replace(changed, count=member.count + deaths)
        _count(step, member.alert, deaths)
    _verdict(step, rule, changed, verdict_of(rule, signal), deaths)
    if deaths:
        _explain_anew(step, changed)


def _explain_anew(step: Step, member: Member) -> None:
    """Another death may have another cause."""
    present, alert = step.draft.members.get(member.key), step.draft.alerts.get(member.alert)
    if present is not None and alert is not None and explain(step, present) != present.explained_by:
        step.touch(alert)


def _count(step: Step, key: AlertKey, more: int) -> None:
    alert = step.draft.alerts.get(key)
    if alert is not None:
        step.draft.alerts.put(key, msgspec.structs.replace(alert, count=alert.count + more))


def _verdict(step: Step, rule: CompiledRule, member: Member, verdict: Verdict | None, deaths: int) -> None:
    """Move an existing member by what the rule says now (None: the signal is absent); one that is not seen stays."""
    where = False if verdict is None else member.where if verdict.where is None else verdict.where
    member = msgspec.structs.replace(member, where=where, absent=verdict is None)
    if member.unseen_since is not None:
        _store(step, member, member.state, "")
        return
    event = event_of(rule, member.state, verdict)
    after = move_member(member.state, event)
    if after is None:
        _end(step, member, event.value)
    elif after is MemberState.HOLDING:
        renewed = member.state is MemberState.FIRING or (event is MemberEvent.CLEAR and deaths > 0)
        _hold(step, rule, member, renew=renewed, why=event.value)
    elif after is MemberState.FIRING:
        _store(step, msgspec.structs.replace(member, state=after, due=None), member.state, event.value)
    else:
        _store(step, member, member.state, event.value)


def _hold(step: Step, rule: CompiledRule, member: Member, *, renew: bool, why: str) -> None:
    """Keep it firing for `keep_firing_for`; while `where` is still true it does not end."""
    due = step.at + rule.keep_firing_for if renew else member.due
    before = member.state
    if due is not None and due <= step.at:
        due = None
    if due is None and not member.where:
        _end(step, member, MemberEvent.HOLD_OVER.value)
        return
    _store(step, msgspec.structs.replace(member, state=MemberState.HOLDING, due=due), before, why)


def _fire(step: Step, rule: CompiledRule, member: Member, verdict: Verdict) -> None:
    before = member.state
    state = move_member(before, MemberEvent.FOR_OVER)
    assert state is not None
    member = msgspec.structs.replace(member, state=state, fired_at=step.at, due=None)
    _store(step, member, before, MemberEvent.FOR_OVER.value)
    alert_fires(step, rule, member)
    if event_of(rule, state, verdict) is MemberEvent.CLEAR:
        _verdict(step, rule, member, verdict, 0)


def unseen(step: Step, member: Member, since: datetime) -> None:
    """Nothing is heard of its subject since then: it neither goes on nor ends, until it is closed as unknown.

    So is an occurrence: that none came for `keep_firing_for` was not seen.
    """
    rule = step.core.by_rule.get(member.key.rule)
    if rule is None or member.unseen_since == since:
        return
    changed = msgspec.structs.replace(member, unseen_since=since, unknown_at=since + UNKNOWN_AFTER, due=None)
    _store(step, changed, member.state, "")


def seen(step: Step, member: Member, *, anew: bool = False) -> None:
    """Its subject is heard of again: what was waited for is waited for anew, and it moves by what is known now.

    `anew`: only its node is; what is known of it is old, so that `for` begins now whatever the object tells.
    """
    rule = step.core.by_rule.get(member.key.rule)
    if rule is None or member.unseen_since is None:
        return
    due = None
    if member.state is MemberState.PENDING:
        due = step.at + rule.hold if anew else _due(step, rule, member.signal)
    elif member.state is MemberState.HOLDING:
        due = step.at + (timedelta(microseconds=1) if rule.signal.OCCURRENCE else rule.keep_firing_for)
        due = max(due, member.signal.since + rule.keep_firing_for) if rule.signal.OCCURRENCE else due
    changed = msgspec.structs.replace(member, unseen_since=None, unknown_at=None, due=due)
    _store(step, changed, member.state, "")
    if not rule.signal.OCCURRENCE:
        _verdict(step, rule, changed, None if member.absent else verdict_of(rule, member.signal), 0)


def member_due(step: Step, key: MemberKey) -> None:
    """`for` or `keep_firing_for` of a member is over, or it was not seen for too long."""
    member = step.draft.members.get(key)
    assert member is not None
    rule = step.core.by_rule.get(key.rule)
    if rule is None:
        _end(step, member, "its rule is gone")
    elif member.unknown_at is not None and member.unknown_at <= step.at:
        close(step, member, EndReason.UNKNOWN)
    elif member.state is MemberState.PENDING:
        if rule.signal.OCCURRENCE:
            _fire_occurrence(step, rule, member)
        else:
            _fire(step, rule, member, verdict_of(rule, member.signal))
    elif member.where and not rule.signal.OCCURRENCE:
        step.draft.members.put(key, msgspec.structs.replace(member, due=None))
    else:
        move_member(member.state, MemberEvent.HOLD_OVER)
        _end(step, member, MemberEvent.HOLD_OVER.value)


def _occurred(step: Step, judged: Judged, rule: CompiledRule, signal: AnySignal, baseline: Baseline) -> None:
    """Something happened, or what happened before is seen with other circumstances (the same id)."""
    verdict = verdict_of(rule, signal)
    key = MemberKey(rule=rule.id, subject=signal.subject)
    member = step.draft.members.get(key)
    same = member is not None and member.signal.id == signal.id
    if verdict.where is None:
        return
    if not verdict.where:
        if member is not None and same:
            _end(step, member, "its circumstances have passed")
        unmet.note(step, rule, signal, verdict)
        return
    unmet.forget(step, rule, signal)
    until = signal.since + rule.keep_firing_for
    if member is None:
        if until > step.at or rule.hold:
            _first_occurrence(step, judged, rule, signal, baseline)
    elif same:
        _store(step, msgspec.structs.replace(member, signal=signal), member.state, "")
    else:
        holds = member.state is MemberState.HOLDING and member.unseen_since is None
        later = max(member.due or until, until) if holds else member.due
        _store(
            step, msgspec.structs.replace(member, signal=signal, due=later, count=member.count + 1), member.state, ""
        )
        _count(step, member.alert, 1)


def _first_occurrence(step: Step, judged: Judged, rule: CompiledRule, signal: AnySignal, baseline: Baseline) -> None:
    member = _pending(step, judged, rule, signal, baseline)
    _store(step, member, None, "it happened")
    if not rule.hold:
        _fire_occurrence(step, rule, member)


def _fire_occurrence(step: Step, rule: CompiledRule, member: Member) -> None:
    """An occurrence fires and is over at once: it is held from its own time."""
    due = max(member.signal.since + rule.keep_firing_for, step.at + timedelta(microseconds=1))
    member = msgspec.structs.replace(member, state=MemberState.FIRING, fired_at=step.at, due=None)
    alert_fires(step, rule, member)
    _store(step, msgspec.structs.replace(member, state=MemberState.HOLDING, due=due), MemberState.PENDING, "it fires")


def leave(step: Step, uid: str) -> None:
    """Its pod is being deleted: a member counts neither as failing nor as healthy; one that is pending is dropped."""
    for member in step.draft.members.by("uid", uid):
        if member.state is MemberState.PENDING:
            _end(step, member, "its pod is being deleted")
        elif not member.leaving:
            changed = msgspec.structs.replace(member, leaving=True)
            rule = step.core.by_rule.get(member.key.rule)
            if rule is None or not rule.signal.OCCURRENCE:
                changed = msgspec.structs.replace(changed, due=None)
            _store(step, changed, member.state, "its pod is being deleted")


def states_gone(step: Step, uid: str) -> None:
    """A failed pod runs no containers any more: what was true of them is over, and is not recovered."""
    for member in step.draft.members.by("uid", uid):
        rule = step.core.by_rule.get(member.key.rule)
        if rule is None or not rule.signal.OCCURRENCE:
            _end(step, member, "its pod has failed", gone=True)


def pod_gone(step: Step, uid: str) -> None:
    unmet.drop(step, uid)
    for member in step.draft.members.by("uid", uid):
        _end(step, member, "its pod is gone", gone=True)


def _store(step: Step, member: Member, before: MemberState | None, why: str) -> None:
    old = step.draft.members.get(member.key)
    if old == member:
        return
    step.draft.members.put(member.key, member)
    if before is not member.state:
        effects_changed(step, member)
        _note(step, member, before or "inactive", member.state, why)
    alert = step.draft.alerts.get(member.alert)
    if alert is not None and member.state is not MemberState.PENDING and _matters(alert, old, member):
        step.touch(alert)


def _matters(alert: Alert, old: Member | None, new: Member) -> bool:
    """Whether its alert has to be looked at: not for each new word about one of its hundred members."""
    if old is None or new.key.subject == alert.lead.subject:
        return True
    return (old.state, old.unseen_since, old.leaving) != (new.state, new.unseen_since, new.leaving)


def _note(step: Step, member: Member, before: str, after: str, why: str) -> None:
    subject = member.key.subject
    name = "/".join(part for part in (subject.namespace, subject.pod, subject.container) if part)
    step.transition(member.alert, name, before, after, why)


def _end(step: Step, member: Member, why: str, *, gone: bool = False, reason: EndReason = EndReason.RECOVERED) -> None:
    """Drop a member; the alert ends with the last one (`reason`), or waits for a replacement of what is `gone`."""
    step.draft.members.drop(member.key)
    effects_changed(step, member)
    _note(step, member, member.state, "inactive", why)
    alert = step.draft.alerts.get(member.alert)
    if alert is None or member.state is MemberState.PENDING or alert.state is not AlertState.FIRING:
        return
    if step.has_members(member.alert):
        step.touch(alert)
        return
    event = AlertEvent.LAST_GONE if gone else AlertEvent.LAST_ENDED
    state = move_alert(alert.state, event)
    why = event.value if reason is EndReason.RECOVERED else reason.value
    step.transition(alert.key, "", alert.state, state, why)
    if state is AlertState.VACANT:
        until = step.at + REPLACEMENT_PATIENCE
        step.touch(msgspec.structs.replace(alert, state=state, vacant_until=until, lead=member.signal))
    else:
        end_alert(step, msgspec.structs.replace(alert, state=state, lead=member.signal), reason)


def close(step: Step, member: Member, reason: EndReason) -> None:
    """End a member of which nothing more will be heard: its rule or its place is gone, not its trouble."""
    _end(step, member, reason.value, reason=reason)
