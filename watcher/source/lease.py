"""Leader election by a Lease: which of several replicas works. The protocol is client-go's.

Times of other machines are never compared: what another replica wrote counts as fresh from the moment at which it was
seen here to have changed, by our own monotonic clock. The leader counts from before it asked, and gives up at
`renew_deadline`, while the others wait for `lease_duration`: a leader whose API server hangs has stopped before another
begins. What it has still in flight is fenced by the store (ports.py). Source: client-go tools/leaderelection.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, Final
from urllib.parse import quote

import msgspec

from watcher.model.config import LeaderElectionConfig
from watcher.ports import Clock
from watcher.source.client import KubeClient
from watcher.source.decode import BROKEN
from watcher.source.errors import ApiError, SourceError, Undecodable
from watcher.source.rbac import own_namespace

log = logging.getLogger("watcher.leader")

JITTER: Final = 0.2
"""Of `retry_period`: replicas that began together do not ask together for ever."""


class Spec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    name: str
    namespace: str
    resource_version: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A Lease of coordination.k8s.io/v1, as far as it is ours."""

    metadata: Metadata
    spec: Spec = Spec()


_decoder = msgspec.json.Decoder(Record)


class Lease:
    """One replica's part. `identity`: who it is; no two may have the same."""

    def __init__(
        self,
        client: KubeClient,
        config: LeaderElectionConfig,
        identity: str,
        clock: Clock,
        rng: random.Random | None = None,
    ) -> None:
        self.failures = 0
        """Requests that failed or were not answered in time."""
        self._client = client
        self._config = config
        self._identity = identity
        self._clock = clock
        self._rng = random.Random()
        self._namespace = config.namespace or own_namespace() or "default"
        self._all = f"/apis/coordination.k8s.io/v1/namespaces/{quote(self._namespace, safe='')}/leases"
        self._own = f"{self._all}/{quote(config.lease, safe='')}"
        self._seen: Record | None = None
        self._seen_at = 0.0
        """When it was seen to have changed; monotonic."""
        self._renewed: float | None = None
        """From before the request that made or renewed it as ours; monotonic. None: it is not ours."""
        self._said = ""

    def held(self) -> bool:
        """Whether we lead, for all that we know."""
        return self._renewed is not None and self._clock.monotonic() < self._renewed + self._deadline

    @property
    def _deadline(self) -> float:
        return self._config.renew_deadline.total_seconds()

    async def acquire(self) -> None:
        """Until we lead."""
        while True:
            if await self._try(self._deadline):
                log.info("this replica leads", extra={"event": "leader.elected", "holder": self._identity})
                return
            await asyncio.sleep(self._pause())

    async def keep(self) -> None:
        """Renew it, until that has not been possible for `renew_deadline` or somebody else has it."""
        while self._renewed is not None:
            await asyncio.sleep(self._config.retry_period.total_seconds())
            left = self._renewed + self._deadline - self._clock.monotonic()
            if left <= 0:
                break
            await self._try(left)
        self._renewed = None
        log.error("this replica does not lead any more", extra={"event": "leader.lost", "holder": self._identity})

    async def release(self) -> None:
        """Let another begin at once; what cannot be said in time is not said."""
        if not self.held():
            return
        self._renewed = None
        seen = self._seen
        if seen is None:
            return
        spec = msgspec.structs.replace(seen.spec, holder_identity="", lease_duration_seconds=1, renew_time=self._now())
        try:
            async with asyncio.timeout(self._config.retry_period.total_seconds()):
                await self._put(msgspec.structs.replace(seen, spec=spec))
        except (SourceError, TimeoutError) as error:
            log.warning("the lease could not be released", extra={"event": "leader.unreleased", "error": str(error)})

    async def _try(self, within: float) -> bool:
        """One round: whether we lead now. What fails is counted, and said when it changes."""
        try:
            async with asyncio.timeout(within):
                held = await self._round()
        except (SourceError, TimeoutError) as error:
            self.failures += 1
            self._say(str(error) or "the API server did not answer in time")
            return False
        self._say("")
        return held

    async def _round(self) -> bool:
        asked = self._clock.monotonic()
        seen = self._seen if self._renewed is not None else None
        if seen is None:
            seen = await self._get()
            if seen is None:
                return await self._take(None, asked)
        if seen.spec.holder_identity not in (self._identity, "", None) and self._is_fresh(seen):
            self._renewed = None
            return False
        return await self._take(seen, asked)

    async def _take(self, seen: Record | None, asked: float) -> bool:
        """Make it, or write ourselves into it. A conflict: somebody was faster."""
        try:
            record = await (self._post() if seen is None else self._put(self._ours(seen)))
        except ApiError as error:
            if error.code != 409:
                raise
            # The version that we knew is old: look again at once, since it may still be ours.
            self._note(await self._get())
            if self._seen is None or self._seen.spec.holder_identity != self._identity:
                self._renewed = None
            return False
        self._note(record)
        self._renewed = asked
        return True

    def _is_fresh(self, seen: Record) -> bool:
        seconds = seen.spec.lease_duration_seconds
        lasts = self._config.lease_duration.total_seconds() if seconds is None else seconds
        return self._clock.monotonic() < self._seen_at + lasts

    def _note(self, record: Record | None) -> None:
        before = self._seen.metadata.resource_version if self._seen is not None else None
        if record is None or record.metadata.resource_version != before:
            self._seen_at = self._clock.monotonic()
        self._seen = record

    def _ours(self, seen: Record) -> Record:
        again = seen.spec.holder_identity == self._identity
        spec = Spec(
            holder_identity=self._identity,
            lease_duration_seconds=max(1, round(self._config.lease_duration.total_seconds())),
            acquire_time=seen.spec.acquire_time if again else self._now(),
            renew_time=self._now(),
            lease_transitions=(seen.spec.lease_transitions or 0) + (not again),
        )
        return msgspec.structs.replace(seen, spec=spec)

    async def _get(self) -> Record | None:
        """None: there is none yet."""
        try:
            async with self._client.get(self._own) as answer:
                record = _decoded(await answer.body())
        except ApiError as error:
            if error.code != 404:
                raise
            record = None
        self._note(record)
        return record

    async def _post(self) -> Record:
        fresh = Record(metadata=Metadata(name=self._config.lease, namespace=self._namespace))
        return await self._sent("POST", self._all, self._ours(fresh))

    async def _put(self, record: Record) -> Record:
        return await self._sent("PUT", self._own, record)

    async def _sent(self, method: str, path: str, record: Record) -> Record:
        body: dict[str, Any] = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"} | msgspec.to_builtins(record)
        async with self._client.send(method, path, body) as answer:
            return _decoded(await answer.body())

    def _now(self) -> str:
        """As Kubernetes' MicroTime."""
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _pause(self) -> float:
        return self._config.retry_period.total_seconds() * self._rng.uniform(1.0, 1.0 + JITTER)

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._said:
            log.warning("the lease cannot be had", extra={"event": "leader.failing", "error": trouble})
        self._said = trouble


def _decoded(body: bytes) -> Record:
    try:
        return _decoder.decode(body)
    except BROKEN as error:
        raise Undecodable(f"this is no Lease: {error}") from error
