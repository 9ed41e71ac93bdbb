"""How our own endpoints name an alert, and which alerts a fingerprint names.

The history keeps alerts by their key. Of one that is over and forgotten the labels are those that its rule gives now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

from watcher.alerts.identity import alert_labels
from watcher.api.answers import plain
from watcher.api.inside import Inside
from watcher.lib.fnv import fingerprint
from watcher.model.identity import AlertKey
from watcher.model.state import Alert

FINGERPRINT: Final = "^[0-9a-f]{16}$"
Fingerprint = Annotated[str, msgspec.Meta(pattern=FINGERPRINT)]


class AlertName(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert by what it is about; what it is not about is left out."""

    alertname: str
    fingerprint: Fingerprint | None
    """null: its rule is gone, and the alert is forgotten."""
    cluster: str = ""
    namespace: str = ""
    workload_kind: str = ""
    workload: str = ""
    container: str = ""
    claim: str = ""
    node: str = ""
    pod: str = ""


def name_of(inside: Inside, key: AlertKey) -> AlertName:
    fields = {name: getattr(key, name) for name in AlertKey.__struct_fields__ if name not in ("posted", "alertname")}
    alert = inside.view.alerts.rows.get(key)
    if alert is not None and key.posted:
        fields |= {name: plain(alert.labels[name]) for name in fields if name in alert.labels}
    return AlertName(alertname=key.alertname, fingerprint=fingerprint_of(inside, key), **fields)


def fingerprint_of(inside: Inside, key: AlertKey) -> str | None:
    alert = inside.view.alerts.rows.get(key)
    if alert is not None:
        return alert.fingerprint
    if key.posted:
        return key.posted
    rule = next((rule for rule in inside.core().rules if rule.alert == key.alertname), None)
    return fingerprint(alert_labels(rule, key)) if rule is not None else None


async def keys_of(inside: Inside, wanted: str) -> frozenset[AlertKey]:
    """The alerts with this fingerprint, open or in the history."""
    known = {alert.key for alert in list(inside.view.alerts.rows.values()) if alert.fingerprint == wanted}
    if known:
        return frozenset(known)
    return frozenset(key for key in await inside.store.alert_keys() if fingerprint_of(inside, key) == wanted)


def about(alerts: Iterable[Alert], labels: Mapping[str, str], names: Iterable[str] = ()) -> frozenset[AlertKey]:
    """Posted alerts that have these labels, and one of `names` as the value of any label."""
    wanted = set(names)
    return frozenset(
        alert.key
        for alert in alerts
        if alert.posted is not None
        and all(alert.labels.get(name) == value for name, value in labels.items())
        and (not wanted or not wanted.isdisjoint(alert.labels.values()))
    )
