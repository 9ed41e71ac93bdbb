"""Apprise's services by their URLs: made for sending, or only checked.

Apprise is heavy (0.45 s and 18 MiB to import), so it is imported by the first call, which is the check of the
configuration: where no receiver needs it, it is never loaded, and where one does, the first message is not late. What
it says of a wrong URL repeats it, secrets included, so the words here are our own. Its retries, pauses, redirects and
stored state are off: retrying is the outbox's. Its log goes nowhere, since it prints addresses and tokens that it does
not understand; below INFO that is every one.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import apprise
    from apprise.plugins import NotifyBase

_NOWHERE: Final = logging.NullHandler()
_SCHEMA: Final = re.compile(r"([A-Za-z0-9]{1,20})://")
_SECOND: Final = re.compile(r"[\s,][A-Za-z0-9]{1,20}://")
_ALL: Final = "https://appriseit.com/services/"


def make_service(url: str) -> NotifyBase | None:
    """The service, ready to send; None for a URL that is no service's."""
    import apprise

    _quieten()
    asset = apprise.AppriseAsset(
        app_id="Watcher",
        app_desc="Watcher",
        app_url="",
        async_mode=False,
        http_redirects=False,
        default_service_retry=0,
        interpret_emojis=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    plugin = None if _SECOND.search(url) else apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is None:
        return None
    # On the instance, since the URL may say otherwise (?retry=3&redirect=yes).
    plugin.request_rate_per_sec = 0
    plugin.retry = 0
    plugin.redirects = False
    return plugin


def complaint(url: str) -> str:
    """Why `url` cannot be used, without repeating it; empty: it can."""
    if make_service(url) is not None:
        return ""
    if _SECOND.search(url):
        return "these are several URLs: write an entry for each, so that each is retried by itself"
    match = _SCHEMA.match(url)
    if match is None:
        return f"must be one URL of Apprise's, such as tgram://BOT_TOKEN/CHAT_ID; all of them: {_ALL}"
    from apprise.manager_plugins import NotificationManager

    schema = match[1].lower()
    try:
        plugin = NotificationManager()[schema]  # type: ignore[no-untyped-call]
    except KeyError:
        return f"Apprise knows no service {schema}://; all of them: {_ALL}"
    if not plugin.enabled:
        needed = plugin.requirements.get("packages_required") or "a package that is not installed"
        names = needed if isinstance(needed, str) else ", ".join(map(str, needed))
        return f"{plugin.service_name} needs {names} beside Apprise"
    return f"this is no complete {schema}:// URL; how {plugin.service_name} is written: {plugin.setup_url}"


def aggregate(plugin: NotifyBase) -> apprise.Apprise:
    """The one service as Apprise's own sender, which alone answers with what was logged on the way."""
    import apprise

    service = apprise.Apprise(asset=plugin.asset)
    service.add(plugin)
    return service


def _quieten() -> None:
    own = logging.getLogger("apprise")
    own.propagate = False
    if _NOWHERE not in own.handlers:
        own.addHandler(_NOWHERE)
    for logger in (own, logging.getLogger("urllib3")):
        logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))
