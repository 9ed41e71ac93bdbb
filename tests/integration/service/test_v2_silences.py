"""Alertmanager's API v2 in a running service: what it answers to the byte, silences, and who may change them.

The bodies of refusals are those of a running Alertmanager 0.25.0 (`alertmanager-facts`, section 2), but for the words
of invalid silences and a DELETE of an unknown one, which are those of later versions.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from tests.integration.service.conftest import blocked
from tests.support.serving import served
from watcher.api import v2silences
from watcher.model.observations import SilenceAsked, SilenceExpireAsked
from watcher.source.reading import read

CONFIG = """\
cluster: demo
volumes: {source: none}
route: {receiver: team, group_by: [alertname]}
receivers: [{name: team, webhook_configs: [{url: "http://127.0.0.1:9/secret"}]}]
"""
V2 = "/api/v2"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
JSON = {"Content-Type": "application/json"}


class Got(NamedTuple):
    status: int
    body: str
    headers: dict[str, str]

    @property
    def data(self) -> Any:
        return json.loads(self.body)


async def ask(url: str, method: str, path: str, body: str | None = None, **headers: str) -> Got:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        given = JSON | given
    data = None if body is None else BytesIO(body.encode())
    async with ClientSession() as http, http.request(method, url + path, data=data, headers=given) as answer:
        return Got(answer.status, await answer.text(), dict(answer.headers))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """One service for all tests that leave it as it was."""
    async with served(tmp_path_factory.mktemp("shared"), CONFIG) as url:
        yield url


def silence(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "comment": "c",
        "createdBy": "ann",
        "endsAt": "2099-01-01T00:00:00Z",
        "matchers": [{"name": "a", "value": "b", "isRegex": False}],
        "startsAt": "2020-01-01T00:00:00Z",
    }
    return {name: value for name, value in (fields | changes).items() if value != "absent"}


def text(**changes: Any) -> str:
    return json.dumps(silence(**changes))


def matcher(**changes: Any) -> list[dict[str, Any]]:
    fields: dict[str, Any] = {"name": "a", "value": "b", "isRegex": False}
    return [{name: value for name, value in (fields | changes).items() if value != "absent"}]


def framework(code: int, message: str) -> str:
    return json.dumps({"code": code, "message": message}, separators=(",", ":"))


def unread(why: str) -> str:
    return framework(400, f'parsing silence body from "" failed, because {why}')


def said(words: str) -> str:
    return json.dumps(words) + "\n"


REFUSED_REQUESTS = [
    pytest.param("GET", "/nope", 404, "path /api/v2/nope was not found", id="an unknown path"),
    pytest.param("GET", "/", 404, "path /api/v2/ was not found", id="no path"),
    pytest.param("GET", "/silence/", 404, "path /api/v2/silence/ was not found", id="a silence without an id"),
    pytest.param("GET", "/silence/a/b", 404, "path /api/v2/silence/a/b was not found", id="too long a path"),
    pytest.param("PUT", "/silences", 405, "method PUT is not allowed, but [GET,POST] are", id="a wrong verb"),
    pytest.param("DELETE", "/status", 405, "method DELETE is not allowed, but [GET] are", id="one verb only"),
    pytest.param("OPTIONS", "/silences", 405, "method OPTIONS is not allowed, but [GET,POST] are", id="a preflight"),
    pytest.param("POST", "/silence/x", 405, "method POST is not allowed, but [DELETE,GET] are", id="before the id"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("method", "path", "status", "message"), REFUSED_REQUESTS)
async def test_what_nobody_serves_is_refused_as_alertmanager_does(
    service: str, method: str, path: str, status: int, message: str
) -> None:
    got = await ask(service, method, V2 + path)
    assert (got.status, got.body) == (status, framework(status, message))
    assert got.headers["Content-Type"] == "application/json"
    if status == 405:
        assert got.headers["Allow"] == message.partition("[")[2].partition("]")[0]


@pytest.mark.asyncio(loop_scope="module")
async def test_head_is_no_verb_of_this_api(service: str) -> None:
    got = await ask(service, "HEAD", f"{V2}/status")
    assert (got.status, got.headers["Allow"]) == (405, "GET")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("accept", "status"),
    [("text/html", 406), ("text/html, */*;q=0.1", 200), ("application/json", 200), ("application/*", 200), ("", 200)],
)
async def test_who_wants_no_json_gets_nothing_else(service: str, accept: str, status: int) -> None:
    got = await ask(service, "GET", f"{V2}/receivers", Accept=accept)
    wanted = "unsupported media type requested, only [application/json] are available"
    assert (got.status, got.body) == (status, framework(406, wanted) if status == 406 else '[{"name":"team"}]\n')


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream"])
async def test_a_body_that_is_said_to_be_no_json_is_not_read(service: str, kind: str) -> None:
    got = await ask(service, "POST", f"{V2}/silences", text(), Content_Type=kind)
    wanted = f'unsupported media type "{kind}", only [application/json] are allowed'
    assert (got.status, got.body) == (415, framework(415, wanted))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_slash_at_the_end_changes_nothing_and_pages_of_other_sites_are_not_let_in(service: str) -> None:
    got = await ask(service, "GET", f"{V2}/receivers/", Origin="https://evil.example")
    assert (got.status, got.body) == (200, '[{"name":"team"}]\n')
    assert got.headers["Cache-Control"] == "no-store"
    assert not [name for name in got.headers if name.lower().startswith("access-control")]


REFUSED_BODIES = [
    pytest.param("", 422, framework(602, "silence in body is required"), id="no body"),
    pytest.param("null", 422, framework(602, "comment in body is required"), id="null"),
    pytest.param("{}", 422, framework(602, "comment in body is required"), id="an empty object"),
    pytest.param("{", 400, unread("unexpected EOF"), id="an end too early"),
    pytest.param(
        "[null]",
        400,
        unread("json: cannot unmarshal array into Go value of type models.PostableSilence"),
        id="null in an array",
    ),
    pytest.param(
        text(comment=3),
        400,
        unread("json: cannot unmarshal number into Go struct field Silence.comment of type string"),
        id="a number as comment",
    ),
    pytest.param(
        text(matchers=3),
        400,
        unread("json: cannot unmarshal number into Go struct field Silence.matchers of type models.Matchers"),
        id="a number as matchers",
    ),
    pytest.param(
        text(matchers=[3]),
        400,
        unread("json: cannot unmarshal number into Go struct field Silence.matchers of type models.Matcher"),
        id="a number as matcher",
    ),
    pytest.param(text(createdBy=None), 422, framework(602, "createdBy in body is required"), id="no author"),
    pytest.param(text(endsAt="absent"), 422, framework(602, "endsAt in body is required"), id="no end"),
    pytest.param(text(startsAt="absent"), 422, framework(602, "startsAt in body is required"), id="no start"),
    pytest.param(text(matchers="absent"), 422, framework(602, "matchers in body is required"), id="no matchers"),
    pytest.param(
        text(matchers=[]), 422, framework(612, "matchers in body should have at least 1 items"), id="empty matchers"
    ),
    pytest.param(text(matchers=[None]), 422, framework(602, "matchers.0 in body is required"), id="a null matcher"),
    pytest.param(text(matchers=[{}]), 422, framework(602, "matchers.0.isRegex in body is required"), id="a bare one"),
    pytest.param(
        text(matchers=matcher(name="absent")), 422, framework(602, "matchers.0.name in body is required"), id="no name"
    ),
    pytest.param(
        text(matchers=matcher(value=None)), 422, framework(602, "matchers.0.value in body is required"), id="no value"
    ),
    pytest.param(
        text(matchers=matcher(value="")),
        400,
        said("invalid silence: matcher set 0: at least one matcher must not match the empty string"),
        id="matches what lacks the label",
    ),
    pytest.param(
        text(matchers=matcher(value="[", isRegex=True)),
        400,
        said(
            'invalid silence: invalid label matcher 0 in set 0: invalid regular expression "[": '
            "error parsing regexp: missing closing ]: `[`"
        ),
        id="a wrong regex",
    ),
    pytest.param(
        text(matchers=matcher(name="")),
        400,
        said('invalid silence: invalid label matcher 0 in set 0: invalid label name ""'),
        id="an empty name",
    ),
    pytest.param(
        text(endsAt=""), 400, said("Failed to create silence: start time must be before end time"), id="an unset end"
    ),
    pytest.param(
        text(startsAt="2019-01-01T00:00:00Z", endsAt="2020-01-01T00:00:00Z"),
        400,
        said("Failed to create silence: end time can't be in the past"),
        id="an end in the past",
    ),
    pytest.param(text(id=UNKNOWN), 404, said("silence not found"), id="an unknown id"),
    pytest.param(text(id="zz"), 404, said("silence not found"), id="an id that is none"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("body", "status", "answer"), REFUSED_BODIES)
async def test_a_wrong_silence_is_refused_in_alertmanagers_words(
    service: str, body: str, status: int, answer: str
) -> None:
    got = await ask(service, "POST", f"{V2}/silences", body)
    assert (got.status, got.body) == (status, answer)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{bad", id="no key"),
        pytest.param("[" * 100_000, id="nested too deep"),
        pytest.param('{"comment":"\\ud800"}', id="half a character"),
        pytest.param(text(endsAt="2099-01-01"), id="a bare date"),
        pytest.param(text(endsAt="2099-01-01T00:00:00+0200"), id="an offset without a colon"),
        pytest.param(text(endsAt="2099-13-41T00:00:00Z"), id="no such day"),
        pytest.param(text(endsAt=4070908800), id="an epoch"),
        pytest.param(text(untilResolved="yes"), id="a word as a truth"),
    ],
)
async def test_a_body_that_cannot_be_read_is_answered(service: str, body: str) -> None:
    got = await ask(service, "POST", f"{V2}/silences", body)
    assert got.status == 400
    assert got.data["code"] == 400
    assert got.data["message"].startswith('parsing silence body from "" failed, because ')


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(text(comment="x" * v2silences.LARGEST_BODY), 413, id="a body of more than 1 MiB"),
        pytest.param(text(comment="x" * 70_000), 400, id="a silence of more than 64 KiB"),
        pytest.param(text(matchers=matcher() * 101), 400, id="more than 100 matchers"),
        pytest.param(text(matchers=matcher(value="x" * 4097)), 400, id="a value of more than 4,096 characters"),
        pytest.param(text(matchers=matcher(name="x" * 1025)), 400, id="a name of more than 1,024 characters"),
    ],
)
async def test_what_is_too_large_is_refused_with_the_limit(service: str, body: str, status: int) -> None:
    got = await ask(service, "POST", f"{V2}/silences", body)
    assert got.status == status
    assert "limit" in got.body or "larger than 1048576 bytes" in got.body


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_unknown_silence_is_not_found_and_an_id_must_be_one(service: str, method: str) -> None:
    got = await ask(service, method, f"{V2}/silence/{UNKNOWN}")
    assert (got.status, got.body) == (404, "")
    got = await ask(service, method, f"{V2}/silence/abc")
    assert (got.status, got.body) == (422, framework(601, 'silenceID in path must be of type uuid: "abc"'))


FILTERS = [
    pytest.param("?filter=foo", "bad matcher format: foo", id="no matcher"),
    pytest.param("?filter=", "bad matcher format: ", id="an empty one"),
    pytest.param("?filter=foo%3D~%5B", "error parsing regexp: missing closing ]: `[)$`", id="a wrong regex"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/alerts", "/alerts/groups", "/silences"])
@pytest.mark.parametrize(("query", "words"), FILTERS)
async def test_a_wrong_filter_is_named(service: str, path: str, query: str, words: str) -> None:
    got = await ask(service, "GET", V2 + path + query)
    assert (got.status, got.body) == (400, said(words))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_status_has_the_documented_shape_and_no_secret(service: str) -> None:
    got = await ask(service, "GET", f"{V2}/status")
    data = got.data
    assert list(data) == ["cluster", "config", "uptime", "versionInfo"]
    assert data["cluster"] == {"peers": [], "status": "disabled"}
    assert data["versionInfo"]["version"].startswith("0.28.0-watcher")
    assert datetime.fromisoformat(data["uptime"]) <= datetime.now(UTC)
    assert "127.0.0.1:9" not in got.body
    assert data["config"]["original"].startswith("global:\n  resolve_timeout: 5m\n")
    metrics = (await ask(service, "GET", "/metrics")).body
    assert f'alertmanager_build_info{{version="{data["versionInfo"]["version"]}"}} 1.0' in metrics


async def test_a_silence_is_made_read_changed_in_place_replaced_and_ended(tmp_path: Path) -> None:
    async with served(tmp_path, f"{CONFIG}record: {tmp_path}/recording.jsonl\n") as url:
        made = await ask(url, "POST", f"{V2}/silences", text(startsAt="0001-01-01T00:00:00.000Z"))
        id = made.data["silenceID"]
        assert made.body == f'{{"silenceID":"{id}"}}\n'
        one = await ask(url, "GET", f"{V2}/silence/{id}")
        start, changed = one.data["startsAt"], one.data["updatedAt"]
        assert one.body == (
            f'{{"id":"{id}","status":{{"state":"active"}},"updatedAt":"{changed}","comment":"c","createdBy":"ann",'
            '"endsAt":"2099-01-01T00:00:00.000Z",'
            '"matchers":[{"isEqual":true,"isRegex":false,"name":"a","value":"b"}],'
            f'"startsAt":"{start}"}}\n'
        )
        again = await ask(url, "POST", f"{V2}/silences", text(id=id, startsAt=start, endsAt="2098-01-01 00:00:00"))
        assert again.data == {"silenceID": id}
        other = await ask(url, "POST", f"{V2}/silences", text(id=id, startsAt=start, matchers=matcher(value="z")))
        assert other.data["silenceID"] != id
        listed = (await ask(url, "GET", f"{V2}/silences")).data
        assert [(each["id"], each["status"]["state"]) for each in listed] == [
            (other.data["silenceID"], "active"),
            (id, "expired"),
        ]
        ended = await ask(url, "DELETE", f"{V2}/silence/{other.data['silenceID']}")
        assert (ended.status, ended.body) == (200, "")
        assert (await ask(url, "DELETE", f"{V2}/silence/{other.data['silenceID']}")).status == 200
        history = (await ask(url, "GET", f"/api/watcher/v1/silences/{id}/history")).data
        assert [(each["action"], each["by"]) for each in history] == [
            ("expired", "ann (from 127.0.0.1)"),
            ("updated", "ann (from 127.0.0.1)"),
            ("created", "ann (from 127.0.0.1)"),
        ]
        assert [each["silence"]["endsAt"] for each in history[1:]] == [
            "2098-01-01T00:00:00.000Z",
            "2099-01-01T00:00:00.000Z",
        ]
        metrics = (await ask(url, "GET", "/metrics")).body
        assert 'alertmanager_silences{state="expired"} 2.0' in metrics
        assert (await ask(url, "GET", f"/api/watcher/v1/silences/{UNKNOWN}/history")).status == 404
    recorded = [each for each in read([tmp_path / "recording.jsonl"]) if isinstance(each, SilenceAsked)]
    assert [each.by for each in recorded] == ["ann (from 127.0.0.1)"] * 3
    ends = [each for each in read([tmp_path / "recording.jsonl"]) if isinstance(each, SilenceExpireAsked)]
    assert [each.by for each in ends] == ["from 127.0.0.1"] * 2


async def test_silences_are_listed_in_order_and_found_by_the_very_matcher(tmp_path: Path) -> None:
    now = datetime.now(UTC)

    def later(hours: float) -> str:
        return (now + timedelta(hours=hours)).isoformat()

    async with served(tmp_path, CONFIG) as url:
        wanted = [
            ("late", silence(endsAt=later(9))),
            ("soon", silence(endsAt=later(5), matchers=matcher(value="b|c", isRegex=True))),
            ("second", silence(startsAt=later(3), endsAt=later(8))),
            ("first", silence(startsAt=later(2), endsAt=later(9), matchers=matcher(isEqual=False) + matcher(name="c"))),
            ("over", silence()),
        ]
        for name, each in wanted:
            made = await ask(url, "POST", f"{V2}/silences", json.dumps(each | {"comment": name}))
            if name == "over":
                await ask(url, "DELETE", f"{V2}/silence/{made.data['silenceID']}")

        async def names(query: str = "") -> list[str]:
            return [each["comment"] for each in (await ask(url, "GET", f"{V2}/silences{query}")).data]

        assert await names() == ["soon", "late", "first", "second", "over"]
        assert await names("?expired=false&pending=false") == ["soon", "late"]
        assert await names("?filter=a%3Db") == ["late", "second", "over"]
        assert await names("?filter=a%3D~%22b%7Cc%22") == ["soon"]
        assert await names("?filter=a!%3Db") == ["first"]
        assert await names("?filter=a%3Db&filter=x%3Dy") == []


async def test_a_silence_until_resolved_says_so_is_held_to_seven_days_and_stays_so_when_amtool_changes_it(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, CONFIG) as url:
        made = await ask(url, "POST", f"{V2}/silences", text(startsAt="", untilResolved=True, annotations={"x": "y"}))
        path = f"{V2}/silence/{made.data['silenceID']}"
        one = (await ask(url, "GET", path)).data
        assert (one["untilResolved"], one["annotations"]) == (True, {"x": "y"})
        times = [datetime.fromisoformat(one[name]) for name in ("startsAt", "endsAt")]
        assert times[1] - times[0] == timedelta(days=7)
        changed = {name: value for name, value in one.items() if name != "untilResolved"} | {"comment": "other"}
        again = await ask(url, "POST", f"{V2}/silences", json.dumps(changed))
        assert again.data == made.data
        one = (await ask(url, "GET", path)).data
        assert (one["untilResolved"], one["comment"]) == (True, "other")


async def test_silences_survive_a_restart(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        made = await ask(url, "POST", f"{V2}/silences", text())
        before = await ask(url, "GET", f"{V2}/silences")
    async with served(tmp_path, CONFIG) as url:
        assert (await ask(url, "GET", f"{V2}/silences")).body == before.body
        history = await ask(url, "GET", f"/api/watcher/v1/silences/{made.data['silenceID']}/history")
        assert [each["action"] for each in history.data] == ["created"]


async def test_more_silences_than_the_limit_are_refused_and_those_that_are_there_can_still_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v2silences, "MOST_SILENCES", 3)
    async with served(tmp_path, CONFIG) as url:
        bodies = [text(comment=str(number)) for number in range(8)]
        answers = await asyncio.gather(*(ask(url, "POST", f"{V2}/silences", body) for body in bodies))
        assert sorted(each.status for each in answers) == [200] * 3 + [400] * 5
        refused = next(each for each in answers if each.status == 400)
        assert refused.data.startswith("exceeded maximum number of silences: ")
        assert refused.data.endswith(" (limit: 3)")
        (first, *_) = (await ask(url, "GET", f"{V2}/silences")).data
        changed = await ask(url, "POST", f"{V2}/silences", json.dumps(first | {"comment": "more"}))
        assert changed.data == {"silenceID": first["id"]}
        other = await ask(url, "POST", f"{V2}/silences", json.dumps(first | {"matchers": matcher(value="z")}))
        assert other.data == "exceeded maximum number of silences: 3 (limit: 3)"


async def test_with_a_token_only_its_owner_changes_silences_and_the_history_has_the_name_of_the_login(
    tmp_path: Path,
) -> None:
    (tmp_path / "token").write_text("t0ken")
    login = base64.b64encode(b"bea:t0ken").decode()
    async with served(tmp_path, CONFIG + "http: {token_file: token}\n") as url:
        for headers in ({}, {"Authorization": "Bearer another"}):
            refused = await ask(url, "POST", f"{V2}/silences", text(), **headers)
            assert (refused.status, refused.data["code"]) == (401, 401)
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        made = await ask(url, "POST", f"{V2}/silences", text(), Authorization="Bearer t0ken")
        id = made.data["silenceID"]
        assert (await ask(url, "DELETE", f"{V2}/silence/{id}")).status == 401
        assert (await ask(url, "GET", f"{V2}/silence/{id}")).data["status"] == {"state": "active"}
        assert (await ask(url, "DELETE", f"{V2}/silence/{id}", Authorization=f"Basic {login}")).status == 200
        history = (await ask(url, "GET", f"/api/watcher/v1/silences/{id}/history")).data
    assert [each["by"] for each in history] == ["bea (with the token)", "ann (with the token)"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X_Forwarded_For": "10.0.0.7"}, id="through a proxy"),
        pytest.param({"Origin": "https://evil.example"}, id="from a page of another site"),
    ],
)
async def test_without_a_token_strangers_change_nothing(service: str, headers: dict[str, str]) -> None:
    got = await ask(service, "POST", f"{V2}/silences", text(), **headers)
    assert (got.status, got.data["code"]) == (403, 403)


async def test_while_the_database_does_not_answer_nobody_is_told_that_a_silence_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v2silences, "PATIENCE", timedelta(seconds=0.5))
    async with served(tmp_path, CONFIG) as url:
        async with blocked(tmp_path / "watcher.db"):
            got = await ask(url, "POST", f"{V2}/silences", text())
            assert got.status == 503
            assert "not stored yet" in got.data
            assert (await ask(url, "GET", f"{V2}/silences")).data == []
        async with asyncio.timeout(20):
            while not (await ask(url, "GET", f"{V2}/silences")).data:
                await asyncio.sleep(0.05)
