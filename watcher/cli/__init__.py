"""The commands: arguments in, exit code out. 0: fine; 1: the answer is no; 2: wrong use.

What people read goes to stdout, errors go to stderr in one sentence that says what to do. Nothing is decided here:
a command reads its arguments, calls what does the work, and prints what came of it.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from watcher import __version__, client
from watcher.cli import deliveries, explaining, importing, running, silences, trying
from watcher.ports import Fenced, StoreError
from watcher.settings.errors import ConfigErrors
from watcher.source.errors import SourceError
from watcher.source.readstate import RecordingError

app = typer.Typer(
    help="Watcher: sees what breaks in a Kubernetes cluster and tells people once, with the cause and the evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"watcher {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """See `watcher COMMAND --help` for each command."""


app.command()(running.run)
app.command()(trying.check)
app.command("test")(trying.rule_tests)
app.command()(running.record)
app.command()(trying.replay)
app.add_typer(importing.import_app, name="import")
app.command()(explaining.explain)
app.add_typer(deliveries.deliveries_app, name="deliveries")
app.command("send-test")(deliveries.send_test)
app.add_typer(silences.silence_app, name="silence")
app.command()(running.demo)


def main() -> None:
    """The entry point: errors that people can mend become one sentence and exit code 1."""
    try:
        app()
    except ConfigErrors as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(1)
    except Fenced as error:
        print(f"watcher: {error} Let one Watcher alone use a store, or set leader_election in all.", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"watcher: {_sentence(error)}", file=sys.stderr)
        sys.exit(1)
    except (StoreError, SourceError, RecordingError, client.ClientError, ValueError) as error:
        print(f"watcher: {error}", file=sys.stderr)
        sys.exit(1)


def _sentence(error: OSError) -> str:
    """Without the number, which tells people nothing."""
    match error:
        case FileNotFoundError(filename=str(name)):
            return f"there is no file or directory {name}"
        case OSError(filename=str(name), strerror=str(why)):
            return f"{name}: {why[:1].lower()}{why[1:]}"
    return str(error)
