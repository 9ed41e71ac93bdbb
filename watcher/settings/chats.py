"""Alertmanager's `slack_configs` and `discord_configs`, into the records of model/config.py.

Slack's bot token may stand in three places: Watcher's own `bot_token`, Alertmanager's `app_token` (0.30), and the
`http_config.authorization` of older files, whose `api_url` is then chat.postMessage. Without a token it is a webhook.
"""

from __future__ import annotations

from typing import Final

from watcher.deliver.slack_api import is_method
from watcher.lib.yamlpos import Path
from watcher.model.config import DiscordConfig, HttpClient, Secret, SlackAction, SlackConfig, SlackField
from watcher.settings.addresses import is_http_url
from watcher.settings.configfile import ConfigFile
from watcher.settings.globals import GlobalShape
from watcher.settings.integrations import DiscordShape, SlackShape
from watcher.settings.texts import read_template

GLOBAL: Final[Path] = ("global",)
WEB_API: Final = "https://slack.com/api/chat.postMessage"

_URL: Final = "must be an http or https URL"
_TOKENS: Final = ("bot_token", "app_token")
_STYLES: Final = ("", "default", "primary", "danger")
_TEXTS: Final = (
    *("channel", "username", "icon_emoji", "icon_url"),
    *("title", "title_link", "pretext", "text", "color"),
)


def read_slack(
    file: ConfigFile, path: Path, shape: SlackShape, shared: GlobalShape, client: HttpClient
) -> SlackConfig | None:
    """What is wrong is in the file's problems; None where nothing can be sent."""
    url, token = _slack_address(file, path, shape, shared, client)
    texts = {key: read_template(file, (*path, key), getattr(shape, key)) for key in _TEXTS}
    fallback = "message_text" if shape.message_text else "fallback"
    fields = tuple(
        SlackField(
            title=read_template(file, (*path, "fields", at, "title"), field.title),
            value=read_template(file, (*path, "fields", at, "value"), field.value),
            short=shape.short_fields if field.short is None else field.short,
        )
        for at, field in enumerate(shape.fields)
    )
    actions = [_action(file, (*path, "actions", at), shape, at) for at in range(len(shape.actions))]
    if url is None:
        return None
    if token is not None and not texts["channel"]:
        file.error(path, "channel is missing: with a token, write the channel's name or id")
    return SlackConfig(
        api_url=url,
        token=token,
        **texts,
        fallback=read_template(file, (*path, fallback), getattr(shape, fallback)),
        fields=tuple(field for field in fields if field.title or field.value),
        actions=tuple(action for action in actions if action is not None),
        timeout=shape.timeout or SlackConfig(api_url=url).timeout,
        http=_unless_plain(client),
        send_resolved=shape.send_resolved,
    )


def _slack_address(
    file: ConfigFile, path: Path, shape: SlackShape, shared: GlobalShape, client: HttpClient
) -> tuple[Secret | None, Secret | None]:
    """Where to send to, and with which token."""
    given = [key for key in _TOKENS if file.has(path, key)]
    if len(given) > 1:
        file.error(path, "give bot_token or app_token, not both")
        return None, None
    own = file.has(path, "api_url")
    if given:
        return _of_token(file, path, given[0], shape, shared)
    if not own and not file.has(GLOBAL, "slack_api_url") and file.has(GLOBAL, "slack_app_token"):
        token = file.secret(GLOBAL, "slack_app_token")
        return (Secret(_checked(file, GLOBAL, "slack_app_url", shared.slack_app_url)) if token else None), token
    if not own and not file.has(GLOBAL, "slack_api_url"):
        also = "slack_api_url under global; with a bot token: bot_token or bot_token_file, and channel"
        file.error(path, f"api_url is missing: write api_url or api_url_file, or {also}")
        return None, None
    place, key = (path, "api_url") if own else (GLOBAL, "slack_api_url")
    url = file.secret(place, key, is_http_url, _URL)
    if url is None or not is_method(url.value):
        return url, None
    if client.credentials is None:
        file.error((*place, key), f"{key} is Slack's Web API, which needs a token: write bot_token or bot_token_file")
    return url, client.credentials


def _of_token(
    file: ConfigFile, path: Path, key: str, shape: SlackShape, shared: GlobalShape
) -> tuple[Secret | None, Secret | None]:
    token = file.secret(path, key)
    if file.has(path, "api_url"):
        url = file.secret(path, "api_url", is_http_url, _URL)
        if url is not None and not is_method(url.value):
            file.error((*path, "api_url"), f"api_url is a webhook, which needs no {key}: give one of them")
        return (url if token is not None else None), token
    where, name = (path, "app_url") if shape.app_url else (GLOBAL, "slack_app_url")
    url = Secret(_checked(file, where, name, shape.app_url or shared.slack_app_url))
    return (url if token is not None else None), token


def _checked(file: ConfigFile, path: Path, key: str, url: str) -> str:
    """The address of chat.postMessage; Slack's own where none is given."""
    url = file.filled(url, (*path, key)) if url else WEB_API
    if not is_http_url(url) or not is_method(url):
        file.error((*path, key), f"{key} must be the address of chat.postMessage, such as {WEB_API}")
    return url


def _action(file: ConfigFile, path: Path, shape: SlackShape, at: int) -> SlackAction | None:
    action = shape.actions[at]
    if not action.url:
        file.warn(path, "a button without url is not used: nobody would hear of its click")
        return None
    if action.style not in _STYLES:
        file.error((*path, "style"), "style must be primary or danger")
    return SlackAction(
        text=read_template(file, (*path, "text"), action.text),
        url=read_template(file, (*path, "url"), action.url),
        style="" if action.style == "default" else action.style,
    )


def read_discord(file: ConfigFile, path: Path, shape: DiscordShape, url: Secret, client: HttpClient) -> DiscordConfig:
    """What is wrong is in the file's problems."""
    texts = {key: read_template(file, (*path, key), getattr(shape, key)) for key in ("content", "title", "message")}
    return DiscordConfig(
        webhook_url=url,
        username=shape.username,
        avatar_url=shape.avatar_url,
        http=_unless_plain(client),
        send_resolved=shape.send_resolved,
        **texts,
    )


def _unless_plain(client: HttpClient) -> HttpClient | None:
    return client if client != HttpClient() else None
