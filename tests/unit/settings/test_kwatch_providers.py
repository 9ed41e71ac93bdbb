"""kwatch's providers: each becomes an integration that loads, with the same address, key and target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from watcher.deliver.appriseservice import complaint, make_service
from watcher.lib.yamlpos import load as load_yaml
from watcher.model.config import AppriseConfig, Secret
from watcher.settings.kwatch import Imported, import_kwatch
from watcher.settings.kwatchapprise import SERVICES
from watcher.settings.kwatchproviders import NATIVE, PROVIDERS, SHARED, WITHOUT, known_options
from watcher.settings.load import load

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "kwatch"


def imported(provider: str, options: dict[str, Any]) -> Imported:
    """As kwatch's own YAML, of which JSON is a part."""
    return import_kwatch(json.dumps({"alert": {provider: options}}), "kwatch.yaml", "out.yaml", "rules.yaml")


def keys_of(result: Imported) -> list[tuple[str, dict[str, Any]]]:
    """Every integration of the result: its list and its keys."""
    data: Any = load_yaml(result.text, "out.yaml").data
    return [(kind, keys) for kind, items in data["receivers"][0].items() if kind != "name" for keys in items]


def integrations(result: Imported, home: Path) -> list[Any]:
    (home / "out.yaml").write_text(result.text, encoding="utf-8")
    settings = load(home / "out.yaml", None, {})
    return [integration for _, integration in settings.receivers[0].integrations]


# -- the lists ---------------------------------------------------------------------------------------------------


def catalogue() -> dict[str, list[str]]:
    lines = (FIXTURES / "options.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.partition(":") for line in lines if line and not line.startswith("#")]
    return {name: options.split() for name, _, options in rows}


def test_every_provider_of_every_version_is_known_and_no_other() -> None:
    assert set(catalogue()) == PROVIDERS
    assert not set(NATIVE) & set(SERVICES) | set(NATIVE) & set(WITHOUT) | set(SERVICES) & set(WITHOUT)


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_every_option_of_every_version_is_known_and_no_other(provider: str) -> None:
    assert set(known_options(provider)) == {*catalogue()[provider], *SHARED}


# -- Watcher's own channels --------------------------------------------------------------------------------------


NATIVE_CASES = [
    pytest.param(
        "slack",
        {"webhook": "https://hooks.slack.com/services/x", "channel": "#a", "title": "prod", "compact": True},
        "slack_configs",
        {
            "api_url": "https://hooks.slack.com/services/x",
            "channel": "#a",
            "send_resolved": True,
            "title": "prod: {{ title }}",
        },
        id="Slack's webhook",
    ),
    pytest.param(
        "Slack",
        {"token": "xoxb-1", "channel": "alerts"},
        "slack_configs",
        {"bot_token": "xoxb-1", "channel": "alerts", "send_resolved": True},
        id="Slack's token",
    ),
    pytest.param(
        "discord",
        {"webhook": "https://discord.com/api/webhooks/1/x", "title": "a", "text": "b"},
        "discord_configs",
        {"webhook_url": "https://discord.com/api/webhooks/1/x", "title": "a: {{ title }}"},
        id="Discord",
    ),
    pytest.param(
        "email",
        {"from": "a@b.org", "to": "c@d.org,e@f.org", "password": "p", "host": "smtp.b.org", "port": "465"},
        "email_configs",
        {
            "to": "c@d.org, e@f.org",
            "from": "a@b.org",
            "smarthost": "smtp.b.org:465",
            "auth_username": "a@b.org",
            "auth_password": "p",
            "send_resolved": True,
        },
        id="mail",
    ),
    pytest.param(
        "email",
        {
            "from": "a@b.org",
            "to": "c@d.org",
            "host": "::1",
            "port": 25,
            "tls": "none",
            "username": "u",
            "password": "p",
        },
        "email_configs",
        {
            "to": "c@d.org",
            "from": "a@b.org",
            "smarthost": "[::1]:25",
            "auth_username": "u",
            "auth_password": "p",
            "require_tls": False,
            "send_resolved": True,
        },
        id="mail without TLS",
    ),
    pytest.param("pagerduty", {"integrationKey": "k"}, "pagerduty_configs", {"routing_key": "k"}, id="PagerDuty"),
    pytest.param(
        "telegram",
        {"token": "123456:abcdefghijkl", "chatId": -100123},
        "telegram_configs",
        {"bot_token": "123456:abcdefghijkl", "chat_id": "-100123"},
        id="Telegram",
    ),
    pytest.param(
        "teams",
        {"webhook": "https://prod-01.westeurope.logic.azure.com/workflows/x", "title": "a"},
        "msteamsv2_configs",
        {"webhook_url": "https://prod-01.westeurope.logic.azure.com/workflows/x", "title": "a: {{ title }}"},
        id="Teams",
    ),
    pytest.param(
        "teamsworkflow",
        {"webhook": "https://x.api.powerplatform.com/workflows/x"},
        "msteamsv2_configs",
        {"webhook_url": "https://x.api.powerplatform.com/workflows/x"},
        id="a workflow of Teams",
    ),
    pytest.param(
        "webhook",
        {
            "url": "https://h.example.org/x",
            "headers": [{"name": "X-Scope", "value": "a"}, {"name": "Content-Type", "value": "application/json"}],
            "basicAuth": {"username": "u", "password": "p"},
        },
        "webhook_configs",
        {
            "url": "https://h.example.org/x",
            "http_config": {
                "basic_auth": {"username": "u", "password": "p"},
                "http_headers": {"X-Scope": {"values": ["a"]}},
            },
        },
        id="a webhook",
    ),
    pytest.param(
        "webhook",
        {"url": "https://h.example.org/x", "headers": [{"name": "authorization", "value": "Token t"}]},
        "webhook_configs",
        {
            "url": "https://h.example.org/x",
            "http_config": {"authorization": {"type": "Token", "credentials": "t"}},
        },
        id="a webhook with a token",
    ),
    pytest.param(
        "n8n",
        {"url": "https://n8n.example.org/webhook/x", "token": "t"},
        "webhook_configs",
        {"url": "https://n8n.example.org/webhook/x", "http_config": {"authorization": {"credentials": "t"}}},
        id="n8n",
    ),
    pytest.param(
        "zapier",
        {"url": "https://hooks.zapier.com/hooks/catch/1/x", "token": "t"},
        "webhook_configs",
        {"url": "https://hooks.zapier.com/hooks/catch/1/x"},
        id="Zapier",
    ),
]


@pytest.mark.parametrize(("provider", "options", "kind", "keys"), NATIVE_CASES)
def test_a_provider_becomes_a_channel_of_watchers_own(
    tmp_path: Path, provider: str, options: dict[str, Any], kind: str, keys: dict[str, Any]
) -> None:
    result = imported(provider, options)
    assert keys_of(result) == [(kind, keys)]
    assert len(integrations(result, tmp_path)) == 1


@pytest.mark.parametrize(
    ("provider", "options", "keys"),
    [
        pytest.param("slack", {"webhook": "${file:/s/x}"}, {"api_url_file": "/s/x", "send_resolved": True}, id="Slack"),
        pytest.param("discord", {"webhook": "${file:/s/x}"}, {"webhook_url_file": "/s/x"}, id="Discord"),
        pytest.param("pagerduty", {"integrationKey": "${file:/s/x}"}, {"routing_key_file": "/s/x"}, id="PagerDuty"),
        pytest.param(
            "telegram",
            {"token": "${file:/s/x}", "chatId": "${file:/s/y}"},
            {"bot_token_file": "/s/x", "chat_id_file": "/s/y"},
            id="Telegram",
        ),
        pytest.param("teams", {"webhook": "${file:/s/x}"}, {"webhook_url_file": "/s/x"}, id="Teams"),
        pytest.param("pagerduty", {"integrationKey": "${KEY}"}, {"routing_key": "${KEY}"}, id="from the environment"),
    ],
)
def test_a_secret_in_a_file_becomes_the_twin_and_is_not_opened(
    provider: str, options: dict[str, Any], keys: dict[str, Any]
) -> None:
    result = imported(provider, options)
    assert [found for _, found in keys_of(result)] == [keys]
    assert result.left == ()
    assert not [each for each in result.notes if "stays in the file" in each.message]


# -- Apprise -----------------------------------------------------------------------------------------------------


SID, HEX = "AC0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"
NUMBERS = {"from": "+12025550100", "to": "+12025550101"}
APPRISE_CASES = [
    pytest.param(
        "rocketchat",
        {"webhook": "https://chat.example.org:3000/hooks/AbC123/xyz789DEF"},
        [("RocketChat", {"webhook": "AbC123/xyz789DEF", "host": "chat.example.org", "port": 3000, "secure": True})],
        id="Rocket.Chat",
    ),
    pytest.param(
        "mattermost",
        {"webhook": "http://mm.example.org:8065/sub/hooks/abcdefghijklmnopqrstuvwxyz"},
        [
            (
                "Mattermost",
                {"token": "abcdefghijklmnopqrstuvwxyz", "host": "mm.example.org", "fullpath": "/sub", "secure": False},
            )
        ],
        id="Mattermost below a path",
    ),
    pytest.param(
        "mattermost",
        {"webhook": "https://mm.example.org/hooks/abcdefghijklmnopqrstuvwxyz"},
        [("Mattermost", {"token": "abcdefghijklmnopqrstuvwxyz", "fullpath": "", "secure": True, "port": None})],
        id="Mattermost",
    ),
    pytest.param(
        "opsgenie",
        {"apiKey": "a8f8c7a0-1111-2222-3333-444455556666", "region": "EU"},
        [("Opsgenie", {"apikey": "a8f8c7a0-1111-2222-3333-444455556666", "region_name": "eu"})],
        id="Opsgenie",
    ),
    pytest.param(
        "matrix",
        {"homeServer": "https://m.example.org:8448", "accessToken": "syt_a/b", "internalRoomID": "!a:m.example.org"},
        [("Matrix", {"user": None, "password": "syt_a/b", "host": "m.example.org", "port": 8448, "secure": True})],
        id="Matrix",
    ),
    pytest.param(
        "matrix",
        {"serverurl": "http://m.example.org", "accesstoken": "syt_a", "internalroomid": "!a:m.example.org"},
        [("Matrix", {"user": None, "password": "syt_a", "host": "m.example.org", "secure": False})],
        id="Matrix of 0.8",
    ),
    pytest.param(
        "dingtalk",
        {"accessToken": "1234567890abcdef", "secret": "SECabc123"},
        [("DingTalk", {"token": "1234567890abcdef", "secret": "SECabc123"})],
        id="DingTalk",
    ),
    pytest.param("dingtalk", {"accessToken": "123abc"}, [("DingTalk", {"token": "123abc"})], id="DingTalk, unsigned"),
    pytest.param(
        "feishu",
        {"webhook": "https://open.feishu.cn/open-apis/bot/v2/hook/aaaa-bbbb"},
        [("Feishu", {"token": "aaaa-bbbb"})],
        id="Feishu",
    ),
    pytest.param(
        "feishu",
        {"webhook": "https://open.larksuite.com/open-apis/bot/v2/hook/aaaa-bbbb"},
        [("Lark", {"token": "aaaa-bbbb"})],
        id="Lark",
    ),
    pytest.param(
        "googlechat",
        {"webhook": "https://chat.googleapis.com/v1/spaces/AAA/messages?key=AIza-1&token=ab-c%3D"},
        [("GoogleChat", {"workspace": "AAA", "webhook_key": "AIza-1", "webhook_token": "ab-c="})],
        id="Google Chat",
    ),
    pytest.param(
        "gotify",
        {"url": "https://g.example.org:8443/path", "token": "AbC123", "priority": 8},
        [("Gotify", {"token": "AbC123", "host": "g.example.org", "port": 8443, "fullpath": "/path/", "priority": 8})],
        id="Gotify",
    ),
    pytest.param(
        "ntfy",
        {"topic": "kwatch", "token": "tk_abc", "url": "https://n.example.org"},
        [("Ntfy", {"topics": ["kwatch"], "token": "tk_abc", "host": "n.example.org", "priority": "high"})],
        id="ntfy",
    ),
    pytest.param(
        "ntfy", {"topic": "kwatch"}, [("Ntfy", {"topics": ["kwatch"], "host": "ntfy.sh", "secure": True})], id="ntfy.sh"
    ),
    pytest.param(
        "pushover",
        {"token": "a" * 30, "user": "u" * 30, "priority": 2, "retry": 60, "expire": 3600},
        [("Pushover", {"token": "a" * 30, "user_key": "u" * 30, "priority": 2, "interval": 60, "expire": 3600})],
        id="Pushover, an emergency",
    ),
    pytest.param(
        "pushover",
        {"token": "a" * 30, "user": "u" * 30, "priority": 1, "retry": 60},
        [("Pushover", {"priority": 1})],
        id="Pushover",
    ),
    pytest.param(
        "webex",
        {"accessToken": "token123", "roomId": "Y2lzY29_abc"},
        [("WebexTeams", {"access_token": "token123", "targets": ["Y2lzY29_abc"]})],
        id="Webex",
    ),
    pytest.param(
        "webex",
        {"accessToken": "token123", "toPersonEmail": "a@b.org"},
        [("WebexTeams", {"access_token": "token123", "targets": ["a@b.org"]})],
        id="Webex, a person",
    ),
    pytest.param(
        "github",
        {"token": "ghp_abc", "owner": "acme", "repo": "infra"},
        [("GitHub", {"owner": "acme", "repo": "infra"})],
        id="GitHub",
    ),
    pytest.param("ifttt", {"key": "KEY"}, [("IFTTT", {"webhook_id": "KEY", "events": ["kwatch"]})], id="IFTTT"),
    pytest.param(
        "zulip",
        {
            "email": "kwatch-bot@acme.zulipchat.com",
            "token": "a" * 32,
            "channel": "ops",
            "url": "https://acme.zulipchat.com",
        },
        [("Zulip", {"botname": "kwatch", "organization": "acme", "token": "a" * 32, "targets": ["ops"]})],
        id="Zulip",
    ),
    pytest.param(
        "homeassistant",
        {"token": "eyJ.abc", "service": "mobile", "url": "http://localhost:8123/ha/"},
        [
            (
                "HomeAssistant",
                {
                    "accesstoken": "eyJ.abc",
                    "host": "localhost",
                    "port": 8123,
                    "targets": [("notify", "mobile", [])],
                    "prefix": "/ha",
                },
            )
        ],
        id="Home Assistant",
    ),
    pytest.param(
        "ilert", {"integrationKey": "il1api123", "priority": "LOW"}, [("ILert", {"priority": "low"})], id="ilert"
    ),
    pytest.param(
        "incident.io",
        {"url": "https://api.incident.io/v2/alert_events/http/01ABC", "apiKey": "tok"},
        [("IncidentIO", {"source": "01ABC", "token": "tok"})],
        id="incident.io",
    ),
    pytest.param("squadcast", {"serviceKey": "0a1b2c"}, [("Squadcast", {"key": "0a1b2c"})], id="Squadcast"),
    pytest.param("signl4", {"teamSecret": "abc"}, [("SIGNL4", {"secret": "abc"})], id="SIGNL4"),
    pytest.param(
        "twilio",
        {"accountSid": SID, "authToken": HEX, **NUMBERS},
        [("Twilio", {"account_sid": SID, "auth_token": HEX, "source": "+12025550100"})],
        id="Twilio",
    ),
    pytest.param(
        "vonage",
        {"apiKey": "abcdef12", "apiSecret": "abcdefghijklmnop", **NUMBERS},
        [("Vonage", {"apikey": "abcdef12", "secret": "abcdefghijklmnop", "targets": ["12025550101"]})],
        id="Vonage",
    ),
    pytest.param(
        "plivo",
        {"authId": "MA" + "X" * 18, "authToken": "a" * 40, **NUMBERS},
        [("Plivo", {"token": "a" * 40, "targets": ["+12025550101"]})],
        id="Plivo",
    ),
    pytest.param(
        "messagebird",
        {"accessKey": "a" * 25, **NUMBERS},
        [("MessageBird", {"apikey": "a" * 25, "targets": ["12025550101"]})],
        id="MessageBird",
    ),
    pytest.param(
        "signal",
        {"number": "+12025550100", "to": "+12025550101", "url": "https://s.example.org:8080"},
        [("SignalAPI", {"source": "+12025550100", "targets": ["+12025550101"], "host": "s.example.org", "port": 8080})],
        id="Signal",
    ),
    pytest.param(
        "sendgrid",
        {"apiKey": "SG.abc-def", "from": "a@b.org", "to": ["c@d.org", "e@f.org"]},
        [
            ("SendGrid", {"apikey": "SG.abc-def", "from_email": "a@b.org", "targets": ["c@d.org"]}),
            ("SendGrid", {"apikey": "SG.abc-def", "from_email": "a@b.org", "targets": ["e@f.org"]}),
        ],
        id="SendGrid, two targets",
    ),
    pytest.param(
        "ses",
        {"accessKeyId": "AKIAABCDEFGHIJKLMNOP", "secretAccessKey": "a+b/c", "from": "a@b.org", "to": "c@d.org"},
        [
            (
                "SES",
                {
                    "aws_access_key_id": "AKIAABCDEFGHIJKLMNOP",
                    "aws_secret_access_key": "a+b/c",
                    "aws_region_name": "us-east-1",
                    "from_addr": "a@b.org",
                },
            )
        ],
        id="SES",
    ),
    pytest.param(
        "sns",
        {
            "accessKeyId": "AKIAABCDEFGHIJKLMNOP",
            "secretAccessKey": "a+b/c",
            "topicArn": "arn:aws:sns:eu-west-1:123456789012:kwatch",
        },
        [("SNS", {"aws_secret_access_key": "a+b/c", "aws_region_name": "eu-west-1", "topics": ["kwatch"]})],
        id="SNS",
    ),
    pytest.param(
        "wecom",
        {"webhook": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx"},
        [("WeComBot", {"key": "693a91f6-7xxx"})],
        id="WeCom",
    ),
    pytest.param(
        "splunkoncall",
        {"apiKey": "a1b2c3d4-1234-5678-9abc-def012345678", "routingKey": "database"},
        [("Splunk", {"apikey": "a1b2c3d4-1234-5678-9abc-def012345678", "routing_key": "database"})],
        id="Splunk On-Call",
    ),
    pytest.param(
        "mailgun",
        {"apiKey": "key-" + HEX, "domain": "mg.b.org", "from": "a@mg.b.org", "to": "c@d.org, e@f.org"},
        [("Mailgun", {"apikey": "key-" + HEX, "host": "mg.b.org", "user": "a"})] * 2,
        id="Mailgun, two targets",
    ),
    pytest.param(
        "resend",
        {"apiKey": "re_abc", "from": "Kwatch <a@b.org>", "to": "c@d.org"},
        [("Resend", {"apikey": "re_abc", "from_addr": ("", "a@b.org"), "targets": ["c@d.org"]})],
        id="Resend",
    ),
    pytest.param(
        "goalert",
        {"url": "https://ga.acme.dev", "token": HEX, "serviceId": "S"},
        [("GoAlert", {"host": "ga.acme.dev", "secure": True})],
        id="GoAlert",
    ),
    pytest.param(
        "threema",
        {"gatewayId": "*ABCDEFG", "secret": "abc123", "to": "ECHOECHO"},
        [("Threema", {"user": "*ABCDEFG", "secret": "abc123"})],
        id="Threema",
    ),
    pytest.param(
        "flock",
        {"webhook": "https://api.flock.com/hooks/sendMessage/134b8gh0-eba0-4fa9-ab9c-257ced0e8221"},
        [("Flock", {"token": "134b8gh0-eba0-4fa9-ab9c-257ced0e8221"})],
        id="Flock",
    ),
    pytest.param("pushbullet", {"accessToken": "o.abc"}, [("PushBullet", {"accesstoken": "o.abc"})], id="Pushbullet"),
]


@pytest.mark.parametrize(("provider", "options", "expected"), APPRISE_CASES)
def test_a_provider_becomes_a_url_that_apprise_reads_as_it_was_meant(
    tmp_path: Path, provider: str, options: dict[str, Any], expected: list[tuple[str, dict[str, Any]]]
) -> None:
    result = imported(provider, options)
    assert result.left == ()
    found = integrations(result, tmp_path)
    assert len(found) == len(expected)
    for integration, (kind, values) in zip(found, expected, strict=True):
        assert isinstance(integration, AppriseConfig)
        plugin = make_service(integration.url.value)
        assert type(plugin).__name__ == f"Notify{kind}"
        assert {key: getattr(plugin, key) for key in values} == values


def test_every_service_is_tried() -> None:
    tried = {str(each.values[0]).replace("incident.io", "incidentio") for each in APPRISE_CASES}
    assert tried == set(SERVICES)


@pytest.mark.parametrize("provider", sorted(SERVICES))
def test_the_form_that_is_shown_is_one_of_a_service_that_apprise_has(provider: str) -> None:
    assert not complaint(SERVICES[provider].form).startswith(("Apprise knows no", "must be one URL"))


def test_a_secret_of_a_service_that_is_elsewhere_is_left_with_the_form_to_write() -> None:
    result = imported("opsgenie", {"apiKey": "${file:/config/key}"})
    assert keys_of(result) == [("apprise_configs", {"url_file": "secrets/opsgenie"})]
    assert [each.message for each in result.left] == [
        "write opsgenie://API_KEY with the content of apiKey (which is elsewhere) into the file secrets/opsgenie"
    ]


def test_a_secret_of_a_service_in_the_environment_stays_a_reference(tmp_path: Path) -> None:
    result = imported("opsgenie", {"apiKey": "${OPSGENIE_KEY}"})
    assert keys_of(result) == [("apprise_configs", {"url": "opsgenie://${OPSGENIE_KEY}"})]
    (tmp_path / "out.yaml").write_text(result.text, encoding="utf-8")
    key = "a8f8c7a0-1111-2222-3333-444455556666"
    (receiver,) = load(tmp_path / "out.yaml", None, {"OPSGENIE_KEY": key}).receivers
    integration = receiver.integrations[0][1]
    assert isinstance(integration, AppriseConfig)
    assert integration.url == Secret(f"opsgenie://{key}")


# -- what is left ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", sorted(WITHOUT))
def test_a_provider_without_counterpart_is_left_with_what_to_do_instead(provider: str) -> None:
    result = imported(provider, dict.fromkeys(WITHOUT[provider][1], "x"))
    assert [kind for kind, _ in keys_of(result)] == ["console_configs"]
    first, second = (each.message for each in result.left)
    assert {first, second} == {
        f"alert.{provider} has no counterpart: {WITHOUT[provider][0]}",
        "no provider is taken over: messages go to standard output until you write receivers",
    }


@pytest.mark.parametrize(
    ("provider", "options", "message"),
    [
        pytest.param(
            "slack", {}, "alert.slack is not taken over: webhook is missing, and kwatch did not start it", id="no"
        ),
        pytest.param("slack", {"token": "x"}, "alert.slack is not taken over: channel is missing", id="no channel"),
        pytest.param("slak", {"webhook": "x"}, "kwatch knows no provider slak; did you mean slack?", id="a typo"),
        pytest.param(
            "slack", {"webhok": "x"}, "kwatch knows no option alert.slack.webhok; did you mean webhook?", id="an option"
        ),
        pytest.param(
            "email",
            {"form": "a@b.org", "to": "c@d.org", "host": "h", "port": 25},
            "kwatch knows no option alert.email.form; did you mean from?",
            id="the typo of kwatch's own template",
        ),
        pytest.param(
            "slack", {"webhook": "<webhook_url>"}, "alert.slack.webhook is still a placeholder", id="template"
        ),
        pytest.param("teams", {"webhook": "https://a.webhook.office.com/b"}, "Microsoft has retired", id="a connector"),
        pytest.param(
            "slack", {"webhook": "https://h.example", "title": "{{x}}"}, "title is not taken over", id="braces"
        ),
        pytest.param("webhook", {"url": "https://h.example"}, "alert.webhook: the body is Alertmanager's", id="a body"),
        pytest.param("feishu", {"webhook": "https://x.org/y", "secret": "s"}, "Apprise cannot sign", id="a signature"),
        pytest.param("feishu", {"webhook": "https://x.org/y"}, "this is no address of an incoming", id="no webhook"),
        pytest.param("gotify", {"url": "g.org", "token": "x"}, "alert.gotify.url must be an http or", id="no URL"),
        pytest.param(
            "github", {"token": "a", "owner": "b", "repo": "c", "url": "https://ghe.org"}, "github.com only", id="GHE"
        ),
        pytest.param(
            "zulip",
            {"email": "x-bot@z.org", "token": "a", "channel": "b", "url": "https://z.org"},
            "Apprise speaks to zulipchat.com only",
            id="Zulip",
        ),
        pytest.param("telegram", {"token": "x", "chatId": 1}, "bot_token must be what BotFather gives", id="no token"),
        pytest.param("slack", {"webhook": "no url"}, "api_url must be an http or https URL", id="no address"),
        pytest.param(
            "opsgenie", {"apiKey": "x", "templates": {"a": "b"}}, "Watcher writes its messages", id="its own texts"
        ),
        pytest.param(
            "webhook",
            {"url": "https://h.example", "headers": [{"name": "Authorization", "value": "Basic eA=="}]},
            "the header Authorization is not taken over",
            id="basic",
        ),
        pytest.param(
            "webhook", {"url": "https://h.example", "headers": [{"name": "X"}]}, "a header without a name or", id="half"
        ),
    ],
)
def test_what_is_left_of_a_provider_is_said(provider: str, options: dict[str, Any], message: str) -> None:
    assert [each for each in imported(provider, options).left if message in each.message]


@pytest.mark.parametrize("key", SHARED[1:-1])
def test_what_every_provider_may_say_is_told_to_be_seen_to(key: str) -> None:
    result = imported("slack", {"webhook": "https://h.example", key: {"maxAttempts": 3} if key == "retry" else 5})
    assert result.left == ()
    assert [each.message for each in result.notes if f"alert.slack.{key} is not needed" in each.message]
