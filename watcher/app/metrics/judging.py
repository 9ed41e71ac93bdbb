"""What is decided: the writer and the core, alerts, decisions and hints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import Metric

from watcher.app.metrics.parts import Parts
from watcher.app.metrics.spec import Kind, Spec
from watcher.model.changes import View
from watcher.model.state import Alert, MemberState

POSTED = "(posted)"
"""Stands for the name of every posted alert: others could make up any number of them."""

INPUTS = Spec(
    name="watcher_observations_total",
    kind=Kind.COUNTER,
    unit="observations",
    help="Inputs that the core has taken.",
)
SET_ASIDE = Spec(
    name="watcher_observations_set_aside_total",
    kind=Kind.COUNTER,
    unit="observations",
    help="Inputs or timers that a stage could not take; the rest goes on.",
    do="Anything but 0 is a bug of Watcher: see WatcherSetsAside.",
)
BATCHES = Spec(
    name="watcher_batches_total",
    kind=Kind.COUNTER,
    unit="batches",
    help="Steps of the writer, each of up to 500 inputs.",
)
CORE_SECONDS = Spec(
    name="watcher_core_seconds",
    kind=Kind.HISTOGRAM,
    help="How long the core took to judge one batch.",
    more="The rate of its sum is the share of one CPU that judging takes.",
    do="A share near 1, while the queue grows: split the fleet, or give it a faster core.",
)
COMMITS = Spec(
    name="watcher_commits_total",
    kind=Kind.COUNTER,
    unit="transactions",
    help="Transactions committed by the writer; a healthy pod makes none.",
)
BEHIND = Spec(
    name="watcher_clock_behind_seconds",
    help="How far the machine's clock was set back behind the time that Watcher goes on by; 0 while it is right.",
    do="Set the machine's clock (NTP). Times in messages are Watcher's until it has caught up.",
)
JUMPS = Spec(
    name="watcher_clock_jumps_total",
    kind=Kind.COUNTER,
    unit="jumps",
    help="Times that the clock went ahead by more than a minute at once; such a time counts as downtime.",
    do="A machine that was suspended, or a clock that was wrong.",
)
PODS = Spec(name="watcher_pods", unit="pods", help="Pods in memory.")
FIRING = Spec(name="watcher_alerts_firing", unit="alerts", help="Alerts that fire, told or not.")
ALERTS = Spec(
    name="watcher_alerts",
    labels=("alertname", "state"),
    unit="alerts",
    help="Alerts that fire, by name and whether they may be told.",
    more=f"`state`: active, or suppressed (silenced, inhibited, explained, muted by a hint). All posted ones are"
    f" `{POSTED}`.",
)
MEMBERS = Spec(
    name="watcher_members",
    labels=("state",),
    unit="members",
    help="What stands behind alerts, by state: pending (`for` runs), firing, holding (`keep_firing_for` runs).",
)
DECISIONS = Spec(
    name="watcher_decisions_total",
    kind=Kind.COUNTER,
    labels=("verdict", "reason"),
    unit="decisions",
    help="Decisions to send, to hold or to close, with the reason in words.",
    do="Too many or too few messages: the reasons that grow say why.",
)
MISTAKES = Spec(
    name="watcher_hint_mistakes_total",
    kind=Kind.COUNTER,
    unit="annotations",
    help="Annotations that do not do what was meant.",
    do="`GET /api/watcher/v1/mistakes` shows them; their owners mend them.",
)


def judging_metrics(parts: Parts) -> Iterator[Metric]:
    stats, view = parts.writer.stats, parts.writer.view
    yield INPUTS.one(stats.inputs)
    yield SET_ASIDE.one(stats.set_aside)
    yield BATCHES.one(stats.batches)
    yield CORE_SECONDS.times({(): stats.judging})
    yield COMMITS.one(stats.commits)
    yield BEHIND.one(stats.clock_behind_seconds)
    yield JUMPS.one(stats.clock_jumps)
    yield PODS.one(len(view.pods.rows))
    yield FIRING.one(len(view.alerts.keys_by("firing", True)))
    yield ALERTS.many(alerts_by_name(view, parts.clock.now()))
    members = Counter(str(member.state) for member in view.members.rows.values())
    yield MEMBERS.many({(state.value,): members[state] for state in MemberState})
    yield DECISIONS.many({(verdict, str(reason)): count for (verdict, reason), count in stats.decisions.items()})
    yield MISTAKES.one(stats.mistakes_seen)


def alerts_by_name(view: View, now: datetime) -> Counter[tuple[str, ...]]:
    """Alerts that fire, by (name, state)."""
    rows = view.alerts.rows
    firing = (rows[key] for key in view.alerts.keys_by("firing", True))
    return Counter((POSTED if alert.posted is not None else alert.key.alertname, state(alert, now)) for alert in firing)


def state(alert: Alert, now: datetime) -> str:
    """As the core has decided it; the API looks at each silence anew, which is too much for every scrape."""
    hinted = alert.muted_until is not None and alert.muted_until > now
    held = alert.silenced_by or alert.held_by is not None or alert.explained_by is not None
    return "suppressed" if held or hinted else "active"
