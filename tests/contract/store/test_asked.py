"""The history with filters, page by page."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.contract.store.examples import KEY, NOW, SECOND, decision, transition
from tests.contract.store.homes import AnyStore
from watcher.model.changes import Changes
from watcher.model.history import Asked
from watcher.model.identity import AlertKey

OTHER = AlertKey(alertname="ImagePullFailing", cluster="c", namespace="shop", workload="api-1", container="app")
ODD = AlertKey(alertname='quo"ted%_\\', posted="0123456789abcdef")
NODE = AlertKey(alertname="NodeNotReady", cluster="c", node="n1")
CLAIM = AlertKey(alertname="ClaimLost", cluster="c", namespace="web", claim="data")


@pytest.fixture
async def filled(store: AnyStore) -> AnyStore:
    """a to e, a second apart."""
    moved = [
        transition("a"),
        replace(transition("b", NOW + SECOND), alert=OTHER, subject="shop/api-1-x/app"),
        replace(transition("c", NOW + 2 * SECOND), alert=ODD, subject=""),
        replace(transition("d", NOW + 3 * SECOND), alert=NODE, subject=""),
        replace(transition("e", NOW + 4 * SECOND), alert=CLAIM, subject="web/data"),
    ]
    made = [
        decision("a"),
        decision("b", at=NOW + SECOND, alert=OTHER, receiver="dev", verdict="send"),
        decision("c", at=NOW + 2 * SECOND, alert=ODD),
        decision("d", at=NOW + 3 * SECOND, alert=NODE),
        decision("e", at=NOW + 4 * SECOND, alert=CLAIM),
        decision("group", at=NOW + 5 * SECOND, alert=None),
    ]
    await store.commit(Changes(transitions=moved, decisions=made), NOW)
    return store


CASES = [
    pytest.param(Asked(), "edcba", id="everything"),
    pytest.param(Asked(alertname="ImagePullFailing"), "b", id="an alert's name"),
    pytest.param(Asked(alertname="imagepullfailing"), "", id="not in other letters"),
    pytest.param(Asked(alertname='quo"ted%_\\'), "c", id="a name with marks"),
    pytest.param(Asked(alertname="%"), "", id="a wildcard is a letter"),
    pytest.param(Asked(namespace="shop"), "ba", id="a namespace"),
    pytest.param(Asked(namespace="web"), "e", id="a namespace, not a workload of its name"),
    pytest.param(Asked(workload="web"), "a", id="a workload"),
    pytest.param(Asked(node="n1"), "d", id="a node"),
    pytest.param(Asked(alerts=frozenset({ODD, NODE})), "dc", id="alerts"),
    pytest.param(Asked(alerts=frozenset()), "", id="no alert"),
    pytest.param(Asked(begin=NOW + SECOND, end=NOW + 3 * SECOND), "dcb", id="a time"),
    pytest.param(Asked(namespace="shop", name="api-1"), "b", id="a name of a workload"),
    pytest.param(Asked(namespace="web", name="data"), "e", id="a name of a claim"),
]


@pytest.mark.parametrize(("asked", "found"), CASES)
async def test_moves_are_found_by_what_is_asked(filled: AnyStore, asked: Asked, found: str) -> None:
    lines = await filled.transitions_of(asked, 10)
    assert "".join(line.transition.why for line in lines) == found


@pytest.mark.parametrize(("asked", "found"), CASES)
async def test_decisions_are_found_by_what_is_asked(filled: AnyStore, asked: Asked, found: str) -> None:
    lines = await filled.decisions_of(asked, 10)
    wholes = ["group"] if asked == Asked() else []
    assert [line.decision.reason for line in lines] == [*wholes, *found]


async def test_a_pod_is_found_by_its_name(filled: AnyStore) -> None:
    found = await filled.transitions_of(Asked(namespace="shop", name="api-1-x"), 10)
    assert [line.transition.why for line in found] == ["b"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(Asked(receiver="dev"), ["b"], id="receiver"),
        pytest.param(Asked(verdict="send"), ["b"], id="verdict"),
        pytest.param(Asked(receiver="dev", verdict="hold"), [], id="both"),
    ],
)
async def test_decisions_are_found_by_receiver_and_verdict(filled: AnyStore, asked: Asked, found: list[str]) -> None:
    assert [line.decision.reason for line in await filled.decisions_of(asked, 10)] == found


async def test_a_decision_counts_as_long_as_it_was_repeated(filled: AnyStore) -> None:
    later = NOW + 9 * SECOND
    await filled.commit(Changes(decisions=[decision("e", at=later, alert=CLAIM)]), later)
    (line,) = await filled.decisions_of(Asked(begin=NOW + 8 * SECOND), 10)
    assert (line.decision.at, line.count, line.last_at) == (NOW + 4 * SECOND, 2, later)


async def test_pages_follow_each_other_without_a_gap_while_more_comes(filled: AnyStore) -> None:
    seen: list[str] = []
    cursor = None
    for number in range(3):
        page = await filled.transitions_of(Asked(before=cursor), 2)
        seen += [line.transition.why for line in page]
        cursor = page[-1].number
        await filled.commit(Changes(transitions=[transition(f"new {number}", NOW + 20 * SECOND)]), NOW)
    assert seen == ["e", "d", "c", "b", "a"]


async def test_every_alert_of_the_history_is_known_once(filled: AnyStore) -> None:
    assert sorted(await filled.alert_keys()) == sorted([KEY, OTHER, ODD, NODE, CLAIM])
