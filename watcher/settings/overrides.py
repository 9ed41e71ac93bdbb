"""WATCHER_… variables: our own keys from the environment, `__` between levels (`WATCHER_HTTP__LISTEN`).

pydantic-settings reads them; what it found is laid over the file's data, so that both are checked as one. A list is
JSON, or words with commas. A variable that is near one of our keys is misspelt; any other is not ours, nor are those
that Kubernetes sets in every pod of a namespace with a Service called watcher or watcher-…
"""

from __future__ import annotations

import difflib
import json
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, create_model
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from watcher.lib.problems import Position, Problem, Severity
from watcher.lib.shapes import nearest
from watcher.lib.yamlpos import Path

PREFIX: Final = "WATCHER_"
_LEVEL: Final = "__"
_COMMANDS: Final = frozenset(("WATCHER_LOG_LEVEL", "WATCHER_URL", "WATCHER_TOKEN_FILE"))
"""Those that `environment` reads."""
_SERVICE: Final = re.compile(r".*_SERVICE_(?:HOST|PORT(?:_.*)?)|.*_PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?")
"""Kubernetes' variables for Services (kubernetes/pkg/kubelet/envvars); what just ends in _PORT may be meant for us."""
_SERVICE_URL: Final = re.compile(r"(?:tcp|udp|sctp)://")
_NEAR: Final = 0.75
"""Of names without their prefix: `HTTP_LISTN` is 0.95 near to `HTTP_LISTEN`, `HTTPS_PROXY` 0.57 to `HTTP_TOKEN`."""


class _Base(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=_LEVEL, env_ignore_empty=True)


class Overrides:
    """The values that the environment gives for the keys of `shape`; `problems` are those of the variables."""

    def __init__(self, shape: type[BaseModel], environ: Mapping[str, str]) -> None:
        self._known = {_variable(path): annotation for path, annotation in _leaves(shape, ())}
        self._sections = {_variable((name,)) for name in shape.model_fields}
        self._given = {name.upper(): value for name, value in environ.items() if value}
        self._given = {name: value for name, value in self._given.items() if name.startswith(PREFIX)}
        self.problems: list[Problem] = list(self._misspelt())
        self._values = self._read(shape)

    def over(self, data: dict[str, Any]) -> dict[str, Any]:
        """The data with these values laid over it."""
        return _laid(self._values, data)

    def position(self, path: Path) -> Position | None:
        """The variable that gave the value at `path`, as a place; None where the value came from elsewhere."""
        for length in range(len(path), 0, -1):
            name = _variable(path[:length])
            if name in self._given and (name in self._known or name in self._sections):
                return _place(name)
        return None

    def _read(self, shape: type[BaseModel]) -> dict[str, Any]:
        fields: dict[str, Any] = {name: (field.annotation, None) for name, field in shape.model_fields.items()}
        source = EnvSettingsSource(create_model("Overrides", __base__=_Base, **fields))
        known = {name: value for name, value in self._given.items() if name in self._known or name in self._sections}
        source.env_vars = {name.lower(): self._plain(name, value) for name, value in known.items()}
        try:
            return dict(source())
        except SettingsError:
            for name in sorted(known):
                if name in self._sections and name not in self._known:
                    self.problems.append(Problem(position=_place(name), message=f"{name} must be JSON"))
            return {}

    def _plain(self, name: str, value: str) -> str:
        """Words with commas as the JSON that pydantic-settings wants for a list."""
        if list not in _origins(self._known.get(name)) or value.lstrip().startswith("["):
            return value
        return json.dumps([word.strip() for word in value.split(",") if word.strip()])

    def _misspelt(self) -> Iterator[Problem]:
        known = {*self._known, *self._sections, *_COMMANDS}
        for name in sorted(self._given.keys() - known):
            if not _is_of_kubernetes(name, self._given[name]) and (advice := _near(name, known)):
                message = f"{name} is no setting of Watcher's; did you mean {advice}?"
                yield Problem(position=_place(name), message=message, severity=Severity.WARNING)


def _is_of_kubernetes(name: str, value: str) -> bool:
    return bool(_SERVICE.fullmatch(name) or (name.endswith("_PORT") and _SERVICE_URL.match(value)))


def _near(name: str, known: Iterable[str]) -> str:
    """The variable that was meant, if only the underscores are wrong, or a few letters; else the empty text."""
    if _LEVEL in name:
        return nearest(name, known)
    words = {each.removeprefix(PREFIX).replace(_LEVEL, "_"): each for each in known}
    close = difflib.get_close_matches(name.removeprefix(PREFIX), words, n=1, cutoff=_NEAR)
    return words[close[0]] if close else ""


def _place(name: str) -> Position:
    return Position(file=name, line=1, column=1)


def _variable(path: Path) -> str:
    return PREFIX + _LEVEL.join(str(step).upper() for step in path)


def _leaves(shape: type[BaseModel], path: Path) -> Iterator[tuple[Path, Any]]:
    for name, field in shape.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _leaves(annotation, (*path, name))
        else:
            yield (*path, name), annotation


def _origins(annotation: Any) -> set[Any]:
    """`list` for `list[str]` and for `list[str] | None`."""
    return {typing.get_origin(annotation), *(typing.get_origin(each) for each in typing.get_args(annotation))}


def _laid(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = _laid(value, below) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged
