"""Inputs: everything that the core is ever told. One closed union, each stamped once with its own time `at`.

A recording is these records as lines (source/recording.py writes and reads them). Adding an input means adding it
to `Input`, to the pipeline's `match`, and to the recording.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from watcher.model.delivery import Outcome
from watcher.model.evidence import Evidence
from watcher.model.kube import Pod


class Observed(msgspec.Struct, frozen=True, kw_only=True, tag_field="input", gc=False):
    """Base of all inputs. `at`: when Watcher took it in (UTC); the core never lets it go back."""

    at: datetime


class Scope(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """What one list covers: a kind in the whole cluster (`namespace` empty) or in one namespace."""

    kind: str
    namespace: str = ""


class PodEvent(StrEnum):
    LISTED = "LISTED"
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Started(Observed, frozen=True, kw_only=True, tag="started"):
    """A process begins to watch. `since`: the last commit before it (None: a store without history).

    Until every one of `scopes` is synced (or forbidden), nothing is judged and no timer runs.
    The time from `since` to `at` is downtime.
    """

    since: datetime | None = None
    scopes: tuple[Scope, ...] = ()


class Listing(Observed, frozen=True, kw_only=True, tag="listing"):
    """A list of `scope` begins: what is not listed until its `Synced` is gone."""

    scope: Scope


class PodSeen(Observed, frozen=True, kw_only=True, tag="pod"):
    """A pod as listed or watched. `scope`: whose list or watch delivered it."""

    event: PodEvent
    scope: Scope
    pod: Pod


class Synced(Observed, frozen=True, kw_only=True, tag="synced"):
    """The list of `scope` is over. With `complete`, what it did not hold is gone (a partial list closes nothing)."""

    scope: Scope
    complete: bool = True


class Forbidden(Observed, frozen=True, kw_only=True, tag="forbidden"):
    """We may not read `scope` (403): nothing waits for it any longer, and nothing in it is taken for gone."""

    scope: Scope
    message: str = ""


class EvidenceArrived(Observed, frozen=True, kw_only=True, tag="evidence"):
    """The log tail and events that an alert asked for, already redacted."""

    evidence: Evidence


class DeliveryDone(Observed, frozen=True, kw_only=True, tag="delivery"):
    """One attempt to send one message has ended."""

    message_id: str
    outcome: Outcome


class Ended(Observed, frozen=True, kw_only=True, tag="ended"):
    """A recording's last line: nothing more happened until `at`."""


Input = Started | Listing | PodSeen | Synced | Forbidden | EvidenceArrived | DeliveryDone | Ended
