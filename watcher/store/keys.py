"""Keys of several fields as one text: a JSON array of the fields in their order, without the empty ones at the end.

Unlike `AlertKey.id` it is never ambiguous (a label of a posted alert may hold any character, `|` too), and it stays
what it is when the record gains a field at its end.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from watcher.model.identity import AlertKey, MemberKey

_decoder = msgspec.json.Decoder(list[str])
_encoder = msgspec.json.Encoder()


def alert_text(key: AlertKey | None) -> str:
    """Empty for None."""
    return "" if key is None else _text(msgspec.structs.astuple(key))


def alert_key(text: str) -> AlertKey | None:
    """Takes `alert_text` back."""
    if not text:
        return None
    return AlertKey(**dict(zip(AlertKey.__struct_fields__, _decoder.decode(text), strict=False)))


def member_text(key: MemberKey) -> str:
    return _text((key.rule, *msgspec.structs.astuple(key.subject)))


def matter_text(group: str, receiver: str, integration: str, alert: AlertKey | None) -> str:
    """What a decision is about."""
    return _text((group, receiver, integration, *(() if alert is None else msgspec.structs.astuple(alert))))


def _text(fields: Iterable[str]) -> str:
    parts = list(fields)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return _encoder.encode(parts).decode()
