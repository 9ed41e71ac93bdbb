"""Matchers of labels, read and printed as Alertmanager does.

Problem: routes, silences, inhibitions and API filters hold matchers in two grammars, and both must mean
here what they mean there, regexes included. Choice: a record of name, operator and value; regexes run in
RE2, the engine whose syntax Go's has, wrapped as Alertmanager wraps them (`^(?:…)$`), in linear time.
Compiled regexes are kept by their text, so that equal matchers share one and a Matcher stays a plain record
that can be stored.

The grammars live in `matcher_classic` and `matcher_utf8`; here is the choice between them (Alertmanager's
modes, `matcher/compat/parse.go`): read with both; where only the classic one succeeds or the two differ,
the classic result counts, with a warning; where both fail, the classic error is raised.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from watcher.lib import matcher_classic, matcher_utf8
from watcher.lib.gotext import GO_SPACE, go_quote
from watcher.lib.regexes import RegexError, compile_regex

__all__ = [
    "Matcher",
    "MatcherError",
    "MatcherMode",
    "MatcherOp",
    "ParsedMatchers",
    "format_matchers",
    "matches_all",
    "parse_matcher",
    "parse_matchers",
    "read_matchers",
    "sort_matchers",
]

MatcherError = matcher_classic.MatcherError

_RESERVED = frozenset(GO_SPACE + "{}!=~,\\\"'`")


class MatcherOp(StrEnum):
    """The four operators; `order` is Alertmanager's."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


_ORDER = {op: order for order, op in enumerate(MatcherOp)}


class MatcherMode(StrEnum):
    """Which grammar is read: Alertmanager's default, `classic-mode` and `utf8-strict-mode`."""

    FALLBACK = "fallback"
    CLASSIC = "classic"
    UTF8 = "utf8"


class Matcher(msgspec.Struct, frozen=True, kw_only=True, order=False):
    """One condition on one label. Raises MatcherError when made with a regex that RE2 refuses."""

    name: str
    op: MatcherOp
    value: str

    def __post_init__(self) -> None:
        if self.is_regex:
            try:
                compile_regex(_anchored(self.value))
            except RegexError as error:
                raise MatcherError(str(error)) from error

    @property
    def is_regex(self) -> bool:
        """True for `=~` and `!~` (`isRegex` in the API)."""
        return self.op is MatcherOp.REGEX or self.op is MatcherOp.NOT_REGEX

    @property
    def is_equal(self) -> bool:
        """True for `=` and `=~` (`isEqual` in the API)."""
        return self.op is MatcherOp.EQUAL or self.op is MatcherOp.REGEX

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the label has the value; a missing label reads as the empty string."""
        return self.matches_value(labels.get(self.name, ""))

    def matches_value(self, value: str) -> bool:
        """Whether a label with this value fulfils the condition."""
        if self.op is MatcherOp.EQUAL:
            return value == self.value
        if self.op is MatcherOp.NOT_EQUAL:
            return value != self.value
        found = compile_regex(_anchored(self.value)).found_in(value)
        return found is (self.op is MatcherOp.REGEX)

    def __str__(self) -> str:
        """As Alertmanager prints it: `name="value"`; a name with reserved characters is quoted as well."""
        if not _RESERVED.isdisjoint(self.name):
            return f"{go_quote(self.name)}{self.op.value}{go_quote(self.value)}"
        value = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{self.name}{self.op.value}"{value}"'


class ParsedMatchers(msgspec.Struct, frozen=True, kw_only=True):
    """Matchers in the order of the text, and what to tell the author (None: nothing)."""

    matchers: tuple[Matcher, ...]
    warning: str | None = None


def parse_matcher(text: str, mode: MatcherMode = MatcherMode.FALLBACK) -> Matcher:
    """Read exactly one matcher, without braces around it (API filters, arguments of commands).

    Raises MatcherError with Alertmanager's own text.
    """
    if mode is MatcherMode.CLASSIC:
        return _built(matcher_classic.scan_one(text))
    if text.startswith("{") or text.endswith("}"):
        raise MatcherError(f"unexpected open or close brace: {text}")
    if mode is MatcherMode.UTF8:
        return _one_utf8(text)
    try:
        new = _one_utf8(text)
    except MatcherError:
        return _built(matcher_classic.scan_one(text))
    try:
        return _built(matcher_classic.scan_one(text))
    except MatcherError:
        return new


def parse_matchers(text: str, mode: MatcherMode = MatcherMode.FALLBACK) -> tuple[Matcher, ...]:
    """Read a list of matchers such as `{a="b",c=~"d|e"}`; the braces may be missing.

    The order of the text is kept (`sort_matchers` gives the canonical one). Raises MatcherError with
    Alertmanager's own text.
    """
    return read_matchers(text, mode).matchers


def read_matchers(text: str, mode: MatcherMode = MatcherMode.FALLBACK) -> ParsedMatchers:
    """Like `parse_matchers`, with a warning where the two grammars disagree about the text."""
    if mode is MatcherMode.CLASSIC:
        return ParsedMatchers(matchers=_classic(text))
    if mode is MatcherMode.UTF8:
        return ParsedMatchers(matchers=_utf8(text))
    try:
        new = _utf8(text)
    except MatcherError as error:
        old = _classic(text)
        advice = ",".join(map(str, old))
        return ParsedMatchers(
            matchers=old, warning=f"put names and values in double quotes, such as {advice} ({error})"
        )
    try:
        old = _classic(text)
    except MatcherError:
        return ParsedMatchers(matchers=new)
    if old == new:
        return ParsedMatchers(matchers=new)
    return ParsedMatchers(
        matchers=old,
        warning=f"{text} reads differently in the two grammars of matchers, and was read as "
        f"{format_matchers(old)}: put names and values in double quotes",
    )


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every matcher is fulfilled; no matchers match everything."""
    return all(matcher.matches(labels) for matcher in matchers)


def sort_matchers(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """In Alertmanager's canonical order: by name, then value, then operator."""
    return tuple(sorted(matchers, key=lambda each: (each.name, each.value, _ORDER[each.op])))


def format_matchers(matchers: Iterable[Matcher]) -> str:
    """`{a="b",c=~"d|e"}` in the order given; sort first where the text is a key."""
    return "{" + ",".join(map(str, matchers)) + "}"


def _anchored(value: str) -> str:
    return f"^(?:{value})$"


def _built(parts: tuple[str, str, str]) -> Matcher:
    name, op, value = parts
    return Matcher(name=name, op=MatcherOp(op), value=value)


def _classic(text: str) -> tuple[Matcher, ...]:
    return tuple(_built(matcher_classic.scan_one(part)) for part in matcher_classic.split(text))


def _utf8(text: str) -> tuple[Matcher, ...]:
    return tuple(map(_built, matcher_utf8.scan_all(text)))


def _one_utf8(text: str) -> Matcher:
    found = _utf8(text)
    if not found:
        raise MatcherError("no matchers")
    if len(found) > 1:
        raise MatcherError(f"expected 1 matcher, found {len(found)}")
    return found[0]
