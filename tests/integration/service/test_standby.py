"""Two replicas as processes: the standby answers as the leader does, hands on what it must not do itself, and leads
when the leader is told to end."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from tests.support.pair import POSTS, Pair, Replica
from tests.support.postgres import PostgresServer
from tests.support.receivers import HANG, Answering, HttpReceiver
from watcher.demo import DemoCluster

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio(loop_scope="module")]

SOON = {"group_wait": "100ms", "group_interval": "100ms", "repeat_interval": "1h"}


class World:
    def __init__(self, pair: Pair, leader: Replica, standby: Replica) -> None:
        self.pair = pair
        self.leader = leader
        self.standby = standby


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> AsyncIterator[World]:
    """For tests that leave the leader as it is."""
    postgres_server.start()
    receiver = HttpReceiver()
    await receiver.start()
    async with DemoCluster() as demo:
        demo.world.add_node("node-1")
        pair = Pair(tmp_path_factory.mktemp("pair"), demo, postgres_server)
        pair.configure(**routed(receiver))
        async with pair.running() as (leader, standby):
            yield World(pair, leader, standby)
    await receiver.stop()


def routed(*receivers: HttpReceiver) -> dict[str, Any]:
    """To the first."""
    named = [{"name": f"r{n}", "webhook_configs": [{"url": one.url}]} for n, one in enumerate(receivers)]
    return {"route": {"receiver": "r0", "group_by": ["alertname"], **SOON}, "receivers": named}


def alert(name: str) -> list[dict[str, Any]]:
    return [{"labels": {"alertname": name, "severity": "warning"}}]


def silence(comment: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    matcher = {"name": "alertname", "value": comment, "isRegex": False, "isEqual": True}
    ends = (now + timedelta(hours=1)).isoformat()
    return {
        "matchers": [matcher], "startsAt": now.isoformat(), "endsAt": ends, "createdBy": "t", "comment": comment,
    }  # fmt: skip


def has(name: str) -> Any:
    return lambda answer: name.encode() in answer.body


# ---- reading ----


@pytest.mark.parametrize("path", ["/api/v2/alerts", "/api/v2/alerts/groups"])
async def test_what_the_leader_has_stored_the_standby_shows(world: World, path: str) -> None:
    name = f"Shown{path.rpartition('/')[2]}"
    assert (await world.leader.ask("POST", "/api/v2/alerts", alert(name))).status == 200
    shown = await world.standby.until(path, has(name), within=20)
    assert shown.same == (await world.leader.ask("GET", path)).same


async def test_the_standby_knows_silences_receivers_and_the_configuration(world: World) -> None:
    assert (await world.leader.ask("POST", "/api/v2/silences", silence("Known"))).status == 200
    shown = await world.standby.until("/api/v2/silences", has("Known"), within=20)
    assert shown.same == (await world.leader.ask("GET", "/api/v2/silences")).same
    for path in ("/api/v2/receivers", "/api/watcher/v1/openapi.json"):
        assert (await world.standby.ask("GET", path)).same == (await world.leader.ask("GET", path)).same
    here, there = [(await one.ask("GET", "/api/v2/status")).json for one in (world.standby, world.leader)]
    assert here["versionInfo"] == there["versionInfo"]
    assert here["config"]["original"] == there["config"]["original"]


async def test_both_are_ready_and_one_leads(world: World) -> None:
    for replica, leads in ((world.leader, 1), (world.standby, 0)):
        assert (await replica.ask("GET", "/-/ready")).json["ready"] is True
        assert (await replica.ask("GET", "/-/healthy")).status == 200
        assert await replica.metric("watcher_is_leader") == leads
    assert await world.leader.metric("watcher_leader_epoch") == 1


# ---- changing ----


async def test_a_silence_is_made_seen_changed_and_ended_through_the_standby(world: World) -> None:
    body = silence("Through")
    made = await world.standby.ask("POST", "/api/v2/silences", body)
    assert made.status == 200, made
    id = made.json["silenceID"]
    assert (await world.leader.ask("GET", f"/api/v2/silence/{id}")).json["comment"] == "Through"
    assert (await world.standby.ask("GET", f"/api/v2/silence/{id}")).json["comment"] == "Through"
    changed = await world.standby.ask("POST", "/api/v2/silences", {**body, "id": id, "comment": "again"})
    assert changed.json == {"silenceID": id}
    assert (await world.standby.ask("GET", f"/api/v2/silence/{id}")).json["comment"] == "again"
    assert (await world.standby.ask("DELETE", f"/api/v2/silence/{id}")).status == 200
    for replica in (world.leader, world.standby):
        assert (await replica.ask("GET", f"/api/v2/silence/{id}")).json["status"]["state"] == "expired"


async def test_alerts_posted_to_the_standby_are_the_leaders(world: World) -> None:
    assert (await world.standby.ask("POST", "/api/v2/alerts", alert("Posted"), token=POSTS)).status == 200
    for replica in (world.leader, world.standby):
        assert has("Posted")(await replica.ask("GET", "/api/v2/alerts"))


async def test_a_test_message_is_sent_through_the_standby(world: World) -> None:
    sent = await world.standby.ask("POST", "/api/watcher/v1/receivers/r0/test?wait=20s")
    assert sent.status == 202, sent
    (tested,) = sent.json["integrations"]
    assert (tested["outcome"], tested["attempts"]) == ("delivered", 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "token"),
    [
        pytest.param("POST", "/api/v2/silences", silence("No"), "", id="a silence without a token"),
        pytest.param("POST", "/api/v2/silences", silence("No"), "wrong", id="a silence with a wrong token"),
        pytest.param("POST", "/api/v2/silences", silence("No"), POSTS, id="a silence with the token for alerts"),
        pytest.param("POST", "/api/v2/silences", b"{", None, id="a silence that is no JSON"),
        pytest.param("POST", "/api/v2/silences", {"matchers": []}, None, id="a silence of nothing"),
        pytest.param("DELETE", f"/api/v2/silence/{uuid.UUID(int=0)}", None, None, id="an unknown silence"),
        pytest.param("DELETE", "/api/v2/silence/a%2Fb", None, None, id="an id that is none"),
        pytest.param("DELETE", f"/api/v2/silence/{uuid.UUID(int=0)}", None, "", id="an end without a token"),
        pytest.param("POST", "/api/v2/alerts", alert("No"), "", id="alerts without a token"),
        pytest.param("POST", "/api/v2/alerts", None, None, id="no alerts"),
        pytest.param("POST", "/api/v2/alerts", [{"labels": {}}], None, id="an alert without labels"),
        pytest.param("PUT", "/api/v2/alerts", alert("No"), None, id="a method that is none"),
        pytest.param("POST", "/api/v2/nothing", None, None, id="a path that is none"),
        pytest.param("POST", "/api/watcher/v1/receivers/r0/test", None, "", id="a test without a token"),
        pytest.param("POST", "/api/watcher/v1/receivers/nobody/test", None, None, id="a test of nobody"),
        pytest.param("POST", "/api/watcher/v1/receivers/r0/test?wait=9h", None, None, id="a test for too long"),
        pytest.param("POST", "/api/watcher/v1/deliveries/unknown/resend", None, None, id="an unknown message"),
        pytest.param("PATCH", "/-/healthy", None, None, id="a method that is none, of nobody"),
    ],
)
async def test_what_the_leader_refuses_is_refused_alike(
    world: World, method: str, path: str, body: Any, token: str | None
) -> None:
    given = {} if token is None else {"token": token}
    direct = await world.leader.ask(method, path, body, **given)
    through = await world.standby.ask(method, path, body, **given)
    assert direct.status >= 400
    assert through.same == direct.same
    for name in ("Date", "Server", "Content-Length"):
        assert list(through.headers).count(name.lower()) <= 1


@pytest.mark.parametrize("large", [alert("x") * 20_001, b" " * (33 * 1024 * 1024)], ids=["too many", "too large"])
async def test_more_than_is_taken_is_refused_through_the_standby_too(world: World, large: Any) -> None:
    direct, through = [await one.ask("POST", "/api/v2/alerts", large) for one in (world.leader, world.standby)]
    assert direct.status == 413
    assert through.same == direct.same


# ---- another configuration, and another leader ----


async def test_without_a_token_nothing_is_changed_through_a_standby_by_who_only_looks_local(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """On one machine the leader sees the standby's address, which is its own."""
    async with DemoCluster() as demo:
        pair = Pair(tmp_path, demo, postgres)
        pair.configure(http={}, route={"receiver": "r0"}, receivers=[{"name": "r0"}])
        async with pair.running() as (leader, standby):
            assert (await leader.ask("POST", "/api/v2/alerts", alert("Mine"), token="")).status == 200
            through = await standby.ask("POST", "/api/v2/alerts", alert("Foreign"), token="")
            assert through.status == 403, through


async def test_a_standby_reads_its_own_configuration_and_leads_with_it_when_the_leader_ends(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    one, two = HttpReceiver(), HttpReceiver()
    await one.start()
    await two.start()
    async with DemoCluster() as demo:
        pair = Pair(tmp_path, demo, postgres)
        pair.configure(**routed(one, two))
        async with pair.running() as (leader, standby):
            whole = standby.config.read_text()
            standby.config.write_text(whole.replace("receiver: r0", "receiver: nobody"))
            refused = await standby.ask("POST", "/-/reload")
            assert (refused.status, b"nobody" in refused.body) == (500, True)
            assert await standby.metric("watcher_config_last_reload_successful") == 0
            assert await leader.metric("watcher_config_last_reload_successful") == 1
            document = yaml.safe_load(whole)
            document["route"]["receiver"] = "r1"
            standby.config.write_text(yaml.safe_dump(document))
            assert (await standby.ask("POST", "/-/reload")).status == 200
            assert has("receiver: r1")(await standby.ask("GET", "/api/v2/status"))
            assert (await standby.ask("POST", "/api/v2/alerts", alert("First"))).status == 200
            await heard(one, "First")
            # Nobody may be elected for a while, and says so.
            demo.access.deny(resource="leases")
            assert await leader.ended() == 0
            nobody = await standby.ask("POST", "/api/v2/alerts", alert("Nobody"))
            assert (nobody.status, nobody.headers["Retry-After"]) == (503, "2")
            assert (await standby.ask("GET", "/-/ready")).status == 200
            assert has("First")(await standby.ask("GET", "/api/v2/alerts"))
            await standby.until("/metrics", lambda answer: b"watcher_leader_lease_failures_total 0" not in answer.body)
            demo.access.denied.clear()
            demo.cluster.apply("Lease", "watcher", "watcher", {"spec": {"holderIdentity": ""}})
            await standby.until("/metrics", lambda answer: b"watcher_is_leader 1.0" in answer.body)
            assert (await standby.ask("POST", "/api/v2/alerts", alert("Second"))).status == 200
            await heard(two, "Second")
            assert "Second" not in told(one)
            assert await standby.ended() == 0
    await one.stop()
    await two.stop()


async def test_with_a_receiver_that_hangs_the_leader_and_then_its_successor_end_in_time_and_in_order(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    receiver = HttpReceiver()
    receiver.answering = Answering(status=HANG)
    await receiver.start()
    async with DemoCluster() as demo:
        pair = Pair(tmp_path, demo, postgres)
        pair.configure(**routed(receiver))
        async with pair.running() as (leader, standby):
            assert (await leader.ask("POST", "/api/v2/alerts", alert("Slow"))).status == 200
            await heard(receiver, "Slow")
            now = asyncio.get_running_loop().time
            begun = now()
            assert await leader.ended() == 0
            assert now() - begun < 10
            await standby.until("/metrics", lambda answer: b"watcher_is_leader 1.0" in answer.body)
            assert await standby.metric("watcher_leader_epoch") == 2
            begun = now()
            assert await standby.ended() == 0
            assert now() - begun < 10
    await receiver.stop()


def told(receiver: HttpReceiver) -> list[str]:
    return [each["labels"]["alertname"] for one in receiver.received for each in one.body["alerts"]]


async def heard(receiver: HttpReceiver, name: str) -> None:
    async with asyncio.timeout(30):
        while name not in told(receiver):
            await asyncio.sleep(0.02)
