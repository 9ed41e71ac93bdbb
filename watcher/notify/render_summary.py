"""The summary of the first start: what was broken before Watcher first looked, counted; critical ones by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from watcher.model.message import Heading, Mark, Message
from watcher.notify.render_case import Case
from watcher.notify.render_parts import namespace
from watcher.notify.render_signals import has_words, words_of
from watcher.notify.render_text import capital, listed, many, name, paragraph

BY_NAME: Final = 2
"""So few of one kind are named instead of counted."""
NAMES: Final = 10
NAMESPACES: Final = 5


def summary_message(cases: Sequence[Case], cluster: str) -> Message:
    """`cases` in the order of `render_group.by_weight`."""
    where = f" on {name(cluster)}" if cluster else ""
    title = f"Watcher has started{where} and found {many(len(cases), 'thing')} already broken"
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(_kind(case), []).append(case)
    counted = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = [" · ".join(_counted(kind, of_kind) for kind, of_kind in counted)]
    lines.extend(_critical(cases))
    lines.append("From now on each change is told by itself.")
    return Message(heading=Heading(Mark.WARNING, title), blocks=tuple(paragraph([line]) for line in lines))


def _kind(case: Case) -> str:
    lead = case.alert.lead
    return words_of(lead).kind if has_words(lead) else name(case.alert.key.alertname)


def _counted(kind: str, cases: Sequence[Case]) -> str:
    """`crash loop 14 (shop 9, tools 5)`, `image cannot be pulled: tools/worker`"""
    if len(cases) <= BY_NAME:
        return f"{kind}: {', '.join(_named(case) for case in cases)}"
    spaces = Counter(namespace(case.alert) for case in cases)
    ordered = sorted(spaces.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{space} {count:,}" for space, count in ordered if space]
    return f"{kind} {len(cases):,}" + (f" ({listed(named, NAMESPACES)})" if named else "")


def _critical(cases: Sequence[Case]) -> Iterator[str]:
    critical = [case for case in cases if case.mark is Mark.CRITICAL]
    if critical:
        yield capital(f"critical: {listed([_named(case) for case in critical], NAMES)}")


def _named(case: Case) -> str:
    space = namespace(case.alert)
    return f"{space}/{case.name}" if space else case.name
