"""Scopes: processes that begin, lists that begin and end, streams that may not be read or are not heard of.

A list is judged as a whole when it is complete; then what it did not hold is gone. Until every scope has been listed
in this process nothing is judged and no timer runs (`handle`'s gate).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from watcher.detect.signals import Findings
from watcher.model.identity import Workload
from watcher.model.observations import Forbidden, Scope, Started, StreamHealth, Synced
from watcher.model.signals import StreamStale, VolumeUsage
from watcher.model.state import EndReason, Member, ScopeState
from watcher.pipeline import channels, judging, objects, pods, posting, sight
from watcher.pipeline.core import Step, begun
from watcher.pipeline.judging import Judged
from watcher.pipeline.settling import leave_lost_groups, take_sides


def started(step: Step, one: Started) -> None:
    """A new process: every scope has to be listed again, and those no longer watched are forgotten."""
    draft = step.draft
    draft.meta = msgspec.structs.replace(draft.meta, down_since=one.since, ready=False)
    wanted = set(one.scopes)
    for state in list(draft.scopes.all()):
        if wanted and state.scope not in wanted:
            draft.scopes.drop(state.scope)
        elif not wanted:
            draft.scopes.put(state.scope, ScopeState(scope=state.scope, known=state.known, forbidden=True))
    for scope in one.scopes:
        known = draft.scopes.get(scope)
        draft.scopes.put(scope, ScopeState(scope=scope, known=known is not None and known.known))
    _close_unwatched(step, wanted)
    take_sides(step)
    leave_lost_groups(step)
    channels.configured(step)
    _ask_again(step)
    if not wanted:
        _rules_are_known(step)


def _ask_again(step: Step) -> None:
    """A request for evidence is not stored: what an earlier process asked for and never got is asked for anew."""
    waiting = (a for a in step.draft.alerts.all() if a.evidence_asked is not None and a.evidence is None)
    for alert in sorted(waiting, key=lambda alert: alert.key):
        if alert.ends_at is None:
            step.touch(msgspec.structs.replace(alert, evidence_asked=None))


def _close_unwatched(step: Step, wanted: set[Scope]) -> None:
    """Close what no rule judges any more, and what lies outside of what is watched now (nothing: as it was)."""
    draft = step.draft
    for member in sorted(draft.members.all(), key=lambda member: member.key):
        if member.key.rule not in step.core.by_rule:
            judging.close(step, member, EndReason.RULE_REMOVED)
        elif wanted and sight.kind_of(member.signal) and not any(_shows(scope, member) for scope in wanted):
            judging.close(step, member, EndReason.OUT_OF_SCOPE)
    namespaces = {scope.namespace for scope in wanted if scope.kind == "Pod"}
    for row in list(draft.histories.all()) if namespaces and "" not in namespaces else ():
        if row.namespace not in namespaces:
            draft.histories.drop((row.uid, row.container))


def _shows(scope: Scope, member: Member) -> bool:
    """Whether a scope shows the subject of a member. Of volumes the kubelets tell: only the namespace counts."""
    signal = member.signal
    if isinstance(signal, StreamStale):
        return scope == Scope(kind=signal.kind, namespace=signal.namespace)
    fits = isinstance(signal, VolumeUsage) or scope.kind == sight.kind_of(signal)
    return fits and (scope.namespace in ("", signal.namespace) or not signal.namespace)


def forbidden(step: Step, one: Forbidden) -> None:
    """We may not read a scope. Where it was not read in this process, what was known of it is out of sight for good;
    where it was, it is stale (`health`)."""
    state = step.scope(one.scope)
    step.draft.scopes.put(one.scope, msgspec.structs.replace(state, forbidden=True, listing=False))
    if not state.synced:
        for member in sorted(step.draft.members.all(), key=lambda member: member.key):
            if not isinstance(member.signal, VolumeUsage) and _shows(one.scope, member):
                judging.close(step, member, EndReason.OUT_OF_SCOPE)
        sight.scope_changed(step)
    objects.claims_listed(step, one.scope)
    _rules_are_known(step)


def listing(step: Step, scope: Scope) -> None:
    state = step.scope(scope)
    step.draft.scopes.put(scope, begun(state))


def synced(step: Step, one: Synced) -> None:
    """The list is complete: judge it as a whole, and close what it does not hold."""
    if not step.scope(one.scope).listing:
        listing(step, one.scope)
    draft = step.draft
    scope = step.scope(one.scope)
    draft.scopes.put(one.scope, msgspec.structs.replace(scope, listing=False, synced=True, known=True))
    if one.scope.kind == "Pod":
        pods.listed(step, scope, complete=one.complete)
    objects.listed(step, scope, complete=one.complete)
    judging.judge(step, _stream(one.scope), Findings(), judging.NO_BASELINE)
    _rules_are_known(step)


def _rules_are_known(step: Step) -> None:
    """Nothing is waited for any more: what the rules find from now on is news, and no rule's baseline."""
    draft = step.draft
    if any(state.awaited for state in draft.scopes.all()):
        return
    rules = tuple(sorted({*draft.meta.rules, *step.core.by_rule}))
    if not draft.meta.ready:
        posting.grant(step)
    if (rules, True) != (draft.meta.rules, draft.meta.ready):
        draft.meta = msgspec.structs.replace(draft.meta, rules=rules, ready=True)


def health(step: Step, one: StreamHealth) -> None:
    """A stream is stale, or is heard again: what it shows was not seen meanwhile, and WatcherBlind says so."""
    state = msgspec.structs.replace(step.scope(one.scope), stale_since=one.stale_since)
    step.draft.scopes.put(one.scope, state)
    sight.scope_changed(step)
    stale = () if one.stale_since is None else (_stale(step, one, one.stale_since),)
    judging.judge(step, _stream(one.scope), Findings(states=stale), judging.NO_BASELINE)
    if stale and not state.synced:
        objects.claims_listed(step, one.scope)
    _rules_are_known(step)


def _stale(step: Step, one: StreamHealth, since: datetime) -> StreamStale:
    stream = _stream(one.scope)
    return StreamStale(
        uid=stream.uid,
        cluster=step.core.cluster,
        namespace=one.scope.namespace,
        since=since,
        kind=one.scope.kind,
        reason=one.reason,
    )


def _stream(scope: Scope) -> Judged:
    return Judged(f"stream/{scope.kind}/{scope.namespace}", Workload("", "Stream", ""))
