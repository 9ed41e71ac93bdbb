"""Alerts that others post, as Alertmanager takes them. Rows of behaviours.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.support.pods import backoff, dead, pod
from tests.support.timeline import GROUP_BY, Timeline, time
from watcher.lib.matchers import parse_matchers
from watcher.model.observations import AlertsPosted, ClockJumped, StoreAway
from watcher.model.posted import PostedAlert
from watcher.pipeline.posting import refusal
from watcher.routing.inhibition import InhibitRule
from watcher.routing.route import Route

HOUR = 3600.0
MINUTE = 60.0
CPU = {"alertname": "HighCPU", "instance": "a:9100", "severity": "warning"}


def quick(**changes: Any) -> Route:
    fields: dict[str, Any] = {
        "id": "", "receiver": "ops", "group_by": GROUP_BY, "group_wait": timedelta(seconds=10),
        "group_interval": timedelta(minutes=5), "repeat_interval": timedelta(hours=12), **changes,
    }  # fmt: skip
    return Route(**fields)


def alert(labels: dict[str, str] | None = None, begin: float | None = None, end: float | None = None) -> PostedAlert:
    return PostedAlert(
        labels=CPU if labels is None else labels,
        annotations={"summary": "the CPU is busy"},
        starts_at=None if begin is None else time(begin),
        ends_at=None if end is None else time(end),
    )


def posts(story: Timeline, at: float, *alerts: PostedAlert) -> list[str]:
    """What is refused of them."""
    refused = [refusal(story.core, story.player.view, one, time(at)) for one in alerts]
    story.at(at).takes(AlertsPosted(at=time(at), alerts=alerts))
    return refused


def said(story: Timeline) -> list[tuple[str, str]]:
    return [one[1:] for one in story.heard]


def plain(**fields: Any) -> Timeline:
    return Timeline(route=quick(**fields)).at(0).lists()


def test_a_posted_alert_is_told_with_its_own_labels_and_texts() -> None:
    story = plain()
    assert posts(story, 1, alert(begin=0, end=HOUR)) == [""]
    story.until(60)
    (message,) = story.sent
    assert message.alerts[0].labels == CPU
    assert message.alerts[0].starts_at == time(0)
    assert "the CPU is busy" in message.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [("http://prom:9090/graph?g0.expr=up&g0.tab=1", True), ("javascript:alert(1)", False), ("/graph", False)],
)
def test_where_it_comes_from_is_linked_and_an_address_that_is_none_is_not(url: str, shown: bool) -> None:
    story = plain()
    posts(story, 1, msgspec.structs.replace(alert(end=HOUR), generator_url=url))
    story.until(60)
    (message,) = story.sent
    assert message.alerts[0].generator_url == url
    assert (f"Source: {url}" in message.text) is shown


def test_what_is_posted_again_goes_on_and_is_told_once() -> None:
    story = plain()
    for minute in range(30):
        posts(story, 1 + minute * MINUTE, alert(begin=0, end=(minute + 4) * MINUTE))
    story.until(30 * MINUTE)
    assert said(story) == [("FIRST", "HighCPU")]


def test_a_posted_end_is_told() -> None:
    story = plain()
    posts(story, 1, alert(begin=0, end=HOUR))
    story.until(60)
    posts(story, 600, alert(begin=0, end=590))
    story.until(HOUR)
    assert said(story) == [("FIRST", "HighCPU"), ("ALL_ENDED", "-HighCPU:recovered")]
    assert not story.player.view.alerts.rows


def test_one_that_nobody_posts_again_ends_at_its_time() -> None:
    story = plain()
    posts(story, 1, alert(begin=0, end=20 * MINUTE))
    story.until(HOUR)
    assert said(story)[1:] == [("ALL_ENDED", "-HighCPU:expired")]
    assert story.heard[1][0] >= 20 * MINUTE


def test_without_an_end_it_lasts_for_resolve_timeout() -> None:
    story = plain(group_interval=timedelta(seconds=30))
    posts(story, 1, alert())
    story.until(5 * MINUTE)
    assert said(story) == [("FIRST", "HighCPU")]
    story.until(6 * MINUTE)
    assert said(story)[1:] == [("ALL_ENDED", "-HighCPU:expired")]


def test_an_explicit_end_beats_a_time_out() -> None:
    story = plain(group_interval=timedelta(seconds=30))
    posts(story, 1, alert(begin=0, end=HOUR))
    posts(story, 2, alert(begin=0))
    story.until(50 * MINUTE)
    assert said(story) == [("FIRST", "HighCPU")]


def test_labels_without_a_value_are_dropped_and_the_fingerprint_is_alertmanagers() -> None:
    story = plain()
    posts(story, 1, alert({"alertname": "A1", "cluster": "c1", "severity": "critical", "empty": ""}, end=HOUR))
    (row,) = story.player.view.alerts.rows.values()
    assert row.fingerprint == "af69f40dfc0853e0"


def test_an_end_before_the_beginning_is_refused_and_the_others_are_taken() -> None:
    story = plain()
    refused = posts(story, 100, alert(begin=90, end=80), alert({"alertname": "Other"}, end=HOUR))
    assert refused == ["start time must be before end time", ""]
    assert [key.alertname for key in story.player.view.alerts.rows] == ["Other"]


def test_what_watcher_raises_itself_cannot_be_posted() -> None:
    story = Timeline(route=quick()).at(0).lists(pod("web-1", backoff(160, dead(1, at=-20), restarts=6)))
    story.until(60)
    labels = story.sent[0].alerts[0].labels
    (refused,) = posts(story, 61, alert(dict(labels), begin=0, end=30))
    assert "only detection ends what detection began" in refused
    story.until(HOUR)
    assert said(story) == [("FIRST", "ContainerCrashLooping")]


def test_what_was_accepted_and_not_judged_before_a_kill_is_judged_as_of_then() -> None:
    story = plain()
    story.until(60)
    story.at(7 * MINUTE).restarts().lists()
    open_end, over, ended = alert(begin=50, end=3 * MINUTE), alert({"alertname": "Over"}, end=2 * MINUTE), alert(end=55)
    ended = msgspec.structs.replace(ended, labels={"alertname": "Ended"})
    story.takes(AlertsPosted(at=time(7 * MINUTE), accepted=time(60), alerts=(open_end, over, ended)))
    story.until(8 * MINUTE)
    told = {one.labels["alertname"]: one for message in story.sent for one in message.alerts}
    assert {name: (one.starts_at, one.ends_at) for name, one in told.items()} == {
        "HighCPU": (time(50), None),
        "Over": (time(60), None),
    }
    story.until(HOUR)
    assert [one[1] for one in said(story)] == ["HighCPU, Over", "-HighCPU:expired, -Over:expired"]
    assert all(row.ends_at for row in story.player.view.alerts.rows.values())


def test_what_could_not_be_posted_again_while_nothing_could_be_stored_has_not_ended() -> None:
    story = plain()
    posts(story, 1, alert(begin=0, end=4 * MINUTE), alert({"alertname": "Over"}, begin=0, end=2 * MINUTE))
    story.until(3 * MINUTE)
    story.at(6 * MINUTE).takes(StoreAway(at=time(6 * MINUTE), since=time(3 * MINUTE)))
    story.until(10 * MINUTE)
    assert not any("-HighCPU" in one for _, one in said(story))
    posts(story, 10 * MINUTE, alert(begin=0, end=14 * MINUTE))
    story.until(HOUR)
    assert [one[1] for one in said(story)] == ["HighCPU, Over", "HighCPU, -Over:expired", "-HighCPU:expired"]


def test_a_group_waits_from_when_its_first_alert_was_accepted() -> None:
    story = plain()
    story.at(20).takes(AlertsPosted(at=time(20), accepted=time(13), alerts=(alert(end=HOUR),)))
    story.until(22.9)
    assert not story.sent
    story.until(24)
    assert len(story.sent) == 1


def test_47_downtime_resolves_nothing_and_fires_nothing_anew() -> None:
    many = [{**CPU, "instance": f"i{number}"} for number in range(80)]
    story = plain()
    posts(story, 1, *(alert(labels, begin=0, end=4 * MINUTE) for labels in many))
    story.until(60)
    story.at(7 * MINUTE).restarts().lists()
    posts(story, 8 * MINUTE, *(alert(labels, begin=0, end=12 * MINUTE) for labels in many))
    story.until(11 * MINUTE)
    assert [(reason, len(one.alerts)) for one, (reason, _) in zip(story.sent, said(story), strict=True)] == [
        ("FIRST", 80)
    ]


def test_47_what_is_not_posted_again_after_a_downtime_ends_after_resolve_timeout() -> None:
    story = plain(group_interval=timedelta(seconds=30))
    posts(story, 1, alert(begin=0, end=4 * MINUTE))
    story.until(60)
    story.at(20 * MINUTE).restarts().lists()
    story.until(24 * MINUTE)
    assert said(story) == [("FIRST", "HighCPU")]
    story.until(26 * MINUTE)
    assert said(story)[1:] == [("ALL_ENDED", "-HighCPU:expired")]


def test_48_a_clock_that_jumps_resolves_no_posted_alert() -> None:
    story = plain(group_interval=timedelta(seconds=30))
    posts(story, 1, alert(begin=0, end=4 * MINUTE))
    story.until(60)
    story.takes(ClockJumped(at=time(HOUR), since=time(61)))
    story.until(HOUR + 4 * MINUTE)
    assert said(story) == [("FIRST", "HighCPU")]


def test_a_posted_alert_inhibits_another_by_the_configurations_rules() -> None:
    rule = InhibitRule(
        source=parse_matchers('alertname="NodeDown"'), target=parse_matchers('alertname="HighCPU"'), equal=("instance",)
    )
    story = Timeline(route=quick(), inhibit_rules=(rule,)).at(0).lists()
    posts(story, 1, alert({"alertname": "NodeDown", "instance": "a:9100"}, begin=0, end=HOUR))
    posts(story, 2, alert(begin=0, end=HOUR), alert({**CPU, "instance": "b:9100"}, begin=0, end=HOUR))
    story.until(50 * MINUTE)
    told = sorted((a.labels["alertname"], a.labels["instance"]) for a in story.sent[0].alerts)
    assert told == [("HighCPU", "b:9100"), ("NodeDown", "a:9100")]


def test_group_wait_of_nothing_does_not_split_a_batch() -> None:
    story = plain(group_wait=timedelta())
    posts(story, 1, *(alert({**CPU, "instance": f"i{number}"}, begin=0, end=HOUR) for number in range(100)))
    story.until(60)
    assert [len(one.alerts) for one in story.sent] == [100]


@pytest.mark.parametrize("gap", [0.0, 30.0], ids=["at once", "later"])
def test_an_alert_that_fires_again_after_its_end_was_told_is_a_new_one(gap: float) -> None:
    story = plain(group_interval=timedelta(seconds=30))
    posts(story, 1, alert(begin=0, end=60))
    story.until(200)
    posts(story, 200 + gap, alert(begin=150, end=HOUR))
    story.until(600)
    assert said(story) == [("FIRST", "HighCPU"), ("ALL_ENDED", "-HighCPU:expired"), ("FIRST", "HighCPU")]
