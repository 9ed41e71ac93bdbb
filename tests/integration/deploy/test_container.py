"""The image without a container engine: the Containerfile's steps in an empty folder, and what they make as it is run
in a cluster, by a user without rights on a tree that nobody may write to.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containerfile import Build, instructions
from tests.support.deployed import SECRETS
from tests.support.manifests import DEPLOY, ROOT
from tests.support.serving import free_port

CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
IS_ROOT = os.geteuid() == 0
NOBODY = 65532
NOBODY_IF_ROOT = NOBODY if IS_ROOT else None
NO_GROUPS: list[int] | None = [] if IS_ROOT else None


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


# ---- the file ----


def test_every_base_is_pinned_by_digest() -> None:
    bases = [step.rest.split()[0] for step in instructions(CONTAINERFILE) if step.word == "FROM"]
    defaults = dict(step.rest.split("=", 1) for step in instructions(CONTAINERFILE) if step.word == "ARG")
    assert set(bases) == {"${PYTHON_IMAGE}"}
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", defaults["PYTHON_IMAGE"])


def test_the_user_of_the_image_is_the_user_of_the_deployment() -> None:
    (user,) = (step.rest for step in instructions(CONTAINERFILE) if step.word == "USER")
    deployment = (DEPLOY / "base" / "deployment.yaml").read_text(encoding="utf-8")
    assert user == f"{NOBODY}:{NOBODY}"
    assert {f"{key}: {NOBODY}" for key in ("runAsUser", "runAsGroup", "fsGroup")} <= set(
        map(str.strip, deployment.splitlines())
    )


# ---- the steps ----


def interpreter() -> str:
    """A Python that a user without rights may start: one in a home directory cannot be reached by others."""
    wanted = (f"{sys.base_prefix}/bin/python3", "/usr/local/bin/python3", "/usr/bin/python3")
    for candidate in wanted if IS_ROOT else wanted[:1]:
        with contextlib.suppress(OSError):
            if _starts(candidate):
                return candidate
    pytest.skip("there is no Python 3.11 that others than root may start")


def _starts(python: str) -> bool:
    done = subprocess.run(
        [python, "-c", "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"],
        cwd="/",
        user=NOBODY_IF_ROOT,
        group=NOBODY_IF_ROOT,
        extra_groups=NO_GROUPS,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def index_answers(python: str, into: Path) -> bool:
    """Can packages be fetched? A small one of the lock shows it."""
    package = f"tzdata=={pins(ROOT / 'requirements.lock')['tzdata']}"
    command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "0", "--dest", str(into), package]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def work() -> Iterator[Path]:
    """Not below pytest's own folder, which only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="watcher-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in (folder, *folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)


@pytest.fixture(scope="module")
def image(work: Path) -> Build:
    python = interpreter()
    if not index_answers(sys.executable, work / "download"):
        pytest.skip("no package index is in reach")
    (work / "bin").mkdir()
    (work / "bin" / "python").symlink_to(python)
    args = {"SOURCE": "src", "HOME_OF_WATCHER": "opt/watcher", "DATA": "var/lib/watcher"}
    build = Build(
        ROOT, work, {name: str(work / "root" / path) for name, path in args.items()}, f"{work}/bin:/usr/bin:/bin"
    )
    build.run(CONTAINERFILE)
    data = work / "root" / "var" / "lib" / "watcher"
    for path in (build.root, *build.root.rglob("*")):
        if path != data and not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    return build


def start(image: Build, *command: str, temporary: Path) -> subprocess.Popen[str]:
    """As the image's user, in its environment, from `/`."""
    assert image.user == f"{NOBODY}:{NOBODY}"
    program = shutil.which(command[0], path=image.env["PATH"])
    assert program is not None
    return subprocess.Popen(
        [program, *command[1:]],
        cwd="/",
        env=image.env | {"TMPDIR": str(temporary), "HOME": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=NOBODY_IF_ROOT,
        group=NOBODY_IF_ROOT,
        extra_groups=NO_GROUPS,
    )


def output(image: Build, *command: str, temporary: Path) -> str:
    process = start(image, *command, temporary=temporary)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    return text


@pytest.fixture
def temporary(work: Path) -> Path:
    """The emptyDir at /tmp."""
    folder = work / "tmp"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def config(work: Path) -> Path:
    """The ConfigMap and the Secret of deploy/base, readable by all and writable by nobody."""
    folder = work / "etc"
    shutil.copytree(DEPLOY / "base", folder, dirs_exist_ok=True)
    (folder / "secrets").mkdir(exist_ok=True)
    for name, text in SECRETS.items():
        (folder / "secrets" / name).write_text(text, encoding="utf-8")
    return folder / "config.yaml"


def tree(root: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in root.rglob("*")}


def answer(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.slow
def test_the_image_starts_as_a_user_without_rights_on_a_read_only_tree(
    image: Build, work: Path, config: Path, temporary: Path
) -> None:
    program, before = image.root / "opt", tree(image.root / "opt")
    address = f"127.0.0.1:{free_port()}"
    data = str(image.root / "var" / "lib" / "watcher")
    options = ("--no-watch", "--config", str(config), "--data", data, "--listen", address)
    process = start(image, *image.command, *options, temporary=temporary)
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and answer(f"http://{address}/-/ready") != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert process.poll() is None, process.stdout and process.stdout.read()
        if IS_ROOT:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            assert re.search(rf"^Uid:\s+{NOBODY}\s+{NOBODY}\s", status, re.MULTILINE)
        assert answer(f"http://{address}/metrics") == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
    assert tree(program) == before
    assert (Path(data) / "watcher.db").is_file()


@pytest.mark.slow
def test_the_image_can_speak_to_postgres_and_has_what_it_ships_with_and_no_tools(
    image: Build, config: Path, temporary: Path
) -> None:
    assert "fine" in output(image, "watcher", "check", "--config", str(config), temporary=temporary)
    code = (
        "import asyncpg, importlib.util as u;"
        "from watcher.settings.shipped import directory as d; print(d('rules'), d('alembic'));"
        "print(*(n for n in ('pip', 'setuptools', 'hatchling', 'pytest') if u.find_spec(n)))"
    )
    shipped, tools = output(image, "python", "-c", code, temporary=temporary).splitlines()
    assert all(Path(place).is_relative_to(image.root) for place in shipped.split())
    assert tools == ""


@pytest.mark.slow
def test_the_image_has_nothing_of_the_stage_that_built_it(image: Build) -> None:
    assert image.user == f"{NOBODY}:{NOBODY}"
    assert image.command == ["watcher", "run"]
    assert {path.name for path in image.root.iterdir()} == {"opt", "var"}
