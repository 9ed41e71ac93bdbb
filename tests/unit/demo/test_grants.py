"""RBAC as Kubernetes evaluates it: which requests roles and bindings allow."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from watcher.demo.access import Access
from watcher.demo.grants import Asked, grants_of
from watcher.demo.resources import JsonObject
from watcher.demo.status import ApiError

ROLES = """
kind: ClusterRole
metadata: {name: reader}
rules:
  - {apiGroups: [""], resources: [pods, nodes], verbs: [get, list]}
  - {apiGroups: [apps], resources: ["*/scale"], verbs: ["*"]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [watcher], verbs: [get, update, create]}
---
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: watcher, namespace: watcher}]
---
kind: Role
metadata: {name: logs, namespace: shop}
rules: [{apiGroups: [""], resources: [pods/log], verbs: [get]}]
---
kind: RoleBinding
metadata: {name: logs, namespace: shop}
roleRef: {kind: Role, name: logs}
subjects: [{kind: ServiceAccount, name: watcher, namespace: watcher}]
---
kind: ClusterRole
metadata: {name: everything}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
kind: RoleBinding
metadata: {name: everything, namespace: own}
roleRef: {kind: ClusterRole, name: everything}
subjects: [{kind: ServiceAccount, name: watcher, namespace: watcher}]
---
kind: ClusterRoleBinding
metadata: {name: somebody}
roleRef: {kind: ClusterRole, name: everything}
subjects: [{kind: ServiceAccount, name: watcher, namespace: other}, {kind: User, name: watcher}]
"""
DOCUMENTS: list[JsonObject] = list(yaml.safe_load_all(ROLES))


def access() -> Access:
    made = Access()
    made.bind(DOCUMENTS)
    return made


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        pytest.param({"verb": "list", "resource": "pods"}, True, id="granted in the cluster"),
        pytest.param({"verb": "list", "resource": "pods", "namespace": "shop"}, True, id="and so in a namespace"),
        pytest.param({"verb": "watch", "resource": "pods"}, False, id="another verb"),
        pytest.param({"verb": "list", "resource": "secrets"}, False, id="another resource"),
        pytest.param({"verb": "list", "resource": "pods", "group": "metrics.k8s.io"}, False, id="another group"),
        pytest.param(
            {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "bank"},
            False,
            id="a subresource is not covered by its resource",
        ),
        pytest.param(
            {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "shop"},
            True,
            id="a role's namespace",
        ),
        pytest.param({"verb": "get", "resource": "pods", "subresource": "log"}, False, id="a role is not the cluster"),
        pytest.param(
            {"verb": "patch", "resource": "deployments", "group": "apps", "subresource": "scale"},
            True,
            id="one subresource of every resource",
        ),
        pytest.param(
            {"verb": "update", "resource": "leases", "group": "coordination.k8s.io", "name": "watcher"},
            True,
            id="the one name",
        ),
        pytest.param(
            {"verb": "update", "resource": "leases", "group": "coordination.k8s.io", "name": "other"},
            False,
            id="another name",
        ),
        pytest.param(
            {"verb": "create", "resource": "leases", "group": "coordination.k8s.io"},
            False,
            id="create has no name, so a rule with names never covers it",
        ),
        pytest.param(
            {"verb": "delete", "resource": "anything", "namespace": "own"}, True, id="a cluster role in one namespace"
        ),
        pytest.param({"verb": "delete", "resource": "anything"}, False, id="and not beyond"),
        pytest.param({"verb": "*", "resource": "*", "group": "*"}, False, id="everything is not granted"),
        pytest.param({"verb": "*", "resource": "*", "group": "*", "namespace": "own"}, True, id="but in one namespace"),
    ],
)
def test_a_request_is_allowed_if_a_rule_that_is_in_force_covers_it(asked: dict[str, str], allowed: bool) -> None:
    assert access().allows(Asked(**asked)) is allowed


def test_a_binding_to_a_role_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="RoleBinding logs refers to Role logs"):
        grants_of([one for one in DOCUMENTS if one["kind"] != "Role"], "watcher/watcher")


def test_without_roles_everything_is_allowed_but_what_is_denied() -> None:
    made = Access()
    made.deny(resource="nodes")
    assert made.allows(Asked(verb="delete", resource="pods"))
    assert not made.allows(Asked(verb="get", resource="nodes"))


def test_what_is_denied_is_denied_though_a_role_grants_it() -> None:
    made = access()
    made.deny(resource="pods", verb="list")
    assert not made.allows(Asked(verb="list", resource="pods"))
    assert made.allows(Asked(verb="get", resource="pods"))


def reviewed(made: Access, **spec: Any) -> JsonObject:
    status: JsonObject = made.review({"spec": spec})["status"]
    return status


def test_a_review_answers_as_the_path_itself_would_and_says_why() -> None:
    made = access()
    assert reviewed(made, resourceAttributes={"verb": "list", "resource": "pods"}) == {
        "allowed": True,
        "reason": 'RBAC: allowed by ClusterRoleBinding "reader" of ClusterRole "reader"',
    }
    assert reviewed(made, resourceAttributes={"verb": "watch", "resource": "pods"}) == {"allowed": False}


def test_a_review_of_a_path_that_is_no_resource_is_answered_too() -> None:
    asked = {"verb": "get", "path": "/metrics"}
    assert reviewed(Access(), nonResourceAttributes=asked)["allowed"]
    assert not reviewed(access(), nonResourceAttributes=asked)["allowed"]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"verb": "get"}}, id="both"),
    ],
)
def test_a_review_that_asks_no_one_thing_is_refused(spec: JsonObject) -> None:
    with pytest.raises(ApiError, match="exactly one") as error:
        access().review({"spec": spec})
    assert error.value.code == 422


def test_a_kubelet_asks_whether_its_statistics_may_be_read() -> None:
    made = access()
    assert made.kubelet_code("Bearer kubelet-token") == 403
    made.grants = None
    assert made.kubelet_code("Bearer kubelet-token") == 200
    assert made.kubelet_code("Bearer unknown") == 401
