"""The cluster: every object, one version counter, one clock.

Tests, the player and the HTTP handlers all change it through `put`, `apply` and `delete`; each call is one write to
etcd, so it bumps the shared resourceVersion once and reaches every watcher. A put that changes nothing writes nothing,
as in Kubernetes. Nothing here is asynchronous: changes are made in the event loop's thread, between two awaits.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping

from watcher.demo.clock import Timeline, rfc3339
from watcher.demo.resources import BY_KIND, RESOURCES, JsonObject, Key, Resource
from watcher.demo.status import conflict
from watcher.demo.store import Encoded, Store, Stored

Finalizer = Callable[[JsonObject, int], bool]
"""Asked before an HTTP DELETE removes an object (object, grace seconds): True: it will be removed in time."""


class Cluster:
    """What the API server knows. `window` is the number of changes kept per kind for watches to resume from."""

    def __init__(
        self,
        timeline: Timeline | None = None,
        *,
        seed: str = "demo",
        window: int = 10_000,
        first_version: int = 1000,
    ) -> None:
        self.timeline = timeline or Timeline()
        self.seed = seed
        self.version = first_version
        """The newest resourceVersion given out, over all kinds."""
        self.stores: dict[str, Store] = {
            resource.kind: Store(resource, first_version, window) for resource in RESOURCES
        }
        self.finalizers: dict[str, Finalizer] = {}
        """By kind: what turns a DELETE request into a graceful end (the kubelet, for pods)."""
        self._made = 0

    def store(self, kind: str) -> Store:
        return self.stores[kind]

    def get(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """A copy of one object; None: there is none."""
        stored = self.stores[kind].objects.get((namespace, name))
        return None if stored is None else stored.copy()

    def list(self, kind: str, namespace: str = "") -> list[JsonObject]:
        """Copies of the objects of one kind, of one namespace or of all, by (namespace, name)."""
        return [s.copy() for s in self.stores[kind].current() if not namespace or s.key[0] == namespace]

    def put(self, item: JsonObject) -> int:
        """Create or replace; gives the resourceVersion. uid and creationTimestamp are filled in, or kept.

        An object of the same name with another uid is deleted first, as when a StatefulSet's pod is replaced.
        """
        resource = BY_KIND[item["kind"]]
        key = key_of(item, resource)
        store = self.stores[resource.kind]
        old = store.objects.get(key)
        uid = item.get("metadata", {}).get("uid")
        if old is not None and uid and old.birth[0] != uid:
            self.delete(resource.kind, *key)
            old = None
        completed = self._completed(item, key, old)
        encoded = Encoded.of(completed)
        if old is not None and old.encoded == encoded:
            return old.version
        birth = (completed["metadata"]["uid"], completed["metadata"]["creationTimestamp"])
        return self._write(store, key, encoded, birth)

    def put_encoded(self, kind: str, key: Key, encoded: Encoded) -> int:
        """Create or replace by bytes made beforehand: nothing is encoded, compared or filled in."""
        return self._write(self.stores[kind], key, encoded)

    def apply(self, kind: str, namespace: str, name: str, patch: JsonObject) -> int:
        """Create, or change by a JSON merge patch (RFC 7386)."""
        old = self.get(kind, namespace, name)
        resource = BY_KIND[kind]
        base = old or {"kind": kind, "apiVersion": resource.api_version, "metadata": {}}
        merged = merge(base, patch)
        merged["metadata"] = {**merged["metadata"], "name": name} | ({"namespace": namespace} if namespace else {})
        return self.put(merged)

    def update(self, item: JsonObject) -> int:
        """Replace, if the resourceVersion in `item` is the present one or absent; ApiError 409 else."""
        resource = BY_KIND[item["kind"]]
        key = key_of(item, resource)
        asked = item.get("metadata", {}).get("resourceVersion")
        old = self.stores[resource.kind].objects.get(key)
        if asked and old is not None and str(old.version) != asked:
            raise conflict(resource, key[1])
        return self.put(item)

    def delete(self, kind: str, namespace: str, name: str) -> int:
        """Remove at once; gives the version of the deletion. KeyError: there is no such object."""
        store = self.stores[kind]
        if (namespace, name) not in store.objects:
            raise KeyError(f"{kind} {namespace}/{name} does not exist")
        self.version += 1
        store.delete((namespace, name), self.version)
        return self.version

    def forget_history(self, kind: str = "") -> None:
        """Compaction now: older versions and continue tokens are answered 410."""
        for store in self.stores.values():
            if kind in ("", store.resource.kind):
                store.forget(self.version)

    def skip_versions(self, count: int) -> None:
        """Versions used by kinds that are not served here: the counter jumps, and nothing else happens."""
        self.version += count

    def new_uid(self, *parts: str) -> str:
        """A uid that depends on the seed and `parts`, or on the order of making when there are none."""
        if not parts:
            self._made += 1
            parts = (str(self._made),)
        return make_uid(self.seed, *parts)

    def _write(self, store: Store, key: Key, encoded: Encoded, birth: tuple[str, str] | None = None) -> int:
        self.version += 1
        store.put(Stored(store.resource, key, self.version, encoded, birth))
        return self.version

    def _completed(self, item: JsonObject, key: Key, old: Stored | None) -> JsonObject:
        metadata: JsonObject = dict(item.get("metadata", {}))
        metadata.pop("resourceVersion", None)
        uid, created = old.birth if old is not None else ("", "")
        metadata["uid"] = metadata.get("uid") or uid or self.new_uid()
        now = rfc3339(self.timeline.now())
        metadata["creationTimestamp"] = metadata.get("creationTimestamp") or created or now
        ordered = {"name": key[1]} | ({"namespace": key[0]} if key[0] else {})
        return {**item, "metadata": ordered | metadata}


def key_of(item: Mapping[str, JsonObject], resource: Resource) -> Key:
    """(namespace, name) of an object; a namespaced one without a namespace is in `default`."""
    metadata = item.get("metadata", {})
    namespace = str(metadata.get("namespace") or "default") if resource.namespaced else ""
    return namespace, str(metadata["name"])


def merge(base: JsonObject, patch: JsonObject) -> JsonObject:
    """RFC 7386: objects are merged, null removes, everything else replaces."""
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            known = merged.get(key)
            merged[key] = merge(known if isinstance(known, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def make_uid(*parts: str) -> str:
    """A version 4 uuid from a digest, the same for the same parts."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
