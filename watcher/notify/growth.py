"""Growth: when more members are worth a message of their own."""

from __future__ import annotations

STEPS = (3, 10, 50)
"""Told once each; more often would be noise, less often would hide an outage behind one pod."""


def concerns_all(members: int, pods: int) -> bool:
    """Every pod of the workload, from two on."""
    return members >= 2 and members >= pods > 0


def grew(told: int, told_all: bool, members: int, pods: int) -> bool:
    """Whether `members` (of `pods`) is news to somebody who was told of `told`."""
    if any(told < step <= members for step in STEPS):
        return True
    return members > told and concerns_all(members, pods) and not told_all
