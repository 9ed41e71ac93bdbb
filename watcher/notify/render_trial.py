"""The test message: that a receiver can be reached, and what a real message would say."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.lib.fnv import fingerprint
from watcher.lib.links import is_http
from watcher.model.message import AlertView, Block, Heading, Link, Links, Log, Mark, Message
from watcher.notify.facts import Envelope
from watcher.notify.render_text import Part, clock_and_zone, code, name, paragraph

TITLE = "Test message from Watcher"
NOTHING_IS_WRONG = "Nothing is wrong: somebody asked Watcher to try this receiver."


def trial_message(envelope: Envelope) -> Message:
    return Message(heading=Heading(Mark.INFO, TITLE, name(envelope.cluster)), blocks=tuple(_blocks(envelope)))


def trial_view(envelope: Envelope) -> AlertView:
    """As an alert of Alertmanager's webhook, which knows no other messages; no rule and no route is asked."""
    labels = {"alertname": "WatcherTest", "severity": "info", "receiver": envelope.receiver}
    if envelope.cluster:
        labels["cluster"] = envelope.cluster
    return AlertView(
        status="firing",
        labels=labels,
        annotations={"summary": TITLE, "description": NOTHING_IS_WRONG},
        starts_at=envelope.at,
        fingerprint=fingerprint(labels),
    )


def _blocks(envelope: Envelope) -> Iterator[Block]:
    at = envelope.at.astimezone(envelope.zone)
    yield paragraph([NOTHING_IS_WRONG])
    where = f" by Watcher on {name(envelope.cluster)}" if envelope.cluster else ""
    through: list[Part] = [code(name(envelope.receiver)), " through ", code(name(envelope.integration))]
    yield paragraph([f"Sent at {clock_and_zone(at, at)}{where} to the receiver ", *through, "."])
    yield paragraph(
        ["A real message says here what broke, how often and since when, where, and why, as far as it is known."]
    )
    yield Log((f"{at:%H:%M:%S} INFO  the last log lines stand like this", f"{at:%H:%M:%S} INFO  the newest one last"))
    yield paragraph(["Next: ", code("kubectl get pods"), ", or whatever is the next step"])
    if is_http(envelope.external_url):
        yield Links((Link("Watcher", envelope.external_url),))
