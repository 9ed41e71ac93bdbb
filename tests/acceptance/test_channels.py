"""Channels: storms, messages that give way to later ones, ends that are owed, and the alert about a dead receiver."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import GROUP_BY, Timeline, core, time
from watcher.model.config import DiscordConfig, EmailConfig, Integration, Receiver, Secret, SlackConfig, WebhookConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.evidence import Evidence
from watcher.model.kube import Pod
from watcher.model.message import Notification
from watcher.model.observations import DeliveryDone, EvidenceArrived, ResendAsked, SendTestAsked
from watcher.model.state import MessageState
from watcher.routing.route import Route

MINUTE = 60.0
HOUR = 3600.0
SLACK = SlackConfig(api_url=Secret("http://slack"), send_resolved=True)
HOOK = WebhookConfig(url=Secret("http://hook"))


def to(*integrations: Integration, name: str = "ops") -> Receiver:
    return Receiver(name=name, integrations=tuple((f"i{n}", one) for n, one in enumerate(integrations)))


def looping(name: str = "web-1", owner: str = "Deployment/web", **fields: Any) -> Pod:
    return pod(name, backoff(160, dead(1, at=-20), restarts=6), owner=owner, **fields)


def healed(name: str = "web-1", owner: str = "Deployment/web", *, at: float) -> Pod:
    return pod(name, status(restarts=7, last=dead(1, at=at)), owner=owner)


def answered(story: Timeline, at: float, outcome: Outcome, message: Notification | None = None) -> Timeline:
    told = message or story.sent[-1]
    return story.at(at).takes(DeliveryDone(at=time(at), message_id=told.id, outcome=outcome))


def told(story: Timeline, integration: str = "i0") -> list[tuple[str, int]]:
    """(reason, how many alerts are in it) of each message to one integration."""
    return [(one.reason.name, len(one.alerts)) for one in story.sent if one.integration == integration]


# ---- storms ----


def storm(count: int, *integrations: Integration, **fields: Any) -> Timeline:
    story = Timeline(receivers=(to(*integrations),), **fields).at(0).lists()
    for number in range(count):
        story.at(1 + number * 0.05).sees(looping(f"w{number}-1", f"Deployment/w{number}"))
    return story


def test_63_two_hundred_workloads_are_ten_messages_and_a_digest_that_names_every_one() -> None:
    story = storm(200, SLACK, HOOK)
    story.until(5 * MINUTE)
    assert told(story)[:10] == [("FIRST", 1)] * 10
    assert [reason for reason, _ in told(story)[10:]] == ["DIGEST"]
    digest = [one for one in story.sent if one.integration == "i0"][-1]
    named = {alert.labels["workload"] for alert in digest.alerts}
    assert named | {f"w{n}" for n in range(10)} == {f"w{n}" for n in range(200)}
    assert all(f"w{n}" in digest.text for n in range(10, 200))
    assert told(story, "i1") == [("FIRST", 1)] * 200, "machines get each message"


def test_63_nothing_is_told_twice_and_ends_come_in_a_digest_too() -> None:
    story = storm(50, SLACK)
    for number in range(50):
        story.at(60 + number * 0.05).sees(healed(f"w{number}-1", f"Deployment/w{number}", at=50))
    story.until(HOUR)
    assert told(story)[:11] == [("FIRST", 1)] * 10 + [("DIGEST", 40)]
    assert sorted(told(story)[11:]) == [("ALL_ENDED", 1)] * 10 + [("ALL_ENDED", 40)]
    assert not story.player.view.groups.rows


def test_63_critical_ones_stay_single_up_to_ten_more() -> None:
    rules = core().rules

    critical = tuple(
        msgspec.structs.replace(rule, labels={"severity": "critical"})
        if rule.alert == "ContainerCrashLooping"
        else rule
        for rule in rules
    )
    story = storm(40, SLACK, rules=critical, without=("WorkloadDown",))
    story.until(2 * MINUTE)
    assert told(story)[:10] == [("FIRST", 1)] * 10
    assert told(story)[10:] == [("DIGEST", 30)]


def test_63_what_joins_a_digest_later_is_told_in_the_next_one() -> None:
    story = storm(20, SLACK)
    story.until(30)
    for number in range(20, 25):
        story.at(31 + number * 0.05).sees(looping(f"w{number}-1", f"Deployment/w{number}"))
    story.until(HOUR)
    assert told(story)[10:] == [("DIGEST", 10), ("DIGEST", 15)]


def test_63_what_is_over_before_its_digest_came_is_named_in_it_too() -> None:
    story = storm(20, SLACK)
    for number in range(15, 20):
        story.at(5 + number * 0.05).sees(pod(f"w{number}-1", owner=f"Deployment/w{number}"))
        story.at(6 + number * 0.05).deletes(pod(f"w{number}-1", owner=f"Deployment/w{number}"))
    story.until(HOUR)
    named = {alert.labels["workload"] for one in story.sent for alert in one.alerts if one.reason.name == "DIGEST"}
    assert {f"w{number}" for number in range(10, 15)} <= named


def test_what_comes_slowly_is_no_storm() -> None:
    story = Timeline(receivers=(to(SLACK),)).at(0).lists()
    for number in range(30):
        story.at(number * 10.0).sees(looping(f"w{number}-1", f"Deployment/w{number}"))
    story.until(HOUR)
    assert told(story) == [("FIRST", 1)] * 30


def test_a_digest_is_repeated_as_one() -> None:
    story = storm(30, EmailConfig(to=("a@b.c",), sender="d@e.f", smarthost="h:25"))
    story.until(12 * HOUR + 10 * MINUTE)
    assert told(story)[10] == ("DIGEST", 20)
    assert sorted(told(story)[11:]) == [("REPEAT", 1)] * 10 + [("REPEAT", 20)]


# ---- messages that wait ----


def down() -> Timeline:
    """A receiver that is tried in vain from its first message on."""
    story = Timeline(delivers=False, receivers=(to(HOOK),)).at(0).lists(looping("web-1"))
    story.until(11)
    return answered(story, 12, TryLater(reason="503"))


def waiting(story: Timeline) -> list[tuple[str, list[str]]]:
    rows = sorted(story.player.view.outbox.rows.values(), key=lambda row: (row.created_at, row.id))
    return [
        (row.notification.reason.name, [f"{a.labels['alertname']} {a.status}" for a in row.notification.alerts])
        for row in rows
    ]


def test_81_a_later_message_takes_the_place_of_one_that_waits_and_says_all_of_it() -> None:
    story = down()
    story.at(400).sees(pod("web-2", status(waiting="ErrImagePull", message="x:9: not found"), phase="Pending"))
    story.until(700)
    assert waiting(story) == [("FIRST", ["ContainerCrashLooping firing", "ImagePullFailing firing"])]


def test_81_what_began_and_ended_while_the_receiver_was_down_is_one_message() -> None:
    story = down()
    story.at(60).sees(healed(at=50))
    story.until(HOUR)
    assert waiting(story) == [("ALL_ENDED", ["ContainerCrashLooping resolved"])]
    answered(story, HOUR, Delivered())
    story.until(2 * HOUR)
    assert not story.player.view.outbox.rows
    assert not story.player.view.groups.rows


def test_81_an_end_that_waits_is_not_lost_when_something_else_begins() -> None:
    story = down()
    story.at(60).sees(healed(at=50))
    story.until(1000)
    story.at(1000).sees(pod("web-2", status(waiting="ErrImagePull", message="x:9: not found"), phase="Pending"))
    answered(story, 1010, TryLater(reason="503"))
    story.until(2000)
    assert waiting(story) == [
        (waiting(story)[0][0], ["ImagePullFailing firing", "ContainerCrashLooping resolved"]),
    ]


def test_81_two_thousand_alerts_that_come_and_go_leave_one_short_message_each_group() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),)).at(0).lists()
    for number in range(40):
        story.at(1 + number).sees(looping(f"w{number}-1", f"Deployment/w{number}"))
    story.until(60)
    for message in list(story.sent):
        answered(story, 61, TryLater(reason="503"), message)
    for number in range(40):
        story.at(100 + number).sees(healed(f"w{number}-1", f"Deployment/w{number}", at=99))
    story.until(HOUR)
    rows = story.player.view.outbox.rows.values()
    assert len(rows) <= 40
    assert len({row.group for row in rows}) == len(rows)


def test_a_message_on_its_way_is_never_replaced() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),)).at(0).lists(looping("web-1"))
    story.until(11)
    story.at(400).sees(pod("web-2", status(waiting="ErrImagePull", message="x:9: not found"), phase="Pending"))
    story.until(700)
    assert [reason for reason, _ in waiting(story)] == ["FIRST", "NEW_ALERTS"]


def test_nothing_new_leaves_what_waits_as_it_is() -> None:
    story = down()
    (before,) = story.player.view.outbox.rows
    story.until(23 * HOUR)
    assert list(story.player.view.outbox.rows) == [before]


def test_whoever_does_not_want_ends_still_hears_of_what_it_missed() -> None:
    quiet = SlackConfig(api_url=Secret("http://slack"), send_resolved=False)
    story = Timeline(delivers=False, receivers=(to(quiet),)).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, TryLater(reason="503")).at(60).sees(healed(at=50))
    story.until(HOUR)
    assert waiting(story) == [("ALL_ENDED", ["ContainerCrashLooping resolved"])]


# ---- ends that were refused ----


def test_an_end_that_was_refused_is_told_again_until_it_is_heard() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),)).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, Delivered()).at(60).sees(healed(at=50))
    story.until(920)
    assert told(story) == [("FIRST", 1), ("ALL_ENDED", 1)]
    answered(story, 925, GiveUp(reason="401"))
    story.until(1300)
    assert told(story) == [("FIRST", 1), ("ALL_ENDED", 1), ("ALL_ENDED", 1)]
    answered(story, 1301, Delivered())
    story.until(3 * HOUR)
    assert len(story.sent) == 3
    assert not story.player.view.groups.rows


def test_an_end_that_is_owed_survives_a_restart() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),)).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, Delivered()).at(60).sees(healed(at=50))
    story.until(920)
    answered(story, 925, GiveUp(reason="401"))
    story.at(930).restarts().lists(healed(at=50))
    story.until(1300)
    assert told(story)[-1] == ("ALL_ENDED", 1)
    assert len(story.sent) == 3


def test_an_end_that_nobody_takes_is_given_up_after_a_day() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),)).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, Delivered()).at(60).sees(healed(at=50))
    story.until(920)
    for hour in range(1, 26):
        answered(story, hour * HOUR, GiveUp(reason="404"))
        story.until(hour * HOUR + 400)
    story.until(30 * HOUR)
    assert not story.player.view.groups.rows


# ---- a receiver that does not deliver ----


def both() -> Timeline:
    route = Route(
        id="", receiver="ops", group_by=GROUP_BY, group_wait=timedelta(seconds=10), group_interval=timedelta(minutes=5),
        repeat_interval=timedelta(hours=12),
    )  # fmt: skip
    receivers = (to(HOOK), to(HOOK, name="boss"))
    return Timeline(delivers=False, receivers=receivers, route=route, without=("WorkloadDown",)).at(0)


def failing(story: Timeline) -> list[tuple[str, str]]:
    return [
        (one.receiver, one.status)
        for one in story.sent
        for alert in one.alerts
        if alert.labels["alertname"] == "WatcherCannotDeliver"
    ]


def test_82_a_dead_letter_is_told_to_everybody_else() -> None:
    story = both().lists(looping("web-1"))
    story.until(11)
    answered(story, 12, GiveUp(reason="401 Unauthorized"))
    story.until(60)
    assert failing(story) == [("boss", "firing")]
    assert "401 Unauthorized" in story.sent[-1].text


def test_82_a_token_that_is_repaired_ends_it() -> None:
    story = both().lists(looping("web-1"))
    story.until(11)
    answered(story, 12, GiveUp(reason="401"))
    story.until(60)
    answered(story, 61, Delivered(), [one for one in story.sent if one.receiver == "boss"][-1])
    story.until(400)
    mine = [one for one in story.sent if one.receiver == "ops"]
    assert [one.reason.name for one in mine] == ["FIRST", "FIRST"]
    answered(story, 402, Delivered(), mine[-1])
    story.until(1300)
    assert failing(story) == [("boss", "firing"), ("boss", "resolved")]


def test_a_message_that_waits_for_five_minutes_is_trouble_until_it_is_gone() -> None:
    story = both().lists(looping("web-1"))
    story.until(11)
    answered(story, 12, TryLater(reason="connection refused"))
    story.until(300)
    assert failing(story) == []
    story.until(330)
    assert failing(story) == [("boss", "firing")]
    mine, boss = story.sent[0], story.sent[-1]
    answered(story, 340, Delivered(), boss)
    answered(story, 350, Delivered(), mine)
    story.until(1300)
    assert failing(story) == [("boss", "firing"), ("boss", "resolved")]


def test_with_one_receiver_of_two_integrations_the_other_one_hears_of_it() -> None:
    story = (
        Timeline(delivers=False, receivers=(to(HOOK, HOOK),), without=("WorkloadDown",)).at(0).lists(looping("web-1"))
    )
    story.until(11)
    first = {one.integration: one for one in story.sent}
    answered(story, 12, GiveUp(reason="404"), first["i0"])
    answered(story, 13, Delivered(), first["i1"])
    story.until(60)
    names = {(one.integration, alert.labels["alertname"]) for one in story.sent for alert in one.alerts}
    assert ("i1", "WatcherCannotDeliver") in names
    assert ("i0", "WatcherCannotDeliver") not in names


def test_trouble_of_an_integration_that_is_gone_is_over() -> None:
    story = both().lists(looping("web-1"))
    story.until(11)
    answered(story, 12, GiveUp(reason="401"))
    story.until(60)
    answered(story, 61, Delivered())
    story.core = both().core
    story.core = core(receivers=(to(HOOK, name="boss"),), route=story.core.route, without=("WorkloadDown",))
    story.at(HOUR).restarts().lists(looping("web-1"))
    story.until(2 * HOUR)
    assert failing(story) == [("boss", "firing"), ("boss", "resolved")]


# ---- by hand ----


def test_a_test_message_goes_to_every_integration_and_belongs_to_no_alert() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK, SLACK),)).at(0).lists(pod("web-1"))
    story.at(5).takes(SendTestAsked(at=time(5), receiver="ops", id="abc"))
    story.until(60)
    assert [(one.integration, one.reason.name) for one in sorted(story.sent, key=lambda n: n.integration)] == [
        ("i0", "TEST"),
        ("i1", "TEST"),
    ]
    for one in list(story.sent):
        answered(story, 61, Delivered(), one)
    assert not story.player.view.outbox.rows


def test_a_dead_letter_can_be_sent_again() -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),)).at(0).lists(looping("web-1"))
    story.until(11)
    (message,) = story.sent
    answered(story, 12, GiveUp(reason="401"))
    assert not story.player.view.outbox.rows
    again = ResendAsked(
        at=time(20), message_id=message.id, receiver="ops", integration="i0", group="g", notification=message
    )
    story.at(20).takes(again)
    (row,) = story.player.view.outbox.rows.values()
    assert (row.id, row.state, row.attempts) == (message.id, MessageState.QUEUED, 0)


@pytest.mark.parametrize("integration", ["i7", ""])
def test_a_dead_letter_of_an_integration_that_is_gone_cannot(integration: str) -> None:
    story = Timeline(delivers=False, receivers=(to(HOOK),)).at(0).lists(looping("web-1"))
    story.until(11)
    (message,) = story.sent
    answered(story, 12, GiveUp(reason="401"))
    again = ResendAsked(
        at=time(20), message_id=message.id, receiver="ops", integration=integration, group="g", notification=message
    )
    story.at(20).takes(again)
    assert not story.player.view.outbox.rows


# ---- evidence that comes late ----


def evidence_for(story: Timeline, at: float) -> Timeline:
    (alert,) = story.player.view.alerts.rows.values()
    found = Evidence(alert=alert.key, pod="web-1", container="app", log=("FATAL: no database",))
    return story.at(at).takes(EvidenceArrived(at=time(at), evidence=found))


@pytest.mark.parametrize("first", ["the answer", "the evidence"])
def test_evidence_that_comes_late_is_shown_by_an_edit(first: str) -> None:
    editor = DiscordConfig(webhook_url=Secret("http://discord"))
    story = Timeline(delivers=False, receivers=(to(editor),)).at(0).lists(looping("web-1"))
    story.until(11)
    (message,) = story.sent
    if first == "the answer":
        evidence_for(answered(story, 12, Delivered(reference="77"), message), 15)
    else:
        answered(evidence_for(story, 12), 15, Delivered(reference="77"), message)
    story.until(60)
    assert told(story) == [("FIRST", 1), ("UPDATED", 1)]
    (row,) = story.player.view.outbox.rows.values()
    assert row.reference == "77"
    assert "FATAL: no database" in row.notification.text
    answered(story, 61, Delivered(reference="77"))
    story.until(HOUR)
    assert len(story.sent) == 2


@pytest.mark.parametrize("integration", [HOOK, SLACK], ids=["webhook", "Slack without a token"])
def test_evidence_that_comes_late_makes_no_message_where_nothing_can_be_edited(integration: Integration) -> None:
    story = Timeline(delivers=False, receivers=(to(integration),)).at(0).lists(looping("web-1"))
    story.until(11)
    evidence_for(answered(story, 12, Delivered(reference="77")), 15)
    story.until(HOUR)
    assert told(story) == [("FIRST", 1)]


def test_an_end_edits_the_last_new_message() -> None:
    editor = DiscordConfig(webhook_url=Secret("http://discord"))
    story = Timeline(delivers=False, receivers=(to(editor),)).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, Delivered(reference="77")).at(60).sees(healed(at=50))
    story.until(HOUR)
    (row,) = story.player.view.outbox.rows.values()
    assert (row.notification.reason.name, row.reference) == ("ALL_ENDED", "77")
