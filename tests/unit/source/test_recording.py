"""Recordings: what is written comes back the same, also after a kill."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watcher.model import observations
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.evidence import Evidence
from watcher.model.identity import AlertKey
from watcher.model.kube import (
    ClaimStatus,
    Condition,
    Event,
    EventSeries,
    Namespace,
    Node,
    NodeStatus,
    ObjectMeta,
    ObjectReference,
    PersistentVolumeClaim,
    Pod,
)
from watcher.model.kubelet import FsStats, NodeStats, PodReference, PodStats, PvcReference, Summary, VolumeStats
from watcher.model.message import (
    AlertView,
    Heading,
    Link,
    Links,
    Log,
    Mark,
    Message,
    Notification,
    SendReason,
    Span,
    Text,
)
from watcher.model.observations import (
    AlertsPosted,
    ClaimSeen,
    ClockJumped,
    ConfigLoaded,
    ConfigRejected,
    DeliveryDone,
    Ended,
    EventSeen,
    EventType,
    EvidenceArrived,
    Forbidden,
    Input,
    Listing,
    NamespaceSeen,
    NodeSeen,
    PodSeen,
    ResendAsked,
    Scope,
    SilenceAsked,
    SilenceExpireAsked,
    Started,
    StatsSampled,
    StoreAway,
    StreamHealth,
    Synced,
)
from watcher.model.posted import PostedAlert
from watcher.model.silence import Silence, SilenceMatcher
from watcher.source.reading import read
from watcher.source.readstate import ReadReport, RecordingError
from watcher.source.recording import RecordingIntake, RecordingWriter

T0 = datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)
CLUSTER = Scope(kind="Pod")
SHOP = Scope(kind="Pod", namespace="shop")
KEY = AlertKey(alertname="ContainerCrashLooping", cluster="prod", namespace="shop", container="app")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def seen(seconds: float, event: EventType, name: str = "web-1", scope: Scope = CLUSTER) -> PodSeen:
    pod = Pod(metadata=ObjectMeta(name=name, namespace="shop", uid=f"uid-{name}", creation_timestamp=T0))
    return PodSeen(at=at(seconds), event=event, scope=scope, pod=pod)


EVERYTHING: list[Input] = [
    Started(at=at(0), since=at(-60), scopes=(CLUSTER, SHOP)),
    Started(at=at(0)),
    Listing(at=at(1), scope=CLUSTER),
    seen(1, EventType.LISTED),
    Synced(at=at(2), scope=CLUSTER),
    Synced(at=at(2), scope=SHOP, complete=False),
    seen(3, EventType.ADDED, "web-2", SHOP),
    seen(4, EventType.MODIFIED),
    seen(5, EventType.DELETED),
    Forbidden(at=at(6), scope=SHOP, message='pods is forbidden: User "watcher" cannot list'),
    EvidenceArrived(
        at=at(7),
        evidence=Evidence(
            alert=KEY, pod="web-1", container="app", log=("panic: “no”", ""), events=("BackOff: x (×3)",)
        ),
    ),
    DeliveryDone(at=at(8), message_id="m1", outcome=Delivered(reference="170.1")),
    DeliveryDone(at=at(8), message_id="m2", outcome=TryLater(reason="429", after=timedelta(seconds=30))),
    DeliveryDone(at=at(8), message_id="m3", outcome=GiveUp(reason="404")),
    Ended(at=at(60)),
]


def others(seconds: float, event: EventType, namespace: str = "") -> list[Input]:
    """One input of each kind but pods."""
    time, meta = at(seconds), ObjectMeta(name="it", namespace="shop", uid="u", labels={"a": "b"}, resource_version="7")
    claims, events = (Scope(kind=kind, namespace=namespace) for kind in ("PersistentVolumeClaim", "Event"))
    claim = PersistentVolumeClaim(metadata=meta, status=ClaimStatus(phase="Bound", capacity={"storage": "1Gi"}))
    node = Node(metadata=meta, status=NodeStatus(conditions=[Condition(type="Ready", last_transition_time=T0)]))
    about = Event(
        metadata=meta,
        involved_object=ObjectReference(kind="Node", name="n1"),
        reason="SystemOOM",
        series=EventSeries(count=3, last_observed_time=T0),
    )
    return [
        ClaimSeen(at=time, event=event, scope=claims, claim=claim),
        NodeSeen(at=time, event=event, scope=Scope(kind="Node"), node=node),
        NamespaceSeen(at=time, event=event, scope=Scope(kind="Namespace"), namespace=Namespace(metadata=meta)),
        EventSeen(at=time, event=event, scope=events, about=about),
    ]


KINDS = ("Pod", "PersistentVolumeClaim", "Node", "Namespace", "Event")
SUMMARY = Summary(
    node=NodeStats(node_name="n1", fs=FsStats(time=T0, available_bytes=0, capacity_bytes=10)),
    pods=[
        PodStats(
            pod_ref=PodReference(name="web-1", namespace="shop", uid="u"),
            volume=[VolumeStats(name="data", time=T0, used_bytes=7, pvc_ref=PvcReference(name="d", namespace="shop"))],
        )
    ],
)
OF_ALL_KINDS: list[Input] = [
    Started(at=at(0), scopes=tuple(Scope(kind=kind) for kind in KINDS), excluded=("kube-system",)),
    *(Listing(at=at(1), scope=Scope(kind=kind)) for kind in KINDS),
    *others(2, EventType.LISTED),
    *(Synced(at=at(3), scope=Scope(kind=kind)) for kind in KINDS),
    *(Synced(at=at(3), scope=Scope(kind=kind, namespace="shop"), complete=False) for kind in KINDS[:2]),
    *(Forbidden(at=at(4), scope=Scope(kind=kind, namespace="shop"), message="no") for kind in KINDS),
    *others(5, EventType.ADDED, "shop"),
    *others(6, EventType.MODIFIED),
    *others(7, EventType.DELETED),
    StatsSampled(at=at(8), node="n1", summary=SUMMARY),
    StatsSampled(at=at(8), node="n2", summary=Summary()),
    StreamHealth(at=at(9), scope=Scope(kind="Node"), stale_since=at(1), reason="nothing was heard of it"),
    StreamHealth(at=at(9), scope=Scope(kind="Event", namespace="shop")),
    ClockJumped(at=at(100), since=at(9)),
    StoreAway(at=at(101), since=at(100)),
    ConfigLoaded(at=at(101), scopes=(Scope(kind="Pod"),), excluded=("kube-system",), again=(Scope(kind="Pod"),)),
    ConfigRejected(at=at(102), errors=2, reason="config.yaml:1:1: unknown key"),
]

NOTIFICATION = Notification(
    id="a1",
    at=T0,
    receiver="ops",
    integration="slack_configs[0]",
    status="firing",
    reason=SendReason.NEW_ALERTS,
    group_key='{}:{namespace="shop"}',
    group_labels={"namespace": "shop"},
    alerts=(
        AlertView(
            status="resolved",
            labels={"alertname": "A"},
            annotations={"summary": "“s”"},
            starts_at=T0,
            ends_at=at(9),
            end_reason="recovered",
            fingerprint="0123456789abcdef",
            members=({"pod": "web-1", "since": "2026-11-20T10:00:00.123Z", "exit_code": 137},),
        ),
    ),
    title="🟠 a",
    text="b\nc",
    message=Message(
        heading=Heading(Mark.WARNING, "a", "shop"),
        blocks=(
            Text((Span("x"), Span("y", code=True))),
            Log(("l",), 3),
            Links((Link("l", "http://x"),)),
            Heading(Mark.CLOSED, "t"),
        ),
    ),
    whole=Message(heading=Heading(Mark.CRITICAL, "w")),
)
ASKED: list[Input] = [
    observations.SendTestAsked(at=at(10), receiver="ops", id="t1"),
    ResendAsked(
        at=at(11),
        message_id="a1",
        receiver="ops",
        integration="slack_configs[0]",
        group="g",
        notification=NOTIFICATION,
    ),
    SilenceAsked(
        at=at(12),
        request="v2/1",
        silence=Silence(
            id="",
            matchers=(SilenceMatcher(name="a", value="b|c", is_regex=True, is_equal=False),),
            starts_at=at(12),
            ends_at=at(100),
            created_by="ann",
            comment="“why”",
            updated_at=at(12),
            annotations={"ticket": "7"},
            until_resolved=True,
        ),
        new_id="d05e9b1e-46af-40d9-9bf7-cf7034b9f7bc",
        by="ann (with the token)",
    ),
    SilenceExpireAsked(at=at(13), request="v2/2", id="d05e9b1e-46af-40d9-9bf7-cf7034b9f7bc", by="from 127.0.0.1"),
    AlertsPosted(
        at=at(14),
        accepted=at(13.5),
        alerts=(
            PostedAlert(
                labels={"alertname": "HighCPU"},
                annotations={"summary": "busy"},
                starts_at=at(1),
                ends_at=at(99),
                generator_url="http://prometheus/graph",
            ),
            PostedAlert(labels={"alertname": "Bare"}),
        ),
    ),
]


@pytest.fixture(params=["night.jsonl", "night.jsonl.gz"], ids=["plain", "gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def content(path: Path) -> list[str]:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().splitlines()


def test_every_input_comes_back_as_it_was(path: Path) -> None:
    with RecordingWriter(path, cluster="prod") as writer:
        writer.write(EVERYTHING)
    report = ReadReport()
    assert list(read([path], report=report)) == EVERYTHING
    assert (dict(report.skipped), report.warnings) == ({}, [])


def test_every_input_of_the_other_kinds_comes_back_as_it_was(path: Path) -> None:
    with RecordingWriter(path, cluster="prod") as writer:
        writer.write(OF_ALL_KINDS)
    report = ReadReport()
    assert list(read([path], report=report)) == OF_ALL_KINDS
    assert (dict(report.skipped), report.warnings) == ({}, [])


def test_what_people_asked_to_be_sent_comes_back_as_it_was(path: Path) -> None:
    with RecordingWriter(path) as writer:
        writer.write(ASKED)
    report = ReadReport()
    assert list(read([path], report=report)) == ASKED
    assert (dict(report.skipped), report.warnings) == ({}, [])
    test, resend, asked, expire, posted = (json.loads(line) for line in content(path)[1:])
    assert test == {
        "at": "2026-11-20T10:00:10.123456Z",
        "kind": "Message",
        "event": "TEST",
        "object": {"receiver": "ops", "id": "t1"},
    }
    assert (resend["kind"], resend["event"], resend["object"]["message_id"]) == ("Message", "RESEND", "a1")
    assert resend["object"]["notification"]["title"] == "🟠 a"
    assert (asked["kind"], asked["event"], asked["object"]["by"]) == ("Silence", "ASKED", "ann (with the token)")
    assert asked["object"]["silence"]["matchers"] == [
        {"name": "a", "value": "b|c", "is_regex": True, "is_equal": False}
    ]
    assert expire == {
        "at": "2026-11-20T10:00:13.123456Z",
        "kind": "Silence",
        "event": "EXPIRE",
        "object": {"request": "v2/2", "by": "from 127.0.0.1", "id": "d05e9b1e-46af-40d9-9bf7-cf7034b9f7bc"},
    }
    assert posted == {
        "at": "2026-11-20T10:00:14.123456Z",
        "kind": "Alert",
        "event": "POSTED",
        "accepted": "2026-11-20T10:00:13.623456Z",
        "object": [
            {
                "labels": {"alertname": "HighCPU"},
                "annotations": {"summary": "busy"},
                "startsAt": "2026-11-20T10:00:01.123456Z",
                "endsAt": "2026-11-20T10:01:39.123456Z",
                "generatorURL": "http://prometheus/graph",
            },
            {"labels": {"alertname": "Bare"}},
        ],
    }


def test_a_message_line_of_a_later_version_is_skipped_and_one_without_its_message_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    start = '{"at":"2026-11-20T10:00:00Z","kind":"Message","event":'
    path.write_text(start + '"PAUSE","object":{"receiver":"ops"}}\n')
    report = ReadReport()
    assert list(read([path], report=report)) == []
    assert dict(report.skipped) == {"Message PAUSE": 1}
    path.write_text(start + '"RESEND","object":{"receiver":"ops"}}\n')
    with pytest.raises(RecordingError, match=r"night\.jsonl:1: RESEND without `notification`"):
        list(read([path]))


def test_a_silence_line_of_a_later_version_is_skipped_and_one_without_its_silence_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    start = '{"at":"2026-11-20T10:00:00Z","kind":"Silence","event":'
    path.write_text(start + '"COPY","object":{"request":"1"}}\n')
    report = ReadReport()
    assert list(read([path], report=report)) == []
    assert dict(report.skipped) == {"Silence COPY": 1}
    path.write_text(start + '"ASKED","object":{"request":"1"}}\n')
    with pytest.raises(RecordingError, match=r"night\.jsonl:1: ASKED without `silence`"):
        list(read([path]))


def test_the_lines_of_samples_streams_and_jumps_have_the_documented_shape(path: Path) -> None:
    with RecordingWriter(path) as writer:
        writer.write(OF_ALL_KINDS)
    lines = {(line.get("kind"), line.get("event")): line for line in map(json.loads, content(path)[1:])}
    assert lines["StatsSummary", "SAMPLED"]["node"] == "n2"
    assert lines["Stream", "STALE"] == {
        "at": "2026-11-20T10:00:09.123456Z",
        "kind": "Stream",
        "event": "STALE",
        "scope": {"kind": "Node", "namespace": ""},
        "object": {"since": "2026-11-20T10:00:01.123456Z", "reason": "nothing was heard of it"},
    }
    assert lines["Downtime", "JUMPED"]["object"] == {"since": "2026-11-20T10:00:09.123456Z"}
    assert lines["PersistentVolumeClaim", "ADDED"]["scope"] == {"namespace": "shop"}
    assert "scope" not in lines["Node", "ADDED"]


def test_the_lines_have_the_documented_shape(path: Path) -> None:
    with RecordingWriter(path, cluster="prod") as writer:
        writer.write(EVERYTHING)
    lines = [json.loads(line) for line in content(path)]
    assert lines[0] == {"recording": 1, "cluster": "prod", "started_at": "2026-11-20T10:00:00.123456Z"}
    assert [(line.get("kind"), line["event"]) for line in lines[1:]] == [
        ("Downtime", "STARTED"),
        ("Downtime", "STARTED"),
        ("Pod", "LISTING"),
        ("Pod", "LISTED"),
        ("Pod", "SYNCED"),
        ("Pod", "SYNCED"),
        ("Pod", "ADDED"),
        ("Pod", "MODIFIED"),
        ("Pod", "DELETED"),
        ("Pod", "FORBIDDEN"),
        ("Evidence", "FETCHED"),
        ("Delivery", "DONE"),
        ("Delivery", "DONE"),
        ("Delivery", "DONE"),
        (None, "ENDED"),
    ]
    assert lines[5] == {"at": "2026-11-20T10:00:02.123456Z", "kind": "Pod", "event": "SYNCED"}
    assert lines[6]["scope"] == {"namespace": "shop"}
    assert lines[4]["object"]["metadata"]["creationTimestamp"] == "2026-11-20T10:00:00.123456Z"


def test_each_batch_is_in_the_file_before_it_is_closed(path: Path) -> None:
    writer = RecordingWriter(path)
    writer.write(EVERYTHING[:3])
    report = ReadReport()
    assert list(read([path], report=report)) == EVERYTHING[:3]
    writer.close()


def test_opening_an_existing_recording_appends_to_it(path: Path) -> None:
    for part in (EVERYTHING[:5], EVERYTHING[5:]):
        with RecordingWriter(path) as writer:
            writer.write(part)
    assert list(read([path])) == EVERYTHING
    assert sum("recording" in line for line in content(path)) == 1


def test_an_end_that_was_written_on_after_is_no_end(path: Path) -> None:
    for seconds in (0, 100):
        with RecordingWriter(path) as writer:
            writer.write([seen(seconds, EventType.ADDED), Ended(at=at(seconds + 50))])
    assert list(read([path])) == [seen(0, EventType.ADDED), seen(100, EventType.ADDED), Ended(at=at(150))]


def killed(path: Path, writer: RecordingWriter) -> None:
    """As after kill -9 in the middle of a write: what was flushed, and a part of the next line."""
    whole = path.read_bytes()
    writer.write([seen(9, EventType.MODIFIED)])
    written = path.read_bytes()
    writer.close()
    path.write_bytes(written[: len(whole) + (len(written) - len(whole)) // 2])


def test_a_recording_that_was_cut_off_reads_up_to_there_with_a_warning(path: Path) -> None:
    writer = RecordingWriter(path)
    writer.write(EVERYTHING[:5])
    killed(path, writer)
    report = ReadReport()
    assert list(read([path], report=report)) == EVERYTHING[:5]
    assert len(report.warnings) == 1
    assert "cut off" in report.warnings[0]


def test_a_recording_that_was_cut_off_can_be_written_on(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = RecordingWriter(path)
    writer.write(EVERYTHING[:5])
    killed(path, writer)
    with RecordingWriter(path) as again:
        again.write(EVERYTHING[5:])
    report = ReadReport()
    assert list(read([path], report=report)) == EVERYTHING
    assert report.warnings == []
    assert [getattr(record, "event", "") for record in caplog.records] == ["recording.mended"]


def test_a_file_that_holds_half_a_line_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    path.write_bytes(b'{"recording":1,"clus')
    with RecordingWriter(path) as writer:
        writer.write(EVERYTHING)
    assert list(read([path])) == EVERYTHING


# ---- recordings of others ----


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


HEADER = {"recording": 1, "cluster": "c", "started_at": "2026-11-20T10:00:00Z"}


def row(event: str, seconds: int = 0, kind: str = "Pod", **more: object) -> dict[str, object]:
    return {"at": f"2026-11-20T10:00:{seconds:02}Z", "kind": kind, "event": event, **more}


def thing(name: str, namespace: str = "shop", created: str = "2026-11-20T09:00:00Z") -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": namespace, "creationTimestamp": created}}


def test_kinds_of_later_versions_are_skipped_and_counted(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "r.jsonl",
        HEADER,
        row("ADDED", kind="Job", object={}),
        row("PAUSED", kind="Alert", object=[{"labels": {}}]),
        row("ADDED", kind="Job", object={}),
        row("SHRUNK", object=thing("web-1")),
        row("DRAINED", kind="Node", object=thing("n1")),
        row("GUESSED", kind="StatsSummary", node="n1", object={}),
        row("PAUSED", kind="Downtime"),
        row("STALE", kind="Stream", scope={"kind": "Job"}, object={"since": "2026-11-20T10:00:00Z"}),
        row("ADDED", object=thing("web-1")),
    )
    report = ReadReport()
    assert [type(item) for item in read([path], report=report)] == [PodSeen]
    assert report.skipped == {
        **{"Job": 2, "Alert PAUSED": 1, "Pod SHRUNK": 1, "Node DRAINED": 1},
        **{"StatsSummary GUESSED": 1, "Downtime PAUSED": 1, "Stream STALE": 1},
    }


def test_nothing_waits_for_the_list_of_a_kind_that_is_not_read(tmp_path: Path) -> None:
    scopes = [{"kind": "Pod"}, {"kind": "Job", "namespace": "shop"}]
    path = lines(tmp_path / "r.jsonl", HEADER, row("STARTED", kind="Downtime", object={"scopes": scopes}))
    assert [item.scopes for item in read([path]) if isinstance(item, Started)] == [(CLUSTER,)]


def test_whole_objects_as_kubectl_prints_them_are_read_and_narrowed(tmp_path: Path) -> None:
    wide = {
        "metadata": {
            "name": "n1",
            "managedFields": [{"manager": "kubelet"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "s3cret", "team": "infra"},
        },
        "spec": {"podCIDR": "10.0.0.0/24"},
        "status": {"images": [{"names": ["a"]}], "conditions": [{"type": "Ready", "status": "False"}]},
    }
    sample = {
        "node": {"nodeName": "n1", "cpu": {}},
        "pods": [
            {"podRef": {"name": "a"}, "volume": [{"name": "token"}, {"name": "d", "pvcRef": {"name": "d"}}]},
            {"podRef": {"name": "b"}, "volume": [{"name": "token"}]},
        ],
    }
    path = lines(
        tmp_path / "r.jsonl",
        HEADER,
        row("ADDED", kind="Node", object=wide),
        row("SAMPLED", kind="StatsSummary", object=sample),
    )
    node, sampled = read([path])
    assert isinstance(node, NodeSeen)
    assert isinstance(sampled, StatsSampled)
    assert node.node.metadata.annotations == {"team": "infra"}
    assert sampled.node == "n1"
    assert [(pod.pod_ref.name, [one.name for one in pod.volume or ()]) for pod in sampled.summary.pods or ()] == [
        ("a", ["d"])
    ]


def test_a_sample_without_a_time_is_of_when_it_was_measured(tmp_path: Path) -> None:
    sample = {"node": {"fs": {"time": "2026-11-20T10:00:07Z"}}, "pods": []}
    path = lines(tmp_path / "r.jsonl", {"kind": "StatsSummary", "event": "SAMPLED", "node": "n1", "object": sample})
    assert [item.at for item in read([path])] == [datetime(2026, 11, 20, 10, 0, 7, tzinfo=UTC)]


def test_claims_of_a_namespace_that_is_listed_by_itself_belong_to_that_scope_and_pods_do_not(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "r.jsonl",
        row("SYNCED", kind="PersistentVolumeClaim", scope={"namespace": "shop"}),
        row("ADDED", kind="PersistentVolumeClaim", object=thing("data")),
        row("ADDED", object=thing("web-1")),
    )
    of_shop = Scope(kind="PersistentVolumeClaim", namespace="shop")
    assert [getattr(item, "scope", None) for item in read([path])] == [of_shop, of_shop, CLUSTER]


def test_a_line_without_a_time_is_seen_at_the_newest_time_inside_and_never_goes_back(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "r.jsonl",
        {"kind": "Pod", "event": "ADDED", "object": thing("b", created="2026-11-20T10:00:00Z")},
        {"kind": "Pod", "event": "ADDED", "object": thing("a", created="2026-11-20T09:00:00Z")},
        {"kind": "Pod", "event": "ADDED", "object": {"metadata": {"name": "c"}}},
    )
    assert {item.at for item in read([path])} == {datetime(2026, 11, 20, 10, tzinfo=UTC)}


def test_where_nothing_tells_a_time_the_reader_says_so(tmp_path: Path) -> None:
    path = lines(tmp_path / "r.jsonl", {"kind": "Pod", "event": "ADDED", "object": {"metadata": {"name": "c"}}})
    report = ReadReport()
    assert [item.at.year for item in read([path], report=report)] == [1970]
    assert report.warnings == ["nothing tells a time, so the first observation is put at 1970-01-01"]


def test_pods_of_a_namespace_that_is_listed_by_itself_belong_to_that_scope(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "r.jsonl",
        row("LISTING", scope={"namespace": "shop"}),
        row("LISTED", object=thing("web-1")),
        row("SYNCED", scope={"namespace": "shop"}),
        row("ADDED", object=thing("other", namespace="billing")),
    )
    assert [getattr(item, "scope", None) for item in read([path])] == [SHOP, SHOP, SHOP, CLUSTER]


def test_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = lines(tmp_path / "r.jsonl", "\ufeff", HEADER, "\n", row("ADDED", object=thing("web-1")), "  \n")
    assert len(list(read([path]))) == 1


def test_a_recording_without_its_header_is_read(tmp_path: Path) -> None:
    path = lines(tmp_path / "r.jsonl", row("ADDED", object=thing("web-1")))
    assert len(list(read([path]))) == 1


def test_a_last_line_without_a_newline_counts_when_it_is_whole(tmp_path: Path) -> None:
    path = lines(tmp_path / "r.jsonl", HEADER, json.dumps(row("ADDED", object=thing("web-1"))))
    assert len(list(read([path]))) == 1


def test_files_are_read_one_after_the_other_and_end_once(tmp_path: Path) -> None:
    first = lines(
        tmp_path / "1.jsonl", HEADER, row("ADDED", object=thing("a")), {"at": T0.isoformat(), "event": "ENDED"}
    )
    second = lines(
        tmp_path / "2.jsonl", HEADER, row("ADDED", object=thing("b")), {"at": T0.isoformat(), "event": "ENDED"}
    )
    assert [type(item) for item in read([first, second])] == [PodSeen, PodSeen, Ended]


BROKEN = {
    "no JSON": ('{"at":\n', r"r.jsonl:2: this line of the recording cannot be read: "),
    "no object": (row("ADDED"), r"r.jsonl:2: ADDED without an object"),
    "an object of another shape": (row("ADDED", object={"metadata": []}), r"r.jsonl:2: .*`\$\.object\.metadata`"),
    "a time without a zone": ({"at": "2026-11-20T10:00:00", "kind": "Pod", "event": "SYNCED"}, "r.jsonl:2: .*timezone"),
    "evidence without an object": (row("FETCHED", kind="Evidence"), "r.jsonl:2: .*object"),
    "a jump from nowhere": (row("JUMPED", kind="Downtime"), "r.jsonl:2: JUMPED without `since`"),
    "staleness since never": (
        row("STALE", kind="Stream", scope={"kind": "Pod"}), "r.jsonl:2: STALE without `since`"),
    "a node of another shape": (row("ADDED", kind="Node", object={"status": []}), r"r.jsonl:2: .*`\$\.object\.status`"),
    "a newer format": ({"recording": 2}, "r.jsonl:2: a newer Watcher wrote this recording"),
    "a time inside without a zone": (
        {"kind": "Pod", "event": "ADDED", "object": {
            "metadata": {"name": "a", "creationTimestamp": "2026-11-20T10:00:00"},
            "status": {"startTime": "2026-11-20T10:00:00Z"}}},
        "r.jsonl:2: .*timezone",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("bad", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_line_is_an_error_with_its_place(tmp_path: Path, bad: object, message: str) -> None:
    path = lines(tmp_path / "r.jsonl", HEADER, bad, row("ADDED", object=thing("web-1")))
    with pytest.raises(RecordingError, match=message):
        list(read([path]))


def files(tmp_path: Path) -> Iterator[tuple[str, Path, str]]:
    yield "absent", tmp_path / "absent", "cannot be read: No such file"
    yield "directory", tmp_path, "cannot be read: Is a directory"
    yield "empty", _bytes(tmp_path / "e", b" \n"), "the file is empty"
    yield "utf-16", _bytes(tmp_path / "u", "{}".encode("utf-16")), "UTF-16"
    yield "text", _bytes(tmp_path / "t", b"Name: web-1\nNode: [\n"), "neither JSON nor YAML"
    yield "a word", _bytes(tmp_path / "w", b"hello\n"), "no Kubernetes object"
    yield "damaged gz", _bytes(tmp_path / "g", gzip.compress(b'{"recording":1}\n' * 999)[:-8] + b"x" * 8), "damaged"


def _bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_file_that_is_nothing_of_this_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    for name, path, message in files(tmp_path):
        with pytest.raises(RecordingError, match=message) as error:
            list(read([path]))
        assert str(path) in str(error.value), name


# ---- a bare recording ----


class Ticking:
    """A clock that jumps back once."""

    def __init__(self) -> None:
        self._times = [5.0, 6.0, 7.0, 3.0, 9.0, 10.0]

    def now(self) -> datetime:
        return at(self._times.pop(0))

    def until(self, due: datetime) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0

    def steady(self) -> float:
        return 0.0


async def test_a_bare_recording_is_stamped_as_it_comes_and_never_goes_back(path: Path) -> None:
    intake = RecordingIntake(RecordingWriter(path), Ticking())
    for observation in (Listing(at=at(0), scope=CLUSTER), seen(0, EventType.LISTED), Synced(at=at(0), scope=CLUSTER)):
        await intake.put(observation)
    intake.end()
    assert [item.at for item in read([path])] == [at(6), at(7), at(7), at(9)]
    assert [type(item) for item in read([path])] == [Listing, PodSeen, Synced, Ended]
