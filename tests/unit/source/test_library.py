"""kubernetes_asyncio is imported without its models, and leaves no trace."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = """
import sys
from watcher.source.library import library
parts = library()
assert parts.api_client and parts.configuration and parts.load_kubeconfig and parts.load_service_account
assert issubclass(parts.config_error, Exception)
left = [name for name in sys.modules if name.startswith("kubernetes_asyncio")]
assert left == [], left
seen = parts.api_client.__init__.__globals__["kubernetes_asyncio"]
assert not hasattr(seen.client.models, "V1Pod")
import kubernetes_asyncio.client
assert kubernetes_asyncio.client.V1Pod and kubernetes_asyncio.client.ApiClient is not parts.api_client
"""

AFTER = """
import kubernetes_asyncio.client
from watcher.source.library import library
assert library().api_client is kubernetes_asyncio.client.ApiClient
"""

OTHER_LAYOUT = """
import importlib, sys
from watcher.source import library as room
def fails():
    raise AttributeError("no such part")
room._put_empty_modules = fails
parts = room.library()
import kubernetes_asyncio.client
assert parts.api_client is kubernetes_asyncio.client.ApiClient
"""

PROGRAMS = {
    "alone, and then as a whole": LIGHT,
    "after somebody imported it as a whole": AFTER,
    "with another layout": OTHER_LAYOUT,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_the_library_works(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
