"""`watcher run --no-watch` as a process of its own, which can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.serving import free_port

PATIENCE = 60.0
"""Seconds until it serves, on a machine that is busy."""


class Process:
    """Over one folder and one port: what it stored is there when it is started again."""

    def __init__(self, folder: Path, config: str, *, own_store: bool = False) -> None:
        """`own_store`: the configuration says where."""
        self.folder = folder
        self._own_store = own_store
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "log"
        self.patience = 30.0
        """Seconds that `ask` waits."""
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "config.yaml").write_text(config, encoding="utf-8")

    def start(self) -> None:
        command = [sys.executable, "-m", "watcher", "run", "--no-watch", "--config", str(self.folder / "config.yaml")]
        command += [] if self._own_store else ["--data", str(self.folder)]
        command += ["--listen", self.url.removeprefix("http://")]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATCHER_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=inherited)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self._process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError):
                if self.ask("GET", "/-/ready")[0] == 200:
                    return
            time.sleep(0.05)
        raise TimeoutError(self.log.read_text())

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(30) == 0
            self._process = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if body is not None else {}
        request = urllib.request.Request(self.url + path, data, given | headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=self.patience) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def get(self, path: str, **headers: str) -> Any:
        status, body = self.ask("GET", path, **headers)
        assert status == 200, body
        return json.loads(body)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        status, found = self.ask("POST", path, body, **headers)
        assert status < 300, found
        return json.loads(found) if found else None


@contextlib.contextmanager
def running(folder: Path, config: str, *, own_store: bool = False) -> Iterator[Process]:
    process = Process(folder, config, own_store=own_store)
    try:
        process.start()
        yield process
        process.stop()
    finally:
        process.kill()
