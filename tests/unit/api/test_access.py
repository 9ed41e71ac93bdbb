"""Who may write, and who may read texts: by token, by where a request comes from, and by which page sent it."""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable

import pytest
from fastapi import HTTPException, Request

from watcher.api.access import Access
from watcher.model.config import HttpConfig, Secret

HERE = "127.0.0.1"
ELSEWHERE = "10.0.0.9"
TOKEN = "s3cret-tökén"


def request(client: str | None = HERE, **headers: str) -> Request:
    """`x_forwarded_for` stands for the header x-forwarded-for."""
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    host = [] if "host" in headers else [(b"host", b"127.0.0.1:9093")]
    peer = None if client is None else (client, 40000)
    return Request({"type": "http", "method": "POST", "headers": [*host, *given], "client": peer})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def refusal(access: Access, asking: Request) -> int:
    """The status; 0 when it may."""
    try:
        await access.writing(asking)
    except HTTPException as error:
        return error.status_code
    return 0


@pytest.mark.parametrize(
    ("asking", "status"),
    [
        pytest.param(request(), 0, id="from this machine"),
        pytest.param(request("::1"), 0, id="by IPv6"),
        pytest.param(request("::ffff:127.0.0.1"), 0, id="IPv4 on a socket for both"),
        pytest.param(request("127.8.8.8"), 0, id="another loopback address"),
        pytest.param(request(ELSEWHERE), 403, id="from elsewhere"),
        pytest.param(request("::ffff:10.0.0.9"), 403, id="from elsewhere on a socket for both"),
        pytest.param(request(None), 403, id="from nobody knows where"),
        pytest.param(request(forwarded="for=127.0.0.1"), 403, id="Forwarded"),
        pytest.param(request(x_forwarded_for="127.0.0.1"), 403, id="X-Forwarded-For"),
        pytest.param(request(x_forwarded_host="w"), 403, id="X-Forwarded-Host"),
        pytest.param(request(x_forwarded_proto="https"), 403, id="X-Forwarded-Proto"),
        pytest.param(request(origin="http://127.0.0.1:9093"), 0, id="our own page"),
        pytest.param(request(origin="http://localhost:9093", host="localhost:9093"), 0, id="our own page by its name"),
        pytest.param(request(origin="http://localhost:3000"), 403, id="another page of this machine"),
        pytest.param(request(origin="https://example.org"), 403, id="another site"),
        pytest.param(request(origin="null"), 403, id="a page without a site"),
        pytest.param(
            request(origin="http://x.example:9093", host="x.example:9093"), 403, id="a name bound to loopback"
        ),
        pytest.param(request(authorization="Bearer x"), 0, id="a token that nobody asked for"),
    ],
)
async def test_without_a_token_only_this_machine_may_write(asking: Request, status: int) -> None:
    assert await refusal(Access(HttpConfig()), asking) == status


@pytest.mark.parametrize(
    ("asking", "status"),
    [
        pytest.param(request(ELSEWHERE, authorization=f"Bearer {TOKEN}"), 0, id="bearer"),
        pytest.param(request(ELSEWHERE, authorization=f"bearer  {TOKEN} "), 0, id="spelt otherwise"),
        pytest.param(request(ELSEWHERE, authorization=basic("anybody", TOKEN)), 0, id="basic"),
        pytest.param(
            request(ELSEWHERE, authorization=f"Bearer {TOKEN}", x_forwarded_for="10.1.1.1"), 0, id="through a proxy"
        ),
        pytest.param(request(), 401, id="this machine without it"),
        pytest.param(request(authorization="Bearer s3cret"), 401, id="a part of it"),
        pytest.param(request(authorization="Bearer "), 401, id="nothing"),
        pytest.param(request(authorization=TOKEN), 401, id="without a scheme"),
        pytest.param(request(authorization=f"Digest {TOKEN}"), 401, id="another scheme"),
        pytest.param(request(authorization=basic(TOKEN, "")), 401, id="as the user"),
        pytest.param(request(authorization="Basic !!!"), 401, id="broken"),
        pytest.param(
            request(authorization=basic("a", TOKEN), origin="https://example.org"), 403, id="another site's page"
        ),
        pytest.param(
            request(authorization=basic("a", TOKEN), origin="https://w.example.org"), 0, id="our page behind a proxy"
        ),
        pytest.param(
            request(authorization=f"Bearer {TOKEN}", origin="https://example.org"), 0, id="a page that has the token"
        ),
    ],
)
async def test_with_a_token_whoever_has_it_may_write(asking: Request, status: int) -> None:
    access = Access(HttpConfig(token=Secret(TOKEN), external_url="https://w.example.org/watcher"))
    assert await refusal(access, asking) == status


POSTS = "p0sts-only"


async def posting(access: Access, asking: Request) -> int:
    return await _status(access.posting, asking)


async def _status(check: Callable[[Request], Awaitable[None]], asking: Request) -> int:
    try:
        await check(asking)
    except HTTPException as error:
        return error.status_code
    return 0


@pytest.mark.parametrize(
    ("asking", "post", "write", "read"),
    [
        pytest.param(request(ELSEWHERE, authorization=f"Bearer {POSTS}"), 0, 401, 401, id="their own token"),
        pytest.param(request(ELSEWHERE, authorization=basic("prom", POSTS)), 0, 401, 401, id="as a password"),
        pytest.param(request(ELSEWHERE, authorization=f"Bearer {TOKEN}"), 0, 0, 0, id="the token for everything"),
        pytest.param(request(ELSEWHERE, authorization="Bearer p0sts"), 401, 401, 401, id="a part of it"),
        pytest.param(request(), 401, 401, 401, id="this machine without one"),
        pytest.param(
            request(authorization=basic("a", POSTS), origin="https://example.org"), 403, 401, 401, id="another site"
        ),
    ],
)
async def test_the_token_of_those_who_post_allows_nothing_else(
    asking: Request, post: int, write: int, read: int
) -> None:
    access = Access(HttpConfig(token=Secret(TOKEN), posts_token=Secret(POSTS)))
    assert await posting(access, asking) == post
    assert await refusal(access, asking) == write
    assert await _status(access.texts, asking) == read


async def test_where_only_those_who_post_have_a_token_this_machine_may_do_all() -> None:
    access = Access(HttpConfig(posts_token=Secret(POSTS)))
    assert await posting(access, request(ELSEWHERE, authorization=f"Bearer {POSTS}")) == 0
    assert await posting(access, request(ELSEWHERE)) == 403
    assert await posting(access, request()) == 0
    assert await refusal(access, request(ELSEWHERE, authorization=f"Bearer {POSTS}")) == 403


async def test_a_page_that_may_ask_may_change_things_with_the_token_only() -> None:
    pages = ("https://karma.example.org", "*")
    karma = {"authorization": basic("a", TOKEN), "origin": "https://karma.example.org"}
    access = Access(HttpConfig(token=Secret(TOKEN), cors_origins=pages))
    assert await refusal(access, request(**karma)) == 0
    assert await refusal(access, request(authorization=karma["authorization"], origin="https://example.org")) == 403
    assert await refusal(Access(HttpConfig(cors_origins=pages)), request(origin="https://karma.example.org")) == 403


async def test_a_refusal_for_want_of_the_token_says_how_to_give_it() -> None:
    with pytest.raises(HTTPException) as caught:
        await Access(HttpConfig(token=Secret(TOKEN))).writing(request())
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer realm="watcher", Basic realm="watcher"'}
    assert "http.token_file" in caught.value.detail
    assert TOKEN not in caught.value.detail


async def test_open_writes_lets_everybody_write_unless_there_is_a_token() -> None:
    far = request(ELSEWHERE, x_forwarded_for="10.1.1.1")
    assert await refusal(Access(HttpConfig(open_writes=True)), far) == 0
    assert await refusal(Access(HttpConfig(open_writes=True, token=Secret(TOKEN))), far) == 401


@pytest.mark.parametrize(
    ("http", "status"),
    [pytest.param(HttpConfig(), 0, id="no token"), pytest.param(HttpConfig(token=Secret(TOKEN)), 401, id="token")],
)
async def test_texts_are_open_until_a_token_is_set(http: HttpConfig, status: int) -> None:
    found = 0
    try:
        await Access(http).texts(request(ELSEWHERE))
    except HTTPException as error:
        found = error.status_code
    assert found == status


@pytest.mark.parametrize(
    ("http", "events"),
    [
        pytest.param(HttpConfig(), [], id="closed"),
        pytest.param(HttpConfig(open_writes=True), ["http.open_writes"], id="open"),
        pytest.param(HttpConfig(open_writes=True, token=Secret(TOKEN)), ["http.open_writes_unused"], id="both"),
    ],
)
def test_the_log_of_the_start_says_that_writing_is_open(
    http: HttpConfig, events: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Access(http).announce()
    assert [getattr(record, "event", "") for record in caplog.records] == events
    assert TOKEN not in caplog.text
