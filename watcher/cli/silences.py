"""`watcher silence`: over the HTTP API of the running service."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from watcher import client
from watcher.cli.options import Format, FormatOption, TokenOption, UrlOption, parsed_duration, service
from watcher.lib.matchers import Matcher, MatcherError, MatcherOp
from watcher.lib.regexes import RegexError

silence_app = typer.Typer(
    help="Silences: what nobody is to be told of for a while.", add_completion=False, no_args_is_help=True
)


@silence_app.command("add")
def silence_add(
    comment: Annotated[str, typer.Option("--comment", "-c", help="Why.")],
    author: Annotated[str, typer.Option("--author", "-a", help="Who.")],
    matchers: Annotated[list[str] | None, typer.Argument(metavar="MATCHER…", help="As in namespace=shop.")] = None,
    workload: Annotated[str, typer.Option(help="KIND/NAME, as in deployment/api.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Of the workload, or of alerts.")] = "",
    duration: Annotated[str, typer.Option("--duration", "-d", help="How long from now on, 1h by default.")] = "",
    until_resolved: Annotated[
        bool, typer.Option("--until-resolved", help="Until nothing of it has fired for 10m, at most 7d.")
    ] = False,
    url: UrlOption = "",
    token_file: TokenOption = "",
) -> None:
    """Have nobody told of alerts that match all MATCHERs; prints the id."""
    if until_resolved and duration:
        raise typer.BadParameter("give it or --until-resolved, not both", param_hint="--duration")
    wanted = client.Wanted(
        matchers=_silence_matchers(matchers or [], workload, namespace),
        lasts=parsed_duration(duration or "1h"),
        until_resolved=until_resolved,
        comment=comment,
        author=author,
    )
    print(client.add_silence(service(url, token_file), wanted))


def _silence_matchers(texts: list[str], workload: str, namespace: str) -> tuple[Matcher, ...]:
    try:
        given = client.matchers_of(texts)
    except (MatcherError, RegexError) as error:
        raise typer.BadParameter(str(error), param_hint="MATCHER") from error
    if workload:
        try:
            given += client.workload_matchers(workload, namespace)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--workload") from error
    elif namespace:
        given += (Matcher(name="namespace", op=MatcherOp.EQUAL, value=namespace),)
    if not given:
        raise typer.BadParameter(
            "give a MATCHER such as alertname=ContainerCrashLooping, or --workload", param_hint="MATCHER"
        )
    return given


@silence_app.command("list")
def silence_list(
    expired: Annotated[bool, typer.Option("--expired", help="Those that are over, for 120h.")] = False,
    url: UrlOption = "",
    token_file: TokenOption = "",
    format: FormatOption = Format.text,
) -> None:
    """The silences of the running service."""
    found = client.silences(service(url, token_file), expired=expired)
    for line in [client.as_json(found)] if format is Format.json else client.silences_text(found, expired=expired):
        print(line)


@silence_app.command("expire")
def silence_expire(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="As `watcher silence list` shows them.")],
    url: UrlOption = "",
    token_file: TokenOption = "",
) -> None:
    """End silences now; those that are over stay so."""
    asked, failed = service(url, token_file), False
    for id in ids:
        try:
            client.expire_silence(asked, id)
        except client.ClientError as error:
            print(f"watcher: {error}", file=sys.stderr)
            failed = True
        else:
            print(f"{id} has ended")
    raise typer.Exit(1 if failed else 0)
