"""The rollout before the trouble, from the emulated cluster with its own controllers; and when it is left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.source.harness import SystemClock
from watcher.demo import DemoCluster, DemoOptions
from watcher.demo.controllers import Deployment, Plan, Workload
from watcher.demo.faults import Fail, Hang
from watcher.demo.pods import Container
from watcher.demo.sets import DaemonSet, StatefulSet
from watcher.lib.rollouts import rollout_words
from watcher.model.evidence import Evidence, EvidenceRequest
from watcher.model.identity import AlertKey
from watcher.source.client import KubeClient, connect
from watcher.source.evidence import KubeEvidence

BEGIN = datetime(2026, 11, 20, 10, tzinfo=UTC)
KEY = AlertKey(alertname="ContainerCrashLooping", namespace="shop", container="app")
SOON = timedelta(seconds=5)
IMAGE = "registry.example.com/shop/api"


def plan(tag: str = "1.2.3", **more: Any) -> Plan:
    return Plan(containers=(Container(image=f"{IMAGE}:{tag}", **more),))


class Place:
    """A cluster whose time moves by hand, with one workload in it."""

    def __init__(self, demo: DemoCluster, client: KubeClient) -> None:
        self.demo = demo
        self.evidence = KubeEvidence(client, SystemClock())
        self.workload: Workload

    def pass_time(self, **span: float) -> None:
        self.demo.advance(timedelta(**span))

    def begin(self, kind: Callable[..., Workload], first: Plan | None = None) -> None:
        self.demo.world.add_node("node-1")
        self.workload = kind(self.demo.world, "shop", "api", 1, first or plan())
        self.workload.begin()
        self.pass_time(hours=3)

    def rollout(self, new: Plan) -> None:
        self.workload.rollout(new)
        self.pass_time(minutes=2)

    async def fetch(self, *, after: timedelta, container: str = "", **more: Any) -> Evidence:
        """Of its newest pod, whose trouble began so long after its rollout was made."""
        pod = self.workload.live()[-1]
        made = self.made()
        fields: dict[str, Any] = {
            "alert": KEY, "namespace": "shop", "pod": pod.name, "uid": pod.uid, "container": container,
            "workload_kind": self.workload.kind, "workload": "api", "since": made + after,
            "asked_at": made + after + timedelta(minutes=1),
        } | more  # fmt: skip
        return await self.evidence.fetch(EvidenceRequest(**fields), SOON)

    def made(self) -> datetime:
        kind = "ReplicaSet" if self.workload.kind == "Deployment" else "ControllerRevision"
        times = [item["metadata"]["creationTimestamp"] for item in self.demo.cluster.list(kind, "shop")]
        return datetime.fromisoformat(max(times))

    def asked(self, resource: str) -> int:
        return self.demo.counts["list", resource]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with DemoCluster(DemoOptions(manual=True, start=BEGIN)) as demo:
        client = await connect(SystemClock(), str(demo.kubeconfig(tmp_path / "kubeconfig")))
        yield Place(demo, client)
        await client.close()


def words(evidence: Evidence) -> str:
    return rollout_words(evidence.rollout) if evidence.rollout else ""


KINDS = {"Deployment": Deployment, "StatefulSet": StatefulSet, "DaemonSet": DaemonSet}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
async def test_the_rollout_shortly_before_is_named_with_its_images(place: Place, kind: Callable[..., Workload]) -> None:
    place.begin(kind)
    place.rollout(plan("1.2.4"))
    evidence = await place.fetch(after=timedelta(seconds=40))
    assert words(evidence) == f"40 s after {place.workload.kind} api revision 2: image 1.2.3 -> 1.2.4"
    assert evidence.missing == ""
    assert evidence.rollout is not None
    assert evidence.rollout.at == place.made()


async def test_the_revision_before_is_the_newest_of_the_older_ones(place: Place) -> None:
    place.begin(Deployment)
    place.rollout(plan("1.2.4"))
    place.pass_time(hours=1)
    place.rollout(plan("1.2.5"))
    evidence = await place.fetch(after=timedelta(minutes=3))
    assert words(evidence) == "3 min after Deployment api revision 3: image 1.2.4 -> 1.2.5"


async def test_the_first_revision_is_called_so(place: Place) -> None:
    place.begin(Deployment)
    evidence = await place.fetch(after=timedelta(seconds=5))
    assert words(evidence) == "5 s after Deployment api revision 1: the first revision"


CHANGES: dict[str, tuple[Plan, Plan, tuple[str, ...]]] = {
    "repository": (
        plan(),
        Plan(containers=(Container(image="other.example.com/api:1.2.3"),)),
        ("image registry.example.com/shop/api:1.2.3 -> other.example.com/api:1.2.3",),
    ),
    "digest": (
        plan("1@sha256:" + "a" * 64),
        plan("1@sha256:" + "b" * 64),
        ("image sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb",),
    ),
    "memory limit": (
        plan(limits={"memory": "512Mi"}, requests={"cpu": "1"}),
        plan(limits={"memory": "256Mi"}),
        ("memory limit 512Mi -> 256Mi", "cpu request 1 -> none"),
    ),
    "several containers": (
        Plan(containers=(Container(image="a:1"), Container(name="proxy", image="p:1"), Container(name="old"))),
        Plan(containers=(Container(image="a:1"), Container(name="proxy", image="p:2"), Container(name="new"))),
        ("proxy: image 1 -> 2", "container new added", "container old removed"),
    ),
    "an init container": (
        Plan(containers=(Container(name="migrate", kind="init", image="m:1"), Container())),
        Plan(containers=(Container(name="migrate", kind="init", image="m:2"), Container())),
        ("migrate: image 1 -> 2",),
    ),
    "environment": (plan(), plan(env={"PASSWORD": "hunter2hunter2"}), ("template changed (images the same)",)),
    "restart": (
        plan(),
        Plan(containers=plan().containers, annotations={"kubectl.kubernetes.io/restartedAt": "2026-11-20T13:00:00Z"}),
        ("restarted by hand (images the same)",),
    ),
    "many": (
        Plan(containers=tuple(Container(name=f"c{number}", image="a:1") for number in range(9))),
        Plan(containers=tuple(Container(name=f"c{number}", image="a:2") for number in range(9))),
        (*(f"c{number}: image 1 -> 2" for number in range(5)), "and 4 more"),
    ),
    "hostile": (
        plan(),
        Plan(containers=(Container(image="h/\u202eevil\x1b[31m https://u:hunter2hunter2@h/" + "x" * 200 + ":1"),)),
        (
            "image registry.example.com/shop/api:1.2.3 -> "
            "h/evil https://u:[redacted]@h/" + "x" * 10 + "…" + "x" * 37 + ":1",
        ),
    ),
}


@pytest.mark.parametrize(("old", "new", "changes"), CHANGES.values(), ids=CHANGES.keys())
async def test_what_a_rollout_changed_is_said(place: Place, old: Plan, new: Plan, changes: tuple[str, ...]) -> None:
    place.begin(Deployment, old)
    place.rollout(new)
    evidence = await place.fetch(after=timedelta(seconds=1))
    assert evidence.rollout is not None
    assert "hunter2" not in str(evidence)
    assert evidence.rollout.changes == changes


LEFT_OUT = {
    "long after": timedelta(hours=1, seconds=1),
    "before": timedelta(seconds=-30),
}


@pytest.mark.parametrize("after", LEFT_OUT.values(), ids=LEFT_OUT.keys())
async def test_a_rollout_that_is_not_under_suspicion_is_left_out(place: Place, after: timedelta) -> None:
    place.begin(Deployment)
    place.rollout(plan("1.2.4"))
    evidence = await place.fetch(after=after)
    assert (evidence.rollout, evidence.missing) == (None, "")


async def test_a_nodes_clock_that_is_a_little_behind_hides_no_rollout(place: Place) -> None:
    place.begin(Deployment)
    place.rollout(plan("1.2.4"))
    evidence = await place.fetch(after=timedelta(seconds=-3))
    assert words(evidence) == "0 s after Deployment api revision 2: image 1.2.3 -> 1.2.4"


async def test_after_an_undo_nothing_is_claimed(place: Place) -> None:
    place.begin(Deployment)
    place.rollout(plan("1.2.4"))
    for item in place.demo.cluster.list("ReplicaSet", "shop"):
        if item["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2":
            more = {"deployment.kubernetes.io/revision-history": "2", "deployment.kubernetes.io/revision": "4"}
            item["metadata"]["annotations"] |= more
            place.demo.cluster.put(item)
    evidence = await place.fetch(after=timedelta(seconds=40))
    assert (evidence.rollout, evidence.missing) == (None, "")


async def test_a_revision_that_is_older_than_the_one_before_it_came_back(place: Place) -> None:
    place.begin(StatefulSet)
    place.rollout(plan("1.2.4"))
    for item in place.demo.cluster.list("ControllerRevision", "shop"):
        if item["revision"] == 1:
            item["metadata"]["creationTimestamp"] = (place.made() + timedelta(minutes=1)).isoformat()
            place.demo.cluster.put(item)
    evidence = await place.fetch(after=timedelta(seconds=-20))
    assert evidence.rollout is None


async def test_another_workload_with_the_same_labels_is_not_mixed_in(place: Place) -> None:
    place.begin(Deployment)
    place.rollout(plan("1.2.4"))
    stranger = place.demo.cluster.list("ReplicaSet", "shop")[0]
    stranger["metadata"] |= {"name": "stranger", "uid": "s-1", "annotations": {}}
    stranger["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    stranger["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "x", "uid": "x-1", "controller": True}]
    stranger["spec"]["template"]["spec"]["containers"][0]["image"] = "stranger:9"
    place.demo.cluster.put(stranger)
    assert words(await place.fetch(after=timedelta(seconds=40))).endswith("image 1.2.3 -> 1.2.4")


async def test_pods_of_a_job_have_no_rollout_and_nothing_is_asked(place: Place) -> None:
    place.begin(Deployment)
    evidence = await place.fetch(after=timedelta(seconds=5), workload_kind="Job")
    assert (evidence.rollout, evidence.missing) == (None, "")
    assert place.demo.counts["get", "pods"] == 0


async def test_without_the_right_to_list_replica_sets_the_rollout_is_left_out_and_counted(place: Place) -> None:
    place.begin(Deployment)
    place.rollout(plan("1.2.4"))
    place.demo.access.deny(verb="list", resource="replicasets")
    for _ in range(2):
        evidence = await place.fetch(after=timedelta(seconds=40))
        assert (evidence.rollout, evidence.missing) == (None, "")
    assert place.evidence.rollouts.forbidden == 1


async def test_the_rollout_of_a_workload_is_looked_up_once_a_minute(place: Place) -> None:
    place.begin(Deployment)
    place.rollout(plan("1.2.4"))
    first = await place.fetch(after=timedelta(seconds=40))
    second = await place.fetch(after=timedelta(seconds=50))
    assert place.asked("replicasets") == 2
    assert (words(first)[:4], words(second)[:4]) == ("40 s", "50 s")


async def test_an_old_rollout_costs_one_request(place: Place) -> None:
    place.begin(Deployment)
    for _ in range(2):
        assert (await place.fetch(after=timedelta(days=3))).rollout is None
    assert place.asked("replicasets") == 1


async def test_what_fails_is_said_once(place: Place) -> None:
    place.begin(Deployment)
    place.demo.faults.apply(Fail(resource="replicasets", status=500, message="etcd is away"))
    evidence = await place.fetch(after=timedelta(seconds=40))
    assert evidence.missing == "the last rollout was not to be had: 500 etcd is away"


async def test_what_takes_too_long_is_said(place: Place) -> None:
    place.begin(Deployment)
    place.demo.faults.apply(Hang(resource="replicasets"))
    pod = place.workload.live()[0]
    request = EvidenceRequest(
        alert=KEY, namespace="shop", pod=pod.name, workload_kind="Deployment", workload="api", asked_at=place.made()
    )
    evidence = await place.evidence.fetch(request, timedelta(seconds=0.3))
    assert evidence.missing == "the last rollout was not to be had: not within 0.3 s"


async def test_a_pod_that_is_gone_is_said_once(place: Place) -> None:
    place.begin(Deployment)
    evidence = await place.fetch(after=timedelta(seconds=5), pod="gone", container="app")
    assert evidence.missing == "the logs were not to be had: the pod is gone"
    evidence = await place.fetch(after=timedelta(seconds=5), pod="gone")
    assert evidence.missing == "the last rollout was not to be had: the pod is gone"
