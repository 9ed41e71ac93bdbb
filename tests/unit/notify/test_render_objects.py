"""The words of volumes, claims, nodes, and of what Watcher itself does not see."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.support.messages import at, changed, ended, envelope, facts, told
from tests.support.troubles import (
    GI,
    about,
    blind,
    claim_lost_signal,
    claim_pending_signal,
    claim_unmounted_signal,
    disk_signal,
    node_disk,
    node_not_ready,
    node_signal,
    not_ready_signal,
    pressure_signal,
    stream_signal,
    volume_inodes,
    volume_nearly_full,
    volume_signal,
    volume_will_fill,
    with_effects,
)
from watcher.model.identity import Workload
from watcher.model.state import EndReason
from watcher.notify.facts import PodOnNode
from watcher.notify.render import render
from watcher.notify.render_volume import about as about_span
from watcher.notify.render_volume import percent

# ---- volumes -----------------------------------------------------------------------------------------------------


def test_a_volume_that_fills_says_when_it_is_full_and_by_what_trend() -> None:
    """Row 73 of the behaviours."""
    lines = told(volume_will_fill()).splitlines()
    assert lines[0] == "🟠 data-es-0 is 60 % full, full in about 9 h — logging, prod-eu"
    assert lines[1] == ("14 Gi of 22 Gi used, 9 Gi left; full in about 9 h by the trend of 4 h, 1 Gi/h. Used by es-0.")


@pytest.mark.parametrize(
    ("fields", "title", "words"),
    [
        ({"full_in_seconds": None}, "is 96 % full — ", "8 Gi left. Used"),
        ({"full_in_seconds": 3 * 86400.0}, "is 96 % full — ", "full in about 3 d by the trend of 6 h, 4 Gi/h"),
        ({"full_in_seconds": 30 * 86400.0}, "is 96 % full — ", "8 Gi left. Used"),
        ({"full_in_seconds": 7200.0, "bytes_per_hour": None}, "full in about 2 h — ", "8 Gi left. Used"),
        ({"full_in_seconds": 0.0, "available_bytes": 0, "used_percent": 100.0}, "is 100 % full — ", "; full by the"),
    ],
    ids=["no trend", "in days", "in a month", "no slope", "full"],
)
def test_a_trend_is_told_as_far_as_it_is_known(fields: dict[str, Any], title: str, words: str) -> None:
    lines = told(about("VolumeNearlyFull", volume_signal(**fields))).splitlines()
    assert title in lines[0]
    assert words in lines[1]


def test_space_that_is_reserved_is_told_apart() -> None:
    signal = volume_signal(used_bytes=180 * GI, full_in_seconds=None)
    assert "180 Gi of 200 Gi used, 12 Gi reserved, 8 Gi left." in told(about("VolumeNearlyFull", signal))


@pytest.mark.parametrize(
    ("size", "left", "words"),
    [
        pytest.param(20, 1.4, "18.6 Gi of 20 Gi used, 1.4 Gi left", id="93 %"),
        pytest.param(20, 0.4, "19.6 Gi of 20 Gi used, 410 Mi left", id="98 %"),
        pytest.param(19.53, 0.4, "19.1 Gi of 19.5 Gi used, 410 Mi left", id="a size with a part"),
        pytest.param(20, 0, "20 Gi of 20 Gi used, 0 B left", id="full"),
        pytest.param(20, 12.4, "7.6 Gi of 20 Gi used, 12 Gi left", id="half empty"),
        pytest.param(200, 8, "192 Gi of 200 Gi used, 8 Gi left", id="large"),
        pytest.param(200, 0.4, "199.6 Gi of 200 Gi used, 410 Mi left", id="large and nearly full"),
        pytest.param(1.9, 0.1, "1.8 Gi of 1.9 Gi used, 102 Mi left", id="small"),
    ],
)
def test_what_is_nearly_full_is_not_called_full(size: float, left: float, words: str) -> None:
    signal = volume_signal(
        capacity_bytes=int(size * GI), available_bytes=int(left * GI), used_bytes=None, full_in_seconds=None
    )
    assert f"{words}." in told(about("VolumeNearlyFull", signal))


def test_inodes_are_told_first_where_the_alert_is_about_them_and_beside_the_bytes_where_they_run_short() -> None:
    lines = told(volume_inodes()).splitlines()
    assert lines[0] == "🟠 data-es-0 has 97 % of its inodes in use — logging, prod-eu"
    assert lines[1].startswith("970,000 of 1,000,000 inodes used, 30,000 left; 50 Gi of 200 Gi used, 150 Gi left.")
    both = about("VolumeFillingUp", volume_signal(inodes_free=100_000, inodes_used_percent=90.0))
    assert "900,000 of 1,000,000 inodes used, 100,000 left (90 %)." in told(both).splitlines()
    assert "inodes" not in told(volume_nearly_full())


def test_an_old_measurement_says_its_time() -> None:
    signal = volume_signal(sampled_at=at("13:40:00"))
    assert "Measured last at 13:40." in told(about("VolumeFillingUp", signal)).splitlines()
    assert "Measured" not in told(volume_nearly_full())


def test_the_disk_of_a_node_names_every_claim_on_it() -> None:
    """Row 80 of the behaviours."""
    text = told(node_disk())
    assert text.splitlines()[0] == "🟠 disk of node n7 is 90 % full — prod-eu"
    assert "40 local volumes on it: shop/data-00, " in text
    assert all(f"shop/data-{n:02}" in text for n in range(40))
    assert "shop/data-39 and 10 more" in told(about("VolumeFillingUp", disk_signal(50)))


def test_the_end_of_a_volumes_alert_says_how_full_it_is() -> None:
    text = told(ended(about("VolumeFillingUp", disk_signal(used_percent=70.0)), EndReason.RECOVERED))
    assert text.splitlines() == [
        "🟢 disk of node n7 has recovered — prod-eu",
        "It is now 70 % full (20 Gi left).",
    ]
    assert "It is now at 97 % of its inodes." in told(ended(volume_inodes(), EndReason.RECOVERED))
    assert told(ended(volume_nearly_full(), EndReason.IDLE)).splitlines() == [
        "⚪ data-es-0: closed, idle: no pod mounts it any more — logging, prod-eu",
        "It was last seen 96 % full (8 Gi left).",
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.4, "0 %"), (84.6, "85 %"), (99.7, "99 %"), (100.0, "100 %")],
)
def test_only_what_is_full_to_the_last_byte_is_a_hundred_percent(value: float, words: str) -> None:
    assert percent(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (10, "1 min"),
        (610, "10 min"),
        (3500, "1 h"),
        (5800, "1 h 40 min"),
        (32390, "9 h"),
        (100_000, "1 d 4 h"),
        (250_000, "3 d"),
    ],
)
def test_a_guess_is_no_finer_than_it_is_known(seconds: float, words: str) -> None:
    assert about_span(seconds) == words


@pytest.mark.parametrize(
    ("capacity", "wanted"), [(200 * GI, "300Gi"), (GI, "2Gi"), (100 * 1024**2, "200Mi"), (int(195.8 * GI), "300Gi")]
)
def test_a_larger_claim_is_asked_for_in_a_round_number(capacity: int, wanted: str) -> None:
    assert f'"storage":"{wanted}"' in told(about("VolumeNearlyFull", volume_signal(capacity_bytes=capacity)))


# ---- claims ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "title", "sentence"),
    [
        ("provisioning_failed", ": no volume can be provisioned", ": the provisioner failed to make a volume."),
        ("no_volume", ": no volume fits it", ": no volume fits it, and no storage class makes one."),
        (
            "provisioner_silent",
            ": its provisioner does nothing",
            ": its provisioner has neither made a volume nor said",
        ),
        ("unknown", "", "."),
    ],
)
def test_a_pending_claim_says_why_and_who_waits_for_it(cause: str, title: str, sentence: str) -> None:
    lines = told(about("ClaimPending", claim_pending_signal(cause=cause))).splitlines()
    assert lines[0] == f"🟠 data-es-0 is not bound{title} — logging, prod-eu"
    assert lines[1].startswith(f"The claim has been pending since 13:50 (12 min){sentence}")
    assert lines[1].endswith(" es-0 waits for it.")


def test_the_provisioners_words_are_shown() -> None:
    """Row 78 of the behaviours."""
    lines = told(about("ClaimPending", claim_pending_signal())).splitlines()
    assert 'provisioner says: ProvisioningFailed: storageclass.storage.k8s.io "fast" not found' in lines
    silent = claim_pending_signal(cause="provisioner_silent", reason="", message="", pods=())
    assert " says: " not in told(about("ClaimPending", silent))


def test_a_lost_claim_and_one_that_nobody_mounts_name_who_uses_them() -> None:
    lost = told(about("ClaimLost", claim_lost_signal(), severity="critical")).splitlines()
    assert lost[:2] == [
        "🔴 data-es-0 has lost its volume — logging, prod-eu",
        "Its volume `pvc-3f0c` is gone, and the claim finds no other by itself. Used by es-0.",
    ]
    idle = told(about("ClaimUnmounted", claim_unmounted_signal(), severity="info")).splitlines()
    assert idle[1] == "Declared by es-0, and mounted by no container since 13:02 (1 h)."
    deleted = ended(about("ClaimLost", claim_lost_signal()), EndReason.DELETED)
    assert told(deleted).startswith("⚪ data-es-0: closed, the claim was deleted — logging, prod-eu")


# ---- nodes -------------------------------------------------------------------------------------------------------


def test_a_silent_node_names_its_pods_and_counts_the_alerts_that_it_holds_back() -> None:
    """Row 62 of the behaviours."""
    text = told(node_not_ready())
    lines = text.splitlines()
    assert lines[0] == "🔴 Node n7 is not ready — prod-eu"
    assert lines[1] == "No word from its kubelet since 13:56 (6 min). 40 pods of 30 workloads ran there."
    assert lines[3].startswith("w00 ×2 (shop), w01 ×2 (shop)")
    assert all(f"w{n:02}" in lines[3] for n in range(30))
    assert (
        "12 alerts of its pods are held back: not ready: w00, w01, w02, w03, w04 and 6 more; crash loop: w11" in lines
    )
    assert "an effect of this" not in text


def test_one_alert_that_a_node_holds_back_is_told_in_the_singular() -> None:
    told_ = with_effects(about("NodeNotReady", node_signal()), facts([not_ready_signal()], "PodNotReady"))
    assert "1 alert of its pods is held back: not ready: checkout" in told(told_).splitlines()


def test_a_node_that_speaks_is_quoted() -> None:
    on_node = (PodOnNode(Workload("shop", "Deployment", "api"), "api-1"),)
    signal = node_signal(status="False", reason="KubeletNotReady", message="container runtime is down", cordoned=True)
    lines = told(about("NodeNotReady", signal, pods_on_node=on_node)).splitlines()
    assert lines[1:4] == [
        "Its kubelet has said that it is not ready since 13:56 (6 min). 1 pod of 1 workload runs there.",
        "kubelet says: KubeletNotReady: container runtime is down",
        "Node n7 · cordoned · cluster prod-eu · since 13:56 UTC · warning",
    ]
    assert lines[-1] == "Next: `kubectl describe node n7`"


@pytest.mark.parametrize(
    ("conditions", "title", "sentence"),
    [
        (("MemoryPressure",), "runs out of memory", "MemoryPressure since 13:50 (12 min); it evicts pods and takes"),
        (
            ("DiskPressure", "PIDPressure"),
            "runs out of disk space and process ids",
            "DiskPressure and PIDPressure since",
        ),
        (("NetworkUnavailable",), "has no network", "NetworkUnavailable since 13:50 (12 min)."),
        (("SomethingNew",), "is under pressure", "SomethingNew since 13:50 (12 min)."),
    ],
    ids=["memory", "two", "network", "of a later Kubernetes"],
)
def test_each_pressure_of_a_node_has_its_words(conditions: tuple[str, ...], title: str, sentence: str) -> None:
    lines = told(about("NodeUnderPressure", pressure_signal(conditions=conditions))).splitlines()
    assert lines[0] == f"🟠 Node n7 {title} — prod-eu"
    assert lines[1].startswith(f"Its kubelet has reported {sentence}")


def test_a_node_that_is_back_or_deleted_is_told_by_its_kind() -> None:
    assert told(ended(node_not_ready(), EndReason.RECOVERED)).splitlines() == [
        "🟢 Node n7 has recovered — prod-eu",
        "It was not ready for 6 min.",
    ]
    assert told(ended(node_not_ready(), EndReason.DELETED)).startswith("⚪ Node n7: closed, the node was deleted — ")


# ---- Watcher itself ----------------------------------------------------------------------------------------------


def test_one_stream_that_is_not_heard_says_what_is_not_seen_since_when_and_why() -> None:
    lines = told(about("WatcherBlind", stream_signal(), severity="critical")).splitlines()
    assert lines[0] == "🔴 Watcher is blind: it does not see pods — prod-eu"
    assert lines[1].startswith(
        "Nothing has been heard of pods in namespace shop since 13:58 (4 min). What happens there"
    )
    assert lines[2] == "Why: the API server closes each watch at once"
    assert lines[-1] == "Next: `kubectl get pods -n shop`, and see Watcher's own log"


def test_several_streams_are_one_message_that_names_each() -> None:
    lines = told(blind()).splitlines()
    assert lines[0] == "🔴 Watcher is blind: it does not see pods and nodes — prod-eu"
    assert "pods in namespace shop (since 13:58), nodes (since 13:59)" in lines
    assert lines.count("Why: the API server closes each watch at once") == 1


def test_streams_that_were_added_are_not_called_pods() -> None:
    grown = msgspec.structs.replace(blind(), told_members=1, told_at=at("13:59:00"))
    assert told(grown) == told(blind())


@pytest.mark.parametrize(
    ("kind", "words", "command"),
    [
        ("PersistentVolumeClaim", "claims", "kubectl get persistentvolumeclaims -A"),
        ("Node", "nodes", "kubectl get nodes"),
        ("Event", "warning events", "kubectl get events -A"),
        ("StatsSummary", "StatsSummary", "kubectl get --raw /readyz"),
        ("", "objects", "kubectl get --raw /readyz"),
    ],
)
def test_each_kind_of_stream_has_its_words_and_its_command(kind: str, words: str, command: str) -> None:
    lines = told(about("WatcherBlind", stream_signal(kind, ""))).splitlines()
    assert lines[0] == f"🟠 Watcher is blind: it does not see {words} — prod-eu"
    assert lines[-1] == f"Next: `{command}`, and see Watcher's own log"


def test_watcher_that_sees_again_says_what_it_did_not_see() -> None:
    over = ended(about("WatcherBlind", stream_signal()), EndReason.RECOVERED)
    assert told(over) == "🟢 Watcher has recovered — prod-eu\nIt did not see pods in namespace shop for 4 min."


# ---- beside the words --------------------------------------------------------------------------------------------


def test_members_carry_the_fields_of_their_signal_with_lists_made_safe() -> None:
    signal = node_signal(message="a\x1b[31mb")
    alert = about("NodeNotReady", signal)
    claims = msgspec.structs.replace(disk_signal(1), claims=("shop/a\x07b",))
    first = render(envelope(), [alert]).alerts[0].members[0]
    assert (first["node"], first["status"], first["message"]) == ("n7", "Unknown", "ab")
    member = render(envelope(), [about("VolumeFillingUp", claims)]).alerts[0].members[0]
    assert member["claims"] == ["shop/ab"]
    assert member["used_percent"] == 90.0


def test_the_rules_own_title_stands_before_ours() -> None:
    own = changed(volume_nearly_full(), annotations={"summary": "es is full, call the search team"})
    assert told(own).startswith("🔴 es is full, call the search team — logging, prod-eu")
