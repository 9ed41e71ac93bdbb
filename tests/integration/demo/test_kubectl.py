"""The real kubectl against the demo cluster."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from watcher.demo import DemoCluster, pods
from watcher.demo.faults import DropWatches

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")


class Kubectl:
    """Runs kubectl with a kubeconfig of its own, and a home of its own for its discovery cache."""

    def __init__(self, demo: DemoCluster, folder: Path) -> None:
        self.config = demo.kubeconfig(folder / "kubeconfig")
        self.environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        assert KUBECTL is not None
        return await asyncio.create_subprocess_exec(
            KUBECTL,
            f"--kubeconfig={self.config}",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )

    async def __call__(self, *arguments: str) -> str:
        """Standard output; fails the test with standard error when kubectl fails."""
        process = await self.start(*arguments)
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return output.decode()

    async def fails(self, *arguments: str) -> str:
        process = await self.start(*arguments)
        _, errors = await process.communicate()
        assert process.returncode != 0
        return errors.decode().strip()


@pytest.fixture
async def kubectl(demo: DemoCluster, tmp_path: Path) -> Kubectl:
    await demo.play("crashloop")
    demo.advance(timedelta(minutes=2))
    return Kubectl(demo, tmp_path)


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


async def test_pods_are_shown_with_their_status(kubectl: Kubectl) -> None:
    head, *rows = table(await kubectl("get", "pods", "-A"))
    assert head == ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert len(rows) == 2
    for row in rows:
        assert (row[0], row[2], row[3], row[4]) == ("shop", "0/1", "CrashLoopBackOff", "4")


async def test_json_holds_the_whole_objects(demo: DemoCluster, kubectl: Kubectl) -> None:
    document = json.loads(await kubectl("get", "pods", "-A", "-o", "json"))
    assert [item["kind"] for item in document["items"]] == ["Pod", "Pod"]
    stored = demo.cluster.list("Pod")
    assert [item["status"] for item in document["items"]] == [pod["status"] for pod in stored]


async def test_a_watch_of_the_table_goes_on(demo: DemoCluster, kubectl: Kubectl) -> None:
    process = await kubectl.start("get", "pods", "-A", "-w")
    assert process.stdout is not None
    async with asyncio.timeout(15):
        lines = [(await process.stdout.readline()).decode() for _ in range(3)]
        await demo.watched(resource="pods")
        demo.cluster.put(pods.make("shop", "late", created=demo.timeline.now()))
        lines.append((await process.stdout.readline()).decode())
        demo.faults.apply(DropWatches())
        await process.wait()
    assert lines[0].split() == ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert lines[3].split()[:5] == ["shop", "late", "1/1", "Running", "0"]


async def test_a_watch_as_json_shows_the_events(demo: DemoCluster, kubectl: Kubectl) -> None:
    process = await kubectl.start("get", "pods", "-A", "-o", "json", "--watch", "--output-watch-events")
    async with asyncio.timeout(15):
        await demo.watched(resource="pods")
        demo.cluster.delete("Pod", *next(iter(demo.cluster.store("Pod").objects)))
        await demo.settled()
        demo.faults.apply(DropWatches())
        output, _ = await process.communicate()
    decoder, text, kinds = json.JSONDecoder(), output.decode().strip(), []
    while text:
        document, end = decoder.raw_decode(text)
        kinds.append((document["type"], document["object"]["kind"]))
        text = text[end:].strip()
    assert kinds == [("ADDED", "Pod"), ("ADDED", "Pod"), ("DELETED", "Pod")]


async def test_logs_of_the_instance_before(demo: DemoCluster, kubectl: Kubectl) -> None:
    name = demo.cluster.list("Pod")[0]["metadata"]["name"]
    assert "FATAL: could not connect" in await kubectl("logs", "-n", "shop", name, "-p", "--tail=1")
    demo.cluster.put(pods.make("shop", "young"))
    message = await kubectl.fails("logs", "-n", "shop", "young", "-p")
    assert message == ('Error from server (BadRequest): previous terminated container "app" in pod "young" not found')


async def test_events_are_shown_with_their_objects(kubectl: Kubectl) -> None:
    head, *rows = table(await kubectl("get", "events", "-n", "shop", "--field-selector", "reason=BackOff"))
    assert head == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert len(rows) == 2
    assert rows[0][1:3] == ["Warning", "BackOff"]
    assert rows[0][3].startswith("pod/checkout-")


async def test_the_other_kinds_and_short_names(kubectl: Kubectl) -> None:
    output = await kubectl("get", "deploy,rs,no,ns", "-A")
    for name in ("deployment.apps/checkout", "replicaset.apps/checkout-", "node/node-1", "namespace/shop"):
        assert name in output
    described = await kubectl("describe", "deployment", "-n", "shop", "checkout")
    assert "ScalingReplicaSet" in described or "Replicas:" in described


async def test_a_pod_is_described_and_deleted(demo: DemoCluster, kubectl: Kubectl) -> None:
    name = demo.cluster.list("Pod")[0]["metadata"]["name"]
    described = await kubectl("describe", "pod", "-n", "shop", name)
    assert "Exit Code:    1" in described
    assert "CrashLoopBackOff" in described
    assert "Back-off restarting failed container" in described
    await kubectl("delete", "pod", "-n", "shop", name, "--wait=false")
    demo.advance(timedelta(seconds=30))
    assert name not in await kubectl("get", "pods", "-n", "shop")


async def test_a_selector_with_pages(kubectl: Kubectl) -> None:
    rows = table(await kubectl("get", "pods", "-A", "-l", "app=checkout", "--chunk-size=1", "--no-headers"))
    assert len(rows) == 2


async def test_what_is_forbidden_is_said_in_the_servers_words(demo: DemoCluster, kubectl: Kubectl) -> None:
    demo.access.deny(resource="nodes")
    message = await kubectl.fails("get", "nodes")
    assert 'cannot list resource "nodes" in API group "" at the cluster scope' in message
