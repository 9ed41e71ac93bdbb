"""What faults do to one HTTP request, before it is answered; for the API server and for kubelets."""

from __future__ import annotations

import asyncio

from aiohttp import web

from watcher.demo.faults import Trouble
from watcher.demo.watch import reset_connection


async def endure(request: web.Request, trouble: Trouble) -> bool:
    """Wait, hang or fail as `trouble` says (ApiError); True: the connection is reset and nothing is to be answered."""
    if trouble.reset:
        reset_connection(request)
        return True
    if trouble.delay:
        await asyncio.sleep(trouble.delay)
    if trouble.hang is not None:
        await trouble.hang.wait()
    if trouble.error is not None:
        raise trouble.error
    return False
