"""One request and its answer, translated: what went wrong on the way becomes an outcome, never an exception.

Redirects: Alertmanager follows them all, and turns a POST into a GET on 301 to 303, which no receiver takes for a
message. Here 307 and 308 are followed where they stay on the same host (another path, or https instead of http), if
`follow_redirects` is not off: a message must not wander to a host that nobody configured.
"""

from __future__ import annotations

import base64
import io
import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec

from watcher import __version__
from watcher.deliver.answers import Answer
from watcher.deliver.tls import TlsContexts, TlsProblem
from watcher.model.config import HttpClient, Secret, TlsConfig
from watcher.model.delivery import GiveUp, TryLater

TIMEOUT: Final = timedelta(seconds=10)
USER_AGENT: Final = f"Watcher/{__version__}"

_MAX_ANSWER: Final = 64 * 1024
"""Bytes read of an answer; Discord returns the whole message, a few KB."""
_MAX_REDIRECTS: Final = 3
_JSON: Final = {"Content-Type": "application/json"}
_PORTS: Final = {"http": 80, "https": 443}


class Client:
    """How to speak to one receiver (`http_config`): headers, TLS, proxy, redirects. One for each sender."""

    def __init__(self, config: HttpClient | None = None) -> None:
        self._config = config or HttpClient(follow_redirects=False)
        self._tls = TlsContexts(self._config.tls)

    @property
    def follows(self) -> bool:
        return self._config.follow_redirects

    @property
    def secrets(self) -> list[str]:
        """What no reason may repeat."""
        config = self._config
        given = (config.credentials, config.basic_password, config.http_proxy, config.https_proxy)
        headers = (value for _, value in (*config.headers, *config.proxy_headers))
        return [secret.value for secret in (*given, *headers) if secret is not None]

    def headers(self) -> dict[str, str]:
        """The configured ones, with the authorization."""
        config = self._config
        headers = {name: value.value for name, value in config.headers}
        if config.credentials is not None:
            headers["Authorization"] = f"{config.auth_type} {config.credentials.value}"
        elif config.basic_username or config.basic_password is not None:
            password = config.basic_password.value if config.basic_password is not None else ""
            pair = f"{config.basic_username}:{password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers

    def options(self, url: str) -> dict[str, Any]:
        """What aiohttp's request takes for TLS and the proxy. Raises TlsProblem, and ValueError for a broken URL."""
        config = self._config
        options: dict[str, Any] = {}
        if config.tls != TlsConfig():
            options["ssl"] = self._tls.context()
            options["server_hostname"] = config.tls.server_name or None
        parts = urlsplit(url)
        proxy = config.https_proxy if parts.scheme == "https" else config.http_proxy
        if proxy is not None and not _is_direct(parts.hostname or "", config.no_proxy):
            options["proxy"] = proxy.value
            options["proxy_headers"] = {name: value.value for name, value in config.proxy_headers} or None
        return options


_PLAIN: Final = Client()


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    method: str
    url: Secret
    body: bytes | None = None
    headers: Mapping[str, str] = {}
    """Besides the client's own, and stronger than they."""
    timeout: timedelta = TIMEOUT


async def post(
    session: aiohttp.ClientSession,
    url: Secret,
    body: bytes,
    headers: Mapping[str, str],
    timeout: timedelta = TIMEOUT,
    client: Client = _PLAIN,
) -> Answer | TryLater | GiveUp:
    """POST JSON."""
    sent = {**_JSON, **headers}
    return await ask(session, Request(method="POST", url=url, body=body, headers=sent, timeout=timeout), client)


async def patch(
    session: aiohttp.ClientSession, url: Secret, body: bytes, timeout: timedelta = TIMEOUT, client: Client = _PLAIN
) -> Answer | TryLater | GiveUp:
    """PATCH JSON."""
    return await ask(session, Request(method="PATCH", url=url, body=body, headers=_JSON, timeout=timeout), client)


async def get(session: aiohttp.ClientSession, url: Secret) -> Answer | TryLater | GiveUp:
    """GET, for the sake of the call."""
    return await ask(session, Request(method="GET", url=url))


async def ask(session: aiohttp.ClientSession, request: Request, client: Client = _PLAIN) -> Answer | TryLater | GiveUp:
    """The request, and where the client follows redirects those that stay on the host."""
    for _ in range(_MAX_REDIRECTS):
        answer = await _once(session, request, client)
        target = _target(request.url.value, answer) if client.follows and isinstance(answer, Answer) else ""
        if not target:
            return answer
        request = msgspec.structs.replace(request, url=Secret(target))
    return await _once(session, request, client)


async def _once(session: aiohttp.ClientSession, request: Request, client: Client) -> Answer | TryLater | GiveUp:
    """No redirect is followed. No reason holds the address: its path or query may be the token."""
    seconds = request.timeout.total_seconds()
    url = request.url.value
    try:
        async with session.request(
            request.method,
            url,
            data=io.BytesIO(request.body) if request.body is not None else None,
            headers={"User-Agent": USER_AGENT, **client.headers(), **request.headers},
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
            **client.options(url),
        ) as response:
            return Answer(
                status=response.status,
                headers={key.lower(): value for key, value in response.headers.items()},
                body=await _read(response),
            )
    except TlsProblem as error:
        return TryLater(reason=str(error))
    except TimeoutError:
        return TryLater(reason=f"no answer within {seconds:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _failure(error)


def _failure(error: aiohttp.ClientError | OSError | ValueError) -> TryLater | GiveUp:
    """Texts of these errors hold addresses, and are not repeated."""
    match error:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return GiveUp(reason="the configured address is no valid http or https URL")
        case aiohttp.ClientConnectorDNSError():
            return TryLater(reason=f"the name {error.host} cannot be resolved")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return TryLater(reason=f"no trusted TLS connection to {error.host}:{error.port}")
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or "no answer"
            return TryLater(reason=f"cannot connect to {error.host}:{error.port}: {why}")
        case aiohttp.ClientHttpProxyError():
            return TryLater(reason=f"the proxy answers HTTP {error.status}")
        case aiohttp.ClientError() | OSError():
            return TryLater(reason=f"the connection broke: {type(error).__name__}")
        case _:
            # ValueError: credentials given twice, a header that cannot be sent.
            return GiveUp(reason=f"cannot be sent: {type(error).__name__}")


def _target(url: str, answer: Answer) -> str:
    """Where a redirect leads, if it may be followed."""
    if answer.status not in (307, 308):
        return ""
    try:
        target = urljoin(url, answer.headers.get("location", ""))
        old, new = urlsplit(url), urlsplit(target)
        ports = [parts.port or _PORTS.get(parts.scheme) for parts in (old, new)]
    except ValueError:
        return ""
    if new.hostname != old.hostname or target == url:
        return ""
    upgraded = (old.scheme, new.scheme) == ("http", "https")
    if not upgraded and (new.scheme != old.scheme or ports[0] != ports[1]):
        return ""
    # Credentials of the address go with it: it is the same host.
    user, at, _ = old.netloc.rpartition("@")
    return new._replace(netloc=f"{user}{at}{new.netloc.rpartition('@')[2]}").geturl()


def _is_direct(host: str, without: tuple[str, ...]) -> bool:
    """Whether `no_proxy` names the host: itself, a domain it is in, its address, or a network that holds it."""
    return any(_names(entry.strip().lower().lstrip("."), host.lower()) for entry in without)


def _names(entry: str, host: str) -> bool:
    if entry == "*" or (entry and (host == entry or host.endswith(f".{entry}"))):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The first part of the body. The status has come: what breaks now changes nothing about it."""
    read = bytearray()
    try:
        async for chunk in response.content.iter_chunked(16 * 1024):
            read += chunk
            if len(read) >= _MAX_ANSWER:
                break
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    return bytes(read[:_MAX_ANSWER])
