"""Silences: making, showing and ending them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from watcher.client.http import V2, Client, ClientError, NotFoundError, now
from watcher.client.tables import table
from watcher.lib.matchers import Matcher, MatcherOp, parse_matchers
from watcher.lib.text import clean

_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
_SHORT = {"deploy": "Deployment", "sts": "StatefulSet", "ds": "DaemonSet", "rs": "ReplicaSet", "cj": "CronJob"}
_LONGEST = timedelta(days=7)
"""Of a silence that ends by itself; the service holds it to the same."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What `silence add` was told."""

    matchers: tuple[Matcher, ...]
    lasts: timedelta
    until_resolved: bool = False
    comment: str
    author: str


def matchers_of(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """Each text holds one matcher or more; a first one that is a bare word is an alert's name. MatcherError."""
    found: list[Matcher] = []
    for number, text in enumerate(texts):
        if number == 0 and text.isidentifier():
            found.append(Matcher(name="alertname", op=MatcherOp.EQUAL, value=text))
        else:
            found += parse_matchers(text)
    return tuple(found)


def workload_matchers(workload: str, namespace: str) -> tuple[Matcher, ...]:
    """`deployment/api` in a namespace; ValueError where something is missing."""
    kind, _, name = workload.partition("/")
    if not kind or not name or "/" in name:
        raise ValueError("write KIND/NAME, as in deployment/api")
    if not namespace:
        raise ValueError("name its namespace with -n")
    known = _SHORT | {each.lower(): each for each in _KINDS} | {f"{each.lower()}s": each for each in _KINDS}
    labels = {"namespace": namespace, "workload_kind": known.get(kind.lower(), kind), "workload": name}
    return tuple(Matcher(name=label, op=MatcherOp.EQUAL, value=value) for label, value in labels.items())


def add_silence(client: Client, wanted: Wanted) -> str:
    """Its id. It begins and ends by the service's own clock."""
    lasts = _LONGEST if wanted.until_resolved else wanted.lasts
    body: dict[str, Any] = {
        "matchers": [
            {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal}
            for one in wanted.matchers
        ],
        "startsAt": "",
        "endsAt": (now(client) + lasts).isoformat(),
        "createdBy": wanted.author,
        "comment": wanted.comment,
    }
    if wanted.until_resolved:
        body["untilResolved"] = True
    answer = client.ask("POST", f"{V2}/silences", body=body)
    return str(answer["silenceID"])


def silences(client: Client, *, expired: bool) -> list[dict[str, Any]]:
    """Those that are in force or will be, or those that are over."""
    states = {"expired": str(expired).lower(), "active": str(not expired).lower(), "pending": str(not expired).lower()}
    found: list[dict[str, Any]] = client.ask("GET", f"{V2}/silences", states)
    return found


def expire_silence(client: Client, id: str) -> None:
    try:
        client.ask("DELETE", f"{V2}/silence/{quote(id, safe='')}")
    except NotFoundError:
        raise ClientError(f"there is no silence {clean(id)}; `watcher silence list` shows what there is") from None


def silences_text(found: Sequence[Mapping[str, Any]], *, expired: bool) -> Iterator[str]:
    """A table, the comment below each row."""
    if not found:
        yield "no silences that are over" if expired else "no silences"
        return
    rows = [
        (
            each["id"],
            each["status"]["state"],
            f"{each['endsAt'][:19]}Z".replace("T", " ") + (" or resolved" if each.get("untilResolved") else ""),
            each["createdBy"],
            " ".join(str(_matcher(one)) for one in each["matchers"]),
        )
        for each in found
    ]
    yield from table(("ID", "STATE", "ENDS", "BY", "MATCHERS"), rows, [each["comment"] for each in found])


def _matcher(one: Mapping[str, Any]) -> Matcher:
    ops = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
    op = MatcherOp(ops[one["isRegex"], one.get("isEqual", True)])
    return Matcher(name=one["name"], op=op, value=one["value"])
