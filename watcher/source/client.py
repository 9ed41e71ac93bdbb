"""The way to the API server: connecting, and requests with raw answers.

kubernetes_asyncio's configuration and session are used (kubeconfig, exec plugins, in-cluster, TLS, proxies), not its
`Watch` and not its models: answers are decoded in `decode`. It is imported on the first connect, in `library`.
Statuses and connection errors become the classes of `errors`; renewing tokens is in `credentials`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import yaml
from aiohttp.http_exceptions import LineTooLong as TooLong

from watcher.ports import Clock
from watcher.source.credentials import Credentials, FileToken, Fresh, LoadedUser, Refresher
from watcher.source.decode import decode_status
from watcher.source.errors import ConnectError, LineTooLong, Unreachable, api_error
from watcher.source.library import library

Query = Mapping[str, str | int]

JSON = "application/json"

CONNECT_WITHIN = 5.0
"""Seconds for the socket and TLS: an API server that is there answers within a few round trips."""

LARGEST_ERROR = 64 * 1024
"""Bytes read of a failed answer; a Status is a few hundred."""


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look for a way to the cluster; the defaults are Kubernetes' own."""

    default_kubeconfig: Path = Path("~/.kube/config")
    service_account: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    """Mounted into every pod: `token`, `ca.crt`, `namespace`."""
    environ: Mapping[str, str] | None = None
    """Of KUBERNETES_SERVICE_HOST and _PORT, which a pod has. None: kubernetes_asyncio looks itself."""


class Answer:
    """A response that is no failure, whose body is still to be read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._content = response.content
        self.headers = response.headers

    @property
    def date(self) -> datetime | None:
        """The server's time when it began to answer, to the second; None: it tells none."""
        try:
            date = parsedate_to_datetime(self.headers.get("Date", ""))
        except ValueError:
            return None
        return date if date.tzinfo is not None else None

    async def body(self) -> bytes:
        """All of it."""
        try:
            return await self._content.read()
        except _TROUBLE as error:
            raise _unreachable(error) from error

    async def head(self, limit: int) -> bytes:
        """At most `limit` bytes of it."""
        parts: list[bytes] = []
        size = 0
        try:
            while size < limit and (part := await self._content.read(limit - size)):
                parts.append(part)
                size += len(part)
        except _TROUBLE as error:
            raise _unreachable(error) from error
        return b"".join(parts)

    async def line(self) -> bytes:
        """The next line with its newline; without one at the end of the stream; empty after it."""
        try:
            return await self._content.readline()
        except TooLong as error:
            raise LineTooLong("a line of the watch is longer than the read buffer") from error
        except _TROUBLE as error:
            raise _unreachable(error) from error


_TROUBLE = (aiohttp.ClientError, TimeoutError, OSError)


def _unreachable(error: Exception) -> Unreachable:
    if isinstance(error, TimeoutError):
        return Unreachable(str(error) or "no answer in time", kind="timeout")
    kind = "cut_off" if isinstance(error, aiohttp.ClientPayloadError) else "connection"
    return Unreachable(f"{type(error).__name__}: {error}", kind=kind)


async def _good(response: aiohttp.ClientResponse, statuses: tuple[int, ...]) -> Answer:
    answer = Answer(response)
    if response.status not in statuses:
        status = decode_status(await answer.head(LARGEST_ERROR), response.status)
        raise api_error(status, response.headers.get("Retry-After", ""))
    return answer


class KubeClient:
    """Requests to one API server. Use `connect` to make one."""

    def __init__(self, api: Any, credentials: Credentials, clock: Clock, certificate: bytes = b"") -> None:
        """`api`: a kubernetes_asyncio ApiClient; `certificate`: the client's, that it connects with."""
        self._api = api
        self._certificate = certificate
        self._retired: Any = None
        """Connections with the client certificate before; watches on them go on to their end."""
        self._refresher = Refresher(credentials, self._renewed, clock)
        self._hook(api)

    def _hook(self, api: Any) -> None:
        async def refresh(_: object) -> None:
            await self._refresher.refresh()

        api.configuration.refresh_api_key_hook = refresh

    async def _renewed(self, fresh: Fresh) -> None:
        """Put credentials into force. Another client certificate needs other connections."""
        if fresh.certificate and fresh.certificate != self._certificate:
            api = library().api_client(fresh.configuration)
            self._hook(api)
            before, self._retired, self._api = self._retired, self._api, api
            self._certificate = fresh.certificate
            if before is not None:
                # Watches last five minutes, and certificates many times that.
                await before.close()
        elif fresh.token:
            self._api.configuration.api_key["BearerToken"] = fresh.token

    async def request(
        self,
        path: str,
        query: Query | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
        accept: str = JSON,
    ) -> aiohttp.ClientResponse:
        """The raw answer, whatever its status; a 401 is asked once more with fresh credentials. Unreachable."""
        query_params = [(key, str(value)) for key, value in (query or {}).items()]
        return await self._asked("GET", path, timeout, accept, query_params=query_params)

    async def _asked(
        self, method: str, path: str, timeout: aiohttp.ClientTimeout | None, accept: str = JSON, **what: Any
    ) -> aiohttp.ClientResponse:
        response = await self._call(method, path, timeout, accept, **what)
        if response.status == 401:
            response.close()
            await self._refresher.refresh(force=True)
            response = await self._call(method, path, timeout, accept, **what)
        return response

    async def _call(
        self, method: str, path: str, timeout: aiohttp.ClientTimeout | None, accept: str, **what: Any
    ) -> aiohttp.ClientResponse:
        # Servers of 1.37 gzip watches with one member per flush, which some clients cut short.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        if method != "GET":
            headers["Content-Type"] = JSON
        try:
            response: aiohttp.ClientResponse = await self._api.call_api(
                path,
                method,
                header_params=headers,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=timeout or limits(),
                **what,
            )
        except _TROUBLE as error:
            raise _unreachable(error) from error
        return response

    @asynccontextmanager
    async def get(
        self,
        path: str,
        query: Query | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
        accept: str = JSON,
    ) -> AsyncIterator[Answer]:
        """An answer of status 200; ApiError and its kinds for any other. Closed at the end, read or not."""
        response = await self.request(path, query, timeout, accept)
        try:
            yield await _good(response, (200,))
        finally:
            response.close()

    @asynccontextmanager
    async def send(
        self, method: str, path: str, body: Mapping[str, Any], timeout: aiohttp.ClientTimeout | None = None
    ) -> AsyncIterator[Answer]:
        """An answer of status 200 or 201 to a POST, PUT or the like with this body; errors and end as of `get`."""
        response = await self._asked(method, path, timeout, body=dict(body))
        try:
            yield await _good(response, (200, 201))
        finally:
            response.close()

    async def authorization(self) -> str:
        """The `Authorization` value as it is now, for kubelets, which know the same tokens; empty: there is none."""
        await self._refresher.refresh()
        return str(self._api.configuration.api_key.get("BearerToken", ""))

    @property
    def ca_file(self) -> str | None:
        """The cluster's CA, which may have signed its kubelets' certificates too; None: the system's."""
        path = self._api.configuration.ssl_ca_cert
        return str(path) if path else None

    async def close(self) -> None:
        if self._retired is not None:
            await self._retired.close()
        await self._api.close()


def limits(*, silence: float = 90.0, total: float | None = None) -> aiohttp.ClientTimeout:
    """Time limits of a request: `silence` is how many seconds may pass without a byte."""
    return aiohttp.ClientTimeout(total=total, connect=30.0, sock_connect=CONNECT_WITHIN, sock_read=silence)


async def connect(clock: Clock, kubeconfig: str | None = None, places: Places | None = None) -> KubeClient:
    """The way to the cluster: `kubeconfig` where given (paths joined by `:`, as in KUBECONFIG), else the default
    kubeconfig where there is one, else the service account of the pod we run in. ConnectError.
    """
    places = places or Places()
    default = places.default_kubeconfig.expanduser()
    if kubeconfig:
        if not _exists(kubeconfig):
            raise ConnectError(f"The kubeconfig {kubeconfig} does not exist; give the path of one that does.")
        return await _from_kubeconfig(clock, kubeconfig)
    if default.is_file():
        return await _from_kubeconfig(clock, str(default))
    if (places.service_account / "token").is_file():
        return _from_service_account(clock, places)
    raise ConnectError(
        f"There is no kubeconfig ({default}) and this is not a pod with a service account: "
        "set KUBECONFIG to the path of a kubeconfig, or run inside the cluster."
    )


def _exists(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(":") if path)


_BAD_KUBECONFIG = (AssertionError, AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)
"""What kubernetes_asyncio raises, beside its ConfigException, for a kubeconfig that is not in order."""


async def _load(path: str) -> tuple[Any, Any]:
    """(configuration, loader) of a kubeconfig; ValueError in words."""
    kubernetes = library()
    configuration = kubernetes.configuration()
    try:
        loader = await kubernetes.load_kubeconfig(
            config_file=path, client_configuration=configuration, persist_config=False
        )
    except (kubernetes.config_error, yaml.YAMLError, *_BAD_KUBECONFIG) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    _trim_token(configuration)
    return configuration, loader


def _trim_token(configuration: Any) -> None:
    """A token file may end in a newline, which kubernetes_asyncio would put into the header."""
    if token := configuration.api_key.get("BearerToken"):
        configuration.api_key["BearerToken"] = token.strip()


async def _from_kubeconfig(clock: Clock, path: str) -> KubeClient:
    try:
        configuration, loader = await _load(path)
    except ValueError as error:
        raise ConnectError(f"The kubeconfig {path} cannot be used: {error}") from error

    first = _certificate(configuration)

    async def reload() -> Fresh:
        fresh, loaded = await _load(path)
        token, certificate = fresh.api_key.get("BearerToken", ""), _certificate(fresh)
        if not token and not certificate:
            raise ValueError(f"{path} gives no credentials")
        return Fresh(token, _expiry(loaded), certificate, fresh)

    user = getattr(loader, "_user", None)
    from_file = user is not None and "tokenFile" in user
    credentials = LoadedUser(reload, expires=_expiry(loader), from_file=from_file)
    return KubeClient(library().api_client(configuration), credentials, clock, first)


def _certificate(configuration: Any) -> bytes:
    """The client's certificate and key."""
    files = (configuration.cert_file, configuration.key_file)
    return b"".join(Path(file).read_bytes() for file in files if file)


def _expiry(loader: Any) -> datetime | None:
    expiry = getattr(loader, "exec_plugin_expiry", None)
    return expiry if isinstance(expiry, datetime) and expiry.tzinfo is not None else None


def _from_service_account(clock: Clock, places: Places) -> KubeClient:
    kubernetes = library()
    configuration = kubernetes.configuration()
    token = places.service_account / "token"
    environ = {} if places.environ is None else {"environ": dict(places.environ)}
    try:
        kubernetes.load_service_account(
            client_configuration=configuration,
            try_refresh_token=False,
            token_filename=str(token),
            cert_filename=str(places.service_account / "ca.crt"),
            **environ,
        )
    except kubernetes.config_error as error:
        raise ConnectError(f"The service account in {places.service_account} cannot be used: {error}") from error
    _trim_token(configuration)
    return KubeClient(kubernetes.api_client(configuration), FileToken(token), clock)
