"""Whatever a cluster puts into names, logs and messages: no secret, no control character, no endless text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.messages import (
    before,
    changed,
    crash_signal,
    death_signal,
    ended,
    envelope,
    facts,
    failed_signal,
    image_signal,
    oom_signal,
    unheard,
)
from watcher.lib.text import clean
from watcher.model.evidence import Evidence
from watcher.model.message import Notification, SendReason
from watcher.model.signals import AnySignal
from watcher.model.state import EndReason
from watcher.notify.facts import AlertFacts
from watcher.notify.render import digest, render, summary

BUILDERS: dict[str, Callable[[], AnySignal]] = {
    "crash": crash_signal,
    "oom": oom_signal,
    "image": image_signal,
    "failed": failed_signal,
    "death": death_signal,
}
SECRETS = {
    "bearer token": "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw",
    "password in an address": "postgres://app:hunter2-is-secret@db.example/shop",
    "cloud key": "AKIAIOSFODNN7EXAMPLE",
}
PIECES = {
    "bearer token": "eyJzdWIiOiJ4In0",
    "password in an address": "hunter2-is-secret",
    "cloud key": "AKIAIOSFODNN7EXAMPLE",
}
KEY = ["-----BEGIN RSA PRIVATE KEY-----", *(["MIIEowIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL"] * 4)]


def poisoned(kind: str, text: str) -> AlertFacts:
    """An alert with `text` in every place that the cluster or a rule may fill."""
    names: dict[str, Any] = {"pod": text, "node": text, "namespace": text, "workload": text, "cluster": text}
    builder = BUILDERS[kind]
    template = builder()
    fields: dict[str, Any] = {
        key: text for key in ("container", "image", "reason", "message") if hasattr(template, key)
    }
    if hasattr(template, "limits"):
        fields = {**fields, "limits": {"memory": text}, "requests": {"memory": text}}
    signal: AnySignal = msgspec.structs.replace(template, **names, **fields)
    told = facts([signal, signal], text, counts=[2, 1], pods_total=3, severity=text)
    evidence = Evidence(alert=told.alert.key, log=(text, text), events=(text,), missing=text)
    annotations = {"summary": text, "description": text, "runbook_url": f"https://x.example/{text}"}
    other = facts([msgspec.structs.replace(template, **names, **fields)], text + "2").alert
    told = changed(told, evidence=evidence, annotations=annotations, problems=(text,))
    return msgspec.structs.replace(told, explains=(other,))


def shown(notification: Notification) -> str:
    """Everything of the message that people read, and the members that machines read."""
    members = [msgspec.json.encode(alert.members).decode() for alert in notification.alerts]
    structure = msgspec.json.encode(notification.message).decode()
    return "\n".join([notification.title, notification.text, structure, *members])


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("kind", BUILDERS)
def test_a_secret_in_any_text_of_the_cluster_is_not_told(kind: str, secret: str) -> None:
    one = poisoned(kind, SECRETS[secret])
    for notification in (
        render(envelope(), [one]),
        render(envelope(), [one, ended(one, EndReason.RECOVERED)]),
        render(envelope(SendReason.NEW_ALERTS), [one, before(one), unheard(one, EndReason.RECOVERED)]),
        render(envelope(SendReason.REPEAT), [before(one)]),
        summary(envelope(), [one]),
        digest(envelope(SendReason.DIGEST), [*[one] * 6, before(one), ended(one, EndReason.DELETED)]),
    ):
        assert PIECES[secret] not in shown(notification)


def test_a_private_key_that_spans_lines_of_a_log_is_not_told() -> None:
    told = facts([crash_signal()], "X")
    log = ("starting", *KEY, "-----END RSA PRIVATE KEY-----", "stopping")
    text = render(envelope(), [changed(told, evidence=Evidence(alert=told.alert.key, log=log))]).text
    assert "MIIEow" not in text
    assert "    starting" in text
    assert "    stopping" in text


@pytest.mark.parametrize("kind", BUILDERS)
@given(text=st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_text_brings_a_control_character_or_a_second_line_into_the_first(kind: str, text: str) -> None:
    one = poisoned(kind, text)
    alerts = [one, before(one), ended(poisoned(kind, text + "x"), EndReason.DELETED), unheard(one, EndReason.IDLE)]
    for notification in (
        render(envelope(), alerts),
        render(envelope(SendReason.NEW_ALERTS), alerts),
        digest(envelope(SendReason.DIGEST), alerts),
    ):
        assert clean(notification.title) == notification.title
        assert clean(notification.text) == notification.text
        assert "\n" not in notification.title
        assert all("\n" not in span.text for span in spans(notification))


def spans(notification: Notification) -> list[Any]:
    return [span for block in notification.message.blocks for span in getattr(block, "spans", ())]


@pytest.mark.parametrize("kind", BUILDERS)
def test_texts_of_any_length_give_a_message_of_bounded_length(kind: str) -> None:
    notification = render(envelope(), [poisoned(kind, "long " * 20_000)])
    assert len(notification.title) < 400
    assert len(notification.text) < 12_000


def test_a_command_that_is_copied_runs_nothing_but_itself() -> None:
    hostile = crash_signal("x; rm -rf ~ #'", namespace="$(reboot)", container="-c`id`")
    line = render(envelope(), [facts([hostile], "X")]).text.splitlines()[-1]
    assert line == "Next: kubectl -n '$(reboot)' logs 'x; rm -rf ~ #'\"'\"'' -c '-c`id`' --previous"


def test_a_long_name_keeps_both_its_ends() -> None:
    name = "checkout-" + "very-" * 20 + "long-service"
    title = render(envelope(), [facts([crash_signal(workload=name)], "X")]).title
    assert title.startswith("🟠 checkout-very-")
    assert "long-service crash-loops" in title
    assert "…" in title
