"""Leader election by a Lease: which of several replicas works. The protocol is client-go's.

Times of other machines are never compared: what another replica wrote counts as fresh from the moment at which it was
seen here to have changed, by our own monotonic clock. The leader counts from before it asked, and gives up at
`renew_deadline`, while the others wait for `lease_duration`: a leader whose API server hangs has stopped before another
begins. One request may take half of that time: a connection that died must not cost the leadership. What it has still
in flight is fenced by the store (ports.py). Source: client-go tools/leaderelection.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable
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
    """What others put beside the name goes back as it came: an update replaces all of it."""

    name: str
    namespace: str
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[dict[str, Any]] = []
    finalizers: list[str] = []


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
        self.failed: Callable[[], None] = lambda: None
        """Called for each round that failed or was not answered in time."""
        self._client = client
        self._config = config
        self._identity = identity
        self._clock = clock
        self._rng = rng or random.Random()
        self._namespace = config.namespace or own_namespace() or "default"
        self._all = f"/apis/coordination.k8s.io/v1/namespaces/{quote(self._namespace, safe='')}/leases"
        self._own = f"{self._all}/{quote(config.lease, safe='')}"
        self._seen: Record | None = None
        self._seen_at = 0.0
        """When it was seen to have changed; monotonic."""
        self._renewed: float | None = None
        """From before the request that made or renewed it as ours; monotonic. None: it is not ours."""
        self._in_doubt = False
        """Whether an attempt to make it ours was not answered: it may be ours without our knowing."""
        self._said = ""

    def held(self) -> bool:
        """Whether we lead, for all that we know."""
        return self._renewed is not None and self._clock.monotonic() < self._renewed + self._deadline

    @property
    def _deadline(self) -> float:
        return self._config.renew_deadline.total_seconds()

    @property
    def _patience(self) -> float:
        """Of one round."""
        return self._deadline / 2

    async def acquire(self) -> None:
        """Until we lead."""
        while True:
            if await self._try(self._patience):
                log.info("this replica leads", extra={"event": "leader.elected", "holder": self._identity})
                return
            await asyncio.sleep(self._pause())

    async def keep(self) -> None:
        """Renew it, until that has not been possible for `renew_deadline` or somebody else has it."""
        while self._renewed is not None and (left := self._left()) > 0:
            await asyncio.sleep(min(self._config.retry_period.total_seconds(), left))
            if (left := self._left()) > 0:
                await self._try(min(left, self._patience))
        self._renewed = None
        log.error("this replica does not lead any more", extra={"event": "leader.lost", "holder": self._identity})

    def _left(self) -> float:
        """Seconds until it counts as lost."""
        return -1.0 if self._renewed is None else self._renewed + self._deadline - self._clock.monotonic()

    async def release(self) -> None:
        """Let another begin at once; what cannot be said in time is not said."""
        ours = self.held() or self._in_doubt
        self._renewed, self._in_doubt = None, False
        if not ours:
            return
        try:
            async with asyncio.timeout(self._config.retry_period.total_seconds()):
                await self._give_away()
        except (SourceError, TimeoutError) as error:
            said = str(error) or "the API server did not answer in time"
            log.warning("the lease could not be released", extra={"event": "leader.unreleased", "error": said})

    async def _give_away(self) -> None:
        """It is read again: a renewal may have been cut off after it was done."""
        seen = await self._get()
        if seen is None or seen.spec.holder_identity != self._identity:
            return
        spec = msgspec.structs.replace(seen.spec, holder_identity="", lease_duration_seconds=1, renew_time=self._now())
        self._note(await self._put(msgspec.structs.replace(seen, spec=spec)))

    async def _try(self, within: float) -> bool:
        """One round: whether we lead now. What fails is counted, and said when it changes."""
        try:
            async with asyncio.timeout(within):
                held = await self._round()
        except (SourceError, TimeoutError) as error:
            self.failed()
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
        """Make it, or write ourselves into it. Somebody else may have been faster, or have deleted or edited it."""
        self._in_doubt = self._renewed is None
        try:
            record = await (self._post() if seen is None else self._put(self._ours(seen)))
        except ApiError as error:
            self._in_doubt = False
            if error.code != 409 and (error.code != 404 or seen is None):
                raise
            return await self._looked_again(seen, asked)
        self._in_doubt = False
        self._note(record)
        self._renewed = asked
        return True

    async def _looked_again(self, seen: Record | None, asked: float) -> bool:
        """The version that we knew is old: it may still be ours, or there is none any more."""
        found = await self._get()
        if found is None:
            return seen is not None and await self._take(None, asked)
        if found.spec.holder_identity != self._identity:
            self._renewed = None
        return False

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
        before = seen.spec.holder_identity
        again = before == self._identity
        spec = Spec(
            holder_identity=self._identity,
            lease_duration_seconds=max(1, math.ceil(self._config.lease_duration.total_seconds())),
            acquire_time=seen.spec.acquire_time if again else self._now(),
            renew_time=self._now(),
            lease_transitions=(seen.spec.lease_transitions or 0)
            + (seen.spec.holder_identity not in (self._identity, None)),
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
