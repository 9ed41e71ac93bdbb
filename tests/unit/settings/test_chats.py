"""Slack and Discord: where the token may stand, the texts as templates, and what is wrong with them."""

from datetime import timedelta

import pytest

from tests.unit.settings.conftest import Home
from watcher.model.config import DiscordConfig, HttpClient, Integration, Secret, SlackAction, SlackConfig, SlackField

API = "https://slack.com/api/chat.postMessage"


def integration(home: Home, text: str, shared: str = "") -> Integration:
    """The only integration of the only receiver, which is written as `text`."""
    settings = home.load(f"{shared}\nreceivers:\n- name: ops\n  {text}\n")
    (receiver,) = settings.receivers
    ((_, found),) = receiver.integrations
    return found


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        pytest.param("bot_token: xoxb-1, channel: '#ops'", "", id="ours"),
        pytest.param(f"bot_token: xoxb-1, channel: '#ops', api_url: '{API}'", "", id="ours, with the address"),
        pytest.param("app_token: xoxb-1, channel: '#ops'", "", id="Alertmanager's"),
        pytest.param(
            f"app_token: xoxb-1, app_url: '{API}', channel: '#ops'", "", id="Alertmanager's, with the address"
        ),
        pytest.param("channel: '#ops'", "global: {slack_app_token: xoxb-1}", id="Alertmanager's, under global"),
    ],
)
def test_a_bot_token_makes_the_web_api_of_it(home: Home, text: str, shared: str) -> None:
    expected = SlackConfig(api_url=Secret(API), token=Secret("xoxb-1"), channel="#ops")
    assert integration(home, f"slack_configs: [{{{text}}}]", shared) == expected


def test_the_token_may_be_the_authorization_of_an_older_file(home: Home) -> None:
    home.write("token", "xoxb-1\n")
    text = f"slack_configs: [{{api_url: '{API}', channel: C1, "
    found = integration(home, text + "http_config: {authorization: {credentials_file: token}}}]")
    assert isinstance(found, SlackConfig)
    assert (found.token, found.http) == (Secret("xoxb-1"), HttpClient(credentials=Secret("xoxb-1")))


def test_a_webhook_keeps_the_authorization_for_its_proxy(home: Home) -> None:
    found = integration(
        home, "slack_configs: [{api_url: 'https://h/x', http_config: {authorization: {credentials: t}}}]"
    )
    assert isinstance(found, SlackConfig)
    assert found.token is None
    assert found.http == HttpClient(credentials=Secret("t"))


def test_a_token_may_stand_in_a_file(home: Home) -> None:
    home.write("token", "xoxb-1\n")
    assert integration(home, "slack_configs: [{bot_token_file: token, channel: C1}]") == SlackConfig(
        api_url=Secret(API), token=Secret("xoxb-1"), channel="C1"
    )


def test_slacks_texts_are_templates(home: Home) -> None:
    text = """slack_configs:
  - api_url: https://h/x
    title: '{{ title }}'
    title_link: '{{ external_url }}'
    pretext: p
    text: '{{ common_annotations.description }}'
    message_text: m
    fallback: f
    color: '{{ "danger" if status == "firing" else "good" }}'
    short_fields: true
    fields: [{title: a, value: '{{ common_labels.a }}'}, {title: b, value: c, short: false}]
    actions: [{type: button, text: Runbook, url: '{{ common_annotations.runbook_url }}', style: primary}]
    timeout: 3s
"""
    assert integration(home, text) == SlackConfig(
        api_url=Secret("https://h/x"),
        title="{{ title }}",
        title_link="{{ external_url }}",
        pretext="p",
        text="{{ common_annotations.description }}",
        fallback="m",
        color='{{ "danger" if status == "firing" else "good" }}',
        fields=(
            SlackField(title="a", value="{{ common_labels.a }}", short=True),
            SlackField(title="b", value="c", short=False),
        ),
        actions=(SlackAction(text="Runbook", url="{{ common_annotations.runbook_url }}", style="primary"),),
        timeout=timedelta(seconds=3),
    )


def test_discords_texts_are_templates(home: Home) -> None:
    text = "discord_configs: [{webhook_url: 'https://d/x', content: c, title: '{{ title }}', message: '{{ text }}'}]"
    assert integration(home, text) == DiscordConfig(
        webhook_url=Secret("https://d/x"), content="c", title="{{ title }}", message="{{ text }}"
    )


def problems(home: Home, text: str, shared: str = "") -> list[str]:
    return home.problems(f"{shared}receivers:\n- name: ops\n  {text}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "slack_configs: [{bot_token: S3CRET}]",
            "3:19: channel is missing: with a token, write the channel's name or id",
            id="a token without a channel",
        ),
        pytest.param(
            "slack_configs: [{bot_token: S3CRET, app_token: S3CRET, channel: c}]",
            "3:19: give bot_token or app_token, not both",
            id="two tokens",
        ),
        pytest.param(
            "slack_configs: [{bot_token: S3CRET, api_url: 'https://hooks/S3CRET', channel: c}]",
            "3:48: api_url is a webhook, which needs no bot_token: give one of them",
            id="a token and a webhook",
        ),
        pytest.param(
            f"slack_configs: [{{api_url: '{API}', channel: c}}]",
            "3:29: api_url is Slack's Web API, which needs a token: write bot_token or bot_token_file",
            id="the Web API without a token",
        ),
        pytest.param(
            "slack_configs: [{app_token: S3CRET, app_url: 'https://slack.com/api', channel: c}]",
            f"3:48: app_url must be the address of chat.postMessage, such as {API}",
            id="another method",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'https://h/x', title: '{{ nonsense }}'}]",
            "3:52: title: there is no value nonsense",
            id="an unknown value",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'https://h/x', text: '{% set a = 1 %}'}]",
            "3:51: text: set is not allowed in a template",
            id="what a template may not do",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'https://h/x', fields: [{title: a}]}]",
            "3:53: value is missing",
            id="half a field",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'https://h/x', actions: [{text: a, url: b, style: loud}]}]",
            "3:79: style must be primary or danger",
            id="a style",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'https://h/x', actions: [{text: a, name: b}]}]",
            "3:54: warning: a button without url is not used: nobody would hear of its click",
            id="a button that nobody hears",
        ),
        pytest.param(
            "slack_configs: [{api_url: 'https://h/x', link_names: true}]",
            "3:44: warning: link_names is not used",
            id="link_names, which pings",
        ),
        pytest.param(
            "discord_configs: [{webhook_url: 'https://d/x', message: '{{ nonsense }}'}]",
            "3:60: message: there is no value nonsense",
            id="Discord",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_the_secret(home: Home, text: str, expected: str) -> None:
    (problem,) = problems(home, text)
    assert problem.startswith(expected)
    assert "S3CRET" not in problem


def test_a_go_template_is_a_warning_that_shows_the_jinja_form(home: Home) -> None:
    text = """slack_configs:
  - api_url: https://h/x
    title: '[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }}'
    text: |-
      {{ range .Alerts }}*{{ .Annotations.summary }}*
      {{ end }}
    pretext: '{{ template "slack.default.pretext" . }}'
    fallback: '{{ template "mine" . }}'
"""
    kept = "is a Go template, in whose place Watcher sends its own text; "
    assert problems(home, text) == [
        f"5:12: warning: title {kept}in Jinja2 it is: [{{{{ status | upper }}}}] {{{{ common_labels.alertname }}}}",
        f"6:11: warning: text {kept}in Jinja2 it is: "
        "{% for alert in alerts %}*{{ alert.annotations.summary }}*\\n{% endfor %}",
        "9:14: warning: pretext is Alertmanager's own text: Watcher sends its own in its place; leave the key out",
        f"10:15: warning: fallback {kept}here templates are written in Jinja2",
    ]
    assert integration(home, text) == SlackConfig(api_url=Secret("https://h/x"))


def test_an_error_of_a_template_is_told_at_its_own_line(home: Home) -> None:
    text = "slack_configs:\n  - api_url: https://h/x\n    text: |\n      first\n      {{ nonsense }}\n"
    assert problems(home, text) == ["7:7: text: there is no value nonsense"]
