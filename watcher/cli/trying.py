"""The commands that try things out, and touch nothing: check, test, replay."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from watcher.cli.options import DEFAULT_CONFIG, ConfigOption, Format, FormatOption, RulesOption, parsed_duration
from watcher.model.config import FirstStart
from watcher.settings.load import check_all, load

NOTHING_READ = f"there is no {DEFAULT_CONFIG}: the shipped rules are fine; name a configuration with --config"

RbacOption = Annotated[
    bool, typer.Option("--rbac", help="Ask the cluster too: may this account read what the configuration needs?")
]


def check(
    config: ConfigOption = None,
    rules: RulesOption = None,
    rbac: RbacOption = False,
    format: FormatOption = Format.text,
) -> None:
    """Validate the configuration and the rules; print every error as file:line:column: message."""
    from watcher.cli import access

    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    problems = check_all(config, rules)
    ok = not any(problem.is_error for problem in problems)
    # What a wrong configuration needs is not known.
    report = asyncio.run(access.review(load(config, rules))) if rbac and ok else None
    if format is Format.json:
        found: dict[str, Any] = {"ok": ok and (report is None or report.ok), "problems": problems}
        print(msgspec.json.encode(found if report is None else found | {"access": report}).decode())
    else:
        for problem in problems:
            print(problem, file=sys.stderr if problem.is_error else sys.stdout)
        if ok:
            print("the configuration and the rules are fine" if config or rules else NOTHING_READ)
        for line in access.lines(report) if report is not None else ():
            print(line)
    raise typer.Exit(0 if ok and (report is None or report.ok) else 1)


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
    from watcher.cli.replaying import Looked
    from watcher.replay import Player, as_json, as_text
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
    player, looked = Player(core), Looked()
    report = ReadReport()
    inputs = looked.through(read(files, complete=complete, report=report))
    for notification in player.play(inputs, parsed_duration(until)):
        print(show(notification))
        count += 1
    for warning in report.warnings:
        print(f"watcher: {warning}", file=sys.stderr)
    for what, times in sorted(report.skipped.items()):
        print(f"watcher: left out {times} × {what}", file=sys.stderr)
    if format is Format.text:
        print(f"{count} notification{'' if count == 1 else 's'}; {looked.sentence(player.view)}")
