"""The paragraphs that every alert has, whatever its signal, in the order of messages.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from watcher.lib.rollouts import rollout_words
from watcher.model.message import Block, Heading, Log, Text
from watcher.model.signals import ImagePullFailing, PodNotReady, PodPending
from watcher.model.state import Alert, Member
from watcher.notify.render_case import Case
from watcher.notify.render_ends import end_title, ended
from watcher.notify.render_links import links
from watcher.notify.render_signals import has_words, words_of
from watcher.notify.render_text import (
    DESCRIPTION_LIMIT,
    TITLE_LIMIT,
    Part,
    capital,
    clock,
    clock_and_zone,
    listed,
    many,
    name,
    paragraph,
    plain,
    quoted_lines,
    said,
)
from watcher.notify.render_watcher import kinds_in_words

MEMBERS: Final = 5
EVENTS: Final = 3
EXPLAINED: Final = 5
SILENT: Final = 3
SHORT_DESCRIPTION: Final = 200
"""Of a rule's own text where it was told before."""
HINT_LIMIT: Final = 160

_BACK_OFF: Final = "back-off"
_OF_IMAGES: Final = ("failed: failed to pull image", "failed: error: errimagepull", "failed: error: imagepullbackoff")
"""The kubelet's events beside a pull that failed."""
"""The kubelet's events that only repeat what the sentence says."""


def heading(case: Case) -> Heading:
    return Heading(case.mark, title(case), place(case))


def title(case: Case) -> str:
    if not case.firing:
        return end_title(case)
    own = said(case.alert.annotations.get("summary", ""), TITLE_LIMIT)
    text = own or words_of(case.alert.lead).title(case, case.alert.lead)
    return text + (f", now on {_concerned(case)}" if case.grew else "")


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
    return tuple(_firing(case) if case.firing else ended(case))


def again(case: Case) -> Iterator[Block]:
    """What stands under the heading of an alert that was told in full before: no evidence, and no log, twice.

    Where it has more pods than were told: what it was, what it is, and whom it concerns.
    """
    lead = case.alert.lead
    if words_of(lead).sentence(case, lead):
        yield from _happened(case)
    else:
        yield from _text([said(case.alert.annotations.get("description", ""), SHORT_DESCRIPTION)])
    yield from _unseen(case)
    yield from _text([where(case)])
    if case.grew:
        yield from _text([members(case)])
        yield from _next(case)
    yield from links(case)


def _firing(case: Case) -> Iterator[Block]:
    lead = case.alert.lead
    yield from _happened(case)
    yield from _unseen(case)
    yield from _rollout(case)
    yield from words_of(lead).evidence(case, lead)
    yield from _text([said(case.alert.annotations.get("description", ""), DESCRIPTION_LIMIT)])
    for problem in case.alert.problems:
        yield paragraph([f"A text of its rule could not be made: {said(problem)}"])
    yield from _events(case)
    yield from _text([where(case)])
    yield from _text([members(case)])
    yield from _log(case)
    yield from _explained(case)
    yield from _next(case)
    yield from _hints(case)
    yield from links(case)


def _happened(case: Case) -> Iterator[Text]:
    """In one paragraph: what it was, what happened, how many pods."""
    lead = case.alert.lead
    words = words_of(lead)
    sentence = words.sentence(case, lead)
    yield from _text([*_growth(case), *sentence, *_pods(words.pods(case), bool(sentence))])


def _next(case: Case) -> Iterator[Text]:
    lead = case.alert.lead
    step = words_of(lead).next_step(case, case.worst if type(case.worst) is type(lead) else lead)
    if step:
        yield paragraph(["Next: ", *step])


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
    alert = case.alert
    parts = [
        *words_of(alert.lead).what(case, alert.lead),
        f"namespace {namespace(alert)}" if namespace(alert) else "",
        f"cluster {cluster(alert)}" if cluster(alert) else "",
        f"since {clock_and_zone(alert.since, case.at)}",
        said(alert.labels.get("severity", ""), 30),
    ]
    return " · ".join(part for part in parts if part)


def members(case: Case) -> str:
    """`abcde (4×, node n7), fghij (2×, n3) and 7 more`; empty where the line above has said it."""
    named = words_of(case.alert.lead).named(case, case.alert.lead)
    if named or not case.pods or case.kind == "Pod":
        return named
    counted = len(case.members) > 1 and words_of(case.alert.lead).counted
    exits = len({getattr(member.signal, "exit_code", None) for member in case.members}) > 1
    shown, noun = [], "node "
    for member, pod in zip(case.members, _pod_names(case), strict=False):
        details = [*_details(member, counted, exits), *_not_seen(case, member)]
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


def _not_seen(case: Case, member: Member) -> list[str]:
    """Where others of the alert are seen; of all together `_unseen` says it once."""
    if member.unseen_since is None or case.alert.unseen_since is not None:
        return []
    return [f"not seen since {clock(member.unseen_since, case.at)}"]


def _unseen(case: Case) -> Iterator[Text]:
    """`Not seen since 02:11 (node n7 is not heard of): whether it goes on is not known.`"""
    since = case.alert.unseen_since
    if since is None:
        return
    nodes, kinds = case.facts.silent_nodes, [kinds_in_words(kind) for kind in case.facts.stale_kinds]
    why = []
    if nodes:
        one = len(nodes) == 1
        shown = listed([name(node) for node in nodes], SILENT)
        why.append(f"{'node' if one else 'nodes'} {shown} {'is' if one else 'are'} not heard of")
    if kinds:
        why.append(f"Watcher does not hear of {' and '.join(kinds)}")
    because = f" ({'; '.join(why)})" if why else ""
    yield paragraph([f"Not seen since {clock(since, case.at)}{because}: whether it goes on is not known."])


def _rollout(case: Case) -> Iterator[Text]:
    """`First crash 40 s after Deployment api revision 17: image 1.2.3 → 1.2.4.`"""
    evidence = case.alert.evidence
    if evidence is not None and evidence.rollout is not None:
        first = capital(words_of(case.alert.lead).first)
        yield paragraph([f"{first} {said(rollout_words(evidence.rollout))}."])


def _hints(case: Case) -> Iterator[Text]:
    hints = [said(hint, HINT_LIMIT) for hint in case.alert.hints]
    if hints:
        yield paragraph([f"By annotation: {'; '.join(hints)}."])


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
    for event in [event for event in events if event and not _is_known(event, case)][:EVENTS]:
        yield paragraph([f"Kubernetes says: {event}"])


def _is_known(event: str, case: Case) -> bool:
    """It says no more than the sentence above: the pause, or why the image is not there."""
    low = event.lower()
    if _BACK_OFF in low:
        return True
    signal = case.alert.lead
    return isinstance(signal, ImagePullFailing) and signal.cause != "unknown" and low.startswith(_OF_IMAGES)


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
    if effects and words_of(case.alert.lead).speaks_for_pods:
        yield paragraph([_held_back(effects)])
        return
    for effect in effects[:EXPLAINED]:
        yield paragraph([f"{_subject(case.alert, effect)} {words_of(effect.lead).effect}; that is an effect of this."])
    if len(effects) > EXPLAINED:
        yield paragraph([f"{len(effects) - EXPLAINED:,} more alerts are effects of this."])


def _held_back(effects: tuple[Alert, ...]) -> str:
    """`12 alerts of its pods are held back: not ready 10 (api, cart, …), crash loop: web`"""
    kinds: dict[str, set[str]] = defaultdict(set)
    for effect in effects:
        kind = words_of(effect.lead).kind if has_words(effect.lead) else name(effect.key.alertname)
        kinds[kind].add(name(effect.key.workload or effect.key.claim or effect.key.alertname))
    ordered = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    named = [f"{kind}: {listed(sorted(names), EXPLAINED)}" for kind, names in ordered]
    verb = "is" if len(effects) == 1 else "are"
    return f"{many(len(effects), 'alert')} of its pods {verb} held back: {'; '.join(named)}"


def _subject(cause: Alert, effect: Alert) -> str:
    """Whose the effect is, seen from the cause."""
    key, own = effect.key, cause.key
    if (key.namespace, key.workload_kind, key.workload) != (own.namespace, own.workload_kind, own.workload):
        return " ".join(part for part in (name(key.workload_kind), name(key.workload or key.alertname)) if part)
    if key.container and key.container == own.container:
        return "The same container"
    if isinstance(effect.lead, PodPending | PodNotReady):
        return "A pod of the same workload"
    return f"Container {name(key.container)}" if key.container else "The same workload"
