"""`http_config` against real servers: TLS, proxies, redirects, headers, and answers that are none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.certificates import certificate, key_of, server_context
from watcher.deliver.answers import Answer, outcome_of
from watcher.deliver.http import Client, post
from watcher.model.config import HttpClient, Secret, TlsConfig
from watcher.model.delivery import Delivered, GiveUp, TryLater

SOON = timedelta(seconds=5)
PATH = "/hook/T0KEN"


class Server:
    """Says 200, and what `answer` says at other paths."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[web.Request], web.Response] = lambda _: web.Response(text="ok")
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.seen.append(request)
        return self.answer(request)


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(answer: bytes) -> AsyncIterator[int]:
    """A server that says these bytes to whatever comes, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def ask(url: str, config: HttpClient | None = None) -> Answer | TryLater | GiveUp:
    async with aiohttp.ClientSession() as session:
        return await post(session, Secret(url), b"{}", {"X-Own": "1"}, SOON, Client(config or HttpClient()))


def status(answer: Answer | TryLater | GiveUp) -> int:
    assert isinstance(answer, Answer), answer
    return answer.status


def reason(answer: Answer | TryLater | GiveUp) -> str:
    assert isinstance(answer, TryLater), answer
    return answer.reason


# ---- TLS -----------------------------------------------------------------------------------------------------------


async def test_a_server_is_trusted_by_its_ca_file_and_no_other(tmp_path: Path) -> None:
    own, other = certificate(tmp_path), certificate(tmp_path, "other")
    async with serving(server_context(own)) as server:
        url = f"https://127.0.0.1:{server.port}{PATH}"
        assert status(await ask(url, HttpClient(tls=TlsConfig(ca_file=str(own))))) == 200
        for tls in (TlsConfig(), TlsConfig(ca_file=str(other))):
            assert "no trusted TLS connection" in reason(await ask(url, HttpClient(tls=tls)))
        assert status(await ask(url, HttpClient(tls=TlsConfig(insecure_skip_verify=True)))) == 200


async def test_the_certificate_must_have_the_name_that_is_asked_for(tmp_path: Path) -> None:
    own = certificate(tmp_path, names="DNS:hooks.example")
    async with serving(server_context(own)) as server:
        url = f"https://127.0.0.1:{server.port}{PATH}"
        named = TlsConfig(ca_file=str(own), server_name="hooks.example")
        assert status(await ask(url, HttpClient(tls=named))) == 200
        assert "no trusted" in reason(await ask(url, HttpClient(tls=TlsConfig(ca_file=str(own)))))


async def test_watcher_shows_its_own_certificate_where_it_has_one(tmp_path: Path) -> None:
    own, mine = certificate(tmp_path), certificate(tmp_path, "client")
    async with serving(server_context(own, mine)) as server:
        url = f"https://127.0.0.1:{server.port}{PATH}"
        shown = TlsConfig(ca_file=str(own), cert_file=str(mine), key_file=str(key_of(mine)))
        assert status(await ask(url, HttpClient(tls=shown))) == 200
        assert reason(await ask(url, HttpClient(tls=TlsConfig(ca_file=str(own)))))


async def test_an_old_tls_version_is_refused_where_a_newer_one_is_demanded(tmp_path: Path) -> None:
    own = certificate(tmp_path)
    context = server_context(own)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(context) as server:
        url = f"https://127.0.0.1:{server.port}{PATH}"
        assert status(await ask(url, HttpClient(tls=TlsConfig(ca_file=str(own), min_version="TLS12")))) == 200
        assert reason(await ask(url, HttpClient(tls=TlsConfig(ca_file=str(own), min_version="TLS13"))))


async def test_a_renewed_ca_file_is_used_without_a_restart(tmp_path: Path) -> None:
    own, other = certificate(tmp_path), certificate(tmp_path, "other")
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(other.read_bytes())
    async with serving(server_context(own)) as server, aiohttp.ClientSession() as session:
        client = Client(HttpClient(tls=TlsConfig(ca_file=str(trusted))))
        url = Secret(f"https://127.0.0.1:{server.port}{PATH}")
        assert isinstance(await post(session, url, b"{}", {}, SOON, client), TryLater)
        trusted.write_bytes(own.read_bytes() + b"\n")
        assert status(await post(session, url, b"{}", {}, SOON, client)) == 200
        trusted.unlink()
        assert "ca.pem" in reason(await post(session, url, b"{}", {}, SOON, client))


# ---- headers and proxies ---------------------------------------------------------------------------------------------


async def test_configured_headers_and_the_authorization_go_with_every_request() -> None:
    config = HttpClient(auth_type="Token", credentials=Secret("c"), headers=(("X-Scope", Secret("shop")),))
    async with serving() as server:
        assert status(await ask(f"http://127.0.0.1:{server.port}{PATH}", config)) == 200
    sent = server.seen[0].headers
    assert (sent["Authorization"], sent["X-Scope"], sent["X-Own"]) == ("Token c", "shop", "1")
    assert sent["Content-Type"] == "application/json"


async def test_a_proxy_is_asked_for_the_whole_address() -> None:
    async with serving() as proxy:
        through = Secret(f"http://127.0.0.1:{proxy.port}")
        assert status(await ask(f"http://hooks.example{PATH}", HttpClient(http_proxy=through))) == 200
    assert proxy.seen[0].headers["Host"] == "hooks.example"
    assert proxy.bodies == [b"{}"]


async def test_a_proxy_makes_the_way_for_tls_and_is_shown_its_own_headers(tmp_path: Path) -> None:
    own = certificate(tmp_path)
    heads: list[bytes] = []
    async with serving(server_context(own)) as server:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            inner, outer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(_copy(reader, outer), _copy(inner, writer))

        listening = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with listening:
            proxy = Secret(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
            config = HttpClient(
                https_proxy=proxy,
                tls=TlsConfig(ca_file=str(own)),
                proxy_headers=(("Proxy-Authorization", Secret("x")),),
            )
            assert status(await ask(f"https://127.0.0.1:{server.port}{PATH}", config)) == 200
    assert heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: x" in heads[0]
    assert "Proxy-Authorization" not in server.seen[0].headers


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("entry", "direct"),
    [("*", True), ("127.0.0.1", True), ("127.0.0.0/8", True), ("0.0.1", True), ("example.org", False), ("", False)],
    ids=["all", "address", "network", "end of the name", "another", "empty"],
)
async def test_no_proxy_says_who_is_asked_directly(entry: str, direct: bool) -> None:
    async with serving() as server:
        config = HttpClient(http_proxy=Secret("http://127.0.0.1:1"), no_proxy=(entry,))
        answer = await ask(f"http://127.0.0.1:{server.port}{PATH}", config)
    assert isinstance(answer, Answer) is direct


async def test_a_proxy_that_is_away_or_says_no_is_tried_later_without_its_password() -> None:
    away = HttpClient(http_proxy=Secret("http://user:s3cret-passw0rd@127.0.0.1:1"))
    assert "s3cret" not in reason(await ask(f"http://hooks.example{PATH}", away))
    async with raw(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as port:
        refusing = HttpClient(https_proxy=Secret(f"http://127.0.0.1:{port}"))
        assert reason(await ask(f"https://hooks.example{PATH}", refusing)) == "the proxy answers HTTP 407"


# ---- redirects -------------------------------------------------------------------------------------------------------


def to(location: str, code: int) -> Callable[[web.Request], web.Response]:
    def answer(request: web.Request) -> web.Response:
        if request.path == "/new":
            return web.Response(text="ok")
        return web.Response(status=code, headers={"Location": location})

    return answer


@pytest.mark.parametrize("location", ["/new", "new", "http://127.0.0.1:{port}/new"], ids=["path", "relative", "whole"])
@pytest.mark.parametrize("code", [307, 308])
async def test_a_moved_address_on_the_same_host_gets_the_same_message(code: int, location: str) -> None:
    async with serving() as server:
        server.answer = to(location.replace("{port}", str(server.port)), code)
        answer = await ask(f"http://127.0.0.1:{server.port}/old", HttpClient(credentials=Secret("c")))
    assert status(answer) == 200
    assert [request.path for request in server.seen] == ["/old", "/new"]
    assert server.bodies == [b"{}", b"{}"]
    assert server.seen[1].headers["Authorization"] == "Bearer c"


async def test_http_may_lead_to_https_on_the_same_host_with_its_credentials(tmp_path: Path) -> None:
    own = certificate(tmp_path)
    async with serving(server_context(own)) as secure, serving() as server:
        server.answer = to(f"https://127.0.0.1:{secure.port}/new", 308)
        url = f"http://u:p@127.0.0.1:{server.port}/old"
        assert status(await ask(url, HttpClient(tls=TlsConfig(ca_file=str(own))))) == 200
    assert secure.seen[0].headers["Authorization"] == server.seen[0].headers["Authorization"]


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://localhost:{port}/new", 308),
        ("http://127.0.0.1:1/new", 308),
        ("//localhost:{port}/new", 307),
        ("ftp://127.0.0.1:{port}/new", 307),
        ("http://[::1/new", 307),
        ("", 307),
        ("/new", 301),
        ("/new", 302),
        ("/new", 303),
    ],
    ids=["host", "port", "host without scheme", "ftp", "broken", "none", "301", "302", "303"],
)
async def test_no_other_redirect_is_followed(location: str, code: int) -> None:
    async with serving() as server:
        server.answer = to(location.replace("{port}", str(server.port)), code)
        answer = await ask(f"http://127.0.0.1:{server.port}/old")
    assert status(answer) == code
    assert [request.path for request in server.seen] == ["/old"]
    assert isinstance(answer, Answer)
    assert isinstance(outcome_of(answer), GiveUp)


async def test_redirects_without_an_end_and_where_they_are_off_are_given_up() -> None:
    async with serving() as server:
        server.answer = lambda request: web.Response(status=308, headers={"Location": f"{request.path}x"})
        assert status(await ask(f"http://127.0.0.1:{server.port}/old")) == 308
        assert len(server.seen) == 4
        assert status(await ask(f"http://127.0.0.1:{server.port}/old", HttpClient(follow_redirects=False))) == 308
        assert len(server.seen) == 5


# ---- answers that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 ", b"220 mail.example ESMTP\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000],
    ids=["nothing", "half a line", "another protocol", "headers without an end"],
)
async def test_an_answer_that_is_none_is_tried_later(answer: bytes) -> None:
    async with raw(answer) as port:
        assert reason(await ask(f"http://127.0.0.1:{port}{PATH}"))


async def test_an_answer_cut_off_after_its_status_counts_by_its_status() -> None:
    for code, expected in ((200, Delivered), (404, GiveUp), (503, TryLater)):
        async with raw(b"HTTP/1.1 %d X\r\nContent-Length: 1000\r\n\r\nhalf" % code) as port:
            answer = await ask(f"http://127.0.0.1:{port}{PATH}")
        assert isinstance(answer, Answer)
        assert answer.body == b"half"
        assert isinstance(outcome_of(answer), expected)


async def test_of_a_huge_answer_only_the_beginning_is_read() -> None:
    async with serving() as server:
        server.answer = lambda _: web.Response(status=500, body=b"x" * 5_000_000)
        answer = await ask(f"http://127.0.0.1:{server.port}{PATH}")
    assert isinstance(answer, Answer)
    assert len(answer.body) == 64 * 1024
    assert len(repr(outcome_of(answer))) < 400


async def test_a_large_message_goes_out_whole() -> None:
    async with serving() as server, aiohttp.ClientSession() as session:
        url = Secret(f"http://127.0.0.1:{server.port}{PATH}")
        server.answer = lambda request: web.Response(text=request.headers["Content-Length"])
        answer = await post(session, url, b"x" * 900_000, {}, SOON)
    assert isinstance(answer, Answer)
    assert answer.body == b"900000"
    assert len(server.bodies[0]) == 900_000
