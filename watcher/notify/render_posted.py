"""Alerts that others posted: their own texts, since nothing more is known of them."""

from __future__ import annotations

from typing import Final

from watcher.model.message import Text
from watcher.model.signals import Posted
from watcher.notify.render_case import Case, Words, lasting
from watcher.notify.render_text import Part, name, paragraph, said

_SUMMARIES: Final = ("summary", "message")
_OTHERS: Final = frozenset({"alertname", "severity", "cluster", "namespace"})
LABELS: Final = 8


class PostedWords(Words[Posted]):
    kind = "posted alert"
    effect = "fires"
    over = "is over"

    def called(self, case: Case, signal: Posted) -> str:
        return name(case.alert.labels.get("alertname", "")) or "an alert"

    def what(self, case: Case, signal: Posted) -> list[str]:
        return []

    def title(self, case: Case, signal: Posted) -> str:
        return self.called(case, signal)

    def sentence(self, case: Case, signal: Posted) -> list[Part]:
        text = next((case.alert.annotations[key] for key in _SUMMARIES if case.alert.annotations.get(key)), "")
        return [said(text) if text else f"It fires{lasting(case)}."]

    def evidence(self, case: Case, signal: Posted) -> list[Text]:
        description = case.alert.annotations.get("description", "")
        others = [f"{name(key)} {name(value)}" for key, value in case.alert.labels.items() if key not in _OTHERS]
        found = [paragraph([said(description)])] if description else []
        return [*found, paragraph([" · ".join(others[:LABELS])])] if others else found

    def next_step(self, case: Case, signal: Posted) -> list[Part]:
        return []

    def was(self, case: Case, signal: Posted) -> str:
        return ""
