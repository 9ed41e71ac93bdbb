"""The whole service without its store: Postgres is stopped, the disk is full, the file is damaged. Nothing is
acknowledged that is not stored, everybody is told what is wrong and once, and it goes on by itself where that can be.

`python -m benchmarks.outage` is the long form of the first.
"""

from __future__ import annotations

import contextlib
import random
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from benchmarks.outage import SHORT, run
from tests.support.postgres import PostgresServer
from tests.support.process import Process
from tests.support.serving import free_port

CONFIG = """\
route: {receiver: none}
receivers: [{name: none}]
"""
MIB = 1024 * 1024


@pytest.mark.postgres
@pytest.mark.parametrize("replicas", [1, 2])
async def test_what_was_acknowledged_outlives_an_outage_of_postgres_and_is_told_once(
    postgres: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], replicas: int
) -> None:
    outcome = await run(msgspec.structs.replace(SHORT, replicas=replicas), postgres, tmp_path)
    with capsys.disabled():
        print(f"\n{outcome}")
    assert outcome.good, outcome


# ---- SQLite ----


class Alone(Process):
    """One service on a file of its own, with a log that is no file on the same disk."""

    def __init__(self, folder: Path, data: Path) -> None:
        super().__init__(folder, CONFIG + f"store: {{url: 'sqlite:///{data}/watcher.db'}}\n", own_store=True)
        self.database = data / "watcher.db"

    def acknowledges(self, name: str) -> bool:
        """One alert of 10 KB. A post waits for half a minute to be stored, and this client does not."""
        labels = {"alertname": name, "filling": "x" * 10_000}
        try:
            status, _ = self.ask("POST", "/api/v2/alerts", [{"labels": labels}])
        except TimeoutError:
            return False
        assert status in (200, 503)
        return status == 200

    @property
    def alerts(self) -> set[str]:
        return {one["labels"]["alertname"] for one in self.get("/api/v2/alerts")}

    def ready(self) -> tuple[int, list[str]]:
        status, body = self.ask("GET", "/-/ready")
        return status, msgspec.json.decode(body)["waiting"]

    def until_ready(self) -> None:
        end = time.monotonic() + 60
        while self.ready()[0] != 200:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def troubles(self) -> list[str]:
        lines = [msgspec.json.decode(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line.get("error.message", line["message"]) for line in lines if line["log.level"] != "info"]


@contextlib.contextmanager
def alone(folder: Path, data: Path) -> Iterator[Alone]:
    service = Alone(folder, data)
    try:
        service.start()
        yield service
        service.stop()
    finally:
        service.kill()


def filled(service: Alone) -> list[str]:
    """Post until it is not ready any more: what it has acknowledged."""
    done: list[str] = []
    for number in range(400):
        if service.acknowledges(f"p{number}"):
            done.append(f"p{number}")
        elif service.ready()[0] == 503:
            return done
    raise AssertionError("there was room for everything")


def goes_on(service: Alone, done: list[str], make_room: Callable[[], None]) -> None:
    """It is full now: nothing is acknowledged until there is room, and then it goes on by itself.

    What was acknowledged last may be stored and not be judged yet: that takes more room.
    """
    assert service.ready() == (503, ["the store does not answer"])
    assert not service.acknowledges("while-full")
    assert service.alerts <= {*done, "while-full"}
    make_room()
    service.until_ready()
    service.patience = 30
    assert {*done} <= service.alerts
    assert service.acknowledges("afterwards")
    service.kill()
    service.start()
    assert {*done, "afterwards"} <= service.alerts
    said = [one for one in service.troubles() if "watcher.db" in one]
    assert all("full" in one for one in said)
    assert 1 <= len(said) <= 2, "the writer says so, and who takes posts if that notices it first"


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process are changed as only Linux can")
def test_where_files_may_not_grow_nothing_is_acknowledged_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with alone(tmp_path, tmp_path) as service:
        service.patience = 1
        _, hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
        largest = max(path.stat().st_size for path in tmp_path.glob("watcher.db*"))
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (largest + MIB // 2, hard))

        def make_room() -> None:
            resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (hard, hard))

        goes_on(service, filled(service), make_room)


ADVICE = "Stop Watcher, move the file away together with its -wal and -shm, and start with a backup of it, or with none"


def damage(database: Path) -> None:
    with database.open("r+b") as file:
        file.write(random.Random(1).randbytes(database.stat().st_size))


def refused(service: Alone) -> str:
    """What it says when it does not start."""
    command = [sys.executable, "-m", "watcher", "run", "--no-watch", "--config", str(service.folder / "config.yaml")]
    command += ["--listen", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return done.stderr


def test_a_file_that_is_damaged_while_it_runs_acknowledges_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    with alone(tmp_path, tmp_path) as service:
        assert service.acknowledges("before")
        with contextlib.closing(sqlite3.connect(service.database)) as beside:
            beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage(service.database)
        service.patience = 1
        for number in range(3):
            assert not service.acknowledges(f"while-damaged-{number}")
        assert service.ready() == (503, ["the store does not answer"])
        assert service.ask("GET", "/-/healthy")[0] == 200
        troubles = [one for one in service.troubles() if "watcher.db" in one]
        assert any(ADVICE in one for one in troubles), service.log.read_text()
        assert len(troubles) <= 5, troubles
    said = refused(service)
    assert said.startswith("watcher: ")
    assert len(said.splitlines()) == 1
    assert f"the file {service.database} is damaged" in said
    assert ADVICE in said
    for path in [*tmp_path.glob("watcher.db*")]:
        path.rename(path.with_name(f"damaged-{path.name}"))
    service.patience = 30
    service.start()
    assert service.alerts == set()
    assert service.acknowledges("anew")
    service.stop()
