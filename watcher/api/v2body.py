"""The body of POST /silences: JSON to a record, or what Alertmanager would say is wrong with it.

Its server reads a body in two steps: types first (400), then what must be there (422), in the order of the names, and
it tells the first error only. What is too large is ours to say: its own server takes any size.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from watcher.api.v2requests import Refused, Said
from watcher.api.v2times import read_time
from watcher.lib.gotext import go_quote
from watcher.lib.regexes import RegexError, compile_regex
from watcher.model.silence import Silence, SilenceMatcher

LARGEST_SILENCE: Final = 64 * 1024
"""Bytes as JSON."""
MOST_MATCHERS: Final = 100
LONGEST_NAME: Final = 1024
LONGEST_VALUE: Final = 4096
"""Characters."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What an end that is not set means to Alertmanager."""

_WORDS: Final = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def parse(body: bytes) -> dict[str, Any]:
    """The object in a body, each known value of the right type or null; Refused says what is wrong."""
    return _typed(_parsed(body))


def silence_of(data: dict[str, Any], now: datetime, old: Silence | None = None) -> Silence:
    """The silence that such an object asks for. An unset start is `now`; Refused and Said say what is wrong."""
    for name in ("comment", "createdBy", "endsAt", "matchers", "startsAt"):
        if data.get(name) is None:
            raise _missing(name)
        if name == "matchers":
            _check_items(data["matchers"])
    silence = Silence(
        id=data.get("id") or "",
        matchers=tuple(_matcher(each) for each in data["matchers"]),
        starts_at=_time(data["startsAt"]) or now,
        ends_at=_time(data["endsAt"]) or _EPOCH,
        created_by=data["createdBy"],
        comment=data["comment"],
        updated_at=now,
        annotations=data.get("annotations") or {},
        until_resolved=_until_resolved(data, old),
    )
    _check_times(silence, now)
    _check_matchers(silence)
    size = len(msgspec.json.encode(silence))
    if size > LARGEST_SILENCE:
        raise Said(400, f"silence exceeded maximum size: {size} bytes (limit: {LARGEST_SILENCE} bytes)")
    return silence


def _parsed(body: bytes) -> Any:
    if not body.strip():
        raise _missing("silence")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        truncated = "truncated" in str(error)
        raise _unread("unexpected EOF" if truncated else str(error)) from None


def _unread(why: str) -> Refused:
    return Refused(400, f'parsing silence body from "" failed, because {why}')


def _missing(name: str) -> Refused:
    return Refused(602, f"{name} in body is required", status=422)


def _typed(data: Any) -> dict[str, Any]:
    """The object, each known value of it of the right type or null."""
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise _unread(f"json: cannot unmarshal {_word(data)} into Go value of type models.PostableSilence")
    for name in ("id", "comment", "createdBy", "endsAt", "startsAt"):
        _want(data, name, str, "string")
    _want(data, "matchers", list, "models.Matchers")
    for one in data.get("matchers") or ():
        if one is not None and not isinstance(one, dict):
            raise _mistyped("matchers", one, "models.Matcher")
        for name, kind, word in (("name", str, "string"), ("value", str, "string"), ("isRegex", bool, "bool")):
            _want(one or {}, name, kind, word)
        _want(one or {}, "isEqual", bool, "bool")
    _want(data, "annotations", dict, "models.LabelSet")
    for value in (data.get("annotations") or {}).values():
        if not isinstance(value, str):
            raise _mistyped("annotations", value, "string")
    _want(data, "untilResolved", bool, "bool")
    return data


def _want(data: dict[str, Any], name: str, kind: type, word: str) -> None:
    value = data.get(name)
    if value is not None and type(value) is not kind:
        raise _mistyped(name, value, word)


def _mistyped(name: str, value: Any, word: str) -> Refused:
    return _unread(f"json: cannot unmarshal {_word(value)} into Go struct field Silence.{name} of type {word}")


def _word(value: Any) -> str:
    return _WORDS.get(type(value), "value")


def _check_items(items: list[Any]) -> None:
    if not items:
        raise Refused(612, "matchers in body should have at least 1 items", status=422)
    if len(items) > MOST_MATCHERS:
        raise Said(400, f"invalid silence: there are {len(items)} matchers (limit: {MOST_MATCHERS})")
    for number, one in enumerate(items):
        if one is None:
            raise _missing(f"matchers.{number}")
        for name in ("isRegex", "name", "value"):
            if one.get(name) is None:
                raise _missing(f"matchers.{number}.{name}")


def _matcher(data: dict[str, Any]) -> SilenceMatcher:
    equal = data.get("isEqual")
    return SilenceMatcher(
        name=data["name"], value=data["value"], is_regex=data["isRegex"], is_equal=True if equal is None else equal
    )


def _until_resolved(data: dict[str, Any], old: Silence | None) -> bool:
    """Clients of Alertmanager do not know the key: a silence that they change keeps it."""
    given = data.get("untilResolved")
    return bool(given) if given is not None else old is not None and old.until_resolved


def _time(text: str) -> datetime | None:
    try:
        return read_time(text)
    except ValueError as error:
        raise _unread(str(error)) from None


def _check_times(silence: Silence, now: datetime) -> None:
    if silence.starts_at >= silence.ends_at:
        raise Said(400, "Failed to create silence: start time must be before end time")
    if silence.ends_at < now:
        raise Said(400, "Failed to create silence: end time can't be in the past")


def _check_matchers(silence: Silence) -> None:
    for number, one in enumerate(silence.matchers):
        which = f"invalid silence: invalid label matcher {number} in set 0"
        if not one.name:
            raise Said(400, f'{which}: invalid label name ""')
        for what, text, limit in (("name", one.name, LONGEST_NAME), ("value", one.value, LONGEST_VALUE)):
            if len(text) > limit:
                raise Said(400, f"{which}: the {what} has {len(text)} characters (limit: {limit})")
        if one.is_regex:
            try:
                compile_regex(one.value)
            except RegexError as error:
                said = f"invalid regular expression {go_quote(one.value)}: {error}"
                raise Said(400, f"{which}: {said}") from None
