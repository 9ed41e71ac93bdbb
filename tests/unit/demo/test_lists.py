"""LIST: pages, versions, selectors."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from watcher.demo.clock import Timeline
from watcher.demo.forms import Form, Shape, negotiate
from watcher.demo.lists import ListTwist, list_bytes
from watcher.demo.model import Cluster
from watcher.demo.resources import Target, locate
from watcher.demo.status import ApiError

PODS = locate("/api/v1/pods")
assert PODS is not None


def cluster_of(count: int, namespaces: tuple[str, ...] = ("a", "b")) -> Cluster:
    cluster = Cluster(Timeline())
    for index in range(count):
        namespace = namespaces[index % len(namespaces)]
        metadata = {"name": f"p{index:03}", "namespace": namespace, "labels": {"n": str(index)}}
        spec = {"nodeName": f"n{index % 3}", "containers": []}
        cluster.put({"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}})
    return cluster


def listed(cluster: Cluster, target: Target | None = PODS, twist: ListTwist | None = None, **query: str) -> Any:
    assert target is not None
    text = {key.rstrip("_"): value for key, value in query.items()}
    return msgspec.json.decode(list_bytes(cluster, target, text, Form(), twist or ListTwist()))


def names(document: Any) -> list[str]:
    return [item["metadata"]["name"] for item in document["items"]]


def refused(cluster: Cluster, **query: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        listed(cluster, PODS, ListTwist(), **query)
    return caught.value


def test_a_list_has_its_own_version_and_items_without_kinds() -> None:
    cluster = cluster_of(3)
    cluster.put({"kind": "Namespace", "metadata": {"name": "late"}})
    document = listed(cluster)
    assert document["kind"] == "PodList"
    assert document["metadata"] == {"resourceVersion": str(cluster.version)}
    assert names(document) == ["p000", "p002", "p001"]
    assert "kind" not in document["items"][0]
    assert int(document["items"][2]["metadata"]["resourceVersion"]) < cluster.version


def test_pages_show_the_snapshot_of_the_first_page() -> None:
    cluster = cluster_of(5)
    first = listed(cluster, limit="2")
    assert first["metadata"]["remainingItemCount"] == 3
    cluster.delete("Pod", "b", "p003")
    cluster.put({"kind": "Pod", "metadata": {"name": "p999", "namespace": "b"}, "spec": {}})
    second = listed(cluster, limit="2", continue_=first["metadata"]["continue"])
    third = listed(cluster, limit="2", continue_=second["metadata"]["continue"])
    assert names(first) + names(second) + names(third) == ["p000", "p002", "p004", "p001", "p003"]
    assert {page["metadata"]["resourceVersion"] for page in (first, second, third)} == {
        first["metadata"]["resourceVersion"]
    }
    assert "continue" not in third["metadata"]


def test_pages_are_in_the_order_of_etcds_keys_where_one_namespace_begins_like_another() -> None:
    cluster = cluster_of(6, ("a", "a-b", "a0"))
    found: list[str] = []
    token = ""
    for _ in range(6):
        page = listed(cluster, limit="1", continue_=token)
        found += [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in page["items"]]
        token = page["metadata"].get("continue", "")
    assert found == ["a-b/p001", "a-b/p004", "a/p000", "a/p003", "a0/p002", "a0/p005"]


def test_a_page_under_a_selector_does_not_say_how_many_are_left() -> None:
    page = listed(cluster_of(9), limit="1", fieldSelector="spec.nodeName=n0")
    assert "remainingItemCount" not in page["metadata"]
    assert page["metadata"]["continue"]


def test_an_expired_token_is_410_with_a_token_that_goes_on_inconsistently() -> None:
    cluster = cluster_of(5)
    token = listed(cluster, limit="2")["metadata"]["continue"]
    cluster.forget_history("Pod")
    cluster.put({"kind": "Pod", "metadata": {"name": "p999", "namespace": "b"}, "spec": {}})
    error = refused(cluster, limit="2", continue_=token)
    assert (error.code, error.status["reason"]) == (410, "Expired")
    rest = listed(cluster, continue_=error.status["metadata"]["continue"])
    assert names(rest) == ["p004", "p001", "p003", "p999"]
    assert rest["metadata"]["resourceVersion"] == str(cluster.version)


def test_version_0_ignores_the_limit() -> None:
    assert len(listed(cluster_of(5), limit="2", resourceVersion="0")["items"]) == 5


def test_a_version_from_the_future_is_a_timeout_that_says_so() -> None:
    cluster = cluster_of(1)
    error = refused(cluster, resourceVersion="999999")
    assert (error.code, error.status["reason"], error.retry_after) == (504, "Timeout", 1)
    assert error.status["message"] == f"Too large resource version: 999999, current: {cluster.version}"
    assert error.status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_not_older_than_gives_the_newest() -> None:
    cluster = cluster_of(3)
    document = listed(cluster, resourceVersion=str(cluster.version - 1), resourceVersionMatch="NotOlderThan")
    assert document["metadata"]["resourceVersion"] == str(cluster.version)


def test_exact_gives_the_past_while_it_is_known() -> None:
    cluster = cluster_of(3)
    past = str(cluster.version - 1)
    assert names(listed(cluster, resourceVersion=past, resourceVersionMatch="Exact")) == ["p000", "p001"]
    cluster.forget_history()
    assert refused(cluster, resourceVersion=past, resourceVersionMatch="Exact").code == 410


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param({"resourceVersionMatch": "Exact"}, 422, id="a match without a version"),
        pytest.param({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422, id="exactly any version"),
        pytest.param({"resourceVersionMatch": "Newest", "resourceVersion": "1"}, 422, id="an unknown match"),
        pytest.param({"resourceVersion": "None"}, 400, id="a version that is no number"),
        pytest.param({"limit": "-1"}, 400, id="a limit that is no number"),
        pytest.param({"continue_": "!!"}, 400, id="a token that is no token"),
        pytest.param({"continue_": "e30", "resourceVersion": "5"}, 400, id="a token and a version"),
        pytest.param({"labelSelector": "a in"}, 400, id="a label selector that cannot be read"),
        pytest.param({"fieldSelector": "spec.volumes=x"}, 400, id="a field that cannot be selected"),
    ],
)
def test_what_the_api_server_refuses(query: dict[str, str], code: int) -> None:
    assert refused(cluster_of(1), **query).code == code


@pytest.mark.parametrize(
    ("labels", "fields", "expected"),
    [
        pytest.param("n=1", "", ["p001"], id="equal"),
        pytest.param("n==1", "", ["p001"], id="equal twice"),
        pytest.param("n!=1", "", ["p000", "p002"], id="not equal"),
        pytest.param("n in (0, 2)", "", ["p000", "p002"], id="in"),
        pytest.param("n notin (0,2)", "", ["p001"], id="not in"),
        pytest.param("n", "", ["p000", "p002", "p001"], id="present"),
        pytest.param("!n", "", [], id="absent"),
        pytest.param("n in (0,1),n!=1", "", ["p000"], id="both"),
        pytest.param("", "metadata.name=p001", ["p001"], id="name"),
        pytest.param("", "metadata.namespace!=a", ["p001"], id="another namespace"),
        pytest.param("", "spec.nodeName=n2,status.phase=Running", ["p002"], id="node and phase"),
        pytest.param("", "spec.hostNetwork=false", ["p000", "p002", "p001"], id="a missing boolean is false"),
    ],
)
def test_selectors(labels: str, fields: str, expected: list[str]) -> None:
    assert names(listed(cluster_of(3), labelSelector=labels, fieldSelector=fields)) == expected


def test_events_are_selected_by_what_they_are_about() -> None:
    cluster = Cluster(Timeline())
    for name, kind in (("one", "Pod"), ("two", "Node")):
        about = {"kind": kind, "name": f"the-{name}", "uid": name}
        metadata = {"name": name, "namespace": "ns"}
        source = {"component": "kubelet"}
        cluster.put(
            {"kind": "Event", "metadata": metadata, "involvedObject": about, "type": "Warning", "source": source}
        )
    events = locate("/api/v1/namespaces/ns/events")
    assert names(listed(cluster, events, fieldSelector="involvedObject.kind=Node")) == ["two"]
    assert names(listed(cluster, events, fieldSelector="involvedObject.uid=one,type!=Normal")) == ["one"]
    assert names(listed(cluster, events, fieldSelector="source=kubelet")) == ["one", "two"]


def test_a_twisted_list_is_spoilt_as_asked() -> None:
    cluster = cluster_of(2)
    assert listed(cluster, twist=ListTwist(null_items=True))["items"] is None
    malformed = listed(cluster, twist=ListTwist(malformed=b'{"metadata":7}'))
    assert malformed["items"][0] == {"metadata": 7}
    assert len(malformed["items"]) == 3
    padded = list_bytes(cluster, PODS, {}, Form(), ListTwist(padding=100_000)) if PODS else b""
    assert len(padded) > 100_000
    behind = listed(cluster, twist=ListTwist(rewind=1))
    assert behind["metadata"]["resourceVersion"] == str(cluster.version - 1)
    assert names(behind) == ["p000"]


@pytest.mark.parametrize(
    ("accept", "shape"),
    [
        pytest.param("", Shape.OBJECT, id="nothing"),
        pytest.param("*/*", Shape.OBJECT, id="anything"),
        pytest.param("application/vnd.kubernetes.protobuf,application/json", Shape.OBJECT, id="protobuf preferred"),
        pytest.param(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,"
            "application/json",
            Shape.TABLE,
            id="kubectl",
        ),
        pytest.param("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Shape.PARTIAL, id="metadata"),
    ],
)
def test_the_form_follows_the_accept_header(accept: str, shape: Shape) -> None:
    assert negotiate(accept, "").shape is shape


def test_a_client_that_takes_only_protobuf_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        negotiate("application/vnd.kubernetes.protobuf", "")
    assert caught.value.code == 406


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/api/v1/pods", ("Pod", "", "", ""), id="all pods"),
        pytest.param("/api/v1/namespaces/ns/pods/web/log", ("Pod", "ns", "web", "log"), id="a log"),
        pytest.param("/api/v1/namespaces", ("Namespace", "", "", ""), id="namespaces"),
        pytest.param("/api/v1/namespaces/ns", ("Namespace", "", "ns", ""), id="one namespace"),
        pytest.param("/api/v1/namespaces/ns/status", ("Namespace", "", "ns", "status"), id="its status"),
        pytest.param("/api/v1/nodes/n1/proxy/stats/summary", ("Node", "", "n1", "proxy"), id="a proxy"),
        pytest.param("/apis/apps/v1/namespaces/ns/deployments/d", ("Deployment", "ns", "d", ""), id="a group"),
    ],
)
def test_paths_name_objects(path: str, expected: tuple[str, str, str, str]) -> None:
    target = locate(path)
    assert target is not None
    assert (target.resource.kind, target.namespace, target.name, target.subresource) == expected


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/secrets", "/apis/apps/v1", "/api/v1/namespaces/ns/nodes", "/x"])
def test_paths_that_name_nothing(path: str) -> None:
    assert locate(path) is None
