"""What the demo's unit tests share: a world on a timeline that is moved by hand, and what it wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from watcher.demo.clock import Timeline
from watcher.demo.controllers import Workload
from watcher.demo.faults import Fault
from watcher.demo.kubelet import Stats
from watcher.demo.lifecycle import PodRun
from watcher.demo.logs import Logs
from watcher.demo.model import Cluster
from watcher.demo.player import Player
from watcher.demo.scenario import parse_scenario
from watcher.demo.world import World

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class Stage:
    """A cluster without a server."""

    def __init__(self, scenario: str = "") -> None:
        self.timeline = Timeline(START)
        self.cluster = Cluster(self.timeline)
        self.logs = Logs(self.cluster)
        self.stats = Stats(self.cluster)
        self.world = World(self.cluster, self.logs, self.stats, lambda node: 10250)
        self.faults: list[Fault] = []
        self.player: Player | None = None
        if scenario:
            self.play(scenario)

    def play(self, text: str) -> None:
        scenario = parse_scenario(f"scenario: test\n{text}")
        self.timeline.restart(START - scenario.history)
        self.player = Player(self.world, scenario, self.faults.append)
        self.player.begin()
        self.timeline.advance(scenario.history)

    def run(self, seconds: float) -> None:
        self.timeline.advance(timedelta(seconds=seconds))

    def workload(self, title: str) -> Workload:
        return self.world.workloads[title]

    def pod(self, title: str, index: int = 0) -> PodRun:
        return self.workload(title).all_live()[index]

    def history(self, name: str, kind: str = "Pod") -> list[tuple[str, dict[str, Any]]]:
        """(event, object) of everything written about objects whose name begins so, in order."""
        changes = self.cluster.store(kind).changes
        return [(c.event, c.stored.copy()) for c in changes if c.stored.key[1].startswith(name)]

    def frames(self, name: str) -> list[str]:
        """The statuses written of a pod's first app container, in words: `Running 1 waiting:CrashLoopBackOff`."""
        return [in_words(event, pod) for event, pod in self.history(name)]

    def events(self, reason: str) -> list[dict[str, Any]]:
        return [event for event in self.cluster.list("Event") if event["reason"] == reason]


def in_words(event: str, pod: dict[str, Any]) -> str:
    """One frame of a pod: event, phase, then of the first container restarts, state, lastState, ready."""
    status = pod["status"]
    words = [event, status["phase"]]
    if "deletionTimestamp" in pod["metadata"]:
        words.append("deleting")
    for container in (status.get("containerStatuses") or [])[:1]:
        words.append(str(container["restartCount"]))
        words.append(state_in_words(container["state"]))
        if container.get("lastState"):
            words.append(f"last:{state_in_words(container['lastState'])}")
        if container["ready"]:
            words.append("ready")
    return " ".join(words)


def state_in_words(state: dict[str, Any]) -> str:
    if "running" in state:
        return "running"
    if "waiting" in state:
        return str(state["waiting"]["reason"])
    return f"{state['terminated'].get('reason', '')}({state['terminated']['exitCode']})"


def condition(pod: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in pod["status"]["conditions"] if entry["type"] == kind)
    return found
