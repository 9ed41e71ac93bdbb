"""Silences over labels: whether one matches, where it is looked up, and whether a new one is allowed.

Rules and words are Alertmanager's (alertmanager-facts, sections 1 and 2; silence/silence.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from watcher.lib.matchers import Matcher, MatcherError, MatcherOp, matches_all
from watcher.lib.regexes import RegexError
from watcher.model.silence import Silence, SilenceMatcher

KEPT_FOR = timedelta(hours=120)
"""After its end."""
QUIET_FOR = timedelta(minutes=10)
LONGEST = timedelta(days=7)
"""Of one that ends by itself."""

Place = tuple[str, str]
ANYWHERE: Place = ("", "")
_OPS = {
    (False, True): MatcherOp.EQUAL,
    (False, False): MatcherOp.NOT_EQUAL,
    (True, True): MatcherOp.REGEX,
    (True, False): MatcherOp.NOT_REGEX,
}


class SilenceError(Exception):
    """Why a silence cannot be, in Alertmanager's words."""


@lru_cache(maxsize=4096)
def compiled(matchers: tuple[SilenceMatcher, ...]) -> tuple[Matcher, ...]:
    """SilenceError names the matcher that is wrong."""
    found = []
    for number, one in enumerate(matchers):
        try:
            found.append(Matcher(name=one.name, op=_OPS[one.is_regex, one.is_equal], value=one.value))
        except (MatcherError, RegexError) as error:
            raise SilenceError(f"invalid label matcher {number}: {error}") from error
    return tuple(found)


def silences(silence: Silence, labels: Mapping[str, str]) -> bool:
    return matches_all(compiled(silence.matchers), labels)


def places(labels: Mapping[str, str]) -> list[Place]:
    """Where silences of an alert with these labels are looked up (model/changes.py, `place_of`)."""
    return [ANYWHERE, *labels.items()]


def check(silence: Silence, at: datetime) -> None:
    """Whether it may be made or changed to this; SilenceError says why not."""
    if silence.starts_at >= silence.ends_at:
        raise SilenceError("start time must be before end time")
    if silence.ends_at <= at:
        raise SilenceError("end time can't be in the past")
    matchers = compiled(silence.matchers)
    if not matchers:
        raise SilenceError("at least one matcher required")
    if all(matcher.is_equal and matcher.matches_value("") for matcher in matchers):
        raise SilenceError("at least one matcher must not match the empty string")


def may_change(old: Silence, new: Silence, at: datetime) -> bool:
    """Whether `new` can be `old` in another form; otherwise the old one ends and a new one begins."""
    if old.matchers != new.matchers:
        return False
    state = old.state(at)
    if state == "active":
        return _second(old.starts_at) == _second(new.starts_at) and new.ends_at >= at
    return state == "pending" and new.starts_at >= at


def _second(time: datetime) -> datetime:
    return time.replace(microsecond=0)
