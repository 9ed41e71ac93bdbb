"""The configuration's records, frozen and checked: what `settings` makes of the file and everybody else reads.

Alertmanager's keys keep Alertmanager's names. Secrets are plain strings here (already read from their `_file` twin);
their records hide them from repr.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import msgspec


class Secret(msgspec.Struct, frozen=True, gc=False):
    """A value that no log line, error or answer may show."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "<secret>"


class Config(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of the configuration's records."""


class SlackConfig(Config, frozen=True, kw_only=True):
    """Incoming webhook. `channel`, `username`, `icon_*` work only where the webhook allows them."""

    api_url: Secret
    channel: str = ""
    username: str = ""
    icon_emoji: str = ""
    icon_url: str = ""
    send_resolved: bool = False
    """Alertmanager's default for Slack (and for e-mail)."""


class DiscordConfig(Config, frozen=True, kw_only=True):
    webhook_url: Secret
    username: str = ""
    avatar_url: str = ""
    send_resolved: bool = True


class EmailConfig(Config, frozen=True, kw_only=True):
    to: tuple[str, ...]
    sender: str
    """Alertmanager's `from`."""
    smarthost: str
    """host:port"""
    hello: str = "localhost"
    auth_username: str = ""
    auth_password: Secret | None = None
    require_tls: bool = True
    send_resolved: bool = False


class WebhookConfig(Config, frozen=True, kw_only=True):
    url: Secret
    send_resolved: bool = True
    max_alerts: int = 0
    """0: no limit."""
    timeout: timedelta = timedelta(seconds=10)
    bearer_token: Secret | None = None
    basic_username: str = ""
    basic_password: Secret | None = None


class AppriseConfig(Config, frozen=True, kw_only=True):
    url: Secret
    send_resolved: bool = True


class ConsoleConfig(Config, frozen=True, kw_only=True):
    """Ours: the message on standard output, for `watcher demo` and for trying out."""

    send_resolved: bool = True
    colour: bool = False


Integration = SlackConfig | DiscordConfig | EmailConfig | WebhookConfig | AppriseConfig | ConsoleConfig


class Receiver(Config, frozen=True, kw_only=True):
    """`integrations`: name inside the receiver (`slack_configs[0]`) and its configuration, in the file's order."""

    name: str
    integrations: tuple[tuple[str, Integration], ...] = ()


class FirstStart(StrEnum):
    SUMMARY = "summary"
    ALERT = "alert"
    SILENT = "silent"


class WatchConfig(Config, frozen=True, kw_only=True):
    namespaces: tuple[str, ...] = ()
    exclude_namespaces: tuple[str, ...] = ()


class VolumesConfig(Config, frozen=True, kw_only=True):
    source: str = "kubelet"
    """kubelet, apiserver or none."""
    interval: timedelta = timedelta(seconds=60)
    ca_file: str = ""
    """Of the kubelets' certificates; empty: the cluster's own CA."""
    insecure_skip_verify: bool = False


class StoreConfig(Config, frozen=True, kw_only=True):
    url: Secret = Secret("sqlite:////var/lib/watcher/watcher.db")
    retention: timedelta = timedelta(hours=720)


class HttpConfig(Config, frozen=True, kw_only=True):
    host: str = "0.0.0.0"
    port: int = 9093
    external_url: str = ""
    token: Secret | None = None
    open_writes: bool = False


class HintRule(Config, frozen=True, kw_only=True):
    """Which hints the owners of workloads in these namespaces may give, besides a runbook."""

    namespaces: tuple[str, ...]
    """Names, or patterns with `*` and `?`."""
    allow: frozenset[str]


class StormConfig(Config, frozen=True, kw_only=True):
    groups: int = 10
    within: timedelta = timedelta(seconds=60)
