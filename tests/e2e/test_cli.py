"""The commands as a user meets them: exit codes, and errors that say where and what to do."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """\
clutser: prod
first_start: sumary
cluster: a
cluster: b
route: {receiver: missing, routes: [{receiver: team, matchers: ['a=~"["']}]}
receivers:
  - name: team
    webhook_configs: [{url_file: nowhere.txt}]
  - name: folder
    webhook_configs: [{url_file: .}]
rules: [broken.yaml, unquoted.yaml, big.yaml]
"""

BROKEN = """\
groups:
  - name: g
    rules:
      - alert: Misspelt
        signal: CrashLooping
        where: deaths_10mm >= 3
      - alert: Regex
        signal: CrashLooping
        where: pod.matches("[")
      - alert: Template
        signal: CrashLooping
        annotations: {summary: "{{ worklod }}"}
"""

UNQUOTED = """\
groups:
  - name: h
    rules:
      - alert: Unquoted
        signal: CrashLooping
        where: !ready
"""


def watcher(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "watcher", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**environment, "HOME": "/nonexistent"},
        check=False,
    )


def test_check_names_every_error_of_every_file_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "unquoted.yaml").write_text(UNQUOTED)
    (tmp_path / "big.yaml").write_text("#" * 10_000_000)
    result = watcher("check", "--config", "config.yaml", cwd=tmp_path)
    lines = result.stderr.splitlines()
    assert result.returncode == 1
    assert all(re.match(r"[\w./]+:\d+:\d+: \S", line) for line in lines), lines
    for place, word in [
        ("config.yaml:1:1", "clutser"),
        ("config.yaml:2:14", "summary"),
        ("config.yaml:4:1", "cluster"),
        ("config.yaml:5:19", "missing"),
        ("config.yaml:5:", "["),
        ("config.yaml:8:", "nowhere.txt"),
        ("config.yaml:10:", "directory"),
        ("broken.yaml:6:16", "deaths_10m"),
        ("broken.yaml:9:28", "regex"),
        ("broken.yaml:12:", "worklod"),
        ("unquoted.yaml:6:16", "quotes"),
        ("big.yaml:1:1", "5"),
    ]:
        assert any(place in line and word in line for line in lines), (place, word, lines)


def test_check_in_json_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("clutser: prod\n")
    result = watcher("check", "--config", str(tmp_path / "config.yaml"), "--format", "json")
    answer = json.loads(result.stdout)
    assert (result.returncode, answer["ok"]) == (1, False)
    assert "clutser" in answer["problems"][0]["message"]


def test_a_missing_configuration_is_one_sentence(tmp_path: Path) -> None:
    result = watcher("run", "--config", str(tmp_path / "none.yaml"))
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "none.yaml" in result.stderr


def test_no_cluster_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("receivers: [{name: default, console_configs: [{}]}]\n")
    result = watcher(
        "run", "--config", str(tmp_path / "config.yaml"), "--data", str(tmp_path), "--listen", "127.0.0.1:0"
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("watcher: ")
    assert "KUBECONFIG" in result.stderr


def test_wrong_use_is_exit_code_2() -> None:
    assert watcher("replay").returncode == 2
    assert watcher("nonsense").returncode == 2


def words(text: str) -> str:
    """Of an error in a frame."""
    return " ".join(text.replace("│", "").split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["run", "--listen", "9093"], "'--listen': must be HOST:PORT", id="a port alone"),
        pytest.param(["run", "--listen", "9093"], "did you mean :9093?", id="a port alone, and what is right"),
        pytest.param(["demo", "--listen", "localhost"], "'--listen': must be HOST:PORT", id="a host alone"),
        pytest.param(["demo", "--speed", "0"], "'--speed': must be above 0", id="a demo that stands still"),
        pytest.param(["demo", "--speed", "nan"], "'--speed': must be above 0", id="a demo of no speed"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_right(arguments: list[str], said: str) -> None:
    result = watcher(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in words(result.stderr)


@pytest.mark.parametrize(
    "arguments",
    [["import", "kwatch"], ["import", "alertmanager"], ["test"], ["replay"]],
    ids=["kwatch", "alertmanager", "test", "replay"],
)
def test_a_file_that_is_not_there_is_said_in_a_sentence(tmp_path: Path, arguments: list[str]) -> None:
    result = watcher(*arguments, "gone.yaml", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "gone.yaml" in line
    assert "Errno" not in line


def test_a_second_demo_leaves_the_files_of_the_first_alone(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("of the first")
    with (tmp_path / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = watcher("demo", "--data", str(tmp_path), "--listen", "127.0.0.1:0", "--seconds", "1")
    assert (result.returncode, result.stdout) == (1, "")
    assert (
        result.stderr == f"watcher: another demo uses {tmp_path}: end it first, or name another directory with --data\n"
    )
    assert (tmp_path / "kubeconfig").read_text() == "of the first"


def test_the_shipped_rules_pass_their_tests() -> None:
    root = Path(__file__).parents[2]
    result = watcher("test", *map(str, sorted((root / "rules" / "tests").glob("*.yaml"))))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith(" passed, 0 failed\n")


def test_a_rule_test_that_fails_says_how(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "groups: [{name: g, rules: [{alert: Never, signal: CrashLooping, where: deaths_10m >= 99}]}]\n"
    )
    (tmp_path / "test.yaml").write_text(
        "rule_files: [rules.yaml]\n"
        "tests:\n"
        "  - name: it fires\n"
        "    observations:\n"
        "      - {at: 0s, pod: {name: a, containers: {app: {terminated: {reason: Error, exitCode: 1}}}}}\n"
        "    expect: [{at: 1m, firing: [Never]}]\n"
    )
    result = watcher("test", str(tmp_path / "test.yaml"))
    assert result.returncode == 1
    assert "FAILED" in result.stdout
    assert "Never does not fire" in result.stdout
