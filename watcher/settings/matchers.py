"""The keys of routes and inhibition rules that hold matchers: lists of texts, and the older maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from watcher.lib.matchers import Matcher, MatcherError, MatcherOp, read_matchers
from watcher.lib.yamlpos import Path
from watcher.settings.configfile import ConfigFile

Keys = tuple[str, str, str]
"""The names of: the list of matchers, the map of equal values, the map of regexes."""


def read_matcher_keys(file: ConfigFile, path: Path, keys: Keys) -> tuple[Matcher, ...]:
    """All matchers under `path`, ANDed as Alertmanager does; what cannot be read is a problem and left out."""
    listed, equal, regex = keys
    return (
        *_listed(file, (*path, listed)),
        *_mapped(file, (*path, equal), MatcherOp.EQUAL),
        *_mapped(file, (*path, regex), MatcherOp.REGEX),
    )


def _listed(file: ConfigFile, path: Path) -> Iterator[Matcher]:
    for index, text in enumerate(_items(file.at(path))):
        if not isinstance(text, str):
            continue
        here = (*path, index)
        try:
            found = read_matchers(text)
        except MatcherError as error:
            file.error(here, str(error))
            continue
        if found.warning is not None:
            file.warn(here, found.warning)
        yield from found.matchers


def _mapped(file: ConfigFile, path: Path, op: MatcherOp) -> Iterator[Matcher]:
    data = file.at(path)
    for name, value in data.items() if isinstance(data, dict) else ():
        written = file.document.source((*path, name))
        if written is None or value is None:
            continue
        try:
            yield Matcher(name=name, op=op, value=written)
        except MatcherError as error:
            file.error((*path, name), str(error))


def _items(data: Any) -> list[Any]:
    return data if isinstance(data, list) else []
