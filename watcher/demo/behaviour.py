"""What containers and pods are made to do: run, die, fail to be pulled, fail to start.

Each is a small record that scenarios write as YAML under `does:` or `then:`, with exactly one key:

    run: {ready_after: 5s, logs: [listening]}    healthy; `ready: false` keeps it unready
    crash: {exit: 1, after: 3s, logs: [...], message: text, times: 2}     dies; after `times` deaths it runs
    oom: {after: 20s, logs: [...]}               OOMKilled, 137
    complete: {after: 30s}                       exits 0
    cannot_pull: not_found                       or another key of PULL_ERRORS, or any text
    cannot_start: {reason: CreateContainerConfigError, message: 'configmap "web" not found'}
    unschedulable: '0/3 nodes are available: …'  a pod that no node takes
    stuck: {event: FailedMount, message: ...}    its containers are never created; the cause is in Events only

The texts are those of real clusters, with the image put in. How they are played is in lifecycle.py.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Starts and stays. `ready_after` None: as the container's template says."""

    ready_after: timedelta | None = None
    ready: bool = True
    logs: tuple[str, ...] = ()
    stop_exit: int = 143
    """The exit code when the pod is deleted; 137: it ignores SIGTERM, and is killed after the grace period."""


class Die(msgspec.Struct, frozen=True, kw_only=True):
    """Starts, runs for `after`, ends. `times` 0: for ever; else it runs healthily after so many deaths."""

    exit: int = 1
    reason: str = ""
    after: timedelta = timedelta(seconds=3)
    logs: tuple[str, ...] = ()
    message: str = ""
    times: int = 0

    @property
    def word(self) -> str:
        """terminated.reason."""
        return self.reason or ("Completed" if self.exit == 0 else "Error")


class CannotPull(msgspec.Struct, frozen=True, kw_only=True):
    """The image cannot be had. `cause` is a key of PULL_ERRORS or a text."""

    cause: str = "not_found"


class CannotStart(msgspec.Struct, frozen=True, kw_only=True):
    """The container cannot be made (Create…Error: restartCount stays 0) or started (RunContainerError: it loops)."""

    reason: str = "CreateContainerConfigError"
    message: str = 'configmap "settings" not found'


class Unschedulable(msgspec.Struct, frozen=True, kw_only=True):
    """No node takes the pod."""

    message: str = (
        "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available: "
        "3 No preemption victims found for incoming pod."
    )


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """The node takes the pod, and never gets to its containers."""

    event: str = "FailedMount"
    message: str = 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found'


Behaviour = Run | Die | CannotPull | CannotStart | Unschedulable | Stuck

_PULL = 'failed to pull and unpack image "{image}": '
_RESOLVE = _PULL + 'failed to resolve reference "{image}": '
_HEAD = _RESOLVE + 'failed to do request: Head "https://{host}/v2/{path}/manifests/{tag}": '

PULL_ERRORS: dict[str, str] = {
    "not_found": _RESOLVE + "{image}: not found",
    "denied": _RESOLVE
    + "pull access denied, repository does not exist or may require authorization: server message: "
    + "insufficient_scope: authorization failed",
    "unauthorized": _RESOLVE
    + "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
    + "https://{host}/token?scope=repository%3A{path}%3Apull: 401 Unauthorized",
    "rate_limited": _PULL
    + "failed to copy: httpReadSeeker: failed open: unexpected "
    + "status code https://{host}/v2/{path}/manifests/{tag}: 429 Too Many Requests - Server message: toomanyrequests: "
    + "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
    "dns": _HEAD + "dial tcp: lookup {host} on 10.96.0.10:53: no such host",
    "network": _HEAD + "dial tcp 203.0.113.10:443: i/o timeout",
    "tls": _HEAD + "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    "platform": _PULL + "no match for platform in manifest: not found",
    "disk": _PULL
    + "failed to extract layer sha256:9ca1a2c9a0b00fba4bfff06ec37042e6245e203c1f66: write "
    + "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/412/fs/lib.so: no space left on device",
    "registry_error": _RESOLVE
    + "unexpected status from HEAD request to https://{host}/v2/{path}/manifests/{tag}: "
    + "503 Service Unavailable",
}
"""Cause to message, as containerd 1.7 and 2.x write it. invalid_name and policy_never are other reasons: below."""

_CODES = {"not_found": "NotFound", "platform": "NotFound"}


def pull_failure(cause: str, image: str, *, modern: bool) -> tuple[str, str]:
    """(waiting.reason, message) of an attempt. Older kubelets pass the gRPC prefix on."""
    if cause == "invalid_name":
        return "InvalidImageName", (
            f'Failed to apply default image tag "{image}": '
            f'couldn\'t parse image name "{image}": invalid reference format'
        )
    if cause == "policy_never":
        return "ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never'
    host, _, path = image.partition("/")
    path, _, tag = path.rpartition(":")
    if cause not in PULL_ERRORS:
        return "ErrImagePull", cause.replace("{image}", image)
    text = PULL_ERRORS[cause].format_map({"image": image, "host": host, "path": path or tag, "tag": tag})
    prefix = "" if modern else f"rpc error: code = {_CODES.get(cause, 'Unknown')} desc = "
    return "ErrImagePull", prefix + text


def back_off_text(image: str, failure: str, *, modern: bool) -> str:
    """The message of ImagePullBackOff; since 1.32 it names the cause (image_manager.go, prevPullErrMsg)."""
    text = f'Back-off pulling image "{image}"'
    return f"{text}: ErrImagePull: {failure}" if modern else text


def go_duration(span: timedelta) -> str:
    """As Go prints a time.Duration of whole seconds: `10s`, `2m40s`, `5m0s`."""
    seconds = int(span.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if seconds < 60:
        return f"{seconds}s"
    return (f"{hours}h" if hours else "") + f"{minutes}m{seconds % 60}s"
