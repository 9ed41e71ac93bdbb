"""Any of Apprise's services, by its URL: for what has no adapter of its own.

Apprise is synchronous, so each message takes a thread of the bounded executor. The text is cut to what the service
takes before Apprise sees it, after reckoning with Apprise's own escaping. What it answers is a yes or no; the HTTP
status is read from the log lines that it returns with a no (`… error=429.`). A no with a status is judged as
everywhere (`answers`), one without is tried later. Reasons name the service, never its URL.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from watcher.deliver.answers import REASON_LIMIT, outcome_of_status, without
from watcher.deliver.appriseservice import aggregate, complaint, make_service
from watcher.lib.text import clean, cut
from watcher.model.config import AppriseConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.message import Mark, Notification

if TYPE_CHECKING:
    import apprise
    from apprise.plugins import NotifyBase

TIMEOUT: Final = timedelta(seconds=30)
"""Of the whole, queueing for a thread included; Apprise's own limits are 4 s to connect and 4 s to read."""

_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
_TYPES: Final = {Mark.CRITICAL: "failure", Mark.WARNING: "warning", Mark.RECOVERED: "success"}
_LOUD: Final = re.compile(r"@(?=everyone\b|here\b|channel\b|all\b)|<(?=[!@#])", re.IGNORECASE)
"""What chats take for a mention, where the text reaches them without escaping of their own."""
_INVISIBLE: Final = "\u200b"
_TITLE_MARKUP: Final = len("<b></b><br />\r\n")
"""What Apprise puts around a title that becomes the first line of the text."""


class AppriseSender:
    def __init__(self, config: AppriseConfig, executor: Executor, timeout: timedelta = TIMEOUT) -> None:
        self._config = config
        self._timeout = timeout
        self._executor = executor
        self._service: apprise.Apprise | None = None

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
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
        url = self._config.url.value
        if self._service is None:
            plugin = make_service(url)
            if plugin is None:
                return GiveUp(reason=complaint(url))
            self._service = aggregate(plugin)
        plugin = self._service[0]
        title, text = payload(notification, plugin)
        kind = _TYPES.get(notification.message.heading.mark, "info")
        result = self._service.notify(body=text, title=title, notify_type=kind, body_format="text")
        if result:
            return Delivered()
        said = " ".join(entry.message for service in result.results for entry in service.logs())
        return _failure(str(plugin.service_name), said, url)


def _failure(service: str, said: str, url: str) -> Outcome:
    status = _STATUS.search(said)
    judged = outcome_of_status(int(status[1])) if status is not None else Delivered()
    match judged:
        case GiveUp(reason=reason):
            return GiveUp(reason=f"{service}: {reason}")
        case TryLater(reason=reason):
            return TryLater(reason=f"{service}: {reason}")
    reason = cut(" ".join(clean(without(said, [url])).split()), REASON_LIMIT)
    return TryLater(reason=f"{service}: {reason or 'Apprise could not deliver it'}")


def payload(notification: Notification, service: NotifyBase) -> tuple[str, str]:
    """Title and text, which are no longer than `service` (one of Apprise's plugins) takes once they are escaped."""
    from apprise.conversion import convert_between

    def escaped(text: str) -> str:
        return str(convert_between("text", service.resolve_format("text"), text))  # type: ignore[no-untyped-call]

    title, text = _quiet(notification.title), _quiet(notification.text)
    room = service.body_maxlen
    if service.title_maxlen > 0:
        title = _cut(title, service.title_maxlen, escaped)
    if service.title_maxlen <= 0 or service.overflow_amalgamate_title:
        title = _cut(title, max(room // 2, 1), escaped)
        room -= len(escaped(title)) + _TITLE_MARKUP
    return title, _cut(text, max(room, 1), escaped)


def _cut(text: str, limit: int, escaped: Callable[[str], str]) -> str:
    """`text` so short that it keeps the limit after escaping."""
    room, kept = limit, cut(text, limit)
    while (size := len(escaped(kept))) > limit and room > 1:
        room = max(min(room - 1, room * limit // size), 1)
        kept = cut(text, room)
    return kept


def _quiet(text: str) -> str:
    return _LOUD.sub(lambda match: match[0] + _INVISIBLE, text)
