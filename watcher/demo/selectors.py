"""Label and field selectors, compiled once to a test of an object.

Kubernetes' grammar (apimachinery labels and fields): `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`,
joined by commas. Which fields can be selected differs by kind; an unknown one is a 400 with the real server's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from watcher.demo.resources import JsonObject, Resource
from watcher.demo.status import bad_request

Test = Callable[[JsonObject], bool]

_SET = re.compile(r"^([^\s!,=()]+)\s+(in|notin)\s+\(([^)]*)\)$")
_EQUAL = re.compile(r"^([^\s!=]+)\s*(==|!=|=)\s*(\S*)$")
_PRESENT = re.compile(r"^(!?)\s*([^\s!=(),]+)$")
_SPLIT = re.compile(r",(?![^(]*\))")

_METADATA = {"metadata.name", "metadata.namespace"}
_FIELDS: dict[str, set[str]] = {
    "pods": {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    },
    "events": {
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    },
    "nodes": {"spec.unschedulable"},
    "namespaces": {"status.phase"},
}


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled pair of selectors. `name` is set when the fields ask for exactly one name."""

    tests: tuple[Test, ...] = ()
    name: str = ""

    def __bool__(self) -> bool:
        return bool(self.tests)

    def matches(self, item: JsonObject) -> bool:
        return all(test(item) for test in self.tests)


EVERYTHING = Selector()


def parse_selector(resource: Resource, labels: str, fields: str) -> Selector:
    """Compile `labelSelector` and `fieldSelector`; ApiError 400 when one cannot be read."""
    tests = [_label_test(term.strip()) for term in _SPLIT.split(labels) if term.strip()]
    name = ""
    for term in filter(None, (part.strip() for part in fields.split(","))):
        field, negated, value = _field_term(resource, term)
        tests.append(_field_test(field, negated, value))
        if field == "metadata.name" and not negated:
            name = value
    return Selector(tests=tuple(tests), name=name)


def _labels(item: JsonObject) -> dict[str, str]:
    return item.get("metadata", {}).get("labels") or {}


def _label_test(term: str) -> Test:
    if found := _SET.match(term):
        key, operator, raw = found.groups()
        values = {value.strip() for value in raw.split(",")}
        if operator == "in":
            return lambda item: _labels(item).get(key) in values
        return lambda item: _labels(item).get(key) not in values
    if found := _EQUAL.match(term):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda item: _labels(item).get(key) != value
        return lambda item: _labels(item).get(key) == value
    if found := _PRESENT.match(term):
        absent, key = found.groups()
        return lambda item: (key in _labels(item)) != bool(absent)
    raise bad_request(f"unable to parse requirement: found '{term}'")


def _field_term(resource: Resource, term: str) -> tuple[str, bool, str]:
    found = _EQUAL.match(term)
    if found is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    field, operator, value = found.groups()
    if field not in _METADATA and field not in _FIELDS.get(resource.plural, set()):
        raise bad_request(f"field label not supported: {field}")
    return field, operator == "!=", value


def _field_test(field: str, negated: bool, value: str) -> Test:
    path = field.split(".")

    def test(item: JsonObject) -> bool:
        return (_field(item, path) == value) != negated

    return test


def _field(item: JsonObject, path: list[str]) -> str:
    """Absent fields compare as the empty string; an event's `source` is its component."""
    if path == ["source"]:
        path = ["source", "component"]
    value: object = item
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "false" if value is None and path[-1] in ("hostNetwork", "unschedulable") else str(value or "")
