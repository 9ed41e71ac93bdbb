"""The service while it works: writer, dispatcher and sources on one store, and what they tell about themselves.

It begins with what the store holds, and tells the core `Started` before any source speaks. It ends in order (`run`):
the sources first, then what they brought is judged, messages in flight are finished and recorded; all of it in less
than ten seconds. It may also be cancelled at any moment: who cannot write any more has nothing to finish. What lives
longer than it (the HTTP server, the store, connections) is the process's (`process.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client.core import Metric

from watcher.api.access import Access
from watcher.api.app import Readiness, make_app
from watcher.api.inbox import Inbox
from watcher.api.inside import Inside, PostStats
from watcher.api.outcomes import Outcomes
from watcher.app import access
from watcher.app.lent import Outside
from watcher.app.metrics import Parts, Replica, service_metrics, standby_metrics
from watcher.app.waiting import ended, first
from watcher.app.watching import Watching, scopes
from watcher.deliver.factory import make_sender
from watcher.deliver.heartbeat import HeartbeatUrl
from watcher.engine.clock import SteadyClock, new_id
from watcher.engine.dispatch import Dispatcher
from watcher.engine.evidence import EvidenceLoop
from watcher.engine.heartbeat import Heartbeat
from watcher.engine.pulse import Pulse
from watcher.engine.queue import IntakeQueue
from watcher.engine.retention import Retention
from watcher.engine.stats import LeaderStats, ReloadStats, StoreStats
from watcher.engine.vitals import Writing, undelivered, words
from watcher.engine.worker import Name
from watcher.engine.writer import Writer
from watcher.model.changes import Changes, View
from watcher.model.config import Integration, Receiver
from watcher.model.observations import ConfigLoaded, ConfigRejected, Scope, Started
from watcher.model.state import MessageState
from watcher.notify.channels import traits
from watcher.pipeline import Core
from watcher.ports import Sender
from watcher.settings.core import core_of
from watcher.settings.original import original
from watcher.settings.records import Settings
from watcher.source.evidence import KubeEvidence
from watcher.source.recording import RecordingWriter

log = logging.getLogger("watcher.app")

DRAIN_WITHIN = 1.0
"""Seconds for what is still queued after that; a store that is away is not waited for."""


class Service:
    """Made by `begun`, which loads what is stored."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        self.settings = settings
        self.clock = SteadyClock(outside.clock)
        self.queue = IntakeQueue()
        self.outcomes = Outcomes()
        self.inbox = Inbox(outside.store, self.queue, self.clock)
        self.posts = PostStats()
        self.store_stats = StoreStats()
        self.reloads = ReloadStats()
        self.leader = LeaderStats()
        """What the process counts, as the last one."""
        self.reload: Callable[[], Awaitable[str]] = _cannot
        self.watching: Watching | None = None
        self.evidence: EvidenceLoop | None = None
        self.heartbeat: Heartbeat | None = None
        self.recording: RecordingWriter | None = None
        self.pulse = Pulse(outside.store, outside.epoch)
        self.dispatcher: Dispatcher
        self.writer: Writer
        self.writing: Writing
        self.dead_letters = {(one.name, name): 0 for one in settings.receivers for name, _ in one.integrations}
        self._outside = outside
        self._senders: dict[Name, tuple[Integration, Sender]] = {}
        self._began_at = self.clock.now()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """What brings something in, or looks after something: what ends first at a stop."""
        self._group: asyncio.TaskGroup | None = None
        self._going = asyncio.Event()
        """All of its loops run."""
        self._over = asyncio.Event()
        """It takes no other configuration any more."""

    @classmethod
    async def begun(cls, settings: Settings, outside: Outside, view: View | None = None) -> Service:
        """Takes up what is stored, or `view` of it. ValueError, OSError (settings that cannot be used), StoreError."""
        service = cls(settings, outside)
        await service._load(view)
        if outside.client is not None:
            service.watching = Watching(outside.client, settings, service.queue, service.clock)
            fetcher = KubeEvidence(outside.client, service.clock)
            service.evidence = EvidenceLoop(fetcher, service.queue, service.clock)
        service.heartbeat = service._heartbeat()
        return service

    async def _load(self, view: View | None) -> None:
        clock, store = self.clock, self._outside.store
        self._senders = self._made(self.settings)
        since: datetime | None = None
        if view is None:
            begun = clock.monotonic()
            view, since = await store.load()
            self.store_stats.took("load", clock.monotonic() - begun)
        senders = {name: sender for name, (_, sender) in self._senders.items()}
        self.dispatcher = Dispatcher(
            senders,
            store,
            self.queue,
            clock,
            paced=paced(self.settings.receivers),
            may_send=self._may_send,
        )
        self.dispatcher.resume(view.outbox.rows.values(), view.channels.rows.values())
        self.writer = Writer(core_of(self.settings), view, store, clock, self.queue, self._hand_on)
        self.writer.in_flight = self.dispatcher.in_flight
        self.inbox.store_fails = lambda: self.store_failing
        self.inbox.on_failure = self._doubt_store
        self.writer.withhold = lambda changes: self.dispatcher.withhold(changes.outbox)
        self.writing = Writing(self.writer, self.queue, clock)
        if self.settings.record and self._outside.working:
            self.recording = RecordingWriter(Path(self.settings.record), cluster=self.settings.cluster)
            self.writer.record = self.recording.write
        wanted, excluded = self._scopes(self.settings), self.settings.watch.exclude_namespaces
        await self.queue.put(Started(at=clock.now(), since=since, scopes=wanted, excluded=excluded))
        if self._outside.working:
            await self.inbox.resume()

    def _may_send(self) -> bool:
        """Who leads no more, or could not record it, begins no message: another one may send it too."""
        leads = self._outside.may_send is None or self._outside.may_send()
        return leads and not self.store_failing

    @property
    def store_failing(self) -> bool:
        """A commit or a post waits for it, or it does not answer though nothing has to be written."""
        return self.writer.stats.store_failing or self.pulse.away or self.inbox.failing > 0

    def _doubt_store(self) -> None:
        self.writer.doubtful = True

    def _scopes(self, settings: Settings) -> tuple[Scope, ...]:
        return scopes(settings.watch) if self._outside.client is not None else ()

    def _made(self, settings: Settings) -> dict[Name, tuple[Integration, Sender]]:
        """Each integration with its adapter; what did not change keeps the one it has. ValueError, OSError."""
        made: dict[Name, tuple[Integration, Sender]] = {}
        for receiver in settings.receivers:
            for name, config in receiver.integrations:
                before = self._senders.get((receiver.name, name))
                if before is None or before[0] != config:
                    before = (config, make_sender(config, self._outside.session, self._outside.executor))
                made[receiver.name, name] = before
        return made

    def _heartbeat(self) -> Heartbeat | None:
        url = self.settings.heartbeat_url
        return None if url is None else Heartbeat(HeartbeatUrl(self._outside.session, url), self.vital, self.clock)

    # ---- running ----

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Fenced, in a group, when somebody else has taken over the store."""
        try:
            await self._run(stop)
        finally:
            self._end()

    def _end(self) -> None:
        """Whoever waits for another configuration, or for an answer, waits no longer."""
        self._over.set()
        self.outcomes.end()
        self.inbox.end()

    async def _run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            writer = group.create_task(self.writer.run(), name="writer")
            senders = group.create_task(self.dispatcher.run(), name="dispatcher")
            for name, loop in self._loops():
                self._start(name, loop)
            self._going.set()
            await stop.wait()
            log.info("stopping", extra={"event": "service.stopping"})
            self._end()
            await self._ended(self._tasks)
            await self._finish()
            interrupted = self.writer.busy
            await ended([senders, writer])
            if interrupted:  # that commit may have happened: what follows has to be judged by what is stored
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_WITHIN):
                    await self.writer.drain()

    async def close(self) -> None:
        self._end()
        await self.dispatcher.close()
        if self.recording is not None:
            self.recording.close()

    def _loops(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        keep = self.settings.store.retention
        yield "retention", Retention(self._outside.store, self.clock, keep, self.store_stats).run()
        yield "pulse", self.pulse.run()
        yield "inbox", self.inbox.run()
        if self.evidence is not None:
            yield "evidence", self.evidence.run()
        if self.heartbeat is not None:
            yield "heartbeat", self.heartbeat.run()
        if self.watching is not None:
            yield from self._watch_loops(self.watching)

    def _watch_loops(self, watching: Watching) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        for name, loop in watching.loops():
            yield f"watching/{name}", loop
        yield "watching/access", access.report(watching.stats, self.settings.watch.namespaces)

    def _start(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None
        self._tasks[name] = self._group.create_task(loop, name=name)

    async def _ended(self, names: Iterable[str]) -> None:
        await ended([self._tasks.pop(name) for name in [*names]])

    async def _finish(self) -> None:
        """Let due messages go out and be recorded, for a while; a store that is away records nothing."""
        writer, busy = self.writer, self.dispatcher.busy
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._outside.stop_within):
                while not writer.stats.store_failing and (len(self.queue) or writer.busy or busy()):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    def _hand_on(self, changes: Changes) -> None:
        self.dispatcher.committed(changes.outbox, changes.channels)
        self.outcomes.note(changes)
        self.inbox.note(changes)
        for row in changes.finished:
            if row.state is MessageState.DEAD:
                name = (row.receiver, row.integration)
                self.dead_letters[name] = self.dead_letters.get(name, 0) + 1
        if self.evidence is not None:
            self.evidence.ask(changes.fetch)

    # ---- another configuration ----

    async def adopt(self, settings: Settings) -> None:
        """Put other settings in force, between two batches. ConnectError, OSError, ValueError: they cannot be used, and
        the ones before them stay."""
        senders, core = self._made(settings), core_of(settings)
        fresh = self._fresh_watching(settings)
        await first(self._going.wait(), self._over.wait())
        if self._over.is_set():
            return
        if fresh is not None:
            await self._ended([name for name in self._tasks if name.startswith("watching/")])
        await self._ended([name for name in self._tasks if name in ("heartbeat", "retention")])
        in_force = asyncio.Event()

        def swap() -> Core:
            self.settings, self._senders = settings, senders
            now = {name: sender for name, (_, sender) in senders.items()}
            self.dispatcher.reconfigure(now, paced(settings.receivers), self.writer.view.channels.rows)
            for name in now:
                self.dead_letters.setdefault(name, 0)
            in_force.set()
            return core

        self.writer.adopt = swap
        wanted = self._scopes(settings)
        loaded = ConfigLoaded(
            at=self.clock.now(),
            scopes=wanted,
            excluded=settings.watch.exclude_namespaces,
            again=wanted if fresh is not None else (),
        )
        await self.queue.put(loaded)
        await first(in_force.wait(), self._over.wait())
        if not self._over.is_set():
            self._go_on(fresh)

    def _fresh_watching(self, settings: Settings) -> Watching | None:
        """Other streams, where others are wanted."""
        same = (settings.watch, settings.volumes) == (self.settings.watch, self.settings.volumes)
        client = self._outside.client
        return None if same or client is None else Watching(client, settings, self.queue, self.clock)

    def _go_on(self, fresh: Watching | None) -> None:
        self.heartbeat = self._heartbeat()
        if self.heartbeat is not None:
            self._start("heartbeat", self.heartbeat.run())
        keep = self.settings.store.retention
        self._start("retention", Retention(self._outside.store, self.clock, keep, self.store_stats).run())
        if fresh is not None:
            self.watching = fresh
            for name, loop in self._watch_loops(fresh):
                self._start(name, loop)

    async def reject(self, errors: int, reason: str) -> None:
        """Another configuration was refused: the core makes an alert of it."""
        await self.queue.put(ConfigRejected(at=self.clock.now(), errors=errors, reason=reason))

    # ---- what it tells ----

    def application(self) -> Any:
        """The HTTP interface, as of the settings in force."""
        access = Access(self.settings.http)
        access.announce()
        return make_app(self, self.inside(), access)

    def inside(self) -> Inside:
        return Inside(
            store=self._outside.store,
            intake=self.queue,
            clock=self.clock,
            view=self.writer.view,
            outcomes=self.outcomes,
            inbox=self.inbox,
            receivers=lambda: self.writer.core.receivers,
            mistakes=lambda: self.writer.stats.mistakes,
            core=lambda: self.writer.core,
            original=lambda: original(self.settings),
            resolve_timeout=lambda: self.settings.resolve_timeout,
            new_id=new_id,
            began=self._began_at,
            reload=self.reload,
            posts=self.posts,
        )

    def readiness(self) -> Readiness:
        waiting = ["the store does not answer"] if self.store_failing else []
        if self.watching is None:
            return Readiness(waiting=tuple(waiting))
        waiting += [f"{words(scope)} have not been listed yet" for scope in self.watching.unlisted()]
        return Readiness(waiting=tuple(waiting), detail=tuple(self.watching.degraded()))

    def vital(self) -> tuple[str, ...]:
        """Why Watcher does not do its work; nothing when it does: then the heartbeat goes."""
        sources = self.watching.silent() if self.watching is not None else []
        own = [self.writing.trouble(), undelivered(self.dispatcher, self.clock)]
        return (*sources, *(trouble for trouble in own if trouble))

    def metrics(self) -> Iterable[Metric]:
        """Of one that stands by only its own: what it read from the store is the leader's to show."""
        ready = not self.readiness().waiting
        if not self.leader.is_leader:
            return standby_metrics(Replica(ready=ready, reload=self.reloads, leader=self.leader))
        self.posts.waiting = self.inbox.alerts
        parts = Parts(
            writer=self.writer,
            dispatcher=self.dispatcher,
            queue=self.queue,
            clock=self.clock,
            dead_letters=self.dead_letters,
            streams=self.watching.stats if self.watching is not None else (),
            began=self._outside.began,
            ready=ready,
            posts=self.posts,
            reload=self.reloads,
            leader=self.leader,
            store=(self.store_stats,),
        )
        if self.watching is not None and self.watching.sampler is not None:
            parts = replace(parts, sampler=self.watching.sampler.stats)
        if self.evidence is not None:
            parts = replace(parts, evidence=self.evidence.stats)
        if self.heartbeat is not None:
            parts = replace(parts, heartbeat=self.heartbeat.stats)
        return service_metrics(parts)


def paced(receivers: Iterable[Receiver]) -> frozenset[Name]:
    """Integrations with a rate: they get one message at a time."""
    return frozenset(
        (receiver.name, name)
        for receiver in receivers
        for name, config in receiver.integrations
        if traits(config).every is not None
    )


async def _cannot() -> str:
    return "there is no configuration file"
