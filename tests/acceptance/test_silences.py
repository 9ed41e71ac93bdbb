"""Silences and time intervals: what is held, and what is told when they are over. Rows of behaviours.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import GROUP_BY, Timeline, time
from watcher.model.kube import Pod
from watcher.model.observations import SilenceAsked, SilenceExpireAsked
from watcher.model.silence import Silence, SilenceMatcher
from watcher.routing.intervals import TimeInterval
from watcher.routing.route import Route

HOUR = 3600.0
MINUTE = 60.0
LOOP = (SilenceMatcher(name="alertname", value="ContainerCrashLooping"),)


def looping(name: str = "web-1", owner: str = "Deployment/web") -> Pod:
    return pod(name, backoff(160, dead(1, at=-20), restarts=6), owner=owner)


def healed(name: str = "web-1", *, at: float) -> Pod:
    return pod(name, status(restarts=7, last=dead(1, at=at)))


def silence(begin: float, end: float, **fields: Any) -> Silence:
    fields = {"id": "", "matchers": LOOP, "created_by": "me", "comment": "a test", **fields}
    return Silence(starts_at=time(begin), ends_at=time(end), updated_at=time(0), **fields)


def asks(story: Timeline, at: float, wanted: Silence, new_id: str = "s1") -> Any:
    one = SilenceAsked(at=time(at), request="r", silence=wanted, new_id=new_id, by="me")
    story.at(at).takes(one)
    return story.answers["r"]


def said(story: Timeline) -> list[tuple[str, str]]:
    return [one[1:] for one in story.heard]


def test_what_is_silenced_is_not_told_and_the_history_says_why() -> None:
    story = Timeline().at(0).lists()
    assert asks(story, 1, silence(1, HOUR)).id == "s1"
    story.at(2).sees(looping())
    story.until(HOUR - 1)
    assert said(story) == []
    assert story.held("ContainerCrashLooping") == ["a silence matches it"]


def test_85_a_silence_that_ends_while_the_alert_fires_tells_it_at_once() -> None:
    story = Timeline().at(0).lists()
    asks(story, 1, silence(1, HOUR))
    story.at(2).sees(looping())
    assert story.until(2 * HOUR) == [(HOUR, "FIRST", "ContainerCrashLooping")]


def test_85_also_what_was_told_before_the_silence_is_told_at_once_when_it_ends() -> None:
    story = Timeline().at(0).lists(looping())
    story.until(60)
    asks(story, 100, silence(100, HOUR))
    story.until(2 * HOUR)
    assert [(one[0], one[1]) for one in story.heard] == [(10, "FIRST"), (HOUR, "REPEAT")]


def test_85_a_silence_that_is_expired_by_hand_tells_at_once() -> None:
    story = Timeline().at(0).lists()
    asks(story, 1, silence(1, 10 * HOUR))
    story.at(2).sees(looping())
    story.at(500).takes(SilenceExpireAsked(at=time(500), request="x", id="s1", by="me"))
    assert story.until(HOUR) == [(500, "FIRST", "ContainerCrashLooping")]
    assert story.answers["x"].code == 200


def test_83_told_then_silenced_then_recovered_is_ended_when_the_silence_is_over() -> None:
    story = Timeline().at(0).lists(looping())
    story.until(60)
    asks(story, 100, silence(100, 2 * HOUR))
    story.at(200).sees(healed(at=190))
    story.until(2 * HOUR - 1)
    assert said(story) == [("FIRST", "ContainerCrashLooping")]
    story.until(3 * HOUR)
    assert story.heard[1:] == [(2 * HOUR, "ALL_ENDED", "-ContainerCrashLooping:recovered")]
    assert not story.player.view.alerts.rows
    assert not story.player.view.groups.rows


def test_83_a_restart_in_between_changes_nothing() -> None:
    story = Timeline().at(0).lists(looping())
    story.until(60)
    asks(story, 100, silence(100, 2 * HOUR))
    story.at(200).sees(healed(at=190))
    story.until(HOUR)
    story.at(HOUR).restarts().lists(healed(at=190))
    story.until(3 * HOUR)
    assert said(story)[1:] == [("ALL_ENDED", "-ContainerCrashLooping:recovered")]


def test_what_ended_in_silence_and_was_never_told_is_no_news() -> None:
    story = Timeline().at(0).lists()
    asks(story, 1, silence(1, 2 * HOUR))
    story.at(2).sees(looping()).at(200).sees(healed(at=190))
    story.until(3 * HOUR)
    assert said(story) == []
    assert not story.player.view.alerts.rows


def test_only_what_matches_is_silenced() -> None:
    story = Timeline().at(0).lists()
    shop = SilenceMatcher(name="namespace", value="sh.*", is_regex=True)
    matchers = (SilenceMatcher(name="workload", value="web"), shop)
    asks(story, 1, silence(1, HOUR, matchers=matchers))
    story.at(2).sees(looping(), looping("api-1", "Deployment/api"))
    story.until(60)
    assert [alert.labels["workload"] for one in story.sent for alert in one.alerts] == ["api"]


def test_a_pending_silence_begins_by_itself() -> None:
    story = Timeline().at(0).lists()
    asks(story, 1, silence(600, HOUR))
    story.at(700).sees(looping())
    story.until(HOUR - 1)
    assert said(story) == []


def test_one_of_two_silences_that_ends_tells_nothing() -> None:
    story = Timeline().at(0).lists()
    asks(story, 1, silence(1, 1000), "s1")
    asks(story, 1, silence(1, HOUR), "s2")
    story.at(2).sees(looping())
    assert story.until(2 * HOUR) == [(HOUR, "FIRST", "ContainerCrashLooping")]


def test_an_active_one_is_changed_in_place_and_with_other_matchers_replaced() -> None:
    story = Timeline().at(0).lists()
    asks(story, 1, silence(1, HOUR), "s1")
    assert asks(story, 100, silence(1, 2 * HOUR, id="s1"), "s2").id == "s1"
    other = (SilenceMatcher(name="alertname", value="PodFailed"),)
    assert asks(story, 200, silence(200, 2 * HOUR, id="s1", matchers=other), "s3").id == "s3"
    states = {one.id: one.state(time(201)) for one in story.player.view.silences.rows.values()}
    assert states == {"s1": "expired", "s3": "active"}


@pytest.mark.parametrize(
    ("wanted", "code", "text"),
    [
        (silence(HOUR, 100), 400, "start time must be before end time"),
        (silence(0, 5), 400, "end time can't be in the past"),
        (silence(20, HOUR, matchers=()), 400, "at least one matcher required"),
        (silence(20, HOUR, matchers=(SilenceMatcher(name="a", value=""),)), 400, "at least one matcher must not match"),
        (
            silence(20, HOUR, matchers=(SilenceMatcher(name="a", value="[", is_regex=True),)),
            400,
            "invalid label matcher",
        ),
        (silence(20, HOUR, id="unknown"), 404, "silence not found"),
    ],
    ids=["backwards", "past", "no matcher", "matches everything", "bad regex", "unknown"],
)
def test_what_cannot_be_a_silence_is_refused_with_the_reason(wanted: Silence, code: int, text: str) -> None:
    story = Timeline().at(0).lists()
    answer = asks(story, 10, wanted)
    assert answer.code == code
    assert text in answer.text
    assert not story.player.view.silences.rows


def test_everything_but_one_value_may_be_silenced() -> None:
    """Alertmanager's matchesEmpty asks positive matchers alone."""
    story = Timeline().at(0).lists()
    but = SilenceMatcher(name="team", value="web", is_equal=False)
    assert asks(story, 10, silence(10, HOUR, matchers=(but,))).code == 200


def test_one_until_resolved_ends_ten_minutes_after_nothing_fires_any_more() -> None:
    story = Timeline().at(0).lists(looping())
    story.until(60)
    asks(story, 100, silence(100, 24 * HOUR, until_resolved=True))
    story.at(1000).sees(healed(at=990))
    story.until(5 * HOUR)
    one = story.player.view.silences.rows["s1"]
    assert one.ends_at == time(1000 + 10 * MINUTE + 10 * MINUTE), "the alert's hold, and then its own"
    assert said(story)[1:] == [("ALL_ENDED", "-ContainerCrashLooping:recovered")]


def test_one_until_resolved_lasts_seven_days_at_most() -> None:
    story = Timeline().at(0).lists(looping())
    asks(story, 100, silence(100, 90 * 24 * HOUR, until_resolved=True))
    assert story.player.view.silences.rows["s1"].ends_at == time(100) + timedelta(days=7)


def test_an_expired_one_is_forgotten_after_five_days() -> None:
    story = Timeline().at(0).lists()
    asks(story, 1, silence(1, HOUR))
    story.until(120 * HOUR)
    assert "s1" in story.player.view.silences.rows
    story.until(122 * HOUR)
    assert not story.player.view.silences.rows


def test_a_silence_survives_a_restart() -> None:
    story = Timeline().at(0).lists()
    asks(story, 1, silence(1, HOUR))
    story.at(10).restarts().lists(looping())
    assert story.until(2 * HOUR) == [(HOUR, "FIRST", "ContainerCrashLooping")]


# ---- time intervals ----


def night(**names: Any) -> dict[str, Any]:
    """09:10 to 10:00 is `night`; the story begins at 09:00."""
    span = TimeInterval(times=((9 * 60 + 10, 10 * 60),))
    route = Route(
        id="", receiver="ops", group_by=GROUP_BY, group_wait=timedelta(seconds=10), group_interval=timedelta(minutes=5),
        repeat_interval=timedelta(hours=12), **names,
    )  # fmt: skip
    return {"route": route, "intervals": {"night": (span,)}}


MUTED = night(mute_time_intervals=("night",))


def test_what_begins_in_a_muted_interval_is_told_when_it_is_over() -> None:
    story = Timeline(**MUTED).at(0).lists().at(11 * MINUTE).sees(looping())
    assert story.until(2 * HOUR) == [(HOUR, "FIRST", "ContainerCrashLooping")]
    assert set(story.held("ContainerCrashLooping")) == {"a time interval mutes its route"}


def test_an_end_in_a_muted_interval_is_told_when_it_is_over() -> None:
    story = Timeline(**MUTED).at(0).lists(looping())
    story.until(60)
    story.at(5 * MINUTE).sees(healed(at=4 * MINUTE))
    story.until(2 * HOUR)
    assert story.heard[1:] == [(HOUR, "ALL_ENDED", "-ContainerCrashLooping:recovered")]
    assert not story.player.view.groups.rows


def test_what_came_and_went_in_a_muted_interval_is_not_told() -> None:
    story = Timeline(**MUTED).at(0).lists().at(11 * MINUTE).sees(looping()).at(20 * MINUTE).sees(healed(at=19 * MINUTE))
    assert story.until(2 * HOUR) == []
    assert not story.player.view.alerts.rows


def test_outside_of_its_active_intervals_a_route_says_nothing() -> None:
    story = Timeline(**night(active_time_intervals=("night",))).at(0).lists(looping())
    assert story.until(2 * HOUR) == [(10 * MINUTE, "FIRST", "ContainerCrashLooping")]
