"""One request and its answer, translated: what went wrong on the way becomes an outcome, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import aiohttp

from watcher import __version__
from watcher.deliver.answers import Answer
from watcher.model.config import Secret
from watcher.model.delivery import GiveUp, TryLater

TIMEOUT: Final = timedelta(seconds=10)
USER_AGENT: Final = f"Watcher/{__version__}"

_MAX_ANSWER: Final = 64 * 1024
"""Bytes read of an answer; Discord returns the whole message, a few KB."""


async def post(
    session: aiohttp.ClientSession, url: Secret, body: bytes, headers: Mapping[str, str], timeout: timedelta = TIMEOUT
) -> Answer | TryLater | GiveUp:
    """POST JSON."""
    return await _ask(session, "POST", url, body, {"Content-Type": "application/json", **headers}, timeout)


async def get(session: aiohttp.ClientSession, url: Secret) -> Answer | TryLater | GiveUp:
    """GET, for the sake of the call."""
    return await _ask(session, "GET", url, None, {}, TIMEOUT)


async def _ask(
    session: aiohttp.ClientSession,
    method: str,
    url: Secret,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout: timedelta,
) -> Answer | TryLater | GiveUp:
    """No redirect is followed. No reason holds the address: its path or query may be the token."""
    sent = {"User-Agent": USER_AGENT, **headers}
    limit = aiohttp.ClientTimeout(total=timeout.total_seconds())
    try:
        async with session.request(
            method, url.value, data=body, headers=sent, timeout=limit, allow_redirects=False
        ) as response:
            return Answer(
                status=response.status,
                headers={key.lower(): value for key, value in response.headers.items()},
                body=await _read(response),
            )
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        return GiveUp(reason="the configured address is no valid http or https URL")
    except TimeoutError:
        return TryLater(reason=f"no answer within {timeout.total_seconds():g} s")
    except aiohttp.ClientConnectorDNSError as error:
        return TryLater(reason=f"the name {error.host} cannot be resolved")
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        return TryLater(reason=f"no trusted TLS connection to {error.host}:{error.port}")
    except aiohttp.ClientConnectorError as error:
        return TryLater(reason=f"cannot connect to {error.host}:{error.port}: {error.os_error.strerror or 'no answer'}")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # ValueError: credentials given twice, a header that cannot be sent. Texts of these errors hold addresses.
        kind = type(error).__name__
        return GiveUp(reason=f"cannot be sent: {kind}") if isinstance(error, ValueError) else TryLater(reason=kind)


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
