"""`watcher explain`: over the HTTP API of the running service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from watcher import client
from watcher.cli.options import Format, FormatOption, TokenOption, UrlOption, service
from watcher.lib.durations import DurationError, parse_duration
from watcher.lib.matchers import MatcherError, format_matchers
from watcher.lib.regexes import RegexError


def explain(
    of: Annotated[
        list[str],
        typer.Argument(
            metavar="NAMESPACE/NAME | ALERT…",
            help="A pod, a workload, a claim; an alert by its fingerprint, or by its name and labels as in"
            " HighCPU instance=web-1; or a node by its name.",
        ),
    ],
    at: Annotated[str, typer.Option(help="As known then: 2026-11-20T14:05:00Z, or 2h for two hours ago.")] = "",
    url: UrlOption = "",
    token_file: TokenOption = "",
    format: FormatOption = Format.text,
) -> None:
    """Why a notification was, or was not, sent; 1 if nothing is known."""
    words, asked = _words(of), service(url, token_file)
    found = client.explain(asked, words, _instant(asked, at) if at else None)
    for line in [client.as_json(found)] if format is Format.json else client.explanation_text(found):
        print(line)


def _words(of: list[str]) -> str:
    """Several are matchers, the first perhaps an alert's name."""
    if len(of) == 1:
        return of[0]
    try:
        return format_matchers(client.matchers_of(of))
    except (MatcherError, RegexError) as error:
        said = f"{error}; several words are an alert's name and matchers of its labels"
        raise typer.BadParameter(said, param_hint="ALERT") from None


def _instant(asked: client.Client, text: str) -> datetime:
    """A time without a zone is UTC, as all times that Watcher prints."""
    ago = _ago(text)
    if ago is not None:
        return client.now(asked) - ago
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        said = "write a time such as 2026-11-20T14:05:00Z, or how long ago, such as 2h"
        raise typer.BadParameter(said, param_hint="--at") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _ago(text: str) -> timedelta | None:
    """None where it is no duration, or one that goes back beyond all calendars."""
    try:
        found = parse_duration(text)
    except (DurationError, OverflowError):
        return None
    return found if found < timedelta(days=365_000) else None
