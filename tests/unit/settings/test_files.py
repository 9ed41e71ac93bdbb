"""Which rule files patterns name."""

from __future__ import annotations

from pathlib import Path

from watcher.lib.problems import Position, Problem
from watcher.settings.files import rule_documents
from watcher.settings.shipped import directory

PLACE = Position(file="config.yaml", line=1, column=1)


def named(base: Path, *patterns: str) -> tuple[list[Path], list[Problem]]:
    problems: list[Problem] = []
    documents = rule_documents([(pattern, PLACE) for pattern in patterns], base, problems)
    return [Path(document.file) for document in documents], problems


def test_the_word_shipped_names_the_packs_that_come_with_watcher(tmp_path: Path) -> None:
    (tmp_path / "rules-own.yaml").write_text("groups: []\n", encoding="utf-8")
    files, problems = named(tmp_path, "shipped", "rules-*.yaml")
    assert files == [*sorted(directory("rules").glob("*.yaml")), tmp_path / "rules-own.yaml"]
    assert problems == []


def test_a_file_of_that_name_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "shipped").write_text("groups: []\n", encoding="utf-8")
    assert named(tmp_path, "./shipped") == ([tmp_path / "shipped"], [])
