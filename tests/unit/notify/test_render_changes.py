"""What somebody reads who was told before: what is new in full, what goes on and what ended in a line each."""

from __future__ import annotations

import pytest

from tests.support import troubles
from tests.support.messages import (
    before,
    changed,
    crash_loop,
    crash_signal,
    ended,
    envelope,
    facts,
    failed_job,
    growth,
    image_not_found,
    many,
    oom_kill,
    text,
    told,
    unheard,
)
from watcher.model.message import Heading, Mark, SendReason
from watcher.model.state import EndReason
from watcher.notify.changes import changes, standing
from watcher.notify.facts import AlertFacts
from watcher.notify.render import render

CRITICAL = changed(crash_loop(), labels={**crash_loop().alert.labels, "severity": "critical"})

# ---- new alerts, growth ------------------------------------------------------------------------------------------


def test_a_new_alert_stands_in_full_and_what_goes_on_has_one_line() -> None:
    lines = told(oom_kill(), before(crash_loop()), reason=SendReason.NEW_ALERTS).splitlines()
    assert lines[0] == "🟠 api is OOM-killed; still: checkout crash-loops — shop, prod-eu"
    assert "    14:02:11 WARN  heap 498 MiB of 512 MiB" in lines
    assert lines[-1] == "🟠 still: checkout crash-loops, since 13:50 UTC (12 min), 7 times, 1 of 12 pods"
    assert sum("checkout" in line for line in lines) == 2


def test_several_new_alerts_have_a_section_each_above_what_ended_and_what_goes_on() -> None:
    over = ended(before(failed_job()), EndReason.RECOVERED)
    lines = told(oom_kill(), image_not_found(), before(crash_loop()), over, reason=SendReason.NEW_ALERTS).splitlines()
    assert lines[0] == (
        "🟠 2 new alerts: api is OOM-killed; worker cannot start: image tag not found; 1 other goes on; 1 has ended"
        " — shop, prod-eu"
    )
    assert [line for line in lines if line.startswith(("🟠", "🟢", "⚪"))][1:] == [
        "🟠 api is OOM-killed",
        "🟠 worker cannot start: image tag not found",
        "🟢 Ended: 1 alert",
        "🟢 import no longer fails (after 2 min 30 s). A pod failed.",
        "🟠 Still: 1 alert",
        "🟠 checkout crash-loops, since 13:50 UTC (12 min), 7 times, 1 of 12 pods",
    ]


def test_the_colour_is_that_of_the_news() -> None:
    assert told(oom_kill(), before(CRITICAL), reason=SendReason.NEW_ALERTS).startswith("🟠 api is OOM-killed; ")
    assert told(CRITICAL, before(oom_kill()), reason=SendReason.NEW_ALERTS).startswith("🔴 checkout crash-loops; ")


def test_growth_in_a_group_says_what_it_was_and_tells_nothing_else_again() -> None:
    assert told(growth(), before(oom_kill()), reason=SendReason.GREW) == text(
        """
        🟠 checkout crash-loops, now on 12 of 12 pods; still: api is OOM-killed — shop, prod-eu
        Was 1 pod at 10:02. Container `app` exits with 1 (application error) after about 4 s; 48 times in 12 min. None is ready.
        Deployment checkout · namespace shop · cluster prod-eu · since 13:50 UTC · warning
        x2k00 (9×, node n1), x2k01 (8×, n2), x2k02 (7×, n3), x2k03 (6×, n4), x2k04 (5×, n5) and 7 more
        Next: `kubectl -n shop logs checkout-7c9d8-x2k00 -c app --previous`
        🟠 still: api is OOM-killed, since 13:42 UTC (20 min), 4 times, 3 of 12 pods
        """  # noqa: E501
    )


def test_of_forty_new_alerts_five_are_told_in_full_beside_forty_that_go_on() -> None:
    fresh = [facts([crash_signal(workload=f"n{n:02}")], "ContainerCrashLooping") for n in range(40)]
    lines = told(*fresh, *(before(one) for one in many(40)), reason=SendReason.NEW_ALERTS).splitlines()
    assert lines[0].startswith("🟠 40 new alerts: n00 crash-loops; n01 crash-loops; n02 crash-loops and 37 more; 40 ")
    assert sum(line.startswith("Next: ") for line in lines) == 5
    assert lines[-5] == "🟠 35 more alerts"
    assert lines[-4].startswith("Crash loop: 35 in shop (n05, n06, ")
    assert lines[-2] == "🟠 Still: 40 alerts"
    assert lines[-1].startswith("Crash loop: 40 in shop (w0, w1, w2, ")
    assert lines[-1].endswith("w38, w39)")


# ---- ends --------------------------------------------------------------------------------------------------------


def test_an_end_stands_above_what_goes_on_and_does_not_claim_that_all_is_well() -> None:
    over = ended(before(oom_kill()), EndReason.RECOVERED)
    assert told(over, before(crash_loop()), reason=SendReason.SOME_ENDED) == text(
        """
        🟠 api is no longer OOM-killed; still: checkout crash-loops — shop, prod-eu
        🟢 api is no longer OOM-killed. It was OOM-killed 4 times over 20 min; 9 of 12 pods are ready.
        🟠 still: checkout crash-loops, since 13:50 UTC (12 min), 7 times, 1 of 12 pods
        """
    )


def test_each_end_has_a_line_with_its_reason_and_how_long_it_was() -> None:
    alerts = [
        ended(before(oom_kill()), EndReason.RECOVERED),
        ended(before(crash_loop()), EndReason.DELETED),
        ended(before(failed_job()), EndReason.EXPIRED),
    ]
    assert told(*alerts, reason=SendReason.ALL_ENDED).splitlines()[1:] == [
        "🟢 api is no longer OOM-killed. It was OOM-killed 4 times over 20 min; 9 of 12 pods are ready.",
        "⚪ checkout: closed, its pods were deleted. It crashed 7 times over 12 min.",
        "⚪ import: closed, expired: it is no longer reported (after 2 min 30 s). A pod failed.",
    ]


def test_many_ends_are_counted_by_reason_and_named() -> None:
    good = [ended(before(one), EndReason.RECOVERED) for one in many(30)]
    gone = [ended(before(facts([crash_signal(workload=f"g{n}")], "X")), EndReason.DELETED) for n in range(2)]
    lines = told(*good, *gone, reason=SendReason.ALL_ENDED).splitlines()
    assert lines[0].startswith("⚪ 32 alerts have ended: ")
    assert lines[1].startswith("🟢 Recovered: 30 in shop (w0, w1, w2, ")
    assert lines[2] == "⚪ Closed, its pods were deleted: 2 in shop (g0, g1)"
    assert len(lines) == 3


def test_what_channels_edit_in_holds_everything_and_what_is_sent_anew_only_what_changed() -> None:
    over = ended(before(oom_kill()), EndReason.RECOVERED)
    notification = render(envelope(SendReason.SOME_ENDED), [over, before(crash_loop())])
    assert not any(isinstance(block, Heading) for block in changes(notification).blocks)
    whole = standing(notification)
    assert whole.heading.title == "1 of 2 alerts still fires: checkout crash-loops"
    assert [block.mark for block in whole.blocks if isinstance(block, Heading)] == [Mark.WARNING, Mark.RECOVERED]
    everything = render(envelope(SendReason.UPDATED), [over, before(crash_loop())])
    assert standing(everything) == changes(everything) == whole


# ---- repeats -----------------------------------------------------------------------------------------------------


def test_a_repeat_says_since_when_and_how_often_and_shows_no_log_again() -> None:
    assert told(before(oom_kill()), reason=SendReason.REPEAT) == text(
        """
        🟠 Still: api is OOM-killed — shop, prod-eu
        Container `app` was killed 4 times in 20 min for using more than its 512 Mi limit; last at 14:02:11 after running 3 min. 3 of 12 pods.
        Deployment api · namespace shop · cluster prod-eu · since 13:42 UTC · warning
        """  # noqa: E501
    )


def test_a_repeat_of_several_has_one_line_each() -> None:
    alerts = [before(one) for one in (oom_kill(), crash_loop(), image_not_found())]
    assert told(*alerts, reason=SendReason.REPEAT).splitlines()[1:] == [
        "🟠 api is OOM-killed, since 13:42 UTC (20 min), 4 times, 3 of 12 pods",
        "🟠 worker cannot start: image tag not found, since 09:14 UTC (4 h 48 min), 2 of 6 pods",
        "🟠 checkout crash-loops, since 13:50 UTC (12 min), 7 times, 1 of 12 pods",
    ]


def test_a_repeat_of_an_alert_that_only_its_rule_explains_says_what_the_rule_says_in_short() -> None:
    alert = changed(before(troubles.not_seen()), annotations={"summary": "It hurts"})
    assert told(alert, reason=SendReason.REPEAT).startswith("🟠 Still: It hurts — ")


def test_what_was_never_told_is_never_shortened() -> None:
    assert told(crash_loop(), reason=SendReason.REPEAT) == told(crash_loop())


# ---- told late ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alert", "reason", "title"),
    [
        (crash_loop(), EndReason.RECOVERED, "🟢 checkout was in a crash loop for 12 min and has recovered"),
        (oom_kill(), EndReason.RECOVERED, "🟢 api was OOM-killed for 20 min and has recovered"),
        (
            image_not_found(),
            EndReason.DELETED,
            "⚪ worker could not get its image for 4 h 48 min and was closed, its pods were deleted",
        ),
    ],
    ids=["is", "was killed", "cannot"],
)
def test_what_began_and_ended_unheard_is_one_line(alert: AlertFacts, reason: EndReason, title: str) -> None:
    lines = told(unheard(alert, reason), reason=SendReason.ALL_ENDED).splitlines()
    assert lines[0] == f"{title} — shop, prod-eu"
    assert len(lines) == 2
    assert lines[1].endswith(" to 14:02 UTC. You are told late because this receiver could not be reached.")


def test_beside_what_is_new_it_says_from_when_to_when_it_was() -> None:
    lines = told(oom_kill(), unheard(crash_loop(), EndReason.RECOVERED), reason=SendReason.NEW_ALERTS).splitlines()
    assert lines[-1] == (
        "🟢 checkout was in a crash loop from 13:50 to 14:02 UTC (12 min) and has recovered;"
        " you are told late because this receiver could not be reached."
    )


@pytest.mark.parametrize("count", [2, 30])
def test_several_say_once_that_they_are_late(count: int) -> None:
    lines = told(*(unheard(one, EndReason.RECOVERED) for one in many(count)), reason=SendReason.ALL_ENDED).splitlines()
    assert sum("could not be reached" in line for line in lines) == 1
    assert len(lines) <= 4
    assert f"w{count - 1}" in "\n".join(lines)
