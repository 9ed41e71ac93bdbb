"""The summary of the first start."""

from __future__ import annotations

from tests.support.messages import (
    changed,
    crash_loop,
    crash_signal,
    envelope,
    facts,
    image_signal,
    oom_kill,
)
from watcher.model.message import SendReason
from watcher.notify.facts import AlertFacts
from watcher.notify.render import summary

BASELINE = envelope(SendReason.BASELINE)


def loops(namespace: str, count: int) -> list[AlertFacts]:
    signals = [crash_signal(workload=f"{namespace}-{n}", namespace=namespace) for n in range(count)]
    return [facts([signal], "ContainerCrashLooping") for signal in signals]


def test_what_was_broken_is_counted_by_kind_and_namespace_and_critical_things_are_named() -> None:
    down = changed(crash_loop(), labels={**crash_loop().alert.labels, "severity": "critical"})
    images = [facts([image_signal(workload=f"i{n}", namespace="tools")], "ImagePullFailing") for n in range(2)]
    notification = summary(BASELINE, [*loops("shop", 8), *loops("tools", 5), *images, down, oom_kill()])
    assert notification.title == "🟠 Watcher has started on prod-eu and found 17 things already broken"
    assert notification.text.splitlines() == [
        "crash loop 14 (shop 9, tools 5) · image cannot be pulled: tools/i0, tools/i1 · OOM kill: shop/api",
        "Critical: shop/checkout",
        "From now on each change is told by itself.",
    ]


def test_machines_get_every_alert_of_the_summary() -> None:
    notification = summary(BASELINE, loops("shop", 40))
    assert len(notification.alerts) == 40
    assert {alert.status for alert in notification.alerts} == {"firing"}
    assert notification.status == "firing"
    assert notification.reason is SendReason.BASELINE


def test_one_broken_thing_is_one_thing() -> None:
    notification = summary(envelope(SendReason.BASELINE, cluster=""), loops("shop", 1))
    assert notification.title == "🟠 Watcher has started and found 1 thing already broken"
    assert notification.text.splitlines()[0] == "crash loop: shop/shop-0"


def test_many_namespaces_are_cut_with_a_count() -> None:
    spread = [alert for n in range(9) for alert in loops(f"ns{n}", 2)]
    assert summary(BASELINE, spread).text.splitlines()[0] == (
        "crash loop 18 (ns0 2, ns1 2, ns2 2, ns3 2, ns4 2 and 4 more)"
    )
