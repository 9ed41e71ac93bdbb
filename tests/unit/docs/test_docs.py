"""The documents say what the program does: commands, options, metrics, links and examples are held against the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from watcher.app.metrics.document import samples, specs
from watcher.cli import app
from watcher.replay.ruletests import run_files
from watcher.settings.load import check_all

ROOT = Path(__file__).resolve().parents[3]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
OPERATING = ROOT / "docs" / "operating.md"

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```[^\n]*\n.*?^```", re.MULTILINE | re.DOTALL)
METRIC = re.compile(r"\b(?:watcher|alertmanager)_[a-z_]*[a-z]\b")


def commands() -> dict[str, list[str]]:
    """Each command and its long options, as the command line knows them."""
    group = typer.main.get_group(app)
    return {
        name: [flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")]
        for name, command in group.commands.items()
    }


def metric_names() -> set[str]:
    """What a page may call a metric; tests/unit/app/test_metrics.py holds these against what is shown."""
    return {name for spec in specs() for name in (spec.name, *samples(spec))}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced texts of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def links(page: Path) -> Iterator[str]:
    yield from LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    named = re.findall(r'<a id="([^"]+)"></a>', page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(named)


def command_row(name: str) -> str:
    """The line of the table of commands that begins with this one."""
    lines = OPERATING.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith((f"| `watcher {name} ", f"| `watcher {name}`"))), "")


@pytest.mark.parametrize("name", sorted(commands()))
def test_each_command_stands_in_the_table_with_all_its_options(name: str) -> None:
    row = command_row(name)
    missing = [option for option in commands()[name] if option != "--output" and option not in row]
    assert row, f"docs/operating.md has no line for `watcher {name}`"
    assert not missing


def test_the_table_names_no_command_that_does_not_exist() -> None:
    named = re.findall(r"^\| `watcher ([a-z-]+)", OPERATING.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name in named if not name.startswith("--")} == set(commands())


def test_no_page_names_a_metric_that_does_not_exist() -> None:
    known = metric_names()
    named = {(page.name, name) for page in PAGES for name in METRIC.findall(page.read_text(encoding="utf-8"))}
    assert not {(page, name) for page, name in named if name not in known}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files_that_are_there(page: Path) -> None:
    local = [link.partition("#")[0] for link in links(page) if "://" not in link and not link.startswith("#")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_headings_name_headings_that_are_there(page: Path) -> None:
    parts = [link.partition("#") for link in links(page) if "://" not in link and "#" in link]
    wrong = [f"{file}#{name}" for file, _, name in parts if name not in anchors(page.parent / file if file else page)]
    assert wrong == []


def test_the_readme_leads_to_every_page() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md") if "://" not in link}
    assert set(PAGES) - {ROOT / "README.md"} <= linked


def config_examples() -> list[object]:
    pages = (ROOT / "README.md", ROOT / "docs" / "configuration.md")
    return [
        pytest.param(text, id=f"{page.name} {number}")
        for page in pages
        for number, text in enumerate(blocks(page, "yaml"), 1)
    ]


@pytest.mark.parametrize("text", config_examples())
def test_a_configuration_in_the_documents_has_neither_errors_nor_warnings(text: str, tmp_path: Path) -> None:
    for name in re.findall(r"_file: ([^\s,}]+)", text):
        secret = tmp_path / name
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("https://hooks.example.org/T0/B0/x", encoding="utf-8")
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    assert [str(problem) for problem in check_all(file, None)] == []


def test_the_example_rule_passes_its_example_test(tmp_path: Path) -> None:
    rule, test = blocks(ROOT / "docs" / "rules.md", "yaml")
    (tmp_path / "mine.yaml").write_text(rule, encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "mine.yaml").write_text(test, encoding="utf-8")
    results = run_files([tmp_path / "tests" / "mine.yaml"])
    assert [(result.name, result.failures) for result in results] == [("two deaths within ten minutes", ())]
