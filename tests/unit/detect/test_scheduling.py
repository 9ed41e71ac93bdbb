"""Why a pod has no node, read from the words of schedulers old and new."""

from __future__ import annotations

import pytest

from watcher.detect.scheduling import CAUSES, classify

NONE = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
NO_HELP = "preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling."
AFFINITY = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."

TEXTS: list[tuple[str, str, dict[str, str]]] = [
    (
        "0/1 nodes are available: 1 Insufficient memory.",
        "resources",
        {"resources": "1 node: insufficient memory"},
    ),
    (
        f"0/1 nodes are available: 1 Insufficient nvidia.com/gpu. {NONE}",
        "resources",
        {"resources": "1 node: insufficient nvidia.com/gpu"},
    ),
    (
        f"0/5 nodes are available: 2 Insufficient cpu, 3 Insufficient memory, 4 Insufficient ephemeral-storage. {NONE}",
        "resources",
        {
            "resources": "2 nodes: insufficient cpu; 3 nodes: insufficient memory; "
            "4 nodes: insufficient ephemeral-storage"
        },
    ),
    (
        "0/5 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint "
        f"{{node-role.kubernetes.io/control-plane: }}, 2 node(s) had untolerated taint {{team: data}}. {NO_HELP}",
        "taint",
        {
            "taint": "2 nodes: untolerated taint {node-role.kubernetes.io/control-plane: }; "
            "2 nodes: untolerated taint {team: data}",
            "resources": "1 node: insufficient memory",
        },
    ),
    (
        "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 cannot allocate all claims. still not "
        "schedulable, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.",
        "resources",
        {"resources": "3 nodes: cannot allocate all claims", "taint": "1 node: untolerated taint(s)"},
    ),
    (
        "0/3 nodes are available: 1 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't "
        "tolerate, 2 Insufficient cpu.",
        "resources",
        {
            "resources": "2 nodes: insufficient cpu",
            "taint": "1 node: taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate",
        },
    ),
    (
        "0/2 nodes are available: 1 node(s) were not ready, 1 node(s) were unschedulable.",
        "taint",
        {"taint": "1 node: were not ready; 1 node: were unschedulable"},
    ),
    (AFFINITY, "affinity", {"affinity": "1 node: didn't match Pod's node affinity/selector"}),
    (
        f"{AFFINITY} no new claims to deallocate, {NO_HELP}",
        "affinity",
        {"affinity": "1 node: didn't match Pod's node affinity/selector"},
    ),
    (
        "0/3 nodes are available: 1 node(s) didn't match pod affinity rules, 1 node(s) didn't match pod anti-affinity "
        "rules, 1 node(s) didn't satisfy existing pods anti-affinity rules.",
        "affinity",
        {
            "affinity": "1 node: didn't match pod affinity rules; 1 node: didn't match pod anti-affinity rules; "
            "1 node: didn't satisfy existing pods anti-affinity rules"
        },
    ),
    (
        "0/1 nodes are available: 1 node(s) didn't match node selector.",
        "node_selector",
        {"node_selector": "1 node: didn't match node selector"},
    ),
    (
        "0/1 nodes are available: 1 node(s) didn't match the requested node name.",
        "node_selector",
        {"node_selector": "1 node: didn't match the requested node name"},
    ),
    (
        f"0/5 nodes are available: pod has unbound immediate PersistentVolumeClaims. {NO_HELP}",
        "unbound_claim",
        {"unbound_claim": "pod has unbound immediate PersistentVolumeClaims"},
    ),
    (
        'running "VolumeBinding" filter plugin for pod "grafana-74bcc8f95-drp4j": pod has unbound immediate '
        "PersistentVolumeClaims",
        "unbound_claim",
        {
            "unbound_claim": 'running "VolumeBinding" filter plugin for pod "grafana-74bcc8f95-drp4j": pod has unbound '
            "immediate PersistentVolumeClaims"
        },
    ),
    (
        f'0/5 nodes are available: persistentvolumeclaim "data" not found. {NO_HELP}',
        "unbound_claim",
        {"unbound_claim": 'persistentvolumeclaim "data" not found'},
    ),
    (
        'persistentvolumeclaim "data" not found',
        "unbound_claim",
        {"unbound_claim": 'persistentvolumeclaim "data" not found'},
    ),
    (
        'running PreBind plugin "VolumeBinding": binding volumes: timed out waiting for the condition',
        "unbound_claim",
        {
            "unbound_claim": 'running PreBind plugin "VolumeBinding": binding volumes: timed out waiting for the '
            "condition"
        },
    ),
    (
        "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.",
        "unbound_claim",
        {"unbound_claim": "3 nodes: didn't find available persistent volumes to bind"},
    ),
    (
        "0/3 nodes are available: \n1 node(s) had taint {node-role.kubernetes.io/master: }, \nthat the pod didn't "
        "tolerate, 2 node(s) had volume node affinity conflict.",
        "volume_zone",
        {
            "volume_zone": "2 nodes: volume node affinity conflict",
            "taint": "1 node: taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate",
        },
    ),
    (
        "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.",
        "ports",
        {"ports": "2 nodes: didn't have free ports for the requested pod ports"},
    ),
    (
        "0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints (missing required label).",
        "topology",
        {"topology": "2 nodes: didn't match pod topology spread constraints (missing required label)"},
    ),
    ("0/2 nodes are available: 2 Too many pods.", "too_many_pods", {"too_many_pods": "2 nodes: too many pods"}),
    (
        "0/2 nodes are available: 2 node(s) exceed max volume count.",
        "resources",
        {"resources": "2 nodes: exceed max volume count"},
    ),
    (
        "no nodes available to schedule pods",
        "no_nodes",
        {"no_nodes": "no nodes available to schedule pods"},
    ),
    ("0/0 nodes are available: .", "no_nodes", {"no_nodes": "the cluster has no nodes"}),
    (
        "No nodes are available that match all of the predicates: Insufficient cpu (2), MatchNodeSelector (1), "
        "PodToleratesNodeTaints (1).",
        "resources",
        {
            "resources": "2 nodes: insufficient cpu",
            "node_selector": "1 node: MatchNodeSelector",
            "taint": "1 node: PodToleratesNodeTaints",
        },
    ),
    (
        "0/3 nodes are available: 2 node(s) are cursed, 1 Insufficient cpu.",
        "resources",
        {"unknown": "2 nodes: are cursed", "resources": "1 node: insufficient cpu"},
    ),
    ("something else", "unknown", {"unknown": "something else"}),
    ("", "unknown", {}),
]


@pytest.mark.parametrize(("text", "cause", "causes"), TEXTS, ids=[text[:70] for text, _, _ in TEXTS])
def test_each_clause_is_told_with_its_number_of_nodes(text: str, cause: str, causes: dict[str, str]) -> None:
    found = classify(text)
    assert (found.cause, found.causes) == (cause, causes)
    assert list(found.causes) == list(causes)
    assert {found.cause, *found.causes} <= set(CAUSES)


def test_of_causes_that_as_many_nodes_name_what_the_pod_asks_for_is_named_before_a_taint() -> None:
    text = "0/6 nodes are available: 3 node(s) had untolerated taint {a: b}, 3 Insufficient cpu, 3 Insufficient memory."
    assert classify(text).cause == "resources"


def test_many_different_taints_are_counted_and_not_all_repeated() -> None:
    clauses = ", ".join(f"1 node(s) had untolerated taint {{host: n{n}}}" for n in range(200))
    words = classify(f"0/200 nodes are available: {clauses}.").causes["taint"]
    assert words.endswith("; and 195 more")
    assert len(words) < 300
