"""The configuration as Alertmanager would print it: what `config.original` of its API shows, and amtool reads.

amtool refuses a file with one key that it does not know, and 0.25 is what distributions have: so this is written from
the records, with the keys of 0.25 alone, and every receiver that 0.25 has no name for is a receiver without
integrations. No secret is in it, nor texts, headers and TLS, which say nothing about routing; where an address is a
secret and must be one (webhooks), it is `http://<secret>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml

from watcher.lib.durations import format_duration
from watcher.lib.matchers import Matcher
from watcher.model.config import (
    DiscordConfig,
    EmailConfig,
    Integration,
    PagerDutyConfig,
    Receiver,
    SlackConfig,
    TelegramConfig,
    WebhookConfig,
)
from watcher.routing.inhibition import InhibitRule
from watcher.routing.intervals import TimeInterval
from watcher.routing.route import Route
from watcher.settings.records import Settings

SECRET: Final = "<secret>"
NOBODY: Final = "nobody"
"""Stands for routes that tell nobody, which Alertmanager does not know."""
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def original(settings: Settings) -> str:
    """YAML without our own keys and without secrets."""
    names = {receiver.name for receiver in settings.receivers}
    nobody = next(name for name in (NOBODY, *(f"{NOBODY}-{n}" for n in range(len(names)))) if name not in names)
    receivers = [_receiver(each) for each in settings.receivers]
    if any(not route.receiver for route in settings.route.walk()):
        receivers.append({"name": nobody})
    document: dict[str, Any] = {
        "global": {"resolve_timeout": format_duration(settings.resolve_timeout)},
        "route": _route(settings.route, nobody),
        "inhibit_rules": [_inhibition(rule) for rule in settings.inhibit_rules],
        "receivers": receivers,
        "templates": [],
    }
    if settings.intervals:
        document["time_intervals"] = [
            {"name": name, "time_intervals": [_interval(each) for each in entries]}
            for name, entries in settings.intervals.items()
        ]
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    return text


def _route(route: Route, nobody: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "receiver": route.receiver or nobody,
        "group_by": ["..."] if route.group_by is None else list(route.group_by),
        "group_wait": format_duration(route.group_wait),
        "group_interval": format_duration(route.group_interval),
        "repeat_interval": format_duration(route.repeat_interval),
    }
    if route.matchers:
        found["matchers"] = _matchers(route.matchers)
    if route.continue_:
        found["continue"] = True
    if route.mute_time_intervals:
        found["mute_time_intervals"] = list(route.mute_time_intervals)
    if route.active_time_intervals:
        found["active_time_intervals"] = list(route.active_time_intervals)
    if route.routes:
        found["routes"] = [_route(each, nobody) for each in route.routes]
    return found


def _matchers(matchers: Iterable[Matcher]) -> list[str]:
    return [str(each) for each in matchers]


def _inhibition(rule: InhibitRule) -> dict[str, Any]:
    return {
        "source_matchers": _matchers(rule.source),
        "target_matchers": _matchers(rule.target),
        "equal": list(rule.equal),
    }


def _receiver(receiver: Receiver) -> dict[str, Any]:
    found: dict[str, Any] = {"name": receiver.name}
    for _, integration in receiver.integrations:
        for key, value in _integration(integration):
            found.setdefault(key, []).append({"send_resolved": integration.send_resolved, **value})
    return found


def _integration(one: Integration) -> Iterator[tuple[str, dict[str, Any]]]:
    """The key of its list and what must be in it; nothing for what 0.25 does not know."""
    match one:
        case SlackConfig():
            yield "slack_configs", {"api_url": SECRET} | ({"channel": one.channel} if one.channel else {})
        case DiscordConfig():
            yield "discord_configs", {"webhook_url": SECRET}
        case EmailConfig():
            fields = {"to": ", ".join(one.to), "from": one.sender, "smarthost": one.smarthost, "hello": one.hello}
            yield "email_configs", {**fields, "require_tls": one.require_tls}
        case WebhookConfig():
            yield "webhook_configs", {"url": f"http://{SECRET}", "max_alerts": one.max_alerts}
        case PagerDutyConfig():
            yield "pagerduty_configs", {"routing_key": SECRET}
        case TelegramConfig():
            if one.chat_id.lstrip("-").isdecimal():
                yield "telegram_configs", {"bot_token": SECRET, "chat_id": int(one.chat_id)}


def _interval(one: TimeInterval) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if one.times is not None:
        found["times"] = [{"start_time": _minute(first), "end_time": _minute(last)} for first, last in one.times]
    if one.weekdays is not None:
        found["weekdays"] = [f"{_DAYS[first]}:{_DAYS[last]}" for first, last in one.weekdays]
    for name in ("days_of_month", "months", "years"):
        spans = getattr(one, name)
        if spans is not None:
            found[name] = [f"{first}:{last}" for first, last in spans]
    if str(one.zone) not in ("", "UTC"):
        found["location"] = str(one.zone)
    return found


def _minute(number: int) -> str:
    return f"{number // 60:02}:{number % 60:02}"
