"""What ends and begins anew while somebody has not heard of it yet: every receiver hears it all, in its order."""

from __future__ import annotations

from datetime import timedelta

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import GROUP_BY, Timeline, time
from watcher.model.config import Receiver, Secret, WebhookConfig
from watcher.model.delivery import TryLater
from watcher.model.kube import Pod
from watcher.model.observations import DeliveryDone
from watcher.routing.route import Route

HOOK = WebhookConfig(url=Secret("http://hook"))
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def receiver(name: str) -> Receiver:
    return Receiver(name=name, integrations=(("i0", HOOK),))


def route(name: str, number: str, interval: timedelta, *below: Route) -> Route:
    return Route(
        id=number, receiver=name, group_by=GROUP_BY, group_wait=SECOND, group_interval=interval,
        repeat_interval=12 * HOUR, continue_=True, routes=below,
    )  # fmt: skip


def broken(name: str = "web-1", owner: str = "Deployment/web") -> Pod:
    return pod(name, status(waiting="ErrImagePull", message="x:9: not found"), phase="Pending", owner=owner)


def looping(name: str) -> Pod:
    return pod(name, backoff(160, dead(1, at=-20), restarts=6), owner="Deployment/web")


def heard(story: Timeline, name: str) -> list[str]:
    return [one.reason.name for one in story.sent if one.receiver == name]


def test_whoever_was_told_of_its_end_hears_that_it_fires_anew_though_others_still_wait_for_the_end() -> None:
    tree = route("quick", "", MINUTE, route("quick", "0", MINUTE), route("slow", "1", HOUR))
    story = Timeline(receivers=(receiver("quick"), receiver("slow")), route=tree).at(0).lists(broken())
    story.until(100)
    story.sees(pod("web-1", status()))
    story.until(300)
    assert heard(story, "quick") == ["FIRST", "ALL_ENDED"]
    assert heard(story, "slow") == ["FIRST"]
    story.sees(broken())
    story.until(3000)
    assert heard(story, "quick") == ["FIRST", "ALL_ENDED", "FIRST"]
    story.sees(pod("web-1", status()))
    story.until(9000)
    assert heard(story, "quick") == ["FIRST", "ALL_ENDED", "FIRST", "ALL_ENDED"]
    assert heard(story, "slow") == ["FIRST", "ALL_ENDED"]
    assert not story.player.view.groups.rows


def test_a_message_that_waits_gives_way_together_with_those_behind_it() -> None:
    story = Timeline(delivers=False, receivers=(receiver("ops"),), route=route("ops", "", SECOND)).at(0)
    story.lists(broken()).until(2)
    first = story.sent[-1]
    story.at(3).sees(looping("web-2")).until(5)
    assert len(story.player.view.outbox.rows) == 2
    story.at(6).takes(DeliveryDone(at=time(6), message_id=first.id, outcome=TryLater(reason="503")))
    story.at(7).sees(pod("web-1", status())).until(10)
    (row,) = story.player.view.outbox.rows.values()
    assert sorted((one.labels["alertname"], one.status) for one in row.notification.alerts) == [
        ("ContainerCrashLooping", "firing"),
        ("ImagePullFailing", "resolved"),
    ]
