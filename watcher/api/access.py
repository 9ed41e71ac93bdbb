"""Who may: the checks that routes depend on.

Reading is open, but for message texts and log lines where a token is set. Writing needs the token as a bearer token,
or as the password of basic authentication. Where none is set, it is allowed from the machine itself (in a cluster:
from inside the pod) and not through a proxy, whose own machine would be the one that asks; `http.open_writes` opens it
to everybody. Alerts may also be posted with a token of their own (`http.posts_token`), which allows nothing else.
A page of another site in somebody's browser can ask from this machine too, and with a password that the browser keeps:
a request whose Origin is neither this very address nor one of `http.cors_origins` is refused.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import logging
import secrets
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from watcher.model.config import HttpConfig

log = logging.getLogger("watcher.api")

CHALLENGE = 'Bearer realm="watcher", Basic realm="watcher"'
_NEEDED = "this needs the token of http.token_file: send it as a bearer token, or as the password of basic login"


class Access:
    def __init__(self, http: HttpConfig) -> None:
        self._token = http.token.value.encode() if http.token is not None else b""
        self._posts_token = http.posts_token.value.encode() if http.posts_token is not None else b""
        self._open_writes = http.open_writes
        self.pages = frozenset(http.cors_origins)
        """Of other sites, that may ask with the token."""
        self._own = {urlsplit(http.external_url).netloc.lower()} - {""}
        """Where a proxy shows our pages."""

    def announce(self) -> None:
        """What is unusual about it, once, in the log of the start."""
        if not self._open_writes:
            return
        if self._token:
            log.warning("http.open_writes has no effect: a token is set", extra={"event": "http.open_writes_unused"})
        else:
            log.warning(
                "http.open_writes is set: whoever reaches the HTTP port may change things",
                extra={"event": "http.open_writes"},
            )

    async def writing(self, request: Request) -> None:
        """A dependency of every route that changes something."""
        if self._token:
            self._authenticated(request)
        elif not self._open_writes:
            self._from_here(request)

    async def posting(self, request: Request) -> None:
        """Of the one route that takes alerts: the token of those who post is enough."""
        if self._posts_token:
            scheme, given = _given(request.headers.get("authorization", ""))
            if secrets.compare_digest(given, self._posts_token):
                if scheme == "basic":
                    self._same_site(request)
                return
        await self.writing(request)

    async def texts(self, request: Request) -> None:
        """A dependency of every route that shows log lines, message texts or explanations."""
        if self._token:
            self._authenticated(request)

    def who(self, request: Request) -> tuple[str, str]:
        """(the name of a basic login, how a request that may write came to that): what a history can say of it."""
        host = request.client.host if request.client is not None else ""
        name = ""
        if self._token:
            scheme, _ = _given(request.headers.get("authorization", ""))
            name = _login(request.headers.get("authorization", "")) if scheme == "basic" else ""
        return name, "with the token" if self._token else f"from {host or 'this machine'}"

    def _authenticated(self, request: Request) -> None:
        scheme, given = _given(request.headers.get("authorization", ""))
        if not secrets.compare_digest(given, self._token):
            raise HTTPException(401, _NEEDED, {"WWW-Authenticate": CHALLENGE})
        if scheme == "basic":
            self._same_site(request)

    def _from_here(self, request: Request) -> None:
        if any(name == "forwarded" or name.startswith("x-forwarded-") for name in request.headers):
            raise HTTPException(403, "without http.token_file nothing can be changed through a proxy: set a token")
        if request.client is None or not _is_loopback(request.client.host):
            raise HTTPException(
                403, "without http.token_file things can be changed only from the machine itself: set a token"
            )
        self._same_site(request)

    def _same_site(self, request: Request) -> None:
        """Browsers name the page that asks in `Origin`, other programs have none (RFC 6454, Fetch)."""
        origin = request.headers.get("origin")
        if origin is None:
            return
        asking = urlsplit(origin)
        if asking.netloc.lower() in self._own or (self._token and origin in self.pages):
            return
        here = asking.netloc.lower() == request.headers.get("host", "").lower()
        # A name that its owner lets point to 127.0.0.1 is as foreign as any other (DNS rebinding).
        if not here or (not self._token and not _is_loopback(asking.hostname or "")):
            raise HTTPException(403, "a page of another site may not change things here")


def _given(header: str) -> tuple[str, bytes]:
    """(scheme, token or password) of an Authorization header, whose bytes Starlette reads as Latin-1."""
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return "bearer", value.strip().encode("latin-1")
        case "basic":
            try:
                _, _, password = base64.b64decode(value.strip(), validate=True).partition(b":")
            except (binascii.Error, ValueError):
                return "basic", b""
            return "basic", password
    return "", b""


def _login(header: str) -> str:
    """The name of a basic login that was accepted."""
    name, _, _ = base64.b64decode(header.partition(" ")[2].strip()).partition(b":")
    return name.decode("utf-8", "replace")


def _is_loopback(host: str) -> bool:
    """127.0.0.0/8 and ::1, also as an IPv4 address inside of an IPv6 one; `localhost` for names of pages."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
