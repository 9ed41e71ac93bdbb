"""The running service, as the commands ask it over HTTP; errors are ClientError.

Problem: a token must go to the service that was named and nowhere else. Choice: the standard library's plain client,
which follows no redirect and asks no proxy. What the answers mean to people is here too, as text; the commands
themselves are in `cli`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from watcher.lib.matchers import Matcher, MatcherOp, parse_matchers
from watcher.lib.text import clean, cut

DEFAULT_URL = "http://127.0.0.1:9093"
API = "/api/watcher/v1"
V2 = "/api/v2"
"""Alertmanager's."""
TIMEOUT = 45.0
"""Seconds; the longest that the service waits for an outcome is 30 s."""
_LARGEST = 256 * 1024 * 1024


class ClientError(Exception):
    """One sentence that says what to do."""


class NotFoundError(ClientError):
    """The answer was 404."""


class Client:
    def __init__(self, url: str = "", token_file: str = "") -> None:
        """ValueError where the URL is none, ClientError where the token cannot be read."""
        parts = urlsplit(url or DEFAULT_URL)
        try:
            self._port = parts.port
        except ValueError:
            raise ValueError(f"the port must be a number, as in {DEFAULT_URL}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError(f"this must be an http or https URL without a password, such as {DEFAULT_URL}")
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._path = parts.path.rstrip("/")
        self.url = f"{parts.scheme}://{parts.netloc}{self._path}"
        self._token = _token(token_file) if token_file else ""

    def get(self, path: str, **query: str) -> Any:
        return self.ask("GET", f"{API}{path}", query)

    def post(self, path: str, **query: str) -> Any:
        return self.ask("POST", f"{API}{path}", query)

    def ask(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
        """The answer to a request as data; None for what a DELETE answers."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT)
        target = f"{self._path}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            found = answer.read(_LARGEST)
        except TimeoutError:
            raise ClientError(f"{self.url} does not answer within {TIMEOUT:g} s; look at its log") from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or clean(str(error)) or type(error).__name__
            raise ClientError(
                f"no Watcher answers at {self.url} ({why}): start one with `watcher run`, or name it with --url"
            ) from None
        finally:
            connection.close()
        if method == "DELETE" and not found and answer.status < 300:
            return None
        return self._read(answer.status, found)

    def _read(self, status: int, body: bytes) -> Any:
        if status == 404 and not body:
            raise NotFoundError(f"{self.url}: the answer was 404")
        try:
            found = msgspec.json.decode(body)
        except msgspec.DecodeError:
            raise ClientError(f"{self.url} answers {status} and is no Watcher; name one with --url") from None
        if status < 300:
            return found
        if isinstance(found, dict):
            found = found.get("error") or found.get("message")
        said = cut(clean(found), 1000) if isinstance(found, str) else ""
        if status == 401:
            wrong = "the token is not the one of that Watcher" if self._token else "a token is needed"
            raise ClientError(f"{self.url}: {wrong}; give the file that holds it with --token-file")
        raise ClientError(f"{self.url}: {said or f'the answer was {status}'}")


def _token(file: str) -> str:
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(
            f"the token file {file} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not token or not token.isprintable() or not token.isascii():
        raise ClientError(f"the token file {file} must hold one line with the token")
    return token


# ---- deliveries ----


def deliveries(client: Client, *, dead: bool, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/deliveries", limit=str(limit), **({"state": "dead"} if dead else {}))
    return found


def resend(client: Client, id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(f"/deliveries/{quote(id, safe='')}/resend")
    return answer


def send_test(client: Client, receiver: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(f"/receivers/{quote(receiver, safe='')}/test", wait="15s")
    return answer


def deliveries_text(found: Sequence[Mapping[str, Any]], *, dead: bool) -> Iterator[str]:
    """A table, and what to do."""
    if not found:
        yield "no dead letters" if dead else "no deliveries"
        return
    rows = [
        (
            each["id"],
            f"{each['created_at'][:19]}Z".replace("T", " "),
            each["state"],
            f"{each['receiver']}/{each['integration']}",
            str(each["attempts"]),
            each["title"],
        )
        for each in found
    ]
    yield from _table(("ID", "DECIDED", "STATE", "TO", "TRIES", "TITLE"), rows, [each["error"] for each in found])
    if any(each["state"] == "dead" for each in found):
        yield "send one again, once its receiver is repaired: watcher deliveries resend ID"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> Iterator[str]:
    """Columns side by side; a note stands below its row."""
    cleaned = [[cut(_line(cell), 100) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (head, *cleaned)) for column in range(len(head))]
    widths[-1] = 0
    yield _row(head, widths)
    for row, note in zip(cleaned, notes, strict=True):
        yield _row(row, widths)
        if note:
            yield f"    {cut(_line(note), 300)}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _line(text: str) -> str:
    return " ".join(clean(text).split())


_WORDS = {"delivered": "delivered", "failed": "FAILED", "waiting": "still waiting"}


def test_text(answer: Mapping[str, Any]) -> Iterator[str]:
    """A line for each integration."""
    for each in answer["integrations"]:
        reason = f": {cut(_line(each['reason']), 300)}" if each["reason"] else ""
        yield f"{answer['receiver']}/{each['integration']}: {_WORDS.get(each['outcome'], each['outcome'])}{reason}"


def all_delivered(answer: Mapping[str, Any]) -> bool:
    return all(each["outcome"] == "delivered" for each in answer["integrations"])


# ---- silences ----


_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
_SHORT = {"deploy": "Deployment", "sts": "StatefulSet", "ds": "DaemonSet", "rs": "ReplicaSet", "cj": "CronJob"}
_LONGEST = timedelta(days=7)
"""Of a silence that ends by itself; the service holds it to the same."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What `silence add` was told."""

    matchers: tuple[Matcher, ...]
    lasts: timedelta
    until_resolved: bool = False
    comment: str
    author: str


def matchers_of(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """Each text holds one matcher or more; a first one that is a bare word is an alert's name. MatcherError."""
    found: list[Matcher] = []
    for number, text in enumerate(texts):
        if number == 0 and text.isidentifier():
            found.append(Matcher(name="alertname", op=MatcherOp.EQUAL, value=text))
        else:
            found += parse_matchers(text)
    return tuple(found)


def workload_matchers(workload: str, namespace: str) -> tuple[Matcher, ...]:
    """`deployment/api` in a namespace; ValueError where something is missing."""
    kind, _, name = workload.partition("/")
    if not kind or not name or "/" in name:
        raise ValueError("write KIND/NAME, as in deployment/api")
    if not namespace:
        raise ValueError("name its namespace with -n")
    known = _SHORT | {each.lower(): each for each in _KINDS} | {f"{each.lower()}s": each for each in _KINDS}
    labels = {"namespace": namespace, "workload_kind": known.get(kind.lower(), kind), "workload": name}
    return tuple(Matcher(name=label, op=MatcherOp.EQUAL, value=value) for label, value in labels.items())


def add_silence(client: Client, wanted: Wanted, now: datetime) -> str:
    """Its id. The start is the service's own time, as clocks differ."""
    lasts = _LONGEST if wanted.until_resolved else wanted.lasts
    body: dict[str, Any] = {
        "matchers": [
            {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal}
            for one in wanted.matchers
        ],
        "startsAt": "",
        "endsAt": (now + lasts).isoformat(),
        "createdBy": wanted.author,
        "comment": wanted.comment,
    }
    if wanted.until_resolved:
        body["untilResolved"] = True
    answer = client.ask("POST", f"{V2}/silences", body=body)
    return str(answer["silenceID"])


def silences(client: Client, *, expired: bool) -> list[dict[str, Any]]:
    """Those that are in force or will be, or those that are over."""
    states = {"expired": str(expired).lower(), "active": str(not expired).lower(), "pending": str(not expired).lower()}
    found: list[dict[str, Any]] = client.ask("GET", f"{V2}/silences", states)
    return found


def expire_silence(client: Client, id: str) -> None:
    try:
        client.ask("DELETE", f"{V2}/silence/{quote(id, safe='')}")
    except NotFoundError:
        raise ClientError(f"there is no silence {clean(id)}; `watcher silence list` shows what there is") from None


def silences_text(found: Sequence[Mapping[str, Any]], *, expired: bool) -> Iterator[str]:
    """A table, the comment below each row."""
    if not found:
        yield "no silences that are over" if expired else "no silences"
        return
    rows = [
        (
            each["id"],
            each["status"]["state"],
            f"{each['endsAt'][:19]}Z".replace("T", " ") + (" or resolved" if each.get("untilResolved") else ""),
            each["createdBy"],
            " ".join(str(_matcher(one)) for one in each["matchers"]),
        )
        for each in found
    ]
    yield from _table(("ID", "STATE", "ENDS", "BY", "MATCHERS"), rows, [each["comment"] for each in found])


def _matcher(one: Mapping[str, Any]) -> Matcher:
    ops = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
    op = MatcherOp(ops[one["isRegex"], one.get("isEqual", True)])
    return Matcher(name=one["name"], op=op, value=one["value"])


def as_json(answer: Any) -> str:
    return json.dumps(answer, ensure_ascii=False)
