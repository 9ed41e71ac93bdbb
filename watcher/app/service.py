"""The composition root of `run`: settings -> adapters -> loops. The one module that knows every class.

Start: the store is opened and read, the outbox taken up again, and `Started` told to the core before any source
speaks. Stop (SIGTERM, Ctrl-C): the sources first, then what they brought is judged, messages in flight are finished
and recorded, the store is closed; all of it in less than ten seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvicorn
from prometheus_client.core import Metric

from watcher.api.access import Access
from watcher.api.app import Readiness, make_app
from watcher.api.inside import Inside
from watcher.api.outcomes import Outcomes
from watcher.app import access
from watcher.app.metrics import Parts, service_metrics
from watcher.app.watching import Watching, scopes
from watcher.deliver.factory import make_sender
from watcher.deliver.heartbeat import HeartbeatUrl
from watcher.engine.clock import SteadyClock, SystemClock, new_id
from watcher.engine.dispatch import Dispatcher
from watcher.engine.evidence import EvidenceLoop
from watcher.engine.heartbeat import Heartbeat
from watcher.engine.queue import IntakeQueue
from watcher.engine.retention import Retention
from watcher.engine.vitals import Writing, undelivered, words
from watcher.engine.worker import LEASE, Name
from watcher.engine.writer import Writer
from watcher.model.changes import Changes
from watcher.model.config import Receiver
from watcher.model.observations import Scope, Started
from watcher.model.state import MessageState
from watcher.notify.channels import traits
from watcher.ports import Clock, Sender
from watcher.settings.core import core_of
from watcher.settings.original import original
from watcher.settings.records import Settings
from watcher.settings.shipped import directory
from watcher.source.client import KubeClient, connect
from watcher.source.evidence import KubeEvidence
from watcher.source.recording import RecordingWriter
from watcher.store.sql import SqlStore

log = logging.getLogger("watcher.app")

DRAIN_WITHIN = 1.0
"""Seconds for what is still queued after that; a store that is away is not waited for."""

STOP_WITHIN = 8.0
"""Seconds for what is in flight at the end; Kubernetes gives 30 s, and SIGKILL loses nothing either."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says beyond the configuration."""

    kubeconfig: str | None = None
    watch: bool = True
    clock: Clock = SystemClock()
    stop: asyncio.Event | None = None
    """Set to end the service, besides SIGTERM and SIGINT."""


class Service:
    """Everything that runs, and what it tells about itself."""

    def __init__(self, settings: Settings, options: RunOptions, store: SqlStore) -> None:
        self.settings = settings
        self.options = options
        self.clock = SteadyClock(options.clock)
        self.store = store
        self.queue = IntakeQueue()
        self.watching: Watching | None = None
        self.evidence: EvidenceLoop | None = None
        self.heartbeat: Heartbeat | None = None
        self.recording: RecordingWriter | None = None
        self.dispatcher: Dispatcher
        self.writer: Writer
        self.writing: Writing
        self.outcomes = Outcomes()
        self.dead_letters = {(one.name, name): 0 for one in settings.receivers for name, _ in one.integrations}
        self._began = self.clock.monotonic()
        self._began_at = self.clock.now()

    async def load(self, senders: dict[Name, Sender]) -> None:
        """Take up what an earlier process left, and tell the core that a new one begins."""
        clock = self.clock
        view, since = await self.store.load()
        self.dispatcher = Dispatcher(senders, self.store, self.queue, clock, paced=paced(self.settings.receivers))
        self.dispatcher.resume(view.outbox.rows.values(), view.channels.rows.values())
        self.writer = Writer(core_of(self.settings), view, self.store, clock, self.queue, self._hand_on)
        self.writer.in_flight = self.dispatcher.in_flight
        self.writer.withhold = lambda changes: self.dispatcher.withhold(changes.outbox)
        self.writing = Writing(self.writer, self.queue, clock)
        if self.settings.record:
            self.recording = RecordingWriter(Path(self.settings.record), cluster=self.settings.cluster)
            self.writer.record = self.recording.write
        await self.queue.put(Started(at=clock.now(), since=since, scopes=self.scopes()))

    def scopes(self) -> tuple[Scope, ...]:
        return scopes(self.settings.watch) if self.options.watch else ()

    def watch(self, client: KubeClient) -> None:
        clock = self.clock
        self.watching = Watching(client, self.settings, self.queue, clock)
        self.evidence = EvidenceLoop(KubeEvidence(client, clock), self.queue, clock)

    def loops(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """(name, loop) of what brings something in, or looks after something: what ends first at a stop."""
        if self.watching is not None:
            yield from self.watching.loops()
            yield "access", access.report(self.watching.stats, self.settings.watch.namespaces)
        keep = self.settings.store.retention
        yield "retention", Retention(self.store, self.clock, keep).run()
        if self.evidence is not None:
            yield "evidence", self.evidence.run()
        if self.heartbeat is not None:
            yield "heartbeat", self.heartbeat.run()

    def _hand_on(self, changes: Changes) -> None:
        self.dispatcher.committed(changes.outbox, changes.channels)
        self.outcomes.note(changes)
        for row in changes.finished:
            if row.state is MessageState.DEAD:
                name = (row.receiver, row.integration)
                self.dead_letters[name] = self.dead_letters.get(name, 0) + 1
        if self.evidence is not None:
            self.evidence.ask(changes.fetch)

    def inside(self) -> Inside:
        """What the HTTP interface is given."""
        return Inside(
            store=self.store,
            intake=self.queue,
            clock=self.clock,
            view=self.writer.view,
            outcomes=self.outcomes,
            receivers=lambda: self.writer.core.receivers,
            mistakes=lambda: self.writer.stats.mistakes,
            core=lambda: self.writer.core,
            original=lambda: original(self.settings),
            resolve_timeout=lambda: self.settings.resolve_timeout,
            new_id=new_id,
            began=self._began_at,
        )

    def readiness(self) -> Readiness:
        waiting = ["the store does not answer"] if self.writer.stats.store_failing else []
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
        parts = Parts(
            writer=self.writer,
            dispatcher=self.dispatcher,
            queue=self.queue,
            clock=self.clock,
            dead_letters=self.dead_letters,
            streams=self.watching.stats if self.watching is not None else (),
            began=self._began,
        )
        if self.watching is not None and self.watching.sampler is not None:
            parts = replace(parts, sampler=self.watching.sampler.stats)
        if self.evidence is not None:
            parts = replace(parts, evidence=self.evidence.stats)
        if self.heartbeat is not None:
            parts = replace(parts, heartbeat=self.heartbeat.stats)
        return service_metrics(parts)


async def run(settings: Settings, options: RunOptions) -> int:
    """The service, until SIGTERM or SIGINT. Gives the exit code; StoreError, ConnectError, OSError at the start."""
    stop = options.stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.http.host, settings.http.port))
        service = await stack.enter_async_context(assembled(settings, options))
        await _serve(service, listener, stop)
    return 0


def paced(receivers: Iterable[Receiver]) -> frozenset[Name]:
    """Integrations with a rate: they get one message at a time."""
    return frozenset(
        (receiver.name, name)
        for receiver in receivers
        for name, config in receiver.integrations
        if traits(config).every is not None
    )


@contextlib.asynccontextmanager
async def assembled(settings: Settings, options: RunOptions) -> AsyncIterator[Service]:
    """A service with its adapters, not running yet."""
    store = SqlStore(
        settings.store.url.value,
        directory("alembic"),
        owner=f"{socket.gethostname()}/{os.getpid()}",
        lease_for=LEASE,
    )
    async with contextlib.AsyncExitStack() as stack:
        await store.open()
        stack.push_async_callback(store.close)
        await store.release_all()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        executor = stack.enter_context(ThreadPoolExecutor(4, thread_name_prefix="apprise"))
        service = Service(settings, options, store)
        senders = {
            (receiver.name, name): make_sender(integration, session, executor)
            for receiver in settings.receivers
            for name, integration in receiver.integrations
        }
        await service.load(senders)
        stack.push_async_callback(service.dispatcher.close)
        if service.recording is not None:
            stack.callback(service.recording.close)
        if options.watch:
            client = await connect(service.clock, options.kubeconfig)
            stack.push_async_callback(client.close)
            service.watch(client)
        if settings.heartbeat_url is not None:
            service.heartbeat = Heartbeat(HeartbeatUrl(session, settings.heartbeat_url), service.vital, service.clock)
        yield service


async def _serve(service: Service, listener: socket.socket, stop: asyncio.Event) -> None:
    server = _server(service)
    log.info("serving", extra={"event": "service.started", "address": "{}:{}".format(*listener.getsockname()[:2])})
    async with asyncio.TaskGroup() as group:
        web = group.create_task(server.serve(sockets=[listener]), name="http")
        writer = group.create_task(service.writer.run(), name="writer")
        senders = group.create_task(service.dispatcher.run(), name="dispatcher")
        sources = [group.create_task(loop, name=name) for name, loop in service.loops()]
        await stop.wait()
        log.info("stopping", extra={"event": "service.stopping"})
        service.outcomes.end()
        await _ended(sources)
        await _finish(service)
        await _ended([senders, writer])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_WITHIN):
                await service.writer.drain()
        server.should_exit = True
        await web
    log.info("stopped", extra={"event": "service.stopped"})


def _server(service: Service) -> uvicorn.Server:
    """Who asks is the other end of the connection: what a proxy says of that is the API's to judge."""
    access = Access(service.settings.http)
    access.announce()
    config = uvicorn.Config(
        make_app(service, service.inside(), access),
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


async def _finish(service: Service) -> None:
    """Let due messages go out and be recorded, for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_WITHIN):
            while len(service.queue) or service.writer.busy or service.dispatcher.busy():  # noqa: ASYNC110 - three rooms
                await asyncio.sleep(0.02)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Server(uvicorn.Server):
    """Without its signal handlers: the service has its own order to stop in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """The socket of the HTTP interface; OSError names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}; give another with --listen") from error
