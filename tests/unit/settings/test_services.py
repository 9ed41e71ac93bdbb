"""PagerDuty, Telegram, Microsoft Teams and Apprise as Alertmanager (or we) write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.settings.conftest import Home
from watcher.model.config import HttpClient, Integration, MSTeamsConfig, PagerDutyConfig, Secret, TelegramConfig

TOKEN = "123456789:AAF-abcdefghij"
KEY = "e93facc04764012d7bfb002500d5d1a6"


def integration(home: Home, text: str, shared: str = "") -> Integration:
    """The only integration of the only receiver, which is written as `text`."""
    settings = home.load(f"{shared}\nreceivers:\n- name: ops\n  {text}\n")
    ((_, found),) = settings.receivers[0].integrations
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            f"pagerduty_configs: [{{routing_key: {KEY}}}]", PagerDutyConfig(routing_key=Secret(KEY)), id="PagerDuty"
        ),
        pytest.param(
            f"pagerduty_configs: [{{routing_key: {KEY}, url: 'https://events.eu.pagerduty.com/v2/enqueue', client: c, "
            "client_url: 'http://c', description: '{{ title }}', severity: error, source: s, class: k, component: o, "
            "group: g, details: {a: b, n: 3}, images: [{src: 'https://i', alt: x, href: 'http://h'}], "
            "links: [{href: 'http://l', text: t}], timeout: 3s, send_resolved: false}]",
            PagerDutyConfig(
                routing_key=Secret(KEY),
                url="https://events.eu.pagerduty.com/v2/enqueue",
                client="c",
                client_url="http://c",
                description="{{ title }}",
                severity="error",
                source="s",
                class_name="k",
                component="o",
                group="g",
                details=(("a", "b"), ("n", "3")),
                images=(("https://i", "x", "http://h"),),
                links=(("http://l", "t"),),
                timeout=timedelta(seconds=3),
                send_resolved=False,
            ),
            id="PagerDuty, all keys",
        ),
        pytest.param(
            f"telegram_configs: [{{bot_token: '{TOKEN}', chat_id: -1001234}}]",
            TelegramConfig(bot_token=Secret(TOKEN), chat_id="-1001234"),
            id="Telegram",
        ),
        pytest.param(
            f"telegram_configs: [{{bot_token: '{TOKEN}', chat_id: '@ops_channel', message_thread_id: 7, timeout: 3s, "
            "api_url: 'http://tg:8081', message: '{{ text }}', parse_mode: MarkdownV2, disable_notifications: true, "
            "send_resolved: false, http_config: {follow_redirects: false}}]",
            TelegramConfig(
                bot_token=Secret(TOKEN),
                chat_id="@ops_channel",
                message_thread_id=7,
                api_url="http://tg:8081",
                message="{{ text }}",
                parse_mode="MarkdownV2",
                disable_notifications=True,
                send_resolved=False,
                timeout=timedelta(seconds=3),
                http=HttpClient(follow_redirects=False),
            ),
            id="Telegram, all keys",
        ),
        pytest.param(
            "msteamsv2_configs: [{webhook_url: 'https://x.powerplatform.com/y?sig=z', title: t, text: '{{ text }}'}]",
            MSTeamsConfig(webhook_url=Secret("https://x.powerplatform.com/y?sig=z"), title="t", text="{{ text }}"),
            id="Teams",
        ),
    ],
)
def test_an_integration_has_what_is_written(home: Home, text: str, expected: Integration) -> None:
    assert integration(home, text) == expected


def test_secrets_may_stand_in_files(home: Home) -> None:
    home.write("key", f"{KEY}\n")
    home.write("token", f"{TOKEN}\n")
    home.write("chat", "-100\n")
    home.write("url", "https://x/y\n")
    assert integration(home, "pagerduty_configs: [{routing_key_file: key}]") == PagerDutyConfig(routing_key=Secret(KEY))
    found = integration(home, "telegram_configs: [{bot_token_file: token, chat_id_file: chat}]")
    assert found == TelegramConfig(bot_token=Secret(TOKEN), chat_id="-100")
    found = integration(home, "msteamsv2_configs: [{webhook_url_file: url}]")
    assert found == MSTeamsConfig(webhook_url=Secret("https://x/y"))


def test_what_an_integration_leaves_out_comes_from_global(home: Home) -> None:
    shared = f"global: {{pagerduty_url: 'http://pd/x', telegram_api_url: 'http://tg', telegram_bot_token: '{TOKEN}'}}"
    found = integration(home, f"pagerduty_configs: [{{routing_key: {KEY}}}]", shared)
    assert found == PagerDutyConfig(routing_key=Secret(KEY), url="http://pd/x")
    found = integration(home, "telegram_configs: [{chat_id: 5}]", shared)
    assert found == TelegramConfig(bot_token=Secret(TOKEN), chat_id="5", api_url="http://tg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("pagerduty_configs: [{}]", "3:23: routing_key is missing", id="no routing key"),
        pytest.param(
            "pagerduty_configs: [{service_key: S3CRET}]",
            "3:24: service_key is of PagerDuty's Events API v1, which is not supported: write routing_key",
            id="a key of v1",
        ),
        pytest.param(
            "pagerduty_configs: [{service_key_file: gone}]",
            "3:24: service_key_file is of PagerDuty's Events API v1",
            id="a key of v1 in a file",
        ),
        pytest.param(
            "pagerduty_configs: [{routing_key: S3CRET, severity: page}]",
            "3:55: severity must be one of critical, error, warning, info",
            id="a severity that PagerDuty does not know",
        ),
        pytest.param(
            "pagerduty_configs: [{routing_key: S3CRET, url: pd}]", "3:50: url must be an http or https URL", id="no URL"
        ),
        pytest.param(
            "pagerduty_configs: [{routing_key: S3CRET, description: '{{ titel }}'}]",
            "3:59: description: ",
            id="a name that does not exist in a template",
        ),
        pytest.param(
            "telegram_configs: [{bot_token: S3CRET, chat_id: 1}]",
            "3:34: bot_token must be what BotFather gives",
            id="no token",
        ),
        pytest.param(f"telegram_configs: [{{bot_token: '{TOKEN}'}}]", "3:22: chat_id is missing", id="no chat"),
        pytest.param(
            f"telegram_configs: [{{bot_token: '{TOKEN}', chat_id: ops}}]",
            "3:71: chat_id must be a number, or @ and the name of a public channel",
            id="a chat by a name of its own",
        ),
        pytest.param(
            f"telegram_configs: [{{bot_token: '{TOKEN}', chat: 1}}]", "3:62: unknown key chat: write chat_id", id="chat"
        ),
        pytest.param(
            f"telegram_configs: [{{bot_token: '{TOKEN}', chat_id: 1, parse_mode: XML}}]",
            "3:86: parse_mode must be",
            id="an unknown markup",
        ),
        pytest.param("msteamsv2_configs: [{webhook_url: S3CRET}]", "3:37: webhook_url must be an http", id="no URL"),
        pytest.param(
            "apprise_configs: [{url: 'nosuch://S3CRET'}]", "3:27: url: Apprise knows no service nosuch://", id="service"
        ),
        pytest.param(
            "apprise_configs: [{url: 'tgram://S3CRET'}]",
            "3:27: url: this is no complete tgram:// URL; how Telegram is written: https://appriseit.com/services/",
            id="half a URL",
        ),
        pytest.param(
            "apprise_configs: [{url_file: apprise}]", "3:32: url_file: these are several URLs", id="several URLs"
        ),
        pytest.param("apprise_configs: [{urls: [S3CRET]}]", "3:22: unknown key urls: write an entry", id="urls"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_the_secret(home: Home, text: str, expected: str) -> None:
    home.write("apprise", "json://a/S3CRET\njson://b/S3CRET\n")
    found = home.problems(f"receivers:\n- name: ops\n  {text}\n")
    assert any(problem.startswith(expected) for problem in found)
    assert not any("S3CRET" in problem for problem in found)


def test_a_go_template_gives_a_warning_and_leaves_our_own_words(home: Home) -> None:
    text = "receivers:\n- name: ops\n  pagerduty_configs:\n"
    text += f"  - routing_key: {KEY}\n    description: '{{{{ .CommonLabels.alertname }}}}'\n"
    settings = home.load(text)
    assert settings.receivers[0].integrations[0][1] == PagerDutyConfig(routing_key=Secret(KEY))
    (warning,) = [str(problem) for problem in settings.warnings if "description" in str(problem)]
    assert "config.yaml:5:18: warning: description is a Go template" in warning
