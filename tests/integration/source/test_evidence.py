"""The log and the events of what fires, from the emulated API server; and the words when they cannot be had."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.source.harness import SystemClock, until
from watcher.demo import DemoCluster
from watcher.demo.faults import Fail, Fault, Hang, Reset
from watcher.model.evidence import Evidence, EvidenceRequest
from watcher.model.identity import AlertKey
from watcher.source.client import KubeClient
from watcher.source.evidence import LOG_BYTES, KubeEvidence

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
KEY = AlertKey(alertname="ContainerCrashLooping", namespace="shop", container="app")
SOON = timedelta(seconds=5)

Status = dict[str, object]


def dead(instance: str) -> Status:
    return {
        "terminated": {"exitCode": 1, "reason": "Error", "containerID": instance, "finishedAt": "2026-11-20T09:59:00Z"}
    }


RUNNING: Status = {"running": {"startedAt": "2026-11-20T09:59:30Z"}}
BACK_OFF: Status = {"waiting": {"reason": "CrashLoopBackOff"}}
CREATING: Status = {"waiting": {"reason": "ContainerCreating"}}


def put(demo: DemoCluster, state: Status, last: Status | None = None, present: str = "", **more: object) -> None:
    """A pod `web-1` whose container `app` is in this state; `present` is its containerID."""
    status = {"name": "app", "containerID": present, "restartCount": 1, "state": state, "lastState": last or {}}
    demo.cluster.put(
        {
            "kind": "Pod",
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "uid-1"},
            "spec": {"nodeName": "node-1", "containers": [{"name": "app"}, {"name": "proxy"}]},
            "status": {"phase": "Running", "containerStatuses": [status], **more},
        }
    )


def asked(instance: str = "c://1", container: str = "app", uid: str = "uid-1") -> EvidenceRequest:
    return EvidenceRequest(
        alert=KEY, namespace="shop", pod="web-1", uid=uid, container=container, container_id=instance, asked_at=NOW
    )


async def fetch(client: KubeClient, request: EvidenceRequest | None = None, within: timedelta = SOON) -> Evidence:
    return await KubeEvidence(client, SystemClock()).fetch(request or asked(), within)


INSTANCES: dict[str, tuple[Status, Status | None, str, str, str, str]] = {
    "still dead": (dead("c://1"), None, "c://1", "c://1", "line of c://1", ""),
    "dead, and dead before": (dead("c://1"), dead("c://0"), "c://1", "c://1", "line of c://1", ""),
    "in back-off": (BACK_OFF, dead("c://1"), "c://1", "c://1", "line of c://1", ""),
    "running again": (RUNNING, dead("c://1"), "c://2", "c://1", "line of c://1", ""),
    "died again and runs": (
        RUNNING,
        dead("c://2"),
        "c://3",
        "c://2",
        "line of c://2",
        "the container has died again since; the lines are from its newest death",
    ),
    "died twice more": (
        dead("c://3"),
        dead("c://2"),
        "c://3",
        "c://3",
        "line of c://3",
        "the container has died again since; the lines are from its newest death",
    ),
}


@pytest.mark.parametrize(
    ("state", "last", "present", "instance", "line", "missing"), INSTANCES.values(), ids=INSTANCES.keys()
)
async def test_the_log_is_that_of_the_instance_that_died(
    demo: DemoCluster,
    client: KubeClient,
    state: Status,
    last: Status | None,
    present: str,
    instance: str,
    line: str,
    missing: str,
) -> None:
    for number in range(4):
        demo.logs.write(f"c://{number}", [f"line of c://{number}"])
    put(demo, state, last, present)
    evidence = await fetch(client)
    assert (evidence.container_id, evidence.log, evidence.missing) == (instance, (line,), missing)
    assert (evidence.alert, evidence.pod, evidence.container) == (KEY, "web-1", "app")


UNKNOWN: dict[str, tuple[Status, Status | None, str, str]] = {
    "dead now": (dead("c://1"), dead("c://0"), "c://1", "c://1"),
    "in back-off": (BACK_OFF, dead("c://1"), "c://1", "c://1"),
    "running after a death": (RUNNING, dead("c://1"), "c://2", "c://1"),
    "never dead": (RUNNING, None, "c://2", "c://2"),
}


@pytest.mark.parametrize(("state", "last", "present", "instance"), UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_without_an_instance_the_newest_death_is_taken_else_what_runs(
    demo: DemoCluster, client: KubeClient, state: Status, last: Status | None, present: str, instance: str
) -> None:
    for number in range(4):
        demo.logs.write(f"c://{number}", [f"line of c://{number}"])
    put(demo, state, last, present)
    evidence = await fetch(client, asked(instance=""))
    assert (evidence.container_id, evidence.log) == (instance, (f"line of {instance}",))


async def test_an_init_container_has_a_log_too(demo: DemoCluster, client: KubeClient) -> None:
    demo.logs.write("c://9", ["migrating", "no such table"])
    put(demo, CREATING)
    pod = demo.cluster.get("Pod", "shop", "web-1")
    assert pod is not None
    pod["spec"]["initContainers"] = [{"name": "migrate"}]
    pod["status"]["initContainerStatuses"] = [{"name": "migrate", "containerID": "c://9", "state": dead("c://9")}]
    demo.cluster.put(pod)
    evidence = await fetch(client, asked("c://9", "migrate"))
    assert evidence.log == ("migrating", "no such table")


async def test_at_most_forty_lines_are_read(demo: DemoCluster, client: KubeClient) -> None:
    demo.logs.write("c://1", [f"line {number}" for number in range(100)])
    put(demo, dead("c://1"), present="c://1")
    evidence = await fetch(client)
    assert evidence.log == tuple(f"line {number}" for number in range(60, 100))


async def test_long_lines_do_not_push_the_last_one_out(demo: DemoCluster, client: KubeClient) -> None:
    demo.logs.write("c://1", [*["x" * 2000] * 60, "panic: the cause"])
    put(demo, dead("c://1"), present="c://1")
    evidence = await fetch(client)
    assert evidence.log[-1] == "panic: the cause"
    assert sum(map(len, evidence.log)) <= LOG_BYTES


async def test_lines_are_cleaned_and_redacted(demo: DemoCluster, client: KubeClient) -> None:
    demo.logs.write(
        "c://1",
        ["\x1b[31mERROR\x1b[0m db", "postgres://app:hunter2hunter2@db/shop", "Bearer abcdef0123456789abcdef", ""],
    )
    put(demo, dead("c://1"), present="c://1")
    evidence = await fetch(client)
    assert evidence.log == ("ERROR db", "postgres://app:[redacted]@db/shop", "Bearer [redacted]")


async def test_a_container_that_wrote_nothing_is_said_to(demo: DemoCluster, client: KubeClient) -> None:
    put(demo, dead("c://1"), present="c://1")
    evidence = await fetch(client)
    assert (evidence.log, evidence.missing) == ((), "the container had written nothing")


async def test_the_kubelets_excuse_is_no_log_line(demo: DemoCluster, client: KubeClient) -> None:
    demo.logs.write("c://1", ["unable to retrieve container logs for containerd://1"])
    put(demo, dead("c://1"), present="c://1")
    evidence = await fetch(client)
    assert evidence.log == ()
    assert evidence.missing == "the logs were not to be had: the runtime has already removed the container"


async def test_a_pod_that_is_gone_is_said_to_be(demo: DemoCluster, client: KubeClient) -> None:
    assert (await fetch(client)).missing == "the logs were not to be had: the pod is gone"


async def test_the_log_of_another_pod_of_the_same_name_is_not_taken(demo: DemoCluster, client: KubeClient) -> None:
    demo.logs.write("c://1", ["not mine"])
    put(demo, dead("c://1"), present="c://1")
    evidence = await fetch(client, asked(uid="uid-0"))
    assert evidence.log == ()
    assert evidence.missing == "the logs were not to be had: the pod was replaced by another of its name"


async def test_a_container_without_a_status_is_said_to_have_none(demo: DemoCluster, client: KubeClient) -> None:
    put(demo, RUNNING, present="c://1")
    evidence = await fetch(client, asked(container="proxy"))
    assert evidence.missing == "the logs were not to be had: the pod has no status of the container"


async def test_the_api_servers_refusal_is_passed_on(demo: DemoCluster, client: KubeClient) -> None:
    put(demo, CREATING)
    evidence = await fetch(client)
    assert evidence.missing == (
        'the logs were not to be had: 400 previous terminated container "app" in pod "web-1" not found'
    )


DENIALS = {
    "pods/log": (
        {"verb": "get", "resource": "pods", "subresource": "log"},
        "the logs were not to be had: 403 pods/log is not allowed",
    ),
    "pods": ({"verb": "get", "resource": "pods"}, "the logs were not to be had: 403 pods is not allowed"),
    "events": (
        {"verb": "list", "resource": "events"},
        "the events were not to be had: 403 events is not allowed",
    ),
}


@pytest.mark.parametrize(("rule", "missing"), DENIALS.values(), ids=DENIALS.keys())
async def test_what_is_not_allowed_is_said(
    demo: DemoCluster, client: KubeClient, rule: dict[str, str], missing: str
) -> None:
    demo.logs.write("c://1", ["the cause"])
    put(demo, dead("c://1"), present="c://1")
    demo.access.deny(**rule)
    assert (await fetch(client)).missing == missing


FAILURES: dict[str, tuple[Fault, str]] = {
    "500": (Fail(status=500, message="etcd is away"), "500 etcd is away"),
    "reset": (Reset(), "the API server did not answer"),
    "no answer": (Hang(), "not within 0.3 s"),
}


@pytest.mark.parametrize(("fault", "words"), FAILURES.values(), ids=FAILURES.keys())
async def test_whatever_fails_is_said_in_words_and_never_raised(
    demo: DemoCluster, client: KubeClient, fault: Fault, words: str
) -> None:
    put(demo, dead("c://1"), present="c://1")
    demo.faults.apply(fault)
    evidence = await fetch(client, within=timedelta(seconds=0.3))
    log, _, events = evidence.missing.partition("; ")
    assert log.startswith("the logs were not to be had: ")
    assert events.startswith("the events were not to be had: ")
    assert evidence.missing.count(words) == 2


async def test_what_came_in_time_is_given_when_the_rest_did_not(demo: DemoCluster, client: KubeClient) -> None:
    demo.logs.write("c://1", ["the cause"])
    put(demo, dead("c://1"), present="c://1")
    demo.faults.apply(Hang(resource="events"))
    evidence = await fetch(client, within=timedelta(seconds=0.5))
    assert evidence.log == ("the cause",)
    assert evidence.missing == "the events were not to be had: not within 0.5 s"


async def test_a_fetch_can_be_cancelled(demo: DemoCluster, client: KubeClient) -> None:
    demo.faults.apply(Hang())
    task = asyncio.create_task(fetch(client))
    await until(lambda: len(demo.api.requests) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ---- events ----


def event(demo: DemoCluster, name: str, minute: int, involved: dict[str, str] | None = None, **more: object) -> None:
    """A Warning about web-1, last seen at 9:`minute`."""
    pod = {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "uid-1"}
    demo.cluster.put(
        {
            "kind": "Event",
            "metadata": {"name": name, "namespace": "shop"},
            "type": "Warning",
            "reason": "BackOff",
            "message": f"message of {name}",
            "lastTimestamp": f"2026-11-20T09:{minute:02}:00Z",
            "count": 1,
            "involvedObject": pod | (involved or {}),
            **more,
        }
    )


async def test_the_newest_five_warnings_of_the_pod_are_given(demo: DemoCluster, client: KubeClient) -> None:
    put(demo, RUNNING)
    for number in range(7):
        event(demo, f"e{number}", 10 + number)
    event(demo, "normal", 50, type="Normal")
    event(demo, "other", 51, involved={"name": "web-2"})
    event(demo, "earlier-pod", 52, involved={"uid": "uid-0"})
    evidence = await fetch(client, asked(container=""))
    assert evidence.events == tuple(f"BackOff: message of e{number}" for number in (6, 5, 4, 3, 2))
    assert (evidence.log, evidence.missing) == ((), "")
    assert demo.api.counts["get", "pods/log"] == 0


async def test_events_are_counted_cleaned_and_redacted(demo: DemoCluster, client: KubeClient) -> None:
    event(demo, "a", 10, count=12, message="Back-off\n restarting  failed container")
    event(demo, "b", 9, message="GET http://u:hunter2hunter2@h/ failed\u202e")
    evidence = await fetch(client, asked(container=""))
    assert evidence.events == (
        "BackOff: Back-off restarting failed container (×12)",
        "BackOff: GET http://u:[redacted]@h/ failed",
    )


async def test_events_of_the_new_kind_have_their_time_and_count_in_a_series(
    demo: DemoCluster, client: KubeClient
) -> None:
    event(demo, "old", 30)
    series = {"count": 4, "lastObservedTime": "2026-11-20T09:40:00.000000Z"}
    event(demo, "new", 0, lastTimestamp=None, count=None, eventTime="2026-11-20T09:01:00.000000Z", series=series)
    evidence = await fetch(client, asked(container=""))
    assert evidence.events == ("BackOff: message of new (×4)", "BackOff: message of old")


async def test_events_about_a_static_pod_carry_the_kubelets_uid(demo: DemoCluster, client: KubeClient) -> None:
    event(demo, "static", 10, involved={"uid": "7d1c8d2f6f0b4a5a"})
    evidence = await fetch(client, asked(container=""))
    assert evidence.events == ("BackOff: message of static",)


KEY_BLOCK = ["-----BEGIN RSA PRIVATE KEY-----", *["MIIEowIBAAKCAQEA" + "k" * 48] * 30, "-----END RSA PRIVATE KEY-----"]
SECRETS = ("abcdef0123456789abcdef", "hunter2hunter2", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "MIIEowIBAAKCAQEA")
LINES = [
    "Authorization: Bearer abcdef0123456789abcdef",
    "postgres://app:hunter2hunter2@db/shop",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    *KEY_BLOCK,
    "exit",
]


@pytest.mark.parametrize("more", [0, 25], ids=["whole", "the tail begins inside of the key"])
async def test_row_90_secrets_are_redacted_in_the_log_and_in_events(
    demo: DemoCluster, client: KubeClient, more: int
) -> None:
    demo.logs.write("c://1", [*LINES, *["later"] * more])
    put(demo, dead("c://1"), present="c://1")
    event(demo, "a", 10, reason="Unhealthy", message="probe failed: " + "\n".join(LINES))
    evidence = await fetch(client)
    told = "\n".join((*evidence.log, *evidence.events))
    assert "exit" in told
    assert [secret for secret in SECRETS if secret in told] == []


# ---- what is no container ----


async def test_what_only_events_tell_needs_no_log(demo: DemoCluster, client: KubeClient) -> None:
    put(demo, CREATING)
    words = 'MountVolume.SetUp failed for volume "conf" : configmap "api" not found'
    event(demo, "a", 10, reason="FailedMount", message=words, involved={"uid": "5a5b-1"})
    evidence = await fetch(client, asked(container="", uid="5a5b-1"))
    assert evidence.events == (f"FailedMount: {words}",)
    assert demo.counts["get", "pods"] == 0


async def test_the_events_of_a_claim_are_those_about_it(demo: DemoCluster, client: KubeClient) -> None:
    claim = {"kind": "PersistentVolumeClaim", "name": "data", "uid": "aa-1"}
    event(demo, "a", 10, involved=claim, reason="ProvisioningFailed", message="quota")
    event(demo, "b", 11, involved=claim | {"uid": "aa-0"}, message="of an earlier claim")
    event(demo, "c", 12, involved={"name": "data"}, message="of a pod of that name")
    request = EvidenceRequest(
        alert=KEY, namespace="shop", kind="PersistentVolumeClaim", name="data", uid="aa-1", asked_at=NOW
    )
    evidence = await fetch(client, request)
    assert (evidence.events, evidence.log, evidence.missing) == (("ProvisioningFailed: quota",), (), "")


async def test_the_events_of_a_node_are_in_the_namespace_default_under_any_uid(
    demo: DemoCluster, client: KubeClient
) -> None:
    for number, uid in enumerate(("node-1", "3f-9")):
        demo.cluster.put(
            {
                "kind": "Event",
                "metadata": {"name": f"n{number}", "namespace": "default"},
                "type": "Warning",
                "reason": "SystemOOM",
                "message": f"by {uid}",
                "lastTimestamp": f"2026-11-20T09:1{number}:00Z",
                "involvedObject": {"kind": "Node", "name": "node-1", "uid": uid},
            }
        )
    request = EvidenceRequest(alert=KEY, namespace="", kind="Node", name="node-1", uid="3f-9", asked_at=NOW)
    evidence = await fetch(client, request)
    assert evidence.events == ("SystemOOM: by 3f-9", "SystemOOM: by node-1")


async def test_answers_are_bounded(demo: DemoCluster, client: KubeClient) -> None:
    event(demo, "a", 10, message="x" * (2 * 1024 * 1024))
    evidence = await fetch(client, asked(container=""))
    assert evidence.missing == "the events were not to be had: the answer is too large"
    demo.cluster.delete("Event", "shop", "a")
    event(demo, "b", 10, message="word " * 1000)
    evidence = await fetch(client, asked(container=""))
    assert len(evidence.events[0]) < 1100
