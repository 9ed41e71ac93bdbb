"""What a standby hands on reaches the leader as it came, and so does the answer; what it answers itself never hangs.

A local server plays the leader and notes what it is sent; the standby is served by the very server that serves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec
import pytest
import uvicorn
from aiohttp import web
from yarl import URL

from tests.support.clocks import BEGIN
from watcher.app import standby
from watcher.app.standby import Standby
from watcher.engine.clock import SystemClock
from watcher.model.changes import View
from watcher.ports import Leader, StoreError


class Seen(msgspec.Struct, frozen=True):
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class FakeLeader:
    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[], web.Response] = lambda: web.json_response({"silenceID": "1"})
        self.early = False
        """It answers before it has read the body."""
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = b"" if self.early else await request.read()
        headers = [(name.decode(), value.decode("utf-8", "replace")) for name, value in request.raw_headers]
        self.seen.append(Seen(request.method, request.raw_path, headers, body))
        return self.answer()


class FakeStore:
    def __init__(self) -> None:
        self.address: str | None = None
        self.last: datetime = BEGIN
        self.looks = self.loads = 0
        self.away = False
        self.hanging = asyncio.Event()
        self.hanging.set()

    async def leader(self) -> Leader | None:
        if self.away:
            raise StoreError("Postgres does not answer.")
        if self.address is None:
            return None
        return Leader(epoch=3, holder="x/1", address=self.address, since=None)

    async def last_commit(self) -> datetime:
        self.looks += 1
        await self.hanging.wait()
        if self.away:
            raise StoreError("Postgres does not answer.")
        return self.last

    async def load(self) -> tuple[View, datetime]:
        self.loads += 1
        return View(), self.last


class World:
    def __init__(self) -> None:
        self.leader, self.store = FakeLeader(), FakeStore()
        self.url = ""
        self.http: aiohttp.ClientSession
        self.stats = SimpleNamespace(store_failing=False)
        self.answered: list[str] = []

    async def own(self, scope: Any, receive: Any, send: Any) -> None:
        """What the standby has of the service."""
        self.answered.append(scope["path"])
        status = 503 if self.stats.store_failing and scope["path"] == "/-/ready" else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"own"})

    async def ask(self, method: str, target: str = "/api/v2/silences", **what: Any) -> tuple[int, Any, bytes]:
        async with self.http.request(method, URL(self.url + target, encoded=True), **what) as answer:
            return answer.status, answer.headers, await answer.read()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    async with contextlib.AsyncExitStack() as stack:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", found.leader.take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.leader.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        found.store.address = found.leader.url
        session = await stack.enter_async_context(aiohttp.ClientSession())
        service: Any = SimpleNamespace(
            application=lambda: found.own, writer=SimpleNamespace(view=View(), stats=found.stats)
        )
        outside: Any = SimpleNamespace(store=found.store, session=session, clock=SystemClock())
        found.url = await stack.enter_async_context(serving(Standby(service, outside, "http://myself:9093")))
        # Within the server, which waits for its clients to hang up.
        found.http = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        yield found


@contextlib.asynccontextmanager
async def serving(application: Any) -> AsyncIterator[str]:
    """Without its main loop, which looks ten times a second whether it is to end."""
    config = uvicorn.Config(application, port=0, log_config=None, lifespan="off", proxy_headers=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    await server.on_tick(0)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    for listening in server.servers:
        listening.close()
        await listening.wait_closed()


# ---- handing on ----


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/api/v2/silences", id="plain"),
        pytest.param("/api/v2/alerts?filter=a%3D%22b%22&filter=c%3Dd&silenced=&active=true", id="repeated keys"),
        pytest.param("/api/v2/silence/a%2Fb%3Fc%23d", id="an id with quoted signs"),
        pytest.param("/api/watcher/v1/receivers/gr%C3%BC%C3%9Fe/test?wait=1s", id="a name that is not ASCII"),
        pytest.param("/api/v2/alerts?filter=a%2Bb+c", id="plus signs"),
        pytest.param("//twice//", id="slashes"),
    ],
)
async def test_path_and_query_arrive_as_they_came(world: World, target: str) -> None:
    status, _, body = await world.ask("POST", target, data=b"{}")
    assert (status, body) == (200, b'{"silenceID": "1"}')
    assert world.leader.seen[0].target == target
    assert world.answered == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_may_change_something_is_handed_on(world: World, method: str) -> None:
    assert (await world.ask(method))[0] == 200
    assert [one.method for one in world.leader.seen] == [method]
    assert world.leader.seen[0].body == b""


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_what_only_reads_is_answered_here(world: World, method: str) -> None:
    assert (await world.ask(method))[0] == 200
    assert world.answered == ["/api/v2/silences"]
    assert world.leader.seen == []


async def test_its_own_configuration_is_its_own_affair(world: World) -> None:
    assert (await world.ask("POST", "/-/reload"))[0] == 200
    assert world.answered == ["/-/reload"]
    assert world.leader.seen == []


async def test_headers_arrive_as_they_came_but_for_those_of_the_connection(world: World) -> None:
    headers = [
        ("Authorization", "Bearer tökén"),
        ("Content-Type", "application/json"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Host", "watcher.example:9093"),
        ("Origin", "http://watcher.example:9093"),
        ("X-Hop", "1"),
        ("TE", "trailers"),
        ("Connection", "keep-alive, X-Hop"),
    ]
    assert (await world.ask("POST", data=b"{}", headers=headers))[0] == 200
    (seen,) = world.leader.seen
    assert seen.values("authorization") == ["Bearer tökén"]
    assert seen.values("x-twice") == ["1", "2"]
    assert seen.values("x-forwarded-for") == ["192.0.2.1", "127.0.0.1"]
    assert seen.values("host") == ["watcher.example:9093"]
    assert seen.values("origin") == ["http://watcher.example:9093"]
    assert seen.values("content-length") == ["2"]
    assert seen.values("via") == ["1.1 watcher-standby"]
    assert seen.values("x-hop") == seen.values("te") == []


async def test_the_leader_is_asked_for_nothing_that_the_client_did_not_ask_for(world: World) -> None:
    plain = dict.fromkeys(("Accept", "Accept-Encoding", "User-Agent"))
    assert (await world.ask("DELETE", skip_auto_headers=[*plain]))[0] == 200
    (seen,) = world.leader.seen
    assert {name.lower() for name, _ in seen.headers} == {"content-length", "host", "via", "x-forwarded-for"}


async def test_a_packed_body_and_a_packed_answer_stay_packed(world: World) -> None:
    packed = gzip.compress(b'{"comment": "packed"}')
    world.leader.answer = lambda: web.Response(body=packed, headers={"Content-Encoding": "gzip", "X-Twice": "1"})
    status, headers, body = await world.ask("POST", data=packed, headers={"Content-Encoding": "gzip"})
    assert world.leader.seen[0].values("content-encoding") == ["gzip"]
    assert (status, headers["Content-Encoding"], body) == (200, "gzip", packed)


async def test_the_answer_comes_as_the_leader_gave_it(world: World) -> None:
    def answer() -> web.Response:
        found = web.Response(status=401, text="who are you?", content_type="text/plain")
        found.headers.add("WWW-Authenticate", "Bearer")
        found.headers.add("WWW-Authenticate", "Basic")
        found.headers["Location"] = "/elsewhere"
        return found

    world.leader.answer = answer
    status, headers, body = await world.ask("POST")
    assert (status, body) == (401, b"who are you?")
    assert headers.getall("WWW-Authenticate") == ["Bearer", "Basic"]
    assert headers.getall("Content-Type") == ["text/plain; charset=utf-8"]
    for once in ("Date", "Content-Length", "Location"):
        assert len(headers.getall(once)) == 1


@pytest.mark.parametrize("status", [204, 302, 404, 413, 500])
async def test_no_status_is_taken_for_another(world: World, status: int) -> None:
    headers = {"Location": "/elsewhere"} if status == 302 else {}
    world.leader.answer = lambda: web.Response(status=status, headers=headers)
    assert (await world.ask("POST", allow_redirects=False))[0] == status
    assert len(world.leader.seen) == 1


async def test_a_large_body_is_passed_on_as_it_comes(world: World) -> None:
    large = bytes(range(256)) * 4096 * 20

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(large), 65536):
            yield large[at : at + 65536]

    assert (await world.ask("POST", data=parts()))[0] == 200
    assert world.leader.seen[0].body == large
    assert world.leader.seen[0].values("transfer-encoding") == ["chunked"]


async def test_a_leader_that_refuses_before_it_has_read_the_body_is_heard(world: World) -> None:
    world.leader.early = True
    world.leader.answer = lambda: web.Response(status=401, text="no")
    assert (await world.ask("POST", data=io.BytesIO(bytes(8 * 1024 * 1024))))[::2] == (401, b"no")


async def test_who_changed_something_here_sees_it_here(world: World) -> None:
    await world.ask("GET")
    assert world.store.loads == 1
    world.store.last = BEGIN.replace(year=BEGIN.year + 1)
    await world.ask("POST")
    await world.ask("GET")
    assert world.store.loads == 2


# ---- nobody to hand on to ----


async def free_address() -> str:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(None, id="nobody ever led"),
        pytest.param("", id="the leader told no address"),
        pytest.param("http://myself:9093", id="it led itself"),
        pytest.param("gone", id="the leader is gone"),
        pytest.param("http://watcher.invalid.:9093", id="its name leads nowhere"),
        pytest.param("http://[broken", id="its address is none"),
        pytest.param("gopher://leader", id="its address is of another kind"),
    ],
)
async def test_without_a_leader_it_says_so_and_when_to_ask_again(world: World, address: str | None) -> None:
    world.store.address = await free_address() if address == "gone" else address
    status, headers, body = await world.ask("POST", data=b"{}")
    assert (status, headers["Retry-After"]) == (503, "2")
    assert "ask again in a few seconds" in msgspec.json.decode(body, type=str)
    status, headers, body = await world.ask("POST", "/api/watcher/v1/deliveries/x/retry")
    assert (status, headers["Retry-After"]) == (503, "2")
    assert "ask again" in msgspec.json.decode(body)["error"]


async def test_without_a_store_nobody_knows_the_leader(world: World) -> None:
    world.store.away = True
    status, headers, _ = await world.ask("POST", data=b"{}")
    assert (status, headers["Retry-After"]) == (503, "2")


async def test_two_that_take_each_other_for_the_leader_do_not_ask_in_a_circle(world: World) -> None:
    world.store.address = world.url
    status, headers, _ = await world.ask("POST", data=b"{}")
    assert (status, headers["Retry-After"]) == (503, "2")


async def test_a_leader_that_hangs_up_is_no_leader(world: World) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        world.store.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert (await world.ask("POST", data=b"{}"))[0] == 503


async def test_a_leader_that_does_not_answer_is_not_waited_for_without_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "ANSWER_WITHIN", 0.2)
    end = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await end.wait()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    async with server:
        world.store.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert (await world.ask("POST", data=b"{}"))[0] == 503
        end.set()


# ---- the state ----


async def test_the_store_is_asked_once_a_second_at_most_and_read_when_it_changed(world: World) -> None:
    for _ in range(20):
        await world.ask("GET")
    assert world.store.looks <= 5
    assert world.store.loads == 1


async def test_while_the_store_is_away_the_last_answers_stand_and_readiness_is_red(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "LOOK_EVERY", 0.0)
    world.store.away = True
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert (await world.ask("GET", "/-/ready"))[0] == 503
            assert (await world.ask("GET", "/api/v2/alerts"))[0] == 200
    assert [one.getMessage() for one in caplog.records] == ["the store does not answer"]
    world.store.away = False
    assert (await world.ask("GET", "/-/ready"))[0] == 200


async def test_a_store_that_hangs_makes_it_unready_and_neither_unhealthy_nor_mute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(standby, "STORE_WITHIN", 0.1)
    world.store.hanging.clear()
    async with asyncio.timeout(20):
        ready, healthy, alerts = await asyncio.gather(
            world.ask("GET", "/-/ready"), world.ask("GET", "/-/healthy"), world.ask("GET", "/api/v2/alerts")
        )
        assert (await world.ask("GET", "/-/ready"))[0] == 503
    assert healthy[0] == alerts[0] == 200
    assert world.answered[0] == "/-/healthy"
    assert ready[0] in (200, 503)
    world.store.hanging.set()
    assert (await world.ask("GET", "/-/ready"))[0] == 200
