"""Alertmanager's `http_config` and `tls_config`, the same for every channel, into the records of model/config.py.

What would silently go another way than in Alertmanager is an error here (oauth2, templates in addresses); what makes no
difference to a receiver (`enable_http2`) is taken without a word. Files of certificates are tried at the start, so that
a wrong path is an error of the configuration and not of the first message.
Source: https://prometheus.io/docs/alerting/latest/configuration/#http_config
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from watcher.lib.problems import Severity
from watcher.lib.shapes import Shape, shape_problems
from watcher.lib.yamlpos import Path
from watcher.model.config import HttpClient, Secret, TlsConfig
from watcher.settings.addresses import is_http_url
from watcher.settings.configfile import ConfigFile
from watcher.settings.files import FileProblem, read_secret

_S = TypeVar("_S", bound=Shape)

TlsVersion = Literal["", "TLS10", "TLS11", "TLS12", "TLS13"]

_INLINE: Final = "is not read from the configuration here: write {}_file"
_PROXY: Final = "must be an http or https URL"

RESERVED: Final = frozenset(
    (
        *("authorization", "host", "content-encoding", "content-length", "content-type", "user-agent", "connection"),
        *("keep-alive", "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding"),
        *("transfer-encoding", "idempotency-key"),
    )
)
"""Headers that `http_headers` may not set (prometheus/common, config/headers.go), with two that Watcher sets."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.1."""


class TlsShape(Shape):
    UNKNOWN_KEYS: ClassVar[Mapping[str, str]] = {
        key: f"{key} {_INLINE.format(key)}" for key in ("ca", "cert", "key", "ca_ref", "cert_ref", "key_ref")
    }
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: TlsVersion = ""
    max_version: TlsVersion = ""


class AuthorizationShape(Shape):
    type: str = "Bearer"
    credentials: str = ""
    credentials_file: str = ""


class BasicAuthShape(Shape):
    username: str = ""
    username_file: str = ""
    password: str = ""
    password_file: str = ""


class HeaderShape(Shape):
    values: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class HttpClientShape(Shape):
    UNKNOWN_KEYS: ClassVar[Mapping[str, str]] = {
        "oauth2": "oauth2 is not supported: give authorization with a token, or ask through a proxy that adds one"
    }
    authorization: AuthorizationShape | None = None
    basic_auth: BasicAuthShape | None = None
    bearer_token: str = ""
    bearer_token_file: str = ""
    tls_config: TlsShape | None = None
    proxy_url: str = ""
    no_proxy: str = ""
    proxy_from_environment: bool = False
    proxy_connect_header: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    follow_redirects: bool = True
    enable_http2: bool = True
    http_headers: dict[str, HeaderShape] = Field(default_factory=dict)


class Clients:
    """The clients of one file; what several receivers inherit from `global` is read, and complained of, once."""

    def __init__(self, file: ConfigFile) -> None:
        self._file = file
        self._read: dict[Path, HttpClient | None] = {}

    def client(self, path: Path) -> HttpClient | None:
        """`http_config` of the integration at `path`, else the one under `global`; None where it is wrong."""
        own = (*path, "http_config")
        where = own if self._file.at(own) is not None else ("global", "http_config")
        if where not in self._read:
            self._read[where] = _client(self._file, where)
        return self._read[where]


def _client(file: ConfigFile, where: Path) -> HttpClient | None:
    if file.at(where) is None:
        return HttpClient()
    errors = _errors(file)
    shape = _shape(file, where, HttpClientShape)
    if shape is None:
        return None
    kind, credentials = _authorization(file, where, shape)
    username, password = _basic_auth(file, where, shape)
    http, https, direct = _proxies(file, where, shape)
    client = HttpClient(
        auth_type=kind,
        credentials=credentials,
        basic_username=username,
        basic_password=password,
        tls=read_tls(file, (*where, "tls_config")) or TlsConfig(),
        http_proxy=http,
        https_proxy=https,
        no_proxy=direct,
        proxy_headers=_connect_headers(file, where, shape),
        follow_redirects=shape.follow_redirects,
        headers=_headers(file, where, shape),
    )
    return client if _errors(file) == errors else None


def _errors(file: ConfigFile) -> int:
    return sum(problem.severity is Severity.ERROR for problem in file.problems)


def read_tls(file: ConfigFile, path: Path) -> TlsConfig | None:
    """`tls_config` at `path`, with whole paths; None where there is none or it is wrong."""
    shape = _shape(file, path, TlsShape) if file.at(path) is not None else None
    if shape is None:
        return None
    if bool(shape.cert_file) != bool(shape.key_file):
        file.error(path, "give cert_file and key_file, or neither")
        return None
    tls = TlsConfig(
        ca_file=_whole(file, shape.ca_file),
        cert_file=_whole(file, shape.cert_file),
        key_file=_whole(file, shape.key_file),
        server_name=shape.server_name,
        insecure_skip_verify=shape.insecure_skip_verify,
        min_version=shape.min_version,
        max_version=shape.max_version,
    )
    if shape.insecure_skip_verify:
        file.warn((*path, "insecure_skip_verify"), "the server is not verified: whoever answers is shown the password")
    return tls if _readable(file, path, tls) else None


def _shape(file: ConfigFile, path: Path, model: type[_S]) -> _S | None:
    try:
        return model.model_validate(file.at(path))
    except ValidationError as error:
        file.problems.extend(shape_problems(error, file.document, model, path))
        return None


def _whole(file: ConfigFile, name: str) -> str:
    return str(file.directory / name) if name else ""


def _readable(file: ConfigFile, path: Path, tls: TlsConfig) -> bool:
    """Whether the files hold what they should; they are read again when a message is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    errors = len(file.problems)
    if tls.ca_file:
        _try(file, (*path, "ca_file"), "certificates", lambda: context.load_verify_locations(tls.ca_file))
    if tls.cert_file:
        what = "a certificate with its key in key_file"
        _try(file, (*path, "cert_file"), what, lambda: context.load_cert_chain(tls.cert_file, tls.key_file))
    return len(file.problems) == errors


def _try(file: ConfigFile, path: Path, what: str, read: Callable[[], None]) -> None:
    try:
        read()
    except ssl.SSLError:
        file.error(path, f"{path[-1]} must hold {what}, in PEM")
    except OSError as error:
        file.error(path, f"{path[-1]}: {error.strerror or 'it cannot be read'}")


def _authorization(file: ConfigFile, path: Path, shape: HttpClientShape) -> tuple[str, Secret | None]:
    if shape.authorization is None:
        return "Bearer", file.secret(path, "bearer_token")
    here = (*path, "authorization")
    kind = shape.authorization.type.strip() or "Bearer"
    if kind.lower() == "basic":
        file.error((*here, "type"), "type must not be Basic: write basic_auth with username and password")
    elif not _NAME.fullmatch(kind):
        file.error((*here, "type"), "type must be one word, such as Bearer")
    if shape.basic_auth is not None:
        file.error(here, "give authorization or basic_auth, not both", key=True)
    if shape.bearer_token or shape.bearer_token_file:
        file.error(here, "give authorization or bearer_token, not both", key=True)
    return kind, file.secret(here, "credentials", _is_header_value, "must be one line")


def _basic_auth(file: ConfigFile, path: Path, shape: HttpClientShape) -> tuple[str, Secret | None]:
    if shape.basic_auth is None:
        return "", None
    here = (*path, "basic_auth")
    username = file.secret(here, "username")
    return username.value if username is not None else "", file.secret(here, "password")


def _proxies(
    file: ConfigFile, path: Path, shape: HttpClientShape
) -> tuple[Secret | None, Secret | None, tuple[str, ...]]:
    """For http, for https, and who is asked without one."""
    if shape.proxy_from_environment:
        if shape.proxy_url or shape.no_proxy:
            file.error(
                (*path, "proxy_from_environment"), "give proxy_from_environment or proxy_url, not both", key=True
            )
        found = [_environment(file, name) for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")]
        http, https = (Secret(url) if is_http_url(url) else None for url in found[:2])
        return http, https, _split(found[2])
    if shape.no_proxy and not shape.proxy_url:
        file.error((*path, "no_proxy"), "no_proxy needs proxy_url", key=True)
    proxy = file.secret(path, "proxy_url", is_http_url, _PROXY) if shape.proxy_url else None
    return proxy, proxy, _split(shape.no_proxy)


def _environment(file: ConfigFile, name: str) -> str:
    return file.environ.get(name, "") or file.environ.get(name.lower(), "")


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in (each.strip() for each in text.split(",")) if part)


def _connect_headers(file: ConfigFile, path: Path, shape: HttpClientShape) -> tuple[tuple[str, Secret], ...]:
    here = (*path, "proxy_connect_header")
    pairs = []
    for name, values in shape.proxy_connect_header.items():
        for index, value in enumerate(values):
            pairs.append((name, Secret(file.filled(value, (*here, name, index)))))
        if not _NAME.fullmatch(name):
            file.error((*here, name), "this is no name of a header", key=True)
    return tuple(pairs)


def _headers(file: ConfigFile, path: Path, shape: HttpClientShape) -> tuple[tuple[str, Secret], ...]:
    pairs: list[tuple[str, Secret]] = []
    seen: set[str] = set()
    for name, header in shape.http_headers.items():
        here = (*path, "http_headers", name)
        if not _NAME.fullmatch(name):
            file.error(here, "this is no name of a header", key=True)
        elif name.lower() in RESERVED:
            file.error(here, f"the header {name} cannot be set here", key=True)
        elif name.lower() in seen:
            file.error(here, f"the header {name} is given twice", key=True)
        seen.add(name.lower())
        pairs.extend((name, Secret(value)) for value in _values(file, here, header))
    return tuple(pairs)


def _values(file: ConfigFile, path: Path, header: HeaderShape) -> list[str]:
    found = []
    for key, texts in (("values", header.values), ("secrets", header.secrets), ("files", header.files)):
        for index, text in enumerate(texts):
            value = file.filled(text, (*path, key, index))
            try:
                value = read_secret(file.directory / value) if key == "files" else value
            except FileProblem as error:
                file.error((*path, key, index), f"{text}: {error}")
                continue
            if not _is_header_value(value):
                file.error((*path, key, index), "must be one line")
            found.append(value)
    if len(found) > 1:
        file.error(path, "give one value: a header is sent once", key=True)
    return found


def _is_header_value(text: str) -> bool:
    return not any(char in text for char in "\r\n\0")
