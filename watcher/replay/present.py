"""Notifications as `replay` prints them: for people, and as JSON lines (design.md section 8)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from watcher.model.message import AlertView, Notification


def as_json(notification: Notification) -> str:
    """One line; keys in a fixed order, times in UTC."""
    body: dict[str, Any] = {
        "at": _time(notification.at),
        "receiver": notification.receiver,
        "integration": notification.integration,
        "status": notification.status,
        "reason": notification.reason.name,
        "groupKey": notification.group_key,
        "groupLabels": notification.group_labels,
        "alerts": [_alert(alert) for alert in notification.alerts],
        "title": notification.title,
        "text": notification.text,
    }
    return msgspec.json.encode(body).decode()


def _alert(alert: AlertView) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": _time(alert.starts_at),
        "endsAt": _time(alert.ends_at),
        "endReason": alert.end_reason,
        "fingerprint": alert.fingerprint,
        "members": alert.members,
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_text(notification: Notification) -> str:
    """When, to whom and why, then the message as it would read."""
    head = (
        f"{_time(notification.at)}  {notification.receiver}/{notification.integration}  ({notification.reason.value})"
    )
    body = "\n".join(f"    {line}".rstrip() for line in (notification.title, *notification.text.splitlines()))
    return f"{head}\n{body}\n"
