"""`config.original`: the configuration as Alertmanager's YAML, without our keys and without a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from watcher.settings.load import load
from watcher.settings.original import original

SECRETS = {
    name: f"{name}-hidden"
    for name in ("webhook", "user", "password", "mail", "slack", "discord", "teams", "pager", "bearer", "header")
}
CONFIG = """\
cluster: prod
volumes: {{source: none}}
http: {{token: "{bearer}"}}
global:
  resolve_timeout: 7m
  slack_api_url: https://hooks.slack.com/services/{slack}
route:
  receiver: team
  group_by: ['...']
  routes:
    - matchers: ['severity="info"', 'x!="q\\"r"']
      receiver: chat
      continue: true
      group_wait: 0s
      mute_time_intervals: [night]
      routes: [{{active_time_intervals: [night], group_by: [a, b]}}]
inhibit_rules:
  - {{source_matchers: [a="1"], target_matchers: [b=~"2|3"], equal: [c]}}
time_intervals:
  - name: night
    time_intervals:
      - times: [{{start_time: "22:00", end_time: "24:00"}}]
        weekdays: ["monday:friday", "sunday"]
        days_of_month: ["-3:-1"]
        months: ["january:march"]
        years: ["2026:2027"]
        location: Europe/Berlin
receivers:
  - name: team
    webhook_configs:
      - url: "https://{user}:{password}@hooks.example.org/{webhook}"
        http_config: {{authorization: {{credentials: "{header}"}}}}
    email_configs:
      - to: a@example.org, b@example.org
        from: w@example.org
        smarthost: "smtp.example.org:587"
        auth_username: w
        auth_password: "{mail}"
    telegram_configs:
      - {{bot_token: "123456:AAabcdefghijklmnopqrstuvwxyz012345678", chat_id: -5}}
      - {{bot_token: "123456:AAabcdefghijklmnopqrstuvwxyz012345678", chat_id: "@shop"}}
    pagerduty_configs: [{{routing_key: "{pager}"}}]
    discord_configs: [{{webhook_url: "https://discord.com/api/webhooks/1/{discord}"}}]
    msteamsv2_configs: [{{webhook_url: "https://x.example.org/{teams}"}}]
    apprise_configs: [{{url: "json://{user}:{password}@x.example.org"}}]
    console_configs: [{{}}]
  - {{name: chat, slack_configs: [{{channel: "#x", send_resolved: true}}]}}
"""


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "config.yaml").write_text(CONFIG.format(**SECRETS), encoding="utf-8")
    return original(load(tmp_path / "config.yaml"))


@pytest.fixture
def data(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_no_secret_is_in_it(text: str) -> None:
    assert [name for name, value in SECRETS.items() if value in text] == []
    assert "AAabc" not in text


def test_only_alertmanagers_keys_are_in_it(data: dict[str, Any]) -> None:
    assert list(data) == ["global", "route", "inhibit_rules", "receivers", "templates", "time_intervals"]
    assert data["global"] == {"resolve_timeout": "7m"}


def test_receivers_have_what_their_integrations_need_and_only_those_that_amtool_knows(data: dict[str, Any]) -> None:
    team, chat = data["receivers"]
    assert team == {
        "name": "team",
        "webhook_configs": [{"send_resolved": True, "url": "http://<secret>", "max_alerts": 0}],
        "email_configs": [
            {
                "send_resolved": False,
                "to": "a@example.org, b@example.org",
                "from": "w@example.org",
                "smarthost": "smtp.example.org:587",
                "hello": "localhost",
                "require_tls": True,
            }
        ],
        "telegram_configs": [{"send_resolved": True, "bot_token": "<secret>", "chat_id": -5}],
        "pagerduty_configs": [{"send_resolved": True, "routing_key": "<secret>"}],
        "discord_configs": [{"send_resolved": True, "webhook_url": "<secret>"}],
    }
    assert chat == {
        "name": "chat",
        "slack_configs": [{"send_resolved": True, "api_url": "<secret>", "channel": "#x"}],
    }


def test_read_again_the_routes_inhibitions_and_intervals_mean_the_same(text: str, tmp_path: Path) -> None:
    first = load(tmp_path / "config.yaml")
    plain = text.replace("http://<secret>", "http://x").replace("bot_token: <secret>", "bot_token: 1:abc")
    plain = plain.replace("_url: <secret>", "_url: https://x.example.org").replace("<secret>", "x" * 32)
    again_file = tmp_path / "again.yaml"
    again_file.write_text(
        plain.replace("bot_token: 1:abc", 'bot_token: "123456:AAabcdefghijklmnopqrstuvwxyz012345678"')
    )
    again = load(again_file)
    assert again.route == first.route
    assert again.intervals == first.intervals
    assert again.inhibit_rules[-1] == first.inhibit_rules[-1]


def test_a_route_that_tells_nobody_has_a_receiver_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "volumes: {source: none}\nreceivers: [{name: nobody, webhook_configs: [{url: 'http://x/'}]}]\n"
    )
    data = yaml.safe_load(original(load(tmp_path / "config.yaml")))
    names = [each["name"] for each in data["receivers"]]
    assert names == ["nobody", "nobody-0"]
    assert data["route"]["receiver"] == "nobody"
    assert {each["receiver"] for each in data["route"]["routes"]} == {"nobody", "nobody-0"}


def test_without_a_configuration_it_is_the_shipped_routes() -> None:
    data = yaml.safe_load(original(load(None)))
    assert [each["name"] for each in data["receivers"]] == ["default", "nobody"]
    assert data["route"]["receiver"] == "default"
