"""The rollout that made a pod: which revision of its workload, since when, and what it changed.

The pod's own ReplicaSet (of a Deployment) or ControllerRevision (of a StatefulSet or DaemonSet) is found by name, the
revisions beside it by the selector that it carries: `list` of both kinds is all that is needed. Workloads themselves
are not read. Left out, since it cannot be told: when a revision came back by an undo (its object is as old as its
first rollout). Of templates only images, resources and the mark of a restart are decoded, never an environment value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from watcher.lib.redact import redact
from watcher.lib.text import clean, cut_middle
from watcher.model.kube import Kube, ObjectMeta, OwnerReference, Pod, ResourceRequirements
from watcher.source.client import Answer, KubeClient, Query, limits
from watcher.source.decode import BROKEN
from watcher.source.errors import Forbidden, Undecodable

KEPT_SECONDS = 60.0
KEPT = 500
"""Workloads remembered for that long; with more the memory is emptied."""

REVISIONS_READ = 50
"""A Deployment keeps 10 old ReplicaSets by default (revisionHistoryLimit)."""

LARGEST = 2 * 1024 * 1024
"""Bytes of one answer; an object may have 1.5 MiB (etcd's limit)."""

MOST_CHANGES = 6

_HASHES = frozenset(
    (
        "pod-template-hash",
        "rollouts-pod-template-hash",
        "controller-revision-hash",
        "controller.kubernetes.io/hash",
    )
)
"""Labels that differ between the revisions of one workload."""

_REVISION = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
_HISTORY = "deployment.kubernetes.io/revision-history"
"""Only on a ReplicaSet that was rolled out more than once (deployment/util, SetNewReplicaSetAnnotations)."""
_RESTARTED = "kubectl.kubernetes.io/restartedAt"


class _Container(Kube, frozen=True, kw_only=True):
    name: str = ""
    image: str = ""
    resources: ResourceRequirements | None = None


class _PodSpec(Kube, frozen=True, kw_only=True):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None


class _Template(Kube, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: _PodSpec = _PodSpec()


class _Expression(Kube, frozen=True, kw_only=True):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class _Selector(Kube, frozen=True, kw_only=True):
    match_labels: dict[str, str] | None = None
    match_expressions: list[_Expression] | None = None


class _Spec(Kube, frozen=True, kw_only=True):
    selector: _Selector = _Selector()
    template: _Template = _Template()


class _Data(Kube, frozen=True, kw_only=True):
    spec: _Spec = _Spec()


class _Object(Kube, frozen=True, kw_only=True):
    """A ReplicaSet (`spec`) or a ControllerRevision (`revision`, `data`)."""

    metadata: ObjectMeta = ObjectMeta()
    spec: _Spec = _Spec()
    revision: int | None = None
    data: _Data = _Data()

    @property
    def template(self) -> _Template:
        return self.data.spec.template if self.revision is not None else self.spec.template

    @property
    def number(self) -> int | None:
        if self.revision is not None:
            return self.revision
        annotations = self.metadata.annotations or {}
        text = next((annotations[name] for name in _REVISION if name in annotations), "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    @property
    def owner(self) -> OwnerReference:
        return _controller(self.metadata)


class _List(Kube, frozen=True, kw_only=True):
    metadata: dict[str, Any] | None = None
    items: list[_Object] | None = None

    @property
    def is_whole(self) -> bool:
        return not (self.metadata or {}).get("continue")


class Made(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What made a pod. `changes` is None until somebody has asked for it."""

    kind: str
    name: str
    revision: int | None
    at: datetime
    changes: tuple[str, ...] | None = None


class Rollouts:
    """Looks them up, and remembers each for a minute: the pods of one workload tend to fail together."""

    def __init__(self, client: KubeClient, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._monotonic = monotonic
        self._kept: dict[tuple[str, str], tuple[float, Made | None]] = {}
        self.forbidden = 0
        """Answers of 403."""

    async def of(self, pod: Pod, oldest: datetime) -> Made | None:
        """The rollout of this pod, unless it is older than `oldest`, none, or not allowed to be seen. SourceError."""
        where = _place(pod)
        if where is None:
            return None
        path, name = where
        now = self._monotonic()
        until, made = self._kept.get(where, (0.0, None))
        if until > now and (made is None or made.at < oldest or made.changes is not None):
            return made if made is not None and made.at >= oldest else None
        try:
            made = await self._find(path, name, _controller(pod.metadata), oldest)
        except Forbidden:
            self.forbidden += 1
            made = None
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[where] = (now + KEPT_SECONDS, made)
        return made if made is not None and made.at >= oldest else None

    async def _find(self, path: str, name: str, controller: OwnerReference, oldest: datetime) -> Made | None:
        found = await self._list(path, {"fieldSelector": f"metadata.name={name}", "limit": 1})
        present = next(iter(found.items or ()), None)
        owner = present.owner if present is not None else OwnerReference()
        if present is None or present.metadata.creation_timestamp is None or controller.uid not in _uids(present):
            return None
        if not owner.name or _HISTORY in (present.metadata.annotations or {}):
            return None
        made = Made(
            kind=_shown(owner.kind),
            name=_shown(owner.name),
            revision=present.number,
            at=present.metadata.creation_timestamp,
        )
        selector = _selector(present)
        if made.at < oldest or not selector:
            return made
        beside = await self._list(path, {"labelSelector": selector, "limit": REVISIONS_READ})
        before = _before(present, beside)
        born = before.metadata.creation_timestamp if before is not None else None
        if born is not None and born > made.at:
            return None
        return msgspec.structs.replace(made, changes=_changes(before, present))

    async def _list(self, path: str, query: Query) -> _List:
        async with self._client.get(path, query, limits(silence=10)) as answer:
            body = await whole(answer)
        try:
            return msgspec.json.decode(body, type=_List)
        except BROKEN as error:
            raise Undecodable("the answer is not readable") from error


async def whole(answer: Answer, largest: int = LARGEST) -> bytes:
    """The body, if it is not larger than that; Undecodable."""
    body = await answer.head(largest + 1)
    if len(body) > largest:
        raise Undecodable("the answer is too large")
    return body


def _controller(meta: ObjectMeta) -> OwnerReference:
    return next((owner for owner in meta.owner_references or () if owner.controller), OwnerReference())


def _uids(present: _Object) -> tuple[str, ...]:
    """Of a ReplicaSet its own uid is the pod's controller, of a ControllerRevision its owner's."""
    return (present.metadata.uid, present.owner.uid, "")


def _place(pod: Pod) -> tuple[str, str] | None:
    """(the path of the list, the name) of what made the pod."""
    meta, owner = pod.metadata, _controller(pod.metadata)
    base = f"/apis/apps/v1/namespaces/{quote(meta.namespace)}"
    if owner.kind == "ReplicaSet":
        return f"{base}/replicasets", owner.name
    digest = (meta.labels or {}).get("controller-revision-hash", "")
    if not digest:
        return None
    if owner.kind == "StatefulSet":
        return f"{base}/controllerrevisions", digest
    if owner.kind == "DaemonSet":
        return f"{base}/controllerrevisions", f"{owner.name}-{digest}"
    return None


def _selector(present: _Object) -> str:
    """What the revisions of one workload have in common: a ReplicaSet's selector, a ControllerRevision's labels."""
    if present.revision is not None:
        labels, expressions = present.metadata.labels, None
    else:
        labels, expressions = present.spec.selector.match_labels, present.spec.selector.match_expressions
    terms = [f"{key}={value}" for key, value in sorted((labels or {}).items()) if key not in _HASHES]
    terms += [_term(each) for each in expressions or () if each.key not in _HASHES]
    return ",".join(filter(None, terms))


def _term(expression: _Expression) -> str:
    values = f"({','.join(expression.values or ())})"
    forms = {
        "In": f"{expression.key} in {values}",
        "NotIn": f"{expression.key} notin {values}",
        "Exists": expression.key,
        "DoesNotExist": f"!{expression.key}",
    }
    return forms.get(expression.operator, "")


def _before(present: _Object, beside: _List) -> _Object | None:
    """The revision that was there before; None where that is not sure."""
    number = present.number
    if number is None:
        return None
    own = [(each.number, each) for each in beside.items or () if each.owner.uid == present.owner.uid]
    earlier = [(other, each) for other, each in own if other is not None and other < number]
    last, before = max(earlier, key=lambda pair: pair[0], default=(0, None))
    return before if beside.is_whole or last == number - 1 else None


def _changes(before: _Object | None, present: _Object) -> tuple[str, ...]:
    if before is None:
        return ("the first revision",) if present.number == 1 else ()
    changes = list(_differences(before.template, present.template))
    if not changes:
        old, new = (each.template.metadata.annotations or {} for each in (before, present))
        how = "restarted by hand" if old.get(_RESTARTED) != new.get(_RESTARTED) else "template changed"
        return (f"{how} (images the same)",)
    if len(changes) > MOST_CHANGES:
        changes[MOST_CHANGES - 1 :] = [f"and {len(changes) - MOST_CHANGES + 1} more"]
    return tuple(changes)


def _differences(before: _Template, present: _Template) -> Iterator[str]:
    old, new = _containers(before), _containers(present)
    several = len(old) > 1 or len(new) > 1
    for name, container in new.items():
        prefix = f"{_shown(name)}: " if several else ""
        known = old.get(name)
        if known is None:
            yield f"container {_shown(name)} added"
            continue
        if known.image != container.image:
            yield f"{prefix}image {_arrow(*_images(known.image, container.image))}"
        for change in _resources(known.resources, container.resources):
            yield prefix + change
    for name in old:
        if name not in new:
            yield f"container {_shown(name)} removed"


def _containers(template: _Template) -> dict[str, _Container]:
    spec = template.spec
    return {each.name: each for each in (*(spec.init_containers or ()), *(spec.containers or ()))}


def _resources(old: ResourceRequirements | None, new: ResourceRequirements | None) -> Iterator[str]:
    old, new = old or ResourceRequirements(), new or ResourceRequirements()
    pairs = (("limit", old.limits or {}, new.limits or {}), ("request", old.requests or {}, new.requests or {}))
    for word, before, after in pairs:
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                yield f"{_shown(key)} {word} {_arrow(str(before.get(key, 'none')), str(after.get(key, 'none')))}"


def _images(old: str, new: str) -> tuple[str, str]:
    """The tags where the repository is the same, the digests where the tags are too."""
    repository, tag, digest = _image_parts(old)
    new_repository, new_tag, new_digest = _image_parts(new)
    if repository != new_repository:
        return old, new
    if tag != new_tag:
        return tag or digest or "untagged", new_tag or new_digest or "untagged"
    return digest or "no digest", new_digest or "no digest"


def _image_parts(image: str) -> tuple[str, str, str]:
    """(repository, tag, the beginning of the digest)."""
    name, _, digest = image.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    return repository, tag, digest[: len("sha256:") + 12]


def _arrow(old: str, new: str) -> str:
    return f"{_shown(old)} -> {_shown(new)}"


def _shown(text: str) -> str:
    return cut_middle(" ".join(redact(clean(text)).split()), 80)
