"""Certificates for local servers, made by openssl. Each vouches for itself: it is its own `ca_file`."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from shutil import which

import pytest


def certificate(directory: Path, name: str = "server", names: str = "IP:127.0.0.1,DNS:localhost") -> Path:
    """A certificate for `names`; its key is in the file beside it that ends in `.key`."""
    openssl = which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine to make a certificate")
    path = directory / f"{name}.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}.example", "-addext", f"subjectAltName={names}"),
            *("-keyout", str(key_of(path)), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path


def key_of(path: Path) -> Path:
    return path.with_suffix(".key")


def server_context(path: Path, clients: Path | None = None) -> ssl.SSLContext:
    """For a server with this certificate; with `clients` only those that show that one may come."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path, key_of(path))
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context
