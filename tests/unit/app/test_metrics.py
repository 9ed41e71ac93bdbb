"""What `/metrics` shows: what is declared, with the labels that are declared, in a text that strict parsers take."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.support.clocks import StandingClock
from watcher.app.metrics import Parts, Replica, service_metrics, standby_metrics
from watcher.app.metrics.document import metrics_page, samples, specs
from watcher.app.metrics.judging import POSTED, alerts_by_name
from watcher.app.metrics.running import memory_limit
from watcher.app.metrics.spec import Kind, Spec
from watcher.engine.dispatch import Dispatcher
from watcher.engine.queue import IntakeQueue
from watcher.engine.stats import LeaderStats, ReloadStats, StoreStats
from watcher.engine.writer import Writer
from watcher.model.changes import View
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.identity import AlertKey, Workload
from watcher.model.message import Heading, HoldReason, Mark, Message, Notification, SendReason
from watcher.model.observations import Scope
from watcher.model.posted import Posting
from watcher.model.signals import Posted
from watcher.model.state import Alert, AlertState, Channel, OutboxRow
from watcher.settings.core import core_of
from watcher.settings.load import load
from watcher.source.streams import StreamStats
from watcher.store.memory import MemoryStore

ROOT = Path(__file__).parents[3]
PROMTOOL = shutil.which("promtool")
NAME = ("team", "webhook_configs[0]")
OTHER = ("team", "slack_configs[0]")
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
CONFIG = """\
receivers: [{name: team, webhook_configs: [{url: "http://127.0.0.1:1/"}], slack_configs: [{api_url: "http://127.0.0.1:1/"}]}]
route: {receiver: team}
"""


class Unreachable:
    """A sender of which nothing is wanted here."""

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        raise AssertionError(notification)

    async def close(self) -> None: ...


def row(name: tuple[str, str] = NAME, *, age: float = 0.0) -> OutboxRow:
    since = NOW - timedelta(seconds=age)
    notification = Notification(
        id="1", at=since, receiver=name[0], integration=name[1], status="firing", reason=SendReason.FIRST,
        group_key="{}", title="t", text="t", message=Message(heading=Heading(mark=Mark.WARNING, title="t")),
    )  # fmt: skip
    return OutboxRow(
        id=f"{name}/{age}", receiver=name[0], integration=name[1], group="g", created_at=since,
        notification=notification, next_at=NOW + timedelta(hours=1),
    )  # fmt: skip


def parts(tmp_path: Path, **more: Any) -> Parts:
    """A service that has seen a little of everything."""
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    clock, queue, store = StandingClock(NOW), IntakeQueue(), MemoryStore()
    dispatcher = Dispatcher({NAME: Unreachable(), OTHER: Unreachable()}, store, queue, clock)
    dispatcher.resume([row(age=90), row(age=30)])
    outcomes = (Delivered(), TryLater(reason="HTTP 503 x"), GiveUp(reason="HTTP 404 x"), TryLater(reason="HTTP 429"))
    for outcome in outcomes:
        dispatcher.stats.note(row(age=7), outcome, NOW)
        dispatcher.stats.sending[NAME].add(0.3)
    writer = Writer(core_of(load(file)), View(), store, clock, queue, lambda changes: None)
    writer.stats.decisions = {("send", SendReason.FIRST.value): 3, ("hold", HoldReason.SILENCED.value): 2}
    writer.stats.judging.add(0.002)
    writer.stats.store.took("commit", 0.004)
    writer.view.channels.put(NAME, Channel(receiver=NAME[0], integration=NAME[1], failures=5))
    stream = StreamStats(Scope(kind="Pod"))
    stream.errors["expired"] += 1
    loaded = StoreStats()
    loaded.took("load", 0.1)
    fields = {"dead_letters": {NAME: 1, OTHER: 0}, "streams": [stream], "store": [loaded], **more}
    return Parts(writer=writer, dispatcher=dispatcher, queue=queue, clock=clock, **fields)


def exposed(found: Replica) -> str:
    class Collector:
        def collect(self) -> list[Metric]:
            return list(service_metrics(found) if isinstance(found, Parts) else standby_metrics(found))

    registry = CollectorRegistry()
    registry.register(Collector())
    return generate_latest(registry).decode()


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by the values of their labels in the order of the labels' names."""
    return {
        tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name == name
    }


def test_what_is_shown_is_what_is_declared(tmp_path: Path) -> None:
    text = exposed(parts(tmp_path))
    shown = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert shown == {spec.name: spec.kind.value for spec in specs()}
    of = {name: spec for spec in specs() for name in samples(spec)}
    for family in parse(text):
        for sample in family.samples:
            spec = of[sample.name]
            assert set(sample.labels) - {"le"} == set(spec.labels), spec.name


def test_a_name_is_declared_once() -> None:
    names = [spec.name for spec in specs()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("spec", list(specs()), ids=lambda spec: spec.name)
def test_names_follow_the_conventions(spec: Spec) -> None:
    assert re.fullmatch(r"(watcher|alertmanager|process|python)(_[a-z]+)+", spec.name)
    assert spec.name.endswith("_total") == (spec.kind is Kind.COUNTER)
    assert spec.kind is not Kind.HISTOGRAM or spec.name.endswith("_seconds")
    assert not {"pod", "container", "uid", "workload"} & set(spec.labels), "there may be any number of them"
    assert spec.help.endswith(".")
    assert "\n" not in spec.help


def test_a_strict_parser_takes_it_in_both_formats(tmp_path: Path) -> None:
    found = parts(tmp_path)

    class Collector:
        def collect(self) -> list[Metric]:
            return list(service_metrics(found))

    registry = CollectorRegistry()
    registry.register(Collector())
    text = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    strict = {family.name for family in parse_openmetrics(text)}  # type: ignore[no-untyped-call]
    assert strict == {spec.name.removesuffix("_total") for spec in specs()}


@pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool: install prometheus")
def test_promtool_has_nothing_to_say_about_it(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    said = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=exposed(parts(tmp_path)), capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_deliveries_are_counted_by_outcome_and_cause(tmp_path: Path) -> None:
    text = exposed(parts(tmp_path))
    receiver, integration = NAME
    assert values(text, "watcher_delivery_failures_total") == {
        (integration, cause, receiver): 1 for cause in ("client_error", "rate_limited", "server_error")
    }
    assert values(text, "alertmanager_notifications_total") == {("slack",): 0, ("webhook",): 4}
    assert values(text, "alertmanager_notifications_failed_total") == {
        ("webhook", reason): 1 for reason in ("clientError", "rateLimited", "serverError")
    }
    assert values(text, "alertmanager_notification_latency_seconds_count") == {("slack",): 0, ("webhook",): 4}


def test_the_outbox_is_shown_for_each_integration(tmp_path: Path) -> None:
    text = exposed(parts(tmp_path))
    assert values(text, "watcher_outbox_length") == {tuple(reversed(OTHER)): 0, tuple(reversed(NAME)): 2}
    ages = values(text, "watcher_outbox_oldest_seconds")
    assert ages[tuple(reversed(OTHER))] == 0
    assert ages[tuple(reversed(NAME))] == 90
    assert values(text, "watcher_channel_circuit_open") == {tuple(reversed(OTHER)): 0, tuple(reversed(NAME)): 1}


def test_how_long_a_message_took_counts_from_its_decision(tmp_path: Path) -> None:
    buckets = values(exposed(parts(tmp_path)), "watcher_delivery_seconds_bucket")
    of = {le: count for (_, le, _), count in buckets.items()}
    assert (of["5.0"], of["10.0"], of["+Inf"]) == (0, 1, 1)


def test_transactions_of_all_loops_stand_together(tmp_path: Path) -> None:
    text = exposed(parts(tmp_path))
    assert values(text, "watcher_store_seconds_count") == {("commit",): 1, ("lease",): 0, ("load",): 1}
    assert values(text, "watcher_store_errors_total") == {("commit",): 0, ("lease",): 0}


def test_reload_and_leadership_are_what_they_are_told_to_be(tmp_path: Path) -> None:
    at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    reload = ReloadStats(last_success=False, last_success_at=at, taken=2, refused=1, reason="x", hash=1 << 47)
    text = exposed(parts(tmp_path, reload=reload, leader=LeaderStats(epoch=7), ready=False))
    for house in ("watcher", "alertmanager"):
        assert values(text, f"{house}_config_last_reload_successful") == {(): 0}
        assert values(text, f"{house}_config_last_reload_success_timestamp_seconds") == {(): at.timestamp()}
        assert values(text, f"{house}_config_hash") == {(): 1 << 47}
    assert values(text, "watcher_config_reloads_total") == {("refused",): 1, ("taken",): 2}
    assert (values(text, "watcher_is_leader"), values(text, "watcher_leader_epoch")) == ({(): 0}, {(): 7})
    assert values(text, "watcher_ready") == {(): 0}


def test_a_replica_that_stands_by_shows_itself_and_nothing_of_the_cluster() -> None:
    text = exposed(Replica(leader=LeaderStats()))
    assert values(text, "watcher_is_leader") == {(): 0}
    assert len(values(text, "alertmanager_build_info")) == 1
    shown = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    assert {"process_resident_memory_bytes", "watcher_ready", "watcher_config_last_reload_successful"} <= shown
    assert not {"watcher_stream_synced", "watcher_outbox_length", "watcher_pods", "alertmanager_alerts"} & shown


def test_held_back_alerts_have_alertmanagers_reasons(tmp_path: Path) -> None:
    text = exposed(parts(tmp_path))
    assert values(text, "alertmanager_notifications_suppressed_total") == {
        ("inhibition",): 0,
        ("mute_time_interval",): 0,
        ("silence",): 2,
    }


def test_posted_alerts_share_one_name_whatever_others_call_them() -> None:
    view = View()
    for number in range(50):
        key = AlertKey(alertname=f"Theirs{number}", posted=f"{number:016x}")
        posting = Posting(starts_at=NOW, ends_at=NOW, updated_at=NOW, timeout=False, generator_url="")
        view.alerts.put(
            key,
            Alert(
                key=key, workload=Workload("", "Posted", key.posted), state=AlertState.FIRING, labels={},
                annotations={}, fingerprint=key.posted, starts_at=NOW, since=NOW, posted=posting,
                lead=Posted(uid=key.posted, since=NOW), silenced_by=("s",) if number < 20 else (),
            ),
        )  # fmt: skip
    assert alerts_by_name(view, NOW) == {(POSTED, "active"): 30, (POSTED, "suppressed"): 20}


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        pytest.param("268435456\n", 268_435_456, id="a limit"),
        pytest.param("max\n", None, id="cgroup v2 without one"),
        pytest.param("9223372036854771712\n", None, id="cgroup v1 without one"),
        pytest.param("", None, id="nothing in it"),
        pytest.param(None, None, id="no such file"),
    ],
)
def test_the_limit_of_memory_is_the_containers(tmp_path: Path, content: str | None, limit: int | None) -> None:
    file = tmp_path / "memory.max"
    if content is not None:
        file.write_text(content, encoding="ascii")
    assert memory_limit((file,)) == limit


def test_the_page_about_metrics_is_up_to_date() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == metrics_page(), "run: python -m watcher.app.metrics.document > docs/metrics.md"


def test_the_page_names_every_metric_with_its_labels() -> None:
    page = metrics_page()
    for spec in specs():
        (line,) = re.findall(rf"^\| `{spec.name}` \|.*$", page, re.MULTILINE)
        assert all(f"`{label}`" in line for label in spec.labels)
        assert spec.kind.value in line
