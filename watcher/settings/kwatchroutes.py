"""Receivers and routes that do what kwatch does: every alert to every provider, or by the `routes` of a provider.

kwatch sends an incident to a provider once if any of its routes takes it, so the routes of a provider stand side by
side below one that goes on: the first that matches sends. The groups are those of Watcher's shipped routes. Without
filters and routes of providers no `route` is written at all, and the shipped ones count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from watcher.lib.yamlpos import Path
from watcher.settings.kwatchfilters import Hidden, matcher
from watcher.settings.kwatchkeys import ROUTE_KEYS
from watcher.settings.kwatchoptions import Entry
from watcher.settings.kwatchproviders import entries
from watcher.settings.kwatchreader import Reader, named
from watcher.settings.kwatchreasons import DOWN, alerts_of, severities_of
from watcher.settings.kwatchwriter import Noted
from watcher.settings.shippedroutes import BY_CLAIM, BY_NODE, BY_WORKLOAD

DEFAULT: Final = "default"
NOBODY: Final = "nobody"
_TIMES: Final = {"group_wait": "10s", "group_interval": "5m", "repeat_interval": "12h"}
_INFO: Final = 'severity="info"'
_OWN: Final = 'alertname=~"Watcher.+"'

Route = dict[str, Any]


def read_receivers(reader: Reader, hidden: list[Hidden]) -> dict[str, Any]:
    """`receivers` and, where one is needed, `route`. Without any provider messages go to standard output."""
    alert = reader.at(("alert",))
    if alert is not None and not isinstance(alert, dict):
        reader.error(("alert",), "must be a mapping of providers")
        return {}
    receivers: dict[str, list[tuple[str, Entry]]] = {}
    routed: dict[str, list[Route]] = {}
    for name in alert or {}:
        found = [(reader.origin(("alert", name)), entry) for entry in entries(reader, name)]
        routes = _routes(reader, name)
        if not found:
            continue
        receiver = str(name).lower() if routes else DEFAULT
        receivers.setdefault(receiver, []).extend(found)
        if routes:
            routed[receiver] = routes
    if not receivers:
        where: Path = () if alert is None else ("alert",)
        reader.leave(where, "no provider is taken over: messages go to standard output until you write receivers")
        receivers[DEFAULT] = [("alert: no provider is taken over", Entry(kind="console_configs", keys={}))]
    written: list[Any] = [_receiver(name, found) for name, found in receivers.items()]
    if not hidden and not routed:
        return {"receivers": written}
    route = _route(list(receivers), routed, hidden)
    return {"route": route, "receivers": [*written, {"name": NOBODY}]}


def _receiver(name: str, found: list[tuple[str, Entry]]) -> dict[str, Any]:
    lists: dict[str, list[Noted]] = {}
    for origin, entry in found:
        lists.setdefault(entry.kind, []).append(Noted(entry.keys, f"from {origin}"))
    return {"name": name, **lists}


def _route(receivers: list[str], routed: dict[str, list[Route]], hidden: list[Hidden]) -> Route:
    wants_info = any("info" in matcher for routes in routed.values() for each in routes for matcher in each["matchers"])
    children: list[Any] = [
        Noted({"receiver": NOBODY, "matchers": list(each.matchers)}, f"from {each.origin}") for each in hidden
    ]
    if not wants_info:
        children.append({"receiver": NOBODY, "matchers": [_INFO]})
    if not routed:
        children.extend(_groups())
        return {"receiver": DEFAULT, "group_by": list(BY_WORKLOAD), **_TIMES, "routes": children}
    if DEFAULT in receivers:
        info = [{"receiver": NOBODY, "matchers": [_INFO]}] if wants_info else []
        children.append({"receiver": DEFAULT, "continue": True, "routes": [*info, *_groups()]})
    for name, routes in routed.items():
        own = {"receiver": name, "matchers": [_OWN]}
        below = [own, *({"receiver": name, **each, "routes": _groups(each["matchers"])} for each in routes)]
        children.append({"receiver": NOBODY, "continue": True, "routes": below})
    return {"receiver": NOBODY, "group_by": list(BY_WORKLOAD), **_TIMES, "routes": children}


def _groups(above: Iterable[str] = ()) -> list[Route]:
    """Nodes and claims make groups of their own (settings/shippedroutes); a node has no namespace."""
    nodes = {"matchers": ['namespace=""', 'node!=""'], "group_by": list(BY_NODE)}
    claims = {"matchers": ['claim!=""'], "group_by": list(BY_CLAIM)}
    return [claims] if any(each.startswith("namespace") for each in above) else [nodes, claims]


def _routes(reader: Reader, name: str) -> list[Route]:
    path: Path = ("alert", name, "routes")
    items = reader.at(path)
    if items is not None and not isinstance(items, list):
        reader.error(path, "must be a list")
        return []
    routes: list[Route] = []
    for index in range(len(items or ())):
        here = (*path, index)
        if not isinstance(reader.at(here), dict):
            reader.error(here, "must be a mapping of conditions")
            continue
        if matchers := _matchers(reader, here):
            routes.append({"matchers": matchers})
    return routes


def _matchers(reader: Reader, path: Path) -> list[str]:
    """Empty where it takes nothing that Watcher has, or sets nothing (kwatch drops such a route too)."""
    for key in reader.at(path):
        if key not in ROUTE_KEYS:
            reader.leave((*path, key), f"kwatch knows no key {named((*path, key))}")
        elif not isinstance(reader.at((*path, key)), list):
            reader.error((*path, key), "must be a list of texts")
    if reader.words((*path, "owners")):
        message = "owners is not known here: write a matcher on a label such as workload, or use watcher.io/receiver"
        reader.leave((*path, "owners"), f"{named(path)} is not taken over: {message}")
        return []
    found: list[str] = []
    if namespaces := reader.words((*path, "namespaces")):
        found.append(matcher("namespace", namespaces))
    for key, label, ours in (("severities", "severity", severities_of), ("reasons", "alertname", _alerts_of)):
        if reader.words((*path, key)):
            values = _values(reader, (*path, key), label, ours)
            if not values:
                return []
            found.append(matcher(label, values))
    return found


def _values(reader: Reader, path: Path, label: str, ours: Callable[[str], tuple[str, ...]]) -> list[str]:
    """Our values for kwatch's."""
    words = reader.words(path)
    for index, word in enumerate(words):
        if not ours(word):
            reader.leave(
                (*path, index), f"Watcher has no {label} for {word}: until you write a route it is not told of"
            )
    values = list(dict.fromkeys(value for word in words for value in ours(word)))
    if label == "severity" and values and set(words) != set(values):
        reader.note(path, f"kwatch's severities are not Watcher's: here {', '.join(values)}")
    return values


def _alerts_of(reason: str) -> tuple[str, ...]:
    """With WorkloadDown beside what brings a workload down."""
    alerts = alerts_of(reason)
    return (*alerts, DOWN) if "ContainerCrashLooping" in alerts else alerts
