"""The process: the HTTP server, the store and the connections, and the service that works on them.

The composition root of `run`: settings -> adapters -> loops; the one module, with `service`, that knows every class.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import msgspec
import uvicorn
from starlette.requests import Request

from watcher.app.lent import Outside
from watcher.app.reloading import Reloader
from watcher.app.service import Service
from watcher.app.standby import Standby, not_now
from watcher.app.waiting import first, given_up
from watcher.engine.clock import SteadyClock, SystemClock
from watcher.engine.stats import LeaderStats
from watcher.engine.worker import LEASE
from watcher.model.changes import View
from watcher.ports import Clock, Fenced, StoreError
from watcher.settings.live import LiveConfig
from watcher.settings.records import Settings
from watcher.settings.shipped import directory
from watcher.source.client import connect
from watcher.source.errors import ConnectError
from watcher.source.lease import Lease
from watcher.store.sql import SqlStore

log = logging.getLogger("watcher.app")

END_WITHIN = 9.5
"""Seconds from the signal to the end of the process, whatever does not answer: a thread that sends mail, a database."""

YIELD_WITHIN = 1.0
"""Seconds for what is in flight when another replica waits to take over."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says beyond the configuration."""

    kubeconfig: str | None = None
    watch: bool = True
    clock: Clock = SystemClock()
    stop: asyncio.Event | None = None
    """Set to end the service, besides SIGTERM and SIGINT."""
    config: LiveConfig | None = None
    """Where the settings come from, when they may change while the service runs."""


async def run(settings: Settings, options: RunOptions) -> int:
    """The service, until SIGTERM or SIGINT. Gives the exit code; StoreError, ConnectError, OSError at the start."""
    stop = options.stop or asyncio.Event()
    _heed_signals(stop)
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.http.host, settings.http.port))
        async with given_up(stop):
            process = await stack.enter_async_context(prepared(settings, options))
        # What is loaded by now stays: a full collection need not walk through it, a tenth of a second each time.
        gc.collect()
        gc.freeze()
        if not stop.is_set():
            await process.serve(listener, stop)
    return 0


def _heed_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def told() -> None:
        if not stop.is_set():
            guard = threading.Timer(END_WITHIN, _end)
            guard.daemon = True
            guard.start()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    # It ends a process that does not know it; the configuration that it asks for is read at the start anyway.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)


def _end() -> None:
    """What is stored is stored, and what is not was acknowledged to nobody: nothing is lost by this."""
    log.warning("something did not end in time", extra={"event": "service.cut_off"})
    logging.shutdown()
    os._exit(0)


class Process:
    """What lives as long as the process does. `settings` are those in force."""

    def __init__(self, settings: Settings, options: RunOptions, store: SqlStore, outside: Outside) -> None:
        self.settings = self._at_start = settings
        self.reloader = Reloader(options.config, self, options.clock)
        self.leader = LeaderStats()
        self._store = store
        self.outside = outside
        self._service: Service | None = None
        self._changing = asyncio.Lock()
        """Who works, or with which settings."""
        self._make_application: Callable[[], Any]
        self._application: Any = None
        self._there = asyncio.Event()
        """Something answers HTTP requests."""
        self._refused: tuple[int, str] | None = None
        """Errors of the configuration that was read last, how many and the first; None: it is in force."""
        self._said: dict[str, str] = {}
        """The trouble with the store that was said last, by event."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI: requests go to whoever works now; the first ones wait until somebody does."""
        begun = False

        async def noted(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._there.wait()
            await self._application(scope, receive, noted)
        except asyncio.CancelledError:
            # At the end uvicorn cancels what was not answered within a second, and would log that as our mistake.
            if begun:
                raise
            await not_now(Request(scope), "this Watcher is ending")(scope, receive, send)

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        server = _Server(
            uvicorn.Config(
                self,
                log_config=None,
                access_log=False,
                lifespan="off",
                proxy_headers=False,  # who asks is the other end of the connection: the rest is the API's to judge
                timeout_graceful_shutdown=1,
            )
        )
        address = "{}:{}".format(*listener.getsockname()[:2])
        async with asyncio.TaskGroup() as group:
            reloading = group.create_task(self.reloader.run(), name="reload")
            web = group.create_task(server.serve(sockets=[listener]), name="http")
            log.info("serving", extra={"event": "service.started", "address": address})
            await self._work(stop)
            reloading.cancel()
            server.should_exit = True
            await web
        log.info("stopped", extra={"event": "service.stopped"})

    async def _work(self, stop: asyncio.Event) -> None:
        if self.settings.election.enabled:
            await self._take_turns(stop)
            return
        async with contextlib.AsyncExitStack() as stack:
            async with given_up(stop):
                service = await stack.enter_async_context(self.working(self.outside))
            if not stop.is_set():
                await service.run(stop)

    @contextlib.asynccontextmanager
    async def working(self, outside: Outside, address: str = "") -> AsyncIterator[Service]:
        """A service that is the only one to write to the store, not running yet. StoreError."""
        async with self._changing:
            self.leader.epoch = await self._store.take_over(holder(), address)
            mine = msgspec.structs.replace(outside, epoch=self.leader.epoch)
            service = await Service.begun(self.settings, mine)
            if self._refused is not None:
                # `Started` says that the configuration is in order: that one was refused while this replica stood by.
                await service.reject(*self._refused)
            self._answer_by(service, service.application)
        self.leader.is_leader = True
        self.leader.taken += 1
        try:
            yield service
        finally:
            self.leader.is_leader = False
            self._service = None
            await service.close()

    def _answer_by(self, service: Service, application: Callable[[], Any]) -> None:
        service.reloads, service.leader, service.reload = self.reloader.stats, self.leader, self.reloader.reload
        self._service, self._make_application = service, application
        self._application = application()
        self._there.set()

    # ---- one of several replicas ----

    async def _take_turns(self, stop: asyncio.Event) -> None:
        """Stand by, lead when elected, stand by again when that is lost: until it is to end."""
        client, election = self.outside.client, self.settings.election
        if client is None:
            raise ConnectError("leader_election needs a cluster, whose Lease says who leads: leave --no-watch out.")
        lease = Lease(client, election, holder(), self.outside.clock)
        lease.failed = self._lease_failed
        while not stop.is_set():
            async with given_up(stop):
                await self._stand_by()
                await lease.acquire()
            if stop.is_set():
                await lease.release()
            elif await self._lead(lease, stop):
                # Another replica may be able to write, and gets the time to see that nobody leads.
                await first(stop.wait(), asyncio.sleep(2 * election.retry_period.total_seconds()))

    def _lease_failed(self) -> None:
        self.leader.failures += 1

    async def _stand_by(self) -> None:
        """Answer as one that does not lead, as soon as the store answers; who cannot write need not be elected."""
        pause = self.settings.election.retry_period.total_seconds()
        while True:
            try:
                async with self._changing:
                    await self._answer_from_store()
                self._said.pop("store.failing", None)
                return
            except StoreError as error:
                self._say(logging.WARNING, "the store does not answer", "store.failing", str(error))
                await asyncio.sleep(pause)

    async def _answer_from_store(self, view: View | None = None) -> None:
        """`view`: of what is stored, if it need not be read."""
        outside = msgspec.structs.replace(self.outside, client=None, working=False)
        service = await Service.begun(self.settings, outside, view)
        address = self.settings.election.address
        self._answer_by(service, lambda: Standby(service, outside, address))

    async def _lead(self, lease: Lease, stop: asyncio.Event) -> bool:
        """Until it is to end, the lease is lost, the store is away for too long, or somebody else has taken over.
        Whether the store did not let us."""
        refused = False
        try:
            await first(self._work_elected(lease, stop), lease.keep())
        except* StoreError as group:
            refused = True
            error = str(next(_leaves(group)))
            self._say(logging.ERROR, "the store cannot be taken over", "leader.no_store", error)
        except* Fenced as group:
            refused = True
            error = str(next(_leaves(group)))
            log.error("another replica has taken over", extra={"event": "leader.fenced", "error": error})
        finally:
            await lease.release()
        if not stop.is_set():
            self.leader.lost += 1
        return refused

    async def _work_elected(self, lease: Lease, stop: asyncio.Event) -> None:
        outside = msgspec.structs.replace(self.outside, may_send=lease.held, stop_within=YIELD_WITHIN)
        async with contextlib.AsyncExitStack() as stack:
            async with given_up(stop):
                working = self.working(outside, self.settings.election.address)
                service = await stack.enter_async_context(working)
            if not stop.is_set():
                self._said.clear()
                await first(service.run(stop), self._without_store(service))

    def _say(self, level: int, text: str, event: str, error: str) -> None:
        """Once for each trouble, however often it is met again."""
        if error != self._said.get(event):
            log.log(level, text, extra={"event": event, "error": error})
        self._said[event] = error

    async def _without_store(self, service: Service) -> None:
        """Until the store has not answered for `renew_deadline`: another replica may reach it."""
        limit, failing_since = self.settings.election.renew_deadline.total_seconds(), None
        clock = self.outside.clock
        while failing_since is None or clock.monotonic() - failing_since < limit:
            await asyncio.sleep(0.5)
            if not service.store_failing:
                failing_since = None
            elif failing_since is None:
                failing_since = clock.monotonic()

    # ---- another configuration ----

    async def adopt(self, settings: Settings) -> None:
        """Put other settings in force; what cannot be changed while the process runs is said in the log."""
        for name, before, now in _fixed(self._at_start, settings):
            if before != now:
                log.warning("this takes a restart", extra={"event": "config.needs_restart", "key": name})
        async with self._changing:
            before, self.settings = self.settings, settings
            try:
                await self._put_in_force(settings)
            except BaseException:
                self.settings = before
                raise
            self._refused = None

    async def _put_in_force(self, settings: Settings) -> None:
        service = self._service
        if service is None:
            # Between two turns. They are tried here; when the store does not answer, `_stand_by` takes them up.
            with contextlib.suppress(StoreError):
                await self._answer_from_store()
        elif self.leader.is_leader:
            await service.adopt(settings)
            self._application = self._make_application()
        else:
            view = View()
            view.become(service.writer.view)
            await self._answer_from_store(view)

    async def reject(self, errors: int, reason: str) -> None:
        self._refused = errors, reason
        if self.leader.is_leader and self._service is not None:
            await self._service.reject(errors, reason)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _fixed(before: Settings, now: Settings) -> Iterator[tuple[str, object, object]]:
    """(key, before, now) of what is read at the start only."""
    yield "store.url", before.store.url, now.store.url
    yield "http.listen", (before.http.host, before.http.port), (now.http.host, now.http.port)
    yield "record", before.record, now.record
    yield "leader_election", before.election, now.election


def holder() -> str:
    """Who this process is, to others that look into the store."""
    return f"{socket.gethostname()}/{os.getpid()}"


@contextlib.asynccontextmanager
async def prepared(settings: Settings, options: RunOptions) -> AsyncIterator[Process]:
    """A process with its connections, not working yet."""
    store = SqlStore(settings.store.url.value, directory("alembic"), owner=holder(), lease_for=LEASE)
    async with contextlib.AsyncExitStack() as stack:
        await store.open()
        stack.push_async_callback(store.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        executor = ThreadPoolExecutor(4, thread_name_prefix="apprise")
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        client = None
        if options.watch:
            client = await connect(SteadyClock(options.clock), options.kubeconfig)
            stack.push_async_callback(client.close)
        outside = Outside(
            clock=options.clock,
            store=store,
            session=session,
            executor=executor,
            client=client,
            began=options.clock.monotonic(),
        )
        yield Process(settings, options, store, outside)


def listen(host: str, port: int) -> socket.socket:
    """The socket of the HTTP interface; OSError names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}; give another with --listen") from error


class _Server(uvicorn.Server):
    """Without its signal handlers: the process has its own order to stop in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
