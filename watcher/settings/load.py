"""Settings from files and environment, or all errors at once: the configuration, the rules, their templates.

A file that is wrong in one place is read on, so that one run names everything; a syntax error of YAML hides the rest
of its own file only. Without a configuration (a replay, `watcher check --rules`) there is one receiver, the console.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Final

from watcher.lib.problems import Position, Problem, sort_problems
from watcher.lib.yamlpos import Document
from watcher.lib.yamlpos import load as load_yaml
from watcher.model.config import ConsoleConfig, Receiver
from watcher.model.hints import RECEIVER
from watcher.model.rule import CompiledRule
from watcher.routing.intervals import Intervals
from watcher.routing.route import Route
from watcher.rules.compile import compile_rules
from watcher.settings.configfile import ConfigFile
from watcher.settings.errors import ConfigErrors
from watcher.settings.files import read_document, rule_documents
from watcher.settings.globals import read_global
from watcher.settings.inhibitions import read_inhibitions
from watcher.settings.intervals import read_intervals
from watcher.settings.overrides import Overrides
from watcher.settings.own import OWN_KEYS, Own, OwnShape, own_settings
from watcher.settings.receivers import read_receivers
from watcher.settings.records import Settings
from watcher.settings.routes import RouteReader
from watcher.settings.shipped import directory
from watcher.settings.shippedroutes import shipped_inhibitions, shipped_route
from watcher.settings.templatefiles import read_templates

__all__ = ["ConfigErrors", "check_all", "load"]

ALERTMANAGER_KEYS: Final = frozenset(
    ("global", "route", "inhibit_rules", "receivers", "templates", "time_intervals", "mute_time_intervals")
)
NOT_USED: Final = frozenset(("tracing", "event_recorder"))
"""Alertmanager's, without a meaning here."""

CONSOLE: Final = Receiver(name="default", integrations=(("console_configs[0]", ConsoleConfig()),))


def load(
    config: FilePath | str | None = None,
    rules: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of a configuration file (None: the defaults), with `rules` (patterns) instead of its own.

    Raises ConfigErrors with every error and warning; without an error the warnings are in the settings.
    """
    problems: list[Problem] = []
    settings = _read(config, rules, os.environ if environ is None else environ, problems)
    if settings is None or any(problem.is_error for problem in problems):
        raise ConfigErrors(problems)
    return settings


def check_all(
    config: FilePath | str | None = None,
    rules: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Every error and warning, sorted by file, line and column."""
    problems: list[Problem] = []
    _read(config, rules, os.environ if environ is None else environ, problems)
    return list(sort_problems(problems))


def _read(
    config: FilePath | str | None, patterns: Sequence[str] | None, environ: Mapping[str, str], problems: list[Problem]
) -> Settings | None:
    """The settings as far as they can be read; only without an error among `problems` are they right."""
    overrides = Overrides(OwnShape, environ)
    problems.extend(overrides.problems)
    document = _document(config, problems)
    if document is None:
        _rules(None, patterns, FilePath(), problems)
        return None
    file = ConfigFile(document, FilePath(document.file).parent if config is not None else FilePath(), environ, problems)
    return read(file, overrides, patterns, is_default=config is None)


def read(
    file: ConfigFile, overrides: Overrides, patterns: Sequence[str] | None, *, is_default: bool = False
) -> Settings:
    """The settings as far as they can be read; what is wrong is in the file's problems.

    `is_default`: nobody wrote a configuration, so that nothing is said of what it lacks.
    """
    problems = file.problems
    _unknown_keys(file)
    own = own_settings(file, overrides)
    shared = read_global(file)
    receivers = read_receivers(file, shared)
    if file.at(("receivers",)) is None:
        receivers = (CONSOLE,)
        if not is_default:
            file.warn((), "there are no receivers: messages go to standard output")
    read_templates(file)
    intervals = read_intervals(file)
    route = _route(file, receivers, own, intervals)
    own_inhibitions = read_inhibitions(file)
    rules = _rules(_places(file, overrides, own), patterns, file.directory, problems)
    return Settings(
        cluster=own.cluster,
        watch=own.watch,
        volumes=own.volumes,
        store=own.store,
        http=own.http,
        election=own.election,
        heartbeat_url=own.heartbeat_url,
        first_start=own.first_start,
        record=own.record,
        storm=own.storm,
        hints=own.hints,
        links=own.links,
        zone=own.zone,
        receivers=receivers,
        route=route,
        inhibit_rules=(*shipped_inhibitions(), *own_inhibitions),
        intervals=intervals,
        rules=rules,
        resolve_timeout=shared.resolve_timeout,
        warnings=tuple(problem for problem in sort_problems(problems) if not problem.is_error),
    )


def _document(config: FilePath | str | None, problems: list[Problem]) -> Document | None:
    if config is None:
        return load_yaml("{}", "(no configuration)")
    document = read_document(FilePath(config), problems)
    if document is not None and not isinstance(document.data, dict):
        problems.append(document.problem((), "the configuration must be a mapping of keys"))
        return None
    return document


def _unknown_keys(file: ConfigFile) -> None:
    data: Any = file.document.data
    for key in data:
        if key in NOT_USED:
            file.warn((key,), f"{key} is not used: Watcher has its own history and logs", key=True)
        elif key not in OWN_KEYS and key not in ALERTMANAGER_KEYS:
            file.unknown_key((key,), OWN_KEYS | ALERTMANAGER_KEYS)


def _route(file: ConfigFile, receivers: tuple[Receiver, ...], own: Own, intervals: Intervals) -> Route:
    names = [receiver.name for receiver in receivers]
    by_hints = any(RECEIVER in rule.allow for rule in own.hints)
    if file.at(("route",)) is not None:
        reader = RouteReader(file, frozenset(names), frozenset(intervals))
        route = reader.root()
        entries: Any = file.at(("receivers",))
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            name = entry.get("name") if isinstance(entry, dict) else None
            if isinstance(name, str) and name and name not in reader.used and not by_hints:
                file.warn(("receivers", index, "name"), f"no route uses the receiver {name}")
        return route
    if len(names) == 1:
        return shipped_route(names[0])
    if "default" in names:
        for index, name in enumerate(names):
            if name != "default" and not by_hints:
                file.warn(("receivers", index, "name"), f"no route uses the receiver {name}: write a route")
        return shipped_route("default")
    if not names:
        if not file.at(("receivers",)):
            file.error(("receivers",), "receivers is empty: write one, or leave the key out", key=True)
        return shipped_route("")
    message = f"there are {len(names)} receivers and none is called default: write a route that says who hears what"
    file.error(("receivers",), message, key=True)
    return shipped_route("")


def _places(file: ConfigFile, overrides: Overrides, own: Own) -> list[tuple[str, Position]] | None:
    """The configuration's own patterns for rule files, each with its place."""
    if own.rules is None:
        return None
    return [(pattern, overrides.position(path) or file.document.position(path)) for pattern, path in own.rules]


def _rules(
    configured: list[tuple[str, Position]] | None,
    patterns: Sequence[str] | None,
    base: FilePath,
    problems: list[Problem],
) -> tuple[CompiledRule, ...]:
    """The rules that the command line names, else the configuration, else the shipped ones."""
    if patterns is not None:
        given = [(pattern, Position(file=pattern, line=1, column=1)) for pattern in patterns]
        documents = rule_documents(given, FilePath(), problems)
    elif configured is not None:
        documents = rule_documents(configured, base, problems)
    else:
        shipped = str(directory("rules") / "*.yaml")
        documents = rule_documents([(shipped, Position(file=shipped, line=1, column=1))], FilePath(), problems)
    rules, found = compile_rules(documents)
    problems.extend(found)
    return rules
