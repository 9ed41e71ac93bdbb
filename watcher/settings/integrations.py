"""The shapes of Alertmanager's keys for receivers: its own names, meaning and defaults.

What an integration has in Alertmanager and Watcher does not use (titles, texts, colours: Watcher writes its own
messages) is named in NOT_USED: it is no error, so that an existing file works, and a warning says so.
Source: https://prometheus.io/docs/alerting/latest/configuration/
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from watcher.lib.shapes import Duration, Shape


class IntegrationShape(Shape):
    NOT_USED: ClassVar[frozenset[str]] = frozenset()


class SlackShape(IntegrationShape):
    NOT_USED: ClassVar[frozenset[str]] = frozenset(
        (
            "title",
            "title_link",
            "text",
            "pretext",
            "fallback",
            "color",
            "fields",
            "actions",
            "short_fields",
            "footer",
            "thumb_url",
            "image_url",
            "link_names",
            "callback_id",
            "mrkdwn_in",
            "http_config",
            "message_text",
            "update_message",
            "timeout",
        )
    )
    send_resolved: bool = False
    api_url: str = ""
    api_url_file: str = ""
    channel: str = ""
    username: str = ""
    icon_emoji: str = ""
    icon_url: str = ""


class DiscordShape(IntegrationShape):
    NOT_USED: ClassVar[frozenset[str]] = frozenset(("title", "message", "content", "http_config"))
    send_resolved: bool = True
    webhook_url: str = ""
    webhook_url_file: str = ""
    username: str = ""
    avatar_url: str = ""


class EmailShape(IntegrationShape):
    NOT_USED: ClassVar[frozenset[str]] = frozenset(
        (
            "html",
            "text",
            "headers",
            "tls_config",
            "auth_identity",
            "auth_secret",
            "auth_secret_file",
            "force_implicit_tls",
            "threading",
        )
    )
    send_resolved: bool = False
    to: str
    sender: Annotated[str, Field(alias="from")] = ""
    smarthost: str = ""
    hello: str = ""
    auth_username: str = ""
    auth_password: str = ""
    auth_password_file: str = ""
    require_tls: bool | None = None


class AuthorizationShape(Shape):
    type: str = "Bearer"
    credentials: str = ""
    credentials_file: str = ""


class BasicAuthShape(Shape):
    username: str = ""
    password: str = ""
    password_file: str = ""


class HttpClientShape(IntegrationShape):
    """`http_config` of a webhook."""

    NOT_USED: ClassVar[frozenset[str]] = frozenset(
        (
            "follow_redirects",
            "enable_http2",
            "tls_config",
            "proxy_url",
            "proxy_from_environment",
            "no_proxy",
            "proxy_connect_header",
            "oauth2",
            "http_headers",
        )
    )
    authorization: AuthorizationShape | None = None
    basic_auth: BasicAuthShape | None = None
    bearer_token: str = ""
    bearer_token_file: str = ""


class WebhookShape(IntegrationShape):
    NOT_USED: ClassVar[frozenset[str]] = frozenset(("payload",))
    send_resolved: bool = True
    url: str = ""
    url_file: str = ""
    max_alerts: Annotated[int, Field(ge=0)] = 0
    timeout: Duration = timedelta()
    http_config: Any = None


class AppriseShape(IntegrationShape):
    send_resolved: bool = True
    url: str = ""
    url_file: str = ""


class ConsoleShape(IntegrationShape):
    send_resolved: bool = True
    colour: bool = False
