"""The Lease against an emulated API server over real HTTP: who leads, for how long, and what of it others see."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.support.cutting import cutter
from tests.support.leases import CREATED, QUICK, READ, RENEWED, HandClock, Place, got, meanwhile, until
from watcher.demo import DemoCluster
from watcher.demo.faults import Clear, Fail, Hang
from watcher.engine.clock import SystemClock
from watcher.source.client import connect


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with DemoCluster() as demo, cutter(demo.port) as made:
        path = demo.kubeconfig(tmp_path / "kubeconfig")
        document = yaml.safe_load(path.read_text())
        document["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{made.port}"
        path.write_text(yaml.safe_dump(document))
        client = await connect(SystemClock(), str(path))
        yield Place(demo, client, made)
        await client.close()


# ---- acquiring ----


async def test_a_lease_that_is_missing_is_made(place: Place) -> None:
    lease = place.lease()
    assert not lease.held()
    await got(lease)
    assert lease.held()
    spec = place.found["spec"]
    assert spec["holderIdentity"] == "a"
    assert spec["leaseDurationSeconds"] == 15
    assert spec["leaseTransitions"] == 0
    for name in ("acquireTime", "renewTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec[name])


async def test_one_that_was_released_is_taken_at_once(place: Place) -> None:
    place.put("")
    await got(place.lease())
    assert place.holder == "a"
    assert place.found["spec"]["leaseTransitions"] == 5


async def test_its_own_of_before_a_restart_is_taken_at_once(place: Place) -> None:
    place.put("a")
    await got(place.lease())
    assert place.found["spec"]["leaseTransitions"] == 4


@pytest.mark.parametrize(
    "renewed",
    [
        pytest.param("1999-01-01T00:00:00.000000Z", id="its clock is far behind"),
        pytest.param("2399-01-01T00:00:00.000000Z", id="its clock is far ahead"),
    ],
)
async def test_a_fresh_one_is_respected_however_wrong_the_clock_of_its_holder_is(place: Place, renewed: str) -> None:
    place.put("b", renewed=renewed)
    clock = HandClock()
    lease = place.lease(clock=clock)
    async with meanwhile(lease) as acquiring:
        await place.asked(READ)
        clock.passed += 14
        await place.asked(READ)
        assert place.holder == "b"
        place.put("b", renewed=renewed[:-2] + "1Z")
        await place.asked(READ)
        clock.passed += 14
        await place.asked(READ)
        assert place.holder == "b"
        assert not acquiring.done()
        clock.passed += 2
        await asyncio.wait_for(acquiring, 20)
    assert place.holder == "a"
    assert lease.held()


async def test_one_that_says_no_duration_counts_as_long_as_our_own(place: Place) -> None:
    place.put("b", seconds=None)
    clock = HandClock()
    async with meanwhile(place.lease(clock=clock)) as acquiring:
        await place.asked(READ)
        clock.passed += 14
        await place.asked(READ)
        assert place.holder == "b"
        clock.passed += 2
        await asyncio.wait_for(acquiring, 20)


async def test_a_duration_that_is_no_whole_number_is_rounded_up(place: Place) -> None:
    await got(place.lease(config=msgspec.structs.replace(QUICK, lease_duration=timedelta(seconds=3, milliseconds=200))))
    assert place.found["spec"]["leaseDurationSeconds"] == 4


@pytest.mark.parametrize("stored", [pytest.param(False, id="missing"), pytest.param(True, id="released")])
async def test_of_two_that_ask_at_once_one_gets_it(place: Place, stored: bool) -> None:
    for _ in range(5):
        if stored:
            place.put("")
        leases = [place.lease("a"), place.lease("b")]
        async with meanwhile(leases[0]) as one, meanwhile(leases[1]) as other:
            await asyncio.wait({one, other}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
            await place.asked(READ)
            assert [lease.held() for lease in leases].count(True) == 1
            assert place.holder == ("a" if leases[0].held() else "b")
        place.demo.cluster.delete("Lease", "watcher", "watcher")


async def test_what_is_not_allowed_is_said_once_and_counted_until_it_is(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.demo.access.deny(resource="leases")
    lease, failed = place.lease(), list[int]()
    lease.failed = lambda: failed.append(1)
    with caplog.at_level(logging.WARNING):
        async with meanwhile(lease) as acquiring:
            await until(lambda: len(failed) >= 4)
            assert not acquiring.done()
            place.demo.access.denied.clear()
            await asyncio.wait_for(acquiring, 20)
    (said,) = [one for one in caplog.records if one.getMessage() == "the lease cannot be had"]
    assert "403" in vars(said)["error"]


async def test_a_namespace_that_is_not_there_is_a_failure(place: Place) -> None:
    lease, failed = place.lease(), list[int]()
    lease.failed = lambda: failed.append(1)
    place.demo.faults.apply(Fail(status=404, resource="leases", verb="create", message='namespaces "w" not found'))
    async with meanwhile(lease):
        await until(lambda: len(failed) >= 2)
    assert not lease.held()


async def test_an_attempt_of_ours_that_was_done_and_not_answered_is_ours(place: Place) -> None:
    place.cutter.cut_after = b"holderIdentity"
    await got(place.lease())
    assert place.cutter.cuts == 1
    assert place.demo.counts[CREATED] == 1
    assert place.holder == "a"


# ---- keeping ----


async def test_it_is_renewed_and_nobody_else_gets_it(place: Place) -> None:
    lease = place.lease(clock=SystemClock())
    await got(lease)
    acquired = place.found["spec"]["acquireTime"]
    async with meanwhile(lease, "keep") as keeping, meanwhile(place.lease("b")) as other:
        await place.asked(RENEWED, 5)
        assert lease.held()
        assert not keeping.done()
        assert not other.done()
    spec = place.found["spec"]
    assert spec["acquireTime"] == acquired < spec["renewTime"]
    assert spec["leaseTransitions"] == 0


async def test_who_cannot_renew_it_stops_before_another_may_begin(place: Place) -> None:
    config = msgspec.structs.replace(QUICK, renew_deadline=timedelta(milliseconds=600))
    clock = SystemClock()
    lease = place.lease(config=config, clock=clock)
    begun = clock.monotonic()
    await got(lease)
    place.demo.faults.apply(Hang(resource="leases"))
    async with asyncio.timeout(10):
        await lease.keep()
    assert not lease.held()
    assert clock.monotonic() - begun >= 0.6
    place.demo.faults.apply(Clear())
    assert place.holder == "a"
    await got(lease)
    assert lease.held()


async def test_a_long_pause_between_renewals_does_not_make_it_stop_later(place: Place) -> None:
    """Else the others would begin first, who wait for `lease_duration`."""
    config = msgspec.structs.replace(QUICK, lease_duration=timedelta(seconds=45), retry_period=timedelta(seconds=30))
    config = msgspec.structs.replace(config, renew_deadline=timedelta(seconds=40))
    clock = HandClock()
    lease, failed = place.lease(config=config, clock=clock), list[int]()
    lease.failed = lambda: failed.append(1)
    await got(lease)
    place.demo.faults.apply(Fail(status=500, resource="leases"))
    clock.passed += 39.99
    async with meanwhile(lease, "keep") as keeping:
        await until(lambda: failed)
        clock.passed += 0.02
        await asyncio.wait_for(keeping, 10)


async def test_one_connection_that_died_does_not_cost_the_leadership(place: Place) -> None:
    config = msgspec.structs.replace(QUICK, renew_deadline=timedelta(seconds=2))
    lease, failed = place.lease(config=config, clock=SystemClock()), list[int]()
    lease.failed = lambda: failed.append(1)
    await got(lease)
    place.demo.faults.apply(Hang(resource="leases", verb="update", times=1))
    async with meanwhile(lease, "keep") as keeping:
        await until(lambda: failed)
        await place.asked(RENEWED)
        assert lease.held()
        assert not keeping.done()
    assert len(failed) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_api_server_in_trouble_for_a_moment_does_not_cost_it_either(place: Place, status: int) -> None:
    lease, failed = place.lease(), list[int]()
    lease.failed = lambda: failed.append(1)
    await got(lease)
    place.demo.faults.apply(Fail(status=status, resource="leases", times=3, retry_after=1))
    async with meanwhile(lease, "keep") as keeping:
        await until(lambda: len(failed) == 3)
        await place.asked(RENEWED)
        assert not keeping.done()


async def test_a_renewal_of_ours_that_was_done_and_not_answered_is_no_conflict(place: Place) -> None:
    lease = place.lease()
    await got(lease)
    before = place.found["metadata"]["resourceVersion"]
    place.cutter.cut_after = b"holderIdentity"
    async with meanwhile(lease, "keep") as keeping:
        await until(lambda: place.cutter.cuts)
        assert place.found["metadata"]["resourceVersion"] != before
        await place.asked(RENEWED, 4)
        assert lease.held()
        assert not keeping.done()


async def test_one_that_a_person_deletes_is_made_again_at_once(place: Place) -> None:
    lease = place.lease()
    await got(lease)
    async with meanwhile(lease, "keep") as keeping, meanwhile(place.lease("b")) as other:
        other.cancel()
        await place.asked(RENEWED)
        place.demo.cluster.delete("Lease", "watcher", "watcher")
        await until(lambda: place.holder == "a")
        await place.asked(RENEWED)
        assert lease.held()
        assert not keeping.done()


async def test_what_a_person_or_a_tool_writes_on_it_stays(place: Place) -> None:
    lease = place.lease()
    await got(lease)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}
    marks = {"labels": {"team": "ops"}, "annotations": {"note": "mine"}, "ownerReferences": [owner]}
    async with meanwhile(lease, "keep") as keeping:
        place.demo.cluster.apply("Lease", "watcher", "watcher", {"metadata": marks})
        await place.asked(RENEWED, 4)
        assert lease.held()
        assert not keeping.done()
    metadata = place.found["metadata"]
    assert {name: metadata[name] for name in marks} == marks


@pytest.mark.parametrize("holder", [pytest.param("b", id="another one"), pytest.param("", id="nobody")])
async def test_one_that_a_person_gives_to_somebody_else_is_lost(place: Place, holder: str) -> None:
    lease = place.lease()
    await got(lease)
    async with meanwhile(lease, "keep") as keeping:
        place.demo.cluster.apply("Lease", "watcher", "watcher", {"spec": {"holderIdentity": holder}})
        await asyncio.wait_for(keeping, 20)
    assert not lease.held()
    await lease.release()
    assert place.holder == holder


async def test_a_process_that_was_stopped_for_long_does_not_hold_it(place: Place) -> None:
    clock = HandClock()
    lease = place.lease(clock=clock)
    await got(lease)
    clock.passed += 10.1
    assert not lease.held()
    place.put("b")
    async with meanwhile(lease, "keep") as keeping:
        await asyncio.wait_for(keeping, 20)
    assert place.holder == "b"


# ---- releasing ----


async def test_released_another_has_it_at_once(place: Place) -> None:
    lease, other = place.lease(), place.lease("b")
    await got(lease)
    async with meanwhile(other) as acquiring:
        await place.asked(READ)
        assert not acquiring.done()
        await lease.release()
        assert not lease.held()
        await asyncio.wait_for(acquiring, 20)
    assert place.holder == "b"
    assert place.found["spec"]["leaseTransitions"] == 1


async def test_it_is_released_though_it_was_changed_since(place: Place) -> None:
    """As by a renewal that was cut off after it was done."""
    lease = place.lease()
    await got(lease)
    place.demo.cluster.apply("Lease", "watcher", "watcher", {"metadata": {"labels": {"team": "ops"}}})
    await lease.release()
    assert place.holder == ""
    assert place.found["metadata"]["labels"] == {"team": "ops"}


async def test_who_was_told_to_end_while_asking_for_it_gives_away_what_it_does_not_know_to_have(place: Place) -> None:
    config = msgspec.structs.replace(QUICK, retry_period=timedelta(seconds=5))
    lease, failed = place.lease(config=config), list[int]()
    lease.failed = lambda: failed.append(1)
    place.cutter.cut_after = b"holderIdentity"
    async with meanwhile(lease):
        await until(lambda: failed)
    assert place.holder == "a"
    assert not lease.held()
    await lease.release()
    assert place.holder == ""


async def test_one_that_is_not_ours_is_not_released(place: Place) -> None:
    place.put("b")
    await place.lease().release()
    assert place.holder == "b"
    assert not place.demo.counts


async def test_an_api_server_that_hangs_does_not_hold_up_the_end(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    config = msgspec.structs.replace(QUICK, retry_period=timedelta(milliseconds=200))
    lease = place.lease(config=config)
    await got(lease)
    place.demo.faults.apply(Hang())
    async with asyncio.timeout(10):
        await lease.release()
    assert not lease.held()
    (said,) = [one for one in caplog.records if one.getMessage() == "the lease could not be released"]
    assert vars(said)["error"] == "the API server did not answer in time"
