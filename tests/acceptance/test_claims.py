"""Stories of claims, through the whole pipeline with the shipped rules."""

from __future__ import annotations

from typing import Any

from tests.support.objects import ASKED, claim, claiming, event
from tests.support.pods import pod
from tests.support.timeline import PODS, Timeline, time
from watcher.model.config import FirstStart
from watcher.model.kube import Pod
from watcher.model.observations import Forbidden, Scope

CLAIMS = Scope(kind="PersistentVolumeClaim")
EVENTS = Scope(kind="Event")
QUOTA = "failed to provision volume: LimitExceeded: you have reached your service limit"


def started(*scopes: Scope, **fields: Any) -> Timeline:
    """A process that waits for pods, claims and events."""
    return Timeline(**fields).restarts(*(scopes or (PODS, CLAIMS, EVENTS)), known=False)


def watching(**fields: Any) -> Timeline:
    """All that tells of claims has been listed, and there is nothing yet."""
    return started(**fields).lists().lists(kind="PersistentVolumeClaim").lists(kind="Event")


def waiting(**fields: Any) -> Pod:
    return claiming(pod("db-0", phase="Pending", no_statuses=True, owner="StatefulSet/db", **fields), "data-db-0")


def of_claims(line: Timeline, until: float) -> list[tuple[float, str, str]]:
    """What was heard of claims: their pods have alerts of their own."""
    return [(at, reason, said) for at, reason, said in line.until(until) if "Claim" in said]


def test_row_77_a_claim_that_waits_for_its_first_consumer_is_silent() -> None:
    line = watching()
    line.at(10).sees(claim(phase="Pending", created=10))
    assert line.until(86400) == []


def test_row_77_it_is_told_ten_minutes_after_a_pod_wants_it() -> None:
    line = watching()
    line.at(10).sees(claim(phase="Pending", created=10))
    line.at(3600).sees(waiting(created=3600))
    assert of_claims(line, 4190) == []
    assert of_claims(line, 4300) == [(4210, "FIRST", "ClaimPending")]
    alert = line.sent[-1].alerts[0]
    assert (alert.labels["namespace"], alert.labels["claim"]) == ("shop", "data-db-0")
    assert "workload" not in alert.labels


def test_row_78_a_claim_whose_provisioning_failed_is_told_in_the_provisioners_words() -> None:
    line = watching()
    one = claim(phase="Pending", created=10)
    line.at(10).sees(one).at(15).sees(event(one, "ProvisioningFailed", QUOTA, at=15))
    assert line.until(700) == [(620, "FIRST", "ClaimPending")]
    signal = line.player.view.alerts.rows[next(iter(line.player.view.alerts.rows))].lead
    assert getattr(signal, "message", "") == QUOTA
    assert "its volume cannot be provided" in line.sent[0].alerts[0].annotations["summary"]
    line.at(900).sees(claim(created=10))
    assert line.until(1800)[1:] == [(920, "ALL_ENDED", "-ClaimPending:recovered")]


def test_row_78_the_event_may_come_before_its_claim_and_be_of_an_earlier_one() -> None:
    line = watching()
    one = claim(phase="Pending", created=10)
    line.at(5).sees(event(one, "ProvisioningFailed", QUOTA, at=5, uid="of another", name="old"))
    line.at(10).sees(one)
    assert line.until(3600) == []


def test_row_78_an_event_that_is_forgotten_after_an_hour_ends_nothing_while_a_provisioner_is_asked() -> None:
    line = watching()
    one = claim(phase="Pending", created=10, annotations=ASKED)
    said = event(one, "ProvisioningFailed", QUOTA, at=15)
    line.at(15).sees(one, said).at(3700).deletes(said)
    assert line.until(7200) == [(620, "FIRST", "ClaimPending")]
    (alert,) = line.player.view.alerts.rows.values()
    assert getattr(alert.lead, "message", "") == QUOTA


def test_row_79_a_claim_that_has_lost_its_volume_is_told_at_once() -> None:
    line = watching()
    line.at(10).sees(claim())
    line.at(60).sees(claim(phase="Lost"))
    assert line.until(120) == [(70, "FIRST", "ClaimLost")]
    assert line.sent[0].alerts[0].labels["severity"] == "critical"
    line.at(600).deletes(claim(phase="Lost"))
    assert line.until(1800)[1:] == [(670, "ALL_ENDED", "-ClaimLost:deleted")]


def test_a_lost_claim_that_is_being_deleted_is_over() -> None:
    line = watching()
    line.at(60).sees(claim(phase="Lost")).at(600).sees(claim(phase="Lost", deleting=600))
    assert line.until(1800)[1:] == [(670, "ALL_ENDED", "-ClaimLost:deleted")]


def test_another_claim_under_the_same_name_ends_the_alerts_of_the_earlier_one() -> None:
    line = watching()
    line.at(60).sees(claim(phase="Lost")).at(600).sees(claim(uid="another"))
    line.at(700).deletes(claim(phase="Lost"))
    assert line.until(1800)[1:] == [(670, "ALL_ENDED", "-ClaimLost:deleted")]
    assert line.player.view.claims.rows[("shop", "data-db-0")].claim.metadata.uid == "another"


def test_a_claim_that_a_later_list_does_not_hold_is_gone() -> None:
    line = watching()
    line.at(60).sees(claim(phase="Lost"), claim("other")).at(600).lists(claim("other"))
    assert line.until(1800)[1:] == [(670, "ALL_ENDED", "-ClaimLost:deleted")]


def test_a_claim_that_nobody_mounts_is_told_to_no_receiver_after_an_hour() -> None:
    line = watching()
    line.at(10).sees(claim(), claiming(pod("db-0"), "data-db-0", mounted=False))
    line.until(3600)
    assert line.firing() == []
    assert line.until(3700) == []
    assert line.firing() == ["ClaimUnmounted"]
    line.at(4000).sees(claiming(pod("db-1"), "data-db-0"))
    line.until(4100)
    assert line.firing() == []


def test_a_claim_that_is_bound_while_its_pod_starts_is_silent() -> None:
    line = watching()
    line.at(10).sees(claim(phase="Pending", created=10)).at(11).sees(waiting(created=11))
    line.at(300).sees(claim(created=10))
    assert of_claims(line, 3600) == []


def test_a_claim_whose_waiting_pod_is_deleted_is_no_trouble_any_more() -> None:
    line = watching()
    line.at(10).sees(claim(phase="Pending", created=10)).at(11).sees(waiting(created=11))
    line.at(900).deletes(waiting(created=11))
    assert of_claims(line, 3600)[0][1:] == ("FIRST", "ClaimPending")
    assert of_claims(line, 3600)[1:] == [(921, "ALL_ENDED", "-ClaimPending:recovered")]


def test_nothing_is_judged_before_all_that_tells_of_claims_is_listed() -> None:
    """After a restart a claim alone says nothing: the alert must not end because its pods are not listed yet."""
    line = watching()
    line.at(10).sees(claim(phase="Pending", created=10)).at(11).sees(waiting(created=11))
    line.until(900)
    line.at(1000).restarts(PODS, CLAIMS, EVENTS)
    line.at(1001).lists(claim(phase="Pending", created=10)).lists(kind="Event")
    line.at(1002).sees(claim(phase="Pending", created=10))
    line.at(1003).lists(waiting(created=11))
    assert [said for _, _, said in of_claims(line, 3600)] == ["ClaimPending"]
    assert "ClaimPending" in line.firing()


def test_a_scope_that_may_not_be_read_is_not_waited_for() -> None:
    line = started().lists(claim(phase="Lost")).lists()
    assert line.player.view.members.rows == {}
    line.takes(Forbidden(at=time(0), scope=EVENTS))
    assert line.until(60) == [(10, "FIRST", "ClaimLost")]


def test_what_is_found_at_first_sight_is_the_baseline_in_whatever_order_lists_end() -> None:
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        line = started(first_start=FirstStart.SUMMARY)
        for which in order:
            match which:
                case 0:
                    line.lists(claim(phase="Lost"))
                case 1:
                    line.lists(pod())
                case _:
                    line.lists(kind="Event")
        assert [reason for _, reason, _ in line.until(3600)] == ["BASELINE"]


def test_claims_of_a_cluster_that_was_watched_without_them_are_a_baseline() -> None:
    line = Timeline(first_start=FirstStart.SUMMARY).lists(pod())
    line.at(100).restarts(PODS, CLAIMS).lists(claim(phase="Lost")).lists(pod())
    assert [reason for _, reason, _ in line.until(3600)] == ["BASELINE"]


def test_a_claim_that_vanished_while_watcher_was_down_ends_its_alerts_as_deleted() -> None:
    line = watching()
    line.at(60).sees(claim(phase="Lost"))
    line.until(600)
    line.at(900).restarts(PODS, CLAIMS, EVENTS).lists(kind="PersistentVolumeClaim").lists().lists(kind="Event")
    assert line.until(3600)[1:] == [(970, "ALL_ENDED", "-ClaimLost:deleted")]


def test_a_list_of_one_namespace_says_nothing_of_another() -> None:
    line = watching()
    line.at(60).sees(claim(phase="Lost"))
    line.at(600).lists(kind="PersistentVolumeClaim", namespace="other")
    assert line.until(3600) == [(70, "FIRST", "ClaimLost")]
