"""Posted alerts: begun, merged and ended as Alertmanager does it, and kept over restarts.

What Watcher raises itself is refused: only detection ends what detection began. An alert that nobody posted again while
Watcher did not run, or could store nothing, has not ended by that: it is given `resolve_timeout` from then on.
Source: alertmanager-facts, section 1 (types.Alert.Merge, api/v2 postAlertsHandler).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.alerts.lifecycle import AlertEvent
from watcher.lib.fnv import fingerprint
from watcher.lib.matchers import Matcher, MatcherOp
from watcher.model.changes import View
from watcher.model.identity import AlertKey, Workload
from watcher.model.observations import AlertsPosted
from watcher.model.posted import PostedAlert, Posting
from watcher.model.signals import Posted
from watcher.model.state import Alert, AlertState, EndReason
from watcher.pipeline.alerting import end_alert
from watcher.pipeline.core import Core, Step
from watcher.routing.inhibition import sides

LATE = timedelta(seconds=10)
"""An alert that has waited longer to be judged is taken as of its acceptance, even though its end has passed."""


def refusal(core: Core, view: View, one: PostedAlert, at: datetime) -> str:
    """Why an alert that is posted now cannot be taken; empty: it can."""
    posting = _posting(core, one, at)
    if posting.starts_at > posting.ends_at:
        return "start time must be before end time"
    labels = one.labels
    if labels.get("alertname") not in core.alertnames:
        return ""
    same = view.alerts.keys_by("fingerprint", fingerprint(labels))
    if all(view.alerts.rows[key].posted is not None for key in same):
        return ""
    shown = ", ".join(
        str(Matcher(name=name, op=MatcherOp.EQUAL, value=value)) for name, value in sorted(labels.items())
    )
    return f"Watcher raises {{{shown}}} itself: only detection ends what detection began"


def posted(step: Step, one: AlertsPosted) -> None:
    """What cannot be taken was refused when it came; or Watcher has raised the very same since, which says as much."""
    for alert in one.alerts:
        _take(step, alert, one.accepted or step.at)


def _take(step: Step, one: PostedAlert, at: datetime) -> None:
    """`at`: when it was accepted."""
    labels = {name: one.labels[name] for name in sorted(one.labels) if one.labels[name]}
    mark = fingerprint(labels)
    new = _posting(step.core, one, at)
    ours = any(other.posted is None for other in step.draft.alerts.by("fingerprint", mark))
    if ours or new.starts_at > new.ends_at:
        return
    if at < new.ends_at <= step.at and step.at - at > LATE:
        new = _granted(step, new)
    key = AlertKey(alertname=labels.get("alertname", ""), posted=mark)
    old = step.draft.alerts.get(key)
    posting = _merged(old.posted if old is not None else None, new, step)
    if posting.ends_at <= step.at:
        if old is not None:
            _over(step, msgspec.structs.replace(old, annotations=dict(one.annotations)), posting)
    elif old is None:
        _begin(step, key, labels, one, posting)
    else:
        _go_on(step, old, one, posting)


def _posting(core: Core, one: PostedAlert, at: datetime) -> Posting:
    timeout = one.ends_at is None
    ends = at + core.resolve_timeout if one.ends_at is None else one.ends_at
    starts = one.starts_at or (min(at, ends) if timeout else min(ends, at))
    return Posting(starts_at=starts, ends_at=ends, updated_at=at, timeout=timeout, generator_url=one.generator_url)


def _merged(old: Posting | None, new: Posting, step: Step) -> Posting:
    """One that overlaps the old one goes on with it; an explicit end beats a time-out, of two ends the later counts."""
    if old is None or not _overlap(old, new):
        return new
    ends = new.ends_at
    if new.ends_at <= step.at:
        if old.ends_at <= step.at and old.ends_at > ends:
            ends = old.ends_at
    elif old.ends_at > ends and not old.timeout:
        ends = old.ends_at
    return msgspec.structs.replace(new, starts_at=min(old.starts_at, new.starts_at), ends_at=ends)


def _overlap(old: Posting, new: Posting) -> bool:
    return new.starts_at <= old.ends_at and new.ends_at >= old.starts_at


def _begin(step: Step, key: AlertKey, labels: dict[str, str], one: PostedAlert, posting: Posting) -> None:
    stands = sides(step.core.inhibit_rules, labels, posted=True)
    alert = Alert(
        key=key,
        workload=Workload("", "Posted", key.posted),
        state=AlertState.FIRING,
        labels=labels,
        annotations=one.annotations,
        fingerprint=key.posted,
        starts_at=posting.starts_at,
        since=posting.starts_at,
        news=True,
        lead=Posted(uid=f"posted/{key.posted}", since=posting.starts_at),
        posted=posting,
        sources=stands.sources,
        targets=stands.targets,
    )
    step.transition(key, "", "inactive", AlertState.FIRING, "it was posted")
    step.touch(alert)


def _go_on(step: Step, old: Alert, one: PostedAlert, posting: Posting) -> None:
    """Posted again: its texts are the newest. One that has ended, and of whose end nobody was told yet, goes on."""
    again = old.ends_at is not None
    changed = msgspec.structs.replace(
        old,
        annotations=dict(one.annotations),
        starts_at=posting.starts_at,
        posted=posting,
        state=AlertState.FIRING,
        ends_at=None,
        end_reason=None,
    )
    if not again:
        step.draft.alerts.put(old.key, changed)
        return
    step.transition(old.key, "", AlertState.ENDED, AlertState.FIRING, "it was posted again")
    step.touch(msgspec.structs.replace(changed, news=True))


def _over(step: Step, old: Alert, posting: Posting) -> None:
    """It has ended; one of whose end nobody was told yet takes the newest texts and the latest end."""
    if old.ends_at is None:
        _end(step, old, posting, EndReason.RECOVERED)
    else:
        ends = max(old.ends_at, posting.ends_at)
        step.draft.alerts.put(old.key, msgspec.structs.replace(old, posted=posting, ends_at=ends))


def expire(step: Step, alert: Alert) -> None:
    """Nobody posted it again."""
    assert alert.posted is not None
    _end(step, alert, alert.posted, EndReason.EXPIRED)


def _end(step: Step, alert: Alert, posting: Posting, reason: EndReason) -> None:
    step.transition(alert.key, "", alert.state, AlertState.ENDED, AlertEvent.LAST_ENDED.value)
    end_alert(step, msgspec.structs.replace(alert, state=AlertState.ENDED, posted=posting), reason)


def grant(step: Step) -> None:
    """Watcher is ready again, or its clock has jumped: what should have been posted meanwhile is waited for."""
    late = [a for a in step.draft.alerts.by("firing", True) if a.posted is not None and a.posted.ends_at <= step.at]
    for alert in late:
        assert alert.posted is not None
        step.draft.alerts.put(alert.key, msgspec.structs.replace(alert, posted=_granted(step, alert.posted)))


def _granted(step: Step, posting: Posting) -> Posting:
    return msgspec.structs.replace(posting, ends_at=step.at + step.core.resolve_timeout, timeout=True)
