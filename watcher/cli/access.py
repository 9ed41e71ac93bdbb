"""`watcher check --rbac`: what the account that it runs under may do, held against what the configuration needs."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.engine.clock import SystemClock
from watcher.settings import environment
from watcher.settings.records import Settings
from watcher.source.client import connect
from watcher.source.rbac import AccessReport, AccessReviewer, own_namespace
from watcher.source.rights import Need, needs


async def review(settings: Settings) -> AccessReport:
    """Ask the cluster that `run` would watch. SourceError."""
    client = await connect(SystemClock(), environment.kubeconfig())
    try:
        own = own_namespace()
        return await AccessReviewer(client).report(needed(settings, own), own)
    finally:
        await client.close()


def needed(settings: Settings, own: str) -> tuple[Need, ...]:
    """`own`: the namespace of the pod that this runs in, where it does."""
    election = settings.election
    lease = (election.namespace or own or "default", election.lease) if election.enabled else None
    return needs(settings.watch, settings.volumes, lease)


def lines(report: AccessReport) -> Iterator[str]:
    """For people; what is required first."""
    for finding in sorted(report.missing, key=lambda one: not one.required):
        yield f"{'MISSING' if finding.required else 'missing'}: {finding}"
    for finding in report.beyond:
        yield f"beyond need: {finding}"
    for finding in report.left_out:
        yield f"not granted, as watch.namespaces has it: {finding}"
    for text in report.unsure:
        yield f"the API server could not evaluate everything: {text}"
    if not (report.missing or report.beyond):
        yield "access: nothing is missing, and nothing beyond need was found"
