"""The configuration's records, frozen and checked: what `settings` makes of the file and everybody else reads.

Alertmanager's keys keep Alertmanager's names. Secrets are plain strings here (already read from their `_file` twin);
their records hide them from repr.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

import msgspec

from watcher.model.rule import Rendering


class Secret(msgspec.Struct, frozen=True, gc=False):
    """A value that no log line, error or answer may show."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "<secret>"


class Config(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of the configuration's records."""


class TlsConfig(Config, frozen=True, kw_only=True):
    """Alertmanager's `tls_config`. The files are read again when they change: certificates get renewed."""

    ca_file: str = ""
    """Whom to trust instead of the machine's own list."""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    """The name that the certificate must have, where it is not the host's."""
    insecure_skip_verify: bool = False
    min_version: str = ""
    """TLS10 to TLS13; empty: what the TLS library takes (1.2)."""
    max_version: str = ""


class HttpClient(Config, frozen=True, kw_only=True):
    """Alertmanager's `http_config`: how to speak to a receiver, the same for every HTTP channel."""

    auth_type: str = "Bearer"
    credentials: Secret | None = None
    """With `auth_type` the header Authorization."""
    basic_username: str = ""
    basic_password: Secret | None = None
    tls: TlsConfig = TlsConfig()
    http_proxy: Secret | None = None
    """For http addresses; `https_proxy` for https ones. `proxy_url` stands in both."""
    https_proxy: Secret | None = None
    no_proxy: tuple[str, ...] = ()
    """Hosts, domains, addresses and networks that are asked without the proxy; `*`: all."""
    proxy_headers: tuple[tuple[str, Secret], ...] = ()
    follow_redirects: bool = True
    """307 and 308 on the same host only, whatever this says (deliver/http.py)."""
    headers: tuple[tuple[str, Secret], ...] = ()


class SlackField(Config, frozen=True, kw_only=True):
    """A title with its value, both templates; short ones stand side by side."""

    title: str
    value: str
    short: bool = False


class SlackAction(Config, frozen=True, kw_only=True):
    """A button that opens an address; `text` and `url` are templates."""

    text: str
    url: str
    style: str = ""
    """primary or danger; empty: plain."""


class SlackConfig(Config, frozen=True, kw_only=True):
    """An incoming webhook, or with `token` the Web API. Texts are Jinja2 templates (deliver/templating.py); an empty
    one leaves Watcher's own in its place.
    """

    api_url: Secret
    """The webhook, or the address of chat.postMessage."""
    token: Secret | None = None
    """A bot token, with which messages can be edited."""
    channel: str = ""
    """A template, as are `username` and `icon_*`; needed with a token. A webhook has a channel of its own, and only a
    legacy one heeds these."""
    username: str = ""
    icon_emoji: str = ""
    icon_url: str = ""
    title: str = ""
    title_link: str = ""
    pretext: str = ""
    text: str = ""
    fallback: str = ""
    """What a phone shows."""
    color: str = ""
    """good, warning, danger or #RRGGBB: a bar beside the message. Slack then folds a long one away."""
    fields: tuple[SlackField, ...] = ()
    actions: tuple[SlackAction, ...] = ()
    timeout: timedelta = timedelta(seconds=10)
    """Of one request; an end with a token takes two."""
    http: HttpClient | None = None
    send_resolved: bool = False
    """Alertmanager's default for Slack (and for e-mail)."""


class DiscordConfig(Config, frozen=True, kw_only=True):
    """A webhook. `content`, `title` and `message` are Jinja2 templates, as Slack's texts are."""

    webhook_url: Secret
    username: str = ""
    avatar_url: str = ""
    content: str = ""
    """The text above, which a phone shows."""
    title: str = ""
    message: str = ""
    http: HttpClient | None = None
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
    auth_identity: str = ""
    auth_secret: Secret | None = None
    """The secret of CRAM-MD5."""
    require_tls: bool = True
    implicit_tls: bool | None = None
    """TLS from the first byte; None: on port 465 only."""
    tls: TlsConfig = TlsConfig()
    headers: tuple[tuple[str, str], ...] = ()
    """Templates, as `html` and `text` are; empty ones leave Watcher's own."""
    html: str | None = None
    """None: Watcher's own; empty: no HTML at all, as in Alertmanager."""
    text: str = ""
    threading: bool = True
    """One thread for each group; off: every message stands alone."""
    daily_threads: bool = False
    send_resolved: bool = False


class WebhookConfig(Config, frozen=True, kw_only=True):
    url: Secret
    send_resolved: bool = True
    max_alerts: int = 0
    """0: no limit."""
    timeout: timedelta = timedelta(seconds=10)
    http: HttpClient = HttpClient()


class AppriseConfig(Config, frozen=True, kw_only=True):
    url: Secret
    send_resolved: bool = True


class PagerDutyConfig(Config, frozen=True, kw_only=True):
    """Events API v2. Texts are templates, as Slack's are; what is empty is taken from the alerts."""

    routing_key: Secret
    url: str = "https://events.pagerduty.com/v2/enqueue"
    description: str = ""
    client: str = ""
    client_url: str = ""
    severity: str = ""
    """critical, error, warning or info; anything else: the worst of the firing alerts."""
    source: str = ""
    class_name: str = ""
    """PagerDuty's and Alertmanager's `class`."""
    component: str = ""
    group: str = ""
    details: tuple[tuple[str, str], ...] = ()
    images: tuple[tuple[str, str, str], ...] = ()
    """(src, alt, href)"""
    links: tuple[tuple[str, str], ...] = ()
    """(href, text)"""
    send_resolved: bool = True
    timeout: timedelta = timedelta(seconds=10)
    http: HttpClient = HttpClient()


class TelegramConfig(Config, frozen=True, kw_only=True):
    edits: ClassVar[bool] = True
    """It can change a message that was sent (notify/channels.py)."""
    bot_token: Secret
    chat_id: str
    """A number, or @channelname."""
    message_thread_id: int = 0
    api_url: str = "https://api.telegram.org"
    message: str = ""
    """A template in the markup of `parse_mode`; empty: Watcher's own text."""
    parse_mode: str = "HTML"
    """HTML, Markdown, MarkdownV2, or empty for plain text. Watcher's own text is HTML unless it is empty."""
    disable_notifications: bool = False
    send_resolved: bool = True
    timeout: timedelta = timedelta(seconds=10)
    http: HttpClient = HttpClient()


class MSTeamsConfig(Config, frozen=True, kw_only=True):
    """Alertmanager's `msteamsv2_configs`: the URL of a Power Automate workflow. `title` and `text` are templates."""

    webhook_url: Secret
    title: str = ""
    text: str = ""
    """In Teams' Markdown."""
    send_resolved: bool = True
    timeout: timedelta = timedelta(seconds=10)
    http: HttpClient = HttpClient()


class ConsoleConfig(Config, frozen=True, kw_only=True):
    """Ours: the message on standard output, for `watcher demo` and for trying out."""

    send_resolved: bool = True
    colour: bool = False


Integration = (
    SlackConfig
    | DiscordConfig
    | EmailConfig
    | WebhookConfig
    | AppriseConfig
    | PagerDutyConfig
    | TelegramConfig
    | MSTeamsConfig
    | ConsoleConfig
)


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
    posts_token: Secret | None = None
    """Allows to post alerts, and nothing else."""
    open_writes: bool = False
    cors_origins: tuple[str, ...] = ()
    """Pages of other sites that may read answers, as in `https://karma.example.org`; `*`: all."""


class LeaderElectionConfig(Config, frozen=True, kw_only=True):
    """Which of several replicas works: client-go's words and defaults (tools/leaderelection)."""

    enabled: bool = False
    lease: str = "watcher"
    """The name of the Lease."""
    namespace: str = ""
    """Where it is; empty: where Watcher runs."""
    lease_duration: timedelta = timedelta(seconds=15)
    """Others wait for so long after they saw it renewed."""
    renew_deadline: timedelta = timedelta(seconds=10)
    """The leader gives up after so long without a renewal."""
    retry_period: timedelta = timedelta(seconds=2)
    address: str = ""
    """The URL of this replica's HTTP interface: the others hand on to it what only the leader may do."""


class HintRule(Config, frozen=True, kw_only=True):
    """Which hints the owners of workloads in these namespaces may give, besides a runbook."""

    namespaces: tuple[str, ...]
    """Names, or patterns with `*` and `?`."""
    allow: frozenset[str]


class StormConfig(Config, frozen=True, kw_only=True):
    groups: int = 10
    within: timedelta = timedelta(seconds=60)


class LinkConfig(Config, frozen=True, kw_only=True):
    """A link of the user's own (a dashboard, a log search) that stands below every alert."""

    label: str
    template: Rendering
    """Its address; `lib.links.NAMES` are the values it may use."""
