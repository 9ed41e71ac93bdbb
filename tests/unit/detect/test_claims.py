"""When a claim that is pending, lost or not mounted is trouble, and when it is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.support.objects import ASKED, claim, claiming
from tests.support.pods import pod, status
from tests.support.timeline import PODS, time
from watcher.detect import claims
from watcher.detect.claims import ClaimTrouble, declared, unmounted
from watcher.detect.pods import workload_of
from watcher.model.identity import Subject
from watcher.model.kube import Condition, Event, PersistentVolumeClaim, Pod
from watcher.model.observations import Scope
from watcher.model.remembered import ClaimState, PodState, Warned
from watcher.model.signals import ClaimLost, ClaimPending, ClaimUnmounted

FIXTURES = Path(__file__).parents[2] / "fixtures"
CLAIMS = Scope(kind="PersistentVolumeClaim")


def using(one: Pod) -> PodState:
    meta = one.metadata
    return PodState(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        workload=workload_of(one)[0],
        scope=PODS,
        generation=1,
        created=meta.creation_timestamp,
        phase=one.status.phase,
        leaving=meta.deletion_timestamp is not None,
        claims=declared(one),
        unmounted=unmounted(one),
        pod=one if one.status.phase == "Pending" else None,
    )


def pending_pod(name: str = "db-0", **fields: Any) -> Pod:
    return claiming(pod(name, phase="Pending", no_statuses=True, owner="StatefulSet/db", **fields), "data-db-0")


def warned(reason: str, message: str = "", at: float = -30) -> Warned:
    return Warned(
        key=("shop", reason), kind="PersistentVolumeClaim", namespace="shop", name="data-db-0", reason=reason,
        message=message, at=time(at), scope=Scope(kind="Event"), generation=1,
    )  # fmt: skip


def look(
    one: PersistentVolumeClaim,
    *pods: Pod,
    events: Sequence[Warned] = (),
    before: ClaimPending | None = None,
    at: float = 0,
) -> tuple[ClaimTrouble, ...]:
    since = one.metadata.creation_timestamp or time(-3600)
    state = ClaimState(claim=one, scope=CLAIMS, generation=1, since=since)
    return claims.signals(state, [using(each) for each in pods], events, before, "c", time(at))


def recorded(name: str, kind: type[Any] = PersistentVolumeClaim) -> list[Any]:
    text = (FIXTURES / name).read_text(encoding="utf-8")
    document: Any = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    items = document.get("items") or [document]
    return [msgspec.convert(json.loads(json.dumps(item, default=lambda at: at.isoformat())), kind) for item in items]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("pvc_bound_2018.yaml", [[]]),
        ("pvcs_bound.json", [[], []]),
        ("pvcs_k3s_bound.json", [[], [], [], []]),
        ("pvc_pending_2018.yaml", [["ClaimPending"]]),
        # The pending one waits for a consumer: its class has chosen a node and nobody is asked.
        ("pvc_lost_pending_bound_synthetic.yaml", [[], ["ClaimLost"], []]),
    ],
)
def test_recorded_claims_give_the_signals_that_they_must_and_bound_ones_none(
    file: str, expected: list[list[str]]
) -> None:
    assert [[type(signal).__name__ for signal in look(one)] for one in recorded(file)] == expected


WFFC = claim(phase="Pending")
IMMEDIATE = claim(phase="Pending", annotations=ASKED)
GATED = Condition(type="PodScheduled", status="False", reason="SchedulingGated")


@pytest.mark.parametrize(
    ("one", "pods", "events", "cause"),
    [
        (WFFC, [], [], None),
        (WFFC, [claiming(pod("db-0", phase="Succeeded"), "data-db-0")], [], None),
        (WFFC, [pending_pod(deleting=-5)], [], None),
        (WFFC, [pending_pod(conditions=(GATED,))], [], None),
        (WFFC, [pending_pod()], [], "unknown"),
        (WFFC, [], [warned("ProvisioningFailed")], "provisioning_failed"),
        (WFFC, [], [warned("FailedBinding")], "no_volume"),
        (IMMEDIATE, [], [], "provisioner_silent"),
        (IMMEDIATE, [], [warned("ProvisioningFailed")], "provisioning_failed"),
        (claim(phase="Pending", storage_class=""), [], [], "no_volume"),
        (claim(phase="Pending", storage_class=None), [], [], None),
        (claim(), [], [], None),
        (claim(phase=""), [], [], None),
    ],
    ids=[
        "row 77: it waits for its first consumer",
        "its only pod has finished",
        "its only pod is being deleted",
        "its only pod is held back by a scheduling gate",
        "a pod waits for it",
        "row 78: the provisioner failed",
        "nothing to bind it to",
        "the provisioner was asked and says nothing",
        "the provisioner was asked and failed",
        "to be bound by hand",
        "of the default class, nobody wants it",
        "bound",
        "without a phase yet",
    ],
)
def test_a_pending_claim_is_trouble_only_where_something_waits_or_failed(
    one: PersistentVolumeClaim, pods: list[Pod], events: list[Warned], cause: str | None
) -> None:
    found = look(one, *pods, events=events)
    assert [signal.cause for signal in found if isinstance(signal, ClaimPending)] == ([cause] if cause else [])
    assert len(found) == (cause is not None)


def test_the_words_are_those_of_the_newest_event_cleaned_of_secrets() -> None:
    old = warned("ProvisioningFailed", "first try", at=-300)
    new = warned("FailedBinding", "no volume, token=abcdefgh12345678 refused", at=-10)
    (signal,) = look(WFFC, events=[new, old])
    assert isinstance(signal, ClaimPending)
    assert signal.reason == "FailedBinding"
    assert signal.message.startswith("no volume")
    assert "abcdefgh" not in signal.message


def test_the_words_outlast_their_event_while_the_claim_is_trouble() -> None:
    """The API server keeps an event for an hour, and a restart of Watcher may find it gone."""
    (before,) = look(IMMEDIATE, events=[warned("ProvisioningFailed", "quota")])
    assert isinstance(before, ClaimPending)
    (after,) = look(IMMEDIATE, before=before)
    assert isinstance(after, ClaimPending)
    assert (after.cause, after.reason, after.message) == ("provisioning_failed", "ProvisioningFailed", "quota")
    assert look(WFFC, before=before) == ()


def test_a_real_quota_error_is_told_in_the_provisioners_words() -> None:
    (event,) = recorded("events_pvc_provisioningfailed_limit.json", Event)
    (signal,) = look(IMMEDIATE, events=[warned(event.reason, event.message)])
    assert isinstance(signal, ClaimPending)
    assert "LimitExceeded" in signal.message


@pytest.mark.parametrize(
    ("one", "pods", "since"),
    [
        (claim(phase="Pending", created=-9000, annotations=ASKED), [pending_pod(created=-60)], -9000),
        (claim(phase="Pending", created=-9000), [pending_pod(created=-60), pending_pod("db-1", created=-90)], -90),
        (claim(phase="Pending", created=-30), [pending_pod(created=-60)], -30),
        (claim(phase="Pending", created=60, annotations=ASKED), [], 0),
    ],
    ids=["provided at once: its creation", "its first waiting pod", "the pod was there before it", "a clock ahead"],
)
def test_a_claim_is_trouble_since_something_waits_for_it(
    one: PersistentVolumeClaim, pods: list[Pod], since: float
) -> None:
    (signal,) = look(one, *pods)
    assert signal.since == time(since)


def test_a_lost_claim_names_its_volume() -> None:
    (signal,) = look(claim(phase="Lost", volume="pvc-1"), claiming(pod("db-0"), "data-db-0"))
    assert isinstance(signal, ClaimLost)
    assert (signal.volume, signal.claim, signal.storage_class, signal.pods) == ("pvc-1", "data-db-0", "fast", ("db-0",))
    assert signal.subject == Subject(namespace="shop", uid="claim/shop/data-db-0", claim="data-db-0")


def test_at_most_twenty_pods_are_named_and_finished_ones_not() -> None:
    pods = [claiming(pod(f"db-{n:02}"), "data-db-0") for n in range(25)]
    over = claiming(pod("aa", phase="Succeeded"), "data-db-0")
    (signal,) = look(claim(phase="Lost"), over, *pods)
    assert isinstance(signal, ClaimLost)
    assert signal.pods == tuple(f"db-{n:02}" for n in range(20))


BARE = claiming(pod("db-0"), "data-db-0", mounted=False)
MOUNTING = claiming(pod("db-1"), "data-db-0")


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], False),
        ([BARE], True),
        ([BARE, MOUNTING], False),
        ([claiming(pod("db-0", phase="Pending"), "data-db-0", mounted=False)], False),
        ([claiming(pod("db-0", deleting=-5), "data-db-0", mounted=False)], False),
    ],
    ids=["no pod", "nothing in it mounts it", "another pod mounts it", "it does not run yet", "it is being deleted"],
)
def test_a_claim_is_unmounted_while_a_running_pod_declares_it_and_none_mounts_it(
    pods: list[Pod], expected: bool
) -> None:
    found = look(claim(), *pods)
    assert [type(signal) for signal in found] == ([ClaimUnmounted] if expected else [])


def test_a_generic_ephemeral_volume_declares_the_claim_that_is_made_for_it() -> None:
    one = claiming(pod("db-0"), "scratch", ephemeral=True)
    assert declared(one) == ("db-0-scratch",)
    assert unmounted(one) == ()


def test_a_mount_in_an_init_container_counts() -> None:
    one = claiming(pod("db-0", status(), init=(status("init"),)), "a", "b", mounted=False)
    assert unmounted(one) == ("a", "b")
    mounting = claiming(pod("db-0", status("init")), "a").spec.containers
    spec = msgspec.structs.replace(one.spec, init_containers=mounting)
    assert unmounted(msgspec.structs.replace(one, spec=spec)) == ("b",)


def test_the_old_annotation_for_the_class_wins_over_the_field() -> None:
    one = claim(annotations={"volume.beta.kubernetes.io/storage-class": "slow"}, storage_class="fast")
    assert claims.storage_class(one) == "slow"
