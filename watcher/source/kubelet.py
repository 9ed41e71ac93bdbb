"""Volume statistics: every node's kubelet is asked once per interval, directly or through the API server's proxy.

Directly is the better way: `get nodes/stats` is all it takes, while `nodes/proxy` also allows to run commands in any
pod of the node (kubernetes-facts.md, "Usage sources"). The kubelet is shown our token, so its certificate is verified
against the cluster's CA, or another that the configuration names; not to verify is a setting of its own.

Each node has its own place in the interval (a hash of its name, and some jitter), so that thousands are asked evenly.
One that does not answer is asked less often, and never makes others wait for more than its own slot. Which nodes
there are is heard from the stream of nodes (`node_seen` is its tap). Nothing is judged here: what cannot be used of a
sample is refused in detect/volumes.py.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
import ssl
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from watcher.model.config import VolumesConfig, WatchConfig
from watcher.model.kube import Node
from watcher.model.kubelet import NodeStats, PodReference, PodStats, Summary
from watcher.model.observations import EventType, Input, Listing, NodeSeen, StatsSampled, Synced
from watcher.ports import Clock, Intake
from watcher.source.client import KubeClient, limits
from watcher.source.errors import ApiError, ConnectError, SourceError

log = logging.getLogger(__name__)

CONCURRENCY = 32
"""Requests at a time: 5,000 kubelets in 60 s are 83 a second, and one answers within 0.1 s."""

ANSWER_WITHIN = 10.0
"""Seconds. A kubelet reads the numbers from its own memory; client-go's default for it is 10 s too."""

CONNECT_WITHIN = 3.0
"""Seconds. A node that is gone answers nothing at all, and keeps its slot so long."""

LARGEST = 8 * 1024 * 1024
"""Bytes. A summary of 110 pods is 50 to 150 KB; 500 pods with many volumes stay under 2 MB."""

JITTER = 0.05
"""Part of the interval, added at random."""

SELDOM = 5
"""A node that does not answer is asked after 1, 2, 4 and at most so many intervals."""

KUBELET_PORT = 10250

UNREACHABLE, TLS, UNAUTHORIZED, FORBIDDEN, BAD_ANSWER = "unreachable", "tls", "unauthorized", "forbidden", "bad_answer"
_BY_STATUS = {401: UNAUTHORIZED, 403: FORBIDDEN}
_ADVICE = {
    TLS: "set volumes.ca_file to the CA of the kubelets' certificates, or volumes.insecure_skip_verify: true",
    FORBIDDEN: "the service account needs get on nodes/stats (volumes.source: apiserver: on nodes/proxy)",
    UNAUTHORIZED: "kubelets do not know the token: they need --authentication-token-webhook",
}

_decode = msgspec.json.Decoder(Summary).decode


@dataclass(slots=True)
class SamplerStats:
    """Written by the sampler alone, read by metrics and readiness."""

    nodes: int = 0
    samples: int = 0
    """Delivered."""
    errors: Counter[str] = field(default_factory=Counter)
    """By kind: unreachable, tls, unauthorized, forbidden, bad_answer."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Volumes left out, by reason: no_claim, not_watched."""
    failing: dict[str, set[str]] = field(default_factory=dict)
    """Nodes that did not answer the last time, by the kind of the error."""
    trouble: dict[str, str] = field(default_factory=dict)
    """Of each kind in `failing` one sentence, for readiness."""


@dataclass(slots=True)
class _Target:
    """A node and when it is asked."""

    address: str
    due: float
    failures: int = 0
    asked: bool = False


class Refused(Exception):
    """A kubelet gave no summary. `kind`: one of the words that are counted."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class KubeletSampler:
    """`stats` may be read at any time. `plain`: kubelets without TLS, which only the demo has."""

    def __init__(
        self,
        client: KubeClient,
        settings: tuple[VolumesConfig, WatchConfig],
        intake: Intake,
        clock: Clock,
        *,
        plain: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        """ConnectError where the CA cannot be used."""
        self.stats = SamplerStats()
        self._client = client
        self._settings, self._watch = settings
        self._intake = intake
        self._clock = clock
        self._scheme = "http" if plain else "https"
        self._rng = rng or random.Random()
        self._interval = self._settings.interval.total_seconds()
        self._tls = tls_context(self._settings, client.ca_file)
        self._targets: dict[str, _Target] = {}
        self._queue: list[tuple[float, str]] = []
        self._listed: set[str] | None = None
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(CONCURRENCY)

    # ---- nodes ----

    def node_seen(self, observation: Input) -> None:
        """The tap on the stream of nodes."""
        match observation:
            case NodeSeen(event=EventType.DELETED):
                self._forget(observation.node.metadata.name)
            case NodeSeen():
                self._know(observation.node)
            case Listing():
                self._listed = set()
            case Synced() if self._listed is not None and observation.complete:
                for name in self._targets.keys() - self._listed:
                    self._forget(name)
                self._listed = None
        self.stats.nodes = len(self._targets)

    def _know(self, node: Node) -> None:
        name = node.metadata.name
        if self._listed is not None:
            self._listed.add(name)
        address = address_of(node)
        target = self._targets.get(name)
        if target is not None:
            target.address = address
            return
        now = self._clock.monotonic()
        self._targets[name] = _Target(address=address, due=0.0)
        self._plan(name, now)

    def _forget(self, name: str) -> None:
        self._targets.pop(name, None)
        self._works(name)

    def _plan(self, name: str, now: float, intervals: int = 1) -> None:
        """At the node's own place in the next interval (or a later one)."""
        target = self._targets[name]
        phase = place(name) * self._interval
        rounds = (now - phase) // self._interval + intervals
        target.due = phase + rounds * self._interval + self._rng.uniform(0.0, JITTER * self._interval)
        heapq.heappush(self._queue, (target.due, name))
        self._news.set()

    # ---- asking ----

    async def run(self) -> None:
        """Until cancelled. Asks whoever is due, CONCURRENCY at a time."""
        if self._settings.insecure_skip_verify:
            log.warning(
                "certificates of kubelets are not verified: whoever answers at a node's address is shown our token",
                extra={"event": "kubelet.not_verified"},
            )
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=CONCURRENCY)
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN, sock_connect=CONNECT_WITHIN)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as group,
        ):
            while True:
                name = await self._due()
                await self._slots.acquire()
                group.create_task(self._ask(session, name), name=f"kubelet {name}")

    async def _due(self) -> str:
        """The next node that is due, as soon as it is."""
        while True:
            self._news.clear()
            wait: float | None = None
            if self._queue:
                due, name = self._queue[0]
                wait = due - self._clock.monotonic()
                if wait <= 0:
                    heapq.heappop(self._queue)
                    target = self._targets.get(name)
                    if target is None or target.due != due or target.asked:
                        continue
                    target.asked = True
                    return name
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _ask(self, session: aiohttp.ClientSession, name: str) -> None:
        """Ask one kubelet, deliver what it says, and plan its next turn."""
        target = self._targets.get(name)
        try:
            if target is not None:
                await self._sample(session, name, target)
        finally:
            self._slots.release()
        if target is not None and self._targets.get(name) is target:
            target.asked = False
            rounds = min(2 ** max(0, target.failures - 1), SELDOM)
            self._plan(name, self._clock.monotonic(), rounds)

    async def _sample(self, session: aiohttp.ClientSession, name: str, target: _Target) -> None:
        try:
            summary = await self._summary(session, name, target)
        except Refused as error:
            target.failures += 1
            self._failed(name, error)
            return
        target.failures = 0
        self._works(name)
        await self._intake.put(StatsSampled(at=self._clock.now(), node=name, summary=self._narrow(summary)))
        self.stats.samples += 1

    async def _summary(self, session: aiohttp.ClientSession, name: str, target: _Target) -> Summary:
        if self._settings.source == "apiserver":
            body = await self._through_api(name)
        else:
            body = await self._directly(session, target)
        if len(body) > LARGEST:
            raise Refused(BAD_ANSWER, f"its answer is larger than {LARGEST // 1024**2} MiB")
        try:
            return _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(BAD_ANSWER, f"its answer is no summary: {error}") from error

    async def _through_api(self, name: str) -> bytes:
        try:
            timeout = limits(silence=ANSWER_WITHIN, total=ANSWER_WITHIN)
            async with self._client.get(f"/api/v1/nodes/{name}/proxy/stats/summary", timeout=timeout) as answer:
                return await answer.head(LARGEST + 1)
        except ApiError as error:
            # 502 and 503 are the API server's words for a kubelet that it cannot reach.
            raise Refused(
                _BY_STATUS.get(error.code, UNREACHABLE if error.code >= 500 else BAD_ANSWER), str(error)
            ) from (error)
        except SourceError as error:
            raise Refused(UNREACHABLE, str(error)) from error

    async def _directly(self, session: aiohttp.ClientSession, target: _Target) -> bytes:
        if not target.address:
            raise Refused(UNREACHABLE, "it has no address")
        token = await self._client.authorization()
        headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
        url = f"{self._scheme}://{target.address}/stats/summary"
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status != 200:
                    words = (await response.content.read(300)).decode("utf-8", "replace").strip()
                    kind = _BY_STATUS.get(response.status, BAD_ANSWER)
                    raise Refused(kind, f"{response.status} {words}".strip())
                return await _bounded(response)
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise Refused(TLS, str(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Refused(UNREACHABLE, str(error) or "no answer in time") from error

    def _narrow(self, summary: Summary) -> Summary:
        """Only volumes of claims, in namespaces that are watched. Every pod stays by its name: it is there."""
        pods = []
        for pod in summary.pods or ():
            namespace = pod.pod_ref.namespace
            if not self._is_watched(namespace):
                self.stats.ignored["not_watched"] += len(pod.volume or ())
                continue
            volumes = [volume for volume in pod.volume or () if volume.pvc_ref is not None]
            self.stats.ignored["no_claim"] += len(pod.volume or ()) - len(volumes)
            reference = PodReference(name=pod.pod_ref.name, namespace=namespace)
            pods.append(PodStats(pod_ref=reference, volume=volumes or None))
        return Summary(node=NodeStats(fs=summary.node.fs), pods=pods)

    def _is_watched(self, namespace: str) -> bool:
        watch = self._watch
        return namespace not in watch.exclude_namespaces and (not watch.namespaces or namespace in watch.namespaces)

    # ---- what is said of it ----

    def _failed(self, name: str, error: Refused) -> None:
        """Counted always; said aloud when a kind of trouble begins, not for each of its nodes."""
        self.stats.errors[error.kind] += 1
        if name in self.stats.failing.get(error.kind, ()):
            return
        self._works(name)
        nodes = self.stats.failing.setdefault(error.kind, set())
        nodes.add(name)
        advice = _ADVICE.get(error.kind, "")
        sentence = f"the kubelet of node {name} gives no volume statistics: {error}" + (
            f" ({advice})" if advice else ""
        )
        level = logging.WARNING if len(nodes) == 1 else logging.DEBUG
        if len(nodes) == 1:
            self.stats.trouble[error.kind] = sentence
        extra: dict[str, Any] = {"event": "kubelet.failed", "node": name, "reason": error.kind, "error": sentence}
        log.log(level, "a kubelet gives no volume statistics", extra=extra)

    def _works(self, name: str) -> None:
        """It answers, or it is gone: the last node of a kind of trouble ends it."""
        for kind, nodes in list(self.stats.failing.items()):
            nodes.discard(name)
            if not nodes:
                del self.stats.failing[kind]
                self.stats.trouble.pop(kind, None)
                log.info("no kubelet fails so any more", extra={"event": "kubelet.works", "reason": kind})


def place(name: str) -> float:
    """A node's place in the interval, from 0 to 1: the same in every process, and spread evenly."""
    return zlib.crc32(name.encode()) / 2**32


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, or as much of it as shows that it is too large."""
    parts: list[bytes] = []
    size = 0
    while size <= LARGEST and (part := await response.content.read(LARGEST + 1 - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def address_of(node: Node) -> str:
    """host:port of its kubelet; empty where the node tells no address."""
    by_type = {address.type: address.address for address in reversed(node.status.addresses or ())}
    host = by_type.get("InternalIP") or by_type.get("Hostname") or ""
    endpoints = node.status.daemon_endpoints
    endpoint = endpoints.kubelet_endpoint if endpoints is not None else None
    port = endpoint.port if endpoint is not None and endpoint.port else KUBELET_PORT
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}" if host else ""


def tls_context(settings: VolumesConfig, cluster_ca: str | None) -> ssl.SSLContext:
    """Verified against `volumes.ca_file`, else the cluster's CA, else the system's; ConnectError."""
    cafile = settings.ca_file or cluster_ca
    try:
        context = ssl.create_default_context(cafile=cafile or None)
    except (OSError, ssl.SSLError) as error:
        raise ConnectError(f"The CA file {cafile} cannot be used for kubelets: {error}") from error
    # Python 3.13 asks for extensions that the certificates of many clusters lack; client-go does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if settings.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
