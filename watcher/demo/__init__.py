"""An emulated cluster: a real HTTP server that speaks list and watch, and scenarios that are played on it.

This package must not know anything of detection, rules or delivery: it says what a cluster says, with its faults,
and nothing of what Watcher makes of it. It must not be imported by any room below it. Raw Kubernetes objects are
plain dicts here (`JsonObject`), because this is the edge where they are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watcher.demo.faults import Faults as Faults
    from watcher.demo.model import Cluster as Cluster
    from watcher.demo.runner import DemoCluster as DemoCluster
    from watcher.demo.runner import DemoOptions as DemoOptions
    from watcher.demo.scenario import Scenario as Scenario
    from watcher.demo.scenario import ScenarioError as ScenarioError
    from watcher.demo.scenario import load_scenario as load_scenario

_HOMES = {
    "Cluster": "watcher.demo.model",
    "DemoCluster": "watcher.demo.runner",
    "DemoOptions": "watcher.demo.runner",
    "Faults": "watcher.demo.faults",
    "Scenario": "watcher.demo.scenario",
    "ScenarioError": "watcher.demo.scenario",
    "load_scenario": "watcher.demo.scenario",
}


def __getattr__(name: str) -> object:
    """Import on first use: the pod builder is used without the server, and the server costs aiohttp."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
