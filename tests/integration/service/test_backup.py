"""A copy of the database, taken while the service writes, is one that another service starts from."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.support.serving import served

CONFIG = "receivers: [{name: nobody}]\nroute: {receiver: nobody, group_by: [alertname]}\n"
SQLITE3 = shutil.which("sqlite3")


def by_vacuum(database: Path, copy: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("VACUUM INTO ?", [str(copy)])
    connection.close()


def by_command(database: Path, copy: Path) -> None:
    assert SQLITE3 is not None
    subprocess.run([SQLITE3, str(database), f'.backup "{copy}"'], check=True)


async def fired(url: str) -> set[str]:
    async with ClientSession() as http, http.get(f"{url}/api/v2/alerts") as answer:
        return {alert["labels"]["alertname"] for alert in await answer.json()}


async def post(url: str, name: str) -> None:
    async with (
        ClientSession() as http,
        http.post(
            f"{url}/api/v2/alerts", json=[{"labels": {"alertname": name}, "endsAt": "2099-01-01T00:00:00Z"}]
        ) as answer,
    ):
        assert answer.status == 200


@pytest.mark.parametrize(
    "take",
    [
        pytest.param(by_vacuum, id="VACUUM INTO"),
        pytest.param(by_command, id=".backup", marks=pytest.mark.skipif(SQLITE3 is None, reason="there is no sqlite3")),
    ],
)
async def test_a_backup_holds_all_that_was_answered_before_it(
    tmp_path: Path, take: Callable[[Path, Path], None]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with served(first, CONFIG) as url:
        await asyncio.gather(*(post(url, f"before-{number}") for number in range(20)))
        busy = [asyncio.create_task(post(url, f"meanwhile-{number}")) for number in range(20)]
        await asyncio.to_thread(take, first / "watcher.db", second / "watcher.db")
        await asyncio.gather(*busy)
        await post(url, "after")
    async with served(second, CONFIG) as url:
        there = await fired(url)
    assert {f"before-{number}" for number in range(20)} <= there
    assert "after" not in there
