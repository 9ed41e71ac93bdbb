"""How a container ended, in words."""

from __future__ import annotations

from typing import Final

from watcher.lib.exitcodes import read_exit
from watcher.model.signals import LastExit, PodFailed
from watcher.notify.render_text import said

NOT_STARTED: Final = frozenset({"StartError", "ContainerCannotRun"})
"""The runtime could not start the process: containerd's and cri-o's word, and Docker's."""

LOST: Final = "ContainerStatusUnknown"
"""The kubelet's word for a container that it found gone; its exit code 137 is made up."""


def code_in_words(signal: LastExit | PodFailed) -> str:
    """`1 (application error)`, `137 (killed)`"""
    if signal.exit_code is None:
        return ""
    words = read_exit(signal.exit_code, signal.reason) if signal.exit_code else "no error"
    return f"{signal.exit_code} ({words.partition(' (')[0]})"


def exits_with(signal: LastExit | PodFailed, past: bool = False) -> str:
    """A predicate for the container: `exits with 1 (application error)`."""
    if signal.reason in NOT_STARTED:
        cannot = "could not" if past else "cannot"
        exit_code = "" if signal.exit_code is None else f", exit code {signal.exit_code}"
        return f"{cannot} be started ({said(signal.reason, 60)}{exit_code})"
    if signal.reason == LOST:
        return "was lost, how it ended is not known"
    if signal.exit_code is None:
        return "died" if past else "dies"
    return f"{'exited' if past else 'exits'} with {code_in_words(signal)}"
