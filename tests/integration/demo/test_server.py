"""Everything of the server that is no watch and no fault."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.demo.conftest import Client
from watcher.demo import DemoCluster, DemoOptions, pods
from watcher.demo.faults import Fail

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "path",
    [
        "/version",
        "/api",
        "/apis",
        "/api/v1",
        "/apis/apps",
        "/apis/apps/v1",
        "/apis/batch/v1",
        "/apis/coordination.k8s.io/v1",
        "/apis/authorization.k8s.io/v1",
    ],
)
async def test_discovery_is_answered(client: Client, path: str) -> None:
    status, document = await client.call(path)
    assert status == 200
    assert document


async def test_core_resources_are_named_with_their_subresources(client: Client) -> None:
    _, document = await client.call("/api/v1")
    names = {entry["name"] for entry in document["resources"]}
    assert {"pods", "pods/log", "events", "nodes", "namespaces", "persistentvolumeclaims"} <= names


@pytest.mark.parametrize("path", ["/openapi/v3", "/api/v1/secrets", "/apis/x/v1", "/api/v1/pods/web/exec"])
async def test_what_is_not_served_is_a_404_status(client: Client, path: str) -> None:
    status, document = await client.call(path)
    assert (status, document["kind"], document["reason"]) == (404, "Status", "NotFound")


async def test_one_object_and_one_that_is_not_there(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pods.make("ns", "web"))
    status, pod = await client.call("/api/v1/namespaces/ns/pods/web")
    assert (status, pod["kind"], pod["apiVersion"]) == (200, "Pod", "v1")
    status, document = await client.call("/api/v1/namespaces/ns/pods/wep")
    assert (status, document["message"]) == (404, 'pods "wep" not found')
    assert document["details"] == {"name": "wep", "kind": "pods"}


async def test_pages_over_http(demo: DemoCluster, client: Client) -> None:
    for index in range(5):
        demo.cluster.put(pods.make("ns", f"p{index}"))
    found: list[str] = []
    token = ""
    for _ in range(3):
        _, page = await client.call("/api/v1/pods", limit="2", continue_=token)
        found += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
    assert found == ["p0", "p1", "p2", "p3", "p4"]
    assert token == ""


async def test_tables_and_metadata_only(demo: DemoCluster, client: Client) -> None:
    demo.cluster.put(pods.make("ns", "web"))
    async with client.session.get(demo.url + "/api/v1/pods", headers=TABLE) as response:
        table = await response.json()
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"][:5]] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    async with client.session.get(demo.url + "/api/v1/namespaces/ns/pods/web", headers=TABLE) as response:
        assert len((await response.json())["rows"]) == 1
    headers = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    async with client.session.get(demo.url + "/api/v1/pods", headers=headers) as response:
        document = await response.json()
    assert document["kind"] == "PartialObjectMetadataList"
    assert set(document["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_the_date_is_the_clusters(demo: DemoCluster, client: Client) -> None:
    demo.advance(timedelta(days=400))
    async with client.session.get(demo.url + "/version") as response:
        assert abs(parsedate_to_datetime(response.headers["Date"]) - demo.timeline.now()) < timedelta(seconds=2)


async def test_tokens_can_be_asked_for_and_changed_at_run_time(demo: DemoCluster, client: Client) -> None:
    demo.access.tokens = {"one"}
    assert (await client.call("/api/v1/pods"))[0] == 401
    headers = {"Authorization": "Bearer one"}
    for expected in (200, 401):
        async with client.session.get(demo.url + "/api/v1/pods", headers=headers) as response:
            assert response.status == expected
        demo.access.tokens = {"two"}


async def test_denied_rules_answer_403_and_reviews_agree(demo: DemoCluster, client: Client) -> None:
    demo.access.deny(resource="nodes")
    demo.access.deny(resource="pods", scope="cluster")
    assert [
        (await client.call(path))[0] for path in ("/api/v1/nodes", "/api/v1/pods", "/api/v1/namespaces/a/pods")
    ] == [
        403,
        403,
        200,
    ]
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answers = []
    for resource, namespace in (("nodes", ""), ("pods", ""), ("pods", "a")):
        attributes = {"verb": "list", "resource": resource, "namespace": namespace}
        body = {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
        status, review = await client.call(path, method="POST", body=body)
        assert status == 201
        answers.append(review["status"]["allowed"])
    assert answers == [False, False, True]


LEASES = "/apis/coordination.k8s.io/v1/namespaces/w/leases"


def lease(holder: str, version: str = "") -> dict[str, Any]:
    metadata = {"name": "watcher"} | ({"resourceVersion": version} if version else {})
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-11-20T10:00:00.000000Z"}
    return {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "spec": spec}


async def test_a_lease_is_created_once_and_changed_by_who_read_it_last(client: Client) -> None:
    assert (await client.call(f"{LEASES}/watcher"))[0] == 404
    status, made = await client.call(LEASES, method="POST", body=lease("one"))
    assert (status, made["spec"]["holderIdentity"]) == (201, "one")
    status, document = await client.call(LEASES, method="POST", body=lease("two"))
    assert (status, document["reason"]) == (409, "AlreadyExists")
    version = made["metadata"]["resourceVersion"]
    status, changed = await client.call(f"{LEASES}/watcher", method="PUT", body=lease("two", version))
    assert (status, changed["spec"]["holderIdentity"]) == (200, "two")
    status, document = await client.call(f"{LEASES}/watcher", method="PUT", body=lease("one", version))
    assert (status, document["reason"]) == (409, "Conflict")
    assert (await client.call(f"{LEASES}/watcher"))[1]["spec"]["holderIdentity"] == "two"
    assert (await client.call(f"{LEASES}/watcher", method="DELETE"))[0] == 200
    assert (await client.call(f"{LEASES}/watcher"))[0] == 404


async def test_a_body_that_is_no_json_object_is_refused(demo: DemoCluster, client: Client) -> None:
    for data, kind, expected in (
        (b"{", "application/json", 400),
        (b"k8s\0", "application/vnd.kubernetes.protobuf", 415),
    ):
        headers = {"Content-Type": kind}
        async with client.session.post(demo.url + LEASES, data=data, headers=headers) as response:
            assert response.status == expected


async def test_a_pod_deleted_over_http_goes_gracefully_and_is_replaced(demo: DemoCluster, client: Client) -> None:
    await demo.play("healthy")
    (name,) = [name for name in await client.names("/api/v1/namespaces/shop/pods") if name == "db-0"]
    path = f"/api/v1/namespaces/shop/pods/{name}"
    uid = (await client.call(path))[1]["metadata"]["uid"]
    status, pod = await client.call(path, method="DELETE")
    assert status == 200
    assert pod["metadata"]["deletionTimestamp"]
    demo.advance(timedelta(seconds=30))
    assert (await client.call(path))[1]["metadata"]["uid"] != uid
    assert (await client.call(path, method="DELETE", body={"gracePeriodSeconds": 0}))[1]["status"] == "Success"


async def test_a_patch_changes_labels_and_spec(demo: DemoCluster, client: Client) -> None:
    await demo.play("healthy")
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    url = demo.url + "/api/v1/nodes/node-1"
    async with client.session.patch(url, data=b'{"spec":{"unschedulable":true}}', headers=headers) as response:
        assert (await response.json())["spec"]["unschedulable"] is True


async def test_logs_over_http(demo: DemoCluster, client: Client) -> None:
    await demo.play("crashloop")
    demo.advance(timedelta(minutes=2))
    name = (await client.names("/api/v1/namespaces/shop/pods"))[0]
    path = f"/api/v1/namespaces/shop/pods/{name}/log"
    status, text = await client.call(path, previous="true", tailLines="1")
    assert (status, text) == (200, "FATAL: could not connect to server: Connection refused (db.shop.svc:5432)\n")
    status, document = await client.call(path, container="nope")
    assert (status, document["message"]) == (400, f"container nope is not valid for pod {name}")


async def test_statistics_come_through_the_proxy_and_from_the_kubelets_own_port(
    demo: DemoCluster, client: Client
) -> None:
    await demo.play("healthy")
    nodes = (await client.call("/api/v1/nodes"))[1]["items"]
    claims = set()
    for node in nodes:
        _, summary = await client.call(f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary")
        port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
        headers = {"Authorization": "Bearer kubelet-token"}
        async with client.session.get(f"http://127.0.0.1:{port}/stats/summary", headers=headers) as response:
            assert (await response.json()) == summary
        assert summary["node"]["nodeName"] == node["metadata"]["name"]
        claims |= {v["pvcRef"]["name"] for p in summary["pods"] for v in p["volume"] if "pvcRef" in v}
    assert claims == {"data-db-0"}
    assert (await client.call("/api/v1/nodes/nope/proxy/stats/summary"))[0] == 404


async def test_the_kubelets_port_asks_for_a_token(demo: DemoCluster, client: Client) -> None:
    demo.access.kubelet_unprivileged = {"weak"}
    codes = []
    for token in ("", "wrong", "weak", "kubelet-token"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with client.session.get(f"{demo.kubelet_url}/stats/summary", headers=headers) as response:
            codes.append(response.status)
    assert codes == [401, 401, 403, 200]


async def test_faults_reach_the_kubelets_ports_too(demo: DemoCluster, client: Client) -> None:
    headers = {"Authorization": "Bearer kubelet-token"}
    demo.faults.apply(Fail(status=503, times=1, resource="stats"))
    demo.faults.apply(Fail(status=500, times=1, resource="stats", namespace="another-node"))
    codes = []
    for _ in range(2):
        async with client.session.get(f"{demo.kubelet_url}/stats/summary", headers=headers) as response:
            codes.append(response.status)
    assert codes == [503, 200]


async def test_requests_are_counted_and_remembered(demo: DemoCluster, client: Client) -> None:
    await client.names(limit="5")
    await client.call("/api/v1/namespaces/a/pods/x")
    async with client.watch():
        await demo.watched(resource="pods")
    assert demo.counts == {("list", "pods"): 1, ("get", "pods"): 1, ("watch", "pods"): 1}
    assert demo.requests[0].query == {"limit": "5"}
    assert demo.requests[1].namespace == "a"
    assert demo.requests[2].headers["accept-encoding"] == "identity"
    assert (await client.call("/demo/counts"))[1]["requests"]["list pods"] == 1


async def test_the_tours_troubles_begin_within_a_minute_and_checkout_recovers(demo: DemoCluster) -> None:
    await demo.play("tour")
    speed = 20

    def reasons() -> set[str]:
        found = set()
        for pod in demo.cluster.list("Pod", "shop"):
            for status in pod["status"].get("containerStatuses", []):
                for state in (status["state"], status["lastState"]):
                    found |= {entry["reason"] for entry in state.values() if "reason" in entry}
        return found

    assert not {"OOMKilled", "CrashLoopBackOff", "ImagePullBackOff"} & reasons()
    demo.advance(timedelta(seconds=60 * speed))
    assert {"OOMKilled", "CrashLoopBackOff", "ImagePullBackOff", "Error"} <= reasons()
    usage = demo.stats.claims["shop", "data-db-0"]
    assert usage.used_at(demo.timeline.now()) / usage.capacity > 0.92
    assert "node-3" in demo.world.down
    demo.advance(timedelta(minutes=60))
    assert not demo.world.down
    checkout = [pod for pod in demo.cluster.list("Pod", "shop") if pod["metadata"]["name"].startswith("checkout-")]
    assert len(checkout) == 2
    for pod in checkout:
        (status,) = pod["status"]["containerStatuses"]
        assert status["ready"]
        assert status["restartCount"] == 0


async def test_a_recording_is_served(tmp_path: Path) -> None:
    import json

    item = pods.make("ns", "web")
    lines = [{"recording": 1}, {"at": "2020-01-01T00:00:00Z", "kind": "Pod", "event": "LISTED", "object": item}]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    async with DemoCluster(DemoOptions(manual=True)) as demo, aiohttp.ClientSession() as session:
        await demo.play_recording(path)
        client = Client(demo, session)
        assert await client.names() == ["web"]
        assert demo.timeline.now().year == 2020


async def test_real_time_passes_at_the_scenarios_speed() -> None:
    async with DemoCluster(DemoOptions(speed=200)) as demo, aiohttp.ClientSession() as session:
        await demo.play("crashloop")
        client = Client(demo, session)
        async with client.watch() as stream, asyncio.timeout(10):
            while "CrashLoopBackOff" not in str(await stream.event()):
                pass


async def test_a_scenario_that_breaks_is_not_silent(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(
        "scenario: broken\nworkloads: [{pod: a/x, image: 'r/x:1'}]\n"
        "timeline: [{at: 100ms, remove: a/x}, {at: 200ms, crash: a/x}]\n",
        encoding="utf-8",
    )

    async def run() -> None:
        async with DemoCluster() as demo:
            await demo.play(path)
            await demo.stopped()

    with pytest.raises(KeyError, match="no workload a/x"):
        await run()


async def test_python_m_watcher_demo_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    command = ["-m", "watcher.demo", "--scenario", "healthy", "--kubeconfig", str(config)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("API server  http://127.0.0.1:")
    async with aiohttp.ClientSession() as session, session.get(line.split()[2] + "/api/v1/pods") as response:
        assert len((await response.json())["items"]) > 5
    assert config.exists()
    os.kill(process.pid, signal.SIGINT)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_python_m_watcher_demo_says_what_is_wrong_with_a_scenario(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("scenario: x\nnodse: 3\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "watcher.demo", "--scenario", str(path), stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode() == f"{path}:2:1: unknown key nodse; did you mean nodes?\n"
