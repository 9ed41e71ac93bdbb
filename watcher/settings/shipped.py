"""Where the files that ship with Watcher lie: the rule packs and the migrations.

Both stand at the top of the checkout, where people look for them, and are copied into the wheel as
`watcher/_shipped/` (pyproject.toml, force-include). The copy wins where there is one. The folder beside the
package counts only in a checkout: beside an installed package, `alembic` is the library of that name.
"""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent.parent


def directory(name: Literal["rules", "alembic"]) -> Path:
    """The directory of the shipped files of that name; FileNotFoundError if this installation has none."""
    return find(name, _PACKAGE)


def find(name: Literal["rules", "alembic"], package: Path) -> Path:
    """`directory` for the `watcher` package that lies at `package`."""
    shipped = package / "_shipped" / name
    if shipped.is_dir():
        return shipped
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise FileNotFoundError(
        f"This installation of Watcher lacks its {name} directory: neither {shipped} nor a checkout's "
        f"{checkout / name} is there. Install Watcher again from its wheel."
    )
