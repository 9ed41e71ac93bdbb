"""Watcher's own troubles: a stream of which it hears nothing, a channel that takes nothing, a wrong configuration."""

from __future__ import annotations

from typing import Final

from watcher.lib.durations import in_words
from watcher.model.message import Text
from watcher.model.signals import ConfigRefused, DeliveryFailing, StreamStale
from watcher.notify.render_case import Case, Words, lasting
from watcher.notify.render_text import Part, argument, clock, code, listed, name, paragraph, said

REASONS: Final = 3
STREAMS: Final = 40

_KINDS: Final = {
    "Pod": ("pods", "pods"),
    "PersistentVolumeClaim": ("claims", "persistentvolumeclaims"),
    "Node": ("nodes", "nodes"),
    "Namespace": ("namespaces", "namespaces"),
    "Event": ("warning events", "events"),
}
"""In words, and as kubectl calls them."""


def kinds_in_words(kind: str) -> str:
    """`pods`"""
    return _KINDS[kind][0] if kind in _KINDS else name(kind) or "objects"


class StreamWords(Words[StreamStale]):
    """One alert for all streams: each is a member of it."""

    kind = "not seen by Watcher"
    effect = "is not seen by Watcher"
    over = "sees everything again"

    def called(self, case: Case, signal: StreamStale) -> str:
        return "Watcher"

    def what(self, case: Case, signal: StreamStale) -> list[str]:
        return []

    def title(self, case: Case, signal: StreamStale) -> str:
        kinds = list(dict.fromkeys(kinds_in_words(stream.kind) for stream in _streams(case, signal)))
        return f"Watcher is blind: it does not see {' and '.join(kinds)}"

    def sentence(self, case: Case, signal: StreamStale) -> list[Part]:
        streams = _streams(case, signal)
        what = _what(signal) if len(streams) == 1 else f"{len(streams):,} streams"
        after = "What happens there is not told, and what was told of it may be over."
        return [f"Nothing has been heard of {what}{lasting(case)}. {after}"]

    def evidence(self, case: Case, signal: StreamStale) -> list[Text]:
        reasons = dict.fromkeys(said(stream.reason) for stream in _streams(case, signal) if stream.reason)
        return [paragraph([f"Why: {reason}"]) for reason in list(reasons)[:REASONS]]

    def named(self, case: Case, signal: StreamStale) -> str:
        """Each stream with its time, where there are several."""
        streams = _streams(case, signal)
        if len(streams) == 1:
            return ""
        shown = [f"{_what(stream)} (since {clock(stream.since, case.at)})" for stream in streams]
        return listed(shown, STREAMS)

    def next_step(self, case: Case, signal: StreamStale) -> list[Part]:
        log = ", and see Watcher's own log"
        if signal.kind not in _KINDS:
            return [code("kubectl get --raw /readyz"), log]
        space = f" -n {argument(signal.namespace)}" if signal.namespace else " -A"
        space = "" if signal.kind in ("Node", "Namespace") else space
        return [code(f"kubectl get {_KINDS[signal.kind][1]}{space}"), log]

    def was(self, case: Case, signal: StreamStale) -> str:
        return f"It did not see {_what(signal)} for {in_words(case.lasted)}"


class ChannelWords(Words[DeliveryFailing]):
    """Told to every other integration."""

    kind = "cannot be delivered to"
    effect = "does not get its messages"
    over = "gets its messages again"

    def called(self, case: Case, signal: DeliveryFailing) -> str:
        return f"receiver {name(signal.receiver)}"

    def what(self, case: Case, signal: DeliveryFailing) -> list[str]:
        return []

    def title(self, case: Case, signal: DeliveryFailing) -> str:
        return f"Watcher cannot deliver to {name(signal.receiver)}"

    def sentence(self, case: Case, signal: DeliveryFailing) -> list[Part]:
        how = "was given up" if signal.dead else "has not been taken for more than 5 min"
        return ["A message to ", code(signal.integration), f" of this receiver {how}{lasting(case)}. "
                "What still fires is tried again; what is told there may come late."]  # fmt: skip

    def evidence(self, case: Case, signal: DeliveryFailing) -> list[Text]:
        return [paragraph([f"It says: {said(signal.reason)}"])] if signal.reason else []

    def next_step(self, case: Case, signal: DeliveryFailing) -> list[Part]:
        return [code("watcher deliveries --dead"), ", then ", code(f"watcher send-test {argument(signal.receiver)}")]

    def was(self, case: Case, signal: DeliveryFailing) -> str:
        return f"It got nothing for {in_words(case.lasted)}" if case.lasted else ""


class ConfigWords(Words[ConfigRefused]):
    """Who changed the file may not look whether it was taken."""

    kind = "refused its new configuration"
    effect = "goes on with its old configuration"
    over = "uses its configuration as it is"

    def called(self, case: Case, signal: ConfigRefused) -> str:
        return "Watcher"

    def what(self, case: Case, signal: ConfigRefused) -> list[str]:
        return []

    def title(self, case: Case, signal: ConfigRefused) -> str:
        return "Watcher refused its new configuration"

    def sentence(self, case: Case, signal: ConfigRefused) -> list[Part]:
        many = f"{signal.errors:,} errors" if signal.errors != 1 else "an error"
        return [f"The configuration was changed and has {many}. The one before it stays in force{lasting(case)}."]

    def evidence(self, case: Case, signal: ConfigRefused) -> list[Text]:
        return [paragraph([f"It says: {said(signal.reason)}"])] if signal.reason else []

    def next_step(self, case: Case, signal: ConfigRefused) -> list[Part]:
        return [code("watcher check"), " in Watcher's pod shows every error"]

    def was(self, case: Case, signal: ConfigRefused) -> str:
        return f"It used the configuration before it for {in_words(case.lasted)}" if case.lasted else ""


def _streams(case: Case, signal: StreamStale) -> list[StreamStale]:
    """Those not heard of, the one stale longest first."""
    found = [member.signal for member in case.members if isinstance(member.signal, StreamStale)] or [signal]
    return sorted(found, key=lambda stream: (stream.since, stream.kind, stream.namespace))


def _what(signal: StreamStale) -> str:
    kinds = kinds_in_words(signal.kind)
    return f"{kinds} in namespace {name(signal.namespace)}" if signal.namespace else kinds
