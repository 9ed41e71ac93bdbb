"""Texts that people configure for Slack and Discord: what they replace, what fails in them, what is hostile in them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from tests.support.chats import wrong_blocks
from tests.support.messages import changed, crash_loop, envelope, many, oom_kill
from tests.support.receivers import DiscordReceiver
from watcher.deliver import discord, slack
from watcher.model.config import DiscordConfig, Secret, SlackAction, SlackConfig, SlackField
from watcher.model.message import Notification
from watcher.notify.render import render

FIRST = msgspec.structs.replace(
    render(envelope(), [oom_kill(), crash_loop()]), external_url="https://w.example/?a=1&b=2"
)
BROKEN = "{{ 1 / 0 }}"
HOSTILE = "<!channel> <@U1> @everyone @here <b>bold</b> `tick` ```fence *star* [a](http://x) | # > \x1b[31mred\u202e"


def in_slack(notification: Notification = FIRST, **texts: Any) -> dict[str, Any]:
    payload = slack.payload(notification, SlackConfig(api_url=Secret(""), **texts))
    assert wrong_blocks(payload) == ""
    return payload


def in_discord(notification: Notification = FIRST, **texts: Any) -> dict[str, Any]:
    payload = discord.payload(notification, DiscordConfig(webhook_url=Secret(""), **texts))
    assert DiscordReceiver().wrong(payload) == ""
    return payload


def marked(payload: dict[str, Any]) -> str:
    """What Slack reads as mrkdwn; names of buttons and the header are plain text to it."""
    sections = [block for block in payload["blocks"] if block["type"] == "section"]
    texts = [text for block in sections for text in (block.get("text"), *block.get("fields", ())) if text]
    return "\n".join(text["text"] for text in texts)


def shown(payload: dict[str, Any]) -> list[str]:
    return [block["text"]["text"] for block in payload["blocks"] if "text" in block]


def test_a_title_and_a_text_stand_in_the_place_of_watchers_own() -> None:
    payload = in_slack(
        title="[{{ status | upper }}] {{ group_labels.workload }}", text="*{{ alerts | length }}* alerts"
    )
    assert shown(payload) == ["[FIRING] api", "*2* alerts"]
    assert payload["text"] == "[FIRING] api"


def test_what_is_not_configured_stays_watchers_own() -> None:
    own = slack.payload(FIRST, SlackConfig(api_url=Secret("")))
    payload = in_slack(title="mine")
    assert shown(payload) == ["mine", *shown(own)[1:]]


def test_a_title_with_a_link_is_a_section() -> None:
    payload = in_slack(title="a | b", title_link="{{ external_url }}")
    assert shown(payload)[0] == "*<https://w.example/?a=1&amp;b=2|a ¦ b>*"


@pytest.mark.parametrize("link", ["", "javascript:alert(1)", "https://x/ y", "https://x/" + "y" * 2990])
def test_a_link_that_slack_would_refuse_is_left_out(link: str) -> None:
    assert in_slack(title="t", title_link=link)["blocks"][0]["type"] == "header"


def test_pretext_stands_first_and_what_a_phone_shows_can_be_said() -> None:
    payload = in_slack(pretext="*look*", title="t", fallback="for <phones>")
    assert shown(payload)[:2] == ["*look*", "t"]
    assert payload["text"] == "for &lt;phones&gt;"


def test_fields_are_lines_and_short_ones_stand_side_by_side() -> None:
    fields = (
        SlackField(title="Severity", value="{{ severity }}", short=True),
        SlackField(title="Group", value="{{ group_labels.workload }}"),
    )
    blocks = in_slack(text="x", fields=fields)["blocks"]
    assert blocks[2]["text"]["text"] == "*Group*\napi"
    assert [field["text"] for field in blocks[3]["fields"]] == ["*Severity*\nwarning"]


def test_buttons_open_addresses() -> None:
    actions = (
        SlackAction(text="Open", url="{{ external_url }}", style="primary"),
        SlackAction(text="Runbook", url="{{ common_annotations.runbook_url }}"),
    )
    (element,) = in_slack(text="x", actions=actions)["blocks"][-1]["elements"]
    assert (element["text"]["text"], element["url"], element["style"]) == ("Open", FIRST.external_url, "primary")


def test_a_colour_is_a_bar_beside_the_message() -> None:
    payload = in_slack(color="{{ 'danger' if status == 'firing' else 'good' }}", text="x")
    assert [block["type"] for block in payload["blocks"]] == ["header"]
    (attachment,) = payload["attachments"]
    assert (attachment["color"], attachment["blocks"][0]["text"]["text"]) == ("danger", "x")


def test_a_label_that_is_missing_has_a_value_beside_it() -> None:
    assert in_slack(channel='{{ common_labels.team_channel or "#alerts" }}')["channel"] == "#alerts"


def test_a_colour_that_slack_does_not_know_is_told_and_left_out() -> None:
    payload = in_slack(color="mauve")
    assert "attachments" not in payload
    assert "must give good" in shown(payload)[-1]


def test_channel_and_name_are_templates_too() -> None:
    payload = in_slack(channel="#{{ common_labels.cluster }}", username="w {{ severity }}")
    assert (payload["channel"], payload["username"]) == ("#prod-eu", "w warning")


@pytest.mark.parametrize("key", ["title", "text", "pretext", "title_link", "fallback", "color", "username", "channel"])
@pytest.mark.parametrize("source", [BROKEN, "{{ nonsense }}", "{% for"], ids=["raises", "unknown name", "no template"])
def test_a_template_that_fails_does_not_stop_a_slack_message(key: str, source: str) -> None:
    own = slack.payload(FIRST, SlackConfig(api_url=Secret("")))
    payload = in_slack(FIRST, **{key: source})
    assert shown(payload)[:-1] == shown(own)
    assert shown(payload)[-1].startswith(f"The template of {key} could not be used: ")


@pytest.mark.parametrize("key", ["content", "title", "message"])
def test_a_template_that_fails_does_not_stop_a_discord_message(key: str) -> None:
    own = discord.payload(FIRST, DiscordConfig(webhook_url=Secret("")))
    payload = in_discord(FIRST, **{key: BROKEN})
    assert payload["embeds"] == own["embeds"]
    assert payload["content"].startswith(f"{own['content']}\nThe template of {key} could not be used: ")


def test_discords_texts_stand_in_the_place_of_watchers_own() -> None:
    payload = in_discord(content="{{ alerts | length }} alerts", title="{{ group_labels.workload }}", message="**m**")
    assert payload["content"] == "2 alerts"
    assert [(embed["title"], embed["description"]) for embed in payload["embeds"]] == [("api", "**m**")]
    assert in_discord(title="only", message="m")["content"] == "**only**"


def test_a_template_that_gives_nothing_leaves_watchers_own_text() -> None:
    own = slack.payload(FIRST, SlackConfig(api_url=Secret("")))
    assert in_slack(text="{{ common_annotations.description }}", title=" ") == own


def test_a_missing_label_is_empty_as_in_alertmanager() -> None:
    assert shown(in_slack(title="a{{ common_labels.nope }}{{ alerts[0].labels.nope }}b"))[0] == "ab"


def hostile() -> Notification:
    return render(envelope(), [changed(crash_loop(), labels={"pod": HOSTILE}, annotations={"summary": HOSTILE})])


def test_what_comes_out_of_labels_is_escaped_in_slack_and_the_templates_own_marks_are_not() -> None:
    source = "*own* <https://x|link> {{ common_labels.pod }} {{ alerts[0].annotations.summary }} {{ title }}"
    payload = in_slack(hostile(), text=source, pretext="{{ common_labels.pod }}")
    assert shown(payload)[2].startswith("*own* <https://x|link> &lt;!channel&gt;")
    values = marked(payload).replace("<https://x|link>", "") + payload["text"]
    assert not re.search(r"<|```|@(everyone|here|channel)|\x1b", values)


def test_what_comes_out_of_labels_is_escaped_in_discord() -> None:
    payload = in_discord(hostile(), content="{{ common_labels.pod }}", message="**own** {{ common_labels.pod }}")
    description = payload["embeds"][0]["description"]
    assert description.startswith("**own** \\<!channel\\>")
    assert "@everyone" not in description + payload["content"]
    assert payload["allowed_mentions"] == {"parse": []}


def test_secrets_in_labels_are_struck_out() -> None:
    notification = render(envelope(), [changed(crash_loop(), labels={"url": "https://u:s3cr3t-passw0rd@h/"})])
    assert "s3cr3t" not in str(in_slack(notification, text="{{ common_labels.url }}"))


EVERYTHING = (
    "{% for alert in alerts %}```{{ alert.annotations.description }}\n{{ alert.labels.workload }}\n{% endfor %}"
)


def test_texts_that_are_too_long_are_cut_within_slacks_limits() -> None:
    notification = render(envelope(), many(200, "<text> & more " * 290))
    fields = tuple(SlackField(title=EVERYTHING, value=EVERYTHING, short=short) for short in (True, False) * 5)
    actions = tuple(SlackAction(text=EVERYTHING, url="https://x") for _ in range(12))
    payload = in_slack(
        notification,
        title=EVERYTHING,
        pretext=EVERYTHING,
        text=EVERYTHING,
        fallback=EVERYTHING,
        fields=fields,
        actions=actions,
    )
    assert not re.search(r"&(?!amp;|lt;|gt;)", marked(payload))
    assert len(in_slack(notification, pretext=EVERYTHING, fields=fields)["blocks"]) > 5


def test_texts_that_are_too_long_are_cut_within_discords_limits() -> None:
    payload = in_discord(
        render(envelope(), many(200, "<text> & more " * 290)), content=EVERYTHING, title=EVERYTHING, message=EVERYTHING
    )
    assert all(text.count("```") % 2 == 0 for text in (payload["content"], payload["embeds"][0]["description"]))
    in_discord(render(envelope(), many(200, "<text> & more " * 290)), content="x", title=EVERYTHING)


def test_a_code_block_of_a_template_goes_on_in_the_next_section() -> None:
    lines = "\n".join(f"line {n} " + "x" * 90 for n in range(70))
    texts = shown(in_slack(text=f"```\n{lines}\n```"))[1:]
    assert len(texts) == 3
    assert all(text.startswith("```\n") and text.endswith("\n```") for text in texts)
