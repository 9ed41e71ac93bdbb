"""What configurations need of the API server, as a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.model.config import VolumesConfig, WatchConfig
from watcher.source.client import Places
from watcher.source.rbac import Finding, own_namespace
from watcher.source.rights import DANGERS, EVERYTHING, EVERYWHERE, Need, Right, Weight, needs, rights_of

WHOLE = WatchConfig()
SHOP = WatchConfig(namespaces=("shop", "billing"))


def asked(watch: WatchConfig, source: str = "kubelet", lease: tuple[str, str] | None = None) -> dict[str, Need]:
    return {
        f"{','.join(need.verbs)} {need.resource}": need for need in needs(watch, VolumesConfig(source=source), lease)
    }


def test_pods_alone_are_required() -> None:
    assert [name for name, need in asked(WHOLE).items() if need.weight is Weight.REQUIRED] == ["list,watch pods"]


def test_nothing_that_writes_is_needed_without_a_lease() -> None:
    assert {verb for need in asked(WHOLE).values() for verb in need.verbs} == {"get", "list", "watch"}


@pytest.mark.parametrize(
    ("source", "resource"),
    [
        pytest.param("kubelet", {"nodes/stats"}, id="kubelets"),
        pytest.param("apiserver", {"nodes/proxy"}, id="the API server's proxy"),
        pytest.param("none", set(), id="none"),
    ],
)
def test_volumes_are_asked_where_the_configuration_says(source: str, resource: set[str]) -> None:
    found = {need.resource for need in asked(WHOLE, source).values()}
    assert found & {"nodes/stats", "nodes/proxy"} == resource


def test_whoever_names_namespaces_needs_rights_in_these_alone() -> None:
    inside = [need for need in asked(SHOP, "none").values() if need.weight is not Weight.CHOSEN]
    assert {need.namespaces for need in inside} == {("shop", "billing")}
    assert {need.resource for need in asked(SHOP, "none").values() if need.weight is Weight.CHOSEN} == {
        "nodes",
        "namespaces",
    }


def test_kubelets_are_found_by_the_list_of_nodes_which_is_needed_then() -> None:
    assert asked(SHOP, "kubelet")["list,watch nodes"].weight is Weight.OPTIONAL


def test_one_lease_is_read_and_written_by_its_name_and_made_without_one() -> None:
    found = asked(WHOLE, lease=("watcher", "leader"))
    rights = [right for name in ("get,update leases", "create leases") for right in found[name].rights()]
    assert [(right.verb, right.namespace, right.name) for right in rights] == [
        ("get", "watcher", "leader"),
        ("update", "watcher", "leader"),
        ("create", "watcher", ""),
    ]
    assert all(found[name].weight is Weight.REQUIRED for name in ("get,update leases", "create leases"))


def test_a_danger_is_asked_for_without_a_name() -> None:
    assert set(rights_of(EVERYTHING, EVERYWHERE)) == {Right(verb="*", resource="*", group="*")}


def test_no_danger_is_a_need_of_the_plain_configuration() -> None:
    """The others are held against `_used` alone: a need that stood among them would never be reported as such."""
    plain = {
        (right.verb, right.resource, right.group) for need in asked(SHOP, "none").values() for right in need.rights()
    }
    shared = {
        (verb, danger.resource)
        for danger in DANGERS
        for verb in danger.verbs
        if (verb, danger.resource, danger.group) in plain
    }
    assert shared == {("list", "pods"), ("watch", "pods"), ("get", "pods/log")}


def test_a_finding_reads_as_a_sentence() -> None:
    finding = Finding(
        verbs=("get", "update"),
        resource="leases",
        group="coordination.k8s.io",
        name="watcher",
        namespaces=("watcher",),
        required=True,
        consequence="no replica leads",
    )
    assert str(finding) == "get, update on leases watcher (coordination.k8s.io) in watcher: no replica leads"


def test_the_namespace_of_the_pod_stands_beside_its_token(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("watcher\n", encoding="utf-8")
    assert own_namespace(Places(service_account=tmp_path)) == "watcher"
    assert own_namespace(Places(service_account=tmp_path / "nowhere")) == ""
