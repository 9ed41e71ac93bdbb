"""What the process lends to the service that works in it, and takes back when another one follows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import aiohttp
import msgspec

from watcher.ports import Clock, Store
from watcher.source.client import KubeClient

STOP_WITHIN = 8.0
"""Seconds for what is in flight at the end; Kubernetes gives 30 s, and SIGKILL loses nothing either."""


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """What the process lends it."""

    clock: Clock
    store: Store
    session: aiohttp.ClientSession
    executor: Executor
    client: KubeClient | None
    """None: no cluster is watched."""
    began: float
    """Monotonic seconds when the process began."""
    epoch: int = 0
    """In which it may write."""
    may_send: Callable[[], bool] | None = None
    """Asked before each message: whether we lead."""
    stop_within: float = STOP_WITHIN
    """Seconds for what is in flight at the end."""
    working: bool = True
    """Whether it will run; else it only answers (standby.py)."""
