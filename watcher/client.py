"""The running service, as the commands `deliveries` and `send-test` ask it over HTTP; errors are ClientError.

Problem: a token must go to the service that was named and nowhere else. Choice: the standard library's plain client,
which follows no redirect and asks no proxy. What the answers mean to people is here too, as text; the commands
themselves are in `cli`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from watcher.lib.text import clean, cut

DEFAULT_URL = "http://127.0.0.1:9093"
API = "/api/watcher/v1"
TIMEOUT = 45.0
"""Seconds; the longest that the service waits for an outcome is 30 s."""
_LARGEST = 256 * 1024 * 1024


class ClientError(Exception):
    """One sentence that says what to do."""


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
        return self._ask("GET", path, query)

    def post(self, path: str, **query: str) -> Any:
        return self._ask("POST", path, query)

    def _ask(self, method: str, path: str, query: Mapping[str, str]) -> Any:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT)
        target = f"{self._path}{API}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            connection.request(method, target, headers=headers)
            answer = connection.getresponse()
            body = answer.read(_LARGEST)
        except TimeoutError:
            raise ClientError(f"{self.url} does not answer within {TIMEOUT:g} s; look at its log") from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or clean(str(error)) or type(error).__name__
            raise ClientError(
                f"no Watcher answers at {self.url} ({why}): start one with `watcher run`, or name it with --url"
            ) from None
        finally:
            connection.close()
        return self._read(answer.status, body)

    def _read(self, status: int, body: bytes) -> Any:
        try:
            found = msgspec.json.decode(body)
        except msgspec.DecodeError:
            raise ClientError(f"{self.url} answers {status} and is no Watcher; name one with --url") from None
        if status < 300:
            return found
        said = cut(clean(str(found.get("error", ""))), 1000) if isinstance(found, dict) else ""
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


def as_json(answer: Any) -> str:
    return json.dumps(answer, ensure_ascii=False)
