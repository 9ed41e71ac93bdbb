from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.store.homes import HOMES, AnyStore, Home


@pytest.fixture(params=list(HOMES))
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Home]:
    home = HOMES[request.param](tmp_path)
    yield home
    await home.leave()


@pytest.fixture
async def store(home: Home) -> AnyStore:
    return await home.open()
