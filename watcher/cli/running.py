"""The commands that run loops until they are stopped: run, record, demo."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from watcher.cli.options import DEFAULT_CONFIG, ConfigOption, ListenOption, finish
from watcher.settings import environment
from watcher.settings.live import LiveConfig
from watcher.settings.load import load

FASTEST = 1000.0
"""A day in less than a minute and a half; beyond that no machine keeps up."""

log = logging.getLogger("watcher.settings")


def run(
    config: ConfigOption = None,
    data: Annotated[Path | None, typer.Option(help="Keep the database in this directory.")] = None,
    listen: ListenOption = "",
    no_watch: Annotated[bool, typer.Option("--no-watch", help="Serve without a cluster.")] = False,
) -> None:
    """Run the service until it is told to stop."""
    # Imports take a second, and the first process of a container hears of no SIGTERM that it has no handler for.
    signal.signal(signal.SIGTERM, _stopped)
    from watcher.app import RunOptions
    from watcher.app import run as serve
    from watcher.engine.logs import configure

    live = LiveConfig(config or DEFAULT_CONFIG, data=data, listen=listen)
    settings = live.load()
    configure(environment.log_level())
    for warning in settings.warnings:
        log.warning(
            "the configuration may not do what was meant", extra={"event": "config.warning", "problem": warning}
        )
    options = RunOptions(kubeconfig=environment.kubeconfig(), watch=not no_watch, config=live)
    finish(lambda: serve(settings, options))


def _stopped(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def record(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; .gz is compressed.")],
    config: ConfigOption = None,
) -> None:
    """Record what the cluster says until stopped."""
    from watcher.app.record import record_cluster
    from watcher.engine.logs import configure

    settings = load(config)
    configure(environment.log_level())
    finish(lambda: record_cluster(settings, output, environment.kubeconfig()))


def _speed(speed: float) -> float:
    if not 0 < speed <= FASTEST:
        raise typer.BadParameter(f"must be above 0 and at most {FASTEST:g}: 1 is as fast as ours, 20 is usual")
    return speed


def demo(
    seconds: Annotated[float | None, typer.Option(help="End after this many seconds (also DEMO_SECONDS).")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep the database here, to see that a restart sends nothing.")
    ] = None,
    listen: ListenOption = "127.0.0.1:9093",
    speed: Annotated[
        float, typer.Option(callback=_speed, help="How much faster than ours the cluster's time runs.")
    ] = 20.0,
) -> None:
    """The whole service against an emulated cluster, on this machine."""
    from watcher.demo.command import DemoRun, run_demo

    options = DemoRun(seconds=seconds or environment.demo_seconds(), data=data, listen=listen, speed=speed)
    finish(lambda: run_demo(options))
