"""Scopes: lists that begin and end, streams that may not be read or are not heard of.

A list is judged as a whole when it is complete; then what it did not hold is gone. Until every scope has been listed
in this process nothing is judged and no timer runs (`handle`'s gate).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from watcher.detect.signals import Findings
from watcher.model.identity import Workload
from watcher.model.observations import Forbidden, Scope, StreamHealth, Synced
from watcher.model.signals import StreamStale, VolumeUsage
from watcher.model.state import EndReason
from watcher.pipeline import judging, objects, pods, posting, sight
from watcher.pipeline.core import Step, begun
from watcher.pipeline.judging import Judged


def forbidden(step: Step, one: Forbidden) -> None:
    """We may not read a scope. Where it was not read in this process, what was known of it is out of sight for good;
    where it was, it is stale (`health`)."""
    state = step.scope(one.scope)
    step.draft.scopes.put(one.scope, msgspec.structs.replace(state, forbidden=True, listing=False))
    if not state.synced:
        for member in sorted(step.draft.members.all(), key=lambda member: member.key):
            if not isinstance(member.signal, VolumeUsage) and sight.shows(one.scope, member):
                judging.close(step, member, EndReason.OUT_OF_SCOPE)
        sight.scope_changed(step)
    objects.claims_listed(step, one.scope)
    rules_are_known(step)


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
    rules_are_known(step)


def rules_are_known(step: Step) -> None:
    """Nothing is waited for any more: what the rules find from now on is news, and no rule's baseline."""
    draft = step.draft
    if any(state.awaited for state in draft.scopes.all()):
        return
    rules = tuple(sorted({*draft.meta.rules, *step.core.by_rule}))
    if not draft.meta.ready:
        posting.grant(step)
    if (rules, True, ()) != (draft.meta.rules, draft.meta.ready, draft.meta.admitted):
        draft.meta = msgspec.structs.replace(draft.meta, rules=rules, ready=True, admitted=())


def health(step: Step, one: StreamHealth) -> None:
    """A stream is stale, or is heard again: what it shows was not seen meanwhile, and WatcherBlind says so."""
    state = msgspec.structs.replace(step.scope(one.scope), stale_since=one.stale_since)
    step.draft.scopes.put(one.scope, state)
    sight.scope_changed(step)
    stale = () if one.stale_since is None else (_stale(step, one, one.stale_since),)
    judging.judge(step, _stream(one.scope), Findings(states=stale), judging.NO_BASELINE)
    if stale and not state.synced:
        objects.claims_listed(step, one.scope)
    rules_are_known(step)


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
