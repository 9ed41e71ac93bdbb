"""The message on a terminal, for `watcher demo` and for trying out: plain text, an empty line after each."""

from __future__ import annotations

from typing import Final, TextIO

from watcher.model.config import ConsoleConfig
from watcher.model.delivery import Delivered, GiveUp, Outcome
from watcher.model.message import Mark, Notification

_COLOURS: Final = {Mark.CRITICAL: 31, Mark.WARNING: 33, Mark.INFO: 34, Mark.RECOVERED: 32, Mark.CLOSED: 90}
"""ANSI foreground colours; the mark and the words say the same."""


class ConsoleSender:
    def __init__(self, config: ConsoleConfig, stream: TextIO) -> None:
        self._config = config
        self._stream = stream

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        text = payload(notification, self._config)
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError) as error:
            # ValueError: the stream was closed.
            return GiveUp(reason=f"cannot write to the console: {type(error).__name__}")
        return Delivered()

    async def close(self) -> None:
        """The stream is the application's."""


def payload(notification: Notification, config: ConsoleConfig) -> str:
    title = notification.title
    if config.colour:
        title = f"\x1b[1;{_COLOURS[notification.message.heading.mark]}m{title}\x1b[0m"
    return f"{title}\n{notification.text}\n\n" if notification.text else f"{title}\n\n"
