"""A kustomization of deploy/ as a test deploys it: its configuration in a folder, its roles at the emulated server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.manifests import DEPLOY, only, render
from watcher.demo.resources import JsonObject

SECRETS: Mapping[str, str] = {
    "slack": "https://hooks.slack.example/services/T0/B0/x",
    "token": "a-token-of-the-test",
    "posts-token": "another-token-of-the-test",
    "heartbeat": "https://heartbeat.example/x",
}

ENVIRONMENT: Mapping[str, str] = {
    "POD_NAME": "watcher-0",
    "POD_IP": "10.0.0.7",
    "NAMESPACE": "watcher",
    "STORE_URL": "postgresql://watcher:x@postgres.example:5432/watcher",
}
"""What a Deployment sets in the container."""


class Deployed:
    """`documents`: what is applied; `config`: the file that the container sees as /etc/watcher/config.yaml."""

    def __init__(self, name: str, folder: Path, secrets: Mapping[str, str] = SECRETS) -> None:
        self.documents: list[JsonObject] = render(DEPLOY / name)
        for key, text in only(self.documents, "ConfigMap")["data"].items():
            (folder / key).write_text(text, encoding="utf-8")
        (folder / "secrets").mkdir()
        for key, text in secrets.items():
            (folder / "secrets" / key).write_text(text, encoding="utf-8")
        self.config = folder / "config.yaml"
