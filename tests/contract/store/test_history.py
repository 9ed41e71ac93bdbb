"""The history: transitions, decisions that count up, attempts, and what goes with age."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.contract.store.examples import KEY, NOW, SECOND, attempt, decision, finished, group, message, transition
from tests.contract.store.homes import AnyStore, Home
from watcher.model.changes import Changes
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.state import Decision


async def decide(store: AnyStore, *decisions: Decision) -> None:
    await store.commit(Changes(decisions=list(decisions)), decisions[-1].at)


async def test_transitions_come_the_newest_first(home: Home) -> None:
    store = await home.open()
    await store.commit(Changes(transitions=[transition("a"), transition("b")]), NOW)
    await store.commit(Changes(transitions=[transition("c")]), NOW)
    store = await home.open()
    assert [row.why for row in await store.transitions(2)] == ["c", "b"]
    assert await store.transitions(5) == [transition("c"), transition("b"), transition("a")]


async def test_a_decision_equal_to_the_last_one_counts_up_and_keeps_its_first_time(home: Home) -> None:
    await decide(await home.open(), decision())
    await decide(await home.open(), decision(at=NOW + SECOND), decision(at=NOW + 2 * SECOND))
    assert await (await home.open()).decisions(10) == [(decision(), 3)]


async def test_equal_decisions_of_one_commit_are_one_line(store: AnyStore) -> None:
    await decide(store, decision(), decision(), decision(reason="other"), decision(reason="other"))
    assert await store.decisions(10) == [(decision(reason="other"), 2), (decision(), 2)]


@pytest.mark.parametrize("at_once", [True, False], ids=["in one commit", "in a commit each"])
async def test_a_decision_that_comes_back_after_another_is_a_new_line(store: AnyStore, at_once: bool) -> None:
    made = [decision("a"), decision("b"), decision("a")]
    if at_once:
        await decide(store, *made)
    else:
        for one in made:
            await decide(store, one)
    await decide(store, decision("a"))
    assert await store.decisions(10) == [(decision("a"), 2), (decision("b"), 1), (decision("a"), 1)]


async def test_a_line_can_be_counted_and_replaced_in_one_commit(store: AnyStore) -> None:
    await decide(store, decision("a"))
    await decide(store, decision("a"), decision("b"))
    await decide(store, decision("b"))
    assert await store.decisions(10) == [(decision("b"), 2), (decision("a"), 2)]


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"group": "other"}, id="group"),
        pytest.param({"receiver": "other"}, id="receiver"),
        pytest.param({"integration": "other"}, id="integration"),
        pytest.param({"alert": None}, id="no alert"),
        pytest.param({"alert": replace(KEY, pod="web-1")}, id="alert"),
    ],
)
async def test_decisions_about_different_matters_do_not_count_each_other(
    store: AnyStore, field: dict[str, object]
) -> None:
    other = replace(decision(), **field)
    await decide(store, decision(), other)
    await decide(store, decision(), other)
    assert await store.decisions(10) == [(other, 2), (decision(), 2)]


@pytest.mark.parametrize("field", ["verdict", "reason", "message"])
async def test_a_decision_that_differs_is_a_new_line(store: AnyStore, field: str) -> None:
    other = replace(decision(), **{field: "other"})
    await decide(store, decision())
    await decide(store, other)
    assert await store.decisions(10) == [(other, 1), (decision(), 1)]
    assert await store.decisions(1) == [(other, 1)]


async def test_attempts_of_a_message_come_in_their_order_with_every_outcome(home: Home) -> None:
    outcomes: list[Outcome] = [
        TryLater(reason="429", after=timedelta(seconds=1.5)),
        TryLater(reason="timed out"),
        GiveUp(reason="404"),
        Delivered(reference="1700000000.000100"),
    ]
    made = [attempt("m", outcome, at=NOW + n * SECOND) for n, outcome in enumerate(outcomes)]
    await (await home.open()).commit(Changes(attempts=[*made, attempt("other")]), NOW)
    assert await (await home.open()).attempts("m") == made


async def test_history_older_than_asked_goes_and_the_rest_stays(store: AnyStore) -> None:
    for n in range(3):
        at = NOW + n * SECOND
        id = f"m{n}"
        await store.commit(
            Changes(
                transitions=[transition(str(n), at)],
                decisions=[decision(str(n), at=at)],
                attempts=[attempt("m", at=at)],
                outbox={id: None},
                finished=[finished(id, created_at=at)],
            ),
            at,
        )
    assert await store.prune(NOW + 2 * SECOND, 100) == 8
    assert [row.why for row in await store.transitions(10)] == ["2"]
    assert [row.reason for row, _ in await store.decisions(10)] == ["2"]
    assert [row.at for row in await store.attempts("m")] == [NOW + 2 * SECOND]
    assert [row.id for row in await store.messages(10)] == ["m2"]


async def test_prune_takes_at_most_a_slice_of_every_table_the_oldest_first(store: AnyStore) -> None:
    for n in range(5):
        at = NOW + n * SECOND
        await store.commit(Changes(transitions=[transition(str(n), at)], attempts=[attempt("m", at=at)]), at)
    assert await store.prune(NOW + 4 * SECOND, 3) == 6
    assert [row.why for row in await store.transitions(10)] == ["4", "3"]
    assert await store.prune(NOW + 4 * SECOND, 3) == 2
    assert await store.prune(NOW + 4 * SECOND, 3) == 0


async def test_the_current_state_and_what_is_queued_are_never_pruned(store: AnyStore) -> None:
    await store.commit(Changes(groups={"g": group("g")}, outbox={"m": message("m")}), NOW)
    assert await store.prune(NOW + timedelta(days=999), 100) == 0
    view, _ = await store.load()
    assert set(view.groups.rows) == {"g"}
    assert set(view.outbox.rows) == {"m"}


async def test_a_message_ages_from_when_it_left_the_queue(store: AnyStore) -> None:
    await store.commit(Changes(outbox={"m": message("m")}), NOW)
    await store.commit(Changes(outbox={"m": None}, finished=[finished("m")]), NOW + 10 * SECOND)
    assert await store.prune(NOW + 10 * SECOND, 100) == 0
    assert await store.prune(NOW + 11 * SECOND, 100) == 1


async def test_a_decision_ages_from_when_it_was_last_repeated(store: AnyStore) -> None:
    await decide(store, decision())
    await decide(store, decision(at=NOW + 10 * SECOND))
    assert await store.prune(NOW + 10 * SECOND, 100) == 0
    assert await store.prune(NOW + 11 * SECOND, 100) == 1


async def test_a_decision_whose_last_line_was_pruned_begins_a_new_one(store: AnyStore) -> None:
    await decide(store, decision(), decision("other"))
    await store.prune(NOW + SECOND, 100)
    again = decision("other", at=NOW + 2 * SECOND)
    await decide(store, again)
    assert await store.decisions(10) == [(again, 1)]
