"""The roles in deploy/, `watcher check --rbac` and the emulated API server agree on what Watcher may do, over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.support.deployed import ENVIRONMENT, Deployed
from tests.support.manifests import needs_kubectl
from watcher.cli.access import needed
from watcher.demo import DemoCluster
from watcher.demo.resources import JsonObject
from watcher.engine.clock import SystemClock
from watcher.model.config import VolumesConfig, WatchConfig
from watcher.settings.load import check_all, load
from watcher.source.client import KubeClient, connect
from watcher.source.errors import SourceError
from watcher.source.rbac import PATH, AccessReport, AccessReviewer
from watcher.source.rights import needs

KUSTOMIZATIONS = ("base", "overlays/namespaced", "overlays/postgres-ha", "overlays/prometheus")


@pytest.fixture
async def demo() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as cluster:
        yield cluster


@pytest.fixture
async def client(demo: DemoCluster, tmp_path: Path) -> AsyncIterator[KubeClient]:
    made = await connect(SystemClock(), str(demo.kubeconfig(tmp_path / "kubeconfig")))
    yield made
    await made.close()


def role(rules: str, namespace: str = "", name: str = "more") -> list[JsonObject]:
    """A role with these rules, bound to Watcher's account in a namespace, or in the cluster."""
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    subject = {"kind": "ServiceAccount", "name": "watcher", "namespace": "watcher"}
    return [
        {"kind": kind, "metadata": metadata, "rules": yaml.safe_load(rules)},
        {
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"kind": kind, "name": name},
            "subjects": [subject],
        },
    ]


READ = """
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [persistentvolumeclaims, events, nodes, namespaces], verbs: [list, watch]}
- {apiGroups: [""], resources: [pods/log, nodes/stats], verbs: [get]}
- {apiGroups: [apps], resources: [replicasets, controllerrevisions], verbs: [list]}
"""


async def asked(client: KubeClient, watch: WatchConfig | None = None, source: str = "kubelet") -> AccessReport:
    needed = needs(watch or WatchConfig(), VolumesConfig(source=source))
    return await AccessReviewer(client).report(needed, own="watcher")


def texts(findings: tuple[Any, ...]) -> list[str]:
    return [str(finding) for finding in findings]


# ---- the manifests ----


@needs_kubectl
@pytest.mark.parametrize("name", KUSTOMIZATIONS)
async def test_the_roles_grant_what_the_configuration_needs_and_nothing_more(
    name: str, demo: DemoCluster, client: KubeClient, tmp_path: Path
) -> None:
    (folder := tmp_path / "etc").mkdir()
    deployed = Deployed(name, folder)
    demo.access.bind(deployed.documents)
    settings = load(deployed.config, None, ENVIRONMENT)
    report = await AccessReviewer(client).report(needed(settings, "watcher"), own="watcher")
    assert texts(report.missing) == []
    assert texts(report.beyond) == []
    assert bool(report.left_out) == bool(settings.watch.namespaces)
    held = ("update", "leases") in {(grant.verbs[-1], grant.resources[0]) for grant in demo.access.grants or ()}
    assert held == settings.election.enabled


@needs_kubectl
@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_the_configuration_passes_the_check(name: str, tmp_path: Path) -> None:
    deployed = Deployed(name, tmp_path)
    assert [str(problem) for problem in check_all(deployed.config, None, ENVIRONMENT)] == []
    names = {rule.alert for rule in load(deployed.config, None, ENVIRONMENT).rules}
    assert {"ContainerCrashLooping", "VolumeFillingUp"} <= names, "the shipped rules stay beside one's own"


@needs_kubectl
@pytest.mark.parametrize(
    ("left_out", "lost"),
    [
        pytest.param("watcher-logs", "get on pods/log everywhere: no log lines in messages", id="logs"),
        pytest.param("watcher-volumes", "get on nodes/stats everywhere: not known how full volumes are", id="volumes"),
    ],
)
async def test_without_an_optional_role_one_thing_is_missing(
    left_out: str, lost: str, demo: DemoCluster, client: KubeClient, tmp_path: Path
) -> None:
    documents = [one for one in Deployed("base", tmp_path).documents if one["metadata"]["name"] != left_out]
    demo.access.bind(documents)
    report = await asked(client)
    assert texts(report.missing) == [lost]
    assert report.ok


# ---- what is said of other roles ----


async def test_pods_are_required_and_all_else_is_done_without(demo: DemoCluster, client: KubeClient) -> None:
    demo.access.bind(role("[{apiGroups: [''], resources: [pods], verbs: [list, watch]}]"))
    report = await asked(client)
    assert report.ok
    assert len(report.missing) == 9
    demo.access.bind(role("[{apiGroups: [''], resources: [pods], verbs: [list]}]"))
    report = await asked(client)
    assert not report.ok
    assert [str(one) for one in report.missing if one.required] == ["watch on pods everywhere: nothing is seen of pods"]


async def test_a_role_in_one_of_two_namespaces_is_missing_in_the_other(demo: DemoCluster, client: KubeClient) -> None:
    demo.access.bind(role(READ, namespace="shop"))
    report = await asked(client, WatchConfig(namespaces=("shop", "billing")), source="none")
    assert "list, watch on pods in billing: nothing is seen of pods" in texts(report.missing)
    assert not any("shop" in text for text in texts(report.missing))
    assert [one.resource for one in report.left_out] == ["nodes", "namespaces"]


async def test_a_cluster_role_for_one_namespace_is_too_much(demo: DemoCluster, client: KubeClient) -> None:
    demo.access.bind(role(READ))
    report = await asked(client, WatchConfig(namespaces=("shop",)), source="none")
    assert report.missing == ()
    assert texts(report.beyond) == [
        "list, watch on pods everywhere: reads more than watch.namespaces names",
        "get on pods/log everywhere: reads more than watch.namespaces names",
        "get on nodes/stats everywhere: not used with this volumes.source",
    ]


async def test_nodes_are_needed_for_volumes_even_where_namespaces_are_named(
    demo: DemoCluster, client: KubeClient
) -> None:
    demo.access.bind(role(READ, namespace="shop"))
    report = await asked(client, WatchConfig(namespaces=("shop",)))
    assert [one.resource for one in report.missing] == ["nodes/stats", "nodes"]


async def test_the_proxy_of_nodes_is_needed_or_too_much_as_volumes_source_says(
    demo: DemoCluster, client: KubeClient
) -> None:
    more = "[{apiGroups: [''], resources: [nodes/proxy], verbs: [get]}]"
    demo.access.bind([*role(READ), *role(more, name="proxy")])
    assert (await asked(client, source="apiserver")).missing == ()
    assert [one.resource for one in (await asked(client, source="apiserver")).beyond] == ["nodes/stats"]
    report = await asked(client)
    assert report.missing == ()
    assert [(one.verbs, one.resource) for one in report.beyond] == [(("get",), "nodes/proxy")]


@pytest.mark.parametrize(
    ("rules", "namespace", "said"),
    [
        pytest.param(
            "[{apiGroups: [''], resources: [secrets], verbs: [get, list]}]",
            "",
            "get, list on secrets everywhere: reads passwords and tokens",
            id="secrets",
        ),
        pytest.param(
            "[{apiGroups: [''], resources: [secrets], verbs: [get]}]",
            "watcher",
            "get on secrets in watcher: reads passwords and tokens",
            id="secrets of its own namespace",
        ),
        pytest.param(
            "[{apiGroups: [''], resources: [pods/exec], verbs: [create]}]",
            "",
            "create on pods/exec everywhere: runs commands in pods",
            id="exec",
        ),
        pytest.param(
            "[{apiGroups: [''], resources: [users], verbs: [impersonate]}]",
            "",
            "impersonate on users everywhere: acts as somebody else",
            id="impersonation",
        ),
        pytest.param(
            "[{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [update]}]",
            "watcher",
            "update on leases (coordination.k8s.io) in watcher: "
            "takes the locks of other programs: an update needs the one name alone",
            id="every lease",
        ),
        pytest.param(
            "[{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]",
            "",
            "* on * everywhere: whoever has its token may do everything",
            id="cluster-admin",
        ),
        pytest.param(
            "[{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]",
            "watcher",
            "* on * in watcher: whoever has its token may do everything",
            id="admin of its own namespace",
        ),
    ],
)
async def test_what_is_granted_beyond_need_is_said_once(
    rules: str, namespace: str, said: str, demo: DemoCluster, client: KubeClient
) -> None:
    demo.access.bind([*role(READ), *role(rules, namespace, name="beyond")])
    report = await asked(client)
    assert texts(report.beyond) == [said]
    assert report.missing == ()
    assert report.ok


async def test_a_right_is_asked_for_once(demo: DemoCluster, client: KubeClient) -> None:
    demo.access.bind(role(READ))
    await asked(client, WatchConfig(namespaces=("shop", "billing")))
    bodies = demo.counts["create", PATH]
    assert 0 < bodies < 400


async def test_an_api_server_that_refuses_the_question_is_an_error_in_words(
    demo: DemoCluster, client: KubeClient
) -> None:
    demo.access.tokens.add("another")
    with pytest.raises(SourceError, match="Unauthorized"):
        await asked(client)


async def reviewed_by(demo: DemoCluster, folder: Path, answer: bytes) -> AccessReport:
    """By a server that answers every review with this."""

    async def review(request: web.Request) -> web.Response:
        return web.Response(status=201, body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/{path:.*}", review)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    demo.port = runner.addresses[0][1]
    made = await connect(SystemClock(), str(demo.kubeconfig(folder / "other")))
    try:
        return await asked(made)
    finally:
        await made.close()
        await runner.cleanup()


async def test_what_the_server_could_not_evaluate_is_passed_on_once(demo: DemoCluster, tmp_path: Path) -> None:
    error = 'clusterrole.rbac.authorization.k8s.io "watcher" not found'
    answer = json.dumps({"status": {"allowed": False, "evaluationError": error}}).encode()
    report = await reviewed_by(demo, tmp_path, answer)
    assert report.unsure == (error,)
    assert not report.ok


async def test_an_answer_that_is_no_review_is_an_error_in_words(demo: DemoCluster, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="SelfSubjectAccessReview is not readable"):
        await reviewed_by(demo, tmp_path, b"<html>")


@needs_kubectl
async def test_what_is_granted_can_be_read_by_kubectl_and_what_is_missing_cannot(
    demo: DemoCluster, tmp_path: Path
) -> None:
    """The reviews and the paths are answered by the same rules. (`kubectl auth can-i` asks in protobuf alone.)"""
    demo.access.bind(role(READ, namespace="shop"))
    config = str(demo.kubeconfig(tmp_path / "kubeconfig"))
    said = {}
    for where in (("-n", "shop"), ("-n", "bank"), ("-A",)):
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "--kubeconfig", config, "get", "pods", *where),
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        said[" ".join(where)] = (process.returncode, "Forbidden" in errors.decode())
    assert said == {"-n shop": (0, False), "-n bank": (1, True), "-A": (1, True)}


# ---- the command ----


async def check(demo: DemoCluster, folder: Path, *more: str) -> tuple[int, str]:
    environment = os.environ | {"KUBECONFIG": str(demo.kubeconfig(folder / "kubeconfig"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "watcher", "check", "--rbac", *more),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_the_command_says_what_is_missing_and_what_that_costs(demo: DemoCluster, tmp_path: Path) -> None:
    demo.access.bind(role(READ))
    code, output = await check(demo, tmp_path)
    assert (code, output.splitlines()[1:]) == (0, ["access: nothing is missing, and nothing beyond need was found"])
    demo.access.deny(resource="pods", verb="watch")
    demo.access.deny(resource="nodes", verb="list")
    code, output = await check(demo, tmp_path)
    assert code == 1
    assert output.splitlines()[1:] == [
        "MISSING: watch on pods everywhere: nothing is seen of pods",
        "missing: list on nodes everywhere: no alerts about nodes",
    ]


async def test_the_command_answers_in_json(demo: DemoCluster, tmp_path: Path) -> None:
    demo.access.bind([*role(READ), *role("[{apiGroups: [''], resources: [secrets], verbs: [list]}]", name="s")])
    demo.access.deny(resource="pods", subresource="log")
    code, output = await check(demo, tmp_path, "--format", "json")
    found = json.loads(output)
    assert (code, found["ok"], found["problems"]) == (0, True, [])
    assert [(one["resource"], one["required"]) for one in found["access"]["missing"]] == [("pods/log", False)]
    assert [(one["resource"], one["verbs"]) for one in found["access"]["beyond"]] == [("secrets", ["list"])]


async def test_a_wrong_configuration_is_not_held_against_a_cluster(demo: DemoCluster, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("clutser: a\n")
    code, output = await check(demo, tmp_path, "--config", str(tmp_path / "config.yaml"))
    assert (code, "clutser" in output, "access" in output) == (1, True, False)
    assert not demo.counts


async def test_a_cluster_that_is_not_there_is_one_sentence_and_exit_code_1(demo: DemoCluster, tmp_path: Path) -> None:
    demo.port = 1
    code, output = await check(demo, tmp_path)
    assert code == 1
    assert output.startswith("watcher: ")
    assert "Traceback" not in output
