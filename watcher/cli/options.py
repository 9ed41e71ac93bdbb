"""What several commands take, and how they end."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from watcher import client
from watcher.lib.durations import DurationError, parse_duration
from watcher.settings import environment
from watcher.settings.addresses import parse_listen

DEFAULT_CONFIG = Path("/etc/watcher/config.yaml")


class Format(enum.StrEnum):
    text = "text"
    json = "json"


ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file.")]
RulesOption = Annotated[
    list[str] | None, typer.Option("--rules", help="Rule files instead of the configuration's; may hold wildcards.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="For people, or as JSON.")]
UrlOption = Annotated[
    str, typer.Option("--url", help=f"The running service; also WATCHER_URL. By default {client.DEFAULT_URL}.")
]
TokenOption = Annotated[str, typer.Option("--token-file", help="The file with its token; also WATCHER_TOKEN_FILE.")]


def _listen(text: str) -> str:
    if text:
        try:
            parse_listen(text)
        except ValueError as error:
            advice = f"; did you mean :{text}? That is every address" if text.isdigit() else ""
            raise typer.BadParameter(f"{error}{advice}") from error
    return text


ListenOption = Annotated[
    str,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        callback=_listen,
        help="Of the HTTP interface, instead of the configuration's; :PORT is every address.",
    ),
]


def finish(program: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run it and exit with its code; the first error of a group of tasks speaks for all."""
    try:
        code = asyncio.run(program())
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
    raise typer.Exit(code)


def parsed_duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except DurationError as error:
        raise typer.BadParameter(str(error)) from error


def service(url: str, token_file: str) -> client.Client:
    try:
        return client.Client(url or environment.url(), token_file or environment.token_file())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error
