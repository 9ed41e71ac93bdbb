from pathlib import Path
from typing import Literal

import pytest

from watcher.settings import shipped


def _package(root: Path) -> Path:
    package = root / "watcher"
    package.mkdir()
    return package


def test_a_checkout_uses_the_folder_at_its_top(tmp_path: Path) -> None:
    package = _package(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "rules").mkdir()
    assert shipped.find("rules", package) == tmp_path / "rules"


def test_a_copy_inside_the_package_wins(tmp_path: Path) -> None:
    package = _package(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "rules").mkdir()
    (package / "_shipped" / "rules").mkdir(parents=True)
    assert shipped.find("rules", package) == package / "_shipped" / "rules"


def test_the_alembic_library_beside_an_installed_package_is_not_taken_for_our_migrations(
    tmp_path: Path,
) -> None:
    package = _package(tmp_path)
    (tmp_path / "alembic").mkdir()
    with pytest.raises(FileNotFoundError, match="lacks its alembic directory"):
        shipped.find("alembic", package)


@pytest.mark.parametrize("name", [pytest.param("rules", id="rules"), pytest.param("alembic", id="alembic")])
def test_this_installation_has_what_ships_with_it(
    name: Literal["rules", "alembic"],
) -> None:
    found = shipped.directory(name)
    assert found.name == name
    assert any(found.iterdir())
