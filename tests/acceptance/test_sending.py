"""Sending: behaviours 81 to 91, as far as the core decides them: told, un-told, repeated, ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.acceptance.test_many import broken
from tests.acceptance.test_time import looping
from tests.support.pods import dead, pod, status
from tests.support.timeline import GROUP_BY, Timeline, core, shipped_rules, time
from watcher.lib.matchers import parse_matchers
from watcher.lib.templates import compile_template
from watcher.model.config import FirstStart, Receiver, Secret, WebhookConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.kube import Pod
from watcher.model.message import Notification
from watcher.model.observations import DeliveryDone
from watcher.model.state import MessageState
from watcher.pipeline import sending
from watcher.routing.inhibition import InhibitRule
from watcher.routing.route import Route

HOUR = 3600
FIRST, ENDED = ("FIRST", "ContainerCrashLooping"), ("ALL_ENDED", "-ContainerCrashLooping:recovered")


def hook(*, send_resolved: bool = True) -> WebhookConfig:
    return WebhookConfig(url=Secret("http://x"), send_resolved=send_resolved)


def receiver(name: str, *integrations: WebhookConfig) -> Receiver:
    named = tuple((f"webhook_configs[{number}]", one) for number, one in enumerate(integrations))
    return Receiver(name=name, integrations=named)


def route(name: str = "ops", **fields: Any) -> Route:
    changes: dict[str, Any] = {
        "id": "",
        "receiver": name,
        "group_by": GROUP_BY,
        "group_wait": timedelta(seconds=10),
        "group_interval": timedelta(minutes=5),
        "repeat_interval": timedelta(hours=12),
        **fields,
    }
    return Route(**changes)


def answered(story: Timeline, at: float, outcome: Outcome, message: Notification | None = None) -> Timeline:
    """The receiver's answer to the last message, or to the one given."""
    told = message or story.sent[-1]
    return story.at(at).takes(DeliveryDone(at=time(at), message_id=told.id, outcome=outcome))


def healed(name: str = "web-1", *, at: float, restarts: int = 7) -> Pod:
    return pod(name, status(restarts=restarts, last=dead(1, at=at)))


def said(story: Timeline) -> list[tuple[str, str]]:
    return [(reason, alerts) for _, reason, alerts in story.heard]


def by_integration(story: Timeline, name: str) -> list[str]:
    return [one.reason.name for one in story.sent if one.integration == name]


def test_81_what_is_tried_again_for_an_hour_is_delivered_once() -> None:
    story = Timeline(delivers=False).at(0).lists(looping("web-1"))
    story.until(11)
    for attempt in range(12):
        answered(story, 20 + attempt * 300, TryLater(reason="503"))
    (row,) = story.player.view.outbox.rows.values()
    assert (row.attempts, row.error, row.state) == (12, "503", MessageState.QUEUED)
    answered(story, HOUR + 60, Delivered())
    assert said(story.at(2 * HOUR)) == [FIRST]
    assert not story.player.view.outbox.rows


def test_82_a_refused_message_is_told_again_at_the_next_group_interval_while_it_fires() -> None:
    story = Timeline(delivers=False).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, GiveUp(reason="401"))
    assert not story.player.view.told.rows
    assert story.until(HOUR) == [(10, *FIRST), (310, *FIRST)]
    answered(story, HOUR, GiveUp(reason="401"))
    assert story.until(2 * HOUR)[-1] == (3610, *FIRST)
    answered(story, 2 * HOUR, Delivered())
    count = len(story.heard)
    assert len(story.until(6 * HOUR)) == count


def test_82_what_was_refused_and_has_ended_since_is_not_told() -> None:
    story = Timeline(delivers=False).at(0).lists(pulling("web-1"))
    story.until(11)
    answered(story, 12, GiveUp(reason="401"))
    story.at(60).sees(pod("web-1"))
    assert story.until(HOUR) == [(10, "FIRST", "ImagePullFailing")]
    assert story.player.view.alerts.rows == {}


def pulling(name: str) -> Pod:
    return pod(name, status(waiting="ErrImagePull", message="x:9: not found"), phase="Pending")


def test_an_end_is_told_though_a_later_message_about_it_was_refused() -> None:
    """FIRST was delivered, the repeat was refused: somebody still waits for the end."""
    story = Timeline(delivers=False).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, Delivered())
    story.until(12 * HOUR + 11)
    assert said(story) == [FIRST, ("REPEAT", "ContainerCrashLooping")]
    answered(story, 12 * HOUR + 12, GiveUp(reason="400"))
    story.at(12 * HOUR + 20).deletes(looping("web-1"))
    story.until(14 * HOUR)
    assert said(story)[-1] == ("ALL_ENDED", "-ContainerCrashLooping:deleted")


def test_growth_that_was_refused_is_told_again() -> None:
    names = [f"web-{number}" for number in range(20)]
    story = Timeline(delivers=False).at(0).lists(looping(names[0]), *(pod(name) for name in names[1:]))
    story.until(11)
    answered(story, 12, Delivered())
    for number in range(1, 5):
        story.at(20 + number).sees(looping(names[number], at=19 + number))
    story.until(311)
    assert said(story)[-1] == ("GREW", "ContainerCrashLooping")
    answered(story, 312, GiveUp(reason="400"))
    story.until(HOUR)
    assert len(story.heard) == 3
    assert story.heard[2][0] == 610


def test_two_integrations_of_one_receiver_are_told_independently() -> None:
    story = (
        Timeline(delivers=False, receivers=(receiver("ops", hook(), hook(send_resolved=False)),))
        .at(0)
        .lists(looping("web-1"))
    )
    story.until(11)
    first = {one.integration: one for one in story.sent}
    answered(story, 12, Delivered(), first["webhook_configs[0]"])
    answered(story, 13, GiveUp(reason="404"), first["webhook_configs[1]"])
    story.until(400)
    assert by_integration(story, "webhook_configs[0]") == ["FIRST"]
    assert by_integration(story, "webhook_configs[1]") == ["FIRST", "FIRST"]
    story.at(500).sees(healed(at=490))
    story.until(2 * HOUR)
    assert by_integration(story, "webhook_configs[0]") == ["FIRST", "ALL_ENDED"]
    assert by_integration(story, "webhook_configs[1]") == ["FIRST", "FIRST"]


def test_an_end_that_nobody_wants_leaves_nothing_behind() -> None:
    story = (
        Timeline(delivers=False, receivers=(receiver("ops", hook(send_resolved=False)),)).at(0).lists(looping("web-1"))
    )
    story.at(60).sees(healed(at=50))
    story.until(2 * HOUR)
    assert said(story) == [FIRST]
    tables = (story.player.view.alerts, story.player.view.groups, story.player.view.told, story.player.view.members)
    assert [table.rows for table in tables] == [{}, {}, {}, {}]


def test_an_alert_that_has_ended_leaves_nothing_but_its_message_behind() -> None:
    story = Timeline(delivers=False).at(0).lists(looping("web-1")).at(60).sees(healed(at=50))
    story.until(2 * HOUR)
    answered(story, 2 * HOUR, Delivered(), story.sent[0])
    answered(story, 2 * HOUR + 1, Delivered(), story.sent[1])
    assert said(story) == [FIRST, ENDED]
    assert {name for name, table in story.player.view.tables() if table.rows} == {
        "pods", "scopes", "histories", "channels",
    }  # fmt: skip


def test_repeats_fall_on_the_grid_of_group_interval() -> None:
    """Alertmanager looks for repeats only when a group is flushed (alertmanager-facts, dispatch/dispatch.go)."""
    often = route(repeat_interval=timedelta(minutes=7))
    story = Timeline(delivers=False, route=often).at(0).lists(looping("web-1"))
    assert [at for at, _, _ in story.until(1900)] == [10, 610, 1210, 1810]


def test_a_told_alert_that_is_inhibited_is_not_repeated_and_its_end_is_told() -> None:
    """84, for longer than repeat_interval: the flush at the time of the repeat says nothing and must not spin."""
    rule = InhibitRule(
        source=parse_matchers('alertname="ImagePullFailing"'),
        target=parse_matchers('alertname="ContainerCrashLooping"'),
        equal=("namespace",),
    )
    fast = route(repeat_interval=timedelta(minutes=10))
    story = Timeline(delivers=False, inhibit_rules=(rule,), route=fast).at(0).lists(looping("web-1"))
    story.until(60)
    other = pod(
        "api-1", status(waiting="ErrImagePull", message="x: not found"), owner="Deployment/api", phase="Pending"
    )
    story.at(100).sees(other)
    story.until(2 * HOUR)
    crash = [one for one in story.sent if one.alerts[0].labels["alertname"] == "ContainerCrashLooping"]
    assert [one.reason.name for one in crash] == ["FIRST"]
    story.at(2 * HOUR).sees(healed(at=2 * HOUR - 10))
    story.until(2 * HOUR + 1000)
    assert ENDED in said(story)


def test_the_rows_of_an_integration_that_is_gone_do_not_spin() -> None:
    two = (receiver("ops", hook(), hook()),)
    story = Timeline(receivers=two).at(0).lists(looping("web-1"))
    story.until(60)
    story.core = story.player.core = Timeline().core
    story.at(100).restarts().lists(looping("web-1"))
    story.until(30 * HOUR)
    assert by_integration(story, "webhook_configs[0]") == ["FIRST", "REPEAT", "REPEAT"]
    assert by_integration(story, "webhook_configs[1]") == ["FIRST"]


def test_what_was_told_to_an_integration_that_is_gone_is_forgotten_with_the_alert() -> None:
    two = (receiver("ops", hook(), hook()),)
    story = Timeline(delivers=False, receivers=two).at(0).lists(looping("web-1"))
    story.until(60)
    story.core = story.player.core = Timeline(delivers=False).core
    story.at(100).restarts().lists(looping("web-1")).at(200).sees(healed(at=190))
    story.until(2 * HOUR)
    assert story.player.view.told.rows == {}


def test_a_dead_receiver_among_several_loses_nothing_when_its_hold_ends() -> None:
    """The un-told integration is told when what held the alert is over, not with the other one's repeat."""
    rule = InhibitRule(
        source=parse_matchers('alertname="ImagePullFailing"'),
        target=parse_matchers('alertname="ContainerCrashLooping"'),
        equal=("namespace",),
    )
    story = Timeline(delivers=False, receivers=(receiver("ops", hook(), hook()),), inhibit_rules=(rule,)).at(0)
    story.lists(looping("web-1"))
    story.until(60)
    refused = next(one for one in story.sent if one.integration == "webhook_configs[1]")
    other = pod(
        "api-1", status(waiting="ErrImagePull", message="x: not found"), owner="Deployment/api", phase="Pending"
    )
    story.at(100).sees(other)
    answered(story, 110, GiveUp(reason="404"), refused)
    story.until(1000)
    story.at(1000).sees(pod("api-1", owner="Deployment/api"))
    story.until(2000)
    crash = [one.integration for one in story.sent if one.alerts[0].labels["alertname"] == "ContainerCrashLooping"]
    assert sorted(crash) == ["webhook_configs[0]", "webhook_configs[1]", "webhook_configs[1]"]


def test_continue_tells_two_receivers() -> None:
    tree = route(
        routes=(
            route("all", id="0", continue_=True),
            route("shop", id="1", matchers=parse_matchers('namespace="shop"'), group_wait=timedelta(seconds=30)),
        )
    )
    receivers = (receiver("ops", hook()), receiver("all", hook()), receiver("shop", hook()))
    story = Timeline(delivers=False, route=tree, receivers=receivers).at(0).lists(looping("web-1"))
    story.at(60).sees(healed(at=50))
    story.until(2 * HOUR)
    heard = [(one.receiver, one.reason.name) for one in story.sent]
    assert sorted(heard) == [("all", "ALL_ENDED"), ("all", "FIRST"), ("shop", "ALL_ENDED"), ("shop", "FIRST")]
    assert story.player.view.alerts.rows == {}


def test_a_try_later_that_ends_delivers_once() -> None:
    story = Timeline(delivers=False).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, TryLater(reason="429", after=timedelta(seconds=90)))
    (row,) = story.player.view.outbox.rows.values()
    assert row.next_at == time(12 + 90)
    answered(story, 103, Delivered())
    assert said(story.at(HOUR)) == [FIRST]
    (told,) = story.player.view.told.rows.values()
    assert told.delivered


@pytest.mark.parametrize("after", [timedelta(days=300), timedelta.max], ids=["300 days", "as long as can be said"])
def test_a_receiver_that_asks_for_a_pause_without_end_is_given_up_after_a_day(after: timedelta) -> None:
    story = Timeline(delivers=False).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, TryLater(reason="429", after=after))
    (row,) = story.player.view.outbox.rows.values()
    assert row.next_at <= time(10 + 24 * HOUR)
    answered(story, 10 + 24 * HOUR, TryLater(reason="429", after=after), story.sent[0])
    assert row.id not in story.player.view.outbox.rows


def test_nobody_is_reminded_of_what_has_not_arrived() -> None:
    often = route(repeat_interval=timedelta(minutes=10))
    story = Timeline(delivers=False, route=often).at(0).lists(looping("web-1"))
    story.until(11)
    answered(story, 12, TryLater(reason="503"), story.sent[0])
    story.until(2 * HOUR)
    assert said(story) == [FIRST]
    answered(story, 2 * HOUR, Delivered(), story.sent[0])
    assert [reason for reason, _ in said(story.at(2 * HOUR))] == ["FIRST"]
    assert [one[1] for one in story.until(2 * HOUR + 310)] == ["FIRST", "REPEAT"]


def test_the_same_answer_twice_is_recorded_once() -> None:
    story = Timeline(delivers=False).at(0).lists(looping("web-1"))
    story.until(11)
    message = story.sent[0]
    answered(story, 12, Delivered(), message)
    answered(story, 13, GiveUp(reason="404"), message)
    assert said(story.at(HOUR)) == [FIRST]
    (told,) = story.player.view.told.rows.values()
    assert told.delivered


def test_91_a_template_that_raises_for_one_alert_costs_only_its_text() -> None:
    bad = compile_template(
        "{{ labels['not there'] }} {{ 1 // (restart_count - restart_count) }}", {"labels", "restart_count"}
    )
    rules = tuple(
        msgspec.structs.replace(rule, annotations={"summary": bad}) if rule.alert == "ContainerCrashLooping" else rule
        for rule in shipped_rules()
    )
    story = Timeline(delivers=False, rules=rules).at(0).lists(looping("web-1"))
    story.until(60)
    assert said(story) == [FIRST]
    (alert,) = story.player.view.alerts.rows.values()
    assert "summary: " in alert.problems[0]
    assert alert.problems[0].removeprefix("summary: ")[:20] in story.sent[0].text
    assert "crash" in story.sent[0].title.lower()


def test_a_refused_summary_of_the_first_start_is_told_again() -> None:
    """Nothing that was broken before is ever told by itself, so the summary must not be lost."""
    story = Timeline(delivers=False, first_start=FirstStart.SUMMARY).at(0).lists(broken("shop", 1), broken("shop", 2))
    story.until(60)
    answered(story, 61, GiveUp(reason="401"))
    heard = story.until(HOUR)
    assert [one[1] for one in heard] == ["BASELINE", "BASELINE"]
    assert len(story.sent[1].alerts) == 2
    assert heard[1][0] <= 61 + 300
    answered(story, HOUR, Delivered())
    assert len(story.until(20 * HOUR)) == 2


def test_a_refused_summary_to_one_of_two_integrations_is_told_to_that_one_again() -> None:
    receivers = (receiver("ops", hook(), hook()),)
    story = (
        Timeline(delivers=False, first_start=FirstStart.SUMMARY, receivers=receivers)
        .at(0)
        .lists(broken("a", 1), broken("b", 2))
    )
    story.until(60)
    answered(story, 61, GiveUp(reason="401"), story.sent[0])
    story.until(5 * HOUR)
    first = story.sent[0].integration
    assert by_integration(story, first) == ["BASELINE", "BASELINE"]
    assert len(story.sent) == 3


def test_an_open_alert_is_told_to_the_receiver_that_takes_the_place_of_one_that_is_gone() -> None:
    story = (
        Timeline(delivers=False, route=route("old"), receivers=(receiver("old", hook()),)).at(0).lists(looping("web-1"))
    )
    story.until(60)
    story.core = core(route=route("new"), receivers=(receiver("new", hook()),))
    story.at(HOUR).restarts().lists(looping("web-1"))
    story.at(2 * HOUR).sees(healed(at=2 * HOUR - 10))
    story.until(3 * HOUR)
    assert [(one.receiver, one.reason.name) for one in story.sent] == [
        ("old", "FIRST"),
        ("new", "FIRST"),
        ("new", "ALL_ENDED"),
    ]
    assert [story.player.view.told.rows, story.player.view.groups.rows] == [{}, {}]


def test_what_ended_while_its_receiver_was_taken_away_leaves_nothing() -> None:
    story = (
        Timeline(delivers=False, route=route("old"), receivers=(receiver("old", hook()),)).at(0).lists(pulling("web-1"))
    )
    story.until(60)
    story.at(61).sees(pod("web-1"))
    story.core = core(route=route("new"), receivers=(receiver("new", hook()),))
    story.at(70).restarts().lists(pod("web-1"))
    story.until(HOUR)
    assert [one.receiver for one in story.sent] == ["old"]
    assert story.player.view.alerts.rows == {}


def test_an_end_is_told_though_the_first_message_arrived_only_after_the_second_was_made() -> None:
    names = [f"web-{number}" for number in range(20)]
    story = Timeline(delivers=False).at(0).lists(looping(names[0]), *(pod(name) for name in names[1:]))
    for number in range(1, 5):
        story.at(20 + number).sees(looping(names[number], at=19 + number))
    story.until(311)
    first, grown = story.sent
    assert (first.reason.name, grown.reason.name) == ("FIRST", "GREW")
    answered(story, 312, Delivered(), first)
    answered(story, 313, GiveUp(reason="400"), grown)
    for number in range(5):
        story.at(314).deletes(looping(names[number]))
    story.until(HOUR)
    assert said(story)[-1][1].startswith("-ContainerCrashLooping")


@pytest.mark.parametrize("start", [FirstStart.ALERT, FirstStart.SUMMARY])
def test_a_mistake_in_the_words_costs_neither_the_news_nor_the_service(
    start: FirstStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_words(*_: object) -> Notification:
        raise KeyError("https://user:hunter2secret@example.org/")

    for name in ("render", "summary"):
        monkeypatch.setattr(sending, name, broken_words)
    story = Timeline(delivers=False, first_start=start).at(0).lists(looping("web-1"))
    story.until(30)
    answered(story, 31, Delivered()).at(60).sees(healed(at=50))
    story.until(2 * HOUR)
    first, last = story.sent
    assert (first.status, last.status) == ("firing", "resolved")
    assert "ContainerCrashLooping" in first.title
    assert "prod-eu/shop/web/app" in first.text
    assert "KeyError" in first.text
    assert "hunter2secret" not in first.text
    assert last.alerts[0].end_reason == "recovered"
