"""Apprise: what it is given, and what is made of its yes and no."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tests.support.messages import crash_loop, ended, envelope, many, oom_kill
from tests.support.receivers import AppriseReceiver
from watcher.deliver.apprise import AppriseSender, payload
from watcher.model.config import AppriseConfig, Secret
from watcher.model.delivery import Delivered, GiveUp
from watcher.model.state import EndReason
from watcher.notify.render import render


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


class Kept(logging.Handler):
    """What reaches the root logger, where a service's own handler is; caplog listens to Apprise's logger itself."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage() + "\n"


@pytest.fixture
def logged() -> Iterator[Kept]:
    root, handler = logging.getLogger(), Kept()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def test_apprise_is_not_loaded_until_it_is_needed() -> None:
    check = "import sys, watcher.deliver.factory; sys.exit('apprise' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize("url", ["nosuchservice://t0ken", "t0ken", "json://"])
async def test_an_address_of_no_service_is_given_up_without_repeating_it(
    url: str, executor: Executor, logged: Kept
) -> None:
    outcome = await AppriseSender(AppriseConfig(url=Secret(url)), executor).send(render(envelope(), [oom_kill()]))
    assert isinstance(outcome, GiveUp)
    assert "t0ken" not in outcome.reason
    assert "t0ken" not in logged.text


async def test_the_state_is_told_in_apprises_words(executor: Executor) -> None:
    server = AppriseReceiver()
    await server.start()
    sender = AppriseSender(AppriseConfig(url=Secret(f"json://127.0.0.1:{server.port}")), executor)
    for alerts in ([oom_kill()], [ended(crash_loop(), EndReason.RECOVERED)], [ended(crash_loop(), EndReason.MOVED)]):
        assert isinstance(await sender.send(render(envelope(), alerts)), Delivered)
    await server.stop()
    assert [received.body["type"] for received in server.received] == ["warning", "success", "info"]
    assert server.received[0].body["title"] == "🟠 api is OOM-killed — shop, prod-eu"


@pytest.mark.parametrize("title_limit", [0, 60])
def test_the_text_is_cut_to_what_the_service_takes(title_limit: int) -> None:
    service = SimpleNamespace(body_maxlen=300, title_maxlen=title_limit, overflow_amalgamate_title=False)
    title, text = payload(render(envelope(), many(20)), service)
    assert text.endswith("more characters)")
    if title_limit:
        assert len(title) <= title_limit
        assert len(text) <= 300
    else:
        assert len(title) + len(text) <= 300
