"""`links` and `time_zone`: read, checked, and brought to the core."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from tests.unit.settings.conftest import RECEIVER, Home
from watcher.settings.core import core_of


def test_without_the_keys_there_are_no_links_and_times_are_utc(home: Home) -> None:
    settings = home.load(RECEIVER)
    assert settings.links == ()
    assert settings.zone is UTC


def test_links_are_templates_and_reach_the_core(home: Home) -> None:
    settings = home.load(
        RECEIVER
        + """
links:
  - {label: Dashboard, url: "https://grafana.example/d/x?var-namespace={{ namespace }}"}
  - {label: Logs, url: "https://logs.example/{{ labels.team }}"}
"""
    )
    assert [link.label for link in settings.links] == ["Dashboard", "Logs"]
    assert settings.links[0].template.render({"namespace": "shop"}) == "https://grafana.example/d/x?var-namespace=shop"
    assert core_of(settings).links == settings.links


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/Sao_Paulo"])
def test_a_time_zone_is_one_of_the_iana_database(home: Home, name: str) -> None:
    settings = home.load(RECEIVER + f"time_zone: {name}\n")
    assert settings.zone == ZoneInfo(name)
    assert core_of(settings).zone is settings.zone


def test_utc_by_its_name_is_the_default(home: Home) -> None:
    assert home.load(RECEIVER + "time_zone: UTC\n").zone is UTC


WRONG = {
    "no address": (
        "links: [{label: A, url: grafana}]",
        ["2:25: the url must begin with http:// or https:// and a host"],
    ),
    "a script": (
        'links: [{label: A, url: "javascript:alert(1)"}]',
        ["2:25: the url must begin with http:// or https:// and a host"],
    ),
    "an unknown value": (
        'links: [{label: A, url: "https://x.example/{{ namespce }}"}]',
        ["2:25: there is no value namespce, did you mean namespace?"],
    ),
    "two of one name": (
        'links: [{label: A, url: "https://x.example"}, {label: A, url: "https://y.example"}]',
        ["2:55: there is another link A"],
    ),
    "no label": ('links: [{url: "https://x.example"}]', ["2:9: label is missing"]),
    "a zone that is misspelt": (
        "time_zone: Europe/Berlim",
        ["2:12: there is no such time zone; did you mean Europe/Berlin?"],
    ),
    "half of a zone": ("time_zone: Europe", None),
    "a path": ("time_zone: ../../etc/passwd", None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_with_its_place(home: Home, text: str, problems: list[str] | None) -> None:
    found = home.problems(RECEIVER + text)
    if problems is not None:
        assert found == problems
    else:
        [one] = found
        assert one.startswith("2:12: there is no such time zone; ")
