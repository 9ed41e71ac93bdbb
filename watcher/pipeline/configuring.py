"""Another configuration, at a start or while it runs: what is not watched or judged any more is closed with its reason,
alerts go where the routes lead now, and what is known is held against the rules as they are now.

Timers and open alerts stay. Labels and texts of an alert are those of the moment it began to fire.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from watcher.detect.signals import Findings
from watcher.model.identity import Workload
from watcher.model.observations import ConfigLoaded, ConfigRejected, Scope, Started
from watcher.model.remembered import ScopeState
from watcher.model.signals import ConfigRefused
from watcher.model.state import EndReason
from watcher.model.table import Overlay
from watcher.pipeline import channels, judging, objects, pods, rerouting, sight, unmet
from watcher.pipeline.core import Step
from watcher.pipeline.judging import Judged
from watcher.pipeline.scopes import rules_are_known
from watcher.pipeline.settling import take_sides

_CONFIGURATION = Judged("configuration", Workload("", "Configuration", ""))


def started(step: Step, one: Started) -> None:
    """A new process: every scope has to be listed again, and those no longer watched are forgotten."""
    draft = step.draft
    draft.meta = msgspec.structs.replace(draft.meta, down_since=one.since, ready=False)
    before = {state.scope: state for state in draft.scopes.all()}
    wanted = set(one.scopes)
    for state in before.values():
        if wanted and state.scope not in wanted:
            draft.scopes.drop(state.scope)
        elif not wanted:
            draft.scopes.put(state.scope, ScopeState(scope=state.scope, known=state.known, forbidden=True))
    for scope in one.scopes:
        draft.scopes.put(scope, ScopeState(scope=scope, known=_was_known(scope, before.values())))
    _configured(step, wanted, one.excluded)
    _ask_again(step)
    if not wanted:
        rules_are_known(step)


def loaded(step: Step, one: ConfigLoaded) -> None:
    """The configuration was changed while it runs. What is watched still, and was not begun anew, is known as it is."""
    draft = step.draft
    before = {state.scope: state for state in draft.scopes.all()}
    wanted = set(one.scopes)
    _configured(step, wanted, one.excluded)
    if wanted:
        for state in before.values():
            if state.scope not in wanted:
                draft.scopes.drop(state.scope)
        _forget_objects(step, wanted, frozenset(one.excluded))
    for scope in one.scopes:
        if scope not in before:
            draft.scopes.put(scope, ScopeState(scope=scope, known=_was_known(scope, before.values())))
        elif scope in one.again:
            # Its generation stays: what the next list does not hold is gone.
            state = before[scope]
            draft.scopes.put(scope, ScopeState(scope=scope, known=state.known, generation=state.generation))
    _judge_anew(step)
    rules_are_known(step)


def rejected(step: Step, one: ConfigRejected) -> None:
    """The configuration was changed and is wrong: the one before it stays in force, and somebody should hear of it."""
    before = next(
        (m.signal for m in step.draft.members.by("uid", _CONFIGURATION.uid) if isinstance(m.signal, ConfigRefused)),
        None,
    )
    signal = ConfigRefused(
        uid=_CONFIGURATION.uid,
        cluster=step.core.cluster,
        since=before.since if before is not None else step.at,
        errors=one.errors,
        reason=one.reason,
    )
    judging.judge(step, _CONFIGURATION, Findings(states=(signal,)), judging.NO_BASELINE)


def _was_known(scope: Scope, before: Iterable[ScopeState]) -> bool:
    """Whether it was listed before, by itself or with the whole cluster."""
    wide = Scope(kind=scope.kind)
    return any(state.known and state.scope in (scope, wide) for state in before)


def _configured(step: Step, wanted: set[Scope], excluded: tuple[str, ...]) -> None:
    """What holds at a start and at a change alike. `wanted`: empty where nothing is watched."""
    draft = step.draft
    if wanted:
        admitted = ({*draft.meta.admitted, *draft.meta.excluded}) - set(excluded)
        draft.meta = msgspec.structs.replace(
            draft.meta, excluded=tuple(sorted(excluded)), admitted=tuple(sorted(admitted))
        )
    _close_unwatched(step, wanted, frozenset(excluded))
    take_sides(step)
    rerouting.reroute(step)
    channels.configured(step)
    judging.judge(step, _CONFIGURATION, Findings(), judging.NO_BASELINE)


def _ask_again(step: Step) -> None:
    """A request for evidence is not stored: what an earlier process asked for and never got is asked for anew."""
    waiting = (a for a in step.draft.alerts.all() if a.evidence_asked is not None and a.evidence is None)
    for alert in sorted(waiting, key=lambda alert: alert.key):
        if alert.ends_at is None:
            step.touch(msgspec.structs.replace(alert, evidence_asked=None))


def _close_unwatched(step: Step, wanted: set[Scope], excluded: frozenset[str]) -> None:
    """Close what no rule judges any more, and what lies outside of what is watched now (nothing: as it was)."""
    draft = step.draft
    for member in sorted(draft.members.all(), key=lambda member: member.key):
        if member.key.rule not in step.core.by_rule:
            judging.close(step, member, EndReason.RULE_REMOVED)
        elif wanted and sight.kind_of(member.signal):
            seen = any(sight.shows(scope, member) for scope in wanted)
            if not seen or member.signal.namespace in excluded:
                judging.close(step, member, EndReason.OUT_OF_SCOPE)
    if wanted:
        for row in list(draft.histories.all()):
            if _is_outside(row.namespace, wanted, excluded):
                draft.histories.drop((row.uid, row.container))
        for volume in list(draft.volumes.all()):
            if volume.namespace and _is_outside(volume.namespace, wanted, excluded):
                draft.volumes.drop(volume.key)


def _is_outside(namespace: str, wanted: set[Scope], excluded: frozenset[str]) -> bool:
    watched = {scope.namespace for scope in wanted if scope.kind == "Pod"}
    return namespace in excluded or not ("" in watched or namespace in watched)


def _forget_objects(step: Step, wanted: set[Scope], excluded: frozenset[str]) -> None:
    """What is in memory of places that are not watched any more."""
    draft = step.draft
    for pod in [one for one in draft.pods.all() if one.scope not in wanted or one.namespace in excluded]:
        step.lose(pod.uid)
        unmet.drop(step, pod.uid)
    tables: tuple[Overlay[Any, Any], ...] = (draft.claims, draft.nodes, draft.namespaces, draft.warned)
    for table in tables:
        for key in [key for key, one in table.items() if one.scope not in wanted]:
            table.drop(key)
    named: tuple[Overlay[Any, Any], ...] = (draft.claims, draft.warned)
    for table in named:
        for key in [key for key, _ in table.items() if key[0] in excluded]:
            table.drop(key)


def _judge_anew(step: Step) -> None:
    """Hold what is known against the rules as they are now: what a new rule finds was there before it."""
    for state in sorted(step.draft.scopes.all(), key=lambda state: state.scope):
        if state.synced and not state.awaited:
            if state.scope.kind == "Pod":
                pods.listed(step, state, complete=False)
            objects.listed(step, state, complete=False)
