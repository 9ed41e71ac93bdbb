"""What containers print, kept by container instance, and read as the kubelet serves it.

Which instance a request means, and the refusals, follow kubelet_pods.go (validateContainerLogStatus): the pod's status
names the container id; logs are kept by that id. So `previous` shows what the pod's lastState shows, and nothing when
the status has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from watcher.demo.clock import parse_time
from watcher.demo.lists import number
from watcher.demo.model import Cluster
from watcher.demo.resources import JsonObject
from watcher.demo.status import bad_request, not_found

_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_PULL = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}
Line = tuple[datetime, str]


class Logs:
    """The logs of one cluster's containers."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lines: dict[str, list[Line]] = {}

    def write(self, container_id: str, lines: Iterable[str], at: datetime | None = None) -> None:
        """Add lines, all at one time (default: now), to a container instance."""
        when = at or self._cluster.timeline.now()
        self._lines.setdefault(container_id, []).extend((when, line) for line in lines)

    def drop(self, container_id: str) -> None:
        """Forget an instance, as the kubelet's garbage collection does."""
        self._lines.pop(container_id, None)

    def read(self, namespace: str, name: str, query: Mapping[str, str]) -> bytes:
        """The log of one instance; ApiError 400 or 404 in the kubelet's words."""
        pod = self._cluster.store("Pod").objects.get((namespace, name))
        if pod is None:
            raise not_found(self._cluster.store("Pod").resource, name)
        container = _container(pod.item, query.get("container", ""))
        if not pod.item["spec"].get("nodeName"):
            return b""
        wanted = _instance(pod.item, container, previous=query.get("previous", "") in ("1", "true"))
        return _select(self._lines.get(wanted, []), query, self._cluster.timeline.now())


def _names(pod: JsonObject, field: str) -> list[str]:
    return [container["name"] for container in pod["spec"].get(field) or ()]


def _container(pod: JsonObject, asked: str) -> str:
    name = pod["metadata"]["name"]
    apps, inits = _names(pod, "containers"), _names(pod, "initContainers")
    if not asked:
        if len(apps) == 1 and not inits:
            return apps[0]
        choice = f"a container name must be specified for pod {name}, choose one of: [{' '.join(apps)}]"
        if inits:
            choice += f" or one of the init containers: [{' '.join(inits)}]"
        raise bad_request(choice)
    if asked not in (*apps, *inits, *_names(pod, "ephemeralContainers")):
        raise bad_request(f"container {asked} is not valid for pod {name}")
    return asked


def _instance(pod: JsonObject, container: str, *, previous: bool) -> str:
    """The id of the container instance whose log is meant."""
    where = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
    status = _status(pod, container)
    state = status.get("state") or {}
    last = ((status.get("lastState") or {}).get("terminated") or {}).get("containerID", "")
    if previous:
        if not last:
            raise bad_request(f"previous terminated {where} not found")
        return str(last)
    if state.get("running"):
        return str(status.get("containerID", ""))
    if state.get("terminated"):
        found = state["terminated"].get("containerID") or last
        if not found:
            raise bad_request(f"{where} is terminated")
        return str(found)
    if last:
        return str(last)
    reason = (state.get("waiting") or {}).get("reason", "")
    if not reason:
        raise bad_request(f"{where} is waiting to start - no logs yet")
    raise bad_request(f"{where} is waiting to start: {_PULL.get(reason, reason)}")


def _status(pod: JsonObject, container: str) -> JsonObject:
    for field in _STATUSES:
        for status in pod.get("status", {}).get(field) or ():
            if status["name"] == container:
                found: JsonObject = status
                return found
    return {}


def _select(lines: list[Line], query: Mapping[str, str], now: datetime) -> bytes:
    if since := number(query.get("sinceSeconds", ""), "sinceSeconds"):
        lines = [line for line in lines if line[0] >= now - timedelta(seconds=since)]
    if since_time := query.get("sinceTime", ""):
        lines = [line for line in lines if line[0] >= parse_time(since_time)]
    if "tailLines" in query:
        tail = number(query["tailLines"], "tailLines")
        lines = lines[-tail:] if tail else []
    stamped = query.get("timestamps", "") in ("1", "true")
    text = "".join(f"{_stamp(at)} {line}\n" if stamped else f"{line}\n" for at, line in lines).encode()
    limit = number(query.get("limitBytes", ""), "limitBytes")
    return text[:limit] if limit else text


def _stamp(at: datetime) -> str:
    """As container runtimes write it: nanoseconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
