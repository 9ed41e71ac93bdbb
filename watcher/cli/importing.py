"""`watcher import`: the configuration of another program, as one of Watcher's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import_app = typer.Typer(help="Take over the configuration of another program.", add_completion=False)


@import_app.callback()
def importing() -> None:
    """See `watcher import alertmanager --help`."""


@import_app.command("alertmanager")
def import_alertmanager(
    file: Annotated[Path, typer.Argument(help="Its alertmanager.yml.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write instead of stdout.")] = None,
) -> None:
    """Write it as a configuration of Watcher's, Go templates in Jinja2; exit code 1 if something is left by hand."""
    from watcher.settings import importing

    place = "<stdout>" if output is None else str(output)
    result = importing.import_alertmanager(file.read_bytes(), str(file), file.parent, place)
    if output is None:
        print(result.text, end="")
    else:
        output.touch(mode=file.stat().st_mode & 0o777)  # it may hold secrets, and is for the same eyes
        output.write_text(result.text, encoding="utf-8", newline="")
    for problem in sorted((*result.left, *result.notes), key=lambda each: each.position.line):
        print(problem, file=sys.stderr)
    if result.left:
        count = len(result.left)
        print(f"watcher: {count} thing{'' if count == 1 else 's'} left to do by hand", file=sys.stderr)
    raise typer.Exit(1 if result.left else 0)
