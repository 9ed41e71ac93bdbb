"""The running service, as the commands ask it over HTTP; errors are ClientError.

Problem: a token must go to the service that was named and nowhere else. Choice: the standard library's plain client,
which follows no redirect and asks no proxy. What the answers mean to people is here too, as text; the commands
themselves are in `cli`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

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


def now(client: Client) -> datetime:
    """What time it is by the service's clock: ours may be another, that of a demo surely is."""
    return datetime.fromisoformat(client.get("/time")["now"])


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


def as_json(answer: Any) -> str:
    return json.dumps(answer, ensure_ascii=False)
