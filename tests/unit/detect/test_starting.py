"""Why a container cannot be created or started, read from the texts of kubelets and runtimes."""

from __future__ import annotations

import pytest

from watcher.detect.starting import REASONS, TERMINATED, WAITING, Starting, classify

CONFIG, CREATE, RUN, START, CANNOT = (
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
    "ContainerCannotRun",
)
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)

MISSING: list[tuple[str, str, Starting]] = [
    (CONFIG, 'configmap "some-cm" not found', Starting(cause="missing_configmap", missing="some-cm")),
    (CONFIG, 'configmaps "some-cm" not found', Starting(cause="missing_configmap", missing="some-cm")),
    (CONFIG, 'secret "db" not found', Starting(cause="missing_secret", missing="db")),
    (CONFIG, 'secret \\"db\\" not found', Starting(cause="missing_secret", missing="db")),
    (
        CONFIG,
        "couldn't find key url in ConfigMap shop/settings",
        Starting(cause="missing_key", missing="settings", key="url"),
    ),
    (
        CONFIG,
        "Couldn't find key PASSWORD in Secret shop/db",
        Starting(cause="missing_key", missing="db", key="PASSWORD"),
    ),
    (
        CREATE,
        'MountVolume.SetUp failed for volume "conf" : references non-existent config key: app.yaml',
        Starting(cause="missing_key", key="app.yaml"),
    ),
    (CREATE, "references non-existent secret key: tls.crt", Starting(cause="missing_key", key="tls.crt")),
]


@pytest.mark.parametrize(("reason", "text", "expected"), MISSING, ids=[row[1][:50] for row in MISSING])
def test_what_is_missing_is_named(reason: str, text: str, expected: Starting) -> None:
    assert classify(reason, text, None) == expected


TEXTS: list[tuple[str, str, int | None, str]] = [
    (CONFIG, "container has runAsNonRoot and image will run as root", None, "run_as_non_root"),
    (
        CONFIG,
        "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
        None,
        "run_as_non_root",
    ),
    (CONFIG, "container's runAsUser breaks non-root policy: runAsNonRoot", None, "run_as_non_root"),
    ("VerifyNonRootError", "", None, "run_as_non_root"),
    (CONFIG, "failed to sync configmap cache: timed out waiting for the condition", None, "timeout"),
    (
        CANNOT,
        'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: '
        'exec: "wge": executable file not found in $PATH: unknown',
        127,
        "command_not_found",
    ),
    (START, f'{RUNC}exec: "/app/run": stat /app/run: no such file or directory: unknown', 128, "command_not_found"),
    (
        CREATE,
        'container create failed: time="2023-01-01T00:00:00Z" level=error msg="runc create failed: unable to start '
        'container process: exec: \\"foo\\": executable file not found in $PATH"',
        None,
        "command_not_found",
    ),
    (CREATE, "container create failed: executable file `foo` not found in $PATH: No such file or directory", None,
     "command_not_found"),
    (START, f'{RUNC}exec: "/app/run.sh": permission denied: unknown', 128, "not_executable"),
    (RUN, f'{RUNC}exec: "/srv": is a directory: unknown', None, "not_executable"),
    (START, f"{RUNC}exec /app: exec format error", 128, "not_executable"),
    (CANNOT, "the daemon says no", 126, "not_executable"),
    (CANNOT, "the daemon says no", 127, "command_not_found"),
    (CANNOT, "the daemon says no", 128, "runtime"),
    ("PostStartHookError", "command 'sh -c exit 1' exited with 1: executable file not found in $PATH", None, "hook"),
    ("PreStartHookError", "", None, "hook"),
    (RUN, 'Exec lifecycle hook ([x]) for Container "c" in Pod "p" failed - error: command exited with 1', None, "hook"),
    (START, f"{RUNC}error during container init: error running prestart hook #0: exit status 1", 128, "runtime"),
    (
        START,
        f'{RUNC}error during container init: error mounting "/var/lib/kubelet/pods/u/volume-subpaths/c/0" to rootfs '
        'at "/etc/nginx.conf": mount src=/x, dst=/etc/nginx.conf: not a directory: unknown: Are you trying to mount a '
        "directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type",
        128,
        "volume",
    ),
    (CREATE, 'failed to prepare subPath for volumeMount "data" of container "db"', None, "volume"),
    (CREATE, "relabel failed /var/lib/kubelet/pods/u/volumes/x: lsetxattr /x: operation not supported", None, "volume"),
    (CREATE, "Error response from daemon: error while creating mount source path '/data': mkdir /data: read-only", None,
     "volume"),
    (START, f'{RUNC}error during container init: error mounting "proc" to rootfs: not permitted', 128, "runtime"),
    (
        CREATE,
        "Error response from daemon: error creating overlay mount to /var/lib/docker/overlay2/119/merged: invalid "
        "argument",
        None,
        "runtime",
    ),
    (
        START,
        f'{RUNC}error during container init: error mounting "/var/lib/kubelet/pods/u/etc-hosts" to rootfs at '
        '"/etc/hosts": create mount destination for /etc/hosts mount: mkdirat /run/containerd/x: read-only file system',
        128,
        "runtime",
    ),
    (
        CREATE,
        "relabel failed /var/lib/kubelet/pods/u/etc-hosts: lsetxattr /x/etc-hosts: invalid argument",
        None,
        "runtime",
    ),
    (CREATE, "failed to create containerd container: write /x: no space left on device", None, "runtime"),
    (
        CREATE,
        'Error response from daemon: Conflict. The container name "/k8s_app_web" is already in use by container 1',
        None,
        "name_in_use",
    ),
    (
        CREATE,
        'failed to reserve container name "app_web_shop_u_0": name "app_web_shop_u_0" is reserved for "0f"',
        None,
        "name_in_use",
    ),
    (CREATE, "error reserving ctr name k8s_app for id 0f: name is reserved", None, "name_in_use"),
    (CREATE, "context deadline exceeded", None, "timeout"),
    (CREATE, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", None, "timeout"),
    (RUN, "rpc error: code = Unknown desc = failed to write cgroup", None, "runtime"),
    (RUN, "words of a runtime that nobody knows", None, "runtime"),
    (CONFIG, "words of a kubelet that nobody knows", None, "unknown"),
    (CONFIG, "", None, "unknown"),
    (START, "", 128, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "text", "code", "cause"), TEXTS, ids=[f"{r[3]}: {r[1][-60:]}" for r in TEXTS])
def test_the_innermost_words_tell_the_cause(reason: str, text: str, code: int | None, cause: str) -> None:
    assert classify(reason, text, code) == Starting(cause=cause)
    assert classify(reason, f"rpc error: code = Unknown desc = {text}" if text else "", code).cause in (
        cause,
        "runtime",
    )


def test_reasons_of_waiting_and_of_terminations_are_told_apart() -> None:
    assert WAITING | TERMINATED == REASONS
    assert not WAITING & TERMINATED
