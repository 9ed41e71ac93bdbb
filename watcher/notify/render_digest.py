"""A digest: so many alerts at once that one message counts them by kind and namespace, and names every one.

Its ends and its repeats come in a digest too: how many have recovered, the other ends with their reasons, what is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from watcher.lib.durations import in_words
from watcher.model.identity import Workload
from watcher.model.message import Block, Heading, Message, Span, Text
from watcher.model.state import EndReason
from watcher.notify.render_case import Case
from watcher.notify.render_ends import UNHEARD
from watcher.notify.render_group import group_mark
from watcher.notify.render_tally import critical, ends, kinds, kinds_on_one_line
from watcher.notify.render_text import capital, clock_and_zone, code, many, name, paragraph

ENOUGH: Final = 5
"""Workloads below which what they have in common is no sign of one cause."""
SHARE: Final = 0.8
_MINUTE: Final = timedelta(minutes=1)


def digest_message(cases: Sequence[Case], cluster: str) -> Message:
    """`cases` in the order of `render_group.by_weight`."""
    firing = [case for case in cases if case.firing]
    fresh = [case for case in firing if case.facts.told_members is None]
    told = [case for case in firing if case.facts.told_members is not None]
    ended = [case for case in cases if not case.firing and not case.facts.unheard]
    missed = [case for case in cases if not case.firing and case.facts.unheard]
    first = Heading(group_mark(cases), _title(fresh, told, ended, missed), name(cluster))
    return Message(heading=first, blocks=tuple(_blocks(fresh, told, ended, missed)))


def _title(fresh: Sequence[Case], told: Sequence[Case], ended: Sequence[Case], missed: Sequence[Case]) -> str:
    parts = []
    if fresh:
        noun = _noun(fresh)
        parts.append(
            f"{many(len(fresh), f'more {noun}')} {'broke' if noun == 'workload' else 'began'} {_within(fresh)}"
        )
    if ended:
        parts.append(_ended(told, ended))
    if missed and not parts:
        parts.append(f"{many(len(missed), 'alert')} began and ended while this receiver could not be reached")
    if told and not parts:
        parts.append(f"Still: {many(len(told), _noun(told))} {'is' if len(told) == 1 else 'are'} in trouble")
    return "; ".join(parts)


def _ended(told: Sequence[Case], ended: Sequence[Case]) -> str:
    """`29 of 37 workloads have recovered, 2 were closed`"""
    good = sum(case.alert.end_reason is EndReason.RECOVERED for case in ended)
    closed, noun = len(ended) - good, _noun([*told, *ended])
    total = many(len(told) + len(ended), noun)
    parts = []
    if good:
        of = f"{good:,} of {total}" if told or closed else total
        parts.append(f"{of} {'has' if good == 1 else 'have'} recovered")
    if closed:
        of = f"{closed:,}" if good else f"{closed:,} of {total}" if told else total
        parts.append(f"{of} {'was' if closed == 1 else 'were'} closed")
    return ", ".join(parts)


def _noun(cases: Sequence[Case]) -> str:
    """`workload` where each is another one; else they are counted as alerts."""
    workloads = {case.alert.workload for case in cases if _is_workload(case)}
    return "workload" if len(workloads) == len(cases) else "alert"


def _is_workload(case: Case) -> bool:
    key = case.alert.key
    return bool(key.workload) and not (key.claim or key.node)


def _within(cases: Sequence[Case]) -> str:
    """By when they began to fire: one that was in trouble for long before does not belong to the storm's length."""
    began = [case.alert.starts_at for case in cases]
    span = max(began) - min(began)
    return "within a minute" if span <= _MINUTE else f"within {in_words(span)}"


def _blocks(
    fresh: Sequence[Case], told: Sequence[Case], ended: Sequence[Case], missed: Sequence[Case]
) -> Iterator[Block]:
    yield from critical([*fresh, *told])
    yield from kinds(fresh)
    yield from _one_cause(fresh)
    yield from ends(ended)
    if missed:
        began = f"{many(len(missed), 'alert')} began and ended unheard. " if fresh or told or ended else ""
        yield paragraph([began + UNHEARD])
        yield from ends(missed)
    if told:
        since = clock_and_zone(min(case.alert.since for case in told), told[0].at)
        yield paragraph([Span("Still", bold=True), f": {kinds_on_one_line(told)}. The first began at {since}."])


# ---- one cause ---------------------------------------------------------------------------------------------------


def _one_cause(cases: Sequence[Case]) -> Iterator[Text]:
    """What nearly all have in common. An image is a likely cause; a node is a fact: a cluster may have only one."""
    workloads: dict[Workload, list[Case]] = {}
    for case in cases:
        if _is_workload(case):
            workloads.setdefault(case.alert.workload, []).append(case)
    if len(workloads) < ENOUGH:
        return
    images = {workload: _images(of_it) for workload, of_it in workloads.items()}
    repositories = {workload: frozenset(map(_repository, refs)) for workload, refs in images.items()}
    if (common := _common(images, len(cases))) is not None:
        yield paragraph([f"Probably one cause: {common[0]} run image ", code(name(common[1], 120)), "."])
    elif (common := _common(repositories, len(cases))) is not None:
        yield paragraph([f"Probably one cause: {common[0]} run a version of image ", code(name(common[1], 120)), "."])
    nodes = {workload: _nodes(of_it) for workload, of_it in workloads.items()}
    if (common := _common(nodes, len(cases))) is not None:
        yield paragraph([capital(f"{common[0]} run on node {name(common[1])}.")])


def _common(found: Mapping[Workload, frozenset[str]], total: int) -> tuple[str, str] | None:
    """(`35 of them`, what they have in common), or None."""
    counts = Counter(value for values in found.values() for value in values if value)
    if not counts:
        return None
    value, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
    if count < SHARE * len(found) or count < SHARE * total:
        return None
    return ("all of them" if count == total else f"{count:,} of them"), value


def _images(cases: Sequence[Case]) -> frozenset[str]:
    signals = [signal for case in cases for signal in (case.alert.lead, *(member.signal for member in case.members))]
    return frozenset(getattr(signal, "image", "") for signal in signals)


def _repository(image: str) -> str:
    """Without digest and tag; a port before a slash is no tag."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    return head + slash + last.partition(":")[0]


def _nodes(cases: Sequence[Case]) -> frozenset[str]:
    """The node on which all of it is in trouble; none where there are several."""
    nodes = {member.signal.node for case in cases for member in case.members}
    return frozenset(nodes) if len(nodes) == 1 else frozenset()
