"""Plain records for the tests in which their content does not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from watcher.model.delivery import Delivered, Outcome
from watcher.model.identity import AlertKey, MemberKey, Workload
from watcher.model.message import Heading, Mark, Message, Notification, SendReason
from watcher.model.observations import Scope
from watcher.model.remembered import ContainerHistory, Reading, ScopeState, VolumeHistory
from watcher.model.signals import CrashLooping
from watcher.model.state import (
    Alert,
    AlertState,
    Attempt,
    Decision,
    Group,
    Member,
    MemberState,
    MessageState,
    OutboxRow,
    Told,
    ToldKey,
    Transition,
)

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OPS = ("ops", "slack_configs[0]")
DEV = ("dev", "webhook_configs[0]")
SCOPE = Scope(kind="Pod")
KEY = AlertKey(alertname="ContainerCrashLooping", cluster="c", namespace="shop", workload="web", container="app")
WORKLOAD = Workload("shop", "Deployment", "web")
SIGNAL = CrashLooping(uid="u1", namespace="shop", pod="web-1", container="app", since=NOW)


def message(id: str, **fields: Any) -> OutboxRow:
    """A queued message of ops, of `NOW`."""
    notification = Notification(
        id=id,
        at=NOW,
        receiver="ops",
        integration="slack_configs[0]",
        status="firing",
        reason=SendReason.FIRST,
        group_key="g",
        title="t",
        text="t",
        message=Message(heading=Heading(Mark.WARNING, "t")),
    )
    row = OutboxRow(
        id=id,
        receiver=OPS[0],
        integration=OPS[1],
        group="g",
        created_at=NOW,
        next_at=NOW,
        notification=notification,
    )
    return replace(row, **fields)


def finished(id: str, state: MessageState = MessageState.DELIVERED, **fields: Any) -> OutboxRow:
    return message(id, state=state, attempts=1, **fields)


def decision(reason: str = "nothing changed", **fields: Any) -> Decision:
    held = Decision(at=NOW, group="g", receiver=OPS[0], integration=OPS[1], alert=KEY, verdict="hold", reason=reason)
    return replace(held, **fields)


def transition(why: str, at: datetime = NOW) -> Transition:
    return Transition(at=at, alert=KEY, subject="shop/web-1/app", before="pending", after="firing", why=why)


def attempt(message: str, outcome: Outcome | None = None, at: datetime = NOW) -> Attempt:
    return Attempt(at=at, message=message, outcome=outcome or Delivered())


def group(id: str, **fields: Any) -> Group:
    return replace(Group(id=id, route="{}", receiver="ops", labels={"namespace": "shop"}), **fields)


def one_of_each() -> dict[str, Any]:
    """One row of every table of the state, as fields of Changes."""
    member = MemberKey(rule="pods/0", subject=SIGNAL.subject)
    told = ToldKey(receiver="ops", integration="slack_configs[0]", alert=KEY)
    history = ContainerHistory(uid="u1", container="app", namespace="shop", pod="web-1", deaths=3)
    reading = Reading(node="n1", at=NOW, capacity=2**63, available=2**62, inodes=10)
    volume = VolumeHistory(
        namespace="shop", claim="data", uid="c1", readings=(reading,), buckets=bytes(range(256)), since=NOW, due=NOW
    )
    disk = VolumeHistory(namespace="", claim="", node="n1", claims=("shop/a", "shop/b"), since=NOW, idle_since=NOW)
    return {
        "scopes": {SCOPE: ScopeState(scope=SCOPE, known=True)},
        "histories": {("u1", "app"): history},
        "volumes": {volume.key: volume, disk.key: disk},
        "members": {
            member: Member(key=member, alert=KEY, workload=WORKLOAD, state=MemberState.FIRING, signal=SIGNAL, since=NOW)
        },
        "alerts": {
            KEY: Alert(
                key=KEY,
                workload=WORKLOAD,
                state=AlertState.FIRING,
                labels={"alertname": "ContainerCrashLooping"},
                annotations={},
                fingerprint="0123456789abcdef",
                starts_at=NOW,
                since=NOW,
                lead=SIGNAL,
            )
        },
        "groups": {"g": group("g")},
        "told": {told: Told(key=told, group="g", at=NOW, message="m")},
        "outbox": {"m": message("m")},
    }


def none_of_each() -> dict[str, Any]:
    """The rows of `one_of_each`, dropped."""
    return {name: dict.fromkeys(rows) for name, rows in one_of_each().items()}
