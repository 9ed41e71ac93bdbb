"""What Deployments, StatefulSets, DaemonSets, Jobs and nodes do with pods."""

from __future__ import annotations

import re

from tests.unit.demo.stage import Stage, condition

WEB = "workloads: [{deployment: shop/web, replicas: 2, image: 'r/web:1', ready_after: 3s}]\n"


def names(stage: Stage, kind: str = "Pod") -> list[str]:
    return [item["metadata"]["name"] for item in stage.cluster.list(kind)]


def test_a_deployments_pods_are_owned_by_its_replica_set_and_carry_its_hash() -> None:
    stage = Stage(WEB)
    stage.run(10)
    (owner,) = stage.cluster.list("ReplicaSet")
    first, second = stage.cluster.list("Pod")
    assert re.fullmatch(r"web-[4-9b-df]{6,10}", owner["metadata"]["name"])
    for pod in (first, second):
        assert re.fullmatch(owner["metadata"]["name"] + r"-[b-df-hj-np-tv-xz24-9]{5}", pod["metadata"]["name"])
        (reference,) = pod["metadata"]["ownerReferences"]
        assert reference["kind"] == "ReplicaSet"
        assert reference["uid"] == owner["metadata"]["uid"]
        assert reference["controller"] is True
        assert pod["metadata"]["labels"]["pod-template-hash"] == owner["metadata"]["name"].removeprefix("web-")
    assert owner["metadata"]["ownerReferences"][0]["name"] == "web"
    assert first["metadata"]["uid"] != second["metadata"]["uid"]


def test_the_same_seed_makes_the_same_names_and_another_seed_others() -> None:
    stages = [Stage(WEB), Stage(WEB), Stage()]
    stages[2].cluster.seed = "other"
    stages[2].play(WEB)
    for stage in stages:
        stage.run(10)
    assert names(stages[0]) == names(stages[1])
    assert names(stages[0]) != names(stages[2])


def test_a_deleted_pod_is_replaced_under_another_name() -> None:
    stage = Stage(WEB + "timeline: [{at: 60s, delete: shop/web, pods: 1}]")
    stage.run(59)
    before = set(names(stage))
    stage.run(60)
    after = set(names(stage))
    assert len(after) == 2
    assert len(before & after) == 1
    assert stage.events("SuccessfulCreate")


def test_an_evicted_pods_corpse_stays_beside_its_replacement() -> None:
    stage = Stage(WEB + "timeline: [{at: 60s, evict: shop/web, pods: 2}]")
    stage.run(120)
    phases = sorted(pod["status"]["phase"] for pod in stage.cluster.list("Pod"))
    assert phases == ["Failed", "Failed", "Running", "Running"]


def test_scaling_makes_and_removes_pods() -> None:
    stage = Stage(WEB + "timeline: [{at: 60s, scale: shop/web, replicas: 5}, {at: 120s, scale: shop/web, replicas: 1}]")
    stage.run(110)
    assert stage.cluster.list("Deployment")[0]["status"]["readyReplicas"] == 5
    stage.run(60)
    assert len(names(stage)) == 1


def test_a_rollout_never_falls_below_the_wanted_number_of_ready_pods() -> None:
    stage = Stage(WEB + "timeline: [{at: 60s, rollout: shop/web, image: 'r/web:2', then: {run: {}}}]")
    stage.run(59)
    old = set(names(stage))
    for _ in range(120):
        stage.run(0.5)
        ready = [pod for pod in stage.cluster.list("Pod") if condition_is(pod, "Ready")]
        assert len(ready) >= 2
    assert not old & set(names(stage))
    assert {pod["spec"]["containers"][0]["image"] for pod in stage.cluster.list("Pod")} == {"r/web:2"}
    assert len(names(stage, "ReplicaSet")) == 2


def condition_is(pod: dict, kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in pod["status"].get("conditions", []))


def test_a_rollout_to_an_image_that_is_missing_leaves_the_old_pods_alone() -> None:
    stage = Stage(WEB + "timeline: [{at: 60s, rollout: shop/web, image: 'r/web:2', then: {cannot_pull: not_found}}]")
    stage.run(600)
    assert sorted(pod["status"]["phase"] for pod in stage.cluster.list("Pod")) == ["Pending", "Running", "Running"]
    assert stage.cluster.list("Deployment")[0]["status"]["readyReplicas"] == 2


def test_a_rollout_repairs_a_workload_whose_pods_all_crash() -> None:
    steps = "timeline: [{at: 30s, crash: shop/web}, {at: 300s, rollout: shop/web, image: 'r/web:2', then: {run: {}}}]"
    stage = Stage(WEB + steps)
    stage.run(290)
    assert stage.cluster.list("Deployment")[0]["status"]["readyReplicas"] == 0
    assert stage.cluster.list("Deployment")[0]["status"]["conditions"][0]["reason"] == "MinimumReplicasUnavailable"
    stage.run(60)
    assert stage.cluster.list("Deployment")[0]["status"]["readyReplicas"] == 2
    assert len(names(stage)) == 2


def test_a_rollout_without_a_new_behaviour_goes_on_as_before() -> None:
    stage = Stage(WEB + "timeline: [{at: 30s, crash: shop/web}, {at: 300s, rollout: shop/web}]")
    stage.run(600)
    assert "CrashLoopBackOff" in str([pod["status"] for pod in stage.cluster.list("Pod")])


def test_of_a_crash_of_one_pod_the_others_and_the_later_ones_know_nothing() -> None:
    stage = Stage(WEB + "timeline: [{at: 30s, crash: shop/web, pods: 1}, {at: 60s, delete: shop/web}]")
    stage.run(50)
    assert stage.cluster.list("Deployment")[0]["status"]["readyReplicas"] == 1
    stage.run(60)
    assert stage.cluster.list("Deployment")[0]["status"]["readyReplicas"] == 2


def test_a_stateful_set_makes_its_pods_in_order_and_again_under_the_same_name() -> None:
    stage = Stage(
        "workloads: [{statefulset: shop/db, replicas: 3, image: 'r/db:1', ready_after: 3s}]\n"
        "timeline: [{at: 60s, delete: shop/db, pods: 1}]"
    )
    stage.run(59)
    assert names(stage) == ["db-0", "db-1", "db-2"]
    created = [name for name in ("db-0", "db-1", "db-2") for event, _ in stage.history(name) if event == "ADDED"]
    assert created == ["db-0", "db-1", "db-2"]
    uid = stage.cluster.list("Pod")[0]["metadata"]["uid"]
    stage.run(60)
    assert names(stage) == ["db-0", "db-1", "db-2"]
    assert stage.cluster.list("Pod")[0]["metadata"]["uid"] != uid
    events = [event for event, _ in stage.history("db-0")]
    assert events.index("DELETED") < len(events) - 1 - events[::-1].index("ADDED")


def test_a_stateful_set_rolls_out_from_the_highest_ordinal_down() -> None:
    stage = Stage(
        "workloads: [{statefulset: shop/db, replicas: 2, image: 'r/db:1'}]\n"
        "timeline: [{at: 60s, rollout: shop/db, image: 'r/db:2'}]"
    )
    stage.run(120)
    deleted = [c.stored.key[1] for c in stage.cluster.store("Pod").changes if c.event == "DELETED"]
    assert deleted == ["db-1", "db-0"]
    assert {pod["spec"]["containers"][0]["image"] for pod in stage.cluster.list("Pod")} == {"r/db:2"}


def test_a_daemon_set_has_a_pod_on_every_node() -> None:
    stage = Stage("nodes: 3\nworkloads: [{daemonset: kube-system/agent, image: 'r/agent:1'}]")
    stage.run(30)
    assert sorted(pod["spec"]["nodeName"] for pod in stage.cluster.list("Pod")) == ["node-1", "node-2", "node-3"]
    assert stage.cluster.list("DaemonSet")[0]["status"]["numberReady"] == 3


def test_a_job_tries_again_with_growing_pauses_until_its_limit() -> None:
    stage = Stage(
        "workloads: [{job: shop/import, image: 'r/i:1', backoff_limit: 2, does: {crash: {exit: 42, after: 2s}}}]"
    )
    stage.run(600)
    (job,) = stage.cluster.list("Job")
    assert job["status"]["conditions"][0]["reason"] == "BackoffLimitExceeded"
    assert job["status"]["failed"] == 3
    births = sorted(pod["metadata"]["creationTimestamp"] for pod in stage.cluster.list("Pod"))
    assert len(births) == 3
    pod = stage.cluster.list("Pod")[0]
    assert pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "import"
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "Job"


def test_a_cron_job_names_its_jobs_after_their_minute_and_keeps_three() -> None:
    stage = Stage("workloads: [{cronjob: shop/clean, image: 'r/c:1', every: 10m}]")
    stage.run(3500)
    jobs = names(stage, "Job")
    assert len(jobs) == 3
    assert all(re.fullmatch(r"clean-\d{8}", job) for job in jobs)
    minutes = [int(job.removeprefix("clean-")) for job in jobs]
    assert minutes == [minutes[0], minutes[0] + 10, minutes[0] + 20]
    assert {pod["status"]["phase"] for pod in stage.cluster.list("Pod")} == {"Succeeded"}
    assert all(job["metadata"]["ownerReferences"][0]["kind"] == "CronJob" for job in stage.cluster.list("Job"))


def test_a_removed_workload_takes_its_pods_and_replica_sets_along() -> None:
    stage = Stage(WEB + "timeline: [{at: 60s, remove: shop/web}]")
    stage.run(120)
    assert [names(stage, kind) for kind in ("Deployment", "ReplicaSet", "Pod")] == [[], [], []]


def test_a_workload_can_come_later() -> None:
    stage = Stage("workloads: [{deployment: shop/web, image: 'r/web:1', at: 5m}]")
    stage.run(299)
    assert names(stage) == []
    stage.run(20)
    assert len(names(stage)) == 1


def node(stage: Stage, name: str) -> dict:
    found = stage.cluster.get("Node", "", name)
    assert found is not None
    return found


def test_a_node_that_stops_answering_makes_its_pods_unready_and_after_five_minutes_they_move() -> None:
    stage = Stage(
        "nodes: 2\nworkloads: [{deployment: shop/web, replicas: 6, image: 'r/web:1'}]\n"
        "timeline: [{at: 60s, node_down: node-1}, {at: 10m, node_up: node-1}]"
    )
    stage.run(61)
    lost = [pod for pod in stage.cluster.list("Pod") if pod["spec"]["nodeName"] == "node-1"]
    assert lost
    assert {condition(pod, "Ready")["status"] for pod in lost} == {"False"}
    assert {pod["status"]["phase"] for pod in lost} == {"Running"}
    assert condition(node(stage, "node-1"), "Ready")["status"] == "Unknown"
    assert node(stage, "node-1")["spec"]["taints"][0]["key"] == "node.kubernetes.io/unreachable"
    stage.run(330)
    left = [pod for pod in stage.cluster.list("Pod") if pod["spec"]["nodeName"] == "node-1"]
    assert {pod["metadata"]["name"] for pod in left} == {pod["metadata"]["name"] for pod in lost}
    assert all(condition(pod, "DisruptionTarget")["reason"] == "DeletionByTaintManager" for pod in left)
    assert stage.cluster.list("Deployment")[0]["status"]["readyReplicas"] == 6
    stage.run(300)
    assert condition(node(stage, "node-1"), "Ready")["status"] == "True"
    gone = {pod["metadata"]["name"] for pod in lost}
    assert not gone & set(names(stage))


def test_a_node_that_is_back_in_time_keeps_its_pods() -> None:
    stage = Stage(
        "nodes: 1\nworkloads: [{deployment: shop/web, image: 'r/web:1'}]\n"
        "timeline: [{at: 60s, node_down: node-1}, {at: 120s, node_up: node-1}]"
    )
    stage.run(59)
    before = names(stage)
    stage.run(600)
    assert names(stage) == before
    assert condition(stage.cluster.list("Pod")[0], "Ready")["status"] == "True"


def test_a_container_that_would_have_died_on_a_lost_node_is_seen_dead_when_the_node_is_back() -> None:
    stage = Stage(
        "nodes: 1\nworkloads: [{pod: shop/web, image: 'r/web:1', does: {crash: {exit: 1, after: 90s}}}]\n"
        "timeline: [{at: 60s, node_down: node-1}, {at: 180s, node_up: node-1}]"
    )
    stage.run(179)
    assert stage.frames("web")[-1] == "MODIFIED Running 0 running ready"
    stage.run(2)
    assert "Error(1)" in " ".join(stage.frames("web"))


def test_pressure_shows_in_the_nodes_conditions() -> None:
    steps = (
        "{at: 10s, pressure: node-1, kind: DiskPressure}, {at: 20s, pressure: node-1, kind: DiskPressure, on: false}"
    )
    stage = Stage(f"timeline: [{steps}]")
    stage.run(11)
    assert condition(node(stage, "node-1"), "DiskPressure")["status"] == "True"
    stage.run(10)
    assert condition(node(stage, "node-1"), "DiskPressure")["status"] == "False"


def test_a_bare_pod_is_nobodys() -> None:
    stage = Stage("workloads: [{pod: shop/lonely, image: 'r/x:1'}]\ntimeline: [{at: 60s, delete: shop/lonely}]")
    stage.run(30)
    (pod,) = stage.cluster.list("Pod")
    assert "ownerReferences" not in pod["metadata"]
    stage.run(60)
    assert names(stage) == []
