"""`watcher silence` as a user meets it, against a running service."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.test_deliveries import watcher
from tests.support.serving import free_port, served
from watcher.engine.clock import FastClock

CONFIG = "volumes: {source: none}\n"
WHO = ("--comment", "the disks are being changed", "--author", "ann")


async def test_a_workload_is_silenced_until_resolved_listed_and_no_longer_silenced(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        service = {"WATCHER_URL": url}
        assert (await watcher("silence", "list", **service)).out == "no silences\n"
        made = await watcher(
            "silence", "add", "--workload", "deployment/api", "-n", "shop", "--until-resolved", *WHO, **service
        )
        assert (made.code, made.err) == (0, "")
        id = made.out.strip()
        (one,) = json.loads((await watcher("silence", "list", "--format", "json", **service)).out)
        assert (one["id"], one["untilResolved"], one["createdBy"]) == (id, True, "ann")
        assert {each["name"]: each["value"] for each in one["matchers"]} == {
            "namespace": "shop",
            "workload_kind": "Deployment",
            "workload": "api",
        }
        head, row, comment = (await watcher("silence", "list", **service)).out.splitlines()
        assert head.split() == ["ID", "STATE", "ENDS", "BY", "MATCHERS"]
        assert row.startswith(f"{id}  active  ")
        assert "or resolved" in row
        assert row.endswith('namespace="shop" workload_kind="Deployment" workload="api"')
        assert comment.strip() == "the disks are being changed"
        assert (await watcher("silence", "expire", id, **service)).out == f"{id} has ended\n"
        assert (await watcher("silence", "list", **service)).out == "no silences\n"
        assert id in (await watcher("silence", "list", "--expired", **service)).out


async def test_matchers_and_a_duration_make_a_silence(tmp_path: Path) -> None:
    async with served(tmp_path, CONFIG) as url:
        made = await watcher(
            "silence", "add", "Down", 'x=~"a|b"', "y!=z", "-n", "shop", "--duration", "2h", *WHO, "--url", url
        )
        assert (made.code, made.err) == (0, "")
        (one,) = json.loads((await watcher("silence", "list", "--format", "json", "--url", url)).out)
    found = [(each["name"], each["value"], each["isRegex"], each["isEqual"]) for each in one["matchers"]]
    assert found == [
        ("alertname", "Down", False, True),
        ("x", "a|b", True, True),
        ("y", "z", False, False),
        ("namespace", "shop", False, True),
    ]
    lasts = datetime.fromisoformat(one["endsAt"]) - datetime.fromisoformat(one["startsAt"])
    assert timedelta(hours=2, minutes=-2) < lasts <= timedelta(hours=2)
    assert "untilResolved" not in one


async def test_a_silence_begins_and_ends_by_the_clock_of_the_service(tmp_path: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(days=2)
    async with served(tmp_path, CONFIG, FastClock(ahead, 20.0)) as url:
        made = await watcher("silence", "add", "Down", "--duration", "2h", *WHO, "--url", url)
        assert (made.code, made.err) == (0, "")
        (one,) = json.loads((await watcher("silence", "list", "--format", "json", "--url", url)).out)
    begins, ends = (datetime.fromisoformat(one[name]) for name in ("startsAt", "endsAt"))
    assert begins > ahead
    assert timedelta(hours=1) < ends - begins <= timedelta(hours=2)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param([*WHO], 2, "give a MATCHER", id="nothing to silence"),
        pytest.param(["a=~[", *WHO], 2, "missing closing ]", id="a wrong regex"),
        pytest.param(["--workload", "api", "-n", "shop", *WHO], 2, "KIND/NAME", id="no kind"),
        pytest.param(["--workload", "deployment/api", *WHO], 2, "namespace", id="no namespace"),
        pytest.param(["a=b", "-d", "1h", "--until-resolved", *WHO], 2, "not both", id="two ends"),
        pytest.param(["a=b", "-d", "soon", *WHO], 2, "soon", id="no duration"),
        pytest.param(["a=b", "--author", "ann"], 2, "comment", id="no comment"),
        pytest.param(["a=b", *WHO], 1, "no Watcher answers", id="nobody there"),
    ],
)
async def test_a_silence_that_cannot_be_says_why(arguments: list[str], code: int, words: str) -> None:
    ran = await watcher("silence", "add", *arguments, "--url", f"http://127.0.0.1:{free_port()}")
    assert (ran.code, ran.out) == (code, "")
    assert words in " ".join(ran.err.replace("│", "").split())


async def test_what_the_service_refuses_and_an_unknown_id_are_one_sentence_each(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    async with served(tmp_path, CONFIG + "http: {token_file: token}\n") as url:
        service = {"WATCHER_URL": url, "WATCHER_TOKEN_FILE": str(tmp_path / "token")}
        refused = await watcher("silence", "add", 'a=""', *WHO, **service)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == (
            f"watcher: {url}: invalid silence: matcher set 0: at least one matcher must not match the empty string\n"
        )
        stranger = await watcher("silence", "add", "a=b", *WHO, "--url", url)
        assert stranger.err == f"watcher: {url}: a token is needed; give the file that holds it with --token-file\n"
        id = (await watcher("silence", "add", "a=b", *WHO, **service)).out.strip()
        unknown = "00000000-0000-0000-0000-000000000000"
        ended = await watcher("silence", "expire", unknown, id, **service)
        assert (ended.code, ended.out) == (1, f"{id} has ended\n")
        assert ended.err == f"watcher: there is no silence {unknown}; `watcher silence list` shows what there is\n"
