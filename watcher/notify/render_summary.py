"""The summary of the first start: what was broken before Watcher first looked, counted; critical ones by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from watcher.model.message import Heading, Mark, Message
from watcher.notify.render_case import Case
from watcher.notify.render_parts import namespace
from watcher.notify.render_tally import by_kind, named
from watcher.notify.render_text import listed, many, name, paragraph

BY_NAME: Final = 2
"""So few of one kind are named instead of counted."""
NAMES: Final = 10
NAMESPACES: Final = 5


def summary_message(cases: Sequence[Case], cluster: str) -> Message:
    """`cases` in the order of `render_group.by_weight`."""
    where = f" on {name(cluster)}" if cluster else ""
    title = f"Watcher has started{where} and found {many(len(cases), 'thing')} already broken"
    lines = [" · ".join(_counted(kind, of_kind) for kind, of_kind in by_kind(cases))]
    lines.extend(_critical(cases))
    lines.append("From now on each change is told by itself.")
    return Message(heading=Heading(Mark.WARNING, title), blocks=tuple(paragraph([line]) for line in lines))


def _counted(kind: str, cases: Sequence[Case]) -> str:
    """`crash loop 14 (shop 9, tools 5)`, `image cannot be pulled: tools/worker`"""
    if len(cases) <= BY_NAME:
        return f"{kind}: {', '.join(named(case) for case in cases)}"
    spaces = Counter(namespace(case.alert) for case in cases)
    ordered = sorted(spaces.items(), key=lambda item: (-item[1], item[0]))
    counted = [f"{space} {count:,}" for space, count in ordered if space]
    return f"{kind} {len(cases):,}" + (f" ({listed(counted, NAMESPACES)})" if counted else "")


def _critical(cases: Sequence[Case]) -> Iterator[str]:
    found = [named(case) for case in cases if case.mark is Mark.CRITICAL]
    if found:
        yield f"Critical: {listed(found, NAMES)}"
