"""Growth: to 3, 10 and 50 members, and from some to all, each told once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.notify.growth import concerns_all, grew


@pytest.mark.parametrize(
    ("told", "told_all", "members", "pods", "news"),
    [
        (1, False, 2, 100, False), (1, False, 3, 100, True), (3, False, 9, 100, False), (3, False, 10, 100, True),
        (10, False, 50, 100, True), (50, False, 99, 100, False), (50, False, 100, 100, True),
        (1, False, 2, 2, True), (2, True, 2, 2, False), (1, False, 1, 1, False), (2, True, 5, 5, True),
        (5, True, 6, 6, False), (5, False, 5, 5, False), (9, False, 1, 20, False), (1, False, 0, 0, False),
        (1, False, 60, 100, True),
    ],
)  # fmt: skip
def test_what_is_worth_another_message(told: int, told_all: bool, members: int, pods: int, news: bool) -> None:
    assert grew(told, told_all, members, pods) is news


@pytest.mark.parametrize(
    ("members", "pods", "everything"), [(1, 1, False), (2, 2, True), (3, 2, True), (2, 3, False), (2, 0, False)]
)
def test_all_means_every_pod_from_two_on(members: int, pods: int, everything: bool) -> None:
    assert concerns_all(members, pods) is everything


@given(told=st.integers(1, 200), told_all=st.booleans(), members=st.integers(0, 200), pods=st.integers(0, 200))
def test_what_has_been_told_is_not_news(told: int, told_all: bool, members: int, pods: int) -> None:
    if grew(told, told_all, members, pods):
        assert members > told
        assert not grew(members, concerns_all(members, pods) or told_all, members, pods)
