"""Alertmanager's `/status` and `/receivers`.

`version` says which API this is, to clients that ask for that: amtool warns where major and minor number differ from
its own, Karma needs 0.22 or later before the first `-`.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from watcher import __version__
from watcher.api import v2shapes
from watcher.api.inside import Inside
from watcher.api.v2shapes import Named

VERSION: Final = f"0.28.0-watcher.{__version__}"


class Status:
    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    async def status(self, request: Request) -> Response:
        found: dict[str, Any] = {
            "cluster": {"peers": [], "status": "disabled"},
            "config": {"original": self._inside.original()},
            "uptime": v2shapes.time(self._inside.began),
            "versionInfo": {
                "branch": "",
                "buildDate": "",
                "buildUser": "",
                "goVersion": "",
                "revision": "",
                "version": VERSION,
            },
        }
        return v2shapes.body(found)

    async def receivers(self, request: Request) -> Response:
        return v2shapes.body([Named(name) for name in self._inside.receivers()])
