"""What a configuration comes to: frozen, complete, checked."""

from __future__ import annotations

from datetime import UTC, timedelta, tzinfo
from pathlib import Path

from msgspec.structs import replace

from watcher.lib.problems import Problem
from watcher.model.config import (
    Config,
    FirstStart,
    HintRule,
    HttpConfig,
    LeaderElectionConfig,
    LinkConfig,
    Receiver,
    Secret,
    StoreConfig,
    StormConfig,
    VolumesConfig,
    WatchConfig,
)
from watcher.model.rule import CompiledRule
from watcher.routing.inhibition import InhibitRule
from watcher.routing.intervals import Intervals
from watcher.routing.route import Route
from watcher.settings.addresses import parse_listen


class Settings(Config, frozen=True, kw_only=True):
    """Everything that a program of ours needs to know. `rules` are in the order of their files."""

    cluster: str = ""
    watch: WatchConfig = WatchConfig()
    volumes: VolumesConfig = VolumesConfig()
    store: StoreConfig = StoreConfig()
    http: HttpConfig = HttpConfig()
    election: LeaderElectionConfig = LeaderElectionConfig()
    heartbeat_url: Secret | None = None
    first_start: FirstStart = FirstStart.SUMMARY
    record: str = ""
    """The file that the running service records itself to; empty: none."""
    storm: StormConfig = StormConfig()
    hints: tuple[HintRule, ...] = ()
    """What annotations may do, by namespace."""
    links: tuple[LinkConfig, ...] = ()
    """Below every alert."""
    zone: tzinfo = UTC
    """In which people read the times of messages."""
    receivers: tuple[Receiver, ...]
    route: Route
    inhibit_rules: tuple[InhibitRule, ...]
    """The shipped ones first."""
    intervals: Intervals
    """Alertmanager's time intervals, by name."""
    rules: tuple[CompiledRule, ...]
    resolve_timeout: timedelta = timedelta(minutes=5)
    """How long a posted alert without an end is taken to last (Alertmanager's default)."""
    warnings: tuple[Problem, ...] = ()

    def with_overrides(self, *, data: Path | None = None, listen: str = "") -> Settings:
        """With the command line's own words: the database in the directory `data`, the HTTP interface at `listen`.

        Raises ValueError for a `listen` that is no HOST:PORT.
        """
        changed = self
        if data is not None:
            url = Secret(f"sqlite:///{(data / 'watcher.db').resolve()}")
            changed = replace(changed, store=replace(changed.store, url=url))
        if listen:
            host, port = parse_listen(listen)
            changed = replace(changed, http=replace(changed.http, host=host, port=port))
        return changed
