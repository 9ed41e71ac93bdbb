"""Containers that cannot be created or started: why, and the name of what is missing.

The kubelet tells it in the container's waiting reason and message, the runtime in the reason of a termination; its
texts are nested several layers deep, and the innermost words decide. Source: startContainer in
pkg/kubelet/kuberuntime/kuberuntime_container.go, kubernetes-facts, sections 1.2 and 1.3.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

HOOKS: Final = frozenset({"PreCreateHookError", "PreStartHookError", "PostStartHookError"})
WAITING: Final = HOOKS | {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "VerifyNonRootError",
    "CreatePodSandboxError",
    "ConfigPodSandboxError",
    "ImageVolumeMountFailed",
    "RROUnsupported",
}
"""Reasons of the state waiting."""
TERMINATED: Final = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons of a termination that is no death: containerd's and docker's words for a start that failed."""
REASONS: Final = WAITING | TERMINATED

_QUOTE: Final = r"""\\*["'`]"""
_NAME: Final = r"""([^"'`\\\s]+)"""
_MISSING: Final = re.compile(rf"\b(configmap|secret)s? {_QUOTE}{_NAME}{_QUOTE} not found", re.IGNORECASE)
_MISSING_KEY: Final = re.compile(
    r"couldn't find key (?P<key>\S+) in (?:ConfigMap|Secret) (?:[^/\s]+/)?(?P<name>[^\s,;:]+)", re.IGNORECASE
)
_MISSING_VOLUME_KEY: Final = re.compile(
    r"references? non-?existent (?:config|secret) key(?:\(?s?\)?)?:? *(?P<key>[^\s,;:]+)?", re.IGNORECASE
)
_OWN_MOUNT: Final = re.compile(
    rf"error mounting {_QUOTE}(?:proc|sysfs|cgroup|tmpfs|devpts|mqueue|shm)\b|"
    r"(?:error mounting|relabel failed) [^\s:]*/(?:etc-hosts|resolv\.conf|hostname|termination-log)\b",
    re.IGNORECASE,
)
"""What the kubelet and the runtime mount of their own accord is no volume of the pod's."""
_COMMAND: Final = re.compile(
    rf"executable file.{{0,300}}not found|exec:? *{_QUOTE}.{{0,300}}no such file or directory|"
    r"exec [^:]{1,300}: no such file or directory",
    re.IGNORECASE | re.DOTALL,
)
_NOT_EXECUTABLE: Final = re.compile(
    rf"exec:? *{_QUOTE}.{{0,300}}(?:permission denied|is a directory|operation not permitted)|exec format error|"
    r"exec [^:]{1,300}: permission denied|open executable: permission denied",
    re.IGNORECASE | re.DOTALL,
)

_RULES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("run_as_non_root", ("runasnonroot", "non-numeric user", "image will run as root", "verify user is non-root")),
    ("name_in_use", ("is already in use", "name is reserved", "is reserved for", "failed to reserve container name")),
    ("runtime", ("no space left on device", "overlay mount", "containerd-mount", "failed to create snapshot")),
    (
        "volume",
        (
            "error mounting",
            "failed to mount",
            "mountvolume",
            "trying to mount a directory onto a file",
            "mount source path",
            "mount config",
            "subpath",
            "lsetxattr",
            "relabel",
            "bind source path does not exist",
        ),
    ),
    ("hook", ("lifecycle hook", "poststart hook failed")),
)
"""First match wins, after what is missing. An overlay is the container's own disk, and no volume of the pod's."""
_LATER_RULES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "timeout",
        ("context deadline exceeded", "deadlineexceeded", "timed out waiting", "i/o timeout", "operation timeout"),
    ),
    (
        "runtime",
        (
            "oci runtime",
            "runc ",
            "crun",
            "cgroup",
            "error response from daemon",
            "failed to create shim",
            "failed to create containerd",
            "failed to start containerd",
            "container create failed",
            "failed to generate",
            "rpc error",
            "permission denied",
        ),
    ),
)
_BY_CODE: Final = {126: "not_executable", 127: "command_not_found"}
"""Docker's code of a start that failed: 127 where the command is not found, 126 where it may not be executed."""


class Starting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    cause: str
    """As `cause` of the signal ContainerNotStarting."""
    missing: str = ""
    """The ConfigMap or Secret that is not there, or lacks a key."""
    key: str = ""
    """The key that it lacks."""


def classify(reason: str, message: str, exit_code: int | None) -> Starting:
    """Why a container does not start. `exit_code`: of the start that failed, where there is one."""
    if reason in HOOKS:
        return Starting(cause="hook")
    missing = _missing(message)
    if missing is not None:
        return missing
    if reason == "VerifyNonRootError":
        return Starting(cause="run_as_non_root")
    return Starting(cause=_cause(reason, message, exit_code))


def _missing(message: str) -> Starting | None:
    found = _MISSING.search(message)
    if found is not None:
        return Starting(cause=f"missing_{found[1].lower()}", missing=found[2])
    found = _MISSING_KEY.search(message)
    if found is not None:
        return Starting(cause="missing_key", missing=found["name"].strip("\"'`"), key=found["key"].strip("\"'`"))
    found = _MISSING_VOLUME_KEY.search(message)
    return Starting(cause="missing_key", key=found["key"] or "") if found is not None else None


def _cause(reason: str, message: str, exit_code: int | None) -> str:
    low = message.lower()
    if _OWN_MOUNT.search(message):
        return "runtime"
    cause = _by_words(low, _RULES)
    if cause:
        return cause
    if _COMMAND.search(message):
        return "command_not_found"
    if _NOT_EXECUTABLE.search(message):
        return "not_executable"
    cause = _by_words(low, _LATER_RULES)
    if cause == "timeout":
        return cause
    if exit_code in _BY_CODE:
        return _BY_CODE[exit_code]
    return cause or ("runtime" if message and reason not in ("CreateContainerConfigError", "") else "unknown")


def _by_words(text: str, rules: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    return next((cause for cause, needles in rules if any(needle in text for needle in needles)), "")
