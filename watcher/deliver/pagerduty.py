"""PagerDuty by its Events API v2: an incident of one group is opened, kept up to date, and resolved when all ended.

Not through Apprise, whose plugin has one fixed dedup_key per URL, says what happened in 1,024 characters, ends an
incident only by a URL of its own, and hides what PagerDuty answers. As Alertmanager does it: `dedup_key` is the
SHA-256 of the group key (so an incident that Alertmanager opened is resolved by Watcher), `trigger` while one alert
fires, `resolve` when none does. A trigger for an open incident pages nobody: it is one more line in its log.
Limits: 1,024 characters of summary, 512 KB in all
(https://developer.pagerduty.com/docs/events-api-v2/trigger-events). The summary has no coloured mark: it is read
aloud on the telephone, and the severity has a field of its own.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from watcher.deliver.answers import Answer, outcome_of
from watcher.deliver.http import Client, post
from watcher.deliver.templating import Texts, Writing
from watcher.lib.text import cut
from watcher.model.config import PagerDutyConfig, Secret
from watcher.model.delivery import Delivered, Outcome
from watcher.model.message import Heading, Links, Mark, Message, Notification
from watcher.notify import plain
from watcher.notify.changes import standing

SUMMARY: Final = 1024
EVENT: Final = 500_000
"""Bytes; PagerDuty's limit is 512 KB, and Alertmanager keeps below 512,000."""

SEVERITIES: Final = ("critical", "error", "warning", "info")

_TEXT: Final = 100_000
"""Characters of the message in words: nobody reads more in an incident."""
_DETAIL: Final = 20_000
_SHORT: Final = 1000
_LINKS: Final = 20
_TEMPLATES: Final = ("description", "client", "client_url", "severity", "source", "class_name", "component", "group")
_IMAGE: Final = ("src", "alt", "href")
_LINK: Final = ("href", "text")
_SEVERITY_OF: Final = {Mark.CRITICAL: "critical", Mark.WARNING: "warning", Mark.INFO: "info"}


class PagerDutySender:
    def __init__(self, config: PagerDutyConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        self._client = Client(config.http)
        self._texts = texts_of(config)

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        event = payload(notification, self._config, self._texts.of(notification))
        body = msgspec.json.encode(event)
        answer = await post(self._session, Secret(self._config.url), body, {}, self._config.timeout, self._client)
        if not isinstance(answer, Answer):
            return answer
        outcome = outcome_of(answer, [self._config.routing_key.value, *self._client.secrets])
        return Delivered(reference=event["dedup_key"]) if isinstance(outcome, Delivered) else outcome

    async def close(self) -> None:
        """The session is the application's."""


def texts_of(config: PagerDutyConfig) -> Texts:
    """All its templates, by the keys of the configuration."""
    sources = {key: getattr(config, key) for key in _TEMPLATES}
    sources.update((f"details.{name}", text) for name, text in config.details)
    for at, image in enumerate(config.images):
        sources.update((f"images[{at}].{key}", text) for key, text in zip(_IMAGE, image, strict=True))
    for at, link in enumerate(config.links):
        sources.update((f"links[{at}].{key}", text) for key, text in zip(_LINK, link, strict=True))
    return Texts(sources)


def payload(notification: Notification, config: PagerDutyConfig, texts: Writing) -> dict[str, Any]:
    """The event, no larger than PagerDuty takes. It tells of all as it stands, since it updates the incident."""
    message = standing(notification)
    event = _filled(
        routing_key=config.routing_key.value,
        event_action="trigger" if notification.status == "firing" else "resolve",
        dedup_key=hashlib.sha256(notification.group_key.encode()).hexdigest(),
        client=texts.text("client", _SHORT) or "Watcher",
        client_url=texts.text("client_url", _SHORT) or notification.external_url,
        images=[image for at in range(len(config.images)) if "src" in (image := _entry(texts, "images", at, _IMAGE))],
        links=_links(message, config, texts),
        payload=_payload(notification, message, config, texts),
    )
    room = _TEXT
    while len(msgspec.json.encode(event)) > EVENT and room > 1:
        # The details of the configuration go first if they are what is too large.
        room //= 2
        event["payload"]["custom_details"] = {"text": cut(_text(message), room), "problem": "too large, shortened"}
    return event


def _payload(notification: Notification, message: Message, config: PagerDutyConfig, texts: Writing) -> dict[str, Any]:
    labels = {**notification.common_labels, **notification.group_labels}
    place = "/".join(filter(None, (labels.get(key, "") for key in ("cluster", "namespace", "workload"))))
    firing = sum(alert.status == "firing" for alert in notification.alerts)
    given = {name: texts.text(f"details.{name}", _DETAIL) for name, _ in config.details}
    heading = message.heading
    severity = texts.text("severity", _SHORT).lower()
    fields = _filled(
        summary=cut(texts.text("description", SUMMARY) or _summary(heading), SUMMARY),
        source=texts.text("source", _SHORT) or place or labels.get("node", "") or "Watcher",
        severity=severity if severity in SEVERITIES else _SEVERITY_OF.get(heading.mark, "info"),
        timestamp=notification.at.isoformat(),
        component=texts.text("component", _SHORT) or labels.get("workload", ""),
        group=texts.text("group", _SHORT) or labels.get("namespace", ""),
    )
    fields["class"] = texts.text("class_name", _SHORT) or labels.get("alertname", "Watcher")
    fields["custom_details"] = {
        "text": cut(_text(message), _TEXT),
        "num_firing": str(firing),
        "num_resolved": str(len(notification.alerts) - firing),
        **given,
        **_filled(problem="; ".join(texts.problems)),
    }
    return fields


def _summary(heading: Heading) -> str:
    return f"{heading.title} — {heading.place}" if heading.place else heading.title


def _text(message: Message) -> str:
    return plain.render(message)[1]


def _links(message: Message, config: PagerDutyConfig, texts: Writing) -> list[dict[str, str]]:
    given = [_entry(texts, "links", at, _LINK) for at in range(len(config.links))]
    found = {link["href"]: link for link in given if "href" in link}
    for block in message.blocks:
        if isinstance(block, Links):
            for link in block.links:
                if urlsplit(link.url).scheme in ("http", "https"):
                    found.setdefault(link.url, {"href": link.url, "text": link.label})
    return list(found.values())[:_LINKS]


def _entry(texts: Writing, key: str, at: int, fields: tuple[str, ...]) -> dict[str, str]:
    return _filled(**{field: texts.text(f"{key}[{at}].{field}", _SHORT) for field in fields})


def _filled(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}
