"""Another configuration while alerts are open (or found at a restart): rows 52, 53 and 86 of behaviours.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.acceptance.test_many import broken
from tests.acceptance.test_time import looping
from tests.support.pods import pod, status
from tests.support.timeline import GROUP_BY, PODS, Timeline, core, done, time
from watcher.lib.matchers import parse_matchers
from watcher.model.config import FirstStart, Receiver, Secret, WebhookConfig
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.message import Notification
from watcher.model.observations import ConfigRejected, DeliveryDone, Scope
from watcher.routing.route import Route

HOUR = 3600.0
LOOPING = "ContainerCrashLooping"
HOOK = WebhookConfig(url=Secret("http://x"))
OPS = Receiver(name="ops", integrations=(("webhook_configs[0]", HOOK),))
SHOP = Receiver(name="shop", integrations=(("webhook_configs[0]", HOOK),))
BOTH = (OPS, SHOP)


def route(receiver: str, *children: tuple[str, str], **fields: Any) -> Route:
    """`children`: (matchers, receiver)"""
    times: dict[str, Any] = {
        "group_by": GROUP_BY,
        "group_wait": timedelta(seconds=10),
        "group_interval": timedelta(minutes=5),
        "repeat_interval": timedelta(hours=12),
        **fields,
    }
    nodes = tuple(
        Route(id=str(number), receiver=name, matchers=parse_matchers(text), **times)
        for number, (text, name) in enumerate(children)
    )
    return Route(id="", receiver=receiver, routes=nodes, **times)


Said = tuple[float, str, str, str]
"""(second, receiver, reason, alerts)"""


def told(story: Timeline, since: float = 0) -> list[Said]:
    rows = zip(story.sent, story.heard, strict=True)
    return [(at, sent.receiver, reason, alerts) for sent, (at, reason, alerts) in rows if at >= since]


def started(**fields: Any) -> Timeline:
    return Timeline(receivers=BOTH, route=route("ops"), **fields).at(0).lists(pod("web-1")).at(1).sees(looping("web-1"))


def to_shop(**fields: Any) -> dict[str, Any]:
    return {"receivers": BOTH, "route": route("ops", ('namespace="shop"', "shop")), **fields}


# --- row 86: the route


def test_86_the_old_receiver_hears_that_it_moved_and_the_new_one_that_it_fires() -> None:
    story = started()
    story.until(60)
    story.at(100).reloads(**to_shop())
    story.until(HOUR)
    assert told(story) == [
        (11, "ops", "FIRST", LOOPING),
        (110, "shop", "FIRST", LOOPING),
        (311, "ops", "ALL_ENDED", f"-{LOOPING}:moved"),
    ]


def test_86_the_end_goes_to_the_new_receiver_alone() -> None:
    story = started()
    story.at(100).reloads(**to_shop())
    story.at(HOUR).sees(pod("web-1"))
    story.until(2 * HOUR)
    assert [(receiver, alerts) for _, receiver, _, alerts in told(story, HOUR)] == [("shop", f"-{LOOPING}:recovered")]


def test_86_so_it_is_when_the_route_was_changed_while_watcher_was_down() -> None:
    story = started()
    story.until(60)
    story.core = core(delivered_at_once=True, **to_shop())
    story.at(100).restarts().lists(looping("web-1"))
    story.until(HOUR)
    assert told(story, 20) == [(110, "shop", "FIRST", LOOPING), (311, "ops", "ALL_ENDED", f"-{LOOPING}:moved")]


def test_86_back_and_forth_within_a_moment_is_no_news() -> None:
    story = started()
    story.until(60)
    story.at(100).reloads(**to_shop()).at(101).reloads(receivers=BOTH, route=route("ops"))
    story.until(HOUR)
    assert told(story, 20) == []
    story.at(HOUR).sees(pod("web-1"))
    story.until(2 * HOUR)
    assert [(receiver, alerts) for _, receiver, _, alerts in told(story, 20)] == [("ops", f"-{LOOPING}:recovered")]


def test_86_what_nobody_was_told_of_moves_silently() -> None:
    story = started()
    story.at(5).reloads(**to_shop())
    story.until(HOUR)
    assert told(story) == [(15, "shop", "FIRST", LOOPING)]


def test_86_the_other_alerts_of_the_group_stay() -> None:
    story = Timeline(receivers=BOTH, route=route("ops", group_by=("cluster",))).at(0).lists()
    story.at(1).sees(broken("shop", 1), broken("bank", 2))
    story.until(60)
    story.at(100).reloads(**to_shop(route=route("ops", ('namespace="shop"', "shop"), group_by=("cluster",))))
    story.until(HOUR)
    (first, moved) = [sent for sent in story.sent if sent.receiver == "ops"]
    assert len(first.alerts) == 2
    assert states(moved) == [("bank", "firing", None), ("shop", "resolved", "moved")]


def states(sent: Notification) -> list[tuple[str, str, str | None]]:
    return sorted((a.labels["namespace"], a.status, a.end_reason and str(a.end_reason)) for a in sent.alerts)


def test_86_a_message_that_was_refused_is_owed_still() -> None:
    story = started(delivers=False)
    story.at(100).reloads(**to_shop())
    story.until(400)
    first, moved = (sent for sent in story.sent if sent.receiver == "ops")
    story.at(401).takes(*(DeliveryDone(at=time(401), message_id=sent.id, outcome=Delivered()) for sent in [first]))
    story.takes(DeliveryDone(at=time(402), message_id=moved.id, outcome=GiveUp(reason="404")))
    story.until(HOUR)
    again = [sent for sent in story.sent if sent.receiver == "ops"][2]
    assert [alert.end_reason for alert in again.alerts] == ["moved"]


# --- the same receiver, another place in the tree


def test_another_grouping_tells_its_receiver_nothing() -> None:
    story = started()
    story.until(60)
    story.at(100).reloads(receivers=BOTH, route=route("ops", group_by=("cluster",)))
    story.until(12 * HOUR)
    assert told(story, 20) == []
    story.until(13 * HOUR)
    assert [(receiver, reason) for _, receiver, reason, _ in told(story, 20)] == [("ops", "REPEAT")]
    story.at(14 * HOUR).sees(pod("web-1"))
    story.until(15 * HOUR)
    assert told(story, 14 * HOUR)[0][1:] == ("ops", "ALL_ENDED", f"-{LOOPING}:recovered")


def test_a_route_before_it_changes_the_place_and_tells_nothing() -> None:
    before = route("shop", ('namespace="shop"', "ops"))
    after = route("shop", ('namespace="elsewhere"', "shop"), ('namespace="shop"', "ops"))
    story = Timeline(receivers=BOTH, route=before).at(0).lists(pod("web-1")).at(1).sees(looping("web-1"))
    story.until(60)
    story.at(100).reloads(receivers=BOTH, route=after)
    story.until(6 * HOUR)
    assert told(story, 20) == []


def test_a_message_that_waits_is_heard_before_what_comes_after_it() -> None:
    story = started(delivers=False)
    story.until(60)
    (first,) = story.sent
    story.at(61).takes(DeliveryDone(at=time(61), message_id=first.id, outcome=TryLater(reason="503")))
    story.at(100).reloads(receivers=BOTH, route=route("ops", group_by=("cluster",)))
    story.at(110).sees(pod("web-1"))
    story.until(1000)
    assert len(story.sent) == 1
    story.at(1001).takes(DeliveryDone(at=time(1001), message_id=first.id, outcome=Delivered()))
    story.until(HOUR)
    assert [reason for _, _, reason, _ in told(story)] == ["FIRST", "ALL_ENDED"]


def test_a_receiver_that_gains_an_integration_tells_it_what_fires() -> None:
    story = started()
    story.until(60)
    two = msgspec.structs.replace(OPS, integrations=(*OPS.integrations, ("webhook_configs[1]", HOOK)))
    story.at(100).reloads(receivers=(two, SHOP), route=route("ops"))
    story.until(HOUR)
    new = [sent for sent in story.sent if sent.integration == "webhook_configs[1]"]
    assert [(sent.reason.name, len(story.sent)) for sent in new] == [("FIRST", 2)]


def test_a_receiver_that_is_gone_hears_nothing_and_another_is_told() -> None:
    story = started()
    story.until(60)
    story.at(100).reloads(receivers=(SHOP,), route=route("shop"))
    story.until(HOUR)
    assert told(story, 20) == [(110, "shop", "FIRST", LOOPING)]


def test_a_base_line_that_was_told_fires_at_the_new_receiver() -> None:
    story = Timeline(receivers=BOTH, route=route("ops"), first_start=FirstStart.SUMMARY).at(0).lists(broken("shop", 1))
    story.until(60)
    story.at(100).reloads(**to_shop(first_start=FirstStart.SUMMARY))
    story.until(HOUR)
    assert [(receiver, reason) for _, receiver, reason, _ in told(story)] == [
        ("ops", "BASELINE"),
        ("shop", "FIRST"),
        ("ops", "ALL_ENDED"),
    ]


def test_a_base_line_that_was_not_told_yet_is_in_the_summary_of_the_new_receiver() -> None:
    story = Timeline(receivers=BOTH, route=route("ops"), first_start=FirstStart.SUMMARY).at(0).lists(broken("shop", 1))
    story.at(5).reloads(**to_shop(first_start=FirstStart.SUMMARY))
    story.until(HOUR)
    assert [(receiver, reason) for _, receiver, reason, _ in told(story)] == [("shop", "BASELINE")]


# --- row 52: what is watched


def test_52_a_namespace_that_is_excluded_closes_its_alerts() -> None:
    story = started()
    story.until(60)
    story.at(100).reloads(receivers=BOTH, route=route("ops"), excluded=["shop"], again=[PODS])
    story.at(101).lists()
    story.until(HOUR)
    assert told(story, 20) == [(311, "ops", "ALL_ENDED", f"-{LOOPING}:out_of_scope")]


def test_52_so_it_is_when_it_was_excluded_while_watcher_was_down() -> None:
    story = started()
    story.until(60)
    story.at(100).restarts(excluded=["shop"]).lists()
    story.until(HOUR)
    assert told(story, 20) == [(311, "ops", "ALL_ENDED", f"-{LOOPING}:out_of_scope")]


def test_52_a_namespace_that_is_watched_no_more_closes_its_alerts() -> None:
    shop, bank = Scope(kind="Pod", namespace="shop"), Scope(kind="Pod", namespace="bank")
    story = Timeline(receivers=BOTH, route=route("ops")).at(0).restarts(shop, bank, known=False)
    story.lists(namespace="bank").lists(pod("web-1"), namespace="shop").at(1).sees(looping("web-1"), namespace="shop")
    story.until(60)
    story.at(100).reloads(receivers=BOTH, route=route("ops"), scopes=[bank])
    story.until(HOUR)
    assert told(story, 20) == [(311, "ops", "ALL_ENDED", f"-{LOOPING}:out_of_scope")]
    assert not story.player.view.pods.rows


def test_a_namespace_that_is_no_longer_excluded_is_a_base_line() -> None:
    story = Timeline(receivers=BOTH, route=route("ops"), first_start=FirstStart.SUMMARY).at(0)
    story.restarts(known=False, excluded=["bank"]).lists(pod("web-1"))
    story.until(60)
    story.at(100).reloads(receivers=BOTH, route=route("ops"), again=[PODS], first_start=FirstStart.SUMMARY)
    story.at(101).lists(looping("web-1"), broken("bank", 2))
    story.until(HOUR)
    heard = [(sent.reason.name, sent.alerts[0].labels["namespace"]) for sent in story.sent]
    assert sorted(heard) == [("BASELINE", "bank"), ("FIRST", "shop")]
    assert story.player.view.meta.admitted == ()


def test_from_the_cluster_to_its_namespaces_is_no_news() -> None:
    shop = Scope(kind="Pod", namespace="shop")
    story = started()
    story.until(60)
    story.at(100).reloads(receivers=BOTH, route=route("ops"), scopes=[shop])
    story.at(101).lists(looping("web-1"), pod("web-2"), namespace="shop")
    story.until(6 * HOUR)
    assert told(story, 20) == []
    assert story.firing() == [LOOPING]


def test_nothing_is_judged_until_a_new_scope_was_listed() -> None:
    shop, bank = Scope(kind="Pod", namespace="shop"), Scope(kind="Pod", namespace="bank")
    story = Timeline(receivers=BOTH, route=route("ops")).at(0).restarts(shop, known=False)
    story.lists(pod("web-1"), namespace="shop").at(1).sees(looping("web-1"), namespace="shop")
    story.at(5).reloads(receivers=BOTH, route=route("ops"), scopes=[shop, bank])
    assert story.until(60) == []
    story.at(61).lists(namespace="bank")
    story.until(120)
    assert [alerts for _, _, _, alerts in told(story)] == [LOOPING]


# --- row 53: the rules


def test_53_a_removed_rule_closes_its_alert_and_another_goes_on_with_its_old_labels() -> None:
    story = Timeline(receivers=BOTH, route=route("ops")).at(0).lists(pod("web-1"))
    pulls = status(waiting="ErrImagePull", message="failed to resolve reference: not found")
    story.at(1).sees(looping("web-1"), pod("pay-1", pulls, namespace="bank", owner="Deployment/pay"))
    story.until(60)
    (image,) = {a.key.alertname for a in story.player.view.alerts.rows.values() if a.key.namespace == "bank"}
    assert image != LOOPING
    changed = core(receivers=BOTH, route=route("ops"), without=("WorkloadDown", "PodNotReady", image))
    rules = tuple(
        msgspec.structs.replace(rule, labels={**rule.labels, "team": "new"}) if rule.alert == LOOPING else rule
        for rule in changed.rules
    )
    before = len(story.sent)
    story.at(100).reloads(receivers=BOTH, route=route("ops"), rules=rules)
    story.until(2 * HOUR)
    assert [(reason, alerts) for _, _, reason, alerts in told(story)[before:]] == [
        ("ALL_ENDED", f"-{image}:rule_removed")
    ]
    (open_alert,) = (a for a in story.player.view.alerts.rows.values() if a.ends_at is None)
    assert "team" not in open_alert.labels


def test_a_new_rule_judges_what_is_there_at_once_as_its_base_line() -> None:
    without = ("WorkloadDown", "PodNotReady", LOOPING)
    story = Timeline(receivers=BOTH, route=route("ops"), without=without, first_start=FirstStart.SUMMARY).at(0)
    story.lists(looping("web-1"))
    story.until(60)
    assert story.firing() == []
    story.at(100).reloads(receivers=BOTH, route=route("ops"), first_start=FirstStart.SUMMARY)
    assert story.firing() == [LOOPING]
    story.until(HOUR)
    assert [(receiver, reason) for _, receiver, reason, _ in told(story)] == [("ops", "BASELINE")]


def test_pending_members_keep_their_time() -> None:
    story = Timeline(receivers=BOTH, route=route("ops")).at(0).lists(pod("web-1"))
    story.at(1).sees(pod("web-1", ready=False))
    waiting = {m.key: m.due for m in story.player.view.members.rows.values()}
    story.at(100).reloads(receivers=BOTH, route=route("ops"))
    assert {m.key: m.due for m in story.player.view.members.rows.values()} == waiting


def test_the_same_configuration_again_changes_nothing() -> None:
    story = started()
    story.until(60)
    for second in range(100, 110):
        story.at(second).reloads(receivers=BOTH, route=route("ops"))
    story.until(6 * HOUR)
    assert told(story, 20) == []


# --- a configuration that is refused


def refused(at: float, reason: str = "config.yaml:3:1: unknown key recievers") -> ConfigRejected:
    return ConfigRejected(at=time(at), errors=2, reason=reason)


def test_a_refused_configuration_is_an_alert_until_one_is_taken() -> None:
    story = Timeline(receivers=BOTH, route=route("ops")).at(0).lists(pod("web-1"))
    story.at(10).takes(refused(10)).at(20).takes(refused(20, "config.yaml:4:1: another"))
    story.until(100)
    assert told(story) == [(20, "ops", "FIRST", "WatcherConfigRefused")]
    assert "config.yaml:4:1: another" in done(story.store.messages(1))[0].notification.text
    story.at(HOUR).reloads(receivers=BOTH, route=route("ops"))
    story.until(2 * HOUR)
    assert told(story, HOUR)[0][1:] == ("ops", "ALL_ENDED", "-WatcherConfigRefused:recovered")


def test_a_start_with_a_good_configuration_ends_it_too() -> None:
    story = Timeline(receivers=BOTH, route=route("ops")).at(0).lists(pod("web-1")).at(10).takes(refused(10))
    story.until(100)
    story.at(HOUR).restarts().lists(pod("web-1"))
    story.until(2 * HOUR)
    assert told(story, HOUR)[0][1:] == ("ops", "ALL_ENDED", "-WatcherConfigRefused:recovered")


@pytest.mark.parametrize("known", [True, False], ids=["restart", "first start"])
def test_what_is_excluded_from_the_start_is_no_base_line(known: bool) -> None:
    story = (
        Timeline(receivers=BOTH, route=route("ops")).at(0).restarts(known=known, excluded=["bank"]).lists(pod("web-1"))
    )
    assert (story.player.view.meta.excluded, story.player.view.meta.admitted) == (("bank",), ())
