"""The commands that run loops until they are stopped: run, record, demo."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.options import DEFAULT_CONFIG, ConfigOption, finish
from watcher.settings import environment
from watcher.settings.live import LiveConfig
from watcher.settings.load import load

log = logging.getLogger("watcher.settings")


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

    live = LiveConfig(config or DEFAULT_CONFIG, data=data, listen=listen)
    settings = live.load()
    configure(environment.log_level())
    for warning in settings.warnings:
        log.warning(
            "the configuration may not do what was meant", extra={"event": "config.warning", "problem": warning}
        )
    options = RunOptions(kubeconfig=environment.kubeconfig(), watch=not no_watch, config=live)
    finish(lambda: serve(settings, options))


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
    finish(lambda: run_demo(options))
