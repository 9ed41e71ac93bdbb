"""Silences: made, changed, ended, and what they mean to alerts.

An alert that a silence mutes is not told, and its end is held until the silence is over. When a silence ends and the
alert still fires, it is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from watcher.model.changes import place_of
from watcher.model.observations import SilenceAsked, SilenceExpireAsked
from watcher.model.silence import Answer, Silence, SilenceChange
from watcher.model.state import Alert
from watcher.pipeline.core import Step
from watcher.routing.silences import (
    KEPT_FOR,
    LONGEST,
    QUIET_FOR,
    SilenceError,
    check,
    may_change,
    places,
    silences,
)


def silenced_by(step: Step, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Ids of the silences that mute an alert with these labels now."""
    found = {
        one.id
        for place in places(labels)
        for one in step.draft.silences.by("place", place)
        if one.state(step.at) == "active" and silences(one, labels)
    }
    return tuple(sorted(found))


def asked(step: Step, one: SilenceAsked) -> None:
    """Somebody makes a silence, or changes one (`one.silence.id`)."""
    try:
        silence = _put(step, one)
    except SilenceError as error:
        step.draft.answers[one.request] = Answer(code=400, text=str(error))
    except LookupError:
        step.draft.answers[one.request] = Answer(code=404, text="silence not found")
    else:
        step.draft.answers[one.request] = Answer(id=silence.id)


def _put(step: Step, one: SilenceAsked) -> Silence:
    wanted = one.silence
    old = step.draft.silences.get(wanted.id) if wanted.id else None
    if wanted.id and old is None:
        raise LookupError(wanted.id)
    check(wanted, step.at)
    in_place = old is not None and may_change(old, wanted, step.at)
    if not in_place:
        wanted = msgspec.structs.replace(wanted, id=one.new_id, starts_at=max(wanted.starts_at, step.at))
    if wanted.until_resolved:
        wanted = msgspec.structs.replace(wanted, ends_at=min(wanted.ends_at, wanted.starts_at + LONGEST))
    if old is not None and not in_place and old.state(step.at) != "expired":
        _end(step, old, one.by, "expired")
    silence = msgspec.structs.replace(wanted, updated_at=step.at)
    _keep(step, silence)
    _note(step, silence, one.by, "updated" if in_place else "created")
    _look(step, silence)
    return silence


def expire_asked(step: Step, one: SilenceExpireAsked) -> None:
    silence = step.draft.silences.get(one.id)
    if silence is None:
        step.draft.answers[one.request] = Answer(code=404, text="silence not found")
        return
    if silence.state(step.at) != "expired":
        _end(step, silence, one.by, "expired")
    step.draft.answers[one.request] = Answer(id=one.id)


def wake(step: Step, name: str) -> None:
    """A silence begins, has nothing left to mute, ends, or is forgotten."""
    silence = step.draft.silences.get(name)
    assert silence is not None
    if silence.state(step.at) == "expired":
        if step.at >= silence.ends_at + KEPT_FOR:
            step.draft.silences.drop(name)
            return
        _note(step, silence, "", "ended")
    elif silence.quiet_since is not None and step.at >= silence.quiet_since + QUIET_FOR:
        _end(step, silence, "", "ended")
        return
    _keep(step, silence)
    _look(step, silence)


def _end(step: Step, silence: Silence, by: str, action: str) -> None:
    starts = min(silence.starts_at, step.at)
    ended = msgspec.structs.replace(silence, starts_at=starts, ends_at=step.at, updated_at=step.at, quiet_since=None)
    _keep(step, ended)
    _note(step, ended, by, action)
    _look(step, ended)


def _keep(step: Step, silence: Silence) -> None:
    """Put it, with when something about it happens next."""
    step.draft.silences.put(silence.id, msgspec.structs.replace(silence, due=_due(step, silence)))


def _due(step: Step, silence: Silence) -> datetime:
    state = silence.state(step.at)
    if state == "pending":
        return silence.starts_at
    if state == "expired":
        return silence.ends_at + KEPT_FOR
    quiet = silence.quiet_since + QUIET_FOR if silence.quiet_since is not None else silence.ends_at
    return min(silence.ends_at, quiet)


def _note(step: Step, silence: Silence, by: str, action: str) -> None:
    step.draft.silence_changes.append(SilenceChange(at=step.at, silence=silence.id, by=by, action=action, body=silence))


def _look(step: Step, silence: Silence) -> None:
    """Alerts that it mutes now, or did until now, are looked at in this instant."""
    concerned: dict[object, Alert] = {alert.key: alert for alert in step.draft.alerts.by("silenced_by", silence.id)}
    if silence.state(step.at) == "active":
        concerned |= {alert.key: alert for alert in _muted(step, silence)}
        if silence.until_resolved and not concerned:
            rest_or_stir(step, silence.id)
    for alert in concerned.values():
        step.touch(alert)


def _muted(step: Step, silence: Silence) -> list[Alert]:
    """Those that fire and that it mutes: each alert is asked for one label first, which takes 1 ms for 10,000."""
    name, value = place_of(silence)
    likely = [a for a in step.draft.alerts.all() if a.labels.get(name, "") == value and a.ends_at is None]
    return sorted((a for a in likely if silences(silence, a.labels)), key=lambda a: a.key)


def rest_or_stir(step: Step, name: str) -> None:
    """Whether anything that a silence mutes fires: asked of those that end by themselves, when such an alert moves."""
    silence = step.draft.silences.get(name)
    if silence is None or not silence.until_resolved or silence.state(step.at) != "active":
        return
    fires = any(alert.ends_at is None for alert in step.draft.alerts.by("silenced_by", name))
    since = None if fires else silence.quiet_since or step.at
    if since != silence.quiet_since:
        _keep(step, msgspec.structs.replace(silence, quiet_since=since))
