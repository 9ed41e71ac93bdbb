"""Volumes that fill up: a claim's filesystem, or the disk of a node that its local-path claims share."""

from __future__ import annotations

import math
from typing import Final

from watcher.lib.quantity import format_bytes
from watcher.model.message import Text
from watcher.model.signals import VolumeUsage
from watcher.model.state import EndReason
from watcher.notify.render_case import Case, Words
from watcher.notify.render_text import Part, argument, clock, code, listed, many, name, paragraph, span

USED_BY: Final = 3
CLAIMS: Final = 40
"""So many claims of a disk are named; more would be longer than a channel takes."""

_SOON: Final = 24 * 3600.0
"""What is full within a day says so in the title (as VolumeWillFill)."""
_FORESEEN: Final = 7 * 24 * 3600.0
_HOUR: Final = 3600.0
_STALE: Final = 600.0
_TELLING: Final = 80.0
"""Percent of inodes from which they are worth a word beside the bytes."""
_RESERVED: Final = 0.01
_NEARLY: Final = 0.9
_GI: Final = 1024**3
_MI: Final = 1024**2


class VolumeWords(Words[VolumeUsage]):
    kind = "volume filling up"
    effect = "is filling up"
    over = "has room again"

    def called(self, case: Case, signal: VolumeUsage) -> str:
        return case.name if signal.claim else f"disk of node {case.name}"

    def what(self, case: Case, signal: VolumeUsage) -> list[str]:
        storage = f"storage class {name(signal.storage_class)}" if signal.storage_class else ""
        return [f"{case.kind} {case.name}" if case.kind else "", storage]

    def title(self, case: Case, signal: VolumeUsage) -> str:
        whose = self.called(case, signal)
        if _of_inodes(case, signal):
            return f"{whose} has {percent(signal.inodes_used_percent or 0)} of its inodes in use"
        soon = signal.full_in_seconds is not None and 0 < signal.full_in_seconds <= _SOON
        full = f", full in about {about(signal.full_in_seconds or 0)}" if soon else ""
        return f"{whose} is {percent(signal.used_percent)} full{full}"

    def sentence(self, case: Case, signal: VolumeUsage) -> list[Part]:
        first, second = _bytes(signal), _trend(signal)
        if _of_inodes(case, signal):
            first, second = _inodes(signal), _bytes(signal)
        return [f"{first}{f'; {second}' if second else ''}.{_used_by(signal)}"]

    def evidence(self, case: Case, signal: VolumeUsage) -> list[Text]:
        lines = []
        if not _of_inodes(case, signal) and (signal.inodes_used_percent or 0) >= _TELLING:
            lines.append(f"{_inodes(signal)} ({percent(signal.inodes_used_percent or 0)}).")
        if (case.at - signal.sampled_at).total_seconds() > _STALE:
            lines.append(f"Measured last at {clock(signal.sampled_at, case.at)}.")
        return [paragraph([line]) for line in lines]

    def named(self, case: Case, signal: VolumeUsage) -> str:
        if signal.claim or not signal.claims:
            return ""
        claims = listed([name(claim, 130) for claim in signal.claims], CLAIMS)
        return f"{many(len(signal.claims), 'local volume')} on it: {claims}"

    def next_step(self, case: Case, signal: VolumeUsage) -> list[Part]:
        if not signal.claim:
            return [code(f"kubectl describe node {argument(signal.node)}"), ", free its disk or move claims elsewhere"]
        where, claim = f"kubectl -n {argument(signal.namespace)}", argument(signal.claim)
        if _of_inodes(case, signal):
            if not signal.pods:
                return [code(f"{where} describe pvc {claim}"), ", and delete files that nobody needs"]
            return [code(f"{where} exec {argument(signal.pods[0])} -- df -i"), ", and delete files that nobody needs"]
        patch = f'{{"spec":{{"resources":{{"requests":{{"storage":"{_larger(signal.capacity_bytes)}"}}}}}}}}'
        return [code(f"{where} patch pvc {claim} -p '{patch}'"), " if its storage class can grow it, else free space"]

    def was(self, case: Case, signal: VolumeUsage) -> str:
        now = "It is now" if case.alert.end_reason is EndReason.RECOVERED else "It was last seen"
        if _of_inodes(case, signal):
            return f"{now} at {percent(signal.inodes_used_percent or 0)} of its inodes"
        return f"{now} {percent(signal.used_percent)} full ({format_bytes(signal.available_bytes)} left)"


def percent(value: float) -> str:
    """`96 %`; 100 only of what is full to the last byte."""
    return f"{100 if value >= 100 else min(round(value), 99)} %"


def about(seconds: float) -> str:
    """A span that is a guess: `9 h`, `1 h 40 min`, `3 d`, no finer than it is known."""
    step = 60.0 if seconds < _HOUR / 2 else 600.0 if seconds < 2 * _HOUR else _HOUR if seconds < 2 * _SOON else _SOON
    return span(max(round(seconds / step), 1) * step)


def _of_inodes(case: Case, signal: VolumeUsage) -> bool:
    """Whether the alert is about inodes: by its name, as the rule is not at hand."""
    return signal.inodes_used_percent is not None and "inode" in case.alert.key.alertname.lower()


def _bytes(signal: VolumeUsage) -> str:
    """`192 Gi of 200 Gi used, 8 Gi left`; what only root may write (72) is told apart."""
    written = signal.capacity_bytes - signal.available_bytes
    used = written if signal.used_bytes is None else min(signal.used_bytes, written)
    kept = written - used
    reserved = f", {format_bytes(kept)} reserved" if kept > _RESERVED * signal.capacity_bytes else ""
    used = used if reserved else written
    return f"{_part(used, signal.capacity_bytes)} used{reserved}, {format_bytes(signal.available_bytes)} left"


def _part(used: int, size: int) -> str:
    """`19.6 Gi of 20 Gi`: of what is nearly full a whole number would hide how little is left."""
    steps = (10,) if used < _NEARLY * size else (100, 1000)
    for tenths_below in steps:
        texts = (format_bytes(used, tenths_below), format_bytes(size, tenths_below))
        if texts[0] != texts[1]:
            break
    return " of ".join(texts)


def _inodes(signal: VolumeUsage) -> str:
    if signal.inodes is None or signal.inodes_free is None:
        return f"{percent(signal.inodes_used_percent or 0)} of its inodes used"
    return f"{signal.inodes - signal.inodes_free:,} of {signal.inodes:,} inodes used, {signal.inodes_free:,} left"


def _trend(signal: VolumeUsage) -> str:
    """`full in about 9 h by the trend of 4 h, 1 Gi/h`"""
    full, rate = signal.full_in_seconds, signal.bytes_per_hour
    if full is None or full > _FORESEEN or rate is None or rate <= 0 or signal.trend_seconds <= 0:
        return ""
    trend = f"by the trend of {span(signal.trend_seconds)}, {format_bytes(rate)}/h"
    return f"full in about {about(full)} {trend}" if full > 0 else f"full {trend}"


def _used_by(signal: VolumeUsage) -> str:
    return f" Used by {listed([name(pod) for pod in signal.pods], USED_BY)}." if signal.pods and signal.claim else ""


def _larger(capacity: int) -> str:
    """Half as much again, in a round number as Kubernetes writes it: `300Gi` for 200 Gi."""
    wanted = capacity * 1.5
    if wanted < _GI:
        return f"{math.ceil(wanted / _MI / 100) * 100}Mi"
    step = 10 if wanted > 10 * _GI else 1
    return f"{math.ceil(wanted / _GI / step) * step}Gi"
