"""Alertmanager's webhook, version 4: what receivers written for Alertmanager read.

Beyond Alertmanager's keys (notification_reason is of 0.32) stand `title` and `text`, the message in words, since
Watcher's own rules need no annotations, and of each alert its `members` and `endReason` (empty while it fires). With
`max_alerts` the first alerts, the worst, are kept; the common labels and annotations stay those of all alerts.
`Idempotency-Key` is the same for every attempt at one message.
Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import msgspec

from watcher.deliver.answers import Answer, outcome_of
from watcher.deliver.http import Client, post
from watcher.model.config import WebhookConfig
from watcher.model.delivery import Outcome
from watcher.model.message import AlertView, Notification

_NO_TIME: Final = "0001-01-01T00:00:00Z"
"""Go's zero time: the alert has not ended."""


class WebhookSender:
    def __init__(self, config: WebhookConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        self._client = Client(config.http)

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        config = self._config
        body = msgspec.json.encode(payload(notification, config))
        headers = {"Idempotency-Key": notification.id}
        answer = await post(self._session, config.url, body, headers, config.timeout, self._client)
        if not isinstance(answer, Answer):
            return answer
        return outcome_of(answer, [config.url.value, *self._client.secrets])

    async def close(self) -> None:
        """The session is the application's."""


def payload(notification: Notification, config: WebhookConfig) -> dict[str, Any]:
    alerts = notification.alerts[: config.max_alerts or None]
    return {
        "receiver": notification.receiver,
        "status": notification.status,
        "alerts": [_alert(alert) for alert in alerts],
        "groupLabels": notification.group_labels,
        "commonLabels": notification.common_labels,
        "commonAnnotations": notification.common_annotations,
        "externalURL": notification.external_url,
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": len(notification.alerts) - len(alerts),
        "notification_reason": notification.reason.value,
        "title": notification.title,
        "text": notification.text,
    }


def _alert(alert: AlertView) -> dict[str, Any]:
    return {
        "status": alert.status,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.starts_at,
        "endsAt": alert.ends_at if alert.ends_at is not None else _NO_TIME,
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
        "endReason": alert.end_reason or "",
        "members": alert.members,
    }
