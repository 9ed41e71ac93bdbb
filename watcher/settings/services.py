"""Alertmanager's `pagerduty_configs`, `telegram_configs` and `msteamsv2_configs`, into records of model/config.py."""

from __future__ import annotations

import json
import re
from typing import Final

from watcher.lib.yamlpos import Path
from watcher.model.config import HttpClient, MSTeamsConfig, PagerDutyConfig, Secret, TelegramConfig
from watcher.settings.addresses import is_http_url
from watcher.settings.configfile import ConfigFile
from watcher.settings.globals import GlobalShape
from watcher.settings.integrations import MSTeamsShape, PagerDutyShape, TelegramShape
from watcher.settings.texts import read_template

GLOBAL: Final[Path] = ("global",)

_URL: Final = "must be an http or https URL"
_SEVERITIES: Final = ("critical", "error", "warning", "info")
_CHAT: Final = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31}")
_TOKEN: Final = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{10,}")


class ServiceReader:
    """Reads what the three have in common the same way. What is wrong is in the file's problems."""

    def __init__(self, file: ConfigFile, shared: GlobalShape) -> None:
        self._file = file
        self._shared = shared

    def pagerduty(self, path: Path, shape: PagerDutyShape, key: Secret, client: HttpClient) -> PagerDutyConfig:
        if shape.severity and "{" not in shape.severity and shape.severity not in _SEVERITIES:
            self._file.error((*path, "severity"), f"severity must be one of {', '.join(_SEVERITIES)}")
        images = range(len(shape.images))
        links = range(len(shape.links))
        return PagerDutyConfig(
            routing_key=key,
            url=self._url(path, "url", shape.url, "pagerduty_url", self._shared.pagerduty_url),
            description=self._template((*path, "description"), shape.description),
            client=self._template((*path, "client"), shape.client),
            client_url=self._template((*path, "client_url"), shape.client_url),
            severity=self._template((*path, "severity"), shape.severity),
            source=self._template((*path, "source"), shape.source),
            class_name=self._template((*path, "class"), shape.class_name),
            component=self._template((*path, "component"), shape.component),
            group=self._template((*path, "group"), shape.group),
            details=tuple(
                (name, self._template((*path, "details", name), value if isinstance(value, str) else json.dumps(value)))
                for name, value in shape.details.items()
            ),
            images=tuple(self._image(shape, (*path, "images", at), at) for at in images),
            links=tuple(self._link(shape, (*path, "links", at), at) for at in links),
            send_resolved=shape.send_resolved,
            timeout=shape.timeout or PagerDutyConfig(routing_key=key).timeout,
            http=client,
        )

    def _image(self, shape: PagerDutyShape, path: Path, at: int) -> tuple[str, str, str]:
        image = shape.images[at]
        src, alt = self._template((*path, "src"), image.src), self._template((*path, "alt"), image.alt)
        return src, alt, self._template((*path, "href"), image.href)

    def _link(self, shape: PagerDutyShape, path: Path, at: int) -> tuple[str, str]:
        link = shape.links[at]
        return self._template((*path, "href"), link.href), self._template((*path, "text"), link.text)

    def telegram(self, path: Path, shape: TelegramShape, token: Secret, client: HttpClient) -> TelegramConfig:
        if not _TOKEN.fullmatch(token.value):
            own = self._file.has(path, "bot_token")
            where = (*path, "bot_token") if own else (*GLOBAL, "telegram_bot_token")
            self._file.error(where, f"{where[-1]} must be what BotFather gives: a number, a colon, and letters")
        return TelegramConfig(
            bot_token=token,
            chat_id=self._chat(path),
            message_thread_id=shape.message_thread_id,
            api_url=self._url(path, "api_url", shape.api_url, "telegram_api_url", self._shared.telegram_api_url),
            message=self._template((*path, "message"), shape.message),
            parse_mode=shape.parse_mode,
            disable_notifications=shape.disable_notifications,
            send_resolved=shape.send_resolved,
            timeout=shape.timeout or TelegramConfig(bot_token=token, chat_id="").timeout,
            http=client,
        )

    def _chat(self, path: Path) -> str:
        """Alertmanager takes a number only; Telegram takes a channel's name too."""
        given = self._file.at((*path, "chat_id"))
        if given and self._file.at((*path, "chat_id_file")):
            self._file.error((*path, "chat_id_file"), "give chat_id or chat_id_file, not both", key=True)
            return ""
        secret = None if isinstance(given, int) else self._file.secret(path, "chat_id")
        chat = str(given) if isinstance(given, int) and given else secret.value if secret is not None else ""
        if not chat:
            self._file.error(path, "chat_id is missing: write chat_id or chat_id_file")
        elif not _CHAT.fullmatch(chat):
            self._file.error((*path, "chat_id"), "chat_id must be a number, or @ and the name of a public channel")
        return chat

    def msteams(self, path: Path, shape: MSTeamsShape, url: Secret, client: HttpClient) -> MSTeamsConfig:
        return MSTeamsConfig(
            webhook_url=url,
            title=self._template((*path, "title"), shape.title),
            text=self._template((*path, "text"), shape.text),
            send_resolved=shape.send_resolved,
            timeout=shape.timeout or MSTeamsConfig(webhook_url=url).timeout,
            http=client,
        )

    def _template(self, path: Path, text: str) -> str:
        return read_template(self._file, path, text)

    def _url(self, path: Path, key: str, own: str, shared_key: str, shared: str) -> str:
        where = (*path, key) if own else (*GLOBAL, shared_key)
        url = self._file.filled(own or shared, where)
        if not is_http_url(url):
            self._file.error(where, f"{where[-1]} {_URL}")
        return url
