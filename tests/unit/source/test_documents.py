"""What kubectl prints, and the states of fixtures, as observations."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watcher.model.observations import Input, Listing, Scope, Seen, Synced, object_of
from watcher.source.reading import read
from watcher.source.readstate import ReadReport, RecordingError

FIXTURES = Path(__file__).parents[2] / "fixtures"
SHARED = Path(__file__).parents[4] / "shared" / "fixtures"


def words(observations: list[Input]) -> list[str]:
    """`LISTED web-1`, `SYNCED` (complete), `SYNCED?` (closes nothing) …"""
    return [_word(observation) for observation in observations]


def _word(observation: Input) -> str:
    match observation:
        case Seen(event=event):
            return f"{event} {object_of(observation).metadata.name}"
        case Synced(complete=complete):
            return "SYNCED" if complete else "SYNCED?"
    return type(observation).__name__.upper()


def at(minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, 20, 10, minute, second, tzinfo=UTC)


def pod(name: str, minute: int = 0, changed: int | None = None) -> dict[str, object]:
    """Created at 10:`minute`, its last condition changed at 10:`changed`."""
    conditions = [] if changed is None else [{"type": "Ready", "lastTransitionTime": f"2026-11-20T10:{changed:02}:00Z"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": f"2026-11-20T10:{minute:02}:00Z",
        },
        "status": {"conditions": conditions},
    }


def event(kind: str, item: object) -> dict[str, object]:
    return {"type": kind, "object": item}


Printed = Callable[..., Path]
"""Writes documents as kubectl, or somebody, prints them."""

PRINTED: dict[str, Callable[[Sequence[object]], str]] = {
    "one a line": lambda documents: "".join(json.dumps(document) + "\n" for document in documents),
    "pretty": lambda documents: "".join(json.dumps(document, indent=4) + "\n" for document in documents),
    "without newlines": lambda documents: "".join(json.dumps(document) for document in documents),
    "without indentation": lambda documents: "".join(json.dumps(document, indent=0) + "\n" for document in documents),
    "with Windows line ends": lambda documents: "\r\n".join(
        json.dumps(document, indent=4).replace("\n", "\r\n") for document in documents
    ),
    "as YAML documents": lambda documents: "".join("---\n" + json.dumps(document) + "\n" for document in documents),
}


@pytest.fixture(params=list(PRINTED.values()), ids=list(PRINTED))
def printed(request: pytest.FixtureRequest, tmp_path: Path) -> Printed:
    def write(*documents: object) -> Path:
        path = tmp_path / "pods.out"
        path.write_bytes(request.param(documents).encode())
        return path

    return write


def test_a_list_is_seen_at_the_newest_time_of_all_its_pods_and_closes_nothing(printed: Printed) -> None:
    path = printed({"kind": "List", "items": [pod("web-1", 3), pod("web-2", 1, changed=7), pod("web-3", 2)]})
    observations = list(read([path]))
    assert words(observations) == ["LISTING", "LISTED web-1", "LISTED web-2", "LISTED web-3", "SYNCED?"]
    assert {observation.at for observation in observations} == {at(7)}


def test_a_list_closes_what_it_lacks_when_it_is_said_to_be_complete(printed: Printed) -> None:
    path = printed({"kind": "PodList", "items": [pod("web-1")]})
    assert words(list(read([path], complete=True))) == ["LISTING", "LISTED web-1", "SYNCED"]


def test_a_single_pod_is_a_list_of_one(printed: Printed) -> None:
    assert words(list(read([printed(pod("web-1"))]))) == ["LISTING", "LISTED web-1", "SYNCED?"]


def test_a_watch_with_event_types_begins_with_its_leading_run_as_a_list(printed: Printed) -> None:
    path = printed(
        event("ADDED", pod("web-1", 1)),
        event("ADDED", pod("web-2", 5)),
        event("MODIFIED", pod("web-1", 1, changed=6)),
        event("ADDED", pod("web-3", 8)),
        event("DELETED", pod("web-2", 5)),
    )
    observations = list(read([path]))
    assert words(observations) == [
        *("LISTING", "LISTED web-1", "LISTED web-2", "SYNCED?"),
        *("MODIFIED web-1", "ADDED web-3", "DELETED web-2"),
    ]
    assert [observation.at for observation in observations] == [at(5)] * 4 + [at(6), at(8), at(8)]


def test_a_watch_in_which_nothing_happened_is_a_list(printed: Printed) -> None:
    path = printed(event("ADDED", pod("web-1")), event("ADDED", pod("web-2")))
    assert words(list(read([path]))) == ["LISTING", "LISTED web-1", "LISTED web-2", "SYNCED?"]


def test_a_watch_of_what_did_not_exist_yet_has_no_list(printed: Printed) -> None:
    path = printed(event("DELETED", pod("web-1")), event("ADDED", pod("web-2")))
    assert words(list(read([path]))) == ["DELETED web-1", "ADDED web-2"]


def test_a_watch_without_event_types_tells_new_pods_from_changed_ones(printed: Printed) -> None:
    path = printed(pod("web-1", 1), pod("web-2", 2), pod("web-1", 1, changed=4), pod("web-3", 5), pod("web-3", 5))
    assert words(list(read([path]))) == [
        *("LISTING", "LISTED web-1", "LISTED web-2", "SYNCED?"),
        *("MODIFIED web-1", "ADDED web-3", "MODIFIED web-3"),
    ]


def test_other_kinds_are_skipped_and_counted_and_break_no_leading_run(printed: Printed) -> None:
    path = printed(
        event("ADDED", pod("web-1")),
        event("ADDED", {"kind": "Service", "metadata": {"name": "web"}}),
        event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": "7"}}),
        event("ADDED", pod("web-2")),
        event("ERROR", {"kind": "Status", "code": 410}),
        event("MODIFIED", pod("web-1")),
    )
    report = ReadReport()
    assert words(list(read([path], report=report))) == [
        *("LISTING", "LISTED web-1", "LISTED web-2", "SYNCED?", "MODIFIED web-1")
    ]
    assert report.skipped == {"Service": 1, "BOOKMARK event": 1, "Status": 1}


def thing(kind: str, name: str, **more: object) -> dict[str, object]:
    return {"kind": kind, "metadata": {"name": name, "creationTimestamp": "2026-11-20T10:02:00Z"}, **more}


def scopes(observations: list[Input]) -> list[str]:
    """The kinds of the lists that are complete or not, in order."""
    return [observation.scope.kind for observation in observations if isinstance(observation, Synced)]


def test_a_mixed_list_is_a_list_of_each_kind_that_is_watched(printed: Printed) -> None:
    report = ReadReport()
    items = [
        {"kind": "Service"},
        pod("web-1", 1),
        thing("Node", "node-1"),
        {"kind": "Deployment"},
        thing("PersistentVolumeClaim", "data"),
        thing("Namespace", "shop"),
    ]
    observations = list(read([printed({"kind": "List", "items": items})], report=report))
    assert words(observations) == [
        *["LISTING"] * 4,
        *("LISTED web-1", "LISTED node-1", "LISTED data", "LISTED shop"),
        *["SYNCED?"] * 4,
    ]
    assert scopes(observations) == ["Namespace", "Node", "PersistentVolumeClaim", "Pod"]
    assert {observation.at for observation in observations} == {at(2)}
    assert report.skipped == {"Service": 1, "Deployment": 1}


def test_of_events_only_warnings_that_are_not_about_pods_are_read(printed: Printed) -> None:
    report = ReadReport()
    items = [
        thing("Event", "oom", type="Warning", involvedObject={"kind": "Node", "name": "node-1"}),
        thing("Event", "backoff", type="Warning", involvedObject={"kind": "Pod", "name": "web-1"}),
        thing("Event", "ready", type="Normal", involvedObject={"kind": "Node", "name": "node-1"}),
    ]
    observations = list(read([printed({"kind": "List", "items": items})], report=report))
    assert words(observations) == ["LISTING", "LISTED oom", "SYNCED?"]
    assert report.skipped == {"Event that is no warning, or about a pod": 2}


def test_a_watch_of_nodes_begins_with_them_as_a_list(printed: Printed) -> None:
    path = printed(
        event("ADDED", thing("Node", "node-1")),
        event("ADDED", thing("Node", "node-2")),
        event("MODIFIED", thing("Node", "node-1")),
    )
    assert words(list(read([path]))) == [*("LISTING", "LISTED node-1", "LISTED node-2", "SYNCED?", "MODIFIED node-1")]


EMPTY = {
    "kubectl's own": ("List", [Scope(kind="Pod")]),
    "nodes": ("NodeList", [Scope(kind="Node")]),
    "claims": ("PersistentVolumeClaimList", [Scope(kind="PersistentVolumeClaim")]),
    "services": ("ServiceList", []),
}


@pytest.mark.parametrize(("kind", "listed"), EMPTY.values(), ids=EMPTY.keys())
def test_an_empty_list_of_a_kind_that_is_watched_is_a_list(tmp_path: Path, kind: str, listed: list[Scope]) -> None:
    path = tmp_path / "empty.json"
    path.write_text(json.dumps({"kind": kind, "items": []}))
    observations = list(read([path], complete=True))
    assert [item.scope for item in observations if isinstance(item, Listing)] == listed
    assert [item.scope for item in observations if isinstance(item, Synced) and item.complete] == listed
    assert len(observations) == 2 * len(listed)


def test_a_list_without_anything_that_is_watched_closes_nothing(printed: Printed) -> None:
    assert list(read([printed({"kind": "List", "items": [{"kind": "Service"}]})], complete=True)) == []


def test_what_is_compressed_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "pods.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"kind": "List", "items": [pod("web-1")]}, indent=4).encode()))
    assert words(list(read([path]))) == ["LISTING", "LISTED web-1", "SYNCED?"]


def test_time_never_goes_back_from_file_to_file(tmp_path: Path) -> None:
    paths = []
    for name, minute in (("b", 9), ("a", 3)):
        paths.append(tmp_path / name)
        paths[-1].write_text(json.dumps(pod(name, minute)))
    assert {observation.at for observation in read(paths)} == {at(9)}


def test_an_array_of_different_pods_is_a_list(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    path.write_text(json.dumps([pod("web-1", 1), pod("web-2", 2)], indent=1))
    assert words(list(read([path]))) == ["LISTING", "LISTED web-1", "LISTED web-2", "SYNCED?"]


def test_an_array_of_watch_events_is_what_happened(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    path.write_text(json.dumps([event("ADDED", pod("web-1")), event("DELETED", pod("web-1"))]))
    assert words(list(read([path]))) == ["ADDED web-1", "DELETED web-1"]


def test_a_watch_that_was_interrupted_reads_up_to_there_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "watch.json"
    text = json.dumps(pod("web-1"), indent=4) + "\n" + json.dumps(pod("web-2"), indent=4)
    path.write_text(text[:-40])
    report = ReadReport()
    assert words(list(read([path], report=report))) == ["LISTING", "LISTED web-1", "SYNCED?"]
    assert report.warnings == [f"{path}:14: the last document is cut off, and left out"]


WRONG = {
    "cut off in its only document": (
        '{"kind": "List",\n "items": [',
        r"wrong:1: the document that begins here is cut off",
    ),
    "broken JSON": ('{"kind": "Pod"}\n{"kind" "Pod"}\n', r"wrong:2: the JSON that begins here is broken"),
    "text after the JSON": ('{"kind": "Pod"}\nerror: lost connection\n', r"wrong:2: this is no JSON document"),
    "a pod of another shape": ('{"kind": "Pod", "metadata": []}', r"wrong:1: this pod cannot be read: .*metadata"),
    "a bad item": (
        '{"kind": "List", "items": [{"kind": "Pod"}, {"kind": "Pod", "spec": 3}]}',
        r"wrong:1: items\[1\]: this pod cannot be read: .*spec",
    ),
    "a number": ("[3]\n", r"wrong:1: items\[0\]: this is no Kubernetes object"),
    "broken YAML": ("kind: Pod\nmetadata: {name: a\nspec: {}\n", r"wrong:3: this is no recording, and neither JSON"),
    "a bad YAML pod": ("kind: Pod\n---\nkind: Pod\nspec: x\n", r"wrong: document 2: this pod cannot be read"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_an_error_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message):
        list(read([path]))


# ---- real files ----


def test_states_of_one_object_are_its_addition_and_its_changes() -> None:
    observations = list(read([FIXTURES / "seq_pod_imagepull_error.json"]))
    assert words(observations) == ["ADDED foo", *["MODIFIED foo"] * 4]
    assert observations == sorted(observations, key=lambda observation: observation.at)


@pytest.mark.parametrize(
    ("name", "pods"),
    [("pods_k3s_1_31_kubesystem.json", 7), ("podlist_nri_1_35.yaml", 25), ("pod_crashloop_2018.yaml", 1)],
)
def test_real_lists_are_read(name: str, pods: int) -> None:
    observations = list(read([FIXTURES / name]))
    assert isinstance(observations[0], Listing)
    assert [word.split()[0] for word in words(observations)] == ["LISTING", *["LISTED"] * pods, "SYNCED?"]


@pytest.mark.parametrize("name", ["events_k3s_default.json", "seq_job_running.json"])
def test_real_files_without_what_is_watched_give_nothing_and_a_count(name: str) -> None:
    report = ReadReport()
    assert list(read([FIXTURES / name], report=report)) == []
    assert sum(report.skipped.values()) > 1


def test_real_nodes_are_read() -> None:
    observations = list(read([FIXTURES / "nodes_mixed.json"]))
    assert scopes(observations) == ["Node"]
    assert sum(isinstance(observation, Seen) for observation in observations) > 1


KINDS_BY_NAME = {
    "pod": "Pod",
    "seq_pod": "Pod",
    "kubelet_pods": "Pod",
    "api_podlist": "Pod",
    "node": "Node",
    "api_watch_node": "Node",
    "pvc": "PersistentVolumeClaim",
    "events_imagepull": "Event",
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of fixtures is not part of a checkout")
def test_every_file_of_the_collection_is_read_for_what_its_name_says() -> None:
    without: Counter[str] = Counter()
    for path in sorted(SHARED.iterdir()):
        if path.suffix not in (".json", ".yaml"):
            continue
        observations = list(read([path]))
        assert observations == sorted(observations, key=lambda observation: observation.at)
        kinds = {item.scope.kind for item in observations if isinstance(item, Seen)}
        expected = [kind for begin, kind in KINDS_BY_NAME.items() if path.name.startswith(begin)]
        if expected:
            assert kinds == {expected[0]}, path.name
        else:
            without[path.name] = len(kinds - {"Event"})
    assert set(without.values()) <= {0}
