"""WATCH: one stream of events to one client.

A watch keeps a position in its store's history and writes what came after it, many events in one write when there are
many. It never queues: a client that reads so slowly that its position leaves the history window is closed with a clean
EOF, as the real watch cache does. Deadline, bookmarks and faults all work by setting something and waking the loop in
`run`. What the lines look like is decided in forms.py and store.py.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import Mapping

import msgspec
from aiohttp import web

from watcher.demo.forms import Form, Shape, bookmark_line, error_line, watch_line
from watcher.demo.lists import number
from watcher.demo.model import Cluster
from watcher.demo.resources import Target
from watcher.demo.selectors import EVERYTHING, Selector, parse_selector
from watcher.demo.status import ApiError, expired_version, invalid, too_large
from watcher.demo.store import Change, Stored, event_line

_CHANGES_PER_WRITE = 256


class WatchOptions(msgspec.Struct, kw_only=True):
    """How this server's watches behave; may be changed while it runs."""

    bookmarks: bool = True
    bookmark_interval: float = 60.0
    """Seconds. Kubernetes sends one about every minute, and one 2 s before the deadline."""
    timeout: float = 2700.0
    """Seconds until a watch without timeoutSeconds ends; Kubernetes draws 30 to 60 minutes."""
    expired_as_http: bool = False
    """Answer an expired version with HTTP 410 rather than HTTP 200 and an ERROR event."""
    watch_list: bool = False
    """The WatchList feature gate: allow sendInitialEvents."""
    gzip_members: bool = False
    """With the gate on, compress initial lists as Kubernetes 1.37 does: one gzip member for each flush."""


class WatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A checked watch request."""

    target: Target
    selector: Selector = EVERYTHING
    version: int = 0
    """0: begin with synthetic ADDED events of what there is."""
    bookmarks: bool = False
    timeout: float
    initial_events: bool = False
    form: Form


def parse_watch(target: Target, query: Mapping[str, str], form: Form, options: WatchOptions) -> WatchRequest:
    """Check the parameters of a watch; ApiError for what the API server refuses."""
    initial, match = query.get("sendInitialEvents", ""), query.get("resourceVersionMatch", "")
    if initial and not options.watch_list:
        raise invalid(
            'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden '
            "for watch unless the WatchList feature gate is enabled"
        )
    if match and not initial:
        raise invalid(
            'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is '
            "forbidden for watch unless sendInitialEvents is provided"
        )
    fields = query.get("fieldSelector", "")
    if target.name:
        fields = ",".join(filter(None, (fields, f"metadata.name={target.name}")))
    return WatchRequest(
        target=target,
        selector=parse_selector(target.resource, query.get("labelSelector", ""), fields),
        version=number(query.get("resourceVersion", ""), "resourceVersion"),
        bookmarks=query.get("allowWatchBookmarks", "") in ("1", "true"),
        timeout=float(number(query.get("timeoutSeconds", ""), "timeoutSeconds")) or options.timeout,
        initial_events=initial in ("1", "true"),
        form=form,
    )


class Watch:
    """One open watch. The methods below `run` are for faults and for shutting down."""

    def __init__(
        self, cluster: Cluster, request: WatchRequest, options: WatchOptions, bytes_per_second: float = 0.0
    ) -> None:
        self.request = request
        self._rate = bytes_per_second
        self.sent = 0
        """Events written, bookmarks included."""
        self._cluster = cluster
        self._options = options
        self._store = cluster.store(request.target.resource.kind)
        self._plain = request.form.shape is Shape.OBJECT and not request.selector and not request.target.namespace
        self._position = 0
        self._woken = asyncio.Event()
        self._extra: list[bytes] = []
        self._first = True
        self._stalled = False
        self._ending = False
        self._cut = False
        self._abort = False
        self._compress = False
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def caught_up(self) -> bool:
        """Whether everything that happened has been handed to the socket (or never will be)."""
        return self._stalled or self._ending or self._position >= self._store.end

    def wake(self) -> None:
        self._woken.set()

    def begin(self) -> ApiError | None:
        """Find the place in the history; an ApiError when the version cannot be served."""
        version, store = self.request.version, self._store
        if version > self._cluster.version:
            return ApiError(too_large(version, self._cluster.version))
        if version and version < store.floor and not self.request.initial_events:
            return ApiError(expired_version(version, store.floor))
        if version and not self.request.initial_events:
            self._position = store.position(version)
            return None
        self._position = store.end
        self._extra.extend(self._initial())
        if self.request.initial_events and self.request.bookmarks:
            self._extra.append(self._bookmark(initial_end=True))
        return None

    def _initial(self) -> list[bytes]:
        return [self._line("ADDED", one) for one in self._store.current() if self._passes(one)]

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Serve until the deadline, the client's leaving, or a fault."""
        response = self._response(request)
        await response.prepare(request)
        self._arm()
        self._store.watchers.add(self)
        self._woken.set()
        try:
            await self._loop(response)
            if self._abort:
                reset_connection(request)
            else:
                await response.write_eof()
        except ConnectionResetError:
            pass  # the client has left
        finally:
            self._store.watchers.discard(self)
            for timer in self._timers:
                timer.cancel()
        return response

    def _response(self, request: web.Request) -> web.StreamResponse:
        headers = {"Cache-Control": "no-cache, private", "Content-Type": "application/json"}
        accepts = "gzip" in request.headers.get("Accept-Encoding", "")
        if self._options.gzip_members and self._options.watch_list and accepts and self.request.version == 0:
            self._compress = True
            headers["Content-Encoding"] = "gzip"
        return web.StreamResponse(headers=headers)

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(self.request.timeout, self.end))
        if self.request.bookmarks:
            last = self.request.timeout - 2.0
            if last > 0:
                self._timers.append(loop.call_later(last, self._add_bookmark))
            self._arm_bookmark(loop)

    def _arm_bookmark(self, loop: asyncio.AbstractEventLoop) -> None:
        def due() -> None:
            self._timers.remove(timer)
            self._add_bookmark()
            self._arm_bookmark(loop)

        timer = loop.call_later(self._options.bookmark_interval, due)
        self._timers.append(timer)

    def _add_bookmark(self) -> None:
        # A bookmark may promise nothing that has not been sent before it.
        if self._options.bookmarks and self._position >= self._store.end:
            self._extra.append(self._bookmark())
            self.wake()

    def _bookmark(self, *, initial_end: bool = False) -> bytes:
        resource = self.request.target.resource
        return bookmark_line(self.request.form, resource, self._cluster.version, initial_end=initial_end)

    async def _loop(self, response: web.StreamResponse) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            if self._stalled:
                continue
            if self._abort or self._position < self._store.base:
                return
            lines = self._collect()
            if lines:
                await self._write(response, lines)
            if self._cut and lines:
                return
            if self._ending and self._position >= self._store.end and not self._extra:
                return

    def _collect(self) -> list[bytes]:
        lines, self._extra = self._extra, []
        start = self._position - self._store.base
        changes = self._store.changes[start : start + _CHANGES_PER_WRITE]
        self._position += len(changes)
        if self._position < self._store.end:
            self.wake()
        if self._plain:
            lines.extend([change.line for change in changes])
        else:
            lines.extend(line for change in changes if (line := self._render(change)))
        return lines

    def _render(self, change: Change) -> bytes | None:
        """What a filtered watch sees of a change (cache_watcher.go, convertToWatchEvent)."""
        namespace = self.request.target.namespace
        if namespace and change.stored.key[0] != namespace:
            return None
        now = change.event != "DELETED" and self._passes(change.stored)
        before = change.previous is not None and self._passes(change.previous)
        if now:
            if not self.request.selector and self.request.form.shape is Shape.OBJECT:
                return change.line
            return self._line("MODIFIED" if before else "ADDED", change.stored)
        if before and change.previous is not None:
            previous = change.previous
            return self._line("DELETED", Stored(previous.resource, previous.key, change.version, previous.encoded))
        return None

    def _passes(self, stored: Stored) -> bool:
        target = self.request.target
        if target.namespace and stored.key[0] != target.namespace:
            return False
        return not self.request.selector or self.request.selector.matches(stored.item)

    def _line(self, event: str, stored: Stored) -> bytes:
        first, self._first = self._first, False
        return watch_line(self.request.form, event, stored, self._cluster.timeline.now(), first=first)

    async def _write(self, response: web.StreamResponse, lines: list[bytes]) -> None:
        if self._cut:
            await response.write(lines[0][: max(1, len(lines[0]) // 2)])
            return
        self.sent += len(lines)
        data = b"".join(lines)
        if self._compress:
            data = gzip.compress(data, 1)
        await write_slowly(response, data, self._rate)

    def shut(self) -> None:
        """The server goes away: EOF, or RST where nothing can be sent any more."""
        if self._stalled:
            self.reset()
        else:
            self.end()

    def end(self) -> None:
        """Clean EOF after what has happened so far."""
        self._ending = True
        self.wake()

    def reset(self) -> None:
        """TCP RST, whatever was on its way."""
        self._abort = True
        self._stalled = False
        self.wake()

    def stall(self, stalled: bool = True) -> None:
        """Half-open: stay connected and send nothing, not even at the deadline; False lets it go on."""
        self._stalled = stalled
        self.wake()

    def cut_line(self) -> None:
        """End in the middle of the next line (the present object, when nothing happens)."""
        self._cut = True
        if self._position >= self._store.end:
            self._extra.append(self._some_line())
        self.wake()

    def inject(self, line: bytes) -> None:
        """Send these bytes as they are, in front of what comes next."""
        self._extra.append(line)
        self.wake()

    def replay_oldest(self) -> None:
        """Send a change of long ago again: resourceVersions go backwards. Where nothing ever happened, nothing."""
        if self._store.changes:
            self.inject(self._store.changes[0].line)

    def repeat_added(self) -> None:
        """Send the object that changed last as ADDED, once more and under the same version."""
        known = self._store.objects.values()
        if known:
            self.inject(event_line("ADDED", max(known, key=lambda stored: stored.version).full()))

    def initial_end(self) -> None:
        """Send the bookmark that ends initial events."""
        self.inject(self._bookmark(initial_end=True))

    def _some_line(self) -> bytes:
        current = next(iter(self._store.objects.values()), None)
        resource = self.request.target.resource
        if current is None:
            return event_line("ADDED", f'{{"kind":"{resource.kind}","metadata":{{}}}}'.encode())
        return event_line("MODIFIED", current.full())


async def refuse_watch(request: web.Request, error: ApiError) -> web.StreamResponse:
    """HTTP 200, one ERROR event, EOF: how the watch cache refuses a version."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(error_line(error.status))
    await response.write_eof()
    return response


async def empty_watch(request: web.Request) -> web.StreamResponse:
    """HTTP 200 and EOF."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write_eof()
    return response


async def write_slowly(response: web.StreamResponse, data: bytes, bytes_per_second: float) -> None:
    """Write at once, or in tenths of a second at a rate."""
    if not bytes_per_second:
        await response.write(data)
        return
    step = max(1, int(bytes_per_second / 10))
    for start in range(0, len(data), step):
        await response.write(data[start : start + step])
        await asyncio.sleep(0.1)


def reset_connection(request: web.Request) -> None:
    """Close with RST: SO_LINGER of zero seconds makes the kernel throw away what is queued."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
