"""Rule tests: what is observed when, and which alerts fire then (design.md section 5).

`parse_tests` reads a file, with all its errors at once; `inputs` makes of one test what the core is told. Running it
is the replay's affair, reading the files that a test names (`rule_files`, `file`) the settings'; `mismatches` compares
what fired with what was expected. Times count from `START`, which is `0s`.

Observations with `first_sight: true` are the list of the cluster when Watcher starts; the others come after it, so a
test without any begins with an empty cluster, and every death in it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from watcher.lib.problems import Problem
from watcher.lib.shapes import Duration, Shape, shape_problems
from watcher.lib.yamlpos import Document, Path
from watcher.model.kube import Pod
from watcher.model.observations import EventType, Input, Listing, PodSeen, Scope, Synced
from watcher.rules.testpod import START, PodShape, Timeline, build_pod

PODS: Final = Scope(kind="Pod")

ReadPod = Callable[[str, int | str | None], Pod]
"""Gives the pod for an observation's `file` and `item`."""


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a test: a pod, a pod out of a file, or the name of a pod that is deleted."""

    at: datetime
    first_sight: bool = False
    pod: Pod | None = None
    file: str = ""
    item: int | str | None = None
    """Which object of a file's list: its number from 0, or its name."""
    deleted: str = ""
    """namespace/name"""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fires. Empty and None: not asked."""

    alert: str
    namespace: str = ""
    workload: str = ""
    container: str = ""
    members: int | None = None

    def __str__(self) -> str:
        asked = {name: getattr(self, name) for name in ("namespace", "workload", "container", "members")}
        told = ", ".join(f"{name} {value}" for name, value in asked.items() if value not in ("", None))
        return f"{self.alert} ({told})" if told else self.alert


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An alert told by a notification: that it fires, or that it ended and why."""

    alert: str
    status: str = "firing"
    reason: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.alert, self.status, self.reason)))


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """At this time, after the observations of that instant, exactly these fire.

    `notified`: each alert of each notification since the last expectation that asked, in order; None: not asked.
    """

    at: datetime
    firing: tuple[Expected, ...]
    notified: tuple[Sent, ...] | None = None


class RuleTest(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    reason: str = ""
    """Why this must fire, or must not."""
    rule_files: tuple[str, ...]
    """As written: relative to the test's file."""
    observations: tuple[Observation, ...]
    expectations: tuple[Expectation, ...]


def _named(value: Any) -> Any:
    return {"alert": value} if isinstance(value, str) else value


def _item(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str | None):
        raise ValueError("must be the object's number in its list, from 0, or its name")
    return value


class ExpectedShape(Shape):
    alert: str
    namespace: str = ""
    workload: str = ""
    container: str = ""
    members: int | None = None


class SentShape(Shape):
    alert: str
    status: str = "firing"
    reason: str = ""


class ExpectShape(Shape):
    at: Duration
    firing: list[Annotated[ExpectedShape, BeforeValidator(_named)]]
    notified: list[Annotated[SentShape, BeforeValidator(_named)]] | None = None


class ObservationShape(Shape):
    at: Duration
    first_sight: bool = False
    pod: Any = None
    file: str = ""
    item: Annotated[Any, AfterValidator(_item)] = None
    deleted: str = ""


class CaseShape(Shape):
    name: str
    reason: str = ""
    observations: list[ObservationShape] = Field(min_length=1)
    expect: list[ExpectShape] = Field(min_length=1)


class FileOfTestsShape(Shape):
    rule_files: list[str]
    tests: list[Any]


def parse_tests(document: Document) -> tuple[tuple[RuleTest, ...], list[Problem]]:
    """The tests of a file, and everything that is wrong with it; with problems, run none of the tests."""
    problems: list[Problem] = []
    try:
        shape = FileOfTestsShape.model_validate(document.data)
    except ValidationError as error:
        return (), shape_problems(error, document, FileOfTestsShape, ())
    tests = []
    names: set[str] = set()
    for index, data in enumerate(shape.tests):
        test = _test(document, ("tests", index), data, tuple(shape.rule_files), problems)
        if test is None:
            continue
        if test.name in names:
            problems.append(document.problem(("tests", index, "name"), "another test has this name already"))
        names.add(test.name)
        tests.append(test)
    return tuple(tests), problems


def inputs(test: RuleTest, read: ReadPod) -> list[Input]:
    """What the core is told, in order. Raises LookupError where a pod is deleted that was never seen."""
    first = [each for each in test.observations if each.first_sight]
    listed_from, listed_until = (first[0].at, first[-1].at) if first else (START, START)
    known: dict[str, Pod] = {}
    listed = [_seen(each, known, read) for each in first]
    later = [_seen(each, known, read) for each in test.observations[len(first) :]]
    return [Listing(at=listed_from, scope=PODS), *listed, Synced(at=listed_until, scope=PODS), *later]


def mismatches(expectation: Expectation, firing: Sequence[Expected]) -> tuple[str, ...]:
    """What differs, in sentences; empty where exactly what was expected fires. `firing` has every field set."""
    left = list(firing)
    found = []
    for expected in sorted(expectation.firing, key=lambda each: -len(str(each))):
        match = next((each for each in left if _fits(expected, each)), None)
        if match is None:
            found.append(f"{expected} does not fire")
        else:
            left.remove(match)
    return (*found, *(f"{each} fires, which is not expected" for each in left))


def _fits(expected: Expected, alert: Expected) -> bool:
    asked = [(value, getattr(alert, name)) for name, value in msgspec.structs.asdict(expected).items()]
    return all(value in ("", None) or value == real for value, real in asked)


def _seen(observation: Observation, known: dict[str, Pod], read: ReadPod) -> PodSeen:
    """The input for one observation; `known` is what the test has shown so far, by namespace/name."""
    at = observation.at
    if observation.deleted:
        if observation.deleted not in known:
            raise LookupError(f"there is no pod {observation.deleted} to delete")
        return PodSeen(at=at, event=EventType.DELETED, scope=PODS, pod=known.pop(observation.deleted))
    pod = observation.pod or read(observation.file, observation.item)
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    before = known.get(name)
    known[name] = pod
    if observation.first_sight:
        return PodSeen(at=at, event=EventType.LISTED, scope=PODS, pod=pod)
    same = before is not None and before.metadata.uid == pod.metadata.uid
    return PodSeen(at=at, event=EventType.MODIFIED if same else EventType.ADDED, scope=PODS, pod=pod)


def _test(
    document: Document, path: Path, data: Any, rule_files: tuple[str, ...], problems: list[Problem]
) -> RuleTest | None:
    try:
        shape = CaseShape.model_validate(data)
    except ValidationError as error:
        problems.extend(shape_problems(error, document, CaseShape, path))
        shape = None
    timeline = Timeline()
    observations = []
    for index, each in enumerate(_items(data, "observations")):
        found = _observation(document, (*path, "observations", index), each, timeline, problems)
        if found is not None:
            observations.append(found)
    if shape is None:
        return None
    problems.extend(_order(document, path, shape))
    return RuleTest(
        name=shape.name,
        reason=shape.reason,
        rule_files=rule_files,
        observations=tuple(observations),
        expectations=tuple(map(_expectation, shape.expect)),
    )


def _observation(
    document: Document, path: Path, data: Any, timeline: Timeline, problems: list[Problem]
) -> Observation | None:
    """Its shape is checked with its test's; here only what that cannot see."""
    try:
        shape = ObservationShape.model_validate(data)
    except ValidationError:
        return None
    given = [name for name in ("pod", "file", "deleted") if data.get(name) is not None]
    if len(given) != 1:
        problems.append(document.problem(path, "an observation has one of pod, file and deleted"))
        return None
    at = START + shape.at
    pod = None
    if shape.pod is not None:
        pod = _pod(document, (*path, "pod"), shape, timeline, problems)
        if pod is None:
            return None
    deleted = shape.deleted if "/" in shape.deleted or not shape.deleted else f"default/{shape.deleted}"
    return Observation(at=at, first_sight=shape.first_sight, pod=pod, file=shape.file, item=shape.item, deleted=deleted)


def _pod(
    document: Document, path: Path, shape: ObservationShape, timeline: Timeline, problems: list[Problem]
) -> Pod | None:
    if isinstance(shape.pod, dict) and "metadata" in shape.pod:
        try:
            return msgspec.convert(shape.pod, Pod)
        except msgspec.ValidationError as error:
            problems.append(document.problem(path, f"this is no pod: {error}"))
            return None
    try:
        pod = PodShape.model_validate(shape.pod)
    except ValidationError as error:
        problems.extend(shape_problems(error, document, PodShape, path))
        return None
    return build_pod(pod, START + shape.at, timeline, first_sight=shape.first_sight)


def _order(document: Document, path: Path, shape: CaseShape) -> Iterator[Problem]:
    """Time does not go back; what is there at first sight is listed first; what is deleted was there."""
    for key, entries in (("observations", shape.observations), ("expect", shape.expect)):
        for index in range(1, len(entries)):
            if entries[index].at < entries[index - 1].at:
                yield document.problem((*path, key, index, "at"), "time does not go back: put this one earlier")
    listing = True
    there: set[str] = set()
    for index, each in enumerate(shape.observations):
        here = (*path, "observations", index)
        if each.first_sight and (not listing or each.deleted):
            yield document.problem((*here, "first_sight"), "what is there at first sight comes first, and is there")
        listing = listing and each.first_sight
        name = each.deleted if "/" in each.deleted or not each.deleted else f"default/{each.deleted}"
        if name and name not in there and not any(other.file for other in shape.observations[:index]):
            yield document.problem((*here, "deleted"), f"there is no pod {name} before this: nothing to delete")
        there = (there - {name}) | _names(each.pod)


def _names(pod: Any) -> set[str]:
    meta = pod.get("metadata", pod) if isinstance(pod, dict) else {}
    name = meta.get("name") if isinstance(meta, dict) else None
    return {f"{meta.get('namespace') or 'default'}/{name}"} if name else set()


def _expectation(shape: ExpectShape) -> Expectation:
    notified = shape.notified
    return Expectation(
        at=START + shape.at,
        firing=tuple(Expected(**each.model_dump()) for each in shape.firing),
        notified=None if notified is None else tuple(Sent(**each.model_dump()) for each in notified),
    )


def _items(data: Any, key: str) -> list[Any]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, list) else []
