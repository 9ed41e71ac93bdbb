"""Messages: what became of them, sending one again, test messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from watcher.client.http import Client
from watcher.client.tables import line, table
from watcher.lib.text import cut


def deliveries(client: Client, *, dead: bool, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/deliveries", limit=str(limit), **({"state": "dead"} if dead else {}))
    return found


def resend(client: Client, id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(f"/deliveries/{quote(id, safe='')}/resend")
    return answer


def send_test(client: Client, receiver: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(f"/receivers/{quote(receiver, safe='')}/test", wait="15s")
    return answer


def deliveries_text(found: Sequence[Mapping[str, Any]], *, dead: bool) -> Iterator[str]:
    """A table, and what to do."""
    if not found:
        yield "no dead letters" if dead else "no deliveries"
        return
    rows = [
        (
            each["id"],
            f"{each['created_at'][:19]}Z".replace("T", " "),
            each["state"],
            f"{each['receiver']}/{each['integration']}",
            str(each["attempts"]),
            each["title"],
        )
        for each in found
    ]
    yield from table(("ID", "DECIDED", "STATE", "TO", "TRIES", "TITLE"), rows, [each["error"] for each in found])
    if any(each["state"] == "dead" for each in found):
        yield "send one again, once its receiver is repaired: watcher deliveries resend ID"


_WORDS = {"delivered": "delivered", "failed": "FAILED", "waiting": "still waiting"}


def test_text(answer: Mapping[str, Any]) -> Iterator[str]:
    """A line for each integration."""
    for each in answer["integrations"]:
        reason = f": {cut(line(each['reason']), 300)}" if each["reason"] else ""
        yield f"{answer['receiver']}/{each['integration']}: {_WORDS.get(each['outcome'], each['outcome'])}{reason}"


def all_delivered(answer: Mapping[str, Any]) -> bool:
    return all(each["outcome"] == "delivered" for each in answer["integrations"])
