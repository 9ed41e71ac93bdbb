"""What receivers heard, held against what was due, and counted.

A repeat is a message (or an end, in another message) that is heard again. It is explained by a kill that came before
the answer could be recorded, or by the receiver that cut its own answer or was too late with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from benchmarks.moody import Heard, Receiver

RECORDED_WITHIN = 2.0
"""Seconds after an answer in which a kill may come before its record, on a slow machine."""


class Outcome(msgspec.Struct, kw_only=True):
    kills: int
    receivers: int
    due: int
    """For each receiver and each alert: that it fires, and that it ended."""
    lost: int
    gave_way: int
    """Of a workload's alert that a later one of the same workload took the place of, before the receiver was back."""
    messages: int
    """Heard, of alerts; those about receivers that do not deliver are `troubles`."""
    troubles: int
    refused: int
    repeated: int
    """Messages heard again because of a kill."""
    most_repeats: int
    """Of one message, because of one kill."""
    own_fault: int
    """Messages heard again because the receiver cut its own answer, or let Watcher wait for too long."""
    unexplained: int
    """Messages heard twice without either."""
    told_again: int
    """Ends heard in two different messages, without either."""
    out_of_order: int
    owed: int
    """Messages and told alerts that are left in the store at the end."""
    seconds: float
    missing: list[str]
    """Whose news was lost, and at which receiver."""

    @property
    def good(self) -> bool:
        wrong = (self.lost, self.unexplained, self.told_again, self.out_of_order, self.owed)
        in_flight = self.kills * self.receivers
        return not any(wrong) and self.most_repeats <= 1 and self.repeated <= in_flight and self.messages > 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.due} pieces of news due at {self.receivers} receivers: {self.lost} lost, "
            f"{self.gave_way} gave way to later ones of the same workload; "
            f"{self.messages} messages heard, {self.refused} refused; "
            f"{self.repeated} repeated by kills (at most {self.most_repeats} of a message and a kill), "
            f"{self.own_fault} by receivers that cut their answer, {self.unexplained} otherwise; "
            f"{self.told_again} ends told again; {self.out_of_order} out of order; {self.owed} owed at the end; "
            f"{self.troubles} messages about receivers; {self.seconds:.0f} s"
            + "".join(f"\nlost: {one}" for one in self.missing)
        )


class Book:
    """What one receiver heard, judged."""

    def __init__(self, receiver: Receiver, kills: Sequence[tuple[float, float]]) -> None:
        """`kills`: when each began and was over; of a `kill -9` both are one."""
        self.by_kill: Counter[tuple[str, float]] = Counter()
        """(message, kill) -> how often it was heard again."""
        self.own_fault = self.unexplained = self.told_again = self.out_of_order = 0
        self._kills = kills
        self._said: dict[str, list[tuple[datetime, bool]]] = {}
        self._before: dict[str, Heard] = {}
        self._ends: dict[tuple[str, datetime], Heard] = {}
        self.name = receiver.name
        for heard in receiver.heard:
            self._take(heard)

    def fate(self, workload: str, began: datetime, ended: bool) -> str:
        said = self._said.get(workload, ())
        if any(one == began and (over or not ended) for one, over in said):
            return "heard"
        return "gave way" if any(one > began for one, _ in said) else "lost"

    def _take(self, heard: Heard) -> None:
        before = self._before.get(heard.key)
        if before is not None:
            self.unexplained += not self._explained(before)
        told = {
            earlier.key: earlier
            for piece in heard.pieces
            if piece.ended
            and (earlier := self._ends.get((piece.alert, piece.began))) is not None
            and earlier.key != heard.key
        }
        self.told_again += sum(not self._explained(earlier) for earlier in told.values())
        self._before[heard.key] = heard
        for piece in heard.pieces:
            said = self._said.setdefault(piece.alert, [])
            self.out_of_order += bool(said) and said[-1] > (piece.began, piece.ended)
            said.append((piece.began, piece.ended))
            if piece.ended:
                self._ends[piece.alert, piece.began] = heard

    def _explained(self, heard: Heard) -> bool:
        """Whether Watcher may send again what was taken: it was killed, or not answered, before it could record it."""
        if heard.own_trouble or heard.answered is None:
            self.own_fault += 1
            return True
        until = heard.answered + RECORDED_WITHIN
        kill = next((begin for begin, end in self._kills if heard.at <= end and begin <= until), None)
        if kill is not None:
            self.by_kill[heard.key, kill] += 1
        return kill is not None
