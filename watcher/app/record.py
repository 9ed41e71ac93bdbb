"""`watcher record`: the sources write what they see to a file, until stopped. Nothing is judged."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from watcher.app.watching import Watching
from watcher.engine.clock import SystemClock
from watcher.settings.records import Settings
from watcher.source.client import connect
from watcher.source.recording import RecordingIntake, RecordingWriter


async def record_cluster(settings: Settings, output: Path, kubeconfig: str | None) -> int:
    """Until SIGTERM or SIGINT; the exit code. ConnectError, OSError at the start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    clock = SystemClock()
    client = await connect(clock, kubeconfig)
    intake = RecordingIntake(RecordingWriter(output, cluster=settings.cluster), clock)
    watching = Watching(client, settings, intake, clock)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop, name=name) for name, loop in watching.loops()]
            await stop.wait()
            for task in tasks:
                task.cancel()
    finally:
        intake.end()
        await client.close()
    return 0
