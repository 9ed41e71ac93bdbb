"""From records to rows and back: one `Kind` per table of the current state, and functions for the history.

The outbox has more columns and its own rules (leases, final states): its writing is in `writing.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import RowMapping, Table

from watcher.model.delivery import Outcome
from watcher.model.observations import Scope
from watcher.model.remembered import ContainerHistory, ScopeState, VolumeHistory
from watcher.model.silence import Silence, SilenceChange
from watcher.model.state import (
    Alert,
    Attempt,
    Channel,
    Decision,
    Group,
    Member,
    MessageState,
    Meta,
    OutboxRow,
    Told,
    Transition,
)
from watcher.store import tables
from watcher.store.keys import alert_key, alert_text, member_text, short

Row = dict[str, Any]
"""Column names and values, as SQLAlchemy takes them."""

_encoder = msgspec.json.Encoder()


def body(record: msgspec.Struct) -> str:
    return _encoder.encode(record).decode()


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the view. `name`: its attribute in View and in Changes."""

    name: str
    table: Table
    key: Callable[[Any], Row]
    """The key columns of a key."""
    write: Callable[[Any], Row]
    """The other columns of a record."""
    read: Callable[[RowMapping], tuple[Any, Any]]
    """Key and record of a stored row."""


def _encoded(record: msgspec.Struct) -> Row:
    return {"body": body(record)}


def _decoded(record: type[msgspec.Struct], key: Callable[[Any], Any]) -> Callable[[RowMapping], tuple[Any, Any]]:
    decode = msgspec.json.Decoder(record).decode

    def read(row: RowMapping) -> tuple[Any, Any]:
        value = decode(row["body"])
        return key(value), value

    return read


def _scope_state(row: RowMapping) -> tuple[Scope, ScopeState]:
    scope = Scope(kind=row["kind"], namespace=row["namespace"])
    return scope, ScopeState(scope=scope, known=row["known"], forbidden=row["forbidden"])


STATE: tuple[Kind, ...] = (
    Kind(
        name="scopes",
        table=tables.scopes,
        key=lambda key: {"kind": key.kind, "namespace": key.namespace},
        write=lambda row: {"known": row.known, "forbidden": row.forbidden},
        read=_scope_state,
    ),
    Kind(
        name="histories",
        table=tables.container_histories,
        key=lambda key: {"uid": key[0], "container": key[1]},
        write=_encoded,
        read=_decoded(ContainerHistory, lambda row: (row.uid, row.container)),
    ),
    Kind(
        name="volumes",
        table=tables.volumes,
        key=lambda key: {"namespace": key[0], "claim": key[1], "node": key[2]},
        write=_encoded,
        read=_decoded(VolumeHistory, lambda row: row.key),
    ),
    Kind(
        name="members",
        table=tables.members,
        key=lambda key: {"key": member_text(key)},
        write=_encoded,
        read=_decoded(Member, lambda row: row.key),
    ),
    Kind(
        name="alerts",
        table=tables.alerts,
        key=lambda key: {"key": short(alert_text(key))},
        write=_encoded,
        read=_decoded(Alert, lambda row: row.key),
    ),
    Kind(
        name="groups",
        table=tables.groups,
        key=lambda key: {"id": short(key)},
        write=_encoded,
        read=_decoded(Group, lambda row: row.id),
    ),
    Kind(
        name="silences",
        table=tables.silences,
        key=lambda key: {"id": key},
        write=_encoded,
        read=_decoded(Silence, lambda row: row.id),
    ),
    Kind(
        name="channels",
        table=tables.channels,
        key=lambda key: {"receiver": key[0], "integration": key[1]},
        write=_encoded,
        read=_decoded(Channel, lambda row: row.key),
    ),
    Kind(
        name="told",
        table=tables.told,
        key=lambda key: {
            "receiver": key.receiver,
            "integration": key.integration,
            "alert": short(alert_text(key.alert)),
        },
        write=_encoded,
        read=_decoded(Told, lambda row: row.key),
    ),
)

decode_meta = msgspec.json.Decoder(Meta).decode
decode_message = msgspec.json.Decoder(OutboxRow).decode
_decode_outcome = msgspec.json.Decoder(Outcome).decode


def message_row(message: OutboxRow, at: datetime) -> Row:
    """All columns of an outbox row but the lease."""
    return {
        "id": message.id,
        "receiver": message.receiver,
        "integration": message.integration,
        "state": message.state.value,
        "created_at": message.created_at,
        "next_at": message.next_at,
        "attempts": message.attempts,
        "finished_at": None if message.state is MessageState.QUEUED else at,
        "body": body(message),
    }


def transition_row(transition: Transition) -> Row:
    return msgspec.structs.asdict(transition) | {"alert": alert_text(transition.alert)}


def transition(row: RowMapping) -> Transition:
    alert = alert_key(row["alert"])
    assert alert is not None
    return Transition(
        at=row["at"],
        alert=alert,
        subject=row["subject"],
        before=row["before"],
        after=row["after"],
        why=row["why"],
    )


def decision_row(decision: Decision) -> Row:
    """All columns but `count`, `last_at` and `matter`."""
    return {
        "at": decision.at,
        "group_id": decision.group,
        "receiver": decision.receiver,
        "integration": decision.integration,
        "alert": alert_text(decision.alert),
        "verdict": decision.verdict,
        "reason": decision.reason,
        "message": decision.message,
    }


def decision(row: RowMapping) -> Decision:
    return Decision(
        at=row["at"],
        group=row["group_id"],
        receiver=row["receiver"],
        integration=row["integration"],
        alert=alert_key(row["alert"]),
        verdict=row["verdict"],
        reason=row["reason"],
        message=row["message"],
    )


def silence_change_row(change: SilenceChange) -> Row:
    return {
        "at": change.at,
        "silence": change.silence,
        "by": change.by,
        "action": change.action,
        "body": body(change.body),
    }


_decode_silence = msgspec.json.Decoder(Silence).decode


def silence_change(row: RowMapping) -> SilenceChange:
    silence = _decode_silence(row["body"])
    return SilenceChange(at=row["at"], silence=row["silence"], by=row["by"], action=row["action"], body=silence)


def attempt_row(attempt: Attempt) -> Row:
    return {"at": attempt.at, "message": attempt.message, "outcome": _encoder.encode(attempt.outcome).decode()}


def attempt(row: RowMapping) -> Attempt:
    return Attempt(at=row["at"], message=row["message"], outcome=_decode_outcome(row["outcome"]))
