"""Alertmanager's `email_configs` with what they inherit from `global`, into an EmailConfig."""

from __future__ import annotations

import re
from email.utils import getaddresses
from typing import Final

from watcher.lib.yamlpos import Path
from watcher.model.config import EmailConfig, TlsConfig
from watcher.settings.addresses import is_host_port
from watcher.settings.clients import read_tls
from watcher.settings.configfile import ConfigFile
from watcher.settings.globals import GlobalShape
from watcher.settings.integrations import EmailShape
from watcher.settings.texts import read_template

GLOBAL: Final[Path] = ("global",)

_OURS: Final = frozenset(
    (
        *("message-id", "in-reply-to", "references", "date", "mime-version", "content-type", "auto-submitted"),
        *("content-transfer-encoding", "bcc", "cc", "to", "from", "sender", "return-path", "received"),
    )
)
"""A fixed Message-ID would make every mail the same one; who gets it is said by `to`, who sends it by `from`."""

_HEADER: Final = re.compile(r"[!-9;-~]+")
"""RFC 5322, 3.6.8: printable, without a colon."""


def read_email(file: ConfigFile, path: Path, shape: EmailShape, shared: GlobalShape) -> EmailConfig:
    """What is wrong is in the file's problems."""
    to = tuple(address for _, address in getaddresses([shape.to]))
    for key, value in (("to", shape.to), ("from", shape.sender)):
        if "{{" in value:
            file.error((*path, key), f"a template in {key} is not supported: write one receiver for each address")
    if "{{" not in shape.to and (not to or not all("@" in address for address in to)):
        file.error((*path, "to"), "to must be e-mail addresses, with commas between them")
    sender = shape.sender or shared.smtp_from
    if not sender:
        file.error(path, "from is missing: write from, or smtp_from under global")
    own_tls = (*path, "tls_config")
    tls = read_tls(file, own_tls if file.at(own_tls) is not None else (*GLOBAL, "smtp_tls_config"))
    config = EmailConfig(
        to=to,
        sender=sender,
        smarthost=_smarthost(file, path, shape, shared),
        hello=shape.hello or shared.smtp_hello,
        auth_username=shape.auth_username or shared.smtp_auth_username,
        auth_password=file.secret(path, "auth_password") or file.secret(GLOBAL, "smtp_auth_password"),
        auth_identity=shape.auth_identity or shared.smtp_auth_identity,
        auth_secret=file.secret(path, "auth_secret") or file.secret(GLOBAL, "smtp_auth_secret"),
        require_tls=shared.smtp_require_tls if shape.require_tls is None else shape.require_tls,
        implicit_tls=shared.smtp_force_implicit_tls if shape.force_implicit_tls is None else shape.force_implicit_tls,
        tls=tls or TlsConfig(),
        headers=_headers(file, path, shape),
        html=read_template(file, (*path, "html"), shape.html) or None if shape.html else shape.html,
        text=read_template(file, (*path, "text"), shape.text),
        threading=shape.threading.enabled,
        daily_threads=shape.threading.thread_by_date == "daily",
        send_resolved=shape.send_resolved,
    )
    _warn(file, path, config)
    return config


def _smarthost(file: ConfigFile, path: Path, shape: EmailShape, shared: GlobalShape) -> str:
    smarthost = shape.smarthost or shared.smtp_smarthost
    place = (*path, "smarthost") if shape.smarthost else (*GLOBAL, "smtp_smarthost")
    if not smarthost:
        file.error(path, "smarthost is missing: write smarthost, or smtp_smarthost under global")
    elif not is_host_port(smarthost):
        file.error(place, f"{place[-1]} must be HOST:PORT, such as smtp.example.org:587")
    return smarthost


def _headers(file: ConfigFile, path: Path, shape: EmailShape) -> tuple[tuple[str, str], ...]:
    kept: dict[str, tuple[str, str]] = {}
    for name in shape.headers:
        here = (*path, "headers", name)
        value = file.document.source(here) or ""
        if name.lower() in _OURS:
            file.warn(here, f"the header {name} is not used: Watcher writes it itself", key=True)
        elif not _HEADER.fullmatch(name):
            file.error(here, "this is no name of a header", key=True)
        elif name.lower() in kept:
            file.error(here, f"the header {name} is given twice", key=True)
        elif any(char in value for char in "\r\n\0"):
            file.error(here, f"the header {name} must be one line")
        else:
            kept[name.lower()] = (name, read_template(file, here, value))
    return tuple(pair for pair in kept.values() if pair[1])


def _warn(file: ConfigFile, path: Path, config: EmailConfig) -> None:
    """What works, and should be known."""
    implicit = config.smarthost.endswith(":465") if config.implicit_tls is None else config.implicit_tls
    if config.auth_password is not None and config.auth_secret is None and not (config.require_tls or implicit):
        file.warn(path, "the password goes to the mail server in clear text: require_tls is false")
    if (config.auth_password or config.auth_secret) and not config.auth_username:
        file.warn(path, "there is a password and no auth_username: mail is sent without a login")
