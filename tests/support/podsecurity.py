"""Pod Security's level `restricted`, as the admission plugin judges a pod.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from watcher.demo.resources import JsonObject

_VOLUMES: Final = frozenset(
    ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
)

_OF_CONTAINERS: Final[dict[str, Callable[[JsonObject], bool]]] = {
    "privileged": lambda one: bool(one.get("privileged")),
    "allowPrivilegeEscalation is not false": lambda one: one.get("allowPrivilegeEscalation") is not False,
    "runAsNonRoot is not true": lambda one: one.get("runAsNonRoot") is not True,
    "runAsUser is 0": lambda one: one.get("runAsUser") == 0,
    "not all capabilities are dropped": lambda one: "ALL" not in _capabilities(one, "drop"),
    "capabilities are added": lambda one: bool(set(_capabilities(one, "add")) - {"NET_BIND_SERVICE"}),
    "no seccomp profile": lambda one: _of(one, "seccompProfile").get("type") not in ("RuntimeDefault", "Localhost"),
    "procMount": lambda one: one.get("procMount", "Default") != "Default",
}
"""By what is wrong: the container's security context, laid over the pod's."""


def problems(pod: JsonObject) -> list[str]:
    """What the level does not allow of a pod's spec."""
    return [*_of_pod(pod), *(problem for container in _containers(pod) for problem in _of_container(container, pod))]


def _of_pod(pod: JsonObject) -> Iterator[str]:
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))
    for volume in pod.get("volumes") or ():
        if other := volume.keys() - _VOLUMES - {"name"}:
            yield f"volume of type {', '.join(sorted(other))}"
    if _of(pod, "securityContext").get("sysctls"):
        yield "sysctls"


def _of_container(container: JsonObject, pod: JsonObject) -> Iterator[str]:
    both = _of(pod, "securityContext") | _of(container, "securityContext")
    yield from (words for words, is_wrong in _OF_CONTAINERS.items() if is_wrong(both))
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield "hostPort"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if _of(_of(container, probe), "httpGet").get("host"):
            yield f"{probe} with a host"


def _containers(pod: JsonObject) -> Iterator[JsonObject]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod.get(key) or ()


def _of(one: JsonObject, key: str) -> JsonObject:
    return one.get(key) or {}


def _capabilities(one: JsonObject, key: str) -> list[Any]:
    return _of(one, "capabilities").get(key) or []
