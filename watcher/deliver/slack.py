"""Slack: by incoming webhook, or with a bot token by the Web API, which can edit.

With a token an end (and evidence that came late) goes into the message that told of the trouble, and what ended is also
said in its thread; everything else is a new message. The edit comes first, the thread second: an edit may be repeated
without anybody seeing it, so that a retry after either has failed says nothing twice. Once the edit is there, a thread
that refuses for good changes nothing: the news is told. A message that cannot be edited any more is sent anew. By
webhook nothing can be edited: a short message says what changed. `slack_blocks` makes the message, `slack_api` reads
the answers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import aiohttp
import msgspec

from watcher.deliver import slack_blocks
from watcher.deliver.answers import Answer, outcome_of
from watcher.deliver.http import Client, post
from watcher.deliver.slack_api import (
    GONE,
    POST_MESSAGE,
    UPDATE,
    Place,
    method_url,
    outcome_of_api,
    place,
    refusal,
    said,
)
from watcher.deliver.templating import Texts
from watcher.model.config import Secret, SlackConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.message import Message, Notification, SendReason
from watcher.notify.changes import EDITS, standing

_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
"""Without the charset the Web API warns: https://docs.slack.dev/apis/web-api/#post-bodies."""
LONGEST: Final = timedelta(seconds=25)
"""Of one request: a message may take two, and the outbox lends it for a minute."""
_ONLY_NEW: Final = ("channel", "username", "icon_emoji", "icon_url", "unfurl_links", "unfurl_media")
"""What an edit cannot change."""


class SlackSender:
    def __init__(self, config: SlackConfig, session: aiohttp.ClientSession, timeout: timedelta | None = None) -> None:
        self._config = config
        self._session = session
        self._timeout = min(timeout or config.timeout, LONGEST)
        self._client = Client(config.http)
        self._texts = slack_blocks.texts_of(config)
        token = (config.token.value,) if config.token is not None else ()
        self._secrets = (config.api_url.value, *token, *self._client.secrets)

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        there = place(reference)
        if self._config.token is None:
            return await self._by_webhook(self._payload(notification, notification.message))
        if there is None or notification.reason not in EDITS:
            return await self._new(self._payload(notification, notification.message))
        return await self._edit(notification, there)

    async def close(self) -> None:
        """The session is the application's."""

    def _payload(self, notification: Notification, message: Message) -> dict[str, Any]:
        return slack_blocks.payload(notification, self._config, self._texts, message)

    async def _by_webhook(self, body: dict[str, Any]) -> Outcome:
        answer = await self._post(self._config.api_url, body, {})
        if not isinstance(answer, Answer):
            return answer
        told = said(answer)
        if told is not None and not told.ok and 200 <= answer.status < 300:
            # A proxy or the Web API itself behind the configured address.
            return refusal(told, answer, self._secrets)
        return outcome_of(answer, self._secrets)

    async def _new(self, body: dict[str, Any]) -> Outcome:
        answer = await self._call(POST_MESSAGE, body)
        return outcome_of_api(answer, self._secrets) if isinstance(answer, Answer) else answer

    async def _edit(self, notification: Notification, there: Place) -> Outcome:
        whole = self._payload(notification, standing(notification))
        edited = {key: value for key, value in whole.items() if key not in _ONLY_NEW}
        # Without `parse` an edit makes links and mentions of plain text, unlike a new message; without `attachments`
        # the old ones stay: https://docs.slack.dev/reference/methods/chat.update.
        edited = {"attachments": [], **edited, "parse": "none", "channel": there.channel, "ts": there.ts}
        answer = await self._call(UPDATE, edited)
        if not isinstance(answer, Answer):
            return answer
        outcome = outcome_of_api(answer, self._secrets)
        if isinstance(outcome, GiveUp) and _error(answer) in GONE:
            return await self._new(whole)
        if not isinstance(outcome, Delivered):
            return outcome
        if notification.reason is not SendReason.UPDATED:
            reply = self._payload(notification, notification.message)
            told = await self._new({**reply, "channel": there.channel, "thread_ts": there.ts})
            if isinstance(told, TryLater):
                return told
        return Delivered(reference=str(there))

    async def _call(self, method: str, body: dict[str, Any]) -> Answer | TryLater | GiveUp:
        token = self._config.token.value if self._config.token is not None else ""
        url = Secret(method_url(self._config.api_url.value, method))
        return await self._post(url, body, {**_JSON, "Authorization": f"Bearer {token}"})

    async def _post(self, url: Secret, body: dict[str, Any], headers: dict[str, str]) -> Answer | TryLater | GiveUp:
        content = msgspec.json.encode(body)
        return await post(self._session, url, content, headers, self._timeout, self._client)


def _error(answer: Answer) -> str:
    told = said(answer)
    return told.error if told is not None else ""


def payload(notification: Notification, config: SlackConfig, texts: Texts | None = None) -> dict[str, Any]:
    """A new message."""
    return slack_blocks.payload(notification, config, texts or slack_blocks.texts_of(config), notification.message)
