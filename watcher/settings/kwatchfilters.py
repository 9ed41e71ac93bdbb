"""kwatch's filters (`reasons`, `ignore…`, `silences`) and thresholds as routes to nobody and changes of rules.

What a label can tell (namespace, alert, container) is a route, since a route needs no rule file; what only a signal's
field can (a pod's name, a message) is a condition of rules. A silence is taken over whole or left whole: without one of
its conditions it would hide more than it did. As in kwatch's main branch all conditions of a silence must hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from watcher.lib.gotext import go_quote
from watcher.lib.regexes import RegexError, compile_regex
from watcher.lib.yamlpos import Path
from watcher.settings.kwatchkeys import SILENCE_KEYS
from watcher.settings.kwatchreader import Reader, named
from watcher.settings.kwatchreasons import (
    NODE_ALERTS,
    alerts_of,
    hidden_by_allowing,
    hidden_by_forbidding,
    severities_of,
)
from watcher.settings.kwatchrules import (
    CONTAINER_SIGNALS,
    NODE_SIGNALS,
    POD_SIGNALS,
    Change,
    Rule,
    all_of,
    any_of,
    contains,
    is_one_of,
    matches,
    of_alerts,
    of_signals,
    put,
    unless,
)

_WITH_MESSAGE: Final = (*CONTAINER_SIGNALS, "PodFailed")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_REGEX: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
_LABELS: Final = ("namespaces", "reasons", "containerNames")
_NOT_SEEN: Final = ("logPatterns", "eventMessages")


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """A route to nobody."""

    matchers: tuple[str, ...]
    origin: str


class Filters(msgspec.Struct, kw_only=True):
    """What they come to."""

    namespaces: list[str] = msgspec.field(default_factory=list)
    exclude_namespaces: list[str] = msgspec.field(default_factory=list)
    hidden: list[Hidden] = msgspec.field(default_factory=list)
    changes: list[Change] = msgspec.field(default_factory=list)


def matcher(label: str, values: list[str], *, negated: bool = False) -> str:
    """`namespace=~"a|b"`; a single value without a regex."""
    words = list(dict.fromkeys(values))
    if len(words) == 1:
        return f"{label}{'!=' if negated else '='}{go_quote(words[0])}"
    return f"{label}{'!~' if negated else '=~'}{go_quote('|'.join(_REGEX.sub(_escaped, word) for word in words))}"


def _escaped(match: re.Match[str]) -> str:
    return "\\" + match[0]


def read_filters(reader: Reader) -> Filters:
    """Every filter and threshold of the configuration."""
    filters = Filters()
    _namespaces(reader, filters)
    _reasons(reader, filters)
    _ignored(reader, filters)
    silences = reader.at(("silences",))
    if silences is not None and not isinstance(silences, list):
        reader.error(("silences",), "must be a list")
    for index in range(len(silences) if isinstance(silences, list) else 0):
        _silence(reader, filters, ("silences", index))
    _monitors(reader, filters)
    filters.changes.extend((*_volumes(reader), *_severities(reader), *_runbooks(reader)))
    return filters


def _namespaces(reader: Reader, filters: Filters) -> None:
    path: Path = ("namespaces",)
    for index, word in enumerate(reader.at(path) or ()):
        name = str(word or "").removeprefix("!")
        if not reader.text((*path, index)) or "${" in name:
            continue
        if not _NAMESPACE.fullmatch(name):
            reader.error((*path, index), "must be the name of a namespace, or ! and a name, in quotes")
    allowed, forbidden = _split(reader.words(path))
    if allowed and forbidden:
        reader.note(path, "namespaces has both kinds: those with ! say nothing beside a list of names")
        allowed = [name for name in allowed if name not in forbidden]
    filters.namespaces = allowed
    filters.exclude_namespaces = [] if allowed else forbidden


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    allowed = [word for word in words if not word.startswith("!")]
    return list(dict.fromkeys(allowed)), list(dict.fromkeys(word[1:] for word in words if word.startswith("!")))


def _reasons(reader: Reader, filters: Filters) -> None:
    path: Path = ("reasons",)
    allowed, forbidden = _split(reader.words(path))
    if allowed and forbidden:
        reader.note(path, "reasons has both kinds: those with ! say nothing beside a list of reasons")
    for index, word in enumerate(reader.at(path) or ()):
        reason = str(word or "").removeprefix("!")
        if reason and reader.text((*path, index)) and not alerts_of(reason):
            reader.leave((*path, index), f"Watcher has no alert of the reason {reason}: see docs/rules.md for a rule")
    if allowed:
        hidden = hidden_by_allowing(allowed)
    else:
        hidden, parts = hidden_by_forbidding(forbidden)
        for reason in (part for part in parts if alerts_of(part)):
            told = ", ".join(alerts_of(reason))
            reader.leave(path, f"!{reason} is only a part of {told}, which is still told: change its rule's where")
    if hidden:
        filters.hidden.append(Hidden(matchers=(matcher("alertname", hidden),), origin=reader.origin(path)))


def _ignored(reader: Reader, filters: Filters) -> None:
    if names := reader.words(("ignoreContainerNames",)):
        origin = reader.origin(("ignoreContainerNames",))
        filters.hidden.append(Hidden(matchers=(matcher("container", names),), origin=origin))
    for key, parts, signals in (
        ("ignorePodNames", _patterns(reader, ("ignorePodNames",)), POD_SIGNALS),
        ("ignoreContainerMessages", _with_message(reader, ("ignoreContainerMessages",)), _WITH_MESSAGE),
        ("ignoreNodeReasons", _node_reasons(reader, ("ignoreNodeReasons",)), NODE_SIGNALS),
        ("ignoreNodeMessages", _with_message(reader, ("ignoreNodeMessages",)), NODE_SIGNALS),
    ):
        if parts:
            filters.changes.append(unless((key,), reader.origin((key,)), parts, of_signals(*signals)))


def _patterns(reader: Reader, path: Path) -> str:
    """A condition on the pod's name; a pattern that is none is left."""
    good: list[str] = []
    for index, _ in enumerate(reader.at(path) or ()):
        pattern = reader.text((*path, index))
        try:
            compile_regex(pattern)
        except RegexError as error:
            reader.leave((*path, index), f"{named(path)} has no pattern here, and kwatch took none: {error}")
            continue
        if pattern:
            good.append(pattern)
    return matches("pod", good) if good else ""


def _with_message(reader: Reader, path: Path) -> str:
    words = reader.words(path)
    return contains("message", words) if words else ""


def _node_reasons(reader: Reader, path: Path) -> str:
    words = reader.words(path)
    return is_one_of("reason", words) if words else ""


# -- silences --------------------------------------------------------------------------------------------------------


def _silence(reader: Reader, filters: Filters, path: Path) -> None:
    data = reader.at(path)
    if not isinstance(data, dict):
        reader.error(path, "must be a mapping of conditions")
        return
    given = [key for key in SILENCE_KEYS if data.get(key)]
    unknown = [key for key in data if key not in SILENCE_KEYS]
    for key in unknown:
        reader.leave((*path, key), f"kwatch knows no key {named((*path, key))}")
    wrong = [key for key in given if not isinstance(data[key], list)]
    for key in wrong:
        reader.error((*path, key), "must be a list of texts")
    if wrong or not given:
        return
    if unseen := [key for key in given if key in _NOT_SEEN]:
        what = "log lines" if unseen[0] == "logPatterns" else "the events of a pod"
        reader.leave(path, f"{named(path)} is not taken over: rules do not see {what}; use watcher.io/ignore and hints")
    elif all(key in _LABELS for key in given):
        _by_labels(reader, filters, path, given)
    else:
        _by_rules(reader, filters, path, given)


def _by_labels(reader: Reader, filters: Filters, path: Path, given: list[str]) -> None:
    found = tuple(_label_matchers(reader, path, given))
    if len(found) == len(given):
        filters.hidden.append(Hidden(matchers=found, origin=reader.origin(path)))
    else:
        reader.leave(path, f"{named(path)} is not taken over: a part of it has no counterpart")


def _label_matchers(reader: Reader, path: Path, given: list[str]) -> Iterator[str]:
    for key in given:
        words = reader.words((*path, key))
        if key == "reasons":
            words = _alerts(reader, (*path, key))
        if words:
            yield matcher({"namespaces": "namespace", "reasons": "alertname"}.get(key, "container"), words)


def _alerts(reader: Reader, path: Path) -> list[str]:
    """The alerts of these reasons; a reason without one is left."""
    alerts: list[str] = []
    for index, reason in enumerate(reader.words(path)):
        if not alerts_of(reason):
            reader.leave((*path, index), f"Watcher has no alert of the reason {reason}")
        alerts.extend(alerts_of(reason))
    return list(dict.fromkeys(alerts))


def _by_rules(reader: Reader, filters: Filters, path: Path, given: list[str]) -> None:
    nodes = [key for key in given if key.startswith("node")]
    pods = [key for key in given if not key.startswith("node") and key != "reasons"]
    if nodes and pods:
        reader.leave(path, f"{named(path)} is not taken over: nothing is about a pod and about a node at once")
        return
    parts = [part for key in (nodes or pods) if (part := _condition(reader, (*path, key)))]
    alerts = _alerts(reader, (*path, "reasons")) if "reasons" in given else None
    if len(parts) < len(nodes or pods) or alerts == []:
        reader.leave(path, f"{named(path)} is not taken over: a part of it has no counterpart")
        return
    signals = _signals(given)

    def fits(rule: Rule) -> bool:
        return rule["signal"] in signals and (alerts is None or rule["alert"] in alerts)

    filters.changes.append(unless(path, reader.origin(path), all_of(parts), fits))


def _signals(given: list[str]) -> tuple[str, ...]:
    """What has all of the fields that the conditions ask for."""
    if any(key.startswith("node") for key in given):
        return NODE_SIGNALS
    if "containerNames" in given:
        return CONTAINER_SIGNALS
    return _WITH_MESSAGE if "containerMessages" in given else POD_SIGNALS


def _condition(reader: Reader, path: Path) -> str:
    words = reader.words(path)
    match path[-1]:
        case "podNamePatterns":
            return _patterns(reader, path)
        case "containerMessages" | "nodeMessages":
            return any_of([contains("message", words)]) if words else ""
        case "nodeReasons":
            return is_one_of("reason", words) if words else ""
        case "namespaces":
            return is_one_of("namespace", words) if words else ""
    return is_one_of("container", words) if words else ""


# -- monitors and thresholds -----------------------------------------------------------------------------------------


def _monitors(reader: Reader, filters: Filters) -> None:
    for name, alerts in (
        ("nodeMonitor", NODE_ALERTS),
        ("pendingPodMonitor", ("PodPending",)),
        ("notReadyMonitor", ("PodNotReady",)),
    ):
        path: Path = (name, "enabled")
        if reader.flag(path) is False:
            filters.hidden.append(Hidden(matchers=(matcher("alertname", list(alerts)),), origin=reader.origin(path)))
    if reader.flag(("oomMonitor", "enabled")) is not None:
        reader.note(("oomMonitor", "enabled"), "oomMonitor.enabled is not needed: ContainerOOMKilled counts OOM kills")
    for name, key, unit, alerts in (
        ("nodeMonitor", "sustainedMinutes", "m", NODE_ALERTS),
        ("pendingPodMonitor", "threshold", "s", ("PodPending",)),
    ):
        path = (name, key)
        number = reader.number(path)
        if number is not None and number >= 0:
            span = {"for": f"{int(number)}{unit}"}
            filters.changes.append(put(path, reader.origin(path), of_alerts(*alerts), **span))


def _volumes(reader: Reader) -> Iterator[Change]:
    path: Path = ("pvcMonitor", "threshold")
    warn = _percent(reader, path)
    clear = _percent(reader, ("pvcMonitor", "clearThreshold"))
    if warn is not None or clear is not None:
        warn, place = (85.0, ("pvcMonitor", "clearThreshold")) if warn is None else (warn, path)
        low = min(warn - 5 if clear is None else clear, warn)
        values = {"where": f"used_percent >= {warn:g}", "until": f"used_percent < {low:g}"}
        yield put(place, reader.origin(place), of_alerts("VolumeFillingUp"), **values)
    path = ("pvcMonitor", "criticalThreshold")
    if (full := _percent(reader, path)) is not None:
        soon = f"used_percent >= {min(full, 90):g} && full_in_seconds != null && full_in_seconds <= 14400"
        values = {
            "where": f"used_percent >= {full:g} || ({soon})",
            "until": f"used_percent < {min(full - 2, 88):g}",
        }
        yield put(path, reader.origin(path), of_alerts("VolumeNearlyFull"), **values)


def _percent(reader: Reader, path: Path) -> float | None:
    number = reader.number(path)
    if number is not None and not 0 < number <= 100:
        reader.error(path, "must be a percentage")
        return None
    return number


def _severities(reader: Reader) -> Iterator[Change]:
    for path, alerts in _by_reason(reader, "severityByReason"):
        severities = severities_of(reader.text(path))
        if not severities:
            reader.leave(path, f"{named(path)}: Watcher's severities are critical, warning and info")
        elif alerts:
            labels = {"severity": severities[0]}
            yield put(path, reader.origin(path), of_alerts(*alerts), labels=labels)


def _runbooks(reader: Reader) -> Iterator[Change]:
    for path, alerts in _by_reason(reader, "runbooks"):
        if alerts:
            annotations = {"runbook_url": reader.text(path)}
            yield put(path, reader.origin(path), of_alerts(*alerts), annotations=annotations)


def _by_reason(reader: Reader, key: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Each reason's place with the alerts that no reason before it has."""
    taken: set[str] = set()
    data: Any = reader.at((key,))
    for reason in data if isinstance(data, dict) else ():
        path: Path = (key, reason)
        alerts = alerts_of(reason)
        if not alerts:
            reader.leave(path, f"Watcher has no alert of the reason {reason}")
        elif shared := [alert for alert in alerts if alert in taken]:
            reader.leave(path, f"{reason} is {', '.join(shared)} here, which another reason above has set already")
        new = tuple(alert for alert in alerts if alert not in taken)
        taken.update(new)
        yield path, new
