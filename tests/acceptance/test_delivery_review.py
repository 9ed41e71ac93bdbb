"""What a review of the delivery found: each story lost a message, told one twice, or never came to rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.acceptance.test_channels import (
    HOOK,
    HOUR,
    SLACK,
    answered,
    failing,
    healed,
    looping,
    storm,
    to,
    told,
    waiting,
)
from tests.support.pods import pod, status
from tests.support.timeline import GROUP_BY, PODS, Timeline, time
from watcher.lib.matchers import parse_matchers
from watcher.model.config import FirstStart, Secret, SlackConfig, StormConfig
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.kube import Pod
from watcher.model.observations import Forbidden, ResendAsked, Scope, StreamHealth
from watcher.model.state import Channel
from watcher.notify.channels import after_attempt
from watcher.routing.inhibition import InhibitRule
from watcher.routing.route import Route

QUIET = SlackConfig(api_url=Secret("http://slack"), send_resolved=False)
NODES = Scope(kind="Node")
LATER = TryLater(reason="503")


def pulling(name: str = "web-1", owner: str = "Deployment/web", **fields: Any) -> Pod:
    failing = status(waiting="ErrImagePull", message="x:9: not found")
    return pod(name, failing, owner=owner, phase="Pending", **fields)


def route(**fields: object) -> Route:
    wanted: dict[str, object] = {
        "group_by": ("cluster", "namespace"),
        "group_wait": timedelta(seconds=10),
        "group_interval": timedelta(minutes=5),
        "repeat_interval": timedelta(hours=12),
    }
    return Route(id="", receiver="ops", **(wanted | fields))  # type: ignore[arg-type]


def by_source() -> InhibitRule:
    """What `db` has inhibits the rest of its namespace."""
    source, target = parse_matchers('workload="db"'), parse_matchers('workload!="db"')
    return InhibitRule(source=source, target=target, equal=("namespace",))


# ---- what gave way ----


def test_what_gave_way_and_is_held_back_now_is_told_when_the_hold_is_over() -> None:
    """It was told by a message that never went out, and not by the one in its place."""
    source, target = parse_matchers('workload="db"'), parse_matchers('workload="web", alertname="ImagePullFailing"')
    rule = InhibitRule(source=source, target=target, equal=("namespace",))
    story = Timeline(delivers=False, receivers=(to(HOOK),), inhibit_rules=(rule,)).at(0).lists(pulling())
    story.until(11)
    answered(story, 12, LATER).at(60).sees(pulling("db-1", "Deployment/db")).at(61).sees(looping("web-2"))
    story.until(400)
    assert ("FIRST", ["ContainerCrashLooping firing"]) in waiting(story)
    for message in list(story.sent):
        answered(story, 401, Delivered(), message)
    story.at(500).sees(pod("db-1", owner="Deployment/db"))
    story.until(1300)
    heard = {(a.labels["workload"], a.labels["alertname"]) for one in story.sent[1:] for a in one.alerts}
    assert ("web", "ImagePullFailing") in heard


def test_what_began_and_ended_unheard_is_told_to_whoever_wants_no_ends_also_when_something_else_begins() -> None:
    story = Timeline(delivers=False, receivers=(to(QUIET),), route=route()).at(0).lists(pulling())
    story.until(11)
    answered(story, 12, LATER).at(60).sees(pod("web-1"))
    story.until(1000)
    assert waiting(story) == [("ALL_ENDED", ["ImagePullFailing resolved"])]
    answered(story, 1001, LATER).at(1010).sees(pulling("job-1", "Deployment/job"))
    story.until(2000)
    assert [alerts for _, alerts in waiting(story)] == [["ImagePullFailing firing", "ImagePullFailing resolved"]]


def test_a_refused_end_that_nobody_asked_for_does_not_make_its_group_due_for_a_day() -> None:
    story = Timeline(delivers=False, receivers=(to(QUIET),), route=route()).at(0).lists(pulling())
    story.until(11)
    answered(story, 12, LATER).at(60).sees(pod("web-1"))
    story.until(1000)
    answered(story, 1001, GiveUp(reason="401"))
    story.until(1400)
    assert told(story) == [("FIRST", 1), ("ALL_ENDED", 1), ("ALL_ENDED", 1)], "it is told again, as other ends are"
    answered(story, 1401, Delivered())
    story.until(1800)
    assert not story.player.view.groups.rows


def test_an_end_is_told_also_if_the_alert_fired_anew_in_between_and_that_was_refused() -> None:
    """FIRST arrived, its end waited, gave way to the next firing, and that one died."""
    story = Timeline(delivers=False, receivers=(to(HOOK),), route=route()).at(0).lists(pulling())
    story.until(11)
    answered(story, 12, Delivered()).at(60).sees(pod("web-1"))
    story.until(311)
    answered(story, 312, LATER).at(320).sees(pulling())
    story.until(700)
    assert waiting(story) == [("FIRST", ["ImagePullFailing firing"])]
    answered(story, 701, GiveUp(reason="400")).at(702).sees(pod("web-1"))
    story.until(2000)
    assert (story.sent[-1].reason.name, story.sent[-1].status) == ("ALL_ENDED", "resolved")
    answered(story, 2001, Delivered())
    story.until(3000)
    assert not story.player.view.groups.rows


def test_an_old_end_that_is_owed_does_not_make_the_group_due_while_its_alert_fires_anew() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),), route=route()).at(0).lists(pulling())
    story.until(11)
    answered(story, 12, Delivered()).at(60).sees(pod("web-1"))
    story.until(311)
    story.at(312).sees(pulling())
    answered(story, 320, GiveUp(reason="401"), story.sent[-1])
    story.until(HOUR)
    answered(story, HOUR, Delivered())
    story.until(2 * HOUR)
    (group,) = story.player.view.groups.rows.values()
    assert group.owed == ()
    assert group.due is None or group.due > time(10 * HOUR)


def test_a_dead_letter_that_is_sent_again_by_hand_pays_what_is_owed() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),), route=route()).at(0).lists(pulling())
    story.until(11)
    answered(story, 12, Delivered()).at(60).sees(pod("web-1"))
    story.until(311)
    (group, end) = (next(iter(story.player.view.outbox.rows.values())).group, story.sent[-1])
    answered(story, 320, GiveUp(reason="401"))
    again = ResendAsked(
        at=time(330), message_id=end.id, receiver="ops", integration="i0", group=group, notification=end
    )
    story.at(330).takes(again)
    answered(story, 331, Delivered(), end)
    story.until(2000)
    assert [one.id for one in story.sent[1:]] == [end.id, end.id], "once decided, once asked for"
    assert not story.player.view.groups.rows


# ---- storms ----


def test_a_refused_digest_of_ends_leaves_a_digest() -> None:
    """The group that comes back for the ends that are owed is still the digest's: the next storm is told."""
    few = StormConfig(groups=2, within=timedelta(seconds=60))
    story = storm(6, SLACK, delivers=False, storm=few)
    story.until(30)
    for message in list(story.sent):
        answered(story, 31, Delivered(), message)
    for number in range(6):
        story.at(60 + number).sees(healed(f"w{number}-1", f"Deployment/w{number}", at=50))
    story.until(1500)
    for message in [one for one in story.sent if one.status == "resolved"]:
        answered(story, 1501, GiveUp(reason="401"), message)
    for number in range(6):
        story.at(1510 + number * 0.1).sees(pulling(f"v{number}-1", f"Deployment/v{number}"))
    story.until(2000)
    assert ("DIGEST", 4) in told(story)[5:] or any(len(one.alerts) >= 8 for one in story.sent[5:])
    named = {a.labels["workload"] for one in story.sent for a in one.alerts if a.status == "firing"}
    assert {f"v{number}" for number in range(6)} <= named


def test_a_first_message_that_is_made_anew_is_no_second_group_of_a_storm() -> None:
    few = StormConfig(groups=2, within=timedelta(seconds=60))
    often = route(group_by=GROUP_BY, group_interval=timedelta(seconds=20))
    story = storm(2, SLACK, delivers=False, storm=few, route=often)
    story.until(12)
    for message in list(story.sent):
        answered(story, 13, LATER, message)
    bad = pod("w0-2", status(waiting="ErrImagePull", message="x:9: not found"), owner="Deployment/w0", phase="Pending")
    story.at(14).sees(bad)
    story.until(60)
    assert sorted(reason for reason, _ in waiting(story)) == ["FIRST", "FIRST"]
    assert [len(alerts) for _, alerts in waiting(story)] in ([1, 2], [2, 1])
    assert not any(group.digest for group in story.player.view.groups.rows.values())


# ---- the summary of the first start ----


def started(*integrations: object, **fields: object) -> Timeline:
    receivers = (to(*(integrations or (HOOK,))),)  # type: ignore[arg-type]
    return Timeline(delivers=False, first_start=FirstStart.SUMMARY, receivers=receivers, **fields).at(0)


def test_an_end_does_not_overtake_the_summary_that_tells_of_its_alert() -> None:
    story = started().lists(pulling(), pulling("job-1", "Deployment/job"))
    story.until(11)
    answered(story, 12, LATER).at(60).sees(pod("web-1"))
    story.until(2000)
    assert told(story) == [("BASELINE", 2)]
    answered(story, 2001, Delivered())
    story.until(3000)
    assert told(story) == [("BASELINE", 2), ("ALL_ENDED", 1)]
    answered(story, 3001, Delivered()).at(3002).sees(pod("job-1", owner="Deployment/job"))
    story.until(4000)
    answered(story, 4001, Delivered())
    assert {name for name, table in story.player.view.tables() if table.rows} == {"pods", "scopes", "channels"}


def test_what_ended_while_a_summary_was_refused_leaves_nothing() -> None:
    story = started().lists(pulling())
    story.until(11)
    answered(story, 12, LATER).at(60).sees(pod("web-1"))
    story.until(1000)
    answered(story, 1001, GiveUp(reason="401"))
    story.until(2000)
    assert told(story) == [("BASELINE", 1)]
    assert {name for name, table in story.player.view.tables() if table.rows} == {"pods", "scopes", "channels"}


def test_a_second_summary_does_not_take_the_place_of_one_that_waits() -> None:
    """A scope that is listed later has a baseline of its own; the alerts of the first are in no group of it."""
    story = started().restarts(PODS, known=False).lists(pulling())
    story.until(11)
    answered(story, 12, LATER)
    story.at(60).restarts(PODS, PODS.__class__(kind="Pod", namespace="b"), known=True)
    story.lists(pulling()).lists(pulling("job-1", "Deployment/job", namespace="b"), namespace="b")
    story.until(1000)
    assert {
        a.labels["workload"] for row in story.player.view.outbox.rows.values() for a in row.notification.alerts
    } == {
        "web",
        "job",
    }


def test_an_end_is_told_though_the_summary_came_back_for_another_integration() -> None:
    """The second integration refused the summary after the first one's alert had ended."""
    story = started(HOOK, SLACK).lists(pulling(), pulling("job-1", "Deployment/job"))
    story.until(11)
    first, second = sorted(story.sent, key=lambda one: one.integration)
    answered(story, 12, Delivered(), first).at(60).sees(pod("web-1"))
    story.until(64)
    answered(story, 65, GiveUp(reason="401"), second)
    story.until(2000)
    assert ("ALL_ENDED", 1) in told(story)


def test_a_baseline_alert_that_was_inhibited_when_the_summary_was_sent_is_told_when_it_is_not_any_more() -> None:
    story = started(route=route(), inhibit_rules=(by_source(),))
    story.lists(pulling(), pulling("db-1", "Deployment/db"))
    story.until(11)
    assert told(story) == [("BASELINE", 1)]
    answered(story, 12, Delivered()).at(100).sees(pod("db-1", owner="Deployment/db"))
    story.until(1000)
    assert "web" in {a.labels["workload"] for one in story.sent for a in one.alerts if a.status == "firing"}


# ---- channels ----


def test_a_receiver_whose_messages_keep_giving_way_is_in_trouble_too() -> None:
    """Each minute a new message takes the place of the last: none of them is ever five minutes old."""
    often = route(group_interval=timedelta(minutes=1))
    story = Timeline(
        delivers=False, receivers=(to(HOOK), to(HOOK, name="boss")), route=often, without=("WorkloadDown",)
    ).at(0)
    story.lists(pulling("w0-1", "Deployment/w0"))
    for minute in range(12):
        story.until(minute * 60 + 15)
        answered(story, minute * 60 + 16, LATER, [one for one in story.sent if one.receiver == "ops"][-1])
        for message in [one for one in story.sent if one.receiver == "boss"]:
            answered(story, minute * 60 + 17, Delivered(), message)
        story.at(minute * 60 + 20).sees(pulling(f"w{minute + 1}-1", f"Deployment/w{minute + 1}"))
    assert failing(story) == [("boss", "firing")]


def test_trouble_with_a_receiver_does_not_hang_on_the_stream_of_pods() -> None:
    receivers = (to(HOOK), to(HOOK, name="boss"))
    story = Timeline(delivers=False, receivers=receivers, route=route(), without=("WorkloadDown",)).at(0)
    story.lists(pulling())
    story.until(11)
    answered(story, 12, GiveUp(reason="401"))
    story.until(60)
    story.takes(StreamHealth(at=time(61), scope=PODS, stale_since=time(60), reason="gone"))
    story.until(70)
    (alert,) = [a for a in story.player.view.alerts.rows.values() if a.key.alertname == "WatcherCannotDeliver"]
    assert alert.unseen_since is None
    before = len(failing(story))
    story.at(80).restarts().lists(pulling())
    story.takes(Forbidden(at=time(81), scope=NODES))
    story.until(100)
    assert alert.key in {a.key for a in story.player.view.alerts.rows.values() if a.ends_at is None}
    assert len(failing(story)) == before


@pytest.mark.parametrize("second", [Delivered(), LATER], ids=["delivered", "not now"])
def test_a_pause_that_was_asked_for_outlasts_the_answer_to_a_message_sent_beside_it(
    second: Delivered | TryLater,
) -> None:
    asked = after_attempt(
        Channel(receiver="ops", integration="i0"), TryLater(reason="429", after=timedelta(minutes=1)), HOOK, time(0)
    )
    assert after_attempt(asked, second, HOOK, time(1)).not_before == time(60)
    assert after_attempt(asked, Delivered(), HOOK, time(61)).not_before is None
