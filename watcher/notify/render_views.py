"""Alerts as data, beside the words: what webhooks and `replay --format json` carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from watcher.model.message import AlertView
from watcher.model.state import Alert, Member
from watcher.notify.render_case import Case
from watcher.notify.render_links import source_url
from watcher.notify.render_text import safe

_ELSEWHERE: Final = frozenset(
    {"signal", "uid", "id", "cluster", "namespace", "workload_kind", "workload", "labels", "annotations", "since"}
)
"""Of a signal: what the alert's own labels say, Watcher's identities, and the object's labels and annotations."""


def view(case: Case) -> AlertView:
    alert = case.alert
    return AlertView(
        status="firing" if case.firing else "resolved",
        labels=alert.labels,
        annotations={key: safe(value) for key, value in alert.annotations.items()},
        starts_at=alert.starts_at,
        ends_at=_end(alert),
        end_reason=alert.end_reason.value if alert.end_reason is not None else None,
        fingerprint=alert.fingerprint,
        generator_url=source_url(alert),
        members=tuple(_member(member) for member in case.members),
    )


def _end(alert: Alert) -> datetime | None:
    """When it ended; of one that was posted, what it was told to be, not when that was heard."""
    if alert.ends_at is None or alert.posted is None:
        return alert.ends_at
    return min(alert.ends_at, max(alert.posted.ends_at, alert.starts_at))


def _member(member: Member) -> dict[str, Any]:
    """`pod`, `container`, `node` as they apply, `since`, and the signal's fields by name; unknown ones are left out."""
    fields: dict[str, Any] = msgspec.to_builtins(member.signal)
    known = {
        key: _safe(value)
        for key, value in fields.items()
        if key not in _ELSEWHERE and value not in (None, "", {}, [], ())
    }
    first: dict[str, Any] = {key: known.pop(key) for key in ("pod", "container", "node") if key in known}
    return {**first, "since": msgspec.to_builtins(member.since), **known}


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, dict):
        return {key: _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    return value


def common(maps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What all of `maps` have with the same value."""
    shared: dict[str, str] | None = None
    for one in maps:
        shared = dict(one) if shared is None else {key: value for key, value in shared.items() if one.get(key) == value}
    return shared or {}
