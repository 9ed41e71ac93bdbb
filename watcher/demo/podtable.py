"""A pod as `kubectl get pods` prints it.

Rewritten from what kubernetes/pkg/printers/internalversion/printers.go (printPod, v1.35) prints, because kubectl shows
the STATUS that the server computes: waiting and terminated reasons, `Init:0/1`, Terminating, Completed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.demo.clock import parse_time
from watcher.demo.resources import JsonObject

_TERMINAL = ("Failed", "Succeeded")


def human_duration(span: timedelta) -> str:
    """As apimachinery's duration.HumanDuration: two units at most."""
    seconds = int(span.total_seconds())
    minutes, hours = seconds // 60, seconds // 3600
    if seconds < -1:
        return "<invalid>"
    if seconds < 120:
        return f"{max(seconds, 0)}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(hours // 24, "d", hours % 24, "h")
    days = hours // 24
    return f"{days}d" if days < 730 else _two(days // 365, "y", days % 365 if days < 2920 else 0, "d")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}" + (f"{small}{small_unit}" if small else "")


def age(timestamp: str | None, now: datetime) -> str:
    return human_duration(now - parse_time(timestamp)) if timestamp else "<unknown>"


class _Restarts(msgspec.Struct):
    count: int = 0
    last: str = ""

    def add(self, status: JsonObject) -> None:
        self.count += int(status.get("restartCount") or 0)
        ended = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""
        self.last = max(self.last, ended)

    def text(self, now: datetime) -> str:
        return f"{self.count} ({age(self.last, now)} ago)" if self.count and self.last else str(self.count)


class _Printed(msgspec.Struct):
    reason: str
    ready: int = 0
    initializing: bool = False


def pod_cells(pod: JsonObject, now: datetime) -> list[object]:
    """Name, Ready, Status, Restarts, Age, IP, Node, Nominated Node, Readiness Gates."""
    spec, status = pod.get("spec", {}), pod.get("status", {})
    sidecars = [c for c in spec.get("initContainers") or () if _is_sidecar(c)]
    total = len(spec.get("containers") or ()) + len(sidecars)
    printed, restarts = _print(pod)
    return [
        pod["metadata"]["name"],
        f"{printed.ready}/{total}",
        printed.reason,
        restarts.text(now),
        age(pod["metadata"].get("creationTimestamp"), now),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        "<none>",
    ]


def _print(pod: JsonObject) -> tuple[_Printed, _Restarts]:
    status = pod.get("status", {})
    printed = _Printed(reason=status.get("reason") or status.get("phase") or "")
    if _condition(status, "PodScheduled").get("reason") == "SchedulingGated":
        printed.reason = "SchedulingGated"
    init, sidecars = _Restarts(), _Restarts()
    _print_init(pod, printed, init, sidecars)
    if not printed.initializing or _condition(status, "Initialized").get("status") == "True":
        init = sidecars
        _print_containers(status, printed, init)
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            printed.reason = "Unknown"
        elif status.get("phase") not in _TERMINAL:
            printed.reason = "Terminating"
    return printed, init


def _print_init(pod: JsonObject, printed: _Printed, init: _Restarts, sidecars: _Restarts) -> None:
    specs = {container["name"]: container for container in pod["spec"].get("initContainers") or ()}
    for index, status in enumerate(pod.get("status", {}).get("initContainerStatuses") or ()):
        sidecar = _is_sidecar(specs.get(status["name"], {}))
        init.add(status)
        if sidecar:
            sidecars.add(status)
        state = status.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated and not terminated.get("exitCode"):
            continue
        if sidecar and status.get("started"):
            printed.ready += bool(status.get("ready"))
            continue
        printed.initializing = True
        if terminated:
            printed.reason = "Init:" + _exit(terminated)
        elif waiting and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            printed.reason = "Init:" + waiting["reason"]
        else:
            printed.reason = f"Init:{index}/{len(specs)}"
        return


def _print_containers(status: JsonObject, printed: _Printed, restarts: _Restarts) -> None:
    running = False
    for container in reversed(status.get("containerStatuses") or ()):
        restarts.add(container)
        state = container.get("state") or {}
        waiting, terminated = state.get("waiting"), state.get("terminated")
        if waiting and waiting.get("reason"):
            printed.reason = waiting["reason"]
        elif terminated:
            printed.reason = _exit(terminated)
        elif container.get("ready") and state.get("running"):
            running = True
            printed.ready += 1
    if printed.reason == "Completed" and running:
        ready = _condition(status, "Ready").get("status") == "True"
        printed.reason = "Running" if ready else "NotReady"


def _exit(terminated: JsonObject) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _is_sidecar(container: JsonObject) -> bool:
    return container.get("restartPolicy") == "Always"


def _condition(status: JsonObject, kind: str) -> JsonObject:
    for condition in status.get("conditions") or ():
        if condition["type"] == kind:
            found: JsonObject = condition
            return found
    return {}
