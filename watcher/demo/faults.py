"""What can go wrong between a client and an API server, on demand.

A fault is a small record: the same one is made by a method of `Faults`, by `POST /demo/faults` with JSON such as
`{"fault": "fail", "status": 503, "times": 3}`, and by a `fault:` step of a scenario. Some act once, on the watches that
are open now (drop_watches, stall, cut_line, inject …); some last, until `times` uses or `seconds` have passed, or for
ever when neither is given (fail, slow, hang, null_items …). `resource` (plural), `namespace` and `verb` narrow a fault
down; empty means any. The server asks `on_request` and `twist_list`; it never decides here how a response is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from watcher.demo.lists import ListTwist
from watcher.demo.model import Cluster
from watcher.demo.status import ApiError, failure, unauthorized
from watcher.demo.store import event_line
from watcher.demo.watch import Watch, WatchOptions

_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 410: "Expired"}
_REASONS |= {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
MALFORMED_ITEM = b'{"metadata":{"name":["not","a","name"],"namespace":7,"uid":null},"spec":[],"status":"broken"}'
"""JSON, but no object of any kind: what a decoder with types must refuse and skip."""


class Scoped(msgspec.Struct, frozen=True, kw_only=True, tag_field="fault", forbid_unknown_fields=True):
    """Where a fault acts."""

    resource: str = ""
    namespace: str = ""


class Lasting(Scoped, frozen=True, kw_only=True):
    """How long a fault acts: `times` requests, `seconds` of real time, whichever ends first."""

    times: int | None = None
    seconds: float | None = None
    verb: str = ""


class Fail(Lasting, frozen=True, kw_only=True, tag="fail"):
    """Answer with this status. `retry_after` in seconds becomes the Retry-After header."""

    status: int = 503
    retry_after: float | None = None
    message: str = ""


class Unauthorized(Lasting, frozen=True, kw_only=True, tag="unauthorized"):
    """Answer 401, whatever token comes."""


class Reset(Lasting, frozen=True, kw_only=True, tag="reset"):
    """Reset the connection instead of answering."""


class Hang(Lasting, frozen=True, kw_only=True, tag="hang"):
    """Take the request and never answer, until the client leaves or the fault is cleared."""


class Slow(Lasting, frozen=True, kw_only=True, tag="slow"):
    """Wait before answering, and write at a rate."""

    delay: float = 0.0
    bytes_per_second: float = 0.0


class NullItems(Lasting, frozen=True, kw_only=True, tag="null_items"):
    """Lists with `"items": null`, as Go writes an empty slice."""


class MalformedItem(Lasting, frozen=True, kw_only=True, tag="malformed_item"):
    """Lists with one more item that is no object of its kind."""


class PaddedItem(Lasting, frozen=True, kw_only=True, tag="padded_item"):
    """Lists whose first item is `bytes` longer."""

    bytes: int = 1_000_000


class Rewind(Lasting, frozen=True, kw_only=True, tag="rewind"):
    """Lists as of `by` versions ago, as from another API server that is behind."""

    by: int = 100


class EmptyWatch(Lasting, frozen=True, kw_only=True, tag="empty_watch"):
    """Watches are answered 200 and end at once, without an event, as those of an API server that shuts down."""


class DropWatches(Scoped, frozen=True, kw_only=True, tag="drop_watches"):
    """End every open watch: clean EOF, or RST when `abrupt`."""

    abrupt: bool = False


class Stall(Scoped, frozen=True, kw_only=True, tag="stall"):
    """Half-open: open watches stay connected and say nothing; `on: false` lets them go on."""

    on: bool = True


class CutLine(Scoped, frozen=True, kw_only=True, tag="cut_line"):
    """End open watches in the middle of a line."""


class GarbageLine(Scoped, frozen=True, kw_only=True, tag="garbage_line"):
    """Send a line that is no JSON."""

    text: str = '{"type":"MODIFIED","object":{"kind":"Pod"'


class UnknownEvent(Scoped, frozen=True, kw_only=True, tag="unknown_event"):
    """Send an event of a type that no client knows."""

    type: str = "RELOCATED"


class MalformedEvent(Scoped, frozen=True, kw_only=True, tag="malformed_event"):
    """Send a MODIFIED event whose object is no object of its kind."""


class ErrorEvent(Scoped, frozen=True, kw_only=True, tag="error_event"):
    """Send an ERROR event and end the watch, as a server with trouble inside does."""

    status: int = 500
    message: str = "an error on the server has prevented the request from succeeding"


class BigEvent(Scoped, frozen=True, kw_only=True, tag="big_event"):
    """Send a MODIFIED event of a new object that is `bytes` long."""

    bytes: int = 1_000_000


class InitialEnd(Scoped, frozen=True, kw_only=True, tag="initial_end"):
    """Send the bookmark that ends a list made by a watch (`k8s.io/initial-events-end`), asked for or not."""


class RepeatAdded(Scoped, frozen=True, kw_only=True, tag="repeat_added"):
    """Send an ADDED event of an object that was sent before, as it is now."""


class OldEvent(Scoped, frozen=True, kw_only=True, tag="old_event"):
    """Send the oldest event of the history again: resourceVersions go backwards."""


class ForgetHistory(Scoped, frozen=True, kw_only=True, tag="forget_history"):
    """Compaction: watches from older versions and continue tokens are answered 410. Open watches go on."""


class SetBookmarks(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fault", tag="bookmarks", forbid_unknown_fields=True
):
    """Switch bookmarks off or on."""

    on: bool = False


class Clear(msgspec.Struct, frozen=True, kw_only=True, tag_field="fault", tag="clear", forbid_unknown_fields=True):
    """End every lasting fault, and every stall."""


RequestFault = Fail | Unauthorized | Reset | Hang | Slow | EmptyWatch
ListFault = NullItems | MalformedItem | PaddedItem | Rewind
LastingFault = RequestFault | ListFault
_Line = GarbageLine | UnknownEvent | MalformedEvent | BigEvent
InstantFault = DropWatches | Stall | CutLine | _Line | ErrorEvent | InitialEnd | RepeatAdded | OldEvent
Fault = LastingFault | InstantFault | ForgetHistory | SetBookmarks | Clear


class _Active:
    """A lasting fault and what is left of it."""

    def __init__(self, fault: LastingFault, now: float) -> None:
        self.fault = fault
        self.left = fault.times
        self.until = None if fault.seconds is None else now + fault.seconds
        self.cleared = asyncio.Event()

    def use(self, now: float, verb: str, resource: str, namespace: str) -> bool:
        fault = self.fault
        if not self.alive(now) or fault.verb not in ("", verb) or fault.resource not in ("", resource):
            return False
        if fault.namespace not in ("", namespace):
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def alive(self, now: float) -> bool:
        return self.left != 0 and (self.until is None or now < self.until) and not self.cleared.is_set()


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What faults make of one request."""

    error: ApiError | None = None
    reset: bool = False
    hang: asyncio.Event | None = None
    """Wait for it, then answer."""
    delay: float = 0.0
    bytes_per_second: float = 0.0
    ends: bool = False
    """A watch ends as soon as it has begun."""


class Faults:
    """The faults of one server."""

    def __init__(self, cluster: Cluster, options: WatchOptions, watches: set[Watch]) -> None:
        self._cluster = cluster
        self._options = options
        self._watches = watches
        self._active: list[_Active] = []

    def apply(self, fault: Fault) -> int:
        """Do it, or let it last; gives the number of open watches it touched."""
        if isinstance(fault, LastingFault):
            self._active.append(_Active(fault, asyncio.get_running_loop().time()))
            return 0
        if isinstance(fault, ForgetHistory):
            self._forget(fault)
            return 0
        if isinstance(fault, SetBookmarks):
            self._options.bookmarks = fault.on
            return 0
        if isinstance(fault, Clear):
            return self._clear()
        touched = list(self._open(fault))
        for watch in touched:
            _act(watch, fault)
        return len(touched)

    def active(self) -> list[LastingFault]:
        """What lasts, and has not ended."""
        now = asyncio.get_running_loop().time()
        self._active = [active for active in self._active if active.alive(now)]
        return [active.fault for active in self._active]

    def on_request(self, verb: str, resource: str, namespace: str) -> Trouble:
        """What happens to this request; uses up counted faults."""
        found = self._use(RequestFault, verb, resource, namespace)
        slow = [active.fault for active in found if isinstance(active.fault, Slow)]
        error: ApiError | None = None
        for active in found:
            if isinstance(active.fault, Fail):
                error = _failed(active.fault)
            elif isinstance(active.fault, Unauthorized):
                error = unauthorized()
        return Trouble(
            error=error,
            reset=any(isinstance(active.fault, Reset) for active in found),
            hang=next((active.cleared for active in found if isinstance(active.fault, Hang)), None),
            ends=any(isinstance(active.fault, EmptyWatch) for active in found),
            delay=sum(fault.delay for fault in slow),
            bytes_per_second=max((fault.bytes_per_second for fault in slow), default=0.0),
        )

    def twist_list(self, resource: str, namespace: str) -> ListTwist:
        """How this list is spoilt; uses up counted faults."""
        faults = [active.fault for active in self._use(ListFault, "list", resource, namespace)]
        return ListTwist(
            null_items=any(isinstance(fault, NullItems) for fault in faults),
            malformed=MALFORMED_ITEM if any(isinstance(fault, MalformedItem) for fault in faults) else b"",
            padding=max((fault.bytes for fault in faults if isinstance(fault, PaddedItem)), default=0),
            rewind=max((fault.by for fault in faults if isinstance(fault, Rewind)), default=0),
        )

    def _use(self, kinds: object, verb: str, resource: str, namespace: str) -> list[_Active]:
        now = asyncio.get_running_loop().time()
        mine = [active for active in self._active if isinstance(active.fault, kinds)]  # type: ignore[arg-type]
        return [active for active in mine if active.use(now, verb, resource, namespace)]

    def _open(self, fault: InstantFault) -> Iterable[Watch]:
        for watch in tuple(self._watches):
            target = watch.request.target
            if fault.resource in ("", target.resource.plural) and fault.namespace in ("", target.namespace):
                yield watch

    def _forget(self, fault: ForgetHistory) -> None:
        for store in self._cluster.stores.values():
            if fault.resource in ("", store.resource.plural):
                store.forget(self._cluster.version)

    def _clear(self) -> int:
        for active in self._active:
            active.cleared.set()
        self._active.clear()
        self._options.bookmarks = True
        for watch in self._watches:
            watch.stall(False)
        return len(self._watches)


def _act(watch: Watch, fault: InstantFault) -> None:
    resource = watch.request.target.resource
    if isinstance(fault, DropWatches):
        (watch.reset if fault.abrupt else watch.end)()
    elif isinstance(fault, Stall):
        watch.stall(fault.on)
    elif isinstance(fault, CutLine):
        watch.cut_line()
    elif isinstance(fault, OldEvent):
        watch.replay_oldest()
    elif isinstance(fault, RepeatAdded):
        watch.repeat_added()
    elif isinstance(fault, InitialEnd):
        watch.initial_end()
    elif isinstance(fault, ErrorEvent):
        status = failure(fault.status, _REASONS.get(fault.status, "Unknown"), fault.message)
        watch.inject(event_line("ERROR", msgspec.json.encode(status)))
        watch.end()
    else:
        watch.inject(_line(fault, resource.kind))


def _line(fault: _Line, kind: str) -> bytes:
    if isinstance(fault, GarbageLine):
        return fault.text.encode() + b"\n"
    if isinstance(fault, MalformedEvent):
        return event_line("MODIFIED", MALFORMED_ITEM)
    if isinstance(fault, UnknownEvent):
        return event_line(fault.type, f'{{"kind":"{kind}","metadata":{{"name":"x"}}}}'.encode())
    body = f'{{"kind":"{kind}","metadata":{{"name":"big","namespace":"default","uid":"big","resourceVersion":"1",'
    padding = '"annotations":{"demo/padding":"' + "x" * fault.bytes + '"}}}'
    return event_line("MODIFIED", (body + padding).encode())


def _failed(fault: Fail) -> ApiError:
    message = fault.message or f"the server answers {fault.status} on demand"
    details = {"retryAfterSeconds": int(fault.retry_after)} if fault.retry_after else None
    status = failure(fault.status, _REASONS.get(fault.status, "Unknown"), message, details)
    return ApiError(status, retry_after=fault.retry_after)


def decode_fault(body: bytes) -> Fault:
    """A fault from JSON; msgspec.ValidationError says what is wrong."""
    fault: Fault = msgspec.json.decode(body, type=Fault)
    return fault


FaultSink = Callable[[Fault], int]
