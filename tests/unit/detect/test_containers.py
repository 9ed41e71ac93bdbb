"""Containers that die: each death counted once, whatever was seen of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import time
from watcher.detect.containers import (
    KEPT_DEATHS,
    Look,
    Sight,
    backoff_seconds,
    death_id,
    deaths_so_far,
    deaths_within,
    is_dead,
    look,
    next_change,
    ran_seconds,
)
from watcher.detect.pods import ContainerView, containers
from watcher.model.kube import ContainerStateKube, ContainerStatus, Pod, StateTerminated, StateWaiting
from watcher.model.remembered import ContainerHistory, Death

TEN_MINUTES = timedelta(minutes=10)


def seen(one: Pod, before: ContainerHistory | None = None, *, at: float = 100, **fields: Any) -> Look:
    view = containers(one)[0]
    return look(view, one, before, Sight(at=time(at), **fields))


def remembered(one: Look) -> ContainerHistory:
    assert one.history is not None
    return one.history


def history(deaths: int, *at: float, last: str = "", **fields: Any) -> ContainerHistory:
    recent = tuple(Death(at=time(second)) for second in at)
    return ContainerHistory(
        uid="uid-web-1", container="app", namespace="shop", pod="web-1", deaths=deaths, recent=recent, last_id=last,
        **fields,
    )  # fmt: skip


# --- how many


@pytest.mark.parametrize(
    ("one", "deaths"),
    [
        (pod(), 0),
        (pod("p", status(terminated=dead(1))), 1),
        (pod("p", status(terminated=dead(0))), 1),
        (pod("p", status(terminated=dead(0)), restart_policy="OnFailure"), 0),
        (pod("p", status(restarts=1, last=dead(1))), 1),
        (pod("p", backoff(10, dead(1), restarts=1)), 2),
        (pod("p", status(restarts=2, waiting="ContainerCreating")), 2),
        (pod("p", status(terminated=StateTerminated())), 0),
        (pod("p", status(terminated=StateTerminated(reason="ContainerStatusUnknown", exit_code=137))), 1),
        (pod("p", status(restarts=3, last=StateTerminated())), 3),
    ],
    ids=[
        "running", "terminated", "completed, always restarted", "completed for good", "running again", "back-off",
        "creating", "phantom", "unknown", "phantom before",
    ],
)  # fmt: skip
def test_deaths_are_restarts_and_one_more_while_it_is_dead(one: Pod, deaths: int) -> None:
    assert deaths_so_far(containers(one)[0], one) == deaths


def test_an_init_container_that_has_completed_is_not_dead() -> None:
    one = pod("p", status(), init=(status("migrate", terminated=dead(0)),))
    assert deaths_so_far(containers(one)[0], one) == 0


def test_a_state_that_is_not_told_is_not_dead() -> None:
    view = ContainerView(ContainerStatus(name="app"), containers(pod())[0].spec, "app")
    assert not is_dead(view)
    assert not is_dead(ContainerView(ContainerStatus(name="a", state=ContainerStateKube()), view.spec, "app"))


# --- what is new


def test_a_healthy_container_leaves_no_memory() -> None:
    assert seen(pod()) == Look(history=None)


def test_one_cycle_of_a_crash_is_one_death_in_each_of_its_three_states() -> None:
    death = dead(1, at=90)
    first = seen(pod("p", status(terminated=death)))
    again = seen(pod("p", backoff(10, death, restarts=0)), first.history)
    after = seen(pod("p", status(restarts=1, last=death)), again.history)
    assert [one.new_deaths for one in (first, again, after)] == [1, 0, 0]
    assert [one.occurred is not None for one in (first, again, after)] == [True, False, False]
    assert remembered(after).recent == (Death(at=time(90), ran_seconds=5.0),)


def test_what_nobody_saw_died_before_the_described_death_began_to_run() -> None:
    one = seen(pod("p", status(restarts=3, last=dead(1, at=90, ran=20))))
    assert one.new_deaths == 3
    assert remembered(one).recent == (Death(at=time(70)), Death(at=time(70)), Death(at=time(90), ran_seconds=20.0))


def test_deaths_of_which_nothing_is_told_died_when_they_were_noticed() -> None:
    one = seen(pod("p", status(restarts=2)))
    assert (one.new_deaths, one.occurred) == (2, None)
    assert remembered(one).recent == (Death(at=time(100)), Death(at=time(100)))


def test_first_sight_is_the_base_line() -> None:
    one = seen(pod("p", status(restarts=7, last=dead(137, "OOMKilled", at=-90000))), first=True)
    assert (one.new_deaths, one.occurred) == (0, None)
    assert (remembered(one).deaths, remembered(one).recent, remembered(one).oom_class) == (7, (), "main_process")


def test_what_is_dead_at_first_sight_tells_its_last_death() -> None:
    one = seen(pod("p", backoff(80, dead(137, "OOMKilled", at=60), restarts=4)), first=True)
    assert one.new_deaths == 0
    assert one.occurred is not None
    assert one.occurred.reason == "OOMKilled"


def test_a_quiet_death_is_remembered_and_not_counted() -> None:
    one = seen(pod("p", status(restarts=1, last=dead(137, at=90))), quiet=True)
    assert (one.new_deaths, one.occurred, remembered(one).deaths) == (0, None, 1)
    assert seen(pod("p", status(restarts=1, last=dead(137, at=90))), one.history).new_deaths == 0


def test_the_same_death_described_again_occurs_once() -> None:
    """The restart count rises late: the death is already known by its containerID."""
    death = dead(137, "OOMKilled", at=90)
    before = history(1, 90, last=death_id(death))
    one = seen(pod("p", status(restarts=2, last=death)), before)
    assert (one.new_deaths, one.occurred) == (1, None)


def test_a_restart_count_that_falls_makes_no_negative_deaths() -> None:
    one = seen(pod("p", status(restarts=2, last=dead(1, at=50))), history(5, 50))
    assert (one.new_deaths, remembered(one).deaths) == (0, 2)


def test_a_death_after_the_count_fell_is_counted() -> None:
    one = seen(pod("p", status(restarts=0, terminated=dead(1, at=95))), history(5, 50, last="older"))
    assert (one.new_deaths, remembered(one).deaths, len(remembered(one).recent)) == (1, 1, 2)


def test_a_count_that_falls_to_nothing_keeps_recent_deaths_for_six_hours() -> None:
    one = seen(pod(), history(5, 50))
    assert (remembered(one).deaths, len(remembered(one).recent)) == (0, 1)
    assert seen(pod(), one.history, at=200).history == one.history
    assert seen(pod(), one.history, at=50 + 6 * 3600).history is None


def test_no_more_than_a_hundred_deaths_are_kept() -> None:
    one = seen(pod("p", status(restarts=5000, last=dead(1, at=90))), history(0))
    assert one.new_deaths == 5000
    assert len(remembered(one).recent) == KEPT_DEATHS


def test_a_series_begins_with_the_first_death_after_six_hours_without() -> None:
    first = seen(pod("p", status(restarts=1, last=dead(1, at=90))))
    second = seen(pod("p", status(restarts=2, last=dead(1, at=190))), first.history, at=200)
    later = 190 + 6 * 3600 + 10
    third = seen(pod("p", status(restarts=3, last=dead(1, at=later))), second.history, at=later + 1)
    starts = [remembered(one).failing_since for one in (first, second, third)]
    assert starts == [time(90), time(90), time(later)]


def test_a_sidecar_that_ends_with_its_pod_did_not_die() -> None:
    ending = pod(
        "p",
        status(terminated=dead(0, at=90)),
        init=(status("proxy", terminated=dead(137, at=91)),),
        sidecars=("proxy",),
        restart_policy="Never",
    )
    assert seen(ending).new_deaths == 0


def test_a_clock_ahead_of_ours_makes_no_death_of_the_future() -> None:
    one = seen(pod("p", status(restarts=1, last=dead(1, at=5000, ran=10))))
    assert remembered(one).recent[0].at == time(100)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
def test_every_death_is_counted_once_however_it_is_seen(steps: list[tuple[int, bool]]) -> None:
    """`steps`: how often it has died since the last look, and whether it is seen dead or running again."""
    deaths, counted, known = 0, 0, None
    for number, (more, is_dead_now) in enumerate(steps):
        deaths += more
        last = dead(1, at=number, instance=f"c{deaths}") if deaths else None
        one = status(restarts=deaths, last=last)
        if is_dead_now and more:
            one = status(restarts=deaths - 1, terminated=last)
        looked = seen(pod("p", one), known, at=number + 60)
        known, counted = looked.history, counted + looked.new_deaths
    assert counted == deaths


# --- windows


def test_a_window_is_open_at_its_old_end() -> None:
    known = history(2, 0, 300)
    assert deaths_within(known, TEN_MINUTES, time(599)) == 2
    assert deaths_within(known, TEN_MINUTES, time(600)) == 1
    assert next_change(known, time(599)) == time(600)
    assert next_change(known, time(600)) == time(900)
    assert next_change(known, time(300 + 6 * 3600)) is None


@pytest.mark.parametrize("at", [0, 600, 7200, 21600, 1234])
def test_the_next_change_lies_ahead_always(at: float) -> None:
    due = next_change(history(1, 0), time(at))
    assert due is None or due > time(at)


# --- texts and times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("back-off 10s restarting failed container=a pod=p(u)", 10),
        ("Back-off 1m20s restarting failed container=a pod=p(u)", 80),
        ("back-off 2m40s restarting failed container=a pod=p(u)", 160),
        ("back-off 5m0s restarting failed container=vsystem-hana-init pod=p(u)", 300),
        ("back-off 500ms restarting failed container=a", 0.5),
        ("back-off restarting failed container", None),
        ("back-off soon restarting failed container=a", None),
        ("", None),
    ],
)
def test_the_pause_stands_in_the_text(text: str, seconds: float | None) -> None:
    assert backoff_seconds(StateWaiting(reason="CrashLoopBackOff", message=text)) == seconds


def test_a_death_is_known_by_its_instance_else_by_its_time_else_by_its_reason() -> None:
    assert death_id(dead(1, at=3, instance="containerd://a")) == "containerd://a"
    assert death_id(StateTerminated(finished_at=time(3), reason="Error")) == time(3).isoformat()
    assert death_id(StateTerminated(reason="ContainerStatusUnknown")) == "ContainerStatusUnknown"
    assert death_id(None) == ""


def test_how_long_it_ran_is_unknown_without_both_times_and_never_negative() -> None:
    assert ran_seconds(None) is None
    assert ran_seconds(StateTerminated(finished_at=time(3))) is None
    assert ran_seconds(StateTerminated(started_at=time(5), finished_at=time(3))) == 0
    assert ran_seconds(dead(1, at=10, ran=4)) == 4


# --- images


def waits(reason: str, text: str = "") -> Pod:
    return pod("p", status(waiting=reason, message=text), phase="Pending")


def test_the_cause_of_a_failed_pull_outlives_back_offs_that_lack_it() -> None:
    first = seen(waits("ErrImagePull", "x:9: not found"))
    then = seen(waits("ImagePullBackOff", 'Back-off pulling image "x:9"'), first.history, at=200)
    undecided = seen(waits("ContainerCreating"), then.history, at=300)
    kept = remembered(undecided)
    assert (kept.image_cause, kept.image_text, kept.image_since) == ("not_found", "x:9: not found", time(100))


def test_a_back_off_without_a_cause_is_unknown_until_one_is_told() -> None:
    first = seen(waits("ImagePullBackOff", 'Back-off pulling image "x:9"'))
    then = seen(waits("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout"), first.history, at=200)
    assert [remembered(one).image_cause for one in (first, then)] == ["unknown", "network"]
    assert remembered(then).image_since == time(100)


@pytest.mark.parametrize("after", [pod("p"), waits("CreateContainerConfigError")], ids=["running", "another trouble"])
def test_an_image_that_was_had_is_forgotten(after: Pod) -> None:
    first = seen(waits("ErrImagePull", "x:9: not found"))
    then = seen(after, first.history, at=200).history
    assert then is None or (then.image_cause, then.image_since) == ("", None)
