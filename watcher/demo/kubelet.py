"""What kubelets serve: volume and node statistics, through the API server's proxy and on a port of their own.

A summary is made when it is asked for, from the pods that run on the node and from how full each claim is said to be at
that time; the list also has volumes without a claim, and its times lag behind, as real ones do. Each node has a
listener of its own on loopback (up to 32; further nodes share the first), named in the Node object's
daemonEndpoints. Real kubelets speak TLS; these do where they are given a certificate. Faults with the resource `stats`
(and a node's name as their namespace) act on these ports.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import datetime, timedelta

import msgspec
from aiohttp import web

from watcher.demo.access import USER, Access
from watcher.demo.clock import rfc3339
from watcher.demo.faults import Faults
from watcher.demo.model import Cluster
from watcher.demo.resources import JsonObject, Key
from watcher.demo.status import ApiError
from watcher.demo.trouble import endure

GIB = 1024**3
_MAX_LISTENERS = 32
# Kubelets measure volumes in the background about once a minute; recorded files show samples 4 to 86 s old.
_VOLUME_LAG = timedelta(seconds=37)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How full a claim's filesystem is. Moves from `used` at `begin` to `target` at `end`, evenly."""

    capacity: int
    used: int
    reserved: int = 0
    """Bytes that nobody can write: used + available + reserved = capacity."""
    inodes: int = 655_360
    inodes_used: int = 1_000
    target: int | None = None
    begin: datetime | None = None
    end: datetime | None = None

    def used_at(self, now: datetime) -> int:
        if self.target is None or self.begin is None or self.end is None or now <= self.begin:
            return self.used
        if now >= self.end:
            return self.target
        return self.used + int((self.target - self.used) * ((now - self.begin) / (self.end - self.begin)))

    def moving(self, to_percent: float, now: datetime, over: timedelta) -> Usage:
        """The same filesystem on its way to `to_percent` of what can be written."""
        target = int((self.capacity - self.reserved) * to_percent / 100)
        return msgspec.structs.replace(self, used=self.used_at(now), target=target, begin=now, end=now + over)


class Stats:
    """What all kubelets measure."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.claims: dict[Key, Usage] = {}
        """By (namespace, claim). A claim without an entry has no sample."""
        self.recorded: dict[str, JsonObject] = {}
        """Summaries given as a whole, by node: from a recording."""
        self.node_capacity = 100 * GIB
        self.node_used = 30 * GIB

    def summary(self, node: str) -> JsonObject:
        """`/stats/summary` of one node."""
        if node in self.recorded:
            return self.recorded[node]
        now = self._cluster.timeline.now()
        pods = [
            self._pod(stored.item, now)
            for stored in self._cluster.store("Pod").current()
            if stored.item["spec"].get("nodeName") == node and _running(stored.item)
        ]
        return {"node": self._node(node, now), "pods": pods}

    def _node(self, node: str, now: datetime) -> JsonObject:
        disk = _filesystem(Usage(capacity=self.node_capacity, used=self.node_used, inodes=6_553_600), now)
        return {
            "nodeName": node,
            "startTime": rfc3339(now - timedelta(days=3)),
            "cpu": {
                "time": rfc3339(now),
                "usageNanoCores": 388_954_406,
                "usageCoreNanoSeconds": 619_665_900_337_969,
            },
            "memory": {"time": rfc3339(now), "availableBytes": 5 * GIB, "usageBytes": 4 * GIB},
            "fs": {"time": rfc3339(now), **disk},
            "runtime": {"imageFs": {"time": rfc3339(now), **disk}},
        }

    def _pod(self, pod: JsonObject, now: datetime) -> JsonObject:
        metadata = pod["metadata"]
        reference = {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
        volumes = [
            entry
            for volume in pod["spec"].get("volumes") or ()
            if (entry := self._volume(volume, metadata["namespace"], now)) is not None
        ]
        return {
            "podRef": reference,
            "startTime": pod.get("status", {}).get("startTime"),
            "containers": [{"name": c["name"], "startTime": rfc3339(now)} for c in pod["spec"]["containers"]],
            "volume": volumes,
        }

    def _volume(self, volume: JsonObject, namespace: str, now: datetime) -> JsonObject | None:
        when = now - _VOLUME_LAG
        entry: JsonObject = {"time": rfc3339(when)}
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if not claim:
            tiny = Usage(capacity=52_428_800, used=12_288, inodes=2_012_356, inodes_used=9)
            return entry | _filesystem(tiny, when) | {"name": volume["name"]}
        usage = self.claims.get((namespace, claim))
        if usage is None:
            return None
        reference = {"name": claim, "namespace": namespace}
        return entry | _filesystem(usage, when) | {"name": volume["name"], "pvcRef": reference}


def _filesystem(usage: Usage, now: datetime) -> JsonObject:
    used = usage.used_at(now)
    return {
        "availableBytes": max(0, usage.capacity - usage.reserved - used),
        "capacityBytes": usage.capacity,
        "usedBytes": used,
        "inodesFree": usage.inodes - usage.inodes_used,
        "inodes": usage.inodes,
        "inodesUsed": usage.inodes_used,
    }


def _running(pod: JsonObject) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return any((status.get("state") or {}).get("running") for status in statuses)


class Kubelets:
    """The kubelets' own ports."""

    def __init__(self, stats: Stats, access: Access, faults: Faults, host: str = "127.0.0.1") -> None:
        self.tls: ssl.SSLContext | None = None
        """Set before the first node is made: the kubelets speak TLS, as real ones do."""
        self._stats = stats
        self._access = access
        self._faults = faults
        self._host = host
        self._ports: dict[str, int] = {}
        self._runners: list[web.AppRunner] = []
        self._starting: list[asyncio.Task[None]] = []

    def port(self, node: str) -> int:
        """The port of a node's kubelet; opened when first asked for."""
        if node not in self._ports:
            if len(self._ports) >= _MAX_LISTENERS:
                return next(iter(self._ports.values()))
            self._ports[node] = self._open(node)
        return self._ports[node]

    def url(self, node: str) -> str:
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{self._host}:{self.port(node)}"

    def _open(self, node: str) -> int:
        # Bound and listening at once, so that the port is known and a client that is quicker waits in the backlog.
        listener = socket.create_server((self._host, 0))
        self._starting.append(asyncio.get_running_loop().create_task(self._serve(node, listener)))
        port: int = listener.getsockname()[1]
        return port

    async def _serve(self, node: str, listener: socket.socket) -> None:
        async def handle(request: web.Request) -> web.Response:
            try:
                if await endure(request, self._faults.on_request("get", "stats", node)):
                    return web.Response()
            except ApiError as error:
                return web.Response(status=error.code, text=str(error))
            return self._answer(node, request)

        app = web.Application()
        app.router.add_get("/{path:.*}", handle)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        self._runners.append(runner)
        await runner.setup()
        await web.SockSite(runner, listener, ssl_context=self.tls).start()

    def _answer(self, node: str, request: web.Request) -> web.Response:
        if request.path == "/healthz":
            return web.Response(text="ok")
        code = self._access.kubelet_code(request.headers.get("Authorization", ""))
        if code == 401:
            return web.Response(status=401, text="Unauthorized")
        if code == 403:
            words = f"Forbidden (user={USER}, verb=get, resource=nodes, subresource(s)=[stats])"
            return web.Response(status=403, text=words)
        if request.path != "/stats/summary":
            return web.Response(status=404, text="404 page not found\n")
        body = msgspec.json.encode(self._stats.summary(node))
        return web.Response(body=body, content_type="application/json")

    async def close(self) -> None:
        await asyncio.gather(*self._starting)
        for runner in self._runners:
            await runner.cleanup()
