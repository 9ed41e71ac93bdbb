"""Many alerts in few lines: counted by kind and namespace, and named.

Shared by the summary of the first start, digests, and the alerts of a large group that have no room of their own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from watcher.model.message import Mark, Span, Text
from watcher.model.state import EndReason
from watcher.notify.render_case import Case
from watcher.notify.render_ends import closed_words
from watcher.notify.render_parts import namespace
from watcher.notify.render_signals import has_words, words_of
from watcher.notify.render_text import Part, capital, name, paragraph

_NUMBER: Final = re.compile(r"([0-9]{1,18})")


def kind_of(case: Case) -> str:
    """`crash loop`; the alert's name where a rule of the user's own or somebody else's alert has no words."""
    lead = case.alert.lead
    return words_of(lead).kind if has_words(lead) else name(case.alert.key.alertname)


def by_kind(cases: Iterable[Case]) -> list[tuple[str, list[Case]]]:
    """The kind of which there are most first."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(kind_of(case), []).append(case)
    return sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))


def named(case: Case) -> str:
    """`shop/api`"""
    space = namespace(case.alert)
    return f"{space}/{case.name}" if space else case.name


def spread(cases: Sequence[Case]) -> str:
    """`31 in shop (api, cart, checkout), 4 in billing (…)`: every name, so that a search in the chat finds it."""
    spaces: dict[str, list[str]] = {}
    for case in cases:
        spaces.setdefault(namespace(case.alert), []).append(case.name)
    ordered = sorted(spaces.items(), key=lambda item: (-len(item[1]), item[0]))
    return ", ".join(
        f"{len(names):,} {f'in {space} ' if space else ''}({', '.join(_names(names))})" for space, names in ordered
    )


def kinds(cases: Sequence[Case], before: str = "") -> Iterator[Text]:
    """A line for each kind."""
    for kind, of_kind in by_kind(cases):
        yield paragraph([Span(capital(f"{before}{kind}"), bold=True), f": {spread(of_kind)}"])


def kinds_on_one_line(cases: Sequence[Case]) -> str:
    return "; ".join(f"{kind}: {spread(of_kind)}" for kind, of_kind in by_kind(cases))


def ends(cases: Sequence[Case]) -> Iterator[Text]:
    """A line for each reason, the recovered first; `🟢` and `⚪` tell the good end from the others."""
    reasons: dict[tuple[bool, str], list[Case]] = {}
    for case in cases:
        recovered = case.alert.end_reason is EndReason.RECOVERED
        reasons.setdefault((not recovered, "recovered" if recovered else closed_words(case)), []).append(case)
    for (closed, words), of_reason in sorted(reasons.items(), key=lambda item: item[0]):
        mark = Mark.CLOSED if closed else Mark.RECOVERED
        yield paragraph([f"{mark.symbol} ", Span(capital(words), bold=True), f": {spread(of_reason)}"])


def critical(cases: Sequence[Case]) -> Iterator[Text]:
    """The critical ones by name, with what is wrong with them."""
    found = [case for case in cases if case.mark is Mark.CRITICAL]
    if found:
        parts: list[Part] = [Span("Critical", bold=True), f": {', '.join(map(_with_kind, found))}"]
        yield paragraph(parts)


def _with_kind(case: Case) -> str:
    return f"{named(case)} ({kind_of(case)})"


def _names(names: Sequence[str]) -> list[str]:
    """In order, each once; `api (2×)` where two alerts are about it."""
    return [one if count == 1 else f"{one} ({count:,}×)" for one, count in sorted(Counter(names).items(), key=_natural)]


def _natural(item: tuple[str, int]) -> list[tuple[int, str]]:
    """`w2` before `w10`: as people count."""
    return [(int(piece) if at % 2 else 0, piece) for at, piece in enumerate(_NUMBER.split(item[0]))]
