"""A slow database or receiver never closes the watch: reading goes on, and what is known is what is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.integration.service.conftest import Serving, blocked, until
from tests.support.receivers import HANG, Answering, HttpReceiver
from watcher.app.service import Service
from watcher.demo import DemoCluster
from watcher.demo.pods import Container, make, waiting
from watcher.engine.queue import CAPACITY

PODS = 60
ROUNDS = CAPACITY // PODS + 20
"""More changes than the queue has places."""

CONFIG = """\
cluster: demo
volumes: {{source: none}}
first_start: alert
route: {{receiver: team, group_by: [workload], group_wait: 0s}}
receivers: [{{name: team, webhook_configs: [{{url: "{url}"}}]}}]
"""


def breaking(name: str) -> dict[str, object]:
    cannot = Container(state=waiting("ErrImagePull", 'rpc error: code = NotFound desc = "x:1": not found'))
    return make("shop", name, owner=f"Deployment/{name}", containers=[cannot])


def known(service: Service) -> dict[str, bool]:
    return {pod.name: pod.ready for pod in service.writer.view.pods.rows.values()}


def there(demo: DemoCluster) -> dict[str, bool]:
    """Names and readiness, as the API server has it."""
    ready = {"type": "Ready", "status": "True"}
    return {
        pod["metadata"]["name"]: any(ready.items() <= condition.items() for condition in pod["status"]["conditions"])
        for pod in demo.cluster.list("Pod")
    }


async def flow(demo: DemoCluster) -> None:
    """More changes than the queue has places; some pods go, some come, and in the end every third is not ready."""
    for number in range(ROUNDS):
        for index in range(PODS):
            name = f"web-{index}"
            containers = [Container(ready=(number + index) % 3 > 0)]
            demo.cluster.put(make("shop", name, containers=containers, created=demo.timeline.now()))
        await asyncio.sleep(0.005)
    for index in range(0, PODS, 10):
        demo.cluster.delete("Pod", "shop", f"web-{index}")
        demo.cluster.put(make("shop", f"late-{index}"))


async def test_a_database_that_does_not_answer_closes_no_watch(
    serving: Serving, receiver: HttpReceiver, tmp_path: Path
) -> None:
    async with DemoCluster() as demo, serving(demo, CONFIG.format(url=receiver.url)) as service:
        await until(lambda: service.readiness().waiting == ())
        await demo.watched(1, "pods")
        before = demo.counts["watch", "pods"], demo.counts["list", "pods"]
        async with blocked(tmp_path / "watcher.db"):
            demo.cluster.put(breaking("broken"))
            await until(lambda: service.writer.busy)
            await flow(demo)
            await demo.settled(within=30)
            assert receiver.received == []
            assert len(service.queue) <= CAPACITY
        await until(lambda: known(service) == there(demo))
        await until(lambda: receiver.received)
        assert (demo.counts["watch", "pods"], demo.counts["list", "pods"]) == before
        assert service.queue.coalesced > CAPACITY / 2
        assert service.queue.refused == 0
    assert [one.body["groupLabels"]["workload"] for one in receiver.received] == ["broken"]


async def test_a_receiver_that_never_answers_closes_no_watch(serving: Serving, receiver: HttpReceiver) -> None:
    receiver.answering = Answering(status=HANG)
    async with DemoCluster() as demo, serving(demo, CONFIG.format(url=receiver.url)) as service:
        await until(lambda: service.readiness().waiting == ())
        await demo.watched(1, "pods")
        before = demo.counts["watch", "pods"], demo.counts["list", "pods"]
        demo.cluster.put(breaking("broken"))
        await until(lambda: receiver.received)
        await flow(demo)
        await until(lambda: known(service) == there(demo))
        assert (demo.counts["watch", "pods"], demo.counts["list", "pods"]) == before
        assert service.queue.refused == 0
        assert service.dispatcher.waiting() == 1
