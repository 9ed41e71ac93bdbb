"""A stream that falls silent: an alert, a sentence in the readiness, and no heartbeat. A forbidden one: a sentence."""

from __future__ import annotations

import logging

import pytest
from prometheus_client.core import Metric

from tests.integration.service.conftest import Serving, until
from tests.support.keeper import Keeper
from tests.support.receivers import HttpReceiver
from watcher.app.service import Service
from watcher.demo import DemoCluster
from watcher.demo.faults import Clear, Fail, Stall
from watcher.demo.pods import Container, make, waiting
from watcher.engine.clock import SystemClock

HURRY = 60
"""Three minutes of silence pass in three seconds."""

CONFIG = """\
cluster: demo
volumes: {{source: none}}
first_start: alert
heartbeat: {{url: "http://127.0.0.1:{keeper}/beat"}}
route: {{receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1s}}
receivers: [{{name: team, webhook_configs: [{{url: "{url}"}}]}}]
"""


class HurriedClock(SystemClock):
    """By which silence is measured; the times of day are right."""

    def monotonic(self) -> float:
        return super().monotonic() * HURRY


def told(receiver: HttpReceiver) -> list[tuple[str, str]]:
    return [(one.body["status"], one.body["groupLabels"]["alertname"]) for one in receiver.received]


def metric(service: Service, name: str, kind: str) -> float:
    families: list[Metric] = [family for family in service.metrics() if family.name == name]
    return next(sample.value for family in families for sample in family.samples if sample.labels["kind"] == kind)


async def beats(service: Service, keeper: Keeper) -> bool:
    """Whether the next heartbeat goes."""
    before = len(keeper.calls)
    assert service.heartbeat is not None
    await service.heartbeat.step()
    return len(keeper.calls) > before


async def test_a_stream_that_falls_silent_is_told_and_stops_the_heartbeat_until_it_is_heard_again(
    serving: Serving, receiver: HttpReceiver, keeper: Keeper
) -> None:
    config = CONFIG.format(url=receiver.url, keeper=keeper.port)
    async with DemoCluster() as demo:
        demo.watch_options.bookmark_interval = 0.2
        demo.cluster.put(make("shop", "web-1"))
        async with serving(demo, config, HurriedClock()) as service:
            await until(lambda: service.readiness().waiting == ())
            await demo.watched(5)
            assert await beats(service, keeper)
            assert service.readiness().detail == ()

            demo.faults.apply(Stall(resource="pods"))
            await until(lambda: told(receiver) == [("firing", "WatcherBlind")])
            assert service.readiness().detail == ("pods of the cluster: nothing was heard of it",)
            assert metric(service, "watcher_stream_stale_seconds", "Pod") >= 180
            assert metric(service, "watcher_stream_stale_seconds", "Node") < 180
            assert not await beats(service, keeper)

            demo.faults.apply(Clear())
            await until(lambda: told(receiver)[1:] == [("resolved", "WatcherBlind")])
            assert service.readiness().detail == ()
            assert await beats(service, keeper)


async def test_what_may_not_be_read_is_named_and_the_rest_goes_on(
    serving: Serving, receiver: HttpReceiver, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    async with DemoCluster() as demo:
        demo.access.deny(resource="nodes")
        demo.access.deny(resource="namespaces")
        demo.cluster.put(make("shop", "web-1"))
        async with serving(demo, CONFIG.format(url=receiver.url, keeper=keeper.port)) as service:
            await until(lambda: service.writer.view.pods.rows)
            await until(lambda: service.readiness().waiting == ())
            assert service.readiness().detail == (
                "nodes may not be read (403): no node alerts, no volume usage from kubelets",
                "namespaces may not be read (403): no hints by annotations of namespaces",
            )
            assert metric(service, "watcher_stream_forbidden", "Node") == 1
            assert metric(service, "watcher_stream_forbidden", "Pod") == 0
            assert metric(service, "watcher_stream_errors", "Node") == 1
            assert await beats(service, keeper), "what was never allowed is no reason to be silent"
            await until(lambda: [one for one in caplog.records if one.__dict__.get("event") == "access.missing"])
    [line] = [one for one in caplog.records if one.__dict__.get("event") == "access.missing"]
    assert line.levelno == logging.WARNING
    assert "no node alerts" in line.__dict__["missing"]
    assert "namespaces may not be read" in line.__dict__["missing"]


async def test_a_stream_that_is_never_listed_holds_nothing_back_for_ever(
    serving: Serving, receiver: HttpReceiver, keeper: Keeper
) -> None:
    async with DemoCluster() as demo:
        demo.watch_options.bookmark_interval = 0.2
        demo.faults.apply(Fail(resource="events", status=500))
        cannot = Container(state=waiting("ErrImagePull", 'rpc error: code = NotFound desc = "x:1": not found'))
        demo.cluster.put(make("shop", "web-1", containers=[cannot]))
        config = CONFIG.format(url=receiver.url, keeper=keeper.port)
        async with serving(demo, config, HurriedClock()) as service:
            await until(lambda: ("firing", "WatcherBlind") in told(receiver))
            await until(lambda: ("firing", "ImagePullFailing") in told(receiver))
            assert service.readiness().waiting == ("events of the cluster have not been listed yet",)
            assert not await beats(service, keeper)
