"""Rule tests: what is observed when, and which alerts fire then (design.md section 5).

`parse_tests` reads a file, with all its errors at once; `testinputs.py` makes of a test what the core is told, and
`testpod.py`, `testobjects.py` and `testsample.py` of the short forms real objects. Running a test is the replay's
affair, reading the files that it names (`rule_files`, `file`) the settings'; `mismatches` compares what fired with what
was expected. Times count from `START`, which is `0s`.

Observations with `first_sight: true` are the list of the cluster when Watcher starts; the others come after it, so a
test without any begins with an empty cluster, and every death in it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from watcher.lib.problems import Problem
from watcher.lib.shapes import Duration, Shape, shape_problems
from watcher.lib.yamlpos import Document, Path
from watcher.model.kube import Event, KubeObject, Namespace, Node, PersistentVolumeClaim, Pod
from watcher.model.observations import StatsSampled, StreamHealth
from watcher.rules.testobjects import (
    ClaimShape,
    EventShape,
    NamespaceShape,
    NodeShape,
    build_claim,
    build_event,
    build_namespace,
    build_node,
)
from watcher.rules.testpod import START, PodShape, Timeline, build_pod
from watcher.rules.testsample import SampleShape, StreamShape, build_sample, build_stream


class _Form(NamedTuple):
    """How an object is written: its short form, and the whole object."""

    shape: type[Shape]
    type: type[KubeObject]
    build: Callable[..., KubeObject]
    namespaced: bool = True


FORMS: Final = {
    "pod": _Form(PodShape, Pod, build_pod),
    "claim": _Form(ClaimShape, PersistentVolumeClaim, build_claim),
    "node": _Form(NodeShape, Node, build_node, namespaced=False),
    "namespace": _Form(NamespaceShape, Namespace, build_namespace, namespaced=False),
    "event": _Form(EventShape, Event, build_event),
}
_GIVEN: Final = (*FORMS, "sample", "stream", "file", "deleted")
_DELETABLE: Final = ("pod", "claim", "node", "namespace")


class Target(msgspec.Struct, frozen=True):
    """An object of a test, by its name. `form`: a key of FORMS."""

    form: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.form} {self.namespace}/{self.name}" if self.namespace else f"{self.form} {self.name}"

    @classmethod
    def of(cls, text: str) -> Target:
        """Of `web-1`, `shop/web-1`, `claim/data`, `claim/shop/data`, `node/n1`."""
        form, slash, rest = text.partition("/")
        if not slash or form not in _DELETABLE:
            form, rest = "pod", text
        namespace, slash, name = rest.rpartition("/")
        return cls(form, (namespace or "default") if FORMS[form].namespaced else "", name)


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a test: an object, one out of a file, the name of one that is deleted, or what is no object."""

    at: datetime
    first_sight: bool = False
    object: KubeObject | None = None
    file: str = ""
    item: int | str | None = None
    """Which object of a file's list: its number from 0, or its name."""
    deleted: Target | None = None
    told: StatsSampled | StreamHealth | None = None


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fires. Empty and None: not asked."""

    alert: str
    namespace: str = ""
    workload: str = ""
    container: str = ""
    claim: str = ""
    node: str = ""
    members: int | None = None

    def __str__(self) -> str:
        asked = {name: getattr(self, name) for name in self.__struct_fields__ if name != "alert"}
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
    claim: str = ""
    node: str = ""
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
    claim: Any = None
    node: Any = None
    namespace: Any = None
    event: Any = None
    sample: Any = None
    stream: Any = None
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


_S = TypeVar("_S", bound=Shape)


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
    given = [name for name in _GIVEN if data.get(name) is not None]
    if len(given) != 1:
        names = f"{', '.join(_GIVEN[:-1])} and {_GIVEN[-1]}"
        problems.append(document.problem(path, f"an observation has one of {names}"))
        return None
    (name,) = given
    seen = Observation(
        at=START + shape.at,
        first_sight=shape.first_sight,
        file=shape.file,
        item=shape.item,
        deleted=Target.of(shape.deleted) if shape.deleted else None,
    )
    here = (*path, name)
    if name in FORMS:
        found = _object(document, here, data[name], (shape, timeline), problems)
        return msgspec.structs.replace(seen, object=found) if found is not None else None
    if name == "sample":
        sample = _shaped(SampleShape, document, here, data[name], problems)
        return msgspec.structs.replace(seen, told=build_sample(sample, seen.at)) if sample is not None else None
    if name == "stream":
        stream = _shaped(StreamShape, document, here, data[name], problems)
        return msgspec.structs.replace(seen, told=build_stream(stream, seen.at)) if stream is not None else None
    return seen


def _object(
    document: Document, path: Path, data: Any, about: tuple[ObservationShape, Timeline], problems: list[Problem]
) -> KubeObject | None:
    """The object at `path`, whose last part names its form."""
    form, (observation, timeline) = FORMS[str(path[-1])], about
    if isinstance(data, dict) and "metadata" in data:
        try:
            return msgspec.convert(data, form.type)
        except msgspec.ValidationError as error:
            problems.append(document.problem(path, f"this is no {path[-1]}: {error}"))
            return None
    shape = _shaped(form.shape, document, path, data, problems)
    if shape is None:
        return None
    return form.build(shape, START + observation.at, timeline, first_sight=observation.first_sight)


def _shaped(model: type[_S], document: Document, path: Path, data: Any, problems: list[Problem]) -> _S | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems.extend(shape_problems(error, document, model, path))
        return None


def _order(document: Document, path: Path, shape: CaseShape) -> Iterator[Problem]:
    """Time does not go back; what is there at first sight is listed first; what is deleted was there."""
    for key, entries in (("observations", shape.observations), ("expect", shape.expect)):
        for index in range(1, len(entries)):
            if entries[index].at < entries[index - 1].at:
                yield document.problem((*path, key, index, "at"), "time does not go back: put this one earlier")
    listing = True
    there: set[Target] = set()
    for index, each in enumerate(shape.observations):
        here = (*path, "observations", index)
        is_object = not each.deleted and each.sample is None and each.stream is None
        if each.first_sight and not (listing and is_object):
            yield document.problem((*here, "first_sight"), "what is there at first sight comes first, and is there")
        listing = listing and each.first_sight
        gone = Target.of(each.deleted) if each.deleted else None
        if gone is not None and gone not in there and not any(other.file for other in shape.observations[:index]):
            yield document.problem((*here, "deleted"), f"there is no {gone} before this: nothing to delete")
        there = (there - {gone}) | _names(each)


def _names(observation: ObservationShape) -> set[Target]:
    """What it shows, as it can be deleted."""
    for form in _DELETABLE:
        data = getattr(observation, form)
        meta = data.get("metadata", data) if isinstance(data, dict) else {}
        name = meta.get("name") if isinstance(meta, dict) else None
        if name:
            namespace = str(meta.get("namespace") or "default") if FORMS[form].namespaced else ""
            return {Target(form, namespace, str(name))}
    return set()


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
