"""The HTTP side of the emulated API server: one handler that finds out what is asked, and asks the right module.

Order of a request, as in a real API server: counted, authenticated, troubled by faults, authorised, answered. ApiError
from anywhere becomes its Status. Writes by clients are in writes.py, what runs beside the resources (logs, statistics)
comes in as the two protocols below.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime
from typing import Protocol

import msgspec
from aiohttp import web

from watcher.demo.access import Access, Asked
from watcher.demo.faults import Faults, Trouble, decode_fault
from watcher.demo.forms import Form, negotiate, one_document
from watcher.demo.lists import list_bytes
from watcher.demo.model import Cluster
from watcher.demo.resources import (
    REVIEW_GROUP,
    JsonObject,
    Target,
    core_versions,
    group_list,
    locate,
    resource_list,
    version_info,
)
from watcher.demo.status import (
    ApiError,
    bad_request,
    method_not_allowed,
    no_such_path,
    not_found,
    unsupported_media_type,
)
from watcher.demo.trouble import endure
from watcher.demo.watch import Watch, WatchOptions, empty_watch, parse_watch, refuse_watch, write_slowly
from watcher.demo.writes import Writes

_JSON = "application/json"
_WRITABLE = (_JSON, "application/merge-patch+json", "application/strategic-merge-patch+json")
_REVIEWS = f"/apis/{REVIEW_GROUP}/v1/selfsubjectaccessreviews"
_METHODS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_KEPT_REQUESTS = 1000


class LogSource(Protocol):
    """Who knows what containers print (logs.py)."""

    def read(self, namespace: str, name: str, query: Mapping[str, str]) -> bytes:
        """The log of one container instance; ApiError when there is none."""
        ...


class StatsSource(Protocol):
    """Who knows what kubelets measure (kubelet.py)."""

    def summary(self, node: str) -> JsonObject:
        """`/stats/summary` of one node."""
        ...


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request, for tests that ask what a client did."""

    verb: str
    resource: str
    namespace: str
    name: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class ApiServer:
    """The application and what it serves."""

    def __init__(self, cluster: Cluster, logs: LogSource, stats: StatsSource) -> None:
        self.cluster = cluster
        self.access = Access()
        self.watch_options = WatchOptions()
        self.watches: set[Watch] = set()
        self.faults = Faults(cluster, self.watch_options, self.watches)
        self.counts: Counter[tuple[str, str]] = Counter()
        """Requests by (verb, resource), counted when they arrive."""
        self.requests: deque[Seen] = deque(maxlen=_KEPT_REQUESTS)
        self._logs = logs
        self._stats = stats
        self._writes = Writes(cluster)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/demo/{what}", self._demo)
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.on_response_prepare.append(self._add_headers)
        return app

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = format_datetime(self.cluster.timeline.now().astimezone(UTC), usegmt=True)
        response.headers["Audit-Id"] = self.cluster.new_uid("audit", str(sum(self.counts.values())))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        target = locate(request.path)
        verb = _verb(request, target)
        resource, namespace = (target.resource.plural, target.namespace) if target else (request.path, "")
        self._record(request, verb, target)
        try:
            self.access.authenticate(request.headers.get("Authorization", ""))
            trouble = self.faults.on_request(verb, resource, namespace)
            if await endure(request, trouble):
                return web.Response()
            response = await self._answer(request, verb, target, trouble)
            if trouble.bytes_per_second and isinstance(response, web.Response):
                return await _send_slowly(request, response, trouble.bytes_per_second)
            return response
        except ApiError as error:
            return error_response(error)

    def _record(self, request: web.Request, verb: str, target: Target | None) -> None:
        resource = target.resource.plural if target else request.path
        if target and target.subresource:
            resource += f"/{target.subresource}"
        self.counts[verb, resource] += 1
        self.requests.append(
            Seen(
                verb=verb,
                resource=resource,
                namespace=target.namespace if target else "",
                name=target.name if target else "",
                path=request.path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
            )
        )

    async def _answer(
        self, request: web.Request, verb: str, target: Target | None, trouble: Trouble
    ) -> web.StreamResponse:
        if target is None:
            return await self._no_resource(request)
        self.access.authorize(_asked(verb, target))
        if target.subresource:
            return await self._subresource(request, verb, target)
        if verb in ("create", "update", "patch", "delete", "deletecollection"):
            return await self._write(request, verb, target)
        form = negotiate(request.headers.get("Accept", ""), request.query.get("includeObject", ""))
        if verb == "watch":
            return await self._watch(request, target, form, trouble)
        if verb == "list":
            twist = self.faults.twist_list(target.resource.plural, target.namespace)
            return _json_bytes(list_bytes(self.cluster, target, request.query, form, twist))
        stored = self.cluster.store(target.resource.kind).objects.get((target.namespace, target.name))
        if stored is None:
            raise not_found(target.resource, target.name)
        return _json_bytes(one_document(form, stored, self.cluster.timeline.now()))

    async def _watch(self, request: web.Request, target: Target, form: Form, trouble: Trouble) -> web.StreamResponse:
        asked = parse_watch(target, request.query, form, self.watch_options)
        watch = Watch(self.cluster, asked, self.watch_options, trouble.bytes_per_second)
        error = watch.begin()
        if error is not None:
            if self.watch_options.expired_as_http:
                raise error
            return await refuse_watch(request, error)
        if trouble.ends:
            return await empty_watch(request)
        self.watches.add(watch)
        try:
            return await watch.run(request)
        finally:
            self.watches.discard(watch)

    async def _write(self, request: web.Request, verb: str, target: Target) -> web.Response:
        body = await _body(request)
        form = negotiate(request.headers.get("Accept", ""), "")
        code, document = self._writes.write(verb, target, body, form)
        return web.Response(status=code, body=document, content_type=_JSON)

    async def _subresource(self, request: web.Request, verb: str, target: Target) -> web.Response:
        if verb != "get":
            if target.subresource == "status":
                return await self._write(request, verb, target)
            raise method_not_allowed()
        kind, sub = target.resource.kind, target.subresource
        stored = self.cluster.store(kind).objects.get((target.namespace, target.name))
        if stored is None:
            raise not_found(target.resource, target.name)
        if (kind, sub) == ("Pod", "log"):
            body = self._logs.read(target.namespace, target.name, request.query)
            return web.Response(body=body, content_type="text/plain")
        if (kind, sub, target.rest) == ("Node", "proxy", "stats/summary"):
            return _json(self._stats.summary(target.name))
        if sub == "status":
            return _json_bytes(stored.full())
        raise no_such_path()

    async def _no_resource(self, request: web.Request) -> web.Response:
        path = request.path.rstrip("/")
        if path == _REVIEWS and request.method == "POST":
            return _json(self.access.review(await _body(request)), 201)
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        documents = {"/version": version_info, "/api": core_versions, "/apis": group_list}
        if path in documents:
            return _json(documents[path]())
        parts = path.strip("/").split("/")
        found = None
        if parts[0] == "api" and len(parts) == 2:
            found = resource_list("", parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            found = resource_list(parts[1], parts[2])
        elif parts[0] == "apis" and len(parts) == 2:
            found = next((group for group in group_list()["groups"] if group["name"] == parts[1]), None)
            found = found and {"kind": "APIGroup", "apiVersion": "v1", **found}
        if found is None:
            raise no_such_path()
        return _json(found)

    async def _demo(self, request: web.Request) -> web.Response:
        """Faults over HTTP, and what this server counted. No real API server has these paths."""
        what = request.match_info["what"]
        if what == "faults" and request.method == "POST":
            try:
                touched = self.faults.apply(decode_fault(await request.read()))
            except msgspec.MsgspecError as error:
                return _json({"error": str(error)}, 400)
            return _json({"watches": touched})
        if what == "faults":
            return _json({"active": msgspec.to_builtins(self.faults.active())})
        if what == "counts":
            counts = {f"{verb} {resource}": count for (verb, resource), count in sorted(self.counts.items())}
            return _json({"requests": counts, "watches": len(self.watches)})
        return _json({"error": f"there is no /demo/{what}; there are faults and counts"}, 404)


def _verb(request: web.Request, target: Target | None) -> str:
    verb = _METHODS.get(request.method, request.method.lower())
    if target is None or (target.name and request.method != "GET"):
        return verb
    if verb == "get" and request.query.get("watch", "").lower() in ("1", "true"):
        return "watch"
    if not target.name:
        return {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    return verb


def _asked(verb: str, target: Target) -> Asked:
    return Asked(
        verb=verb,
        resource=target.resource.plural,
        group=target.resource.group,
        subresource=target.subresource,
        namespace=target.namespace,
        name=target.name,
    )


async def _body(request: web.Request) -> JsonObject:
    data = await request.read()
    if not data:
        return {}
    if request.content_type not in _WRITABLE:
        raise unsupported_media_type(request.content_type, _WRITABLE)
    try:
        return msgspec.json.decode(data, type=JsonObject)
    except msgspec.MsgspecError as error:
        raise bad_request(f"the object provided is unrecognized (must be of type {_JSON}): {error}") from error


def error_response(error: ApiError) -> web.Response:
    """The Status of an ApiError as a response."""
    response = _json(error.status, error.code)
    if error.retry_after is not None:
        response.headers["Retry-After"] = f"{error.retry_after:g}"
    return response


def _json(document: JsonObject, code: int = 200) -> web.Response:
    return web.Response(status=code, body=msgspec.json.encode(document), content_type=_JSON)


def _json_bytes(document: bytes) -> web.Response:
    return web.Response(body=document, content_type=_JSON)


async def _send_slowly(request: web.Request, whole: web.Response, rate: float) -> web.StreamResponse:
    body = whole.body if isinstance(whole.body, bytes) else b""
    response = web.StreamResponse(status=whole.status, headers={"Content-Type": _JSON})
    response.content_length = len(body)
    await response.prepare(request)
    await write_slowly(response, body, rate)
    await response.write_eof()
    return response
