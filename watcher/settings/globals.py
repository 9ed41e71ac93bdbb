"""Alertmanager's `global`: what receivers inherit, and `resolve_timeout`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from watcher.lib.shapes import Duration, Shape, shape_problems
from watcher.settings.configfile import ConfigFile

_OTHERS: Final = (
    *("opsgenie_", "victorops_", "wechat_", "webex_", "jira_", "rocketchat_"),
    *("mattermost_", "incidentio_", "pushover_", "sns_", "msteams_"),
)
"""Keys of receiver types that have no adapter here; the receivers themselves are refused."""


class GlobalShape(Shape):
    """Alertmanager's names and defaults."""

    resolve_timeout: Duration = timedelta(minutes=5)
    smtp_from: str = ""
    smtp_hello: str = "localhost"
    smtp_smarthost: str = ""
    smtp_auth_username: str = ""
    smtp_auth_password: str = ""
    smtp_auth_password_file: str = ""
    smtp_auth_identity: str = ""
    smtp_auth_secret: str = ""
    smtp_auth_secret_file: str = ""
    smtp_require_tls: bool = True
    smtp_force_implicit_tls: bool | None = None
    smtp_tls_config: Any = None
    """Read by settings/clients.py, as is `http_config`."""
    http_config: Any = None
    slack_api_url: str = ""
    slack_api_url_file: str = ""
    slack_app_token: str = ""
    slack_app_token_file: str = ""
    slack_app_url: str = ""
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"
    telegram_api_url: str = "https://api.telegram.org"
    telegram_bot_token: str = ""
    telegram_bot_token_file: str = ""


def read_global(file: ConfigFile) -> GlobalShape:
    """The file's `global`, or Alertmanager's defaults where it has none or a wrong one."""
    data: Any = file.at(("global",))
    if data is None:
        return GlobalShape()
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if not key.startswith(_OTHERS)}
    try:
        return GlobalShape.model_validate(data)
    except ValidationError as error:
        file.problems.extend(shape_problems(error, file.document, GlobalShape, ("global",)))
        return GlobalShape()
