"""Alertmanager's `receivers` and what they inherit from `global`, into the records that the adapters take.

Each integration is read by itself, so that an error in one hides none in another. A receiver type of Alertmanager's
that has no adapter here is an error that names the Apprise URL to write in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import getaddresses
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from watcher.lib.shapes import shape_problems
from watcher.lib.yamlpos import Path
from watcher.model.config import (
    AppriseConfig,
    ConsoleConfig,
    DiscordConfig,
    EmailConfig,
    Integration,
    Receiver,
    Secret,
    SlackConfig,
    WebhookConfig,
)
from watcher.settings.addresses import is_host_port, is_http_url
from watcher.settings.configfile import ConfigFile
from watcher.settings.globals import GlobalShape
from watcher.settings.integrations import (
    AppriseShape,
    ConsoleShape,
    DiscordShape,
    EmailShape,
    HttpClientShape,
    IntegrationShape,
    SlackShape,
    WebhookShape,
)

_S = TypeVar("_S", bound=IntegrationShape)

GLOBAL: Final[Path] = ("global",)
_URL: Final = "must be an http or https URL"

APPRISE_URLS: Final = {
    "pagerduty": "pagerduty://INTEGRATION_KEY@API_KEY",
    "opsgenie": "opsgenie://API_KEY",
    "victorops": "splunk://ROUTING_KEY@API_KEY",
    "pushover": "pover://USER_KEY@TOKEN",
    "sns": "sns://ACCESS_KEY_ID/SECRET_ACCESS_KEY/REGION/TOPIC",
    "telegram": "tgram://BOT_TOKEN/CHAT_ID",
    "webex": "wxteams://TOKEN",
    "msteams": "workflows://HOST/WORKFLOW/SIGNATURE",
    "msteamsv2": "workflows://HOST/WORKFLOW/SIGNATURE",
    "wechat": "wecombot://BOT_KEY",
    "jira": "jira://API_KEY",
    "rocketchat": "rockets://USER:TOKEN@HOST/CHANNEL",
    "mattermost": "mmosts://HOST/TOKEN",
    "incidentio": "incidentio://SOURCE/TOKEN",
}
"""Alertmanager's other receiver types, and how Apprise (2.2) writes the same service."""


class ReceiverReader:
    """Reads the receivers of one file."""

    def __init__(self, file: ConfigFile, shared: GlobalShape) -> None:
        self.file = file
        self.shared = shared
        self._builders: dict[str, Callable[[Path], Integration | None]] = {
            "slack_configs": self._slack,
            "discord_configs": self._discord,
            "email_configs": self._email,
            "webhook_configs": self._webhook,
            "apprise_configs": self._apprise,
            "console_configs": self._console,
        }

    def receiver(self, path: Path) -> Receiver | None:
        """The receiver at `path`; None where it has no name. What is wrong in it is in the file's problems."""
        data = self.file.at(path)
        if not isinstance(data, dict):
            self.file.error(path, "a receiver must be a mapping with a name")
            return None
        integrations: list[tuple[str, Integration]] = []
        for key in data:
            if key not in ("name", "labels"):
                integrations.extend(self._integrations(path, key))
        name = data.get("name")
        if not isinstance(name, str) or not name:
            self.file.error((*path, "name") if "name" in data else path, "a receiver needs a name")
            return None
        return Receiver(name=name, integrations=tuple(integrations))

    def _integrations(self, path: Path, key: str) -> list[tuple[str, Integration]]:
        here = (*path, key)
        kind = key.removesuffix("_configs")
        if kind in APPRISE_URLS and kind != key:
            url = APPRISE_URLS[kind]
            self.file.error(
                here, f"{key} is sent through Apprise here: write apprise_configs with url: {url}", key=True
            )
            return []
        build = self._builders.get(key)
        if build is None:
            self.file.unknown_key(here, (*self._builders, "name"))
            return []
        items = self.file.at(here)
        if items is None:
            return []
        if not isinstance(items, list):
            self.file.error(here, f"{key} must be a list")
            return []
        built = ((f"{key}[{index}]", build((*here, index))) for index in range(len(items)))
        return [(name, integration) for name, integration in built if integration is not None]

    def _shape(self, model: type[_S], path: Path) -> _S | None:
        data = self.file.at(path)
        if isinstance(data, dict):
            for key in sorted(data.keys() & model.NOT_USED):
                self.file.warn(
                    (*path, key), f"{key} is not used: Watcher writes and sends messages its own way", key=True
                )
            data = {key: value for key, value in data.items() if key not in model.NOT_USED}
        try:
            return model.model_validate(data)
        except ValidationError as error:
            self.file.problems.extend(shape_problems(error, self.file.document, model, path))
            return None

    def _needed(
        self, path: Path, key: str, shared: str = "", fits: Callable[[str], bool] | None = None
    ) -> Secret | None:
        """A secret that must be there, in itself or (as `shared`) under `global`."""
        if self.file.has(path, key):
            return self.file.secret(path, key, fits, _URL)
        if shared and self.file.has(GLOBAL, shared):
            return self.file.secret(GLOBAL, shared, fits, _URL)
        also = f", or {shared} under global" if shared else ""
        self.file.error(path, f"{key} is missing: write {key} or {key}_file{also}")
        return None

    def _slack(self, path: Path) -> Integration | None:
        shape = self._shape(SlackShape, path)
        url = self._needed(path, "api_url", "slack_api_url", is_http_url)
        if shape is None or url is None:
            return None
        return SlackConfig(
            api_url=url,
            channel=shape.channel,
            username=shape.username,
            icon_emoji=shape.icon_emoji,
            icon_url=shape.icon_url,
            send_resolved=shape.send_resolved,
        )

    def _discord(self, path: Path) -> Integration | None:
        shape = self._shape(DiscordShape, path)
        url = self._needed(path, "webhook_url", fits=is_http_url)
        if shape is None or url is None:
            return None
        return DiscordConfig(
            webhook_url=url, username=shape.username, avatar_url=shape.avatar_url, send_resolved=shape.send_resolved
        )

    def _email(self, path: Path) -> Integration | None:
        shape = self._shape(EmailShape, path)
        if shape is None:
            return None
        to = tuple(address for _, address in getaddresses([shape.to]))
        if not to or not all("@" in address for address in to):
            self.file.error((*path, "to"), "to must be e-mail addresses, with commas between them")
        sender = shape.sender or self.shared.smtp_from
        if not sender:
            self.file.error(path, "from is missing: write from, or smtp_from under global")
        password = self.file.secret(path, "auth_password") or self.file.secret(GLOBAL, "smtp_auth_password")
        return EmailConfig(
            to=to,
            sender=sender,
            smarthost=self._smarthost(path, shape),
            hello=shape.hello or self.shared.smtp_hello,
            auth_username=shape.auth_username or self.shared.smtp_auth_username,
            auth_password=password,
            require_tls=self.shared.smtp_require_tls if shape.require_tls is None else shape.require_tls,
            send_resolved=shape.send_resolved,
        )

    def _smarthost(self, path: Path, shape: EmailShape) -> str:
        smarthost = shape.smarthost or self.shared.smtp_smarthost
        place = (*path, "smarthost") if shape.smarthost else (*GLOBAL, "smtp_smarthost")
        if not smarthost:
            self.file.error(path, "smarthost is missing: write smarthost, or smtp_smarthost under global")
        elif not is_host_port(smarthost):
            self.file.error(place, f"{place[-1]} must be HOST:PORT, such as smtp.example.org:587")
        return smarthost

    def _webhook(self, path: Path) -> Integration | None:
        shape = self._shape(WebhookShape, path)
        url = self._needed(path, "url", fits=is_http_url)
        where = (*path, "http_config")
        client = self._shape(HttpClientShape, where) if self.file.at(where) is not None else HttpClientShape()
        if client is None:
            return None
        username, password = self._basic_auth(where, client)
        bearer = self._bearer(where, client)
        if shape is None or url is None:
            return None
        return WebhookConfig(
            url=url,
            send_resolved=shape.send_resolved,
            max_alerts=shape.max_alerts,
            timeout=shape.timeout or WebhookConfig(url=url).timeout,
            bearer_token=bearer,
            basic_username=username,
            basic_password=password,
        )

    def _bearer(self, path: Path, client: HttpClientShape) -> Secret | None:
        if client.authorization is None:
            return self.file.secret(path, "bearer_token")
        here = (*path, "authorization")
        if client.authorization.type != "Bearer":
            self.file.error((*here, "type"), "type must be Bearer: no other kind of authorization is supported")
        if client.basic_auth is not None:
            self.file.error(here, "give authorization or basic_auth, not both", key=True)
        return self.file.secret(here, "credentials")

    def _basic_auth(self, path: Path, client: HttpClientShape) -> tuple[str, Secret | None]:
        if client.basic_auth is None:
            return "", None
        here = (*path, "basic_auth")
        username = self.file.filled(client.basic_auth.username, (*here, "username"))
        return username, self.file.secret(here, "password")

    def _apprise(self, path: Path) -> Integration | None:
        shape = self._shape(AppriseShape, path)
        url = self._needed(path, "url")
        if url is not None and "://" not in url.value:
            self.file.error(path, "url must be a URL of Apprise's, such as tgram://BOT_TOKEN/CHAT_ID")
        return None if shape is None or url is None else AppriseConfig(url=url, send_resolved=shape.send_resolved)

    def _console(self, path: Path) -> Integration | None:
        if self.file.at(path) is None:
            return ConsoleConfig()
        shape = self._shape(ConsoleShape, path)
        return None if shape is None else ConsoleConfig(send_resolved=shape.send_resolved, colour=shape.colour)


def read_receivers(file: ConfigFile, shared: GlobalShape) -> tuple[Receiver, ...]:
    """All receivers of the file, in its order; of two with one name the first."""
    entries: Any = file.at(("receivers",))
    if entries is None:
        return ()
    if not isinstance(entries, list):
        file.error(("receivers",), "receivers must be a list")
        return ()
    reader = ReceiverReader(file, shared)
    found: dict[str, Receiver] = {}
    for index in range(len(entries)):
        path = ("receivers", index)
        receiver = reader.receiver(path)
        if receiver is None:
            continue
        if receiver.name in found:
            file.error((*path, "name"), f"there is another receiver {receiver.name}: a name stands for one")
        found.setdefault(receiver.name, receiver)
    return tuple(found.values())
