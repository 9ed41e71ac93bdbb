"""Why somebody was, or was not, told: what is joined, as JSON and as text."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.support.own import TOKEN, own
from tests.support.pods import backoff, dead, pod
from tests.support.timeline import Timeline, core, time
from tests.support.volumes import mounts, summary, volume
from tests.unit.api.test_signals import looping
from watcher.client import explanation_text
from watcher.lib.matchers import parse_matchers
from watcher.model.kube import Pod
from watcher.model.observations import AlertsPosted, SilenceAsked
from watcher.model.posted import PostedAlert
from watcher.model.silence import Silence, SilenceMatcher
from watcher.pipeline import Core
from watcher.routing.inhibition import InhibitRule
from watcher.routing.intervals import TimeInterval
from watcher.routing.route import Route

ID = "11111111-2222-4333-8444-555555555555"
QUIET = "a silence matches it"


def once(name: str = "db-1") -> Pod:
    """It has died once and is not ready: nothing that a rule wants."""
    return pod(name, backoff(20, dead(1, at=10, instance="containerd://db"), restarts=1), owner="Deployment/db")


def silenced(at: float, *, label: str = "workload", value: str = "web") -> SilenceAsked:
    silence = Silence(
        id="",
        matchers=(SilenceMatcher(name=label, value=value),),
        starts_at=time(at),
        ends_at=time(at + 3600),
        created_by="ann",
        comment="its database moves, password=hunter2hunter2",
        updated_at=time(at),
    )
    return SilenceAsked(at=time(at), request="s", silence=silence, new_id=ID, by="ann")


def told() -> Timeline:
    found = Timeline().at(0).lists(looping(), looping("web-2"), pod("api-1", owner="Deployment/api"))
    found.at(20).sees(once())
    found.until(100)
    return found


async def explained(found: Timeline, of: str, at: float = 100, **headers: str) -> dict[str, Any]:
    body: dict[str, Any] = await own(found, f"/explain?of={quote(of, safe='')}", 200, at, **headers)
    return body


def text(body: dict[str, Any]) -> str:
    return "\n".join(explanation_text(body))


@pytest.mark.parametrize("of", ["shop/web", "shop/web-1"], ids=["workload", "pod"])
async def test_who_was_told_is_told_with_when_and_what_became_of_the_message(of: str) -> None:
    body = await explained(told(), of)
    (alert,) = body["alerts"]
    assert (alert["alert"]["alertname"], alert["state"]) == ("ContainerCrashLooping", "firing")
    assert alert["holds"] == []
    assert [(one["receiver"], one["delivered"]) for one in alert["told"]] == [("ops", True)]
    assert alert["groups"][0]["receiver"] == "ops"
    (sent,) = [each for each in body["decisions"] if each["verdict"] == "send"]
    assert sent["reason"] == "first notification"
    assert [each["id"] for each in body["deliveries"]] == [sent["message"]]
    assert body["deliveries"][0]["state"] == "delivered"
    assert body["signals"]
    assert body["history"]
    shown = text(body)
    assert "ContainerCrashLooping fires: told ops/webhook_configs[0] at 2026-11-20 09:00:" in shown
    assert f"pod {of.removeprefix('shop/')}" in shown or "Deployment web, 0 of 2 pods ready" in shown


async def test_of_a_pod_only_its_own_moves_are_told_and_those_of_its_alert() -> None:
    body = await explained(told(), "shop/web-1")
    assert {each["subject"] for each in body["history"]} == {"", "shop/web-1/app", "shop/web-1"}
    assert {each["pod"] for each in body["signals"]} == {"web-1"}


async def test_what_no_rule_wants_says_why_not() -> None:
    body = await explained(told(), "shop/db-1")
    assert body["alerts"] == []
    shown = text(body)
    assert "No alert is open" in shown
    assert "ContainerCrashLooping (warning): no: deaths_10m >= 3" in shown
    assert "PodNotReady (warning): pending until 2026-11-20 09:15:" in shown


async def test_what_is_well_is_said_to_be_well() -> None:
    body = await explained(told(), "shop/api-1")
    assert (body["signals"], body["alerts"], body["history"]) == ([], [], [])
    assert "Nothing that Watcher looks for is wrong with it now." in text(body)
    assert "pod api-1 of Deployment api, Running, ready" in text(body)


async def test_a_silence_that_holds_it_is_named() -> None:
    found = Timeline().at(0).takes(silenced(0)).lists(looping())
    found.until(100)
    body = await explained(found, "shop/web")
    (hold,) = body["alerts"][0]["holds"]
    assert (hold["reason"], hold["until"]) == (QUIET, "2026-11-20T10:00:00Z")
    assert hold["what"].startswith("silence 11111111-2222-4333-8444-555555555555 by ann: its database moves")
    assert "hunter2" not in text(body)
    assert "nobody was told, held back: a silence matches it (silence 11111111" in text(body)
    assert [each["reason"] for each in body["decisions"]] == [QUIET]


async def test_an_alert_that_inhibits_it_is_named() -> None:
    rule = InhibitRule(
        source=parse_matchers('alertname="Mine"'), target=parse_matchers('alertname="ContainerCrashLooping"')
    )
    mine = PostedAlert(labels={"alertname": "Mine"})
    found = Timeline(inhibit_rules=(rule,)).at(0).takes(AlertsPosted(at=time(0), alerts=(mine,)))
    found.lists(looping())
    found.until(100)
    (hold,) = (await explained(found, "shop/web"))["alerts"][0]["holds"]
    assert hold["reason"] == "another alert inhibits it"
    assert hold["what"].startswith("Mine ")


def night(found: Core) -> Core:
    route = msgspec.structs.replace(
        found.route, routes=(), mute_time_intervals=("night",), matchers=(), group_by=("alertname",)
    )
    return Core.build(
        rules=found.rules,
        route=route,
        receivers=tuple(found.receivers.values()),
        intervals={"night": (TimeInterval(),)},
        first_start=found.first_start,
        delivered_at_once=True,
    )


async def test_a_time_interval_that_mutes_the_route_is_named() -> None:
    found = Timeline()
    found.core = found.player.core = night(core())
    found.at(0).lists(looping())
    found.until(100)
    (hold,) = (await explained(found, "shop/web"))["alerts"][0]["holds"]
    assert (hold["reason"], hold["receiver"]) == ("a time interval mutes its route", "ops")
    assert "night" in hold["what"]


async def test_that_no_receiver_hears_of_it_is_said() -> None:
    found = Timeline(route=Route(id="", receiver="")).at(0).lists(looping())
    found.until(100)
    body = await explained(found, "shop/web")
    assert [hold["reason"] for hold in body["alerts"][0]["holds"]] == ["its route leads to no receiver"]


async def test_what_waits_for_its_group_says_until_when() -> None:
    found = Timeline().at(0).lists(looping())
    found.until(3)
    body = await explained(found, "shop/web", at=3)
    assert "nobody was told, to be told ops at 2026-11-20 09:00:10Z" in text(body)


async def test_a_fingerprint_explains_one_alert_and_a_posted_one_is_found_by_what_its_labels_name() -> None:
    labels = {"alertname": "HighCPU", "namespace": "shop", "pod": "web-9"}
    found = told()
    found.at(100).takes(AlertsPosted(at=time(100), alerts=(PostedAlert(labels=labels),)))
    found.until(150)
    by_pod = await explained(found, "shop/web-9", at=150)
    mark = by_pod["alerts"][0]["alert"]["fingerprint"]
    by_mark = await explained(found, mark, at=150)
    assert [each["labels"] for each in by_mark["alerts"]] == [labels]
    assert by_mark["decisions"] == by_pod["decisions"] != []


@pytest.mark.parametrize(
    "of",
    ["HighCPU", "alertname=HighCPU", '{alertname="HighCPU",pod=~"web-.+"}', "pod=web-9"],
    ids=["its name", "its name as a label", "matchers", "a label"],
)
async def test_an_alert_is_found_by_its_name_and_labels(of: str) -> None:
    labels = {"alertname": "HighCPU", "namespace": "shop", "pod": "web-9"}
    found = told()
    found.at(100).takes(AlertsPosted(at=time(100), alerts=(PostedAlert(labels=labels),)))
    found.until(150)
    body = await explained(found, of, at=150)
    assert [each["labels"] for each in body["alerts"]] == [labels]
    assert {each["alert"]["alertname"] for each in body["decisions"]} == {"HighCPU"}
    assert body["signals"] == []


async def test_what_is_over_is_found_by_its_labels_as_long_as_the_history_knows_it() -> None:
    found = told()
    found.at(200).deletes(looping(), looping("web-2"))
    found.until(2000)
    body = await explained(found, "ContainerCrashLooping", at=2000)
    assert body["alerts"] == []
    assert {each["alert"]["workload"] for each in body["history"]} == {"db", "web"}
    assert (await explained(found, "alertname=ContainerCrashLooping,workload=web", at=2000))["history"]
    wrong = await own(found, f"/explain?of={quote('alertname=ContainerCrashLooping,workload=api')}", 404, at=2000)
    assert 'an alert with {alertname="ContainerCrashLooping",workload="api"}' in wrong["error"]


async def test_matchers_that_fit_very_many_alerts_are_refused() -> None:
    many = tuple(PostedAlert(labels={"alertname": "HighCPU", "instance": f"web-{n}"}) for n in range(101))
    found = Timeline().at(0).takes(AlertsPosted(at=time(0), alerts=many))
    found.until(20)
    body = await own(found, "/explain?of=HighCPU", 400, at=20)
    assert body["error"] == "of: 101 alerts match; name more labels (at most 100 may)"


async def test_an_effect_that_is_not_seen_any_more_is_not_said_to_have_been_told() -> None:
    found = Timeline().at(0).lists(looping())
    found.until(100)
    view = found.player.view
    (alert,) = view.alerts.rows.values()
    cause = msgspec.structs.replace(alert.key, alertname="NodeNotReady")
    for change, holds in (
        ({"unseen_since": time(50)}, ["it was told, and nothing was heard of it since"]),
        ({"unseen_since": time(50), "explained_by": cause}, ["it is the effect of another alert"]),
    ):
        view.alerts.put(alert.key, msgspec.structs.replace(alert, **change))
        body = await explained(found, "shop/web")
        assert [each["reason"].partition(",")[0] for each in body["alerts"][0]["holds"]] == [
            each.partition(",")[0] for each in holds
        ]
        assert f"now held back: {holds[0].partition(',')[0]}" in text(body)


async def test_what_was_never_told_is_not_said_to_have_been_told_when_it_is_not_seen() -> None:
    found = Timeline().at(0).takes(silenced(0)).lists(looping())
    found.until(100)
    view = found.player.view
    (alert,) = view.alerts.rows.values()
    view.alerts.put(alert.key, msgspec.structs.replace(alert, unseen_since=time(50)))
    shown = text(await explained(found, "shop/web"))
    assert "nobody was told, held back: a silence matches it" in shown
    assert "it was told" not in shown


async def test_members_without_a_pod_are_called_by_their_workload_and_claim() -> None:
    found = Timeline(without=()).at(0).lists(looping(), looping("web-2"))
    found.until(400)
    body = await explained(found, "alertname=WorkloadDown", at=400)
    assert [each["subject"] for each in body["alerts"][0]["members"]] == ["shop/web"]
    assert {each["subject"] for each in body["history"]} == {"", "shop/web"}
    shown = text(body)
    assert "\n    - shop/web firing, since" in shown


async def test_what_is_over_is_known_from_the_history() -> None:
    found = told()
    found.at(200).deletes(looping(), looping("web-2"))
    found.until(2000)
    body = await explained(found, "shop/web-1", at=2000)
    assert (body["known"], body["signals"], body["alerts"]) == ([], [], [])
    assert body["history"]
    assert [each["status"] for each in body["deliveries"]] == ["resolved", "firing"]
    assert "It is not there now" in text(body)


async def test_at_a_time_only_what_was_known_then_is_told() -> None:
    found = told()
    path = f"/explain?of=shop%2Fweb&at={quote((time(5)).isoformat())}"
    body = await own(found, path, at=100)
    assert body["at"] == "2026-11-20T09:00:05Z"
    assert (body["signals"], body["alerts"], body["decisions"], body["deliveries"]) == ([], [], [], [])
    assert {each["at"] for each in body["history"]} == {"2026-11-20T09:00:00Z"}
    shown = text(body)
    assert "ContainerCrashLooping" in shown
    assert "was firing (since 2026-11-20 09:00:00Z)" in shown
    assert "0 decisions to send and 0 to hold back by then" in shown
    later = await own(found, f"/explain?of=shop%2Fweb&at={quote((time(60)).isoformat())}", at=100)
    assert [each["state"] for each in later["deliveries"]] == ["delivered"]


@pytest.mark.parametrize(
    ("of", "status", "said"),
    [
        pytest.param("shop/nothing", 404, "a pod, workload or claim nothing in the namespace shop", id="a name"),
        pytest.param("0123456789abcdef", 404, "an alert with the fingerprint 0123456789abcdef", id="a fingerprint"),
        pytest.param("n9", 404, "a node n9", id="a node"),
        pytest.param("a/b/c", 400, "write NAMESPACE/NAME", id="three parts"),
        pytest.param("/b", 400, "write NAMESPACE/NAME", id="no namespace"),
    ],
)
async def test_what_is_not_known_is_said_with_what_was_looked_for(of: str, status: int, said: str) -> None:
    body = await own(told(), f"/explain?of={quote(of, safe='')}", status, at=100)
    assert said in body["error"]


async def test_the_token_is_wanted_where_one_is_set() -> None:
    assert "error" in await own(told(), "/explain?of=shop%2Fweb", 401, Authorization="Basic eDp5")
    assert (await explained(told(), "shop/web", Authorization=f"Bearer {TOKEN}"))["alerts"]


async def test_a_claim_is_called_by_its_name_among_the_members_and_in_the_history() -> None:
    found = Timeline(without=()).at(0).lists(pod("web-1"))
    for minute in range(6):
        found.at(60 * minute).sample("n1", summary(mounts("web-1", volume("data", 92))))
    found.until(400)
    body = await explained(found, "shop/data", at=400)
    (alert,) = body["alerts"]
    assert [each["subject"] for each in alert["members"]] == ["shop/data"]
    assert "shop/data" in {each["subject"] for each in body["history"]}


async def test_the_time_is_that_of_the_service() -> None:
    assert await own(told(), "/time", at=100) == {"now": "2026-11-20T09:01:40Z"}
