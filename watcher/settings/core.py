"""The compiled core that the settings describe."""

from __future__ import annotations

from watcher.model.config import FirstStart
from watcher.pipeline import Core
from watcher.settings.records import Settings


def core_of(settings: Settings, first_start: FirstStart | None = None) -> Core:
    """`first_start`: instead of the configuration's own (a replay takes `alert` unless told otherwise)."""
    return Core.build(
        cluster=settings.cluster,
        rules=settings.rules,
        route=settings.route,
        receivers=settings.receivers,
        inhibit_rules=settings.inhibit_rules,
        intervals=settings.intervals,
        first_start=first_start or settings.first_start,
        external_url=settings.http.external_url,
        hints=settings.hints,
        links=settings.links,
        zone=settings.zone,
        storm=settings.storm,
        resolve_timeout=settings.resolve_timeout,
    )
