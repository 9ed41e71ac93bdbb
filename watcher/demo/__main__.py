"""Serves the emulated cluster alone, for kubectl and for looking at: `python -m watcher.demo --scenario tour`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from watcher.demo.runner import DemoCluster, DemoOptions
from watcher.demo.scenario import ScenarioError, shipped


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted. 0: fine, 1: the scenario cannot be played."""
    options = _parser().parse_args(arguments)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(options))
    except (ScenarioError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m watcher.demo", description=__doc__)
    names = ", ".join(shipped())
    parser.add_argument("--scenario", default="tour", help=f"one of {names}, or a YAML file (default: tour)")
    parser.add_argument("--recording", type=Path, help="play this recording instead of a scenario")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one (the default)")
    parser.add_argument("--speed", type=float, help="cluster seconds in a second (default: what the scenario says)")
    parser.add_argument("--kubeconfig", type=Path, help="where to write the kubeconfig (default: a temporary file)")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    demo_options = DemoOptions(host=options.host, port=options.port, speed=options.speed)
    with tempfile.TemporaryDirectory() as folder:
        async with DemoCluster(demo_options) as demo:
            if options.recording is not None:
                await demo.play_recording(options.recording)
            else:
                await demo.play(options.scenario)
            path = demo.kubeconfig(options.kubeconfig or Path(folder) / "kubeconfig")
            print(f"API server  {demo.url}    kubelet  {demo.kubelet_url}    speed  {demo.speed:g}")
            print(f"try         kubectl --kubeconfig {path} get pods -A -w", flush=True)
            await demo.stopped()


if __name__ == "__main__":
    sys.exit(main())
