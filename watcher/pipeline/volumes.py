"""Volumes: what kubelets measured becomes a trend, and is judged."""

from __future__ import annotations

from watcher.model.observations import StatsSampled
from watcher.pipeline.core import Step


def sampled(step: Step, one: StatsSampled) -> None: ...


def wake(step: Step, key: tuple[str, str, str]) -> None: ...
