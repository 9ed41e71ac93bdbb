"""Addresses in settings: where to listen, and URLs; an error never repeats the text, which may hold a password."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_HOST_PORT: Final = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^\[\]:/\s@]*)):(?P<port>[0-9]{1,5})")
_MAX_PORT: Final = 65535


def parse_listen(text: str) -> tuple[str, int]:
    """`0.0.0.0:9093`, `:9093` (every address), `[::1]:9093` -> host and port; raises ValueError."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise ValueError("must be HOST:PORT, such as 0.0.0.0:9093 or 127.0.0.1:9093")
    return match["v6"] or match["host"] or "0.0.0.0", int(match["port"])


def is_host_port(text: str) -> bool:
    """A server and its port: `smtp.example.org:587`."""
    match = _HOST_PORT.fullmatch(text)
    return match is not None and bool(match["v6"] or match["host"]) and 0 < int(match["port"]) <= _MAX_PORT


def is_http_url(text: str) -> bool:
    """An absolute http or https URL."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def is_origin(text: str) -> bool:
    """As browsers write the page that asks: `https://karma.example.org`, no path, no default port, small letters."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return usual is not None and bool(host) and port != usual and text == _origin(parts.scheme, host or "", port)


def _origin(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}" + (f":{port}" if port is not None else "")
