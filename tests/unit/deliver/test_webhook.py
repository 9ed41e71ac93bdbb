"""The webhook's payload against a real one of Alertmanager, and what goes with it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec

from tests.support.messages import crash_loop, ended, envelope, oom_kill
from tests.support.receivers import WebhookReceiver
from watcher import __version__
from watcher.deliver.webhook import WebhookSender, payload
from watcher.model.config import HttpClient, Secret, WebhookConfig
from watcher.model.delivery import Delivered, GiveUp
from watcher.model.message import AlertView
from watcher.model.state import EndReason
from watcher.notify.render import render

CONFIG = WebhookConfig(url=Secret("http://127.0.0.1:1/x"))
BOTH = render(envelope(), [oom_kill(), ended(crash_loop(), EndReason.RECOVERED)])

# Seen on a running Alertmanager, in its order; notification_reason as newer ones send it.
KEYS = [
    "receiver", "status", "alerts", "groupLabels", "commonLabels", "commonAnnotations", "externalURL", "version",
    "groupKey", "truncatedAlerts", "notification_reason",
]  # fmt: skip
ALERT_KEYS = ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"]
OURS = ["endReason", "members"]


def decoded(max_alerts: int = 0) -> dict[str, object]:
    config = msgspec.structs.replace(CONFIG, max_alerts=max_alerts)
    document = json.loads(msgspec.json.encode(payload(BOTH, config)))
    assert isinstance(document, dict)
    return document


def test_the_keys_are_alertmanagers_in_its_order_and_the_message_in_words_follows() -> None:
    document = decoded()
    assert list(document) == [*KEYS, "title", "text"]
    alerts = document["alerts"]
    assert isinstance(alerts, list)
    assert [list(alert) for alert in alerts] == [[*ALERT_KEYS, *OURS]] * 2


def test_an_alert_that_fires_has_gos_zero_time_for_its_end() -> None:
    alerts = decoded()["alerts"]
    assert isinstance(alerts, list)
    assert [(alert["status"], alert["startsAt"], alert["endsAt"]) for alert in alerts] == [
        ("firing", "2026-11-20T13:42:11Z", "0001-01-01T00:00:00Z"),
        ("resolved", "2026-11-20T13:50:30Z", "2026-11-20T14:02:30Z"),
    ]


def test_the_values_of_the_group_are_told() -> None:
    document = decoded()
    assert document["receiver"] == "team"
    assert document["status"] == "firing"
    assert document["version"] == "4"
    assert document["groupKey"] == '{}:{workload="api"}'
    assert document["notification_reason"] == "first notification"
    assert document["truncatedAlerts"] == 0


def test_a_receiver_written_for_alertmanager_reads_what_it_has_always_read() -> None:
    """Byte for byte what a running Alertmanager 0.25 sent, up to our own keys; only its nanoseconds are cut."""
    alert = AlertView(
        status="firing",
        labels={"alertname": "B", "n": "x"},
        annotations={},
        starts_at=datetime(2026, 11, 20, 8, 0, 0, 123456, UTC),
        fingerprint="ec406621f0f77d0e",
    )
    notification = msgspec.structs.replace(
        BOTH,
        receiver="default",
        group_labels={"alertname": "B"},
        common_labels={"alertname": "B", "n": "x"},
        common_annotations={},
        external_url="http://vm:19093",
        group_key='{}:{alertname="B"}',
        alerts=(alert,),
    )
    sent = msgspec.json.encode(payload(notification, CONFIG)).decode()
    sent = sent.replace(',"endReason":"","members":[]', "")
    assert sent.startswith(
        '{"receiver":"default","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"B","n":"x"},'
        '"annotations":{},"startsAt":"2026-11-20T08:00:00.123456Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"",'
        '"fingerprint":"ec406621f0f77d0e"}],"groupLabels":{"alertname":"B"},"commonLabels":{"alertname":"B","n":"x"},'
        '"commonAnnotations":{},"externalURL":"http://vm:19093","version":"4","groupKey":"{}:{alertname=\\"B\\"}",'
        '"truncatedAlerts":0,"notification_reason":"first notification"'
    )


def test_each_alert_tells_its_members_and_why_it_ended() -> None:
    alerts = decoded()["alerts"]
    assert isinstance(alerts, list)
    assert [alert["endReason"] for alert in alerts] == ["", "recovered"]
    assert [member["pod"] for member in alerts[0]["members"]] == [
        *("api-6d4cf-abcde", "api-6d4cf-fghij", "api-6d4cf-klmno"),
    ]


def test_max_alerts_keeps_the_first_and_the_labels_common_to_all() -> None:
    document = decoded(max_alerts=1)
    assert isinstance(document["alerts"], list)
    assert len(document["alerts"]) == 1
    assert document["truncatedAlerts"] == 1
    assert document["commonLabels"] == BOTH.common_labels
    assert "workload" not in BOTH.common_labels


async def test_every_attempt_at_one_message_has_the_same_key_and_says_who_sends() -> None:
    server = WebhookReceiver()
    await server.start()
    try:
        config = WebhookConfig(url=Secret(server.url), http=HttpClient(credentials=Secret("t0ken")))
        basic = WebhookConfig(url=Secret(server.url), http=HttpClient(basic_username="u", basic_password=Secret("p")))
        async with aiohttp.ClientSession() as session:
            for one in (config, config, basic):
                assert isinstance(await WebhookSender(one, session).send(BOTH), Delivered)
    finally:
        await server.stop()
    headers = [received.headers for received in server.received]
    assert [header["Idempotency-Key"] for header in headers] == ["m-1"] * 3
    assert headers[0]["User-Agent"] == f"Watcher/{__version__}"
    assert headers[0]["Content-Type"] == "application/json"
    assert headers[0]["Authorization"] == "Bearer t0ken"
    assert headers[2]["Authorization"] == f"Basic {base64.b64encode(b'u:p').decode()}"


async def test_an_address_that_is_none_is_given_up_without_repeating_it() -> None:
    async with aiohttp.ClientSession() as session:
        for url in ("not-a-url-with-t0ken", "ftp://x/t0ken", "http://[t0ken", "http://u:p@x:99999/t0ken"):
            config = WebhookConfig(url=Secret(url), timeout=timedelta(seconds=1))
            outcome = await WebhookSender(config, session).send(BOTH)
            assert isinstance(outcome, GiveUp), url
            assert "t0ken" not in outcome.reason
