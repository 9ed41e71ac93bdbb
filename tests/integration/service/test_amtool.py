"""The real amtool against a running service. Debian has it in prometheus-alertmanager; without it nothing runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.serving import served

AMTOOL = shutil.which("amtool")
pytestmark = pytest.mark.skipif(AMTOOL is None, reason="there is no amtool: install prometheus-alertmanager")

CONFIG = """\
cluster: demo
volumes: {source: none}
global: {slack_api_url: "https://hooks.slack.com/services/hidden"}
route:
  receiver: team
  group_by: [alertname]
  routes:
    - {matchers: ['team=~"a|b"', 'x!="q"'], receiver: chat, mute_time_intervals: [night]}
inhibit_rules: [{source_matchers: [a="1"], target_matchers: [b="2"], equal: [c]}]
time_intervals:
  - name: night
    time_intervals: [{times: [{start_time: "12:00", end_time: "24:00"}], weekdays: ["monday:friday"], months: ["1:3"],
                      days_of_month: ["-3:-1"], years: ["2026"], location: Europe/Berlin}]
receivers:
  - name: team
    webhook_configs: [{url: "https://user:hidden@hooks.example.org/hidden"}]
    email_configs: [{to: a@example.org, from: w@example.org, smarthost: "smtp.example.org:587", auth_password: hidden}]
    telegram_configs: [{bot_token: "123456:AAabcdefghijklmnopqrstuvwxyz012345678", chat_id: -5}]
    pagerduty_configs: [{routing_key: hidden}]
    discord_configs: [{webhook_url: "https://discord.com/api/webhooks/1/hidden"}]
    msteamsv2_configs: [{webhook_url: "https://x.example.org/hidden"}]
  - {name: chat, slack_configs: [{channel: "#x"}]}
"""


class Ran(NamedTuple):
    code: int | None
    out: str
    err: str


Amtool = Callable[..., Awaitable[Ran]]


def amtool_at(url: str, home: Path) -> Amtool:
    async def run(*arguments: str) -> Ran:
        assert AMTOOL is not None
        process = await asyncio.create_subprocess_exec(
            AMTOOL, f"--alertmanager.url={url}", "--no-version-check", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "HOME": str(home)},
        )  # fmt: skip
        out, err = await process.communicate()
        return Ran(process.returncode, out.decode(), err.decode())

    return run


async def done(ran: Awaitable[Ran]) -> str:
    """What it printed; it must have gone well."""
    found = await ran
    assert (found.code, found.err) == (0, ""), found
    return found.out


async def test_a_silence_is_added_queried_updated_and_expired(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        amtool = amtool_at(url, tmp_path)
        matchers = ("alertname=Down", "x=~a|b", "y!=z")
        id = (await done(amtool("silence", "add", *matchers, "-c", "why", "-a", "ann", "-d", "1h"))).strip()
        (one,) = json.loads(await done(amtool("silence", "query", "-o", "json")))
        assert (one["id"], one["comment"], one["createdBy"], one["status"]["state"]) == (id, "why", "ann", "active")
        assert [(each["name"], each["value"], each["isRegex"], each["isEqual"]) for each in one["matchers"]] == [
            ("alertname", "Down", False, True),
            ("x", "a|b", True, True),
            ("y", "z", False, False),
        ]
        assert id in await done(amtool("silence", "query", "alertname=Down"))
        assert id not in await done(amtool("silence", "query", "alertname=Up"))
        assert id in await done(amtool("silence", "update", "-d", "5h", "-c", "longer", id))
        (changed,) = json.loads(await done(amtool("silence", "query", "-o", "json")))
        assert (changed["id"], changed["comment"]) == (id, "longer")
        assert changed["endsAt"] > one["endsAt"]
        assert await done(amtool("silence", "expire", id)) == ""
        assert json.loads(await done(amtool("silence", "query", "-o", "json"))) == []
        (over,) = json.loads(await done(amtool("silence", "query", "--expired", "-o", "json")))
        assert (over["id"], over["status"]["state"]) == (id, "expired")


async def test_silences_of_another_alertmanager_are_imported_under_new_ids(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    async with served(tmp_path / "there", CONFIG) as url:
        amtool = amtool_at(url, tmp_path)
        old = (await done(amtool("silence", "add", "alertname=Down", "-c", "why", "-a", "ann"))).strip()
        (tmp_path / "silences.json").write_text(await done(amtool("silence", "query", "-o", "json")))
    async with served(tmp_path / "here", CONFIG) as url:
        amtool = amtool_at(url, tmp_path)
        await done(amtool("silence", "import", str(tmp_path / "silences.json")))
        (one,) = json.loads(await done(amtool("silence", "query", "-o", "json")))
        assert one["comment"] == "why"
        assert one["id"] != old


async def test_what_is_wrong_reaches_the_user_of_amtool_in_words(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        amtool = amtool_at(url, tmp_path)
        empty = await amtool("silence", "add", "a=~.*", "-c", "why", "-a", "ann")
        assert empty.code == 1
        assert "at least one matcher must not match the empty string" in empty.err
        unknown = await amtool("silence", "expire", "00000000-0000-0000-0000-000000000000")
        assert unknown.code == 1


async def test_the_configuration_is_shown_and_its_routes_are_tested(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        amtool = amtool_at(url, tmp_path)
        shown = await done(amtool("config", "show"))
        assert "receiver: team" in shown
        assert "hidden" not in shown
        (tmp_path / "shown.yml").write_text(shown)
        assert "SUCCESS" in await done(amtool("check-config", str(tmp_path / "shown.yml")))
        tree = await done(amtool("config", "routes", "show"))
        assert 'team=~"a|b"' in tree
        assert "receiver: chat" in tree
        assert (await done(amtool("config", "routes", "test", "team=a"))).strip() == "chat"
        assert (await done(amtool("config", "routes", "test", "team=c"))).strip() == "team"


async def test_the_shipped_routes_are_what_amtool_can_read(tmp_path: Path) -> None:
    async with served(tmp_path, "volumes: {source: none}\n") as url:
        tree = await done(amtool_at(url, tmp_path)("config", "routes", "show"))
        assert 'severity="info"' in tree


async def test_alerts_and_the_cluster_are_shown(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        amtool = amtool_at(url, tmp_path)
        assert json.loads(await done(amtool("alert", "query", "-o", "json"))) == []
        assert json.loads(await done(amtool("alert", "query", "-s", "-i", "alertname=~.+", "-o", "json"))) == []
        assert "disabled" in await done(amtool("cluster", "show"))


async def test_an_alert_is_added_found_and_ended(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        amtool = amtool_at(url, tmp_path)
        added = ("alert", "add", "Down", "x=1", "--annotation=summary=It is down", "--generator-url=http://there/graph")
        assert await done(amtool(*added)) == ""
        (one,) = json.loads(await done(amtool("alert", "query", "alertname=Down", "-o", "json")))
        assert (one["labels"], one["annotations"]) == ({"alertname": "Down", "x": "1"}, {"summary": "It is down"})
        assert one["generatorURL"] == "http://there/graph"
        assert json.loads(await done(amtool("alert", "query", "alertname=Up", "-o", "json"))) == []
        assert await done(amtool("silence", "add", "alertname=Down", "-c", "why", "-a", "ann"))
        assert json.loads(await done(amtool("alert", "query", "-o", "json"))) == []
        (muted,) = json.loads(await done(amtool("alert", "query", "-s", "-o", "json")))
        assert muted["status"]["state"] == "suppressed"
        ended = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        assert await done(amtool(*added, f"--end={ended}")) == ""
        assert json.loads(await done(amtool("alert", "query", "-s", "-o", "json"))) == []
