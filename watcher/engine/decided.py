"""Decisions in the log: one line for all that a batch decided alike, in words that people know.

The log names the first few alerts of many, and says how many there were; every single decision is in the database
(`watcher explain`). Counting them is the writer's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from watcher.lib.gotext import go_quote
from watcher.lib.redact import REDACTED, redact
from watcher.lib.secretnames import kind_of
from watcher.lib.text import clean, cut
from watcher.model.changes import View
from watcher.model.identity import AlertKey
from watcher.model.state import Alert, Decision

NAMED: Final = 3
"""Alerts of one line; the others are a number."""
LABELS: Final = 6
"""Of an alert that others posted."""
LONGEST: Final = 240

_ELSEWHERE: Final = frozenset({"alertname", "severity"})


def lines_of(decisions: Sequence[Decision], view: View) -> Iterator[dict[str, object]]:
    """The fields of each line, in the order in which the first of its decisions was made."""
    alike: dict[tuple[str, ...], list[Decision]] = {}
    for one in decisions:
        key = (one.verdict, one.reason, one.receiver, one.integration, one.group, one.message)
        alike.setdefault(key, []).append(one)
    for same in alike.values():
        first = same[0]
        keys = [one.alert for one in same if one.alert is not None]
        yield {
            "event": f"decision.{first.verdict}",
            "reason": first.reason,
            "receiver": first.receiver,
            "integration": first.integration,
            "notification": first.message,
            "alerts": len(keys),
            "alert": _named(keys, first.message, view),
        }


def _named(keys: Sequence[AlertKey], message: str, view: View) -> str:
    row = view.outbox.rows.get(message)
    ended = {alert.key: alert for alert in row.ended} if row is not None else {}
    names = [in_words(key, view.alerts.rows.get(key) or ended.get(key)) for key in keys[:NAMED]]
    return "; ".join(names) + (f"; and {len(keys) - NAMED:,} more" if len(keys) > NAMED else "")


def in_words(key: AlertKey, alert: Alert | None) -> str:
    """`KubePodCrashLooping of Deployment shop/checkout, container app`; labels say what a posted alert is about."""
    text = f"{key.alertname} {key.posted}{_labels(alert)}" if key.posted else f"{key.alertname}{_place(key)}"
    return cut(redact(clean(text)), LONGEST)


def _place(key: AlertKey) -> str:
    parts = [f"{key.workload_kind} {key.namespace}/{key.workload}".strip()] if key.workload else []
    parts += [f"claim {key.namespace}/{key.claim}"] if key.claim else []
    parts += [f"{kind} {name}" for kind in ("pod", "container", "node") if (name := getattr(key, kind))]
    return f" of {', '.join(parts)}" if parts else ""


def _labels(alert: Alert | None) -> str:
    """Without those of its name: `{instance="10.0.0.12:9100", job="node"}`."""
    labels = alert.labels if alert is not None else {}
    shown = [name for name in sorted(labels) if name not in _ELSEWHERE]
    words = [f"{name}={go_quote(REDACTED if kind_of(name) else labels[name])}" for name in shown[:LABELS]]
    more = [f"{len(shown) - LABELS} more"] if len(shown) > LABELS else []
    return f" {{{', '.join([*words, *more])}}}" if words else ""
