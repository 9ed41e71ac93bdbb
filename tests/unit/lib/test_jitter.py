"""Shares: spread evenly, also over texts that differ in their last character only, and always the same."""

from __future__ import annotations

import itertools

import pytest

from watcher.lib.jitter import share


@pytest.mark.parametrize("text", ["405f99f7078b1889", "ops/slack_configs[0]", ""])
def test_the_attempts_of_one_message_draw_shares_all_over_the_range(text: str) -> None:
    drawn = sorted(share(f"{text}/{number}") for number in range(1, 101))
    assert 0 <= drawn[0] < 0.1
    assert 0.9 < drawn[-1] < 1
    assert all(after - before < 0.15 for before, after in itertools.pairwise(drawn))


def test_neighbours_differ() -> None:
    assert abs(share("ops/i0/9") - share("ops/i0/8")) > 0.01


def test_the_same_text_draws_the_same_share() -> None:
    assert share("a/1") == 0.1767093250219024
