"""Why a pod has no node, read from the scheduler's words.

The scheduler counts: `0/5 nodes are available: 2 Insufficient memory, 3 node(s) had untolerated taint {a: b}. …`, one
clause for each reason that a node gave, and one node may give several. What a filter says before it looks at any node
stands there without a number. What follows about preemption says nothing of the cause.
Source: FitError in pkg/scheduler/framework/types.go and the ErrReason constants of its plugins.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import msgspec

CAUSES: Final = (
    "no_nodes",
    "unbound_claim",
    "volume_zone",
    "resources",
    "too_many_pods",
    "ports",
    "topology",
    "affinity",
    "node_selector",
    "taint",
    "unknown",
)
"""In the order in which one is named before another that as many nodes give: what the pod asks for before what the
nodes are set apart for (control planes are tainted everywhere)."""

_EVERY_NODE: Final = 1 << 30
_MAX_CLAUSES: Final = 5

_RULES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("no_nodes", ("no nodes available to schedule",)),
    ("too_many_pods", ("too many pods", "insufficient pods")),
    ("volume_zone", ("volume node affinity conflict", "no available volume zone")),
    (
        "unbound_claim",
        (
            "unbound immediate persistentvolumeclaim",
            "persistentvolumeclaim is not bound",
            "find available persistent volumes to bind",
            "to create the persistentvolumeclaim",
            "non-existent pv",
            "not have enough free storage",
            "binding volumes",
            "volumebinding",
        ),
    ),
    ("resources", ("insufficient ", "exceed max volume count", "resourceclaim", "allocate all claims", "out of disk")),
    ("ports", ("free ports", "free host ports", "podfitshostports")),
    ("topology", ("topology spread", "topologyspread")),
    (
        "affinity",
        (
            "node affinity",
            "pod affinity",
            "anti-affinity",
            "affinity rules",
            "interpodaffinity",
        ),
    ),
    ("node_selector", ("node selector", "matchnodeselector", "requested node name", "requested hostname")),
    (
        "taint",
        ("taint", "unschedulable", "not ready", "memory pressure", "disk pressure", "pid pressure", "network unavail"),
    ),
)
"""Over one clause, first match wins. Before 1.18 or so, what are taints now (cordoned, not ready, under pressure) had
clauses of their own. `node(s) didn't match Pod's node affinity/selector` does not say which of the two it was."""

_HEAD: Final = re.compile(r"(?s).*?\b(?P<free>\d+)/(?P<all>\d+) nodes are (?:un)?available: ?")
_OLD_HEAD: Final = re.compile(
    r"(?s).*?no nodes are available that match all of the (?:following )?predicates:+ ?", re.I
)
_PREEMPTION: Final = re.compile(
    r"[.,;]?\s*(?:no new claims to deallocate, |still not schedulable, )?preemption: .*", re.DOTALL
)
_CLAUSE: Final = re.compile(r"(?P<count>\d+) (?P<words>.+)", re.DOTALL)
_OLD_CLAUSE: Final = re.compile(r"(?P<words>.+?) \((?P<count>\d+)\)", re.DOTALL)
_CLAIM: Final = re.compile(r'persistentvolumeclaim "[^"]*" (?:not found|is being deleted|bound to)', re.IGNORECASE)


class Scheduling(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    cause: str
    """What most nodes name, one of CAUSES."""
    causes: dict[str, str]
    """Every cause, the most frequent first, with how many nodes name it and the scheduler's words."""


def classify(message: str) -> Scheduling:
    """The causes in the message of a condition PodScheduled that is False."""
    text = " ".join(message.split())
    head = _HEAD.match(text)
    total = int(head["all"]) if head is not None else None
    if total == 0:
        return Scheduling(cause="no_nodes", causes={"no_nodes": "the cluster has no nodes"})
    words: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for count, clause in _clauses(text, head):
        cause = _cause(clause)
        counts[cause] += _EVERY_NODE if count is None else count
        words.setdefault(cause, []).append(_told(count, clause))
    if not counts:
        return Scheduling(cause="unknown", causes={})
    order = sorted(counts, key=lambda cause: (-min(counts[cause], total or _EVERY_NODE), CAUSES.index(cause)))
    known = [cause for cause in order if cause != "unknown"]
    return Scheduling(cause=(known or order)[0], causes={cause: _joined(words[cause]) for cause in order})


def _clauses(text: str, head: re.Match[str] | None) -> list[tuple[int | None, str]]:
    """(on how many nodes, words) of each clause; None: of no node in particular."""
    old = _OLD_HEAD.match(text) if head is None else None
    body = text[(head or old).end() :] if head or old else text  # type: ignore[union-attr]
    body = _PREEMPTION.sub("", body).strip(" .")
    if old is not None:
        return [
            (int(found["count"]), found["words"]) for found in map(_OLD_CLAUSE.fullmatch, body.split(", ")) if found
        ]
    # A taint's words have commas of their own: `1 node(s) had taint {a: }, that the pod didn't tolerate, 2 …`.
    pieces = re.split(r", (?=\d+ )", body) if head is not None else [body]
    clauses: list[tuple[int | None, str]] = []
    for piece in filter(None, pieces):
        found = _CLAUSE.fullmatch(piece) if head is not None else None
        clauses.append((int(found["count"]), found["words"]) if found is not None else (None, piece))
    return clauses


def _cause(clause: str) -> str:
    low = clause.lower()
    if _CLAIM.search(clause):
        return "unbound_claim"
    return next((cause for cause, needles in _RULES if any(needle in low for needle in needles)), "unknown")


def _told(count: int | None, clause: str) -> str:
    words = clause.removeprefix("node(s) ").removeprefix("had ").strip(" .")
    if words[:1].isupper() and words.split(" ", 1)[0][1:].islower():
        words = words[0].lower() + words[1:]
    return words if count is None else f"{count} {'node' if count == 1 else 'nodes'}: {words}"


def _joined(words: list[str]) -> str:
    kept = words[:_MAX_CLAUSES]
    more = len(words) - len(kept)
    return "; ".join(kept) + (f"; and {more} more" if more else "")
