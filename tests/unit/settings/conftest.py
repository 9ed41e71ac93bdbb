"""A directory with a configuration file, and what settings say of it."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from watcher.lib.problems import Problem
from watcher.settings.load import check_all, load
from watcher.settings.records import Settings

RECEIVER = "receivers: [{name: ops, webhook_configs: [{url: http://ops.example.org}]}]\n"


class Home:
    """A configuration's directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config.yaml"

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def load(self, text: str, environ: Mapping[str, str] | None = None) -> Settings:
        self.write("config.yaml", text)
        return load(self.config, None, environ or {})

    def problems(self, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        """Every problem as `line:column: message`, files other than the configuration by their names."""
        self.write("config.yaml", text)
        return [self.shown(problem) for problem in check_all(self.config, None, environ or {})]

    def shown(self, problem: Problem) -> str:
        return str(problem).replace(f"{self.config}:", "").replace(f"{self.root}/", "")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)
