"""Alertmanager's own acceptance stories (test/with_api_v2/acceptance, Apache-2.0), retold as time lines.

The names in the docstrings are those of the originals. A window says that exactly one message comes in it, and which
alerts are in it. TestReload is told in `test_reload.py`; TestFilterAlertRequest and
TestAlertGetReturnsCurrentAlertStatus in `tests/unit/api/test_v2_alerts.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.acceptance.test_posted import posts, quick
from tests.acceptance.test_sending import answered, hook, receiver
from tests.support.timeline import Timeline, time
from watcher.lib.matchers import parse_matchers
from watcher.model.delivery import Delivered, TryLater
from watcher.model.message import Notification
from watcher.model.observations import SilenceAsked, SilenceExpireAsked
from watcher.model.posted import PostedAlert
from watcher.model.silence import Silence, SilenceMatcher
from watcher.routing.inhibition import InhibitRule

SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)
Told = tuple[str, float, float | None]
"""(name, second of its start, second of its end)"""


def story(repeat: timedelta = MILLISECOND, by: tuple[str, ...] = (), **fields: Any) -> Timeline:
    interval = fields.pop("group_interval", SECOND)
    route = quick(group_by=by, group_wait=SECOND, group_interval=interval, repeat_interval=repeat)
    return Timeline(route=route, **fields).at(0).lists()


def alert(name: str = "test", begin: float | None = None, end: float | None = None, **labels: str) -> PostedAlert:
    return PostedAlert(
        labels={"alertname": name, **labels},
        starts_at=None if begin is None else time(begin),
        ends_at=None if end is None else time(end),
    )


def noted(text: str, begin: float | None, end: float | None = None) -> PostedAlert:
    return msgspec.structs.replace(alert(begin=begin, end=end), annotations={"ann": text})


def within(found: Timeline, begin: float, end: float, integration: str = "webhook_configs[0]") -> list[Notification]:
    at = time(0)
    return [
        one for one in found.sent if begin <= (one.at - at).total_seconds() <= end and one.integration == integration
    ]


def told(found: Timeline, begin: float, end: float, integration: str = "webhook_configs[0]") -> list[Told]:
    """The alerts of the one message in this window."""
    (message,) = within(found, begin, end, integration)
    return sorted((_name(one.labels), _second(one.starts_at) or 0.0, _second(one.ends_at)) for one in message.alerts)


def _name(labels: dict[str, str]) -> str:
    return "/".join([labels["alertname"], *(labels[name] for name in ("lbl", "zone") if name in labels)])


def _second(at: datetime | None) -> float | None:
    return None if at is None else (at - time(0)).total_seconds()


def test_alerts_that_are_posted_again_are_merged() -> None:
    """TestMergeAlerts: the earliest start, the newest annotations, the latest end; without overlap a new alert."""
    found = story(by=("alertname",))
    posts(found, 1, alert(begin=1.1))
    posts(found, 1.2, alert(begin=1))
    posts(found, 2.1, noted("v1", 2))
    posts(found, 3.6, noted("v2", 1.5))
    posts(found, 4.6, noted("v2", 3, 4.5))
    posts(found, 4.8, noted("v3", 2.9, 4.8))
    posts(found, 4.8, noted("v3", 2.9, 4.1))
    posts(found, 5.3, alert())
    found.until(6.5)
    assert told(found, 2, 2.5) == [("test", 1, None)]
    assert told(found, 3, 3.5) == [("test", 1, None)]
    assert told(found, 4, 4.5) == [("test", 1, None)]
    assert told(found, 5, 5.5) == [("test", 1, 4.8)]
    assert told(found, 6, 6.5) == [("test", 5.3, None)]
    annotations = [within(found, begin, begin + 0.5)[0].alerts[0].annotations.get("ann") for begin in (2, 3, 4, 5, 6)]
    assert annotations == [None, "v1", "v2", "v3", None]


def test_what_fires_is_repeated_until_it_ends() -> None:
    """TestRepeat"""
    found = story(by=("alertname",))
    posts(found, 1, alert(begin=1))
    posts(found, 3.5, alert(begin=1, end=3))
    found.until(10)
    assert told(found, 2, 2.5) == [("test", 1, None)]
    assert told(found, 3, 3.5) == [("test", 1, None)]
    assert told(found, 4, 4.5) == [("test", 1, 3)]
    assert len(found.sent) == 3


def test_of_two_receivers_the_one_that_fails_is_told_when_it_can_be_and_the_other_by_repeats_alone() -> None:
    """TestRetry"""
    both = receiver("ops", hook(), hook())
    found = story(3 * SECOND, ("alertname",), delivers=False, receivers=(both,))
    posts(found, 1, alert("test1", begin=1))
    found.until(2)
    good, bad = sorted(found.sent, key=lambda one: one.integration)
    answered(found, 2.1, Delivered(), good)
    for attempt in (2.1, 2.6, 3.3, 4.2):
        answered(found, attempt, TryLater(reason="503"), bad)
    answered(found, 4.6, Delivered(), bad)
    found.until(4.9)
    assert sorted(one.integration for one in found.sent) == ["webhook_configs[0]", "webhook_configs[1]"]
    found.until(5.5)
    assert told(found, 5, 5.5) == [("test1", 1, None)]


def test_what_begins_together_is_told_together() -> None:
    """TestBatching"""
    found = story(timedelta(milliseconds=4900))
    posts(found, 1.1, alert("test1", 1))
    posts(found, 1.7, alert("test5", 1))
    posts(found, 3.3, alert("test2", 1.5), alert("test3", 1.5), alert("test4", 1.6))
    found.until(9.5)
    everything = [("test1", 1, None), ("test2", 1.5, None), ("test3", 1.5, None), ("test4", 1.6, None)]
    everything.append(("test5", 1, None))
    assert told(found, 2, 2.5) == [("test1", 1, None), ("test5", 1, None)]
    assert told(found, 4.1, 4.5) == everything
    assert told(found, 9.1, 9.5) == everything
    assert len(found.sent) == 3


def test_what_nobody_posts_again_ends_after_resolve_timeout() -> None:
    """TestResolved"""
    found = story(timedelta(hours=4), ("alertname",), group_interval=5 * SECOND, resolve_timeout=10 * SECOND)
    posts(found, 1, *(alert(lbl=label) for label in ("v1", "v2", "v3")))
    found.until(60)
    names = ("test/v1", "test/v2", "test/v3")
    assert told(found, 2, 2.5) == [(name, 1, None) for name in names]
    assert told(found, 12, 13) == [(name, 1, 11) for name in names]
    assert len(found.sent) == 2


def test_an_end_that_a_receiver_does_not_want_gives_it_no_message() -> None:
    """TestResolvedFilter"""
    both = receiver("ops", hook(), hook(send_resolved=False))
    found = story(
        timedelta(hours=4),
        ("alertname",),
        group_interval=5 * SECOND,
        resolve_timeout=10 * SECOND,
        receivers=(both,),
    )
    posts(found, 1, alert(lbl="v1"), alert(lbl="v2"))
    posts(found, 3, alert(begin=1, end=4, lbl="v1"), alert(lbl="v3"))
    posts(found, 8, alert(begin=3, lbl="v3"))
    found.until(12.9)
    first, second = "webhook_configs[0]", "webhook_configs[1]"
    assert told(found, 2, 2.5, first) == [("test/v1", 1, None), ("test/v2", 1, None)]
    assert told(found, 7, 7.5, first) == [("test/v1", 1, 4), ("test/v2", 1, None), ("test/v3", 3, None)]
    assert told(found, 12, 12.5, first) == [("test/v2", 1, 11), ("test/v3", 3, None)]
    assert told(found, 2, 2.5, second) == [("test/v1", 1, None), ("test/v2", 1, None)]
    assert told(found, 7, 7.5, second) == [("test/v2", 1, None), ("test/v3", 3, None)]
    assert within(found, 12, 12.9, second) == []


JOB = InhibitRule(
    source=parse_matchers('alertname="JobDown"'),
    target=parse_matchers('alertname="InstanceDown"'),
    equal=("job", "zone"),
)


def at_job(name: str, zone: str = "aa", begin: float | None = None, end: float | None = None) -> PostedAlert:
    return alert(name, begin, end, job="testjob", zone=zone)


def test_what_is_inhibited_is_told_again_when_the_other_is_over() -> None:
    """TestInhibiting"""
    found = story(SECOND, inhibit_rules=(JOB,))
    posts(found, 1, at_job("test1"), at_job("InstanceDown"), at_job("InstanceDown", "ab"))
    posts(found, 2.2, at_job("JobDown"))
    posts(found, 3.6, at_job("JobDown", begin=2.2, end=3.6))
    found.until(4.5)
    one, down, other = ("test1/aa", 1, None), ("InstanceDown/aa", 1, None), ("InstanceDown/ab", 1, None)
    assert told(found, 2, 2.5) == sorted([one, down, other])
    assert told(found, 3, 3.5) == sorted([one, other, ("JobDown/aa", 2.2, None)])
    assert told(found, 4, 4.5) == sorted([one, down, other, ("JobDown/aa", 2.2, 3.6)])


def test_what_inhibits_and_what_is_inhibited_end_together() -> None:
    """TestAlwaysInhibiting, but for what was never told: Alertmanager tells its end, Watcher does not (docs)."""
    found = story(SECOND, inhibit_rules=(JOB,))
    posts(found, 1, at_job("InstanceDown"), at_job("JobDown"))
    posts(found, 2.6, at_job("JobDown", begin=1, end=2.6), at_job("InstanceDown", begin=1, end=2.6))
    found.until(10)
    assert told(found, 2, 2.5) == [("JobDown/aa", 1, None)]
    assert told(found, 3, 3.5) == [("JobDown/aa", 1, 2.6)]
    assert len(found.sent) == 2


def silence(begin: float, end: float, value: str, *, regex: bool = False) -> Silence:
    matcher = SilenceMatcher(name="alertname", value=value, is_regex=regex)
    return Silence(id="", matchers=(matcher,), starts_at=time(begin), ends_at=time(end), updated_at=time(0))


def silences(found: Timeline, at: float, wanted: Silence) -> None:
    found.at(at).takes(SilenceAsked(at=time(at), request="s", silence=wanted, new_id="s1", by="ann"))
    assert found.answers["s"].code == 200


def test_a_silence_takes_its_alert_out_of_the_repeats_of_its_group() -> None:
    """TestSilencing; when it is over Watcher tells at once (85), Alertmanager at the next repeat."""
    found = story()
    posts(found, 1, alert("test1", 1), alert("test2", 1))
    silences(found, 2.3, silence(2.5, 4.5, "test1"))
    found.until(5.5)
    both = [("test1", 1, None), ("test2", 1, None)]
    assert told(found, 2, 2.49) == both
    assert told(found, 3, 3.5) == [("test2", 1, None)]
    assert told(found, 4, 4.49) == [("test2", 1, None)]
    assert told(found, 4.5, 4.99) == both


def test_a_silence_that_is_deleted_holds_nothing_any_more() -> None:
    """TestSilenceDelete"""
    found = story()
    posts(found, 1, alert("test1", 1), alert("test2", 1))
    silences(found, 1.3, silence(1.5, 100, ".+", regex=True))
    found.until(3.4)
    assert found.sent == []
    found.at(3.5).takes(SilenceExpireAsked(at=time(3.5), request="d", id="s1", by="ann"))
    found.until(3.9)
    assert told(found, 3.5, 3.9) == [("test1", 1, None), ("test2", 1, None)]
