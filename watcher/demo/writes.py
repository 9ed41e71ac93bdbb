"""Writes that clients make: create, update, patch, delete.

Enough for Leases (Watcher's leader election: conflicts are 409 with the server's words) and for `kubectl delete pod`,
`kubectl annotate` and `kubectl cordon` by hand. Patches are merge patches; a strategic merge patch is taken as one,
which differs only for lists. Whether a deletion is graceful is decided by the cluster's finalizers.
"""

from __future__ import annotations

import msgspec

from watcher.demo.forms import Form, one_document
from watcher.demo.model import Cluster, merge
from watcher.demo.resources import JsonObject, Target
from watcher.demo.status import already_exists, bad_request, method_not_allowed, not_found, success
from watcher.demo.store import Stored


class Writes:
    """The write verbs of one cluster; each gives (HTTP code, body)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def write(self, verb: str, target: Target, body: JsonObject, form: Form) -> tuple[int, bytes]:
        if verb == "create":
            return 201, self._document(self._create(target, body), form)
        if verb == "update":
            return 200, self._document(self._update(target, body), form)
        if verb == "patch":
            return 200, self._document(self._patch(target, body), form)
        if verb == "delete":
            return 200, self._delete(target, body, form)
        raise method_not_allowed()

    def _document(self, stored: Stored, form: Form) -> bytes:
        return one_document(form, stored, self._cluster.timeline.now())

    def _stored(self, target: Target, name: str) -> Stored:
        stored = self._cluster.store(target.resource.kind).objects.get((target.namespace, name))
        if stored is None:
            raise not_found(target.resource, name)
        return stored

    def _named(self, target: Target, body: JsonObject) -> JsonObject:
        """The body with the kind and namespace that the path says."""
        metadata = dict(body.get("metadata") or {})
        if metadata.get("generateName") and not metadata.get("name"):
            suffix = self._cluster.new_uid("generated", str(self._cluster.version))[:5]
            metadata["name"] = metadata["generateName"] + suffix
        name = metadata.get("name") or target.name
        if not name:
            raise bad_request("name or generateName is required")
        if target.name and name != target.name:
            raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")
        if target.resource.namespaced:
            metadata["namespace"] = target.namespace
        metadata["name"] = name
        kind = {"kind": target.resource.kind, "apiVersion": target.resource.api_version}
        return {**body, **kind, "metadata": metadata}

    def _create(self, target: Target, body: JsonObject) -> Stored:
        item = self._named(target, body)
        name = item["metadata"]["name"]
        if (target.namespace, name) in self._cluster.store(target.resource.kind).objects:
            raise already_exists(target.resource, name)
        self._cluster.put(item)
        return self._stored(target, name)

    def _update(self, target: Target, body: JsonObject) -> Stored:
        item = self._named(target, body)
        self._stored(target, target.name)
        self._cluster.update(item)
        return self._stored(target, target.name)

    def _patch(self, target: Target, body: JsonObject) -> Stored:
        item = merge(self._stored(target, target.name).copy(), body)
        if "resourceVersion" not in (body.get("metadata") or {}):
            item["metadata"].pop("resourceVersion", None)
        self._cluster.update(item)
        return self._stored(target, target.name)

    def _delete(self, target: Target, body: JsonObject, form: Form) -> bytes:
        stored = self._stored(target, target.name)
        item = stored.copy()
        spec_grace = item.get("spec", {}).get("terminationGracePeriodSeconds", 30)
        grace = body.get("gracePeriodSeconds")
        finalizer = self._cluster.finalizers.get(target.resource.kind)
        if finalizer is not None and grace != 0 and finalizer(item, spec_grace if grace is None else int(grace)):
            return self._document(self._stored(target, target.name), form)
        if self._cluster.get(target.resource.kind, target.namespace, target.name) is not None:
            self._cluster.delete(target.resource.kind, target.namespace, target.name)
        return msgspec.json.encode(success(target.resource, target.name, item["metadata"]["uid"]))
