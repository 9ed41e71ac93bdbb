"""The table: which words tell which signal."""

from __future__ import annotations

from typing import Any, Final

from watcher.model.signals import (
    ContainerTerminated,
    CrashLooping,
    ImagePullFailing,
    OOMKilled,
    PodFailed,
    Signal,
)
from watcher.notify.render_case import Words
from watcher.notify.render_container import CrashLoopWords, TerminatedWords
from watcher.notify.render_image import ImageWords
from watcher.notify.render_memory import OomWords
from watcher.notify.render_pod import PodFailedWords

_OTHER: Final[Words[Any]] = Words()
_WORDS: Final[dict[type[Signal], Words[Any]]] = {
    CrashLooping: CrashLoopWords(),
    ContainerTerminated: TerminatedWords(),
    OOMKilled: OomWords(),
    ImagePullFailing: ImageWords(),
    PodFailed: PodFailedWords(),
}


def words_of(signal: Signal) -> Words[Any]:
    return _WORDS.get(type(signal), _OTHER)
