"""Claims, nodes, namespaces and the Warning events about them."""

from __future__ import annotations

from watcher.model.observations import ClaimSeen, EventSeen, NamespaceSeen, NodeSeen
from watcher.model.state import ScopeState
from watcher.pipeline.core import Step


def claim_seen(step: Step, one: ClaimSeen) -> None: ...


def node_seen(step: Step, one: NodeSeen) -> None: ...


def namespace_seen(step: Step, one: NamespaceSeen) -> None: ...


def event_seen(step: Step, one: EventSeen) -> None: ...


def listed(step: Step, scope: ScopeState, *, complete: bool) -> None: ...
