"""`watcher demo`: the whole service against the emulated cluster, messages on the console.

The cluster's time runs faster than ours, and Watcher's clock with it. With `--data` a second run goes on where the
first one stopped, cluster and all, so that it can be seen that a restart sends nothing again.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from watcher.app import RunOptions, run
from watcher.demo.clock import wall_time
from watcher.demo.runner import DemoCluster, DemoOptions
from watcher.engine.clock import FastClock
from watcher.engine.logs import configure
from watcher.settings.load import load
from watcher.settings.records import Settings

CONFIG = """\
cluster: demo
# The emulated kubelets speak no TLS of their own. Three of our seconds are a minute of the demo.
volumes: {source: apiserver, interval: 3s}
receivers:
  - name: console
    console_configs: [{}]
"""
"""Without a route the shipped ones count: pods by workload, claims each, nodes together, and no news of `info`."""


class DemoRun(msgspec.Struct, frozen=True, kw_only=True):
    seconds: float | None = None
    """End after this many of our seconds; None: when told to stop."""
    data: Path | None = None
    listen: str = "127.0.0.1:9093"
    speed: float = 20.0
    scenario: str = "tour"


async def run_demo(options: DemoRun) -> int:
    configure("WARNING")
    with tempfile.TemporaryDirectory(prefix="watcher-demo-") as scratch, contextlib.ExitStack() as alone:
        folder = options.data or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        alone.enter_context(_locked(folder))
        config = folder / "config.yaml"
        config.write_text(CONFIG, encoding="utf-8")
        settings = load(config).with_overrides(data=folder, listen=options.listen)
        async with _cluster(options, folder) as demo:
            kubeconfig = demo.kubeconfig(folder / "kubeconfig")
            _greet(options, settings, kubeconfig)
            clock = FastClock(demo.timeline.now(), options.speed)
            stop = asyncio.Event()
            if options.seconds is not None:
                asyncio.get_running_loop().call_later(options.seconds, stop.set)
            return await run(settings, RunOptions(kubeconfig=str(kubeconfig), clock=clock, stop=stop))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Before anything is written there: what a demo that runs there has written is its own."""
    with (folder / "demo.lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"another demo uses {folder}: end it first, or name another directory with --data"
            ) from None
        yield


def _greet(options: DemoRun, settings: Settings, kubeconfig: Path) -> None:
    ends = "Ctrl-C ends it" if options.seconds is None else f"it ends after {options.seconds:g} s"
    print(
        f"An emulated cluster, its time {options.speed:g} times faster than yours; {ends}.\n"
        f"Watcher's own pages: http://{settings.http.host}:{settings.http.port}/-/ready and /metrics\n"
        f"Look at the cluster: kubectl --kubeconfig {kubeconfig} get pods -A -w\n",
        flush=True,
    )


@contextlib.asynccontextmanager
async def _cluster(options: DemoRun, folder: Path) -> AsyncIterator[DemoCluster]:
    """The cluster as it was left in `folder`, or a new one; where its time stands is written down every second."""
    state = folder / "demo.json"
    began, stopped = _times(state)
    async with DemoCluster(DemoOptions(speed=options.speed, start=began)) as demo:
        await demo.play(options.scenario)
        if stopped > began:
            demo.timeline.advance_to(stopped)
        saving = asyncio.create_task(_save(demo, began, state), name="demo state")
        try:
            yield demo
        finally:
            saving.cancel()
            _write(demo, began, state)


def _times(state: Path) -> tuple[datetime, datetime]:
    """When the cluster's scenario began, and how far it had come."""
    try:
        stored = json.loads(state.read_text(encoding="utf-8"))
        return datetime.fromisoformat(stored["began"]), datetime.fromisoformat(stored["stopped"])
    except (OSError, ValueError, KeyError, TypeError):
        now = wall_time()
        return now, now


async def _save(demo: DemoCluster, began: datetime, state: Path) -> None:
    while True:
        _write(demo, began, state)
        await asyncio.sleep(1)


def _write(demo: DemoCluster, began: datetime, state: Path) -> None:
    text = json.dumps({"began": began.isoformat(), "stopped": (demo.timeline.now() + timedelta()).isoformat()})
    draft = state.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(state)
