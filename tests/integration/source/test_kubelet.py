"""The sampler of volumes against kubelets on loopback: with TLS, with faults, and through the API server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from tests.integration.source.harness import SHORT, Memory, SystemClock, until
from watcher.demo import DemoCluster
from watcher.demo.faults import Clear, Fail, Hang
from watcher.model.config import VolumesConfig, WatchConfig
from watcher.model.kube import DaemonEndpoint, DaemonEndpoints, Node, NodeAddress, NodeStatus, ObjectMeta
from watcher.model.observations import EventType, Listing, NodeSeen, Scope, StatsSampled, Synced
from watcher.source import kubelet
from watcher.source.client import KubeClient, connect
from watcher.source.errors import ConnectError
from watcher.source.kube import ListWatch
from watcher.source.kubelet import KubeletSampler, place

TLS = Path(__file__).parent / "tls"
NODES = Scope(kind="Node")
TOKEN = "kubelet-token"
SOON = timedelta(milliseconds=40)

Sampling = Callable[..., KubeletSampler]


def volume(claim: str, namespace: str = "shop") -> dict[str, Any]:
    return {
        "time": "2026-11-20T10:00:00Z",
        "availableBytes": 40,
        "capacityBytes": 100,
        "name": "v",
        "pvcRef": {"name": claim, "namespace": namespace},
    }


def pod(name: str, *volumes: dict[str, Any], namespace: str = "shop") -> dict[str, Any]:
    return {"podRef": {"name": name, "namespace": namespace, "uid": "u"}, "volume": list(volumes)}


SUMMARY = {
    "node": {"nodeName": "node-1", "cpu": {"usageNanoCores": 1}, "fs": {"capacityBytes": 1000, "availableBytes": 10}},
    "pods": [
        pod("db-0", volume("data"), {"time": "2026-11-20T10:00:00Z", "name": "token", "capacityBytes": 5}),
        pod("web-1", {"name": "config", "availableBytes": 5}),
        pod("agent", volume("buffer", "system"), namespace="system"),
    ],
}


@pytest.fixture
async def demo(request: pytest.FixtureRequest) -> AsyncIterator[DemoCluster]:
    """Its kubelets speak TLS, unless a test asks for plain ones."""
    async with DemoCluster() as cluster:
        if getattr(request, "param", "tls") == "tls":
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(TLS / "kubelet.crt", TLS / "kubelet.key")
            cluster.kubelets.tls = context
        for name in ("node-1", "node-2"):
            cluster.world.add_node(name)
            cluster.stats.recorded[name] = SUMMARY
        yield cluster


@pytest.fixture
async def client(demo: DemoCluster, tmp_path: Path) -> AsyncIterator[KubeClient]:
    made = await connect(SystemClock(), str(demo.kubeconfig(tmp_path / "kubeconfig", token=TOKEN)))
    yield made
    await made.close()


@pytest.fixture
async def sampling(client: KubeClient, intake: Memory) -> AsyncIterator[Sampling]:
    """Starts a sampler; it ends with the test."""
    tasks: list[asyncio.Task[None]] = []

    def start(*nodes: Node, watch: WatchConfig | None = None, plain: bool = False, **fields: Any) -> KubeletSampler:
        given: dict[str, Any] = {"ca_file": str(TLS / "ca.crt"), "interval": SOON, **fields}
        settings = (VolumesConfig(**given), watch or WatchConfig())
        sampler = KubeletSampler(client, settings, intake, SystemClock(), plain=plain, rng=random.Random(7))
        for one in nodes:
            sampler.node_seen(seen(one))
        tasks.append(asyncio.create_task(sampler.run()))
        return sampler

    yield start
    for task in tasks:
        assert not task.done(), "the sampler ended unasked"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def seen(node: Node, event: EventType = EventType.ADDED) -> NodeSeen:
    return NodeSeen(at=datetime.now(UTC), event=event, scope=NODES, node=node)


def node_of(demo: DemoCluster, name: str = "node-1") -> Node:
    return msgspec.convert(demo.cluster.get("Node", "", name), Node)


def sampled(intake: Memory) -> list[StatsSampled]:
    return [one for one in intake.seen if isinstance(one, StatsSampled)]


async def test_a_kubelet_whose_certificate_is_verified_is_asked_again_and_again(
    demo: DemoCluster, sampling: Sampling, intake: Memory
) -> None:
    sampler = sampling(node_of(demo))
    await until(lambda: sampler.stats.samples >= 3)
    first = sampled(intake)[0]
    assert first.node == "node-1"
    assert first.summary.node.fs is not None
    assert first.summary.node.fs.available_bytes == 10
    assert not sampler.stats.errors


async def test_which_nodes_there_are_is_heard_from_their_stream(
    demo: DemoCluster, client: KubeClient, sampling: Sampling, intake: Memory
) -> None:
    sampler = sampling()
    stream = ListWatch(client, NODES, intake, SystemClock(), SHORT, tap=sampler.node_seen)
    task = asyncio.create_task(stream.run())
    await until(lambda: {one.node for one in sampled(intake)} == {"node-1", "node-2"})
    demo.world.add_node("node-3")
    await until(lambda: "node-3" in {one.node for one in sampled(intake)})
    assert sampler.stats.nodes == 3
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_of_a_summary_only_volumes_of_claims_are_kept_and_every_pods_name(
    demo: DemoCluster, sampling: Sampling, intake: Memory
) -> None:
    sampler = sampling(node_of(demo))
    await until(lambda: sampler.stats.samples)
    pods = sampled(intake)[0].summary.pods or []
    claims = [[v.pvc_ref.name for v in one.volume or () if v.pvc_ref] for one in pods]
    assert [one.pod_ref.name for one in pods] == ["db-0", "web-1", "agent"]
    assert claims == [["data"], [], ["buffer"]]
    assert sampler.stats.ignored["no_claim"] >= 2


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param(WatchConfig(namespaces=("shop",)), id="only shop"),
        pytest.param(WatchConfig(exclude_namespaces=("system",)), id="not system"),
    ],
)
async def test_pods_of_namespaces_that_are_not_watched_are_left_out(
    demo: DemoCluster, sampling: Sampling, intake: Memory, watch: WatchConfig
) -> None:
    sampler = sampling(node_of(demo), watch=watch)
    await until(lambda: sampler.stats.samples)
    assert [one.pod_ref.name for one in sampled(intake)[0].summary.pods or ()] == ["db-0", "web-1"]
    assert sampler.stats.ignored["not_watched"] >= 1


async def test_another_ca_is_refused_and_the_error_says_what_to_do(
    demo: DemoCluster, sampling: Sampling, intake: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    sampler = sampling(node_of(demo), node_of(demo, "node-2"), ca_file=str(TLS / "other.crt"))
    await until(lambda: len(sampler.stats.failing.get(kubelet.TLS, ())) == 2)
    await until(lambda: sampler.stats.errors[kubelet.TLS] >= 4)
    assert not sampled(intake)
    assert set(sampler.stats.errors) == {kubelet.TLS}
    assert "volumes.ca_file" in sampler.stats.trouble[kubelet.TLS]
    assert [r.__dict__["event"] for r in caplog.records] == ["kubelet.failed"], "said once, not for each node and try"


async def test_a_certificate_goes_unverified_only_where_the_configuration_says_so(
    demo: DemoCluster, sampling: Sampling, caplog: pytest.LogCaptureFixture
) -> None:
    sampler = sampling(node_of(demo), ca_file="", insecure_skip_verify=True)
    await until(lambda: sampler.stats.samples)
    assert "kubelet.not_verified" in {r.__dict__.get("event") for r in caplog.records}


def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "ca.crt"
    broken.write_text("no certificate")
    with pytest.raises(ConnectError, match=r"ca\.crt cannot be used for kubelets"):
        kubelet.tls_context(VolumesConfig(ca_file=str(broken)), None)


@pytest.mark.parametrize("demo", ["plain"], indirect=True)
async def test_kubelets_without_tls_are_asked_only_where_the_caller_says_so(
    demo: DemoCluster, sampling: Sampling
) -> None:
    strict, plain = sampling(node_of(demo)), sampling(node_of(demo), plain=True)
    await until(lambda: plain.stats.samples and strict.stats.errors)
    assert not strict.stats.samples


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        pytest.param("401", kubelet.UNAUTHORIZED, id="401"),
        pytest.param("403", kubelet.FORBIDDEN, id="403"),
        pytest.param("500", kubelet.BAD_ANSWER, id="500"),
    ],
)
async def test_a_refusal_is_counted_by_its_kind_named_once_and_over_when_it_is_over(
    demo: DemoCluster, sampling: Sampling, caplog: pytest.LogCaptureFixture, trouble: str, kind: str
) -> None:
    caplog.set_level(logging.INFO)
    if trouble == "500":
        demo.faults.apply(Fail(resource="stats", status=500))
    else:
        demo.access.kubelet_tokens.clear()
        demo.access.kubelet_unprivileged = {TOKEN} if trouble == "403" else set()
    sampler = sampling(node_of(demo), node_of(demo, "node-2"))
    await until(lambda: sampler.stats.errors[kind] >= 4)
    assert trouble in sampler.stats.trouble[kind]
    warned = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert [r.__dict__["reason"] for r in warned] == [kind]
    demo.access.kubelet_tokens.add(TOKEN)
    demo.faults.apply(Clear())
    await until(lambda: sampler.stats.samples and not sampler.stats.failing)
    assert sampler.stats.trouble == {}


async def test_a_kubelet_that_does_not_answer_delays_no_other(demo: DemoCluster, sampling: Sampling) -> None:
    demo.faults.apply(Hang(resource="stats", namespace="node-1"))
    sampler = sampling(node_of(demo), node_of(demo, "node-2"))
    await until(lambda: sampler.stats.samples >= 5)
    assert not sampler.stats.errors, "the first is still being waited for"


async def test_a_node_that_nobody_listens_on_is_unreachable_and_asked_less_often(
    demo: DemoCluster, sampling: Sampling, unused_tcp_port: int
) -> None:
    dead = Node(
        metadata=ObjectMeta(name="dead"),
        status=NodeStatus(
            addresses=[NodeAddress(type="InternalIP", address="127.0.0.1")],
            daemon_endpoints=DaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=unused_tcp_port)),
        ),
    )
    sampler = sampling(dead, Node(metadata=ObjectMeta(name="nowhere")), node_of(demo))
    await until(lambda: sampler.stats.failing.get(kubelet.UNREACHABLE) == {"dead", "nowhere"})
    await until(lambda: sampler.stats.samples >= 12)
    assert sampler.stats.errors[kubelet.UNREACHABLE] < 2 * sampler.stats.samples


@pytest.mark.parametrize(
    "body", [pytest.param(b"<html>", id="no JSON"), pytest.param(b"x" * (kubelet.LARGEST + 2), id="larger than 8 MiB")]
)
async def test_an_answer_that_is_no_summary_is_a_bad_answer(sampling: Sampling, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/stats/summary", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    strange = Node(
        metadata=ObjectMeta(name="strange"),
        status=NodeStatus(
            addresses=[NodeAddress(type="InternalIP", address="127.0.0.1")],
            daemon_endpoints=DaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=runner.addresses[0][1])),
        ),
    )
    sampler = sampling(strange, plain=True)
    await until(lambda: sampler.stats.errors[kubelet.BAD_ANSWER])
    await runner.cleanup()


async def test_through_the_api_server_no_kubelet_is_connected_to(
    demo: DemoCluster, sampling: Sampling, intake: Memory
) -> None:
    demo.access.kubelet_tokens.clear()
    sampler = sampling(node_of(demo), source="apiserver")
    await until(lambda: sampler.stats.samples)
    assert sampled(intake)[0].node == "node-1"
    assert any(one.path == "/api/v1/nodes/node-1/proxy/stats/summary" for one in demo.requests)


async def test_the_api_servers_403_names_the_right_that_is_missing(demo: DemoCluster, sampling: Sampling) -> None:
    demo.access.deny(resource="nodes", subresource="proxy")
    sampler = sampling(node_of(demo), source="apiserver")
    await until(lambda: sampler.stats.errors[kubelet.FORBIDDEN])
    assert "nodes/proxy" in sampler.stats.trouble[kubelet.FORBIDDEN]


async def test_nodes_that_are_gone_are_asked_no_more(demo: DemoCluster, sampling: Sampling) -> None:
    first, second = node_of(demo), node_of(demo, "node-2")
    sampler = sampling(first, second)
    now = datetime.now(UTC)
    sampler.node_seen(Listing(at=now, scope=NODES))
    sampler.node_seen(seen(second, EventType.LISTED))
    assert sampler.stats.nodes == 2, "the list is not over"
    sampler.node_seen(Synced(at=now, scope=NODES))
    assert sampler.stats.nodes == 1
    sampler.node_seen(seen(second, EventType.DELETED))
    assert sampler.stats.nodes == 0


def test_nodes_have_their_own_places_in_the_interval() -> None:
    counts = [0] * 10
    for number in range(5000):
        counts[int(place(f"ip-10-0-{number // 256}-{number % 256}.ec2.internal") * 10)] += 1
    assert min(counts) > 400
    assert max(counts) < 600


@pytest.mark.parametrize(
    ("addresses", "port", "expected"),
    [
        pytest.param(["InternalIP 10.0.0.1", "Hostname n1"], 10255, "10.0.0.1:10255", id="its own port"),
        pytest.param(["Hostname n1", "InternalIP 10.0.0.1"], 0, "10.0.0.1:10250", id="the usual port"),
        pytest.param(["InternalIP fd00::1", "InternalIP 10.0.0.1"], 0, "[fd00::1]:10250", id="IPv6 first"),
        pytest.param(["Hostname n1"], 0, "n1:10250", id="only a name"),
        pytest.param(["ExternalIP 1.2.3.4"], 0, "", id="none inside"),
    ],
)
def test_a_kubelet_is_asked_at_its_nodes_first_internal_address(addresses: list[str], port: int, expected: str) -> None:
    made = [NodeAddress(type=kind, address=value) for kind, value in (one.split() for one in addresses)]
    endpoints = DaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=port)) if port else None
    node = Node(metadata=ObjectMeta(name="n1"), status=NodeStatus(addresses=made, daemon_endpoints=endpoints))
    assert kubelet.address_of(node) == expected
