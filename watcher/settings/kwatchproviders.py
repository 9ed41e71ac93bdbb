"""kwatch's alert providers as integrations of Watcher's receivers.

Watcher's own channels where there is one, else Apprise (kwatchapprise); what neither can send is left, with what to do
instead. Custom titles stay in front of Watcher's own; other texts of kwatch's do not come over, for Watcher's say what
happened (kwatch's own main branch ignores them too).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from watcher.lib.shapes import nearest
from watcher.settings.kwatchapprise import SERVICES
from watcher.settings.kwatchoptions import Entry, Missing, NoCounterpart, NotHere, Options
from watcher.settings.kwatchreader import Reader, named

SHARED: Final = ("routes", "retry", "fallback", "hourlyBudget", "templates")
_RESERVED: Final = ("content-type", "content-length", "host", "user-agent", "connection", "accept-encoding")
_CONNECTOR: Final = re.compile(r"https://[\w.-]*\.webhook\.office\.com/|https://outlook\.office\.com/webhook")
_BODY: Final = "the body is Alertmanager's JSON (docs/receivers.md), not kwatch's: change who receives it"

Build = Callable[[Options], Entry]


def _slack(options: Options) -> Entry:
    keys: dict[str, Any] = {}
    if options.has("token"):
        options.into(keys, "bot_token", "token")
        options.into(keys, "channel", "channel", secret=False)
    else:
        options.into(keys, "api_url", "webhook")
        if options.has("channel"):
            options.into(keys, "channel", "channel", secret=False)
    return Entry(kind="slack_configs", keys={**keys, "send_resolved": True, **_title(options)})


def _discord(options: Options) -> Entry:
    keys: dict[str, Any] = {}
    options.into(keys, "webhook_url", "webhook")
    return Entry(kind="discord_configs", keys={**keys, **_title(options)})


def _title(options: Options) -> dict[str, str]:
    """A custom title before Watcher's own, which says what happened."""
    title = options.text("title")
    if title and not ("{" in title or "${" in title):
        return {"title": f"{title}: {{{{ title }}}}"}
    if title:
        options.reader.leave(options.place("title"), "title is not taken over: a title is a template in Jinja2 here")
    return {}


def _email(options: Options) -> Entry:
    host, port = options.text("host"), options.text("port")
    for key, value in (("host", host), ("port", port), ("to", options.text("to"))):
        if not value:
            raise Missing(key)
    sender = options.text("from")
    if not sender:
        raise Missing("from")
    keys: dict[str, Any] = {
        "to": ", ".join(options.words("to")),
        "from": sender,
        "smarthost": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
    }
    if options.has("password"):
        keys["auth_username"] = options.text("username") or sender
        options.into(keys, "auth_password", "password")
    if options.text("tls").lower() == "none":
        keys["require_tls"] = False
    elif port not in ("465", "587"):
        message = "mail is sent with STARTTLS only: for a server without it write require_tls: false"
        options.reader.note(options.place("port"), message)
    return Entry(kind="email_configs", keys={**keys, "send_resolved": True})


def _pagerduty(options: Options) -> Entry:
    keys: dict[str, Any] = {}
    options.into(keys, "routing_key", "integrationKey")
    return Entry(kind="pagerduty_configs", keys=keys)


def _telegram(options: Options) -> Entry:
    keys: dict[str, Any] = {}
    options.into(keys, "bot_token", "token")
    options.into(keys, "chat_id", "chatId")
    options.secrets = options.secrets[:1]
    return Entry(kind="telegram_configs", keys=keys)


def _teams(options: Options) -> Entry:
    keys: dict[str, Any] = {}
    options.into(keys, "webhook_url", "webhook")
    if _CONNECTOR.match(options.text("webhook")):
        message = "Microsoft has retired these connectors: make a workflow (docs/receivers.md) and write its address"
        options.reader.leave(options.place("webhook"), message)
    return Entry(kind="msteamsv2_configs", keys={**keys, **_title(options)})


def _webhook(options: Options) -> Entry:
    keys: dict[str, Any] = {}
    options.into(keys, "url", "url")
    client: dict[str, Any] = {}
    basic: dict[str, Any] = {}
    if options.has("basicAuth.username") and options.has("basicAuth.password"):
        options.into(basic, "username", "basicAuth.username", secret=False)
        options.into(basic, "password", "basicAuth.password")
        client["basic_auth"] = basic
    for name, value in _headers(options):
        _header(client, name, value, options)
    if client:
        keys["http_config"] = client
    options.reader.leave(options.path, f"{named(options.path)}: {_BODY}")
    return Entry(kind="webhook_configs", keys=keys)


def _headers(options: Options) -> Iterator[tuple[str, str]]:
    path = options.place("headers")
    items = options.reader.at(path)
    if items is not None and not isinstance(items, list):
        options.reader.error(path, "must be a list of names and values")
    for index in range(len(items) if isinstance(items, list) else 0):
        name, value = (options.reader.text((*path, index, key)) for key in ("name", "value"))
        if name and value:
            yield name, value
        else:
            options.reader.leave((*path, index), "a header without a name or a value is not taken over")


def _header(client: dict[str, Any], name: str, value: str, options: Options) -> None:
    if name.lower() == "authorization":
        kind, _, credentials = value.partition(" ")
        if "basic_auth" in client or kind.lower() == "basic" or not credentials:
            message = "the header Authorization is not taken over: write basic_auth or authorization under http_config"
            options.reader.leave(options.place("headers"), message)
        else:
            client["authorization"] = {"type": kind, "credentials": credentials.strip()}
    elif name.lower() in _RESERVED:
        options.reader.note(options.place("headers"), f"the header {name} is not needed: Watcher writes it itself")
    else:
        client.setdefault("http_headers", {})[name] = {"values": [value]}


def _hook(options: Options) -> Entry:
    """Zapier and n8n: a webhook with a token."""
    keys: dict[str, Any] = {}
    options.into(keys, "url", "url")
    if options.has("token") and options.path[-1] != "zapier":
        held: dict[str, Any] = {}
        options.into(held, "credentials", "token")
        keys["http_config"] = {"authorization": held}
    options.reader.leave(options.path, f"{named(options.path)}: {_BODY}")
    return Entry(kind="webhook_configs", keys=keys)


NATIVE: Final[dict[str, tuple[Build, tuple[str, ...], tuple[str, ...]]]] = {
    "slack": (_slack, ("webhook", "token", "channel", "title"), ("text", "compact")),
    "discord": (_discord, ("webhook", "title"), ("text",)),
    "email": (_email, ("from", "to", "host", "port", "username", "password", "tls"), ()),
    "pagerduty": (_pagerduty, ("integrationKey",), ()),
    "telegram": (_telegram, ("token", "chatId"), ()),
    "teams": (_teams, ("webhook", "title"), ("text", "maxRetries")),
    "teamsworkflow": (_teams, ("webhook",), ()),
    "webhook": (_webhook, ("url", "headers", "basicAuth"), ()),
    "zapier": (_hook, ("url",), ("title", "token")),
    "n8n": (_hook, ("url", "token"), ("title",)),
}
"""How it is built, the options that come over, and those that do not."""

_POSTS: Final = "it has an address for Prometheus' Alertmanager: write it as url of webhook_configs"
_BRIDGE: Final = "let a webhook of your own (webhook_configs) do it"
_ISSUES: Final = f"Watcher opens no issues: {_BRIDGE}"

WITHOUT: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "zenduty": (_POSTS, ("integrationKey", "alertType")),
    "gitlab": (_POSTS, ("token", "projectId", "url")),
    "alerta": (_POSTS, ("url", "apiKey", "environment", "service")),
    "gitea": (_ISSUES, ("token", "owner", "repo", "url")),
    "jira": (_ISSUES, ("url", "user", "apiToken", "projectKey", "issueType")),
    "clickup": (_ISSUES, ("token", "listId", "priority")),
    "splunk": (
        f"Watcher's logs can be shipped there, or {_BRIDGE}",
        ("url", "token", "source", "sourcetype", "index", "host"),
    ),
    "datadog": (_BRIDGE, ("apiKey", "site", "applicationKey", "title", "alertType", "tags")),
    "newrelic": (_BRIDGE, ("apiKey", "accountId")),
    "sensugo": (_BRIDGE, ("url", "apiKey", "namespace", "entity")),
    "line": ("LINE has ended LINE Notify: line:// of Apprise takes a bot of the Messaging API", ("token",)),
}
ALIASES: Final = {"incident.io": "incidentio"}


def known_options(provider: str) -> tuple[str, ...]:
    """Every option that kwatch has had for it."""
    if provider in NATIVE:
        return (*NATIVE[provider][1], *NATIVE[provider][2], *SHARED)
    if provider in SERVICES:
        return (*SERVICES[provider].options, *SERVICES[provider].unused, *SHARED)
    return (*WITHOUT[provider][1], *SHARED)


PROVIDERS: Final = frozenset((*NATIVE, *SERVICES, *WITHOUT))


def entries(reader: Reader, name: str) -> list[Entry]:
    """The integrations of one provider; what is not taken over is said."""
    provider = ALIASES.get(name.lower(), name.lower())
    path = ("alert", name)
    if provider not in PROVIDERS:
        advice = nearest(provider, PROVIDERS)
        meant = f"; did you mean {advice}?" if advice else ""
        reader.leave(path, f"kwatch knows no provider {name}{meant}")
        return []
    data = reader.at(path)
    if data is None:
        reader.leave(path, f"{named(path)} has no settings, and kwatch did not start it")
        return []
    if not isinstance(data, dict):
        reader.error(path, "must be a mapping of options")
        return []
    options = Options(reader, name)
    _check(reader, options, provider)
    return list(_built(reader, options, provider))


def _check(reader: Reader, options: Options, provider: str) -> None:
    known = known_options(provider)
    unused = NATIVE[provider][2] if provider in NATIVE else getattr(SERVICES.get(provider), "unused", ())
    data = reader.at(options.path)
    for key in data:
        path = (*options.path, key)
        word = next((each for each in known if each.lower() == str(key).lower()), "")
        if data[key] is None:
            continue
        if not word:
            advice = nearest(key, known)
            meant = f"; did you mean {advice}?" if advice else ""
            reader.leave(path, f"kwatch knows no option {named(path)}{meant}")
        elif options.is_placeholder(key):
            reader.leave(path, f"{named(path)} is still a placeholder: write what it should be")
        elif word in ("basicAuth", "headers", *SHARED):
            _shared(reader, path, word)
        elif isinstance(data[key], dict):
            reader.error(path, "must be text")
        elif word in unused:
            reader.note(path, f"{named(path)} is not taken over: Watcher's own message says it")


def _shared(reader: Reader, path: tuple[str, ...], word: str) -> None:
    says = {
        "retry": "Watcher tries for 24 h, with growing pauses",
        "fallback": "of a message that cannot be delivered every other integration hears (WatcherCannotDeliver)",
        "hourlyBudget": "storm makes a digest of many groups at once",
    }
    if word in says:
        reader.note(path, f"{named(path)} is not needed: {says[word]}")
    elif word == "templates":
        reader.leave(path, f"{named(path)}: Watcher writes its messages; receivers take texts in Jinja2")


def _built(reader: Reader, options: Options, provider: str) -> Iterator[Entry]:
    path = options.path
    try:
        if provider in NATIVE:
            entry = NATIVE[provider][0](options)
            for place, twin in options.secrets[:1]:
                reader.note(place, f"this secret stays in the file: better in a file of its own, named by {twin}")
            yield entry
        elif provider in SERVICES:
            yield from [Entry(kind="apprise_configs", keys={"url": url}) for url in SERVICES[provider].build(options)]
            reader.note(path, "its secrets are part of url: better in a file of its own, named by url_file")
        else:
            reader.leave(path, f"{named(path)} has no counterpart: {WITHOUT[provider][0]}")
    except Missing as error:
        if not options.is_placeholder(str(error)):
            reader.leave(path, f"{named(path)} is not taken over: {error} is missing, and kwatch did not start it")
    except NotHere as error:
        file = f"secrets/{provider}"
        form = SERVICES[provider].form if provider in SERVICES else "its address"
        reader.leave(path, f"write {form} with the content of {error} (which is elsewhere) into the file {file}")
        yield Entry(kind="apprise_configs", keys={"url_file": file})
    except NoCounterpart as error:
        reader.leave(path, f"{named(path)} is not taken over: {error}")
