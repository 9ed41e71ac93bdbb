"""Alertmanager's `receivers` and what they inherit from `global`, into the records that the adapters take.

Each integration is read by itself, so that an error in one hides none in another. A receiver type of Alertmanager's
that has no adapter here is an error that names the Apprise URL to write in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from watcher.deliver.appriseservice import complaint
from watcher.lib.shapes import shape_problems
from watcher.lib.yamlpos import Path
from watcher.model.config import (
    AppriseConfig,
    ConsoleConfig,
    Integration,
    Receiver,
    Secret,
    WebhookConfig,
)
from watcher.settings.addresses import is_http_url
from watcher.settings.chats import read_discord, read_slack
from watcher.settings.clients import Clients
from watcher.settings.configfile import ConfigFile
from watcher.settings.globals import GlobalShape
from watcher.settings.integrations import (
    AppriseShape,
    ConsoleShape,
    DiscordShape,
    EmailShape,
    IntegrationShape,
    MSTeamsShape,
    PagerDutyShape,
    SlackShape,
    TelegramShape,
    WebhookShape,
)
from watcher.settings.mail import read_email
from watcher.settings.services import ServiceReader

_S = TypeVar("_S", bound=IntegrationShape)

GLOBAL: Final[Path] = ("global",)
_URL: Final = "must be an http or https URL"

APPRISE_URLS: Final = {
    "opsgenie": "opsgenie://API_KEY",
    "victorops": "splunk://ROUTING_KEY@API_KEY",
    "pushover": "pover://USER_KEY@TOKEN",
    "sns": "sns://ACCESS_KEY_ID/SECRET_ACCESS_KEY/REGION/TOPIC",
    "webex": "wxteams://TOKEN",
    "msteams": "workflows://HOST/WORKFLOW/SIGNATURE",
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
        self.clients = Clients(file)
        self._services = ServiceReader(file, shared)
        self._builders: dict[str, Callable[[Path], Integration | None]] = {
            "slack_configs": self._slack,
            "discord_configs": self._discord,
            "email_configs": self._email,
            "webhook_configs": self._webhook,
            "apprise_configs": self._apprise,
            "pagerduty_configs": self._pagerduty,
            "telegram_configs": self._telegram,
            "msteamsv2_configs": self._msteams,
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
        client = self.clients.client(path)
        if shape is None or client is None:
            return None
        return read_slack(self.file, path, shape, self.shared, client)

    def _discord(self, path: Path) -> Integration | None:
        shape = self._shape(DiscordShape, path)
        url = self._needed(path, "webhook_url", fits=is_http_url)
        client = self.clients.client(path)
        if shape is None or url is None or client is None:
            return None
        return read_discord(self.file, path, shape, url, client)

    def _email(self, path: Path) -> Integration | None:
        shape = self._shape(EmailShape, path)
        return None if shape is None else read_email(self.file, path, shape, self.shared)

    def _webhook(self, path: Path) -> Integration | None:
        shape = self._shape(WebhookShape, path)
        url = self._needed(path, "url", fits=is_http_url)
        client = self.clients.client(path)
        if url is not None and "{{" in url.value:
            self.file.error((*path, "url"), "a template in url is not supported: write one receiver for each address")
        if shape is None or url is None or client is None:
            return None
        return WebhookConfig(
            url=url,
            send_resolved=shape.send_resolved,
            max_alerts=shape.max_alerts,
            timeout=shape.timeout or WebhookConfig(url=url).timeout,
            http=client,
        )

    def _apprise(self, path: Path) -> Integration | None:
        shape = self._shape(AppriseShape, path)
        url = self._needed(path, "url")
        if url is not None and (wrong := complaint(url.value)):
            key = "url" if self.file.at((*path, "url")) else "url_file"
            self.file.error((*path, key), f"{key}: {wrong}")
        return None if shape is None or url is None else AppriseConfig(url=url, send_resolved=shape.send_resolved)

    def _pagerduty(self, path: Path) -> Integration | None:
        if self.file.has(path, "service_key"):
            key = "service_key" if self.file.at((*path, "service_key")) else "service_key_file"
            self.file.error(
                (*path, key),
                f"{key} is of PagerDuty's Events API v1, which is not supported: write routing_key, the integration "
                "key of an integration of the type Events API v2",
                key=True,
            )
            return None
        shape = self._shape(PagerDutyShape, path)
        key_of_v2 = self._needed(path, "routing_key")
        client = self.clients.client(path)
        if shape is None or key_of_v2 is None or client is None:
            return None
        return self._services.pagerduty(path, shape, key_of_v2, client)

    def _telegram(self, path: Path) -> Integration | None:
        shape = self._shape(TelegramShape, path)
        token = self._needed(path, "bot_token", "telegram_bot_token")
        client = self.clients.client(path)
        if shape is None or token is None or client is None:
            return None
        return self._services.telegram(path, shape, token, client)

    def _msteams(self, path: Path) -> Integration | None:
        shape = self._shape(MSTeamsShape, path)
        url = self._needed(path, "webhook_url", fits=is_http_url)
        client = self.clients.client(path)
        if shape is None or url is None or client is None:
            return None
        return self._services.msteams(path, shape, url, client)

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
