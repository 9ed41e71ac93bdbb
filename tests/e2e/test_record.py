"""`watcher record` writes down every kind that is watched, and the file replays."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from watcher.demo import DemoCluster
from watcher.demo.pods import Container, make, waiting

COMPLETE = {
    ("Pod", "SYNCED"),
    ("PersistentVolumeClaim", "SYNCED"),
    ("Node", "SYNCED"),
    ("Namespace", "SYNCED"),
    ("Event", "SYNCED"),
    ("StatsSummary", "SAMPLED"),
}
CONFIG = "cluster: demo\nvolumes: {source: apiserver, interval: 1s}\n"


def lines(recording: Path) -> list[dict[str, object]]:
    """Those that are complete."""
    if not recording.exists():
        return []
    return [json.loads(line) for line in recording.read_text().splitlines(keepends=True) if line.endswith("\n")]


async def program(*arguments: str | Path, kubeconfig: Path | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "watcher", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "KUBECONFIG": str(kubeconfig or "")},
    )  # fmt: skip


async def test_a_recording_holds_every_kind_and_replays(tmp_path: Path) -> None:
    recording = tmp_path / "recording.jsonl"
    (tmp_path / "config.yaml").write_text(CONFIG)
    async with DemoCluster() as demo:
        await demo.play("healthy")
        cannot = Container(state=waiting("ErrImagePull", 'rpc error: code = NotFound desc = "x:1": not found'))
        demo.cluster.put(make("shop", "broken", containers=[cannot]))
        recorder = await program(
            "record", "-o", recording, "--config", tmp_path / "config.yaml",
            kubeconfig=demo.kubeconfig(tmp_path / "kubeconfig"),
        )  # fmt: skip
        async with asyncio.timeout(30):
            while not {(line.get("kind"), line.get("event")) for line in lines(recording)} >= COMPLETE:
                assert recorder.returncode is None, await recorder.communicate()
                await asyncio.sleep(0.05)
        recorder.terminate()
        _, said = await recorder.communicate()
    assert recorder.returncode == 0, said
    assert lines(recording)[-1]["event"] == "ENDED"
    assert {line["kind"] for line in lines(recording) if line.get("event") == "LISTED"} >= {"Pod", "Node", "Namespace"}
    replay = await program("replay", recording, "--until", "1m")
    found, said = await replay.communicate()
    assert (replay.returncode, said) == (0, b"")
    assert b"broken cannot start: image tag not found" in found
