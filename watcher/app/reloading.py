"""The configuration read again while the service runs: when its files change, on SIGHUP, or when somebody asks.

It is read whole and checked whole; a wrong one is refused, and the one in force stays. A ConfigMap is mounted as links
to links, of which the kubelet swaps one: directories are watched, and what is read is compared.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from watchfiles import awatch

from watcher.engine.stats import ReloadStats, hash_of
from watcher.lib.problems import Problem
from watcher.ports import Clock
from watcher.settings.errors import ConfigErrors
from watcher.settings.live import LiveConfig
from watcher.settings.records import Settings
from watcher.source.errors import ConnectError

log = logging.getLogger("watcher.config")

LOOK_EVERY = 5.0
"""Seconds: not every file system tells of changes (and inotify has limits)."""
SETTLE = 200
"""Milliseconds in which files may still change: a ConfigMap's arrive together, an editor's one by one."""
SHOWN = 20
"""Errors in the log; `watcher check` shows all."""


class Live(Protocol):
    """What has a configuration in force."""

    async def adopt(self, settings: Settings) -> None:
        """ConnectError, OSError, ValueError: it cannot be used."""
        ...

    async def reject(self, errors: int, reason: str) -> None:
        """One was refused."""
        ...


class Reloader:
    """`config`: None where there is no file (the demo, tests): nothing is ever read again."""

    def __init__(self, config: LiveConfig | None, live: Live, clock: Clock) -> None:
        self.stats = ReloadStats(last_success_at=clock.now(), hash=hash_of(config.content()) if config else 0)
        self._config = config
        self._live = live
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._unwatched = ""
        """Why the system does not tell of changes, as it was said last."""

    async def run(self) -> None:
        """Until cancelled."""
        if self._config is None:
            return
        asked = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._on_signal(asked), name="SIGHUP")
            group.create_task(self._on_change(self._config), name="files")

    async def reload(self) -> str:
        """Read it again; why it was refused, or nothing."""
        async with self._one_at_a_time:
            return await self._reload()

    async def _reload(self) -> str:
        if self._config is None:
            return "there is no configuration file"
        try:
            settings = await asyncio.to_thread(self._config.load)
            await self._live.adopt(settings)
        except ConfigErrors as refused:
            return await self._refused([problem for problem in refused.problems if problem.is_error])
        except (ConnectError, OSError, ValueError) as error:
            return await self._refused([error])
        except Exception as error:
            # A mistake of ours about a file that somebody has just changed must not end a service that works.
            log.exception("the configuration could not be read", extra=_event("failed"))
            return await self._refused([error])
        self.stats.last_success, self.stats.reason = True, ""
        self.stats.last_success_at = self._clock.now()
        self.stats.hash = hash_of(self._config.content())
        self.stats.taken += 1
        for warning in settings.warnings:
            log.warning("the configuration may not do what was meant", extra=_event("warning", problem=warning))
        log.info("another configuration is in force", extra=_event("loaded"))
        return ""

    async def _refused(self, errors: Sequence[Problem | Exception]) -> str:
        first = str(errors[0])
        self.stats.last_success, self.stats.reason = False, first
        self.stats.refused += 1
        for error in errors[:SHOWN]:
            log.error("the configuration was refused", extra=_event("refused", problem=error))
        await self._live.reject(len(errors), first)
        return first if len(errors) == 1 else f"{first} (and {len(errors) - 1} more)"

    async def _on_signal(self, asked: asyncio.Event) -> None:
        while True:
            await asked.wait()
            asked.clear()
            await self.reload()

    async def _on_change(self, config: LiveConfig) -> None:
        while True:
            directories = config.directories()
            try:
                await self._look(config, directories)
            except OSError as error:
                # A directory went away, or there are too many watches on this machine: look now and then.
                if str(error) != self._unwatched:
                    log.warning("changes of files are not told", extra=_event("unwatched", error=str(error)))
                self._unwatched = str(error)
                await asyncio.sleep(1)
                await self._if_changed(config)

    async def _look(self, config: LiveConfig, directories: set[Path]) -> None:
        """Until other directories are to be watched."""
        changes = awatch(
            *directories, watch_filter=None, recursive=False, step=50, debounce=SETTLE,
            rust_timeout=int(LOOK_EVERY * 1000), yield_on_timeout=True,
        )  # fmt: skip
        async for _ in changes:
            await self._if_changed(config)
            if config.directories() != directories:
                return

    async def _if_changed(self, config: LiveConfig) -> None:
        if await asyncio.to_thread(config.changed):
            await self.reload()


def _event(name: str, **fields: object) -> dict[str, object]:
    return {"event": f"config.{name}", **{key: str(value) for key, value in fields.items()}}
