"""Keys of several fields as one text: a JSON array of the fields in their order, without the empty ones at the end.

Unlike `AlertKey.id` it is never ambiguous (a label of a posted alert may hold any character, `|` too), and it stays
what it is when the record gains a field at its end.

A label may be 64 KB long and be part of a key, but Postgres indexes 2.7 KB at most: what is only looked up and never
taken back is `short`. https://www.postgresql.org/docs/current/btree.html
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from watcher.model.identity import AlertKey, MemberKey

_decoder = msgspec.json.Decoder(list[str])
_encoder = msgspec.json.Encoder()

_LONGEST = 1600
"""Bytes; keys of up to three columns are indexed together, and only one may be long."""


def short(text: str) -> str:
    """`text`, or its beginning and a digest of all of it."""
    if len(text) <= _LONGEST // 4:
        return text
    encoded = text.encode()
    return text if len(encoded) <= _LONGEST else f"{text[:100]}…{sha256(encoded).hexdigest()}"


def alert_text(key: AlertKey | None) -> str:
    """Empty for None."""
    return "" if key is None else _text(msgspec.structs.astuple(key))


def alert_key(text: str) -> AlertKey | None:
    """Takes `alert_text` back."""
    if not text:
        return None
    return AlertKey(**dict(zip(AlertKey.__struct_fields__, _decoder.decode(text), strict=False)))


def member_text(key: MemberKey) -> str:
    return short(_text((key.rule, *msgspec.structs.astuple(key.subject))))


def matter_text(group: str, receiver: str, integration: str, alert: AlertKey | None) -> str:
    """What a decision is about."""
    return short(_text((group, receiver, integration, *(() if alert is None else msgspec.structs.astuple(alert)))))


def _text(fields: Iterable[str]) -> str:
    parts = list(fields)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return _encoder.encode(parts).decode()
