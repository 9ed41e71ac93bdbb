"""The commands about messages: deliveries, deliveries resend, send-test."""

from __future__ import annotations

from typing import Annotated

import typer

from watcher import client
from watcher.cli.options import Format, FormatOption, TokenOption, UrlOption, service

deliveries_app = typer.Typer(help="The outbox: what waits, what was delivered, dead letters.", add_completion=False)


@deliveries_app.callback(invoke_without_command=True)
def deliveries(
    context: typer.Context,
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 100,
    url: UrlOption = "",
    token_file: TokenOption = "",
    format: FormatOption = Format.text,
) -> None:
    """The newest messages of the running service, with what became of them."""
    if context.invoked_subcommand is not None:
        context.obj = (url, token_file, format)
        return
    found = client.deliveries(service(url, token_file), dead=dead, limit=limit)
    lines = [client.as_json(found)] if format is Format.json else client.deliveries_text(found, dead=dead)
    for line in lines:
        print(line)


@deliveries_app.command()
def resend(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="As `watcher deliveries --dead` shows it.")],
    url: UrlOption = "",
    token_file: TokenOption = "",
    format: FormatOption = Format.text,
) -> None:
    """Send a dead letter again."""
    outer_url, outer_token, outer_format = context.obj
    answer = client.resend(service(url or outer_url, token_file or outer_token), id)
    if Format.json in (format, outer_format):
        print(client.as_json(answer))
    else:
        print(f"{answer['id']} waits again for {answer['receiver']}/{answer['integration']}")


def send_test(
    receiver: Annotated[str, typer.Argument(help="Its name in the configuration.")],
    url: UrlOption = "",
    token_file: TokenOption = "",
    format: FormatOption = Format.text,
) -> None:
    """Have the running service send one marked message to each integration of a receiver; 1 if one did not get it."""
    answer = client.send_test(service(url, token_file), receiver)
    for line in [client.as_json(answer)] if format is Format.json else client.test_text(answer):
        print(line)
    raise typer.Exit(0 if client.all_delivered(answer) else 1)
