"""What an explanation is asked of: the words read, and the alerts that they name.

NAMESPACE/NAME is a pod, a workload or a claim; 16 hex digits are an alert's fingerprint; words with `=` are matchers
of an alert's labels, `{…}` around them or not; a word that cannot be the name of a node (these have small letters,
RFC 1123) is an alert's name; any other is a node's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from fastapi import HTTPException

from watcher.alerts.identity import alert_labels
from watcher.api.answers import plain
from watcher.api.inside import Inside
from watcher.api.names import FINGERPRINT, about, keys_of
from watcher.lib.matchers import Matcher, MatcherError, MatcherOp, format_matchers, matches_all, parse_matchers
from watcher.lib.regexes import RegexError
from watcher.model.history import Asked
from watcher.model.identity import AlertKey
from watcher.pipeline.seeing import Place

MOST_ALERTS: Final = 100
_ALERT: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*", re.ASCII)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks about: one of these."""

    words: str
    fingerprint: str = ""
    namespace: str = ""
    name: str = ""
    node: str = ""
    matchers: tuple[Matcher, ...] = ()

    @property
    def is_alerts(self) -> bool:
        """Alerts themselves, not an object that alerts are about."""
        return bool(self.fingerprint or self.matchers)

    @property
    def sought(self) -> str:
        """What was looked for, in words."""
        if self.fingerprint:
            return f"an alert with the fingerprint {self.fingerprint}"
        if self.matchers:
            return f"an alert with {plain(format_matchers(self.matchers))}"
        if self.node:
            node, advice = plain(self.node), "write NAMESPACE/NAME for a pod, a workload or a claim"
            return f"a node {node} ({advice}, alertname={node} for an alert)"
        return f"a pod, workload or claim {plain(self.name)} in the namespace {plain(self.namespace)}"


def wanted(of: str) -> Wanted:
    """HTTPException where it cannot be read."""
    if re.fullmatch(FINGERPRINT, of):
        return Wanted(words=of, fingerprint=of)
    if "=" in of:
        return Wanted(words=of, matchers=_matchers(of))
    namespace, slash, name = of.partition("/")
    if not slash and _ALERT.fullmatch(of) and (of != of.lower() or "_" in of):
        return Wanted(words=of, matchers=(Matcher(name="alertname", op=MatcherOp.EQUAL, value=of),))
    if not slash:
        return Wanted(words=of, node=of)
    if not namespace or not name or "/" in name:
        raise HTTPException(
            400,
            "of: write NAMESPACE/NAME, the name of a node, the fingerprint of an alert (16 hex digits), or its name"
            " and labels as in alertname=HighCPU,instance=web-1",
        )
    return Wanted(words=of, namespace=namespace, name=name)


def _matchers(text: str) -> tuple[Matcher, ...]:
    try:
        found = tuple(parse_matchers(text))
    except (MatcherError, RegexError) as error:
        raise HTTPException(400, f"of: {plain(str(error))}") from None
    if not found:
        raise HTTPException(400, "of: name at least one label, as in alertname=HighCPU")
    return found


async def scope(inside: Inside, one: Wanted) -> tuple[set[AlertKey], Asked]:
    """The alerts that are meant, and how to find others in the history."""
    if one.is_alerts:
        keys = await keys_of(inside, one.fingerprint) if one.fingerprint else await _matching(inside, one.matchers)
        return set(keys), Asked(alerts=keys)
    alerts = list(inside.view.alerts.rows.values())
    if one.node:
        keys = about(alerts, {"node": one.node})
        return {key for key in inside.view.alerts.rows if key.node == one.node} | keys, Asked(node=one.node)
    asked = Asked(namespace=one.namespace, name=one.name)
    found = {key for key in inside.view.alerts.rows if asked.fits(key)}
    place = Place(namespace=one.namespace, name=one.name)
    found |= {member.alert for member in inside.view.members.rows.values() if place.holds(member.signal)}
    return found | about(alerts, {"namespace": one.namespace}, (one.name,)), asked


async def _matching(inside: Inside, matchers: tuple[Matcher, ...]) -> frozenset[AlertKey]:
    """The open alerts that match; where there is none, those of the history, as far as their labels are known."""
    rows = list(inside.view.alerts.rows.values())
    found = frozenset(alert.key for alert in rows if matches_all(matchers, alert.labels))
    if not found:
        keys = await inside.store.alert_keys()
        found = frozenset(key for key in keys if matches_all(matchers, _labels(inside, key)))
    if len(found) > MOST_ALERTS:
        raise HTTPException(400, f"of: {len(found)} alerts match; name more labels (at most {MOST_ALERTS} may)")
    return found


def _labels(inside: Inside, key: AlertKey) -> Mapping[str, str]:
    """Of an alert that is over and forgotten: those that its rule gives now; of a posted one its name."""
    rule = next((rule for rule in inside.core().rules if rule.alert == key.alertname), None)
    if rule is None or key.posted:
        return {"alertname": key.alertname}
    return alert_labels(rule, key)
