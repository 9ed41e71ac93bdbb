"""`watcher explain`: over the HTTP API of the running service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from watcher import client
from watcher.cli.options import Format, FormatOption, TokenOption, UrlOption, service
from watcher.engine.clock import SystemClock
from watcher.lib.durations import DurationError, parse_duration


def explain(
    of: Annotated[
        str,
        typer.Argument(
            metavar="NAMESPACE/NAME | FINGERPRINT", help="A pod, a workload, a claim; an alert; or a node by its name."
        ),
    ],
    at: Annotated[str, typer.Option(help="As known then: 2026-11-20T14:05:00Z, or 2h for two hours ago.")] = "",
    url: UrlOption = "",
    token_file: TokenOption = "",
    format: FormatOption = Format.text,
) -> None:
    """Why a notification was, or was not, sent; 1 if nothing is known."""
    found = client.explain(service(url, token_file), of, _instant(at) if at else None)
    for line in [client.as_json(found)] if format is Format.json else client.explanation_text(found):
        print(line)


def _instant(text: str) -> datetime:
    """A time without a zone is UTC, as all times that Watcher prints."""
    try:
        return SystemClock().now() - parse_duration(text)
    except (DurationError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        said = "write a time such as 2026-11-20T14:05:00Z, or how long ago, such as 2h"
        raise typer.BadParameter(said, param_hint="--at") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
