"""LIST: which objects at which version, in pages.

The semantics are those of kubernetes.io/docs/reference/using-api/api-concepts: a first page fixes the resourceVersion
and its continue tokens keep that snapshot until compaction; then 410 with a token that goes on inconsistently. Version
"0" ignores `limit`. The bytes are made in forms.py; faults that change what a list shows come in as `ListTwist`.
"""

from __future__ import annotations

import base64
import binascii
import bisect
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from watcher.demo.forms import Form, list_document
from watcher.demo.model import Cluster
from watcher.demo.resources import JsonObject, Target, key_path
from watcher.demo.selectors import Selector, parse_selector
from watcher.demo.status import ApiError, bad_request, expired_continue, expired_exact, invalid, too_large
from watcher.demo.store import Encoded, Store, Stored


class ListTwist(msgspec.Struct, frozen=True, kw_only=True):
    """What faults make of one list: everything off is a true list."""

    null_items: bool = False
    malformed: bytes = b""
    """Put in as one more item, as it is."""
    padding: int = 0
    """Bytes added to the first item, as an annotation."""
    rewind: int = 0
    """Answer as an API server that is this many versions behind."""


TRUE = ListTwist()


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A continue token, as in storage/continue.go: base64 JSON; rv -1 means: whatever is there now."""

    v: str = "meta.k8s.io/v1"
    rv: int
    start: str

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: objects, the version of the list, and what is left."""

    stored: Sequence[Stored]
    version: int
    token: str = ""
    remaining: int | None = None

    def metadata(self) -> JsonObject:
        metadata: JsonObject = {"resourceVersion": str(self.version)}
        if self.token:
            metadata["continue"] = self.token
        if self.remaining:
            metadata["remainingItemCount"] = self.remaining
        return metadata


def list_bytes(
    cluster: Cluster, target: Target, query: Mapping[str, str], form: Form, twist: ListTwist = TRUE
) -> bytes:
    """The body of a list; ApiError for what the API server refuses."""
    page = select_page(cluster, target, query, twist)
    return twisted(page, target, form, twist, cluster.timeline.now())


def twisted(page: Page, target: Target, form: Form, twist: ListTwist, now: datetime) -> bytes:
    """Encode, and spoil as `twist` says."""
    stored = list(page.stored)
    if twist.padding and stored:
        stored[0] = _padded(stored[0], twist.padding)
    body = list_document(form, target.resource, stored, page.metadata(), now)
    if twist.null_items:
        empty = list_document(form, target.resource, (), page.metadata(), now)
        return empty.replace(b'"items":[]', b'"items":null')
    if twist.malformed:
        head, separator, tail = body.partition(b'"items":[')
        comma = b"," if stored else b""
        return head + separator + twist.malformed + comma + tail
    return body


def _padded(stored: Stored, size: int) -> Stored:
    item = stored.copy()
    item["metadata"].setdefault("annotations", {})["demo/padding"] = "x" * size
    return Stored(stored.resource, stored.key, stored.version, Encoded.of(item))


def select_page(cluster: Cluster, target: Target, query: Mapping[str, str], twist: ListTwist = TRUE) -> Page:
    """Which objects are on this page."""
    selector = parse_selector(target.resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    limit = number(query.get("limit", ""), "limit")
    if text := query.get("continue", ""):
        if query.get("resourceVersion"):
            raise bad_request("specifying resource version is not allowed when using continue")
        return _continued(cluster, target, selector, limit, _decode(text))
    store = cluster.store(target.resource.kind)
    version, everything = _chosen(cluster, store, query, twist)
    if query.get("resourceVersion") == "0":
        limit = 0
    wanted = _wanted(everything, target, selector)
    if limit and len(wanted) > limit:
        store.keep_snapshot(version, everything)
    return _cut(wanted, version, limit, selector)


def _chosen(
    cluster: Cluster, store: Store, query: Mapping[str, str], twist: ListTwist
) -> tuple[int, tuple[Stored, ...]]:
    """The version to answer at, and all objects at it."""
    asked, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    version = number(asked, "resourceVersion")
    if match and not asked:
        raise invalid(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is set"
        )
    if match not in ("", "Exact", "NotOlderThan"):
        raise invalid(f'resourceVersionMatch: Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"')
    if match == "Exact" and not version:
        raise invalid(
            'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        )
    current = cluster.version
    if twist.rewind:
        past = max(store.floor, current - twist.rewind)
        return past, store.as_of(past) or store.current()
    if version > current:
        raise ApiError(too_large(version, current), retry_after=1)
    if match == "Exact" and version < current:
        snapshot = store.snapshot(version) or store.as_of(version)
        if snapshot is None:
            raise expired_exact()
        return version, snapshot
    return current, store.current()


def _continued(cluster: Cluster, target: Target, selector: Selector, limit: int, token: Token) -> Page:
    store = cluster.store(target.resource.kind)
    if token.rv < 0:
        version, everything = cluster.version, store.current()
    else:
        snapshot = store.snapshot(token.rv)
        if snapshot is None:
            raise expired_continue(Token(rv=-1, start=token.start).encode())
        version, everything = token.rv, snapshot
    begin = bisect.bisect_left(everything, token.start, key=lambda stored: key_path(stored.key))
    wanted = _wanted(everything[begin:], target, selector)
    if limit and len(wanted) > limit and token.rv < 0:
        store.keep_snapshot(version, everything)
    return _cut(wanted, version, limit, selector)


def _cut(wanted: Sequence[Stored], version: int, limit: int, selector: Selector) -> Page:
    if not limit or len(wanted) <= limit:
        return Page(stored=wanted, version=version)
    # The next page begins right after the last key of this one, as etcd's range does: key plus a zero byte.
    token = Token(rv=version, start=key_path(wanted[limit - 1].key) + "\0").encode()
    remaining = None if selector else len(wanted) - limit
    return Page(stored=wanted[:limit], version=version, token=token, remaining=remaining)


def _wanted(everything: Sequence[Stored], target: Target, selector: Selector) -> Sequence[Stored]:
    namespace = target.namespace
    if not namespace and not selector:
        return everything
    return [
        stored
        for stored in everything
        if (not namespace or stored.key[0] == namespace) and (not selector or selector.matches(stored.item))
    ]


def _decode(text: str) -> Token:
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Token)
    except (binascii.Error, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise bad_request(f"continue key is not valid: {error}") from error


def number(text: str, name: str) -> int:
    """A query parameter that must be a whole number, 0 when absent; ApiError 400 else."""
    if not text:
        return 0
    if not text.isdigit():
        raise bad_request(f'{name}: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)
