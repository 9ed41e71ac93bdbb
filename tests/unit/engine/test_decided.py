"""Decisions in the log: one line for all that were made alike, with names that people know."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.support.timeline import START, core
from tests.unit.engine.test_writer import HandClock
from watcher.engine.decided import LONGEST, NAMED, in_words, lines_of
from watcher.engine.logs import JsonFormatter
from watcher.engine.queue import IntakeQueue
from watcher.engine.writer import Writer
from watcher.model.changes import View
from watcher.model.identity import AlertKey, Workload
from watcher.model.observations import AlertsPosted
from watcher.model.posted import PostedAlert
from watcher.model.signals import Posted
from watcher.model.state import Alert, AlertState, Decision
from watcher.store.memory import MemoryStore

PRINT = "3f2a1b4c5d6e7f80"
THEIRS = AlertKey(alertname="HighLoad", posted=PRINT)


class Lines(logging.Handler):
    """What the writer says, as it is printed."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.found: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(json.loads(self.format(record)))


@contextmanager
def printed(level: int = logging.INFO) -> Iterator[Lines]:
    log, lines = logging.getLogger("watcher.writer"), Lines()
    before = log.level
    log.addHandler(lines)
    log.setLevel(level)
    try:
        yield lines
    finally:
        log.setLevel(before)
        log.removeHandler(lines)


def writing() -> tuple[Writer, HandClock]:
    clock = HandClock()
    return Writer(core(), View(), MemoryStore(), clock, IntakeQueue(), lambda _: None), clock


def posted(count: int, *, over: bool = False, **labels: str) -> AlertsPosted:
    ends = START + timedelta(seconds=60) if over else None
    each = ({"alertname": "HighLoad", "severity": "warning", "job": f"j{n:03}", **labels} for n in range(count))
    return AlertsPosted(at=START, alerts=tuple(PostedAlert(labels=one, ends_at=ends) for one in each))


async def told(count: int, *, level: int = logging.INFO, namespace: str = "") -> tuple[list[dict[str, Any]], Writer]:
    one, clock = writing()
    with printed(level) as lines:
        await one.step([posted(count, namespace=namespace)])
        clock.time += timedelta(seconds=11)
        await one.step([])
    return lines.found, one


async def test_the_alerts_of_one_message_are_one_line_that_names_the_first() -> None:
    [line], one = await told(250)
    assert (line["event.action"], line["event.reason"]) == ("decision.send", "first notification")
    assert (line["watcher.receiver"], line["watcher.integration"]) == ("ops", "webhook_configs[0]")
    assert line["watcher.alerts"] == 250
    assert line["watcher.notification"] in one.view.outbox.rows
    *names, more = line["watcher.alert"].split("; ")
    assert more == "and 247 more"
    assert len(names) == NAMED
    jobs = {alert.fingerprint: alert.labels["job"] for alert in one.view.alerts.rows.values()}
    for name in names:
        mark = name.split()[1]
        assert name == f'HighLoad {mark} {{job="{jobs[mark]}"}}'


async def test_each_decision_is_counted() -> None:
    _, one = await told(250)
    assert one.stats.decisions == {("send", "first notification"): 250}


async def test_one_alert_is_named_with_what_explain_takes() -> None:
    [line], one = await told(1, namespace="shop")
    [alert] = one.view.alerts.rows.values()
    assert line["watcher.alerts"] == 1
    assert line["watcher.alert"] == f'HighLoad {alert.fingerprint} {{job="j000", namespace="shop"}}'


async def test_one_that_is_over_still_has_its_labels() -> None:
    one, clock = writing()
    with printed() as lines:
        await one.step([posted(1)])
        clock.time += timedelta(seconds=61)
        await one.step([posted(1, over=True)])
        clock.time += timedelta(seconds=600)
        await one.step([])
    assert [line["event.reason"] for line in lines.found] == ["first notification", "all alerts resolved"]
    assert not one.view.alerts.rows
    assert 'job="j000"' in lines.found[1]["watcher.alert"]


async def test_nothing_is_said_where_the_log_wants_warnings_only() -> None:
    lines, one = await told(3, level=logging.WARNING)
    assert not lines
    assert sum(one.stats.decisions.values()) == 3


def decision(key: AlertKey | None, **fields: str) -> Decision:
    said = {"group": "g", "receiver": "ops", "integration": "i", "verdict": "hold", "reason": "r", **fields}
    return Decision(at=START, alert=key, **said)


def test_what_differs_is_another_line() -> None:
    others = [{name: "other"} for name in ("group", "receiver", "integration", "verdict", "reason", "message")]
    decisions = [decision(THEIRS), *(decision(THEIRS, **other) for other in others), decision(None)]
    lines = list(lines_of(decisions, View()))
    assert [line["alerts"] for line in lines] == [1] * 7
    assert {line["event"] for line in lines} == {"decision.hold", "decision.other"}


def test_a_decision_about_no_alert_names_none() -> None:
    [line] = lines_of([decision(None, message="m1")], View())
    assert (line["alerts"], line["alert"], line["notification"]) == (0, "", "m1")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param(
            {"namespace": "shop", "workload_kind": "Deployment", "workload": "api", "container": "app"},
            "A of Deployment shop/api, container app",
            id="a workload",
        ),
        pytest.param(
            {"namespace": "shop", "workload_kind": "Deployment", "workload": "api", "pod": "api-1"},
            "A of Deployment shop/api, pod api-1",
            id="a pod",
        ),
        pytest.param({"namespace": "shop", "claim": "data"}, "A of claim shop/data", id="a claim"),
        pytest.param({"node": "worker-1"}, "A of node worker-1", id="a node"),
        pytest.param({}, "A", id="of Watcher itself"),
        pytest.param({"posted": PRINT}, f"A {PRINT}", id="posted, and forgotten"),
    ],
)
def test_an_alert_is_named_by_what_it_is_about(key: dict[str, str], words: str) -> None:
    assert in_words(AlertKey(alertname="A", **key), None) == words


def labelled(**labels: str) -> Alert:
    return Alert(
        key=THEIRS, workload=Workload("", "Posted", PRINT), state=AlertState.FIRING, labels=labels, annotations={},
        fingerprint=PRINT, starts_at=START, since=START, lead=Posted(uid=PRINT, since=START),
    )  # fmt: skip


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"token": "hunter2"}, id="by the name of a label"),
        pytest.param({"password": 'a"hunter2'}, id="behind a quote"),
        pytest.param({"password": "a\nhunter2"}, id="on another line"),
        pytest.param({"url": "https://u:hunter2@example.org/"}, id="in a URL"),
        pytest.param({"text": "x" * (LONGEST - 70) + " password=hunter2secret"}, id="where it is cut"),
    ],
)
def test_no_secret_of_a_label_is_in_a_line(labels: dict[str, str]) -> None:
    assert "hunter2" not in in_words(THEIRS, labelled(**labels))


def test_a_hostile_alert_has_a_short_name_without_control_characters() -> None:
    many = {f"l{number:03}": "\x1b[31m\u202e" + "x" * 1000 for number in range(100)}
    words = in_words(THEIRS, labelled(**many))
    assert len(words) <= LONGEST
    assert words.isprintable()
    few = in_words(THEIRS, labelled(**{f"l{number}": "x" for number in range(9)}))
    assert few.endswith("3 more}")
