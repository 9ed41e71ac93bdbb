"""How alerts moved and what was decided about them, asked page by page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.own import own
from tests.support.pods import pod
from tests.support.timeline import Timeline, time
from tests.unit.api.test_signals import looping
from watcher.model.observations import AlertsPosted
from watcher.model.posted import PostedAlert


def story() -> Timeline:
    """A workload loops and is told; another dies once; somebody posts an alert; the first is deleted."""
    found = Timeline().at(0).lists(looping(), pod("web-2"))
    found.at(30).takes(AlertsPosted(at=time(30), alerts=(PostedAlert(labels={"alertname": "Mine", "a": "b"}),)))
    found.until(100)
    return found


async def moves(found: Timeline, query: str = "") -> list[dict[str, Any]]:
    found_lines: list[dict[str, Any]] = (await own(found, f"/history?{query}", at=100))["history"]
    return found_lines


async def test_what_an_alert_did_is_told_the_newest_first() -> None:
    found = await moves(story(), "alertname=ContainerCrashLooping")
    assert [(each["subject"], each["before"], each["after"]) for each in found] == [
        ("", "inactive", "firing"),
        ("shop/web-1/app", "pending", "firing"),
        ("shop/web-1/app", "inactive", "pending"),
    ]
    assert [each["at"] for each in found] == sorted((each["at"] for each in found), reverse=True)
    assert {each["alert"]["workload"] for each in found} == {"web"}


async def test_why_a_rule_did_not_hold_is_in_the_history_once() -> None:
    story_of_many = story()
    story_of_many.at(110).sees(looping())
    story_of_many.at(120).sees(looping(annotations={"a": "b"}))
    found = await moves(story_of_many, "alertname=ContainerRestartingOften")
    (one,) = [each for each in found if each["before"] == each["after"] == "inactive"]
    assert "is false" in one["why"]
    assert "rule ContainerRestartingOften, text " in one["why"]


async def test_a_fingerprint_names_an_alert_also_when_it_is_over() -> None:
    found = story()
    mark = (await moves(found, "alertname=ContainerCrashLooping"))[0]["alert"]["fingerprint"]
    open_ = await moves(found, f"fingerprint={mark}")
    assert {each["alert"]["alertname"] for each in open_} == {"ContainerCrashLooping"}
    found.at(200).deletes(looping())
    found.until(1000)
    assert not found.firing()
    over = await moves(found, f"fingerprint={mark}")
    assert len(over) > len(open_)
    assert await moves(found, "fingerprint=0123456789abcdef") == []


async def test_posted_alerts_are_there_by_name_and_fingerprint() -> None:
    (one,) = await moves(story(), "alertname=Mine")
    assert one["alert"]["fingerprint"]
    assert await moves(story(), f"fingerprint={one['alert']['fingerprint']}") == [one]


async def test_pages_hang_together() -> None:
    found, seen, cursor = story(), [], ""
    whole = await moves(found)
    while True:
        page = await own(found, f"/history?limit=1&cursor={cursor}", at=100)
        seen += page["history"]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert seen == whole
    assert len(whole) > 2


async def test_a_time_bounds_it_on_both_sides() -> None:
    found = story()
    begin = quote(time(30).isoformat())
    assert {each["alert"]["alertname"] for each in await moves(found, f"from={begin}")} >= {"Mine"}
    assert "Mine" not in {
        each["alert"]["alertname"] for each in await moves(found, f"to={quote(time(29).isoformat())}")
    }


async def test_decisions_have_reasons_counts_and_the_message() -> None:
    found = story()
    body = await own(found, "/decisions?verdict=send&receiver=ops", at=100)
    told = {each["alert"]["alertname"]: each for each in body["decisions"]}
    assert set(told) == {"ContainerCrashLooping", "Mine"}
    assert told["Mine"]["reason"] == "first notification"
    assert told["Mine"]["message"]
    assert (await own(found, "/decisions?receiver=nobody", at=100))["decisions"] == []
    assert (await own(found, "/decisions?namespace=shop", at=100))["decisions"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param("from=yesterday", "from: must be a time such as", id="no time"),
        pytest.param("from=0", "from: must be a time such as", id="an epoch"),
        pytest.param("from=0001-01-01T00:00:00%2B02:00", "from: must be a time such as", id="before all time"),
        pytest.param("cursor=x", "cursor:", id="no cursor"),
        pytest.param("fingerprint=ABC", "fingerprint:", id="no fingerprint"),
        pytest.param("limit=0", "limit:", id="nothing wanted"),
        pytest.param("limit=1001", "limit:", id="too much wanted"),
        pytest.param("namespace=%00", "namespace:", id="a character that no database takes"),
        pytest.param("colour=red", "colour is no parameter of this", id="an unknown parameter"),
        pytest.param("limit=1&limit=2", "limit is given 2 times", id="given twice"),
    ],
)
async def test_what_cannot_be_asked_is_said(query: str, said: str) -> None:
    body = await own(story(), f"/history?{query}", 400, at=100)
    assert body["error"].startswith(said)


async def test_what_is_left_empty_is_not_asked_for() -> None:
    found = story()
    assert await moves(found, "from=&to=&cursor=&fingerprint=&namespace=") == await moves(found)
