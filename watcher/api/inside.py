"""What the routes are given of the service: where they read, and where they put what people ask for.

The service makes one in its composition root. Nothing in it can change state but the intake.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from watcher.api.inbox import Inbox
from watcher.api.outcomes import Outcomes
from watcher.model.changes import View
from watcher.model.config import Receiver
from watcher.model.hints import Mistake
from watcher.pipeline import Core
from watcher.ports import Clock, Intake, Store


class PostStats(msgspec.Struct):
    """Alerts that others posted, since the process began."""

    firing: int = 0
    resolved: int = 0
    invalid: int = 0
    """Those of them that were not taken."""
    waiting: int = 0
    """Stored, and not judged yet."""


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """What is a function is asked anew for each request: a configuration may be loaded again."""

    store: Store
    intake: Intake
    clock: Clock
    view: View
    outcomes: Outcomes
    inbox: Inbox
    receivers: Callable[[], Mapping[str, Receiver]]
    mistakes: Callable[[], Mapping[Mistake, datetime]]
    """And when each was seen last."""
    core: Callable[[], Core]
    original: Callable[[], str]
    """The configuration as Alertmanager's YAML, without secrets."""
    resolve_timeout: Callable[[], timedelta]
    new_id: Callable[[], str]
    """A UUID."""
    began: datetime
    """When the process began to serve."""
    reload: Callable[[], Awaitable[str]]
    """Reads the configuration again; why it was refused, or nothing."""
    posts: PostStats = msgspec.field(default_factory=PostStats)
