"""`watcher import`: the configuration of another program, as one of Watcher's."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from watcher.lib.problems import Problem

OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="The file to write instead of stdout.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]

import_app = typer.Typer(help="Take over the configuration of another program.", add_completion=False)


@import_app.callback()
def importing() -> None:
    """See `watcher import alertmanager --help` and `watcher import kwatch --help`."""


@import_app.command("alertmanager")
def import_alertmanager(
    file: Annotated[Path, typer.Argument(help="Its alertmanager.yml.")],
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Write it as a configuration of Watcher's, Go templates in Jinja2; exit code 1 if something is left by hand."""
    from watcher.settings import importing

    _keep(output, force)
    place = "<stdout>" if output is None else str(output)
    result = importing.import_alertmanager(file.read_bytes(), str(file), file.parent, place)
    _write(result.text, file, output)
    _tell(result.left, result.notes)


@import_app.command("kwatch")
def import_kwatch(
    file: Annotated[Path, typer.Argument(help="Its config.yaml, or the manifest or the Helm values that hold it.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write instead of stdout; NAME-rules.yaml beside it."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write it as a configuration of Watcher's, and rules where it needs some; exit code 1 if something is left."""
    from watcher.settings import kwatch

    place = "<stdout>" if output is None else str(output)
    beside = None if output is None else output.with_name(f"{output.stem}-rules.yaml")
    result = kwatch.import_kwatch(file.read_bytes(), str(file), place, "" if beside is None else beside.name)
    _keep(output, force)
    if beside is not None and result.rules:
        _keep(beside, force)
        _write(result.rules, file, beside)
    _write(result.text, file, output)
    _tell(result.left, result.notes)


def _keep(output: Path | None, force: bool) -> None:
    if output is not None and output.exists() and not force:
        raise ValueError(f"{output} is there already: name another file with -o, or write over it with --force")


def _write(text: str, source: Path, output: Path | None) -> None:
    if output is None:
        print(text, end="")
    else:
        output.touch(mode=source.stat().st_mode & 0o777)  # it may hold secrets, and is for the same eyes
        output.write_text(text, encoding="utf-8", newline="")


def _tell(left: Iterable[Problem], notes: Iterable[Problem]) -> None:
    """Everything in reading order, and how it ended as the exit code."""
    by_hand = list(left)
    marked = [*((each, "to do") for each in by_hand), *((each, "note") for each in notes)]
    for problem, mark in sorted(marked, key=lambda each: (each[0].position.file, each[0].position.line)):
        print(f"{problem.position}: {mark}: {problem.message}", file=sys.stderr)
    if by_hand:
        count = len(by_hand)
        print(f"watcher: {count} thing{'' if count == 1 else 's'} left to do by hand", file=sys.stderr)
    raise typer.Exit(1 if by_hand else 0)
