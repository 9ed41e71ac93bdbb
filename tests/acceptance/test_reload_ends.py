"""Reloads that follow one another: whose end is told, by which group, and when (row 86 of behaviours.md)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from tests.acceptance.test_many import broken
from tests.acceptance.test_reload import BOTH, HOOK, HOUR, LOOPING, OPS, route, started, to_shop, told
from tests.support.pods import pod, status
from tests.support.timeline import GROUP_BY, PODS, Timeline, time
from watcher.model.config import FirstStart, Receiver
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.kube import Pod
from watcher.model.message import Notification
from watcher.model.observations import DeliveryDone, SilenceAsked
from watcher.model.silence import Silence, SilenceMatcher
from watcher.routing.route import Route

NARROW = route("ops", group_by=("cluster",))
PULLING = "ImagePullFailing"
NOWHERE: dict[str, Any] = {"receivers": BOTH, "route": route("ops", ('namespace="shop"', ""))}


def pulling() -> Pod:
    """It ends at once when its image is there."""
    return pod("web-1", status(waiting="ErrImagePull", message="failed to resolve reference: not found"))


def arrives(story: Timeline, at: float, sent: Notification) -> None:
    story.at(at).takes(DeliveryDone(at=time(at), message_id=sent.id, outcome=Delivered()))


def dies(story: Timeline, at: float, sent: Notification) -> None:
    story.at(at).takes(DeliveryDone(at=time(at), message_id=sent.id, outcome=GiveUp(reason="404")))


def moved_and_back() -> tuple[Timeline, Notification]:
    """That it moved is being sent, and it belongs there again, in another group."""
    story = started(delivers=False)
    story.until(60)
    arrives(story, 61, story.sent[0])
    story.at(100).reloads(**to_shop())
    story.until(400)
    (moved,) = [sent for sent in story.sent if sent.receiver == "ops"][1:]
    assert [alert.end_reason for alert in moved.alerts] == ["moved"]
    story.at(401).reloads(receivers=BOTH, route=NARROW)
    return story, moved


def to_ops(story: Timeline, since: float) -> list[tuple[str, str]]:
    return [(reason, alerts) for _, receiver, reason, alerts in told(story, since) if receiver == "ops"]


def test_a_move_that_is_taken_back_and_was_refused_tells_nothing() -> None:
    story, moved = moved_and_back()
    story.until(450)
    dies(story, 451, moved)
    story.until(HOUR)
    assert to_ops(story, 401) == []
    story.at(HOUR).sees(pod("web-1"))
    story.until(2 * HOUR)
    assert to_ops(story, 401) == [("ALL_ENDED", f"-{LOOPING}:recovered")]


def test_a_move_that_is_taken_back_and_was_heard_is_followed_by_what_fires() -> None:
    story, moved = moved_and_back()
    story.until(1000)
    assert to_ops(story, 401) == []
    arrives(story, 1001, moved)
    story.until(HOUR)
    assert to_ops(story, 401) == [("FIRST", LOOPING)]


def test_a_move_that_is_taken_back_while_its_message_waits_is_not_told() -> None:
    story, moved = moved_and_back()
    story.at(402).takes(DeliveryDone(at=time(402), message_id=moved.id, outcome=TryLater(reason="503")))
    story.at(403).reloads(receivers=BOTH, route=route("ops"))
    story.until(HOUR)
    assert to_ops(story, 402) == [("REPEAT", LOOPING)]
    assert [row.notification.id for row in story.player.view.outbox.rows.values() if row.id == moved.id] == []


def test_what_was_on_its_way_when_a_move_was_taken_back_is_heard() -> None:
    story = started(delivers=False)
    story.until(60)
    story.at(100).reloads(**to_shop())
    arrives(story, 101, story.sent[0])
    story.at(102).reloads(receivers=BOTH, route=NARROW)
    story.until(HOUR)
    assert to_ops(story, 100) == []
    story.at(HOUR).sees(pod("web-1"))
    story.until(2 * HOUR)
    assert to_ops(story, 100) == [("ALL_ENDED", f"-{LOOPING}:recovered")]


def test_a_route_that_leads_nowhere_in_between_costs_no_end() -> None:
    story = started()
    story.until(60)
    story.at(100).reloads(**NOWHERE).at(100).reloads(receivers=BOTH, route=NARROW).at(100).reloads(**to_shop())
    story.until(HOUR)
    assert to_ops(story, 20) == [("ALL_ENDED", f"-{LOOPING}:moved")]


def test_a_base_line_that_led_nowhere_in_between_is_in_the_summary() -> None:
    fields: dict[str, Any] = {"first_start": FirstStart.SUMMARY}
    story = Timeline(receivers=BOTH, route=route("ops"), **fields).at(0).lists(broken("shop", 1))
    story.at(5).reloads(**NOWHERE, **fields)
    story.until(60)
    story.at(100).reloads(receivers=BOTH, route=route("ops"), **fields)
    story.until(HOUR)
    assert [(receiver, reason) for _, receiver, reason, _ in told(story)] == [("ops", "BASELINE")]


def test_an_end_that_was_refused_is_void_when_its_alert_goes_on_in_another_group() -> None:
    times: dict[str, Any] = {"group_wait": timedelta(seconds=10), "repeat_interval": timedelta(hours=12)}
    slow = Route(id="0", receiver="shop", group_by=GROUP_BY, group_interval=timedelta(hours=1), continue_=True, **times)

    def both(group_by: tuple[str, ...]) -> Route:
        quick = Route(id="1", receiver="ops", group_by=group_by, group_interval=timedelta(minutes=5), **times)
        return msgspec.structs.replace(route("ops"), routes=(slow, quick))

    story = Timeline(delivers=False, receivers=BOTH, route=both(GROUP_BY)).at(0).lists(pod("web-1"))
    story.at(1).sees(pulling())
    story.until(60)
    for sent in list(story.sent):
        arrives(story, 61, sent)
    story.at(100).sees(pod("web-1"))
    story.until(400)
    (end,) = [sent for sent in story.sent if sent.receiver == "ops"][1:]
    dies(story, 401, end)
    story.at(402).reloads(receivers=BOTH, route=both(("cluster",)))
    # `shop` has not been told that it ended, so it has not ended.
    story.at(403).sees(pulling())
    story.until(2 * HOUR)
    assert to_ops(story, 401) == []
    story.at(2 * HOUR).sees(pod("web-1"))
    story.until(3 * HOUR)
    assert to_ops(story, 401) == [("ALL_ENDED", f"-{PULLING}:recovered")]


def test_an_end_is_told_though_the_summary_of_another_receiver_is_to_name_its_alert_again() -> None:
    fields: dict[str, Any] = {"receivers": BOTH, "first_start": FirstStart.SUMMARY}

    def both(**changes: Any) -> Route:
        first, second = route("ops", ('namespace="shop"', "shop"), ('namespace="shop"', "ops"), **changes).routes
        return msgspec.structs.replace(
            route("ops", **changes), routes=(msgspec.structs.replace(first, continue_=True), second)
        )

    story = Timeline(delivers=False, route=both(), **fields).at(0).lists(pulling())
    story.until(11)
    ours, theirs = sorted(story.sent, key=lambda sent: sent.receiver)
    arrives(story, 12, theirs)
    dies(story, 13, ours)
    story.until(30)
    story.at(40).reloads(route=both(group_by=("cluster",)), **fields)
    story.at(41).sees(pod("web-1"))
    story.until(HOUR)
    assert [one[1:] for one in told(story, 40)] == [("shop", "ALL_ENDED", f"-{PULLING}:recovered")]


def test_an_end_that_the_summary_began_is_told_once_though_another_of_the_summary_moves() -> None:
    two = Receiver(name="ops", integrations=(*OPS.integrations, ("webhook_configs[1]", HOOK)))
    fields: dict[str, Any] = {"receivers": (two, BOTH[1]), "first_start": FirstStart.SUMMARY}
    story = Timeline(delivers=False, route=route("ops"), **fields).at(0)
    story.lists(broken("shop", 1), broken("bank", 2))
    story.until(11)
    slow, quick = sorted(story.sent, key=lambda sent: sent.integration)
    arrives(story, 12, quick)
    story.at(13).takes(DeliveryDone(at=time(13), message_id=slow.id, outcome=TryLater(reason="503")))
    # One has moved, the other is watched no more; the summary of one integration still waits.
    moved = route("shop", ('namespace="bank"', "ops"))
    story.at(14).reloads(route=moved, excluded=["bank"], again=[PODS], **fields)
    story.at(15).lists(broken("shop", 1))
    story.until(100)
    for sent in [one for one in story.sent if one not in (slow, quick)]:
        arrives(story, 101, sent)
    arrives(story, 102, slow)
    story.until(HOUR)
    ends = [alert.labels["namespace"] for sent in story.sent for alert in sent.alerts if alert.ends_at is not None]
    assert sorted(ends) == ["bank", "bank", "shop", "shop"]


# --- ends and silences

SHOP_ONLY = (SilenceMatcher(name="namespace", value="shop"),)


def silenced(story: Timeline, at: float, until: float) -> None:
    wanted = Silence(
        id="",
        matchers=SHOP_ONLY,
        created_by="me",
        comment="",
        starts_at=time(at),
        ends_at=time(until),
        updated_at=time(at),
    )
    story.at(at).takes(SilenceAsked(at=time(at), request="r", silence=wanted, new_id="s1", by="me"))


def test_a_silence_holds_the_word_that_an_alert_moved_too() -> None:
    story = started()
    story.until(60)
    silenced(story, 90, 30 * HOUR)
    story.at(100).reloads(**to_shop())
    story.until(29 * HOUR)
    assert told(story, 20) == []
    story.until(31 * HOUR)
    assert sorted(one[1:] for one in told(story, 20)) == [
        ("ops", "ALL_ENDED", f"-{LOOPING}:moved"),
        ("shop", "FIRST", LOOPING),
    ]


def test_what_ended_under_a_silence_and_moved_begins_anew_at_the_new_receiver_alone() -> None:
    story = Timeline(receivers=BOTH, route=route("ops")).at(0).lists(pod("web-1")).at(1).sees(pulling())
    story.until(60)
    silenced(story, 90, HOUR)
    story.at(100).sees(pod("web-1"))
    story.until(200)
    story.at(201).reloads(**to_shop())
    story.at(202).sees(pulling())
    story.until(2 * HOUR)
    assert sorted(one[1:] for one in told(story, 20)) == [
        ("ops", "ALL_ENDED", f"-{PULLING}:recovered"),
        ("shop", "FIRST", PULLING),
    ]
