"""The wheel, as a user installs it: outside the checkout, without the checkout on any path.

A new virtual environment gets nothing but the wheel. It sees the libraries of the running environment through
a .pth file: Python appends the directory to the path, behind the wheel's own, and does not process the .pth
files in it, so that the checkout's editable install stays out. Source:
https://docs.python.org/3/library/site.html
"""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def _run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout with the hatchling of the running environment."""
    into = tmp_path_factory.mktemp("dist")
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", into)
    _run(sys.executable, "-m", "pip", "wheel", *options, CHECKOUT, cwd=into)
    (built,) = into.glob("watcher-*.whl")
    return built


class Installed:
    """The wheel in an environment of its own; `run` calls a program of it from an empty directory."""

    def __init__(self, root: Path, wheel: Path) -> None:
        self.root = root / "venv"
        self._cwd = root / "elsewhere"
        self._cwd.mkdir()
        self._env = {"HOME": str(root), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        venv.create(self.root, symlinks=True, with_pip=False)
        options = ("--quiet", "--no-deps", "--no-index")
        python = self.root / "bin" / "python"
        _run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=self._cwd)
        libraries = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
        (self._site() / "libraries.pth").write_text("\n".join(libraries) + "\n")

    def _site(self) -> Path:
        return Path(self.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())

    def run(self, program: str, *arguments: str) -> str:
        return _run(self.root / "bin" / program, *arguments, cwd=self._cwd, env=self._env)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def _files(folder: str, pattern: str) -> set[str]:
    return {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / folder).rglob(pattern)}


@pytest.mark.parametrize(
    ("folder", "pattern", "essential"),
    [
        pytest.param("rules", "*.yaml", "rules/pods.yaml", id="rule packs"),
        pytest.param("alembic", "*.py", "alembic/env.py", id="migrations"),
    ],
)
def test_the_wheel_carries_what_stands_at_the_top_of_the_checkout(
    wheel: Path, folder: str, pattern: str, essential: str
) -> None:
    expected = _files(folder, pattern)
    assert essential in expected
    with zipfile.ZipFile(wheel) as archive:
        carried = {name.removeprefix("watcher/_shipped/") for name in archive.namelist()}
    assert expected <= carried


def test_the_wheel_carries_at_least_one_migration(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.startswith("watcher/_shipped/alembic/versions/") for name in archive.namelist())


def test_the_installed_package_is_the_wheels_and_not_the_checkouts(installed: Installed) -> None:
    found = Path(installed.run("python", "-c", "import watcher; print(watcher.__file__)").strip())
    assert found.is_relative_to(installed.root)


@pytest.mark.parametrize("name", ["rules", "alembic"])
def test_the_installed_package_finds_the_files_it_carries(installed: Installed, name: str) -> None:
    code = f"from watcher.settings import shipped; print(shipped.directory({name!r}))"
    assert Path(installed.run("python", "-c", code).strip()).is_relative_to(installed.root)


def test_the_installed_command_tells_its_version(installed: Installed) -> None:
    version = installed.run("python", "-c", "import importlib.metadata as m; print(m.version('watcher'))").strip()
    assert version in installed.run("watcher", "--version")


def test_the_installed_command_accepts_the_rules_it_ships_with(installed: Installed) -> None:
    installed.run("watcher", "check")
