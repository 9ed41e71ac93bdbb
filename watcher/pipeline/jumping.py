"""A clock that jumped: the time in between did not pass, so nothing may begin or end by it.

Every timer, and the times of deaths that are counted in windows, are moved by as much as the clock jumped.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.model.observations import ClockJumped
from watcher.model.remembered import ContainerHistory
from watcher.model.table import Overlay
from watcher.pipeline import posting
from watcher.pipeline.core import Step

_TIMERS = ("due", "unknown_at", "vacant_until", "settle_at", "idle_since")
"""Fields of rows that say when something is to happen, or since when it is waited for."""


def jumped(step: Step, one: ClockJumped) -> None:
    by = one.at - one.since
    posting.grant(step)
    draft = step.draft
    for table in (draft.pods, draft.volumes, draft.members, draft.alerts, draft.groups):
        _shift(table, by)
    for history in sorted(draft.histories.all(), key=lambda row: (row.uid, row.container)):
        draft.histories.put((history.uid, history.container), _later(history, by))


def _shift(table: Overlay[Any, Any], by: timedelta) -> None:
    for key, row in list(table.items()):
        changed = {name: value + by for name in _TIMERS if isinstance(value := getattr(row, name, None), datetime)}
        if changed:
            table.put(key, msgspec.structs.replace(row, **changed))


def _later(history: ContainerHistory, by: timedelta) -> ContainerHistory:
    return msgspec.structs.replace(
        history, recent=tuple(msgspec.structs.replace(death, at=death.at + by) for death in history.recent)
    )
