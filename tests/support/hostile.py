"""What strangers may put into a message: markup of every channel, and far too much text."""

from __future__ import annotations

from tests.support.messages import changed, crash_signal, facts, many
from watcher.model.evidence import Evidence
from watcher.notify.facts import AlertFacts

HOSTILE = (
    "<!channel> <@U1> @everyone @here <b>bold</b> `tick` ```fence *star* [a](http://x) | # > \x1b[31mred\x07\u202e"
)
"""What somebody may write into a log line, a label or an annotation."""


def hostile() -> AlertFacts:
    told = facts(
        [crash_signal("p`<!channel>", workload="<b>@everyone", message=HOSTILE)], "X", counts=[3], pods_total=2
    )
    evidence = Evidence(alert=told.alert.key, log=(HOSTILE, "```", "`` `"), events=(HOSTILE,))
    return changed(told, evidence=evidence, annotations={"description": HOSTILE})


def oversize() -> list[AlertFacts]:
    return [
        changed(one, evidence=Evidence(alert=one.alert.key, log=tuple(f"{n} {'&' * 300}" for n in range(50))))
        for one in many(200, "<text> & more " * 290)
    ]
