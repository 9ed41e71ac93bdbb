"""Any of Apprise's services, by its URL: for what has no adapter of its own.

Apprise is synchronous and heavy (0.45 s and 18 MiB to import), so it is imported at the first message, in a thread of
the bounded executor. Its own retries, pauses and redirects are off: retrying is the outbox's. What it answers is a
yes or no; the HTTP status is read from the log lines it returns with it (`… error=429.`), and a no without a status
is tried later. The text is cut to what the service takes. Its log goes nowhere else, since it prints addresses and
tokens that it does not understand.
"""

from __future__ import annotations

import asyncio
import logging
import re
from concurrent.futures import Executor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from watcher.deliver.answers import REASON_LIMIT, outcome_of_status, without
from watcher.lib.text import clean, cut
from watcher.model.config import AppriseConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.message import Mark, Notification

if TYPE_CHECKING:
    import apprise

TIMEOUT: Final = timedelta(seconds=30)
"""Of the whole, queueing for a thread included; Apprise's own limits are 4 s to connect and 4 s to read."""

_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
_TYPES: Final = {Mark.CRITICAL: "failure", Mark.WARNING: "warning", Mark.RECOVERED: "success"}
_LOUD: Final = re.compile(r"@(?=everyone\b|here\b|channel\b|all\b)|<(?=[!@#])", re.IGNORECASE)
"""What chats take for a mention, where the text reaches them without escaping of their own."""
_INVISIBLE: Final = "\u200b"
_NOWHERE: Final = logging.NullHandler()


class AppriseSender:
    def __init__(self, config: AppriseConfig, executor: Executor, timeout: timedelta = TIMEOUT) -> None:
        self._config = config
        self._timeout = timeout
        self._executor = executor
        self._service: apprise.Apprise | None = None

    async def send(self, notification: Notification) -> Outcome:
        job = asyncio.get_running_loop().run_in_executor(self._executor, self._notify, notification)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await job
        except TimeoutError:
            return TryLater(reason=f"no answer within {self._timeout.total_seconds():g} s")

    async def close(self) -> None:
        """The executor is the application's."""

    def _notify(self, notification: Notification) -> Outcome:
        """In a thread of the executor."""
        if self._service is None:
            self._service = _service(self._config.url.value)
        if not len(self._service):
            return GiveUp(reason="Apprise knows no service by the configured URL")
        title, text = payload(notification, self._service[0])
        kind = _TYPES.get(notification.message.heading.mark, "info")
        result = self._service.notify(body=text, title=title, notify_type=kind, body_format="text")
        if result:
            return Delivered()
        said = " ".join(entry.message for service in result.results for entry in service.logs())
        status = _STATUS.search(said)
        if status is not None and not isinstance(outcome := outcome_of_status(int(status[1])), Delivered):
            return outcome
        reason = cut(" ".join(clean(without(said, [self._config.url.value])).split()), REASON_LIMIT)
        return TryLater(reason=reason or "Apprise could not deliver it")


def payload(notification: Notification, service: Any) -> tuple[str, str]:
    """Title and text, no longer than `service` (one of Apprise's plugins) takes."""
    title, text = _quiet(notification.title), _quiet(notification.text)
    room = service.body_maxlen
    if service.title_maxlen > 0:
        title = cut(title, service.title_maxlen)
    if service.title_maxlen <= 0 or service.overflow_amalgamate_title:
        room -= len(title) + 2
    return title, cut(text, max(room, 1))


def _quiet(text: str) -> str:
    return _LOUD.sub(lambda match: match[0] + _INVISIBLE, text)


def _service(url: str) -> apprise.Apprise:
    import apprise

    own = logging.getLogger("apprise")
    own.propagate = False
    own.addHandler(_NOWHERE)
    # At DEBUG both print the address of every request.
    for logger in (own, logging.getLogger("urllib3")):
        logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))
    asset = apprise.AppriseAsset(
        app_id="Watcher",
        app_desc="Watcher",
        app_url="",
        async_mode=False,
        http_redirects=False,
        default_service_retry=0,
        interpret_emojis=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    service = apprise.Apprise(asset=asset)
    service.add(url)
    for plugin in service:
        plugin.request_rate_per_sec = 0
        plugin.retry = 0
        plugin.redirects = False
    return service
