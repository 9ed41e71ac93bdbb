"""TLS as a receiver's configuration wants it, for HTTP and for mail.

A context is kept as long as its files stay as they are: a renewed certificate is used from the next message on, and
no restart is needed. Without `tls_config` the machine's own list of authorities decides.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final

from watcher.model.config import TlsConfig

VERSIONS: Final = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
"""Alertmanager's names (prometheus/common, config/http_config.go)."""


class TlsProblem(Exception):
    """The configured files cannot be used; the message says which and why."""


class TlsContexts:
    """The context of one configuration."""

    def __init__(self, config: TlsConfig) -> None:
        self._config = config
        self._files = [Path(name) for name in (config.ca_file, config.cert_file, config.key_file) if name]
        self._made: tuple[list[tuple[int, int]], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """Raises TlsProblem."""
        try:
            seen = [(stat.st_mtime_ns, stat.st_size) for stat in map(Path.stat, self._files)]
            if self._made is None or self._made[0] != seen:
                self._made = (seen, _context(self._config))
        except OSError as error:
            # ssl.SSLError, of a file that is no certificate, is an OSError too.
            name = error.filename or ", ".join(map(str, self._files))
            raise TlsProblem(f"the TLS files cannot be used ({name}): {_why(error)}") from None
        return self._made[1]


class _Context(ssl.SSLContext):
    """smtplib asks for the certificate of the host's own name, and has no way to be told another."""

    name: str = ""

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        name = self.name or server_hostname
        return super().wrap_socket(sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, name, session)


def _context(config: TlsConfig) -> ssl.SSLContext:
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.name = config.server_name
    if config.ca_file:
        context.load_verify_locations(config.ca_file)
    elif not config.insecure_skip_verify:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.cert_file:
        context.load_cert_chain(config.cert_file, config.key_file or None)
    if config.min_version:
        context.minimum_version = VERSIONS[config.min_version]
    if config.max_version:
        context.maximum_version = VERSIONS[config.max_version]
    return context


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "no certificate or key in it"
    return error.strerror or "it cannot be read"
