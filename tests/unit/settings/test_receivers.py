"""Alertmanager's receivers: its names, its defaults, what they inherit from `global`, and what is wrong with them."""

from datetime import timedelta

import pytest

from tests.unit.settings.conftest import Home
from watcher.model.config import (
    AppriseConfig,
    ConsoleConfig,
    DiscordConfig,
    EmailConfig,
    HttpClient,
    Integration,
    Secret,
    SlackConfig,
    WebhookConfig,
)
from watcher.settings.receivers import APPRISE_URLS


def integration(home: Home, text: str, shared: str = "", environ: dict[str, str] | None = None) -> Integration:
    """The only integration of the only receiver, which is written as `text`."""
    settings = home.load(f"{shared}\nreceivers:\n- name: ops\n  {text}\n", environ)
    (receiver,) = settings.receivers
    ((_, found),) = receiver.integrations
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "slack_configs: [{api_url: 'https://hooks.slack.com/x'}]",
            SlackConfig(api_url=Secret("https://hooks.slack.com/x"), send_resolved=False),
            id="Slack, whose ends Alertmanager does not send by default",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'https://h/x', channel: '#ops', username: w, icon_emoji: ':eye:', "
            "icon_url: 'http://i', send_resolved: true}]",
            SlackConfig(
                api_url=Secret("https://h/x"),
                channel="#ops",
                username="w",
                icon_emoji=":eye:",
                icon_url="http://i",
                send_resolved=True,
            ),
            id="Slack, all keys",
        ),
        pytest.param(
            "discord_configs: [{webhook_url: 'https://discord.com/api/webhooks/1/x', username: w, avatar_url: 'http://a'}]",
            DiscordConfig(
                webhook_url=Secret("https://discord.com/api/webhooks/1/x"), username="w", avatar_url="http://a"
            ),
            id="Discord",
        ),
        pytest.param(
            "email_configs: [{to: 'a@x.org, Ops <b@x.org>', from: w@x.org, smarthost: 'smtp.x.org:587', hello: w, "
            "auth_username: u, auth_password: p, require_tls: false}]",
            EmailConfig(
                to=("a@x.org", "b@x.org"),
                sender="w@x.org",
                smarthost="smtp.x.org:587",
                hello="w",
                auth_username="u",
                auth_password=Secret("p"),
                require_tls=False,
                send_resolved=False,
            ),
            id="e-mail",
        ),
        pytest.param(
            "webhook_configs: [{url: 'http://x'}]",
            WebhookConfig(url=Secret("http://x"), send_resolved=True, max_alerts=0, timeout=timedelta(seconds=10)),
            id="webhook",
        ),
        pytest.param(
            "webhook_configs: [{url: 'http://x', max_alerts: 5, timeout: 3s, send_resolved: false, "
            "http_config: {authorization: {credentials: t}}}]",
            WebhookConfig(
                url=Secret("http://x"),
                send_resolved=False,
                max_alerts=5,
                timeout=timedelta(seconds=3),
                http=HttpClient(credentials=Secret("t")),
            ),
            id="webhook with a token",
        ),
        pytest.param(
            "webhook_configs: [{url: 'http://x', http_config: {basic_auth: {username: u, password: p}}}]",
            WebhookConfig(url=Secret("http://x"), http=HttpClient(basic_username="u", basic_password=Secret("p"))),
            id="webhook with basic auth",
        ),
        pytest.param(
            "apprise_configs: [{url: 'json://a/b', send_resolved: false}]",
            AppriseConfig(url=Secret("json://a/b"), send_resolved=False),
            id="Apprise",
        ),
        pytest.param("console_configs: [{}]", ConsoleConfig(), id="console"),
        pytest.param("console_configs: [{colour: true}]", ConsoleConfig(colour=True), id="console in colour"),
    ],
)
def test_an_integration_has_what_is_written(home: Home, text: str, expected: Integration) -> None:
    assert integration(home, text) == expected


def test_integrations_are_named_by_their_place_in_the_receiver(home: Home) -> None:
    settings = home.load(
        "receivers: [{name: a, webhook_configs: [{url: 'http://x'}, {url: 'http://y'}], console_configs: [{}]}]"
    )
    names = [name for name, _ in settings.receivers[0].integrations]
    assert names == ["webhook_configs[0]", "webhook_configs[1]", "console_configs[0]"]


def test_what_an_integration_leaves_out_comes_from_global(home: Home) -> None:
    shared = "global: {smtp_from: w@x.org, smtp_smarthost: 'smtp:25', smtp_hello: h, smtp_auth_username: u, "
    shared += "smtp_auth_password: p, smtp_require_tls: false, slack_api_url: 'https://h/x'}"
    assert integration(home, "email_configs: [{to: a@x.org}]", shared) == EmailConfig(
        to=("a@x.org",),
        sender="w@x.org",
        smarthost="smtp:25",
        hello="h",
        auth_username="u",
        auth_password=Secret("p"),
        require_tls=False,
    )
    assert integration(home, "slack_configs: [{channel: x}]", shared) == SlackConfig(
        api_url=Secret("https://h/x"), channel="x"
    )


def test_what_an_integration_says_goes_before_global(home: Home) -> None:
    shared = "global: {smtp_from: w@x.org, smtp_smarthost: 'smtp:25', smtp_require_tls: false}"
    found = integration(home, "email_configs: [{to: a@x.org, from: v@x.org, require_tls: true}]", shared)
    assert isinstance(found, EmailConfig)
    assert (found.sender, found.smarthost, found.require_tls) == ("v@x.org", "smtp:25", True)


def test_a_secret_may_stand_in_a_file_beside_the_configuration(home: Home) -> None:
    home.write("secrets/slack", "https://hooks.slack.com/services/T/B/x\n")
    assert integration(home, "slack_configs: [{api_url_file: secrets/slack}]") == SlackConfig(
        api_url=Secret("https://hooks.slack.com/services/T/B/x")
    )
    home.write("secrets/slack", "https://h/y")
    shared = "global: {slack_api_url_file: secrets/slack}"
    assert integration(home, "slack_configs: [{}]", shared) == SlackConfig(api_url=Secret("https://h/y"))


def test_a_secret_may_come_from_the_environment(home: Home) -> None:
    text = "webhook_configs: [{url: 'http://x/${TOKEN}', http_config: {basic_auth: {username: u, password: '${P}'}}}]"
    assert integration(home, text, environ={"TOKEN": "t", "P": "p"}) == WebhookConfig(
        url=Secret("http://x/t"), http=HttpClient(basic_username="u", basic_password=Secret("p"))
    )


def problems(home: Home, text: str) -> list[str]:
    return home.problems(f"receivers:\n- name: ops\n  {text}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "slack_configs: [{}]",
            "3:19: api_url is missing: write api_url or api_url_file, or slack_api_url under global",
            id="no URL",
        ),
        pytest.param(
            "slack_configs: [{api_url: S3CRET}]", "3:29: api_url must be an http or https URL", id="no URL at all"
        ),
        pytest.param("slack_configs: [{api_url_file: gone}]", "3:34: gone: no such file", id="missing file"),
        pytest.param("slack_configs: [{api_url_file: .}]", "3:34: .: this is a directory", id="directory"),
        pytest.param(
            "slack_configs: [{api_url: 'http://x', api_url_file: y}]",
            "3:41: give api_url or api_url_file, not both",
            id="value and file",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'http://x', chanel: y}]",
            "3:41: unknown key chanel; did you mean channel?",
            id="unknown key",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'http://${NOPE}'}]",
            "3:29: the environment variable NOPE is not set",
            id="unset variable",
        ),
        pytest.param("slack_configs: {}", "3:18: slack_configs must be a list", id="no list"),
        pytest.param(
            "slack_config: []", "3:3: unknown key slack_config; did you mean slack_configs?", id="unknown type"
        ),
        pytest.param(
            "discord_configs: [{}]", "3:21: webhook_url is missing: write webhook_url or webhook_url_file", id="Discord"
        ),
        pytest.param(
            "email_configs: [{to: nobody, from: a@b, smarthost: 'h:1'}]",
            "3:24: to must be e-mail addresses, with commas between them",
            id="addresses",
        ),
        pytest.param(
            "email_configs: [{to: a@b, smarthost: 'h:1'}]",
            "3:19: from is missing: write from, or smtp_from under global",
            id="no sender",
        ),
        pytest.param(
            "email_configs: [{to: a@b, from: c@d}]",
            "3:19: smarthost is missing: write smarthost, or smtp_smarthost under global",
            id="no smarthost",
        ),
        pytest.param(
            "email_configs: [{to: a@b, from: c@d, smarthost: smtp.x.org}]",
            "3:51: smarthost must be HOST:PORT, such as smtp.example.org:587",
            id="smarthost without a port",
        ),
        pytest.param(
            "webhook_configs: [{url: 'http://x', max_alerts: -1}]",
            "3:51: max_alerts must be 0 or more",
            id="max_alerts",
        ),
        pytest.param(
            "webhook_configs: [{url: 'http://x', http_config: {authorization: {type: Basic, credentials: S3CRET}}}]",
            "3:75: type must not be Basic: write basic_auth with username and password",
            id="authorization",
        ),
        pytest.param("apprise_configs: [{url: S3CRET}]", "3:27: url: must be one URL of Apprise's", id="Apprise"),
        pytest.param("console_configs: [{color: true}]", "3:22: unknown key color; did you mean colour?", id="console"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_the_secret(home: Home, text: str, expected: str) -> None:
    found = problems(home, text)
    assert len(found) == 1
    assert found[0].startswith(expected)
    assert "S3CRET" not in found[0]


@pytest.mark.parametrize("kind", sorted(APPRISE_URLS))
def test_other_receiver_types_name_the_apprise_url_to_write(home: Home, kind: str) -> None:
    (problem,) = problems(home, f"{kind}_configs: [{{token: S3CRET}}]")
    assert problem == (
        f"3:3: {kind}_configs is sent through Apprise here: write apprise_configs with url: {APPRISE_URLS[kind]}"
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("slack_configs: [{api_url: 'http://x', footer: f}]", "footer", id="Slack"),
    ],
)
def test_a_text_of_alertmanagers_is_a_warning_so_that_an_existing_file_works(home: Home, text: str, key: str) -> None:
    (problem,) = problems(home, text)
    assert f"warning: {key} is not used" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("receivers: 3", "1:12: receivers must be a list", id="no list"),
        pytest.param("receivers: []", "1:1: receivers is empty: write one, or leave the key out", id="empty"),
        pytest.param("receivers: [{}]", "1:13: a receiver needs a name", id="no name"),
        pytest.param("receivers: [x]", "1:13: a receiver must be a mapping with a name", id="no mapping"),
        pytest.param(
            "receivers: [{name: a}, {name: a}]", "1:31: there is another receiver a: a name stands for one", id="twice"
        ),
    ],
)
def test_what_is_wrong_with_the_list_is_said_with_its_place(home: Home, text: str, expected: str) -> None:
    assert expected in home.problems(text)


def test_keys_of_other_receiver_types_under_global_are_let_be(home: Home) -> None:
    text = "global: {pagerduty_url: 'http://x', opsgenie_api_key: S3CRET, resolve_timeout: 3m}\n"
    settings = home.load(text + "receivers: [{name: a}]")
    assert settings.resolve_timeout == timedelta(minutes=3)
    assert settings.warnings == ()


def test_an_unknown_key_under_global_is_an_error(home: Home) -> None:
    found = home.problems("global: {resolve_timout: 3m}\nreceivers: [{name: a}]")
    assert found == ["1:10: unknown key resolve_timout; did you mean resolve_timeout?"]
