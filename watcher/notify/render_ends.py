"""How an alert ended: recovered (the only good end), or closed, with the reason in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from watcher.lib.durations import in_words
from watcher.model.message import Span, Text
from watcher.model.state import EndReason
from watcher.notify.render_case import Case
from watcher.notify.render_signals import has_words, words_of
from watcher.notify.render_text import Part, capital, clock, clock_and_zone, listed, name, paragraph

_CLOSED: Final = {
    EndReason.IDLE: "idle: no pod mounts it any more",
    EndReason.OUT_OF_SCOPE: "out of scope",
    EndReason.RULE_REMOVED: "its rule was removed",
    EndReason.MOVED: "moved to another receiver",
    EndReason.EXPIRED: "expired: it is no longer reported",
}
_AFTERWORDS: Final = {
    EndReason.UNKNOWN: "Closed as unknown, not recovered: whether it goes on is not known.",
    EndReason.OUT_OF_SCOPE: "Watcher no longer watches it.",
}
_DELETED: Final = {"Pod": "the pod was deleted", "PersistentVolumeClaim": "the claim was deleted"}
_PAST: Final = {"is": "was", "has": "had", "cannot": "could not"}
UNHEARD: Final = "You are told late because this receiver could not be reached."
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_NODES: Final = 3


def end_title(case: Case) -> str:
    lead, reason = case.alert.lead, case.alert.end_reason
    words = words_of(lead)
    called = words.called(case, lead)
    if case.facts.unheard:
        return f"{called} {_had_been(case)} for {in_words(case.lasted)} and {_is_over(case)}"
    if reason is EndReason.RECOVERED:
        return f"{called} {words.over if case.grouped else 'has recovered'}"
    return f"{called}: {closed_words(case)}"


def closed_words(case: Case) -> str:
    """`closed, its pods were deleted`: the words of every end that is no recovery."""
    reason = case.alert.end_reason
    if reason is EndReason.DELETED:
        gone = "the node was deleted" if case.alert.key.node else "its pods were deleted"
        return f"closed, {_DELETED.get(case.kind, gone)}"
    if reason is EndReason.UNKNOWN:
        return f"closed, not seen for {_unseen_for(case)}"
    return "closed" + (f", {_CLOSED[reason]}" if reason in _CLOSED else "")


def end_line(case: Case) -> list[Part]:
    """`api is no longer OOM-killed. It was OOM-killed 9 times over 1 h 12 min`: with its length in any case."""
    words = _sentences(case)
    lasted = in_words(case.lasted)
    after = f" (after {lasted})" if lasted not in words else ""
    return [Span(end_title(case) + after, bold=True), f". {words}" if words else "."]


def unheard_line(case: Case) -> list[Part]:
    """`api was in a crash loop from 13:42 to 14:10 UTC (28 min) and has recovered`, without its full stop."""
    lead, ends = case.alert.lead, case.alert.ends_at or case.at
    called = words_of(lead).called(case, lead)
    head = Span(f"{called} {_had_been(case)}", bold=True)
    return [head, f" {_from_to(case, ends)} ({in_words(case.lasted)}) and {_is_over(case)}"]


def _from_to(case: Case, ends: datetime) -> str:
    return f"from {clock(case.alert.since, case.at)} to {clock_and_zone(ends, case.at)}"


def _had_been(case: Case) -> str:
    """`was in a crash loop`, `could not get its image`"""
    if not has_words(case.alert.lead):
        return f"had {name(case.alert.key.alertname)}"
    first, _, rest = words_of(case.alert.lead).effect.partition(" ")
    return f"{_PAST.get(first, first)} {rest}".rstrip()


def _is_over(case: Case) -> str:
    return "has recovered" if case.alert.end_reason is EndReason.RECOVERED else f"was {closed_words(case)}"


def ended(case: Case) -> Iterator[Text]:
    """All that stands under the heading."""
    if case.facts.unheard:
        moments = capital(_from_to(case, case.alert.ends_at or case.at))
        yield paragraph([f"{moments}. {UNHEARD}"])
    elif words := _sentences(case):
        yield paragraph([words])


def _sentences(case: Case) -> str:
    reason = case.alert.end_reason
    parts = [capital(sentence) + "." for sentence in (_was_and_is(case), _silent(case)) if sentence]
    if reason in _AFTERWORDS:
        parts.append(_AFTERWORDS[reason])
    return " ".join(parts)


def _was_and_is(case: Case) -> str:
    """`it was OOM-killed 9 times over 1 h 12 min; all 12 pods are ready`"""
    was = words_of(case.alert.lead).was(case, case.alert.lead)
    total, ready = case.facts.pods_total, case.facts.pods_ready
    now = ""
    if case.alert.end_reason is EndReason.RECOVERED and total and ready:
        now = f"all {total:,} pods are ready" if ready >= total else f"{ready:,} of {total:,} pods are ready"
        now = "its pod is ready" if total == 1 else now
    return "; ".join(part for part in (was, now) if part)


def _silent(case: Case) -> str:
    """Of what was not seen: since when, and the nodes that are the reason."""
    since, nodes = case.alert.unseen_since, case.facts.silent_nodes
    if case.alert.end_reason is not EndReason.UNKNOWN or since is None:
        return ""
    moment = clock(since, case.at)
    if not nodes:
        return f"nothing was heard of it since {moment}"
    verb = "node" if len(nodes) == 1 else "nodes"
    has = "has" if len(nodes) == 1 else "have"
    return f"its {verb} {listed([name(node) for node in nodes], _NODES)} {has} not reported since {moment}"


def _unseen_for(case: Case) -> str:
    """`24 h`, as `unknown_after` is written; longer spans in days."""
    since = case.alert.unseen_since
    if since is None:
        return "a long time"
    span = max((case.alert.ends_at or case.at) - since, timedelta())
    return f"{span // _HOUR} h" if _DAY <= span < 2 * _DAY else in_words(span)
