"""What one scope's list and watch ask the API server for: path, selectors, form of the answer.

Nothing is asked for that would be thrown away: of namespaces only metadata, of events only the warnings that are not
about pods. Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import random
from urllib.parse import quote

from watcher.model.observations import Scope
from watcher.source.client import JSON, Query
from watcher.source.kinds import KINDS
from watcher.source.streams import StreamSettings

WARNINGS = ("type=Warning", "involvedObject.kind!=Pod")
"""Pods say themselves what is wrong with them; their events are evidence, and are asked for when it is needed."""

_PARTIAL = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1," + JSON
"""The plain form stands behind it, for servers that know no other."""


class Requests:
    """The requests about one scope."""

    def __init__(self, scope: Scope, settings: StreamSettings, rng: random.Random) -> None:
        kind = KINDS[scope.kind]
        self.resource = kind.plural
        inside = f"/namespaces/{quote(scope.namespace, safe='')}" if scope.namespace and kind.namespaced else ""
        self.path = f"/api/v1{inside}/{kind.plural}"
        metadata_only = scope.kind == "Namespace"
        self.list_form = _PARTIAL.format("List") if metadata_only else JSON
        self.watch_form = _PARTIAL.format("") if metadata_only else JSON
        self._selector: dict[str, str | int] = {}
        if terms := _field_terms(scope, settings.exclude_namespaces):
            self._selector = {"fieldSelector": ",".join(terms)}
        self._settings = settings
        self._rng = rng

    def page(self, token: str) -> Query:
        query: dict[str, str | int] = {"limit": self._settings.page_size, **self._selector}
        return query | {"continue": token} if token else query

    def watch(self, version: str) -> Query:
        least, most = self._settings.watch_least.total_seconds(), self._settings.watch_most.total_seconds()
        return {
            "watch": 1,
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": max(1, round(self._rng.uniform(least, most))),
            **self._selector,
        }


def _field_terms(scope: Scope, excluded: tuple[str, ...]) -> list[str]:
    terms = list(WARNINGS) if scope.kind == "Event" else []
    if scope.kind == "Namespace":
        if scope.namespace:
            # RBAC takes this selector for a name, so that `resourceNames` is enough.
            return [f"metadata.name={scope.namespace}"]
        return [f"metadata.name!={name}" for name in excluded]
    if KINDS[scope.kind].namespaced and not scope.namespace:
        terms += [f"metadata.namespace!={name}" for name in excluded]
    return terms
