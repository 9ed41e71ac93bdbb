"""The shapes of Alertmanager's keys for receivers: its own names, meaning and defaults.

What an integration has in Alertmanager and Watcher does not use is named in NOT_USED: it is no error, so that an
existing file works, and a warning says so.
Source: https://prometheus.io/docs/alerting/latest/configuration/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from watcher.lib.shapes import Duration, Shape, Written


class IntegrationShape(Shape):
    NOT_USED: ClassVar[frozenset[str]] = frozenset()


class SlackFieldShape(Shape):
    title: str
    value: str
    short: bool | None = None


class SlackActionShape(Shape):
    """A button. `name`, `value` and `confirm` are of buttons without `url`, which need a program that listens."""

    type: str = "button"
    text: str
    url: str = ""
    style: str = ""
    name: str = ""
    value: str = ""
    confirm: Any = None


class SlackShape(IntegrationShape):
    NOT_USED: ClassVar[frozenset[str]] = frozenset(
        (
            *("footer", "thumb_url", "image_url", "link_names", "callback_id", "mrkdwn_in"),
            *("update_message", "message_strategy", "threaded_options"),
        )
    )
    send_resolved: bool = False
    api_url: str = ""
    api_url_file: str = ""
    bot_token: str = ""
    """Ours, as is its file; `app_token` is Alertmanager's."""
    bot_token_file: str = ""
    app_token: str = ""
    app_token_file: str = ""
    app_url: str = ""
    channel: str = ""
    username: str = ""
    icon_emoji: str = ""
    icon_url: str = ""
    title: str = ""
    title_link: str = ""
    pretext: str = ""
    text: str = ""
    message_text: str = ""
    fallback: str = ""
    color: str = ""
    fields: tuple[SlackFieldShape, ...] = ()
    short_fields: bool = False
    actions: tuple[SlackActionShape, ...] = ()
    timeout: Duration = timedelta()
    http_config: Any = None
    """Read by settings/clients.py."""


class DiscordShape(IntegrationShape):
    send_resolved: bool = True
    webhook_url: str = ""
    webhook_url_file: str = ""
    username: str = ""
    avatar_url: str = ""
    content: str = ""
    title: str = ""
    message: str = ""
    http_config: Any = None


class ThreadingShape(Shape):
    """On by default here; Alertmanager's is off."""

    enabled: bool = True
    thread_by_date: Literal["none", "daily"] = "none"


class EmailShape(IntegrationShape):
    send_resolved: bool = False
    to: str
    sender: Annotated[str, Field(alias="from")] = ""
    smarthost: str = ""
    hello: str = ""
    auth_username: str = ""
    auth_password: str = ""
    auth_password_file: str = ""
    auth_identity: str = ""
    auth_secret: str = ""
    auth_secret_file: str = ""
    require_tls: bool | None = None
    force_implicit_tls: bool | None = None
    tls_config: Any = None
    """Read by settings/clients.py, as is `http_config`."""
    headers: dict[str, Written] = Field(default_factory=dict)
    html: str | None = None
    text: str = ""
    threading: ThreadingShape = ThreadingShape()


class WebhookShape(IntegrationShape):
    UNKNOWN_KEYS: ClassVar[Mapping[str, str]] = {
        "payload": "payload is not supported: the body is Alertmanager's JSON; a receiver that wants another one may "
        "be among Apprise's services (apprise_configs)"
    }
    send_resolved: bool = True
    url: str = ""
    url_file: str = ""
    max_alerts: Annotated[int, Field(ge=0)] = 0
    timeout: Duration = timedelta()
    http_config: Any = None


class AppriseShape(IntegrationShape):
    UNKNOWN_KEYS: ClassVar[Mapping[str, str]] = {
        "urls": "unknown key urls: write an entry of apprise_configs for each URL, so that each is retried by itself"
    }
    send_resolved: bool = True
    url: str = ""
    url_file: str = ""


class PagerDutyImageShape(Shape):
    src: str = ""
    alt: str = ""
    href: str = ""


class PagerDutyLinkShape(Shape):
    href: str = ""
    text: str = ""


class PagerDutyShape(IntegrationShape):
    """Of the Events API v2; the keys of v1 are refused in receivers.py."""

    send_resolved: bool = True
    routing_key: str = ""
    routing_key_file: str = ""
    url: str = ""
    client: str = ""
    client_url: str = ""
    description: str = ""
    severity: str = ""
    source: str = ""
    class_name: Annotated[str, Field(alias="class")] = ""
    component: str = ""
    group: str = ""
    details: dict[str, Any] = Field(default_factory=dict)
    images: tuple[PagerDutyImageShape, ...] = ()
    links: tuple[PagerDutyLinkShape, ...] = ()
    timeout: Duration = timedelta()
    http_config: Any = None


class TelegramShape(IntegrationShape):
    UNKNOWN_KEYS: ClassVar[Mapping[str, str]] = {"chat": "unknown key chat: write chat_id"}
    send_resolved: bool = True
    bot_token: str = ""
    bot_token_file: str = ""
    chat_id: int | str = ""
    chat_id_file: str = ""
    message_thread_id: int = 0
    api_url: str = ""
    message: str = ""
    parse_mode: Literal["", "HTML", "Markdown", "MarkdownV2"] = "HTML"
    disable_notifications: bool = False
    timeout: Duration = timedelta()
    http_config: Any = None


class MSTeamsShape(IntegrationShape):
    send_resolved: bool = True
    webhook_url: str = ""
    webhook_url_file: str = ""
    title: str = ""
    text: str = ""
    timeout: Duration = timedelta()
    http_config: Any = None


class ConsoleShape(IntegrationShape):
    send_resolved: bool = True
    colour: bool = False
