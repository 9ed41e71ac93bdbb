"""What watches one cluster: a stream for each scope, the sampler of volumes, and the look at whether they are heard.

Shared by `run` and `record`. Pods, claims and events are watched in each of `watch.namespaces`, or in the whole
cluster; nodes and namespaces have no namespace: where the access is only of namespaces, they are refused (403) and
done without.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

from watcher.app.access import missing
from watcher.engine.health import HealthLoop
from watcher.engine.vitals import words
from watcher.model.config import WatchConfig
from watcher.model.observations import Scope
from watcher.ports import Clock, Intake
from watcher.settings.records import Settings
from watcher.source.client import KubeClient
from watcher.source.kube import ListWatch
from watcher.source.kubelet import KubeletSampler
from watcher.source.streams import StreamSettings

NAMESPACED = ("Pod", "PersistentVolumeClaim", "Event")
CLUSTER_WIDE = ("Node", "Namespace")


def scopes(watch: WatchConfig) -> tuple[Scope, ...]:
    """Everything that is watched."""
    namespaces = watch.namespaces or ("",)
    inside = tuple(Scope(kind=kind, namespace=name) for kind in NAMESPACED for name in namespaces)
    return (*inside, *(Scope(kind=kind) for kind in CLUSTER_WIDE))


class Watching:
    """The sources of one cluster, not running yet."""

    def __init__(self, client: KubeClient, settings: Settings, intake: Intake, clock: Clock) -> None:
        """ConnectError where the CA of the kubelets cannot be used."""
        self._client = client
        self._intake = intake
        self._clock = clock
        self._stream = StreamSettings(exclude_namespaces=settings.watch.exclude_namespaces)
        self.sampler: KubeletSampler | None = None
        if settings.volumes.source != "none":
            self.sampler = KubeletSampler(client, (settings.volumes, settings.watch), intake, clock)
        self.streams = [self._list_watch(scope) for scope in scopes(settings.watch)]
        self.stats = [stream.stats for stream in self.streams]
        self.health = HealthLoop(self.stats, intake, clock)

    def _list_watch(self, scope: Scope) -> ListWatch:
        tap = self.sampler.node_seen if self.sampler is not None and scope.kind == "Node" else None
        return ListWatch(self._client, scope, self._intake, self._clock, self._stream, tap=tap)

    def loops(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """(name, loop) of all that has to run."""
        for stream in self.streams:
            yield f"watch {stream.stats.scope.kind}", stream.run()
        yield "health", self.health.run()
        if self.sampler is not None:
            yield "volumes", self.sampler.run()

    def unlisted(self) -> list[Scope]:
        """What still has to be listed; until then nothing is judged."""
        return [stats.scope for stats in self.stats if not (stats.synced or stats.forbidden)]

    def silent(self) -> list[str]:
        """What is not heard, in words; what was never allowed does not count."""
        blind = self.health.blind
        waiting = [f"{words(scope)} have not been listed yet" for scope in self.unlisted() if scope not in blind]
        return [*self._blind(), *waiting]

    def degraded(self) -> list[str]:
        """What is not seen though Watcher is ready."""
        refused = [sentence for scope, sentence in missing(self.stats) if scope not in self.health.blind]
        unsampled = list(self.sampler.stats.trouble.values()) if self.sampler is not None else []
        return [*refused, *self._blind(), *unsampled]

    def _blind(self) -> list[str]:
        return [f"{words(scope)}: {reason}" for scope, reason in sorted(self.health.blind.items())]
