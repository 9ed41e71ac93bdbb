"""Alertmanager's `/alerts` and `/alerts/groups` over the alerts of a time line, asked of a real server."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from tests.acceptance.test_time import looping
from tests.support.asked import asked, inside
from tests.support.clocks import StandingClock
from tests.support.pods import backoff, dead, pod
from tests.support.timeline import Timeline, core, time
from watcher.api import v2shapes
from watcher.app.metrics.alertmanager import state_metrics
from watcher.lib.matchers import parse_matchers
from watcher.model.changes import View
from watcher.model.kube import Pod
from watcher.model.silence import Silence, SilenceMatcher
from watcher.pipeline import Core
from watcher.routing.intervals import TimeInterval
from watcher.routing.route import Route

AT = 60.0


def broken_db() -> Pod:
    last = dead(1, at=-20, instance="containerd://db")
    return pod("db-1", backoff(160, last, restarts=6), owner="Deployment/db")


def story() -> Timeline:
    """Two workloads crash-loop."""
    found = Timeline().at(0).lists(looping("web-1"), broken_db(), pod("web-2"))
    found.until(AT)
    return found


def with_routes(found: Core) -> Core:
    """`web` goes to the night shift too, which is muted at all times."""
    night = Route(
        id="1",
        receiver="night",
        group_by=None,
        matchers=parse_matchers('workload="web"'),
        continue_=True,
        mute_time_intervals=("always",),
    )
    rest = Route(id="2", receiver="ops", group_by=("alertname",), matchers=())
    route = msgspec.structs.replace(found.route, routes=(*found.route.routes, night, rest))
    return msgspec.structs.replace(found, route=route, intervals={"always": (TimeInterval(),)})


def silence(id: str, *matchers: SilenceMatcher, ends: float = 3600) -> Silence:
    return Silence(id=id, matchers=matchers, starts_at=time(0), ends_at=time(ends), updated_at=time(0))


WEB = SilenceMatcher(name="workload", value="web")
DB = SilenceMatcher(name="workload", value="d.*", is_regex=True)


async def got(view: View, path: str, status: int = 200, of: Core | None = None) -> Any:
    found = inside(of or core(), view, StandingClock(time(AT)))
    async with asked(found) as url, ClientSession() as http, http.get(f"{url}/api/v2{path}") as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


def names(alerts: list[dict[str, Any]]) -> list[str]:
    return sorted(each["labels"]["workload"] for each in alerts)


async def test_an_alert_has_alertmanagers_shape_to_the_byte() -> None:
    view = story().player.view
    alert = next(each for each in view.alerts.rows.values() if each.key.workload == "web")
    found = inside(core(), view, StandingClock(time(AT)))
    path = "/api/v2/alerts?filter=workload%3Dweb"
    async with asked(found) as url, ClientSession() as http, http.get(url + path) as answer:
        body = await answer.text()
    texts = [
        json.dumps(dict(sorted(each.items())), ensure_ascii=False, separators=(",", ":"))
        for each in (alert.annotations, alert.labels)
    ]
    assert body == (
        f'[{{"annotations":{texts[0]},"endsAt":"2026-11-20T09:06:00.000Z","fingerprint":"{alert.fingerprint}",'
        f'"receivers":[{{"name":"ops"}}],"startsAt":"2026-11-20T09:00:00.000Z",'
        '"status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"},'
        f'"updatedAt":"2026-11-20T09:00:00.000Z","labels":{texts[1]}}}]\n'
    )


@pytest.mark.parametrize("size", [0, 1, 400], ids=["all at once", "one by one", "by some"])
async def test_a_long_list_comes_in_pieces_and_is_the_same(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await got(story().player.view, "/alerts")
    monkeypatch.setattr(v2shapes, "CHUNK", size or v2shapes.CHUNK)
    assert len(whole) == 2
    assert await got(story().player.view, "/alerts") == whole
    assert await got(View(), "/alerts") == []


async def test_alerts_are_found_by_filters_receiver_and_state_and_those_that_ended_are_not_shown() -> None:
    told = story()
    view = told.player.view
    view.silences.put("s1", silence("s1", WEB))
    assert names(await got(view, "/alerts")) == ["db", "web"]
    assert names(await got(view, "/alerts?silenced=false")) == ["db"]
    assert names(await got(view, "/alerts?active=false")) == ["web"]
    assert names(await got(view, "/alerts?active=&silenced=quark")) == ["db"]
    assert names(await got(view, "/alerts?filter=workload%3D~%22w.%2B%22&filter=namespace%3Dshop")) == ["web"]
    assert names(await got(view, "/alerts?filter=missing%3D%22%22")) == ["db", "web"]
    assert names(await got(view, "/alerts?receiver=o.s")) == ["db", "web"]
    assert names(await got(view, "/alerts?receiver=op")) == []
    refused = await got(view, "/alerts?receiver=%5B", 400)
    assert refused == "failed to parse receiver param: error parsing regexp: missing closing ]: `[)$`"
    told.at(AT + 1).deletes(broken_db())
    told.until(AT + 600)
    assert set(names(await got(view, "/alerts"))) == {"web"}


async def test_a_silence_counts_at_once_and_a_pending_or_expired_one_does_not() -> None:
    view = story().player.view
    later = msgspec.structs.replace(silence("s3", WEB), starts_at=time(AT + 1))
    for one in (silence("s2", WEB), silence("s1", WEB, DB), silence("s4", WEB, ends=AT), later, silence("s0", WEB)):
        view.silences.put(one.id, one)
    alerts = {each["labels"]["workload"]: each["status"] for each in await got(view, "/alerts")}
    assert alerts["web"] == {"inhibitedBy": [], "mutedBy": [], "silencedBy": ["s0", "s2"], "state": "suppressed"}
    assert alerts["db"]["state"] == "active"
    view.silences.put("s5", silence("s5", DB))
    alerts = {each["labels"]["workload"]: each["status"] for each in await got(view, "/alerts")}
    assert alerts["db"]["silencedBy"] == ["s5"]


async def test_what_is_inhibited_or_explained_names_the_other_alert_and_a_hint_that_mutes_is_named() -> None:
    view = story().player.view
    web, db = sorted(view.alerts.rows.values(), key=lambda each: each.key.workload, reverse=True)
    view.alerts.put(web.key, msgspec.structs.replace(web, held_by=db.key, explained_by=db.key))
    view.alerts.put(db.key, msgspec.structs.replace(db, muted_until=time(AT + 1)))
    alerts = {each["labels"]["workload"]: each["status"] for each in await got(view, "/alerts")}
    assert (alerts["web"]["inhibitedBy"], alerts["web"]["state"]) == ([db.fingerprint], "suppressed")
    assert (alerts["db"]["mutedBy"], alerts["db"]["state"]) == (["watcher.io/mute-until"], "suppressed")
    assert names(await got(view, "/alerts?inhibited=false")) == ["db"]
    assert names(await got(view, "/alerts?muted=false")) == ["web"]


async def test_groups_are_those_of_the_routes_with_what_mutes_each() -> None:
    view = story().player.view
    routed = with_routes(core())
    groups = await got(view, "/alerts/groups", of=routed)
    assert [(each["receiver"]["name"], sorted(each["labels"]), names(each["alerts"])) for each in groups] == [
        ("ops", ["alertname"], ["db", "web"]),
        ("night", sorted(groups[1]["alerts"][0]["labels"]), ["web"]),
    ]
    assert list(groups[0]) == ["alerts", "labels", "receiver"]
    (muted,) = groups[1]["alerts"]
    assert (muted["status"]["mutedBy"], muted["status"]["state"]) == (["always"], "suppressed")
    assert [each["name"] for each in muted["receivers"]] == ["night", "ops"]
    only = await got(view, "/alerts/groups?receiver=ops&filter=workload%3Dweb", of=routed)
    assert [(each["receiver"]["name"], each["alerts"][0]["receivers"]) for each in only] == [("ops", [{"name": "ops"}])]
    assert [each["receiver"]["name"] for each in await got(view, "/alerts/groups?muted=false", of=routed)] == ["ops"]


async def test_what_goes_to_nobody_is_listed_without_receivers_and_stands_in_no_group() -> None:
    view = story().player.view
    silent = Route(id="0", receiver="", matchers=parse_matchers('workload="web"'))
    base = core()
    of = msgspec.structs.replace(base, route=msgspec.structs.replace(base.route, routes=(silent,)))
    alerts = {each["labels"]["workload"]: each["receivers"] for each in await got(view, "/alerts", of=of)}
    assert alerts == {"web": [], "db": [{"name": "ops"}]}
    assert [names(each["alerts"]) for each in await got(view, "/alerts/groups", of=of)] == [["db"]]


async def test_secrets_in_annotations_are_struck_out() -> None:
    view = story().player.view
    alert = next(iter(view.alerts.rows.values()))
    view.alerts.put(
        alert.key, msgspec.structs.replace(alert, annotations={"summary": "password=hunter2secret \x1b[2J"})
    )
    shown = next(each for each in await got(view, "/alerts") if "summary" in each["annotations"])
    assert "hunter2secret" not in str(shown)
    assert "\x1b" not in str(shown)


def test_the_metrics_count_alerts_and_silences_by_state() -> None:
    view = story().player.view
    over = silence("s2", DB, ends=1)
    view.silences.put("s1", silence("s1", WEB))
    view.silences.put("s2", over)
    web = next(each for each in view.alerts.rows.values() if each.key.workload == "web")
    view.alerts.put(web.key, msgspec.structs.replace(web, silenced_by=("s1",)))
    now = time(0) + timedelta(seconds=AT)
    counted = {
        (family.name, sample.labels.get("state", "")): sample.value
        for family in state_metrics(view, now)
        for sample in family.samples
    }
    assert counted == {
        ("alertmanager_alerts", "active"): 1,
        ("alertmanager_alerts", "suppressed"): 1,
        ("alertmanager_silences", "active"): 1,
        ("alertmanager_silences", "expired"): 1,
        ("alertmanager_silences", "pending"): 0,
    }
