"""Kubernetes' RBAC: which requests the rules of roles and bindings allow.

Read from the manifests themselves, so that what is deployed is what is tried out. The rules are those of
pkg/apis/rbac/v1/evaluation_helpers.go: a rule without names covers every name and those requests that have none; one
with names covers these alone, so that `create` and a plain `list` never are; `pods` does not cover `pods/log`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from watcher.demo.resources import JsonObject

ANY = "*"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as authorisation sees it."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of a role, as one binding puts it into force. `namespace`: "" is everywhere."""

    why: str
    namespace: str = ""
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()

    def covers(self, asked: Asked) -> bool:
        return (
            self.namespace in ("", asked.namespace)
            and _among(self.verbs, asked.verb)
            and _among(self.groups, asked.group)
            and self._of(asked)
            and (not self.names or asked.name in self.names)
        )

    def _of(self, asked: Asked) -> bool:
        if not asked.subresource:
            return _among(self.resources, asked.resource)
        whole, of_any = f"{asked.resource}/{asked.subresource}", f"{ANY}/{asked.subresource}"
        return _among(self.resources, whole) or of_any in self.resources


def _among(allowed: tuple[str, ...], one: str) -> bool:
    return ANY in allowed or one in allowed


def grants_of(documents: Iterable[JsonObject], account: str) -> tuple[Grant, ...]:
    """What bindings among these documents give the service account `namespace/name`.

    ValueError for a binding to a role that is not among them: a real server would take it, and grant nothing.
    """
    found = list(documents)
    roles = {_key(each): each for each in found if each["kind"] in ("Role", "ClusterRole")}
    bindings = [each for each in found if each["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    return tuple(grant for each in bindings if _is_bound(each, account) for grant in _granted(each, roles))


def _key(role: JsonObject) -> tuple[str, str, str]:
    metadata = role["metadata"]
    return role["kind"], metadata.get("namespace", "") if role["kind"] == "Role" else "", metadata["name"]


def _is_bound(binding: JsonObject, account: str) -> bool:
    subjects: list[dict[str, Any]] = binding.get("subjects") or []
    return any(
        one["kind"] == "ServiceAccount" and f"{one.get('namespace', '')}/{one['name']}" == account for one in subjects
    )


def _granted(binding: JsonObject, roles: dict[tuple[str, str, str], JsonObject]) -> Iterator[Grant]:
    kind, name = binding["kind"], binding["metadata"]["name"]
    namespace = binding["metadata"].get("namespace", "") if kind == "RoleBinding" else ""
    reference = binding["roleRef"]
    role = (reference["kind"], namespace if reference["kind"] == "Role" else "", reference["name"])
    if role not in roles:
        raise ValueError(f"{kind} {name} refers to {reference['kind']} {reference['name']}, which is not there")
    for rule in roles[role].get("rules") or ():
        yield Grant(
            why=f'RBAC: allowed by {kind} "{name}" of {reference["kind"]} "{reference["name"]}"',
            namespace=namespace,
            groups=tuple(rule.get("apiGroups") or ()),
            resources=tuple(rule.get("resources") or ()),
            verbs=tuple(rule["verbs"]),
            names=tuple(rule.get("resourceNames") or ()),
        )
