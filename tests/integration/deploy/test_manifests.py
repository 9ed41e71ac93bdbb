"""The manifests in deploy/, as kubectl renders them: what the API takes of them, and what must hold of all."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import podsecurity
from tests.support.manifests import DEPLOY, kinds, model_problems, needs_kubectl, only, render
from watcher.demo.resources import JsonObject

pytestmark = needs_kubectl

KUSTOMIZATIONS = ("base", "overlays/namespaced", "overlays/postgres-ha", "overlays/prometheus")
FOREIGN = frozenset(("ServiceMonitor", "PrometheusRule"))
"""Of the Prometheus Operator's own group, whose description is not Kubernetes'."""
RBAC = ("Role", "ClusterRole")
_RENDERED: dict[str, list[JsonObject]] = {}


def documents(name: str) -> list[JsonObject]:
    if name not in _RENDERED:
        _RENDERED[name] = render(DEPLOY / name)
    return copy.deepcopy(_RENDERED[name])


@pytest.fixture(params=KUSTOMIZATIONS)
def rendered(request: pytest.FixtureRequest) -> list[JsonObject]:
    return documents(request.param)


def pod_of(rendered: list[JsonObject]) -> JsonObject:
    pod: JsonObject = only(rendered, "Deployment")["spec"]["template"]["spec"]
    return pod


def rules_of(rendered: list[JsonObject]) -> list[JsonObject]:
    return [rule for document in rendered if document["kind"] in RBAC for rule in document["rules"]]


# ---- every kustomization ----


def test_every_object_is_as_the_kubernetes_api_describes_it(rendered: list[JsonObject]) -> None:
    own = [document for document in rendered if document["kind"] not in FOREIGN]
    assert [problem for document in own for problem in model_problems(document)] == []


def test_no_two_objects_have_one_name(rendered: list[JsonObject]) -> None:
    names = [(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in rendered]
    assert len(set(names)) == len(names)


def test_the_pods_satisfy_pod_securitys_restricted_and_write_only_to_their_volumes(rendered: list[JsonObject]) -> None:
    assert podsecurity.problems(pod_of(rendered)) == []
    assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in pod_of(rendered)["containers"])
    labels = only(rendered, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_role_reads_secrets_reaches_kubelets_through_the_proxy_or_names_everything(
    rendered: list[JsonObject],
) -> None:
    for rule in rules_of(rendered):
        assert not {"secrets", "nodes/proxy", "pods/exec", "*"} & {*rule["resources"], *rule["verbs"]}
        assert "*" not in rule["apiGroups"]


def test_nothing_in_the_cluster_is_written_but_the_lease(rendered: list[JsonObject]) -> None:
    writing = [rule for rule in rules_of(rendered) if not {*rule["verbs"]} <= {"get", "list", "watch"}]
    assert all(rule["resources"] == ["leases"] for rule in writing)
    assert all(rule["verbs"] == ["create"] or rule["resourceNames"] == ["watcher"] for rule in writing)


@pytest.mark.parametrize("resource", ["pods/log", "nodes/stats"])
def test_what_may_be_left_out_is_a_role_of_its_own(rendered: list[JsonObject], resource: str) -> None:
    with_it = [one for one in rendered if one["kind"] in RBAC and resource in str(one["rules"])]
    assert all([rule["resources"] for rule in one["rules"]] == [[resource]] for one in with_it)


def test_no_secret_is_rendered(rendered: list[JsonObject]) -> None:
    assert "Secret" not in kinds(rendered)


def test_the_service_the_policy_and_the_probes_lead_to_the_pods(rendered: list[JsonObject]) -> None:
    deployment, service = only(rendered, "Deployment"), only(rendered, "Service")
    policy = only(rendered, "NetworkPolicy")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    (container,) = pod_of(rendered)["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 9093}]
    assert service["spec"]["ports"] == [{"name": "http", "port": 9093, "targetPort": "http"}]
    for selector in (
        service["spec"]["selector"],
        policy["spec"]["podSelector"]["matchLabels"],
        deployment["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/-/healthy",
        "livenessProbe": "/-/healthy",
        "readinessProbe": "/-/ready",
    }


def test_a_dead_node_is_left_after_half_a_minute(rendered: list[JsonObject]) -> None:
    spans = {one["key"]: one["tolerationSeconds"] for one in pod_of(rendered)["tolerations"]}
    assert spans == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}


def test_the_configuration_is_mounted_as_a_directory_so_that_changes_arrive(rendered: list[JsonObject]) -> None:
    pod = pod_of(rendered)
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["config"]["mountPath"] == "/etc/watcher"
    assert mounts["secrets"]["mountPath"] == "/etc/watcher/secrets"
    assert not any("subPath" in mount for mount in mounts.values())
    # Its name has no hash: the pods stay where they are when it changes.
    assert only(rendered, "ConfigMap")["metadata"]["name"] == "watcher"
    assert [volume["configMap"] for volume in pod["volumes"] if "configMap" in volume] == [{"name": "watcher"}]


def test_every_mount_has_its_volume_and_every_volume_its_mount(rendered: list[JsonObject]) -> None:
    pod = pod_of(rendered)
    mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_the_image_is_named_at_one_place_alone() -> None:
    images = {pod_of(documents(name))["containers"][0]["image"] for name in KUSTOMIZATIONS}
    assert images == {"registry.example.org/watcher:0.1.0"}
    overlays = [path for path in DEPLOY.rglob("kustomization.yaml") if "overlays" in path.parts]
    assert not any("images" in yaml.safe_load(path.read_text(encoding="utf-8")) for path in overlays)


# ---- each of them ----


def test_with_sqlite_there_is_one_replica_and_never_two_at_a_time() -> None:
    deployment = only(documents("base"), "Deployment")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert only(documents("base"), "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_the_namespaced_overlay_has_no_cluster_role_at_all() -> None:
    found = kinds(documents("overlays/namespaced"))
    assert not {"ClusterRole", "ClusterRoleBinding"} & found
    assert {"Role", "RoleBinding"} <= found


def test_the_namespaced_overlay_has_a_role_in_each_namespace_that_its_configuration_watches() -> None:
    rendered = documents("overlays/namespaced")
    config = yaml.safe_load(only(rendered, "ConfigMap")["data"]["config.yaml"])
    places = {one["metadata"]["namespace"] for one in rendered if one["kind"] == "RoleBinding"}
    assert places == set(config["watch"]["namespaces"])


def test_two_replicas_share_no_volume_and_are_kept_apart() -> None:
    rendered = documents("overlays/postgres-ha")
    deployment = only(rendered, "Deployment")
    pod = pod_of(rendered)
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["type"] == "RollingUpdate"
    assert "PersistentVolumeClaim" not in kinds(rendered)
    assert not any("persistentVolumeClaim" in volume for volume in pod["volumes"])
    assert "podAntiAffinity" in pod["affinity"]
    assert pod["topologySpreadConstraints"]
    budget = only(rendered, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["spec"]["selector"]
    secret = {one["name"]: one["valueFrom"].get("secretKeyRef") for one in pod["containers"][0]["env"]}
    assert secret["STORE_URL"] == {"name": "watcher", "key": "store-url"}


def test_the_variables_of_the_configuration_are_set_in_the_container() -> None:
    rendered = documents("overlays/postgres-ha")
    text = only(rendered, "ConfigMap")["data"]["config.yaml"]
    assert set(re.findall(r"\$\{(\w+)\}", text)) <= {one["name"] for one in pod_of(rendered)["containers"][0]["env"]}


def test_the_monitor_finds_the_service_and_prometheus_may_reach_it() -> None:
    rendered = documents("overlays/prometheus")
    monitor, service = only(rendered, "ServiceMonitor"), only(rendered, "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [one["port"] for one in monitor["spec"]["endpoints"]] == [one["name"] for one in service["spec"]["ports"]]
    (rule,) = only(rendered, "NetworkPolicy")["spec"]["ingress"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}} in rule["from"]


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.example.yaml")), ids=lambda path: path.name)
def test_an_example_is_no_part_of_a_kustomization(path: Path) -> None:
    kustomization = yaml.safe_load((path.parent / "kustomization.yaml").read_text(encoding="utf-8"))
    assert path.name not in str(kustomization)


def test_the_example_of_the_secret_has_the_keys_that_the_configurations_name() -> None:
    example = (DEPLOY / "base" / "secret.example.yaml").read_text(encoding="utf-8")
    named = {
        name
        for path in DEPLOY.rglob("config.yaml")
        for name in re.findall(r"secrets/([\w-]+)", path.read_text(encoding="utf-8"))
    }
    offered = set(re.findall(r"^  (?:# )?([\w-]+): ", example[example.index("stringData") :], re.MULTILINE))
    assert named <= offered
    assert model_problems(yaml.safe_load(example)) == []


# ---- the checks themselves ----


def changed(change: Callable[[JsonObject], Any]) -> JsonObject:
    deployment = only(documents("base"), "Deployment")
    change(deployment["spec"]["template"]["spec"])
    return deployment


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            lambda pod: pod["containers"][0]["securityContext"].update(readOnlyRootFileSystem=True),
            "unknown field readOnlyRootFileSystem",
            id="a misspelt field",
        ),
        pytest.param(lambda pod: pod["containers"][0].pop("name"), "name", id="a required field that is missing"),
        pytest.param(
            lambda pod: pod.update(terminationGracePeriodSeconds="30"), "'30' is no int", id="a text for a number"
        ),
        pytest.param(lambda pod: pod.update(tolerations={}), "is no list", id="a mapping for a list"),
        pytest.param(lambda pod: pod.update(volumes=[{"name": None}]), "is empty", id="an empty value"),
    ],
)
def test_an_object_that_the_api_does_not_describe_is_found(change: Callable[[JsonObject], Any], said: str) -> None:
    assert said in "; ".join(model_problems(changed(change)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda pod: pod.update(hostNetwork=True), "hostNetwork", id="the node's network"),
        pytest.param(
            lambda pod: pod["volumes"].append({"name": "x", "hostPath": {"path": "/"}}), "hostPath", id="a host path"
        ),
        pytest.param(lambda pod: pod.pop("securityContext"), "runAsNonRoot is not true", id="perhaps root"),
        pytest.param(
            lambda pod: pod["containers"][0].pop("securityContext"), "capabilities", id="capabilities that are kept"
        ),
        pytest.param(
            lambda pod: pod["containers"][0]["readinessProbe"]["httpGet"].update(host="example.org"),
            "readinessProbe with a host",
            id="a probe of another host",
        ),
    ],
)
def test_a_pod_that_is_not_restricted_is_found(change: Callable[[JsonObject], Any], said: str) -> None:
    assert said in "; ".join(podsecurity.problems(changed(change)["spec"]["template"]["spec"]))


def test_an_unknown_kind_is_found() -> None:
    assert model_problems({"apiVersion": "apps/v1", "kind": "Deploymint"}) == ["apps/v1 Deploymint is unknown"]
