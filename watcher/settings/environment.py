"""What is read from the environment besides the configuration's own overrides: this package is its only reader."""

from __future__ import annotations

import os


def kubeconfig() -> str | None:
    """kubectl's own variable: one or more paths joined by `:`."""
    return os.environ.get("KUBECONFIG") or None


def log_level() -> str:
    """WATCHER_LOG_LEVEL: DEBUG, INFO (the default), WARNING or ERROR; anything else is INFO."""
    level = os.environ.get("WATCHER_LOG_LEVEL", "INFO").upper()
    return level if level in ("DEBUG", "INFO", "WARNING", "ERROR") else "INFO"


def demo_seconds() -> float | None:
    """DEMO_SECONDS: after how many seconds `watcher demo` ends by itself."""
    text = os.environ.get("DEMO_SECONDS", "")
    try:
        return float(text) if text else None
    except ValueError:
        return None


def url() -> str:
    """WATCHER_URL: the running service that commands speak to; empty: their own choice."""
    return os.environ.get("WATCHER_URL", "")


def token_file() -> str:
    """WATCHER_TOKEN_FILE: the file with its token; empty: none."""
    return os.environ.get("WATCHER_TOKEN_FILE", "")
