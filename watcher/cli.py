"""The commands: arguments in, exit code out. 0: fine; 1: the answer is no; 2: wrong use.

What people read goes to stdout, errors go to stderr in one sentence that says what to do.
"""

from __future__ import annotations

import asyncio
import enum
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from watcher import __version__, client
from watcher.engine.clock import SystemClock
from watcher.lib.durations import DurationError, parse_duration
from watcher.lib.matchers import Matcher, MatcherError, MatcherOp
from watcher.lib.regexes import RegexError
from watcher.model.config import FirstStart
from watcher.ports import StoreError
from watcher.settings import environment
from watcher.settings.load import ConfigErrors, check_all, load
from watcher.source.errors import SourceError
from watcher.source.readstate import RecordingError

app = typer.Typer(
    help="Watcher: sees what breaks in a Kubernetes cluster and tells people once, with the cause and the evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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


def main() -> None:
    """The entry point: errors that people can mend become one sentence and exit code 1."""
    try:
        app()
    except ConfigErrors as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(1)
    except (StoreError, SourceError, RecordingError, client.ClientError, OSError, ValueError) as error:
        print(f"watcher: {error}", file=sys.stderr)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"watcher {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """See `watcher COMMAND --help` for each command."""


@app.command()
def run(
    config: ConfigOption = None,
    data: Annotated[Path | None, typer.Option(help="Keep the database in this directory.")] = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT of the HTTP interface, instead of the configuration's.")] = "",
    no_watch: Annotated[bool, typer.Option("--no-watch", help="Serve without a cluster.")] = False,
) -> None:
    """Run the service until it is told to stop."""
    from watcher.app import RunOptions
    from watcher.app import run as serve
    from watcher.engine.logs import configure

    settings = load(config or DEFAULT_CONFIG).with_overrides(data=data, listen=listen)
    configure(environment.log_level())
    for warning in settings.warnings:
        print(warning, file=sys.stderr)
    options = RunOptions(kubeconfig=environment.kubeconfig(), watch=not no_watch)
    _finish(lambda: serve(settings, options))


def _finish(program: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run it and exit with its code; the first error of a group of tasks speaks for all."""
    try:
        code = asyncio.run(program())
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
    raise typer.Exit(code)


@app.command()
def check(config: ConfigOption = None, rules: RulesOption = None, format: FormatOption = Format.text) -> None:
    """Validate the configuration and the rules; print every error as file:line:column: message."""
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    problems = check_all(config, rules)
    errors = [problem for problem in problems if problem.is_error]
    if format is Format.json:
        print(msgspec.json.encode({"ok": not errors, "problems": problems}).decode())
    else:
        for problem in problems:
            print(problem, file=sys.stderr if problem.is_error else sys.stdout)
        if not errors:
            print("the configuration and the rules are fine")
    raise typer.Exit(1 if errors else 0)


@app.command("test")
def rule_tests(files: list[Path], format: FormatOption = Format.text) -> None:
    """Run rule tests."""
    from watcher.replay.ruletests import run_files

    results = run_files(files)
    failed = [result for result in results if result.failures]
    if format is Format.json:
        print(msgspec.json.encode(results).decode())
    else:
        for result in failed:
            print(f"FAILED {result.file}: {result.name}")
            for failure in result.failures:
                print(f"    {failure}")
        print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    raise typer.Exit(1 if failed or not results else 0)


@app.command()
def record(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; .gz is compressed.")],
    config: ConfigOption = None,
) -> None:
    """Record what the cluster says until stopped."""
    from watcher.app.record import record_cluster
    from watcher.engine.logs import configure

    settings = load(config)
    configure(environment.log_level())
    _finish(lambda: record_cluster(settings, output, environment.kubeconfig()))


@app.command()
def replay(
    files: list[Path],
    config: ConfigOption = None,
    rules: RulesOption = None,
    first_start: Annotated[
        FirstStart, typer.Option(help="How to take what is broken at first sight.")
    ] = FirstStart.ALERT,
    until: Annotated[str, typer.Option(help="Let this much time pass after the recording, for example 1h.")] = "0s",
    complete: Annotated[bool, typer.Option(help="A plain list holds everything: what it lacks is gone.")] = False,
    format: FormatOption = Format.text,
) -> None:
    """Dry run: what would have been sent, when, to whom and why. Nothing is sent."""
    from watcher.replay import as_json, as_text, play
    from watcher.settings.core import core_of
    from watcher.source.reading import head, read
    from watcher.source.readstate import ReadReport

    core = core_of(load(config, rules), first_start)
    heads = [head(file) for file in files]
    cluster = core.cluster or next((name for name, _ in heads if name), "")
    own = any(own for _, own in heads)
    core = msgspec.structs.replace(core, cluster=cluster, evidence=own, delivered_at_once=not own)
    show = as_json if format is Format.json else as_text
    count = 0
    report = ReadReport()
    for notification in play(core, read(files, complete=complete, report=report), _duration(until)):
        print(show(notification))
        count += 1
    for warning in report.warnings:
        print(f"watcher: {warning}", file=sys.stderr)
    for what, times in sorted(report.skipped.items()):
        print(f"watcher: left out {times} × {what}", file=sys.stderr)
    if format is Format.text:
        print(f"{count} notification{'' if count == 1 else 's'}")


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except DurationError as error:
        raise typer.BadParameter(str(error)) from error


import_app = typer.Typer(help="Take over the configuration of another program.", add_completion=False)
app.add_typer(import_app, name="import")


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


deliveries_app = typer.Typer(help="The outbox: what waits, what was delivered, dead letters.", add_completion=False)
app.add_typer(deliveries_app, name="deliveries")


def _service(url: str, token_file: str) -> client.Client:
    try:
        return client.Client(url or environment.url(), token_file or environment.token_file())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error


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
    found = client.deliveries(_service(url, token_file), dead=dead, limit=limit)
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
    answer = client.resend(_service(url or outer_url, token_file or outer_token), id)
    if Format.json in (format, outer_format):
        print(client.as_json(answer))
    else:
        print(f"{answer['id']} waits again for {answer['receiver']}/{answer['integration']}")


@app.command("send-test")
def send_test(
    receiver: Annotated[str, typer.Argument(help="Its name in the configuration.")],
    url: UrlOption = "",
    token_file: TokenOption = "",
    format: FormatOption = Format.text,
) -> None:
    """Have the running service send one marked message to each integration of a receiver; 1 if one did not get it."""
    answer = client.send_test(_service(url, token_file), receiver)
    for line in [client.as_json(answer)] if format is Format.json else client.test_text(answer):
        print(line)
    raise typer.Exit(0 if client.all_delivered(answer) else 1)


silence_app = typer.Typer(
    help="Silences: what nobody is to be told of for a while.", add_completion=False, no_args_is_help=True
)
app.add_typer(silence_app, name="silence")


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
        lasts=_duration(duration or "1h"),
        until_resolved=until_resolved,
        comment=comment,
        author=author,
    )
    print(client.add_silence(_service(url, token_file), wanted, SystemClock().now()))


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
            "give a MATCHER such as alertname=PodCrashLooping, or --workload", param_hint="MATCHER"
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
    found = client.silences(_service(url, token_file), expired=expired)
    for line in [client.as_json(found)] if format is Format.json else client.silences_text(found, expired=expired):
        print(line)


@silence_app.command("expire")
def silence_expire(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="As `watcher silence list` shows them.")],
    url: UrlOption = "",
    token_file: TokenOption = "",
) -> None:
    """End silences now; those that are over stay so."""
    service, failed = _service(url, token_file), False
    for id in ids:
        try:
            client.expire_silence(service, id)
        except client.ClientError as error:
            print(f"watcher: {error}", file=sys.stderr)
            failed = True
        else:
            print(f"{id} has ended")
    raise typer.Exit(1 if failed else 0)


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(help="End after this many seconds (also DEMO_SECONDS).")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep the database here, to see that a restart sends nothing.")
    ] = None,
    listen: Annotated[str, typer.Option(help="HOST:PORT of the HTTP interface.")] = "127.0.0.1:9093",
    speed: Annotated[float, typer.Option(help="How much faster than ours the cluster's time runs.")] = 20.0,
) -> None:
    """The whole service against an emulated cluster, on this machine."""
    from watcher.demo.command import DemoRun, run_demo

    options = DemoRun(seconds=seconds or environment.demo_seconds(), data=data, listen=listen, speed=speed)
    _finish(lambda: run_demo(options))
