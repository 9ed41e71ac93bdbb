"""The whole service against a cluster with nodes, claims and kubelets: what breaks there reaches a webhook, and ends.

Nothing is shortened: the shipped rules and routes, the tables of the API server, the kubelets' own statistics through
its proxy. Only the time runs faster, for the cluster and for Watcher alike.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.receivers import HttpReceiver
from watcher.app import RunOptions, run
from watcher.demo import DemoCluster, DemoOptions
from watcher.engine.clock import FastClock
from watcher.settings.load import load

SPEED = 60
"""A minute of the cluster is a second."""

SCENARIO = """\
scenario: hardware
about: A volume fills up and is emptied; a node is lost and comes back; a claim loses its volume.
seed: hardware
history: 2h
nodes: 3
claims:
  - {claim: shop/data-db-0, size: 20Gi, used: 60}
  - {claim: shop/archive, size: 50Gi, used: 10}
workloads:
  - statefulset: shop/db
    image: registry.example.com/library/postgres:17.6
    volumes: {data: data-db-0}
  - deployment: shop/web
    replicas: 3
    image: registry.example.com/shop/web:3.1.0
timeline:
  - {at: 2m, fill: shop/data-db-0, to: 88}
  - {at: 3m, claim_phase: shop/archive, phase: Lost}
  - {at: 3m, node_down: node-2}
  - {at: 12m, fill: shop/data-db-0, to: 50}
  - {at: 14m, node_up: node-2}
"""

CONFIG = """\
cluster: demo
volumes: {{source: apiserver, interval: 1s}}
receivers: [{{name: team, webhook_configs: [{{url: "{url}"}}]}}]
"""


async def test_what_breaks_in_nodes_and_volumes_reaches_the_receiver_and_so_does_its_end(tmp_path: Path) -> None:
    receiver = HttpReceiver()
    await receiver.start()
    (tmp_path / "config.yaml").write_text(CONFIG.format(url=receiver.url))
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    settings = load(tmp_path / "config.yaml").with_overrides(data=tmp_path, listen="127.0.0.1:0")
    stop = asyncio.Event()
    async with DemoCluster(DemoOptions(speed=SPEED)) as demo:
        await demo.play(tmp_path / "scenario.yaml")
        asyncio.get_running_loop().call_later(20 * 60 / SPEED, stop.set)
        options = RunOptions(
            kubeconfig=str(demo.kubeconfig(tmp_path / "kubeconfig")),
            clock=FastClock(demo.timeline.now(), SPEED),
            stop=stop,
        )
        assert await run(settings, options) == 0
    await receiver.stop()
    told = {
        (alert["status"], alert["labels"]["alertname"], alert["labels"].get("claim") or alert["labels"].get("node"))
        for one in receiver.received
        for alert in one.body["alerts"]
    }
    assert told == {
        ("firing", "VolumeFillingUp", "data-db-0"),
        ("resolved", "VolumeFillingUp", "data-db-0"),
        ("firing", "NodeNotReady", "node-2"),
        ("resolved", "NodeNotReady", "node-2"),
        ("firing", "ClaimLost", "archive"),
    }
