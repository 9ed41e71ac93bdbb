"""Apprise: what it is given, and what is made of its yes and no."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from tests.support.messages import crash_loop, ended, envelope, many, oom_kill
from tests.support.receivers import Answering, AppriseReceiver
from watcher.deliver.apprise import AppriseSender, payload
from watcher.deliver.appriseservice import complaint, make_service
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


@pytest.mark.parametrize(
    ("url", "limit"),
    [
        pytest.param("tgram://123456789:abcdefg_hijklmnop/1", 4096, id="a service that takes HTML and no title"),
        pytest.param("discord://1234567890123456/abcdefghijklmnopqrstuvwxyz", 2000, id="a service of text"),
        pytest.param("workflows://h.example/ABCD/sig", 1000, id="a service that takes markdown"),
    ],
)
def test_the_text_is_cut_to_what_the_service_takes_after_escaping(url: str, limit: int) -> None:
    from apprise.conversion import convert_between

    service = make_service(url)
    assert service is not None
    title, text = payload(render(envelope(), many(40, "<text> & *more* " * 20)), service)
    assert text.endswith("more characters)")
    convert: Callable[..., str] = convert_between
    sent = [convert("text", service.resolve_format("text"), part) for part in (title, text)]
    assert len(sent[1]) + (len(sent[0]) if service.title_maxlen <= 0 else 0) <= limit
    assert len(sent[1]) > limit // 2
    assert len(title) <= (service.title_maxlen or limit)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("nosuch://t0ken", "Apprise knows no service nosuch://", id="an unknown schema"),
        pytest.param("t0ken", "must be one URL of Apprise's", id="no URL"),
        pytest.param(
            "tgram://t0ken", "how Telegram is written: https://appriseit.com/services/telegram/", id="half a URL"
        ),
        pytest.param("json://a/t0ken, json://b/t0ken", "several URLs: write an entry for each", id="two URLs"),
        pytest.param("mqtt://t0ken/x", "MQTT Notification needs paho-mqtt", id="a library that is not there"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_repeating_it(url: str, words: str, logged: Kept) -> None:
    said = complaint(url)
    assert words in said
    assert "t0ken" not in said
    assert "t0ken" not in logged.text


def test_the_url_cannot_turn_retries_pauses_and_redirects_on() -> None:
    service = make_service("json://localhost/?retry=5&redirect=yes&wait=9")
    assert service is not None
    assert (service.retry, service.redirects, service.request_rate_per_sec) == (0, False, 0)


async def test_a_failure_names_the_service_and_not_its_url(executor: Executor) -> None:
    server = AppriseReceiver()
    server.answering = Answering(status=403)
    await server.start()
    sender = AppriseSender(AppriseConfig(url=Secret(f"json://127.0.0.1:{server.port}/t0ken-in-it")), executor)
    outcome = await sender.send(render(envelope(), [oom_kill()]))
    await server.stop()
    assert outcome == GiveUp(reason="JSON: HTTP 403 Forbidden")
