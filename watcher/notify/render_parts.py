"""The paragraphs that every alert has, whatever its signal, in the order of messages.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from watcher.model.message import Block, Heading, Link, Links, Log, Text
from watcher.model.state import Alert, EndReason, Member
from watcher.notify.render_case import Case
from watcher.notify.render_signals import words_of
from watcher.notify.render_text import (
    DESCRIPTION_LIMIT,
    TITLE_LIMIT,
    Part,
    capital,
    clock,
    clock_utc,
    many,
    name,
    paragraph,
    plain,
    quoted_lines,
    said,
)

MEMBERS: Final = 5
EVENTS: Final = 3
EXPLAINED: Final = 5

_URL: Final = re.compile(r"https?://[^\s<>\"'`|]+")
_BACK_OFF: Final = "back-off"
"""The kubelet's events that only repeat what the sentence says."""

_CLOSED: Final = {
    EndReason.IDLE: "idle: no running pod uses it",
    EndReason.UNKNOWN: "not seen for a long time",
    EndReason.OUT_OF_SCOPE: "out of scope",
    EndReason.RULE_REMOVED: "its rule was removed",
    EndReason.MOVED: "moved to another receiver",
    EndReason.EXPIRED: "expired: it is no longer reported",
}
_AFTERWORDS: Final = {
    EndReason.UNKNOWN: "Whether it goes on is not known.",
    EndReason.OUT_OF_SCOPE: "Watcher no longer watches it.",
}
_DELETED: Final = {"Pod": "the pod was deleted", "PersistentVolumeClaim": "the claim was deleted"}


def heading(case: Case) -> Heading:
    return Heading(case.mark, title(case), place(case))


def title(case: Case) -> str:
    if not case.firing:
        return _end_title(case)
    own = said(case.alert.annotations.get("summary", ""), TITLE_LIMIT)
    text = own or words_of(case.alert.lead).title(case, case.alert.lead)
    return text + (f", now on {_concerned(case)}" if case.grew else "")


def _end_title(case: Case) -> str:
    reason = case.alert.end_reason
    if reason is EndReason.RECOVERED:
        over = words_of(case.alert.lead).over if case.grouped else "has recovered"
        return f"{case.name} {over}"
    if reason is EndReason.DELETED:
        gone = "the node was deleted" if case.alert.key.node else "its pods were deleted"
        return f"{case.name}: closed, {_DELETED.get(case.kind, gone)}"
    return f"{case.name}: closed" + (f", {_CLOSED[reason]}" if reason in _CLOSED else "")


def _concerned(case: Case) -> str:
    count, total = len(case.pods) or len(case.members), case.facts.pods_total
    return many(count, "pod") if total < count else f"{count:,} of {many(total, 'pod')}"


def place(case: Case) -> str:
    """`shop, prod-eu`"""
    return ", ".join(part for part in (namespace(case.alert), cluster(case.alert)) if part)


def namespace(alert: Alert) -> str:
    return name(alert.key.namespace or alert.labels.get("namespace", ""))


def cluster(alert: Alert) -> str:
    return name(alert.key.cluster or alert.labels.get("cluster", ""))


def body(case: Case) -> tuple[Block, ...]:
    """All that stands under the heading."""
    return tuple(_firing(case) if case.firing else _ended(case))


def _firing(case: Case) -> Iterator[Block]:
    lead = case.alert.lead
    words = words_of(lead)
    sentence = words.sentence(case, lead)
    yield from _text([*_growth(case), *sentence, *_pods(words.pods(case), bool(sentence))])
    yield from words.evidence(case, lead)
    yield from _text([said(case.alert.annotations.get("description", ""), DESCRIPTION_LIMIT)])
    for problem in case.alert.problems:
        yield paragraph([f"A text of its rule could not be made: {said(problem)}"])
    yield from _events(case)
    yield from _text([where(case)])
    yield from _text([members(case)])
    yield from _log(case)
    yield from _explained(case)
    step = words.next_step(case, case.worst if type(case.worst) is type(lead) else lead)
    if step:
        yield paragraph(["Next: ", *step])
    yield from _links(case)


def _ended(case: Case) -> Iterator[Block]:
    was = words_of(case.alert.lead).was(case, case.alert.lead)
    total, ready = case.facts.pods_total, case.facts.pods_ready
    now = ""
    if case.alert.end_reason is EndReason.RECOVERED and total and ready:
        now = f"all {total:,} pods are ready" if ready >= total else f"{ready:,} of {total:,} pods are ready"
        now = "its pod is ready" if total == 1 else now
    sentence = "; ".join(part for part in (was, now) if part)
    after = _AFTERWORDS.get(case.alert.end_reason or EndReason.RECOVERED, "")
    yield from _text([" ".join(part for part in (capital(sentence) + "." if sentence else "", after) if part)])


def _text(parts: list[Part]) -> Iterator[Text]:
    if plain(parts):
        yield paragraph(parts)


def _growth(case: Case) -> list[Part]:
    if not case.grew or case.facts.told_at is None:
        return []
    return [f"Was {many(case.facts.told_members or 0, 'pod')} at {clock(case.facts.told_at, case.at)}. "]


def _pods(phrase: str, follows: bool) -> list[Part]:
    return [f"{' ' if follows else ''}{capital(phrase)}."] if phrase else []


def where(case: Case) -> str:
    """`Deployment api · namespace shop · cluster prod-eu · since 13:42 UTC · warning`"""
    alert, node = case.alert, ""
    if case.kind == "Pod" and case.worst.node:
        node = f"node {name(case.worst.node)}"
    parts = [
        f"{case.kind} {case.name}" if case.kind else "",
        node,
        f"namespace {namespace(alert)}" if namespace(alert) else "",
        f"cluster {cluster(alert)}" if cluster(alert) else "",
        f"since {clock_utc(alert.since, case.at)}",
        said(alert.labels.get("severity", ""), 30),
    ]
    return " · ".join(part for part in parts if part)


def members(case: Case) -> str:
    """`abcde (4×, node n7), fghij (2×, n3) and 7 more`; empty where the line above has said it."""
    if not case.pods or case.kind == "Pod":
        return ""
    counted = len(case.members) > 1 and words_of(case.alert.lead).counted
    exits = len({getattr(member.signal, "exit_code", None) for member in case.members}) > 1
    shown, noun = [], "node "
    for member, pod in zip(case.members, _pod_names(case), strict=False):
        details = _details(member, counted, exits)
        if member.signal.node:
            details.append(noun + name(member.signal.node))
            noun = ""
        shown.append(pod + (f" ({', '.join(details)})" if details else ""))
    left = len(case.members) - len(shown)
    return ", ".join(shown) + (f" and {left:,} more" if left else "")


def _details(member: Member, counted: bool, exits: bool) -> list[str]:
    exit_code = getattr(member.signal, "exit_code", None)
    return [
        *([f"{member.count:,}×"] if counted else []),
        *([f"exit {exit_code}"] if exits and exit_code is not None else []),
        *(["being deleted"] if member.leaving else []),
    ]


def _pod_names(case: Case) -> list[str]:
    """A Deployment's pods by their last part when the title has the first, unless two would be called the same."""
    full = [name(member.signal.pod) for member in case.members[:MEMBERS]]
    if case.kind != "Deployment" or case.name not in title(case):
        return full
    last = [pod.rpartition("-")[2] for pod in full]
    return last if len(set(last)) == len(set(full)) else full


def _events(case: Case) -> Iterator[Text]:
    evidence = case.alert.evidence
    events = list(dict.fromkeys(said(event) for event in (evidence.events if evidence else ())))
    for event in [event for event in events if event and _BACK_OFF not in event.lower()][:EVENTS]:
        yield paragraph([f"Kubernetes says: {event}"])


def _log(case: Case) -> Iterator[Block]:
    evidence = case.alert.evidence
    lines = quoted_lines(evidence.log) if evidence is not None and evidence.log else []
    while lines and not lines[-1]:
        lines.pop()
    if lines:
        shown = lines[-case.log_lines :]
        yield Log(tuple(shown), len(lines) - len(shown))
    missing = said(evidence.missing) if evidence is not None else ""
    if missing:
        yield paragraph([capital(missing) + "."])
    elif evidence is None and case.facts.log_expected:
        yield paragraph(["The logs are not read yet."])


def _explained(case: Case) -> Iterator[Text]:
    effects = case.facts.explains
    for effect in effects[:EXPLAINED]:
        yield paragraph([f"{_subject(case.alert, effect)} {words_of(effect.lead).effect}; that is an effect of this."])
    if len(effects) > EXPLAINED:
        yield paragraph([f"{len(effects) - EXPLAINED:,} more alerts are effects of this."])


def _subject(cause: Alert, effect: Alert) -> str:
    """Whose the effect is, seen from the cause."""
    key, own = effect.key, cause.key
    if (key.namespace, key.workload_kind, key.workload) != (own.namespace, own.workload_kind, own.workload):
        return " ".join(part for part in (name(key.workload_kind), name(key.workload or key.alertname)) if part)
    if key.container and key.container == own.container:
        return "The same container"
    return f"Container {name(key.container)}" if key.container else "The same workload"


def _links(case: Case) -> Iterator[Links]:
    url = said(case.alert.annotations.get("runbook_url", ""), 2000)
    if _URL.fullmatch(url):
        yield Links((Link("Runbook", url),))
