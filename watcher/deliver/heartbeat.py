"""The call of the heartbeat URL. That URL is a secret: who knows it can pretend that Watcher lives."""

from __future__ import annotations

import aiohttp

from watcher.deliver.answers import Answer
from watcher.deliver.http import get
from watcher.model.config import Secret


class HeartbeatUrl:
    def __init__(self, session: aiohttp.ClientSession, url: Secret) -> None:
        self._session = session
        self._url = url

    async def __call__(self) -> str:
        """Why the call failed, without the URL; empty when it was answered with 2xx."""
        answer = await get(self._session, self._url)
        if isinstance(answer, Answer):
            return "" if 200 <= answer.status < 300 else f"the heartbeat's receiver answered {answer.status}"
        return f"the heartbeat's receiver cannot be reached: {answer.reason}"
