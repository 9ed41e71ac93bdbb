"""The user's own links below an alert, and times in the readers' zone."""

from __future__ import annotations

from urllib.parse import unquote
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.support import troubles
from tests.support.messages import at, before, changed, crash_loop, crash_signal, envelope, facts, growth, oom_kill
from watcher.lib.links import compile_link
from watcher.lib.matchers import parse_matchers
from watcher.model.config import LinkConfig
from watcher.model.message import Link, Links, Notification, SendReason
from watcher.model.state import EndReason
from watcher.notify import render
from watcher.notify.facts import AlertFacts

GRAFANA = "https://grafana.example/d/x?var-namespace={{ namespace }}&var-workload={{ workload }}"


def link(url: str, label: str = "Dashboard") -> LinkConfig:
    return LinkConfig(label=label, template=compile_link(url))


def linked(alert: AlertFacts, *links: LinkConfig, reason: SendReason = SendReason.FIRST) -> list[Link]:
    notification = render.render(msgspec.structs.replace(envelope(reason), links=links), [alert])
    return [one for block in notification.message.blocks if isinstance(block, Links) for one in block.links]


# ---- links -------------------------------------------------------------------------------------------------------


def test_a_dashboard_stands_beside_the_runbook() -> None:
    alert = changed(crash_loop(), annotations={"runbook_url": "https://runbooks.example/checkout"})
    logs = link("https://logs.example/?q={{ pod }}&from={{ since_ms }}", "Logs")
    assert linked(alert, link(GRAFANA), logs) == [
        Link("Runbook", "https://runbooks.example/checkout"),
        Link("Dashboard", "https://grafana.example/d/x?var-namespace=shop&var-workload=checkout"),
        Link("Logs", "https://logs.example/?q=checkout-7c9d8-x2k00&from=1795182630000"),
    ]


@pytest.mark.parametrize(
    ("workload", "shown"),
    [
        ("a b&c=d#e", "a%20b%26c%3Dd%23e"),
        ("../../admin?x", "..%2F..%2Fadmin%3Fx"),
        ("grün", "gr%C3%BCn"),
        ("<!channel>`|", "%3C%21channel%3E%60%7C"),
    ],
)
def test_what_a_name_holds_stays_inside_of_its_value(workload: str, shown: str) -> None:
    alert = facts([crash_signal(workload=workload)], "X")
    [one] = linked(alert, link("https://grafana.example/d/x?var-workload={{ workload }}"))
    assert one.url == f"https://grafana.example/d/x?var-workload={shown}"


def test_a_secret_in_a_name_is_not_told_by_a_link() -> None:
    alert = facts([crash_signal(workload="AKIAIOSFODNN7EXAMPLE")], "X")
    [one] = linked(alert, link(GRAFANA))
    assert "AKIA" not in one.url


def test_a_link_that_needs_what_the_alert_does_not_have_is_left_out() -> None:
    volume = link("https://grafana.example/d/v?var-claim={{ claim }}", "Volume")
    assert linked(crash_loop(), volume, link("https://x.example/{{ labels.team }}")) == []
    [one] = linked(troubles.volume_nearly_full(), volume)
    assert one.url == "https://grafana.example/d/v?var-claim=data-es-0"


def test_a_template_may_ask_whether_an_alert_has_a_value() -> None:
    one = link("https://x.example/{% if claim is defined %}volume/{{ claim }}{% else %}pods{% endif %}")
    assert [shown.url for shown in linked(crash_loop(), one)] == ["https://x.example/pods"]
    assert [shown.url for shown in linked(troubles.claim_lost(), one)] == ["https://x.example/volume/data-es-0"]


@pytest.mark.parametrize("url", ["https://x.example/a b?{{ pod }}", "https://x.example/\x07{{ pod }}"])
def test_what_is_no_address_becomes_no_link(url: str) -> None:
    assert linked(crash_loop(), link(url)) == []


@pytest.mark.parametrize("reason", [SendReason.REPEAT, SendReason.GREW], ids=["repeat", "growth"])
def test_a_later_message_about_one_alert_has_the_links_again(reason: SendReason) -> None:
    alert = growth() if reason is SendReason.GREW else before(crash_loop())
    assert [one.label for one in linked(alert, link(GRAFANA), reason=reason)] == ["Dashboard"]


# ---- the zone ----------------------------------------------------------------------------------------------------


def told_in(
    zone: str, *alerts: AlertFacts, reason: SendReason = SendReason.FIRST, now: str = "14:02:30"
) -> Notification:
    return render.render(msgspec.structs.replace(envelope(reason, at(now)), zone=ZoneInfo(zone)), alerts)


def test_all_times_are_in_the_readers_zone_and_it_is_named_once() -> None:
    notification = told_in("Europe/Berlin", oom_kill())
    assert "last at 15:02:11 after" in notification.text
    assert "since 14:42 CET" in notification.text
    assert notification.text.count("CET") == 1
    assert "UTC" not in notification.text
    assert notification.at == at("14:02:30"), "machines get UTC"
    assert notification.at.utcoffset() == at("14:02:30").utcoffset()


@pytest.mark.parametrize(
    ("zone", "since", "now", "words"),
    [
        ("Europe/Berlin", "2026-07-01T12:00:00", "2026-07-01T13:00:00", "since 14:00 CEST ·"),
        ("America/Sao_Paulo", "2026-11-20T13:00:00", "2026-11-20T14:00:00", "since 10:00 UTC-03 ·"),
        ("Asia/Kolkata", "2026-11-20T13:00:00", "2026-11-20T14:00:00", "since 18:30 IST ·"),
        ("Asia/Tokyo", "2026-11-20T14:30:00", "2026-11-20T15:30:00", "since 23:30 JST yesterday ·"),
        ("America/New_York", "2026-11-20T03:00:00", "2026-11-20T06:00:00", "since 22:00 EST yesterday ·"),
    ],
)
def test_days_are_those_of_the_zone_and_summer_time_is_known(zone: str, since: str, now: str, words: str) -> None:
    alert = facts([crash_signal()], "ContainerCrashLooping", since=since)
    assert words in told_in(zone, alert, now=now).text


def test_a_span_over_the_change_of_summer_time_is_as_long_as_it_was() -> None:
    alert = facts([crash_signal()], "ContainerCrashLooping", since="2026-10-25T00:30:00", counts=[3])
    text = told_in(
        "Europe/Berlin", before(alert), crash_loop(), reason=SendReason.NEW_ALERTS, now="2026-10-25T01:30:00"
    ).text
    assert "since 02:30 CEST (1 h)" in text


# ---- to silence it ------------------------------------------------------------------------------------------------


HERE = "https://watcher.example/base"


def silence_links(alert: AlertFacts, url: str = HERE) -> list[str]:
    notification = render.render(msgspec.structs.replace(envelope(), external_url=url), [alert])
    blocks = [block for block in notification.message.blocks if isinstance(block, Links)]
    return [one.url for block in blocks for one in block.links if one.label == "Silence"]


def matchers(url: str) -> list[str]:
    base, _, query = url.partition("/#/silences/new?filter=")
    assert base == HERE
    return [str(one) for one in parse_matchers(unquote(query))]


def labelled(**labels: str) -> AlertFacts:
    return changed(crash_loop(), labels=labels)


def test_an_alert_links_to_a_silence_of_what_it_is_about() -> None:
    (url,) = silence_links(crash_loop())
    assert matchers(url) == [
        'alertname="ContainerCrashLooping"',
        'cluster="prod-eu"',
        'namespace="shop"',
        'workload="checkout"',
    ]


def test_without_an_external_url_there_is_no_link_to_a_silence() -> None:
    assert silence_links(crash_loop(), "") == []


def test_the_silence_of_a_posted_alert_without_an_object_has_all_of_its_labels() -> None:
    (url,) = silence_links(labelled(alertname="Up", instance="a:9100", job='x"y\\z,{}'))
    assert matchers(url) == ['alertname="Up"', 'instance="a:9100"', 'job="x\\"y\\\\z,{}"']


def test_the_silence_of_a_node_names_the_node() -> None:
    (url,) = silence_links(labelled(alertname="NodeNotReady", cluster="c", node="n7", severity="critical"))
    assert matchers(url) == ['alertname="NodeNotReady"', 'cluster="c"', 'node="n7"']


def test_a_secret_in_a_label_gives_no_link() -> None:
    assert silence_links(labelled(alertname="X", workload="AKIAIOSFODNN7EXAMPLE")) == []


def test_what_has_ended_is_not_to_be_silenced() -> None:
    ended = changed(crash_loop(), ends_at=at("14:00"), end_reason=EndReason.RECOVERED)
    assert silence_links(ended) == []
