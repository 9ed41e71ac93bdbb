"""Claims that are not bound, have lost their volume, or are mounted by nobody."""

from __future__ import annotations

from typing import Final

from watcher.lib.durations import in_words
from watcher.model.message import Span, Text
from watcher.model.signals import ClaimLost, ClaimPending, ClaimSignal
from watcher.notify.render_case import Case, Words, lasting
from watcher.notify.render_text import Part, argument, code, listed, name, paragraph, said

WAITING: Final = 3

_TITLES: Final = {
    "provisioning_failed": "no volume can be provisioned",
    "no_volume": "no volume fits it",
    "provisioner_silent": "its provisioner does nothing",
}
_SENTENCES: Final = {
    "provisioning_failed": "the provisioner failed to make a volume",
    "no_volume": "no volume fits it, and no storage class makes one",
    "provisioner_silent": "its provisioner has neither made a volume nor said why not",
}
_ADVICE: Final = {
    "provisioning_failed": ", and correct what the provisioner says",
    "no_volume": ", and name a storage class or make a volume",
    "provisioner_silent": ", and see whether the provisioner of its storage class runs",
}


class ClaimWords(Words[ClaimSignal]):
    """What the words of all claims share."""

    def what(self, case: Case, signal: ClaimSignal) -> list[str]:
        storage = f"storage class {name(signal.storage_class)}" if signal.storage_class else ""
        return [f"PersistentVolumeClaim {case.name}", storage]


class ClaimPendingWords(ClaimWords):
    kind = "claim pending"
    effect = "is not bound"
    over = "is bound"

    def title(self, case: Case, signal: ClaimSignal) -> str:
        why = _TITLES.get(_cause(signal), "")
        return f"{case.name} is not bound" + (f": {why}" if why else "")

    def sentence(self, case: Case, signal: ClaimSignal) -> list[Part]:
        why = _SENTENCES.get(_cause(signal), "")
        return [f"The claim has been pending{lasting(case)}" + (f": {why}." if why else ".") + _waiting(signal)]

    def evidence(self, case: Case, signal: ClaimSignal) -> list[Text]:
        if not isinstance(signal, ClaimPending):
            return []
        words = said(": ".join(part for part in (signal.reason, signal.message) if part))
        speaker = "provisioner" if signal.cause == "provisioning_failed" else "Kubernetes"
        return [paragraph([f"{speaker} says: {words}"])] if words else []

    def next_step(self, case: Case, signal: ClaimSignal) -> list[Part]:
        return [_describe(signal), _ADVICE.get(_cause(signal), "")]

    def was(self, case: Case, signal: ClaimSignal) -> str:
        return f"It was not bound for {in_words(case.lasted)}"


class ClaimLostWords(ClaimWords):
    kind = "claim lost"
    effect = "has lost its volume"
    over = "has its volume again"

    def title(self, case: Case, signal: ClaimSignal) -> str:
        return f"{case.name} has lost its volume"

    def sentence(self, case: Case, signal: ClaimSignal) -> list[Part]:
        volume = name(signal.volume) if isinstance(signal, ClaimLost) else ""
        which: list[Part] = ["Its volume ", code(volume)] if volume else ["Its volume"]
        return [*which, f" is gone, and the claim finds no other by itself.{_used_by(signal)}"]

    def next_step(self, case: Case, signal: ClaimSignal) -> list[Part]:
        return [_describe(signal), ", then make the claim anew and restore its data from a backup"]

    def was(self, case: Case, signal: ClaimSignal) -> str:
        return f"Its volume was gone for {in_words(case.lasted)}"


class ClaimUnmountedWords(ClaimWords):
    kind = "claim not mounted"
    effect = "is not mounted"
    over = "is mounted"

    def title(self, case: Case, signal: ClaimSignal) -> str:
        return f"{case.name} is declared and not mounted"

    def sentence(self, case: Case, signal: ClaimSignal) -> list[Part]:
        pods = listed([name(pod) for pod in signal.pods], WAITING)
        who = f"Declared by {pods}" if pods else "A running pod declares it"
        return [f"{who}, and mounted by no container{lasting(case)}."]

    def next_step(self, case: Case, signal: ClaimSignal) -> list[Part]:
        return ["add the missing volumeMount, or drop the volume from the pod"]

    def was(self, case: Case, signal: ClaimSignal) -> str:
        return f"No container mounted it for {in_words(case.lasted)}"


def _cause(signal: ClaimSignal) -> str:
    return signal.cause if isinstance(signal, ClaimPending) else ""


def _waiting(signal: ClaimSignal) -> str:
    if not signal.pods:
        return ""
    verb = "waits" if len(signal.pods) == 1 else "wait"
    return f" {listed([name(pod) for pod in signal.pods], WAITING)} {verb} for it."


def _used_by(signal: ClaimSignal) -> str:
    return f" Used by {listed([name(pod) for pod in signal.pods], WAITING)}." if signal.pods else ""


def _describe(signal: ClaimSignal) -> Span:
    return code(f"kubectl -n {argument(signal.namespace)} describe pvc {argument(signal.claim)}")
