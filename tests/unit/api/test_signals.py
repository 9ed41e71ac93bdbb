"""What is true now, and what each rule says of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.objects import node
from tests.support.own import TOKEN, own
from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import Timeline
from tests.support.volumes import GIB, mounts, summary, volume
from watcher.model.kube import Pod

AT = 60.0


def looping(name: str = "web-1", **fields: Any) -> Pod:
    return pod(name, backoff(160, dead(1, at=-20), restarts=6), **fields)


def story() -> Timeline:
    """One container loops, one died once long ago and waits, one cannot be pulled, one is well."""
    died = dead(1, at=10, instance="containerd://db")
    once = pod("db-1", backoff(20, died, restarts=1), owner="Deployment/db")
    waiting = status(waiting="ErrImagePull", message="x:9: not found")
    pulling = pod("api-1", waiting, owner="Deployment/api", namespace="tools", phase="Pending")
    found = Timeline().at(0).lists(looping(), pulling, pod("web-2"))
    found.at(20).sees(once)
    found.until(AT)
    return found


def names(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["signal"], each.get("pod", "")) for each in body["signals"]]


def rules(signal: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["rule"]: each for each in signal["rules"]}


async def test_every_signal_is_listed_with_its_fields_also_one_that_no_rule_wants() -> None:
    body = await own(story(), "/signals")
    assert body["more"] is False
    assert names(body) == [
        ("PodNotReady", "db-1"),
        ("CrashLooping", "db-1"),
        ("PodNotReady", "web-1"),
        ("CrashLooping", "web-1"),
        ("ImagePullFailing", "api-1"),
    ]
    (loop,) = [each for each in body["signals"] if (each["signal"], each["pod"]) == ("CrashLooping", "web-1")]
    assert (loop["kind"], loop["namespace"], loop["workload"], loop["container"]) == ("state", "shop", "web", "app")
    assert loop["fields"]["backoff_seconds"] == 160
    assert loop["fields"]["exit_code"] == 1
    assert "annotations" not in loop["fields"]
    verdicts = rules(loop)
    assert verdicts["ContainerCrashLooping"]["state"] == "firing"
    assert verdicts["ContainerCrashLooping"]["where"] is True
    assert verdicts["ContainerCrashLooping"]["alert"]["workload"] == "web"


async def test_a_rule_that_does_not_hold_says_why_not() -> None:
    body = await own(story(), "/signals?workload=db&signal=CrashLooping")
    (signal,) = body["signals"]
    verdict = rules(signal)["ContainerCrashLooping"]
    assert (verdict["where"], verdict["state"]) == (False, "inactive")
    assert "deaths_10m is 2" in verdict["why_not"]
    assert len(verdict["text"]) == 16


async def test_what_is_pending_says_until_when_and_what_is_an_effect_names_its_cause() -> None:
    body = await own(story(), "/signals?workload=web&signal=PodNotReady")
    (verdict,) = body["signals"][0]["rules"]
    assert verdict["state"] == "pending"
    assert verdict["due"] > "2026-11-20T09:01"
    assert names(await own(story(), "/signals?signal=PodNotReady&namespace=shop")) == [
        ("PodNotReady", "db-1"),
        ("PodNotReady", "web-1"),
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("namespace=tools", ["ImagePullFailing"], id="namespace"),
        pytest.param("namespace=nowhere", [], id="an unknown namespace"),
        pytest.param("workload=db&namespace=tools", [], id="both"),
        pytest.param("alert=ImagePullFailing", ["ImagePullFailing"], id="what the rules of an alert look at"),
        pytest.param("alert=Nothing", [], id="an unknown alert"),
    ],
)
async def test_what_is_wanted_can_be_said(query: str, found: list[str]) -> None:
    assert [name for name, _ in names(await own(story(), f"/signals?{query}"))] == found


async def test_only_the_rules_of_the_alert_that_is_wanted_are_shown() -> None:
    body = await own(story(), "/signals?alert=ContainerRestartingOften&workload=db")
    assert [each["rule"] for each in body["signals"][0]["rules"]] == ["ContainerRestartingOften"]


async def test_of_many_so_many_are_shown_and_it_is_said_that_there_are_more() -> None:
    body = await own(story(), "/signals?limit=1")
    assert (len(body["signals"]), body["more"]) == (1, True)


async def test_what_has_healed_is_not_true_any_more() -> None:
    found = story()
    found.at(100).sees(pod("web-1", status(restarts=6, last=dead(1, at=-20))))
    assert ("PodNotReady", "web-1") not in names(await own(found, "/signals?workload=web"))
    found.deletes(looping())
    assert names(await own(found, "/signals?workload=web")) == []


async def test_secrets_in_what_a_program_said_are_struck_out() -> None:
    death = dead(1, at=-20, message="login failed, password=hunter2hunter2")
    found = Timeline().at(0).lists(pod("web-1", backoff(160, death, restarts=6)))
    (loop,) = (await own(found, "/signals?signal=CrashLooping"))["signals"]
    assert "password=" in loop["fields"]["message"]
    assert "hunter2" not in loop["fields"]["message"]


async def test_the_token_is_wanted_where_one_is_set() -> None:
    body = await own(story(), "/signals", 401, Authorization="Bearer wrong")
    assert list(body) == ["error"]
    assert (await own(story(), "/signals", Authorization=f"Bearer {TOKEN}"))["signals"]


def stored() -> Timeline:
    """A claim that is 60 % full, one that is a folder of its node's disk, and a node that is not ready."""
    disk = volume("", 70, capacity=100 * GIB, at=10)
    local = volume("local", 70, capacity=100 * GIB, at=10)
    measured = summary(mounts("web-2", volume("data", 60, at=10), local), disk=disk)
    found = Timeline().at(0).lists(pod("web-2")).lists(node("n9", ready="False"))
    return found.at(10).sample("n1", measured)


async def test_volumes_and_nodes_are_listed_with_why_nobody_is_told() -> None:
    found = stored()
    body = await own(found, "/signals")
    shown = {(each["signal"], each.get("claim", ""), each.get("node", "")): each for each in body["signals"]}
    assert set(shown) == {("VolumeUsage", "data", "n1"), ("VolumeUsage", "", "n1"), ("NodeNotReady", "", "n9")}
    usage = shown["VolumeUsage", "data", "n1"]
    assert usage["fields"]["used_percent"] == 60
    assert rules(usage)["VolumeFillingUp"]["why_not"] == "used_percent >= 85 is false (used_percent is 60)"
    assert rules(shown["NodeNotReady", "", "n9"])["NodeNotReady"]["state"] == "firing"
    assert (await own(found, "/signals?namespace=tools"))["signals"] == []
    claims = (await own(found, "/signals?namespace=shop&signal=VolumeUsage"))["signals"]
    assert [each["claim"] for each in claims] == ["data"]


async def test_a_sample_that_is_old_says_nothing_of_now() -> None:
    assert (await own(stored(), "/signals?signal=VolumeUsage", at=10 + 6 * 60))["signals"] == []
