"""`watcher deliveries` and `watcher send-test` as a user meets them, against a running service."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.receivers import Answering, HttpReceiver
from tests.support.serving import free_port, served

CONFIG = """\
cluster: demo
volumes: {{source: none}}
route: {{receiver: team}}
receivers:
  - name: team
    webhook_configs: [{{url: "{good}"}}, {{url: "{bad}"}}]
"""


class Ran(NamedTuple):
    code: int | None
    out: str
    err: str


async def watcher(*arguments: str, **environment: str) -> Ran:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATCHER_")}
    # A proxy that is not there: a token must not go to one.
    inherited["http_proxy"] = "http://127.0.0.1:9"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "watcher", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**inherited, **environment},
    )  # fmt: skip
    out, err = await process.communicate()
    return Ran(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def good() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def bad() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    started.answering = Answering(status=401)
    await started.start()
    yield started
    await started.stop()


async def test_a_receiver_that_refuses_is_found_repaired_and_given_its_message(
    tmp_path: Path, good: HttpReceiver, bad: HttpReceiver
) -> None:
    (tmp_path / "token").write_text("t0ken-of-the-desk")
    (tmp_path / "wrong").write_text("another")
    text = CONFIG.format(good=good.url, bad=bad.url) + "http: {token_file: token}\n"
    async with served(tmp_path, text) as url:
        service = {"WATCHER_URL": url, "WATCHER_TOKEN_FILE": str(tmp_path / "token")}
        assert (await watcher("deliveries", "--url", url)).out == "no deliveries\n"

        tested = await watcher("send-test", "team", **service)
        assert (tested.code, tested.err) == (1, "")
        first, second = tested.out.splitlines()
        assert first == "team/webhook_configs[0]: delivered"
        assert second.startswith("team/webhook_configs[1]: FAILED: HTTP 401")

        (dead,) = json.loads((await watcher("deliveries", "--dead", "--format", "json", **service)).out)
        listed = await watcher("deliveries", "--dead", **service)
        head, row, reason, advice = listed.out.splitlines()
        assert head.split() == ["ID", "DECIDED", "STATE", "TO", "TRIES", "TITLE"]
        assert row.startswith(dead["id"])
        assert "dead   team/webhook_configs[1]  1      🔵 Test message from Watcher — demo" in row
        assert reason.startswith("    HTTP 401")
        assert advice.endswith("watcher deliveries resend ID")

        for token, said in (((), "a token is needed"), (("--token-file", str(tmp_path / "wrong")), "is not the one")):
            refused = await watcher("deliveries", "resend", dead["id"], "--url", url, *token)
            assert (refused.code, refused.out) == (1, "")
            assert said in refused.err
            assert len(refused.err.splitlines()) == 1

        bad.answering = None
        again = await watcher("deliveries", "resend", dead["id"], **service)
        assert again == Ran(0, f"{dead['id']} waits again for team/webhook_configs[1]\n", "")
        tested = await watcher("send-test", "team", "--format", "json", **service)
        assert tested.code == 0
        assert [each["outcome"] for each in json.loads(tested.out)["integrations"]] == ["delivered", "delivered"]
        everything = json.loads((await watcher("deliveries", "--format", "json", **service)).out)
        assert [each["state"] for each in everything] == ["delivered"] * 4
        assert (await watcher("deliveries", "--dead", **service)).out == "no dead letters\n"

        refused = await watcher("deliveries", "resend", dead["id"], **service)
        assert refused == Ran(1, "", f"watcher: {url}: only a dead letter can be sent again: it was delivered\n")
        unknown = await watcher("send-test", "tam", **service)
        assert unknown.code == 1
        assert "no receiver of this name; it has team" in unknown.err


async def test_what_is_wrong_is_one_sentence_that_says_what_to_do(tmp_path: Path, bad: HttpReceiver) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    away = await watcher("deliveries", "--url", nobody)
    assert (away.code, away.out) == (1, "")
    assert away.err == (
        f"watcher: no Watcher answers at {nobody} (Connection refused): start one with `watcher run`, "
        "or name it with --url\n"
    )
    stranger = await watcher("send-test", "team", "--url", f"http://127.0.0.1:{bad.port}")
    assert stranger.code == 1
    assert "is no Watcher; name one with --url" in stranger.err
    missing = await watcher("deliveries", "--token-file", str(tmp_path / "none"))
    assert missing.code == 1
    assert "none cannot be read: No such file or directory" in missing.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("send-test",), id="no receiver"),
        pytest.param(("deliveries", "resend"), id="no id"),
        pytest.param(("deliveries", "--limit", "0"), id="limit"),
        pytest.param(("deliveries", "--url", "ftp://x"), id="another scheme"),
        pytest.param(("deliveries", "--url", "http://x:port"), id="port"),
        pytest.param(("send-test", "team", "--url", "http://me:pass@x"), id="password in the URL"),
    ],
)
async def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert (await watcher(*arguments)).code == 2
