"""The namespaced overlay as a service: its roles at an API server that refuses all else, its configuration, alerts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import ClientSession

from tests.support.deployed import SECRETS, Deployed
from tests.support.manifests import needs_kubectl
from tests.support.receivers import SlackReceiver
from tests.support.serving import free_port
from watcher.app import RunOptions, run
from watcher.demo import DemoCluster, DemoOptions
from watcher.engine.clock import FastClock
from watcher.settings.load import load

pytestmark = needs_kubectl

SPEED = 30
TOKEN = "the-token-of-the-service-account"

SCENARIO = """\
scenario: neighbours
about: The same trouble in a namespace that is watched and in one that is not.
seed: neighbours
history: 1h
nodes: 2
workloads:
  - {deployment: shop/checkout, replicas: 2, image: "registry.example.com/shop/checkout:2.4.0"}
  - {deployment: bank/ledger, replicas: 2, image: "registry.example.com/bank/ledger:1.0.0"}
timeline:
  - {at: 10s, crash: shop/checkout, exit: 1, after: 3s, logs: ["FATAL: could not connect to server"]}
  - {at: 10s, crash: bank/ledger, exit: 1, after: 3s, logs: ["FATAL: could not connect to server"]}
"""


async def readiness(http: ClientSession) -> tuple[int, list[str]]:
    """The answer once it is there: at first nobody listens."""
    while True:
        try:
            async with http.get("/-/ready") as answer:
                body = await answer.json()
                if answer.status == 200:
                    return answer.status, body["detail"]
        except OSError:
            pass
        await asyncio.sleep(0.05)


async def test_with_roles_in_one_namespace_it_becomes_ready_and_tells_what_breaks_there(tmp_path: Path) -> None:
    slack = SlackReceiver()
    await slack.start()
    deployed = Deployed("overlays/namespaced", tmp_path, {**SECRETS, "slack": slack.url})
    (tmp_path / "scenario.yaml").write_text(SCENARIO, encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    settings = load(deployed.config, None, {}).with_overrides(data=tmp_path, listen=urlsplit(url).netloc)
    stop = asyncio.Event()
    async with DemoCluster(DemoOptions(speed=SPEED)) as demo, ClientSession(url) as http, asyncio.timeout(90):
        demo.access.bind(deployed.documents)
        demo.access.tokens.add(TOKEN)
        await demo.play(tmp_path / "scenario.yaml")
        options = RunOptions(
            kubeconfig=str(demo.kubeconfig(tmp_path / "kubeconfig", TOKEN)),
            clock=FastClock(demo.timeline.now(), SPEED),
            stop=stop,
        )
        service = asyncio.create_task(run(settings, options))
        try:
            _, detail = await readiness(http)
            while not slack.received and not service.done():
                await asyncio.sleep(0.05)
        finally:
            stop.set()
            assert await service == 0
        asked = [(seen.verb, seen.resource, seen.namespace) for seen in demo.requests]
    await slack.stop()
    told = json.dumps([one.body for one in slack.received])
    assert "checkout" in told
    assert "FATAL: could not connect to server" in told, "the log is read by a role of its own"
    assert "ledger" not in told
    assert [line.partition(" may not be read")[0] for line in detail] == ["nodes", "namespaces"]
    assert ("list", "pods", "shop") in asked
    assert ("list", "pods", "") not in asked, "what the whole cluster holds is never asked for"


async def test_without_the_role_for_logs_the_message_comes_and_says_so(tmp_path: Path) -> None:
    slack = SlackReceiver()
    await slack.start()
    deployed = Deployed("overlays/namespaced", tmp_path, {**SECRETS, "slack": slack.url})
    (tmp_path / "scenario.yaml").write_text(SCENARIO, encoding="utf-8")
    settings = load(deployed.config, None, {}).with_overrides(data=tmp_path, listen="127.0.0.1:0")
    stop = asyncio.Event()
    async with DemoCluster(DemoOptions(speed=SPEED)) as demo, asyncio.timeout(90):
        demo.access.bind(one for one in deployed.documents if one["metadata"]["name"] != "watcher-logs")
        await demo.play(tmp_path / "scenario.yaml")
        options = RunOptions(
            kubeconfig=str(demo.kubeconfig(tmp_path / "kubeconfig")),
            clock=FastClock(demo.timeline.now(), SPEED),
            stop=stop,
        )
        service = asyncio.create_task(run(settings, options))
        try:
            while not slack.received and not service.done():
                await asyncio.sleep(0.05)
        finally:
            stop.set()
            assert await service == 0
    await slack.stop()
    told = json.dumps([one.body for one in slack.received])
    assert "checkout" in told
    assert "FATAL" not in told
    assert "pods/log" in told
