"""Hints by annotations: what counts where, what is a mistake and how it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watcher.detect.hints import Known, known, read
from watcher.model.config import HintRule
from watcher.model.hints import Hints, Mistake
from watcher.model.identity import Workload

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
API = Workload("shop", "Deployment", "api")
EVERYTHING = frozenset(("ignore", "receiver", "mute-until"))
ALLOWED = HintRule(namespaces=("shop", "team-*"), allow=EVERYTHING)
KNOWN = Known(
    rules=(ALLOWED,),
    names=frozenset(("CrashLooping", "OOMKilled", "ContainerCrashLooping", "PodPending")),
    receivers=frozenset(("shop", "ops")),
)


def hints(
    pod: dict[str, str] | None = None,
    namespace: dict[str, str] | None = None,
    workload: Workload = API,
    what: Known = KNOWN,
) -> Hints:
    """Keys without their prefix."""
    own, above = ({f"watcher.io/{key}": value for key, value in (each or {}).items()} for each in (pod, namespace))
    return read(what, AT, workload, own, above)


def problems(found: Hints) -> list[str]:
    return [f"{mistake.object} {mistake.annotation}: {mistake.problem}" for mistake in found.mistakes]


def test_without_annotations_there_is_nothing() -> None:
    assert read(KNOWN, AT, API, None, None) == Hints()
    assert read(KNOWN, AT, API, {"prometheus.io/scrape": "true"}, {"watcher.ioo/ignore": "all"}) == Hints()


def test_all_hints_that_are_allowed_count() -> None:
    found = hints(
        {"runbook": "https://wiki.example.org/api", "ignore": "CrashLooping, PodPending"},
        {"receiver": "shop", "mute-until": "2026-11-20T14:00:00+01:00"},
    )
    assert found.runbook == "https://wiki.example.org/api"
    assert found.ignore == {"CrashLooping", "PodPending"}
    assert found.ignored_by == "watcher.io/ignore=CrashLooping, PodPending on Deployment api"
    assert found.receiver == "shop"
    assert found.mute_until == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert found.applied == (
        "watcher.io/runbook=https://wiki.example.org/api on Deployment api",
        "watcher.io/receiver=shop on Namespace shop",
        "watcher.io/mute-until=2026-11-20T14:00:00+01:00 on Namespace shop",
    )
    assert found.mistakes == ()


@pytest.mark.parametrize("hint", ["ignore", "receiver", "mute-until"])
def test_by_default_only_a_runbook_counts_and_the_others_are_mistakes(hint: str) -> None:
    value = {"ignore": "all", "receiver": "shop", "mute-until": "2026-11-21T00:00:00Z"}[hint]
    found = hints({"runbook": "http://wiki/", hint: value}, what=Known(names=KNOWN.names, receivers=KNOWN.receivers))
    assert found.runbook == "http://wiki/"
    assert (found.ignore, found.receiver, found.mute_until) == (frozenset(), "", None)
    assert problems(found) == [
        f"Deployment api watcher.io/{hint}: not allowed in this namespace: the configuration's `hints` decide"
    ]


ALLOWANCES = {
    "by name": ("shop", True),
    "by pattern": ("team-blue", True),
    "another": ("shopping", False),
}


@pytest.mark.parametrize(("namespace", "counts"), ALLOWANCES.values(), ids=ALLOWANCES.keys())
def test_what_is_allowed_depends_on_the_namespace(namespace: str, counts: bool) -> None:
    found = hints({"ignore": "all"}, workload=Workload(namespace, "Deployment", "api"))
    assert found.ignores("CrashLooping", "Any") is counts
    assert bool(found.mistakes) is not counts


def test_what_several_rules_allow_adds_up() -> None:
    rules = tuple(HintRule(namespaces=("*",), allow=frozenset((name,))) for name in ("ignore", "receiver"))
    found = hints({"ignore": "all", "receiver": "ops"}, what=Known(rules=rules, receivers=KNOWN.receivers))
    assert (set(found.ignore), found.receiver, found.mistakes) == ({"all"}, "ops", ())


def test_the_nearest_wins_for_each_hint_by_itself() -> None:
    found = hints({"receiver": "shop"}, {"receiver": "ops", "ignore": "OOMKilled"})
    assert (found.receiver, set(found.ignore)) == ("shop", {"OOMKilled"})


def test_a_nearer_hint_that_is_wrong_is_not_replaced_by_a_farther_one() -> None:
    found = hints({"receiver": "shopp"}, {"receiver": "ops"})
    assert found.receiver == ""
    assert problems(found) == ["Deployment api watcher.io/receiver: there is no receiver shopp; did you mean shop?"]


IGNORED = {
    "the signal": ("OOMKilled", True),
    "the alert": ("ContainerOOMKilled", False),
    "all": ("all", True),
    "all and more": ("CrashLooping,all", True),
    "others": ("CrashLooping,PodPending", False),
}


@pytest.mark.parametrize(("value", "ignored"), IGNORED.values(), ids=IGNORED.keys())
def test_what_is_ignored(value: str, ignored: bool) -> None:
    assert hints({"ignore": value}).ignores("OOMKilled", "SomeAlert") is ignored


def test_an_alert_can_be_ignored_by_its_name() -> None:
    found = hints({"ignore": "ContainerCrashLooping"})
    assert found.ignores("CrashLooping", "ContainerCrashLooping")
    assert not found.ignores("CrashLooping", "ContainerRestartingOften")


NO_TIME = "must be a time with its zone, such as 2026-11-20T18:00:00Z"
MISTAKES = {
    "an unknown signal": (
        "ignore", "CrashLoping", "there is no signal or alert CrashLoping; did you mean CrashLooping?"
    ),
    "several": ("ignore", "Foo!, Bar!", "there is no signal or alert Foo! (nor 1 more)"),
    "all in capitals": ("ignore", "ALL", "there is no signal or alert ALL; did you mean all?"),
    "no name": ("ignore", " , ", "names nothing: write names of signals or alerts, or all"),
    "no receiver": ("receiver", "", "names no receiver"),
    "a strange receiver": ("receiver", "zzz\u202e@here", "there is no receiver zzz@here"),
    "a date": ("mute-until", "2026-11-21", NO_TIME),
    "without a zone": ("mute-until", "2026-11-21T10:00:00", NO_TIME),
    "no such day": ("mute-until", "2026-11-31T10:00:00Z", NO_TIME),
    "out of range": (
        "mute-until", "9999-12-31T23:59:59-12:00", NO_TIME
    ),
    "a path": ("runbook", "/wiki/api", "must be an http or https URL"),
    "a script": ("runbook", "javascript:alert(1)", "must be an http or https URL"),
    "no host": ("runbook", "https:///x", "must be an http or https URL"),
    "markup": ("runbook", "https://x/|<!channel>", "must be an http or https URL"),
    "broken brackets": ("runbook", "https://[::1", "must be an http or https URL"),
    "a password": ("runbook", "https://u:hunter2@wiki/", "must not hold a user name or a password"),
    "long": ("runbook", "https://wiki/" + "x" * 2000, "is longer than 2000 characters"),
    "long names": ("ignore", "a," * 100_000, "is longer than 2000 characters"),
    "a misspelt hint": ("ignored", "all", "there is no such hint; did you mean watcher.io/ignore?"),
    "a strange hint": ("xyz", "1", "there is no such hint: known are runbook, ignore, receiver, mute-until"),
}  # fmt: skip


@pytest.mark.parametrize(("hint", "value", "problem"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_said_and_does_nothing(hint: str, value: str, problem: str) -> None:
    found = hints(namespace={hint: value})
    assert found.mistakes == (
        Mistake(namespace="shop", object="Namespace shop", annotation=f"watcher.io/{hint}", problem=problem),
    )
    assert without_mistakes(found) == Hints()
    assert "hunter2" not in str(found)


def without_mistakes(found: Hints) -> Hints:
    return Hints(
        runbook=found.runbook, ignore=found.ignore, ignored_by=found.ignored_by, receiver=found.receiver,
        mute_until=found.mute_until, applied=found.applied,
    )  # fmt: skip


def test_beside_a_name_that_is_wrong_the_right_ones_count() -> None:
    found = hints({"ignore": "OOMKilled,CrashLoping"})
    assert found.ignore == {"OOMKilled"}
    assert len(found.mistakes) == 1


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=30)], ids=["now", "long ago"])
def test_a_mute_that_is_over_is_no_mistake_and_not_applied(ago: timedelta) -> None:
    found = hints({"mute-until": (AT - ago).isoformat()})
    assert found == Hints()


@pytest.mark.parametrize(
    "form", ["2026-11-20T18:00:00Z", "2026-11-20t18:00:00z", "2026-11-20T18:00Z", "2026-11-20T18:00:00.0Z"]
)
def test_forms_of_a_time(form: str) -> None:
    assert hints({"mute-until": form}).mute_until == datetime(2026, 11, 20, 18, tzinfo=UTC)


def test_mistakes_of_one_object_are_bounded() -> None:
    found = hints({f"x{number}": "" for number in range(1000)})
    assert len(found.mistakes) == 5


def test_values_are_short_and_clean_where_they_are_told() -> None:
    found = hints({"runbook": "https://wiki/?token=hunter2hunter2&" + "x" * 500})
    assert len(found.applied[0]) < 150
    assert "hunter2" not in found.applied[0]


def test_names_are_those_of_signals_and_of_the_rules_alerts() -> None:
    made = known((ALLOWED,), (), ["ops"])
    assert {"CrashLooping", "PodFailed", "NodeNotReady"} <= made.names
    assert (made.rules, set(made.receivers)) == ((ALLOWED,), {"ops"})
