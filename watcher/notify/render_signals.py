"""The table: which words tell which signal."""

from __future__ import annotations

from typing import Any, Final

from watcher.model.signals import (
    ClaimLost,
    ClaimPending,
    ClaimUnmounted,
    ConfigRefused,
    ContainerNotStarting,
    ContainerTerminated,
    CrashLooping,
    DeliveryFailing,
    ImagePullFailing,
    NodeNotReady,
    NodePressure,
    OOMKilled,
    PodFailed,
    PodNotReady,
    PodPending,
    Posted,
    Signal,
    StreamStale,
    VolumeUsage,
    WorkloadDown,
)
from watcher.notify.render_case import Words
from watcher.notify.render_claim import ClaimLostWords, ClaimPendingWords, ClaimUnmountedWords
from watcher.notify.render_container import CrashLoopWords, TerminatedWords
from watcher.notify.render_down import DownWords
from watcher.notify.render_image import ImageWords
from watcher.notify.render_memory import OomWords
from watcher.notify.render_node import NodeNotReadyWords, NodePressureWords
from watcher.notify.render_pending import NotReadyWords, PendingWords
from watcher.notify.render_pod import PodFailedWords
from watcher.notify.render_posted import PostedWords
from watcher.notify.render_start import NotStartingWords
from watcher.notify.render_volume import VolumeWords
from watcher.notify.render_watcher import ChannelWords, ConfigWords, StreamWords

_OTHER: Final[Words[Any]] = Words()
_WORDS: Final[dict[type[Signal], Words[Any]]] = {
    CrashLooping: CrashLoopWords(),
    ContainerTerminated: TerminatedWords(),
    OOMKilled: OomWords(),
    ImagePullFailing: ImageWords(),
    ContainerNotStarting: NotStartingWords(),
    PodPending: PendingWords(),
    PodNotReady: NotReadyWords(),
    PodFailed: PodFailedWords(),
    WorkloadDown: DownWords(),
    VolumeUsage: VolumeWords(),
    ClaimPending: ClaimPendingWords(),
    ClaimLost: ClaimLostWords(),
    ClaimUnmounted: ClaimUnmountedWords(),
    NodeNotReady: NodeNotReadyWords(),
    NodePressure: NodePressureWords(),
    StreamStale: StreamWords(),
    Posted: PostedWords(),
    DeliveryFailing: ChannelWords(),
    ConfigRefused: ConfigWords(),
}


def has_words(signal: Signal) -> bool:
    """Whether it is told by more than its rule's name."""
    return type(signal) in _WORDS


def words_of(signal: Signal) -> Words[Any]:
    return _WORDS.get(type(signal), _OTHER)
