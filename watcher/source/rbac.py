"""What the account that we run under may do, held against what a configuration needs (rights.py).

The API server is asked itself (SelfSubjectAccessReview, which every authenticated account may post), one right at a
time: SelfSubjectRulesReview would list all at once, but only what its authorizers can enumerate, and of one namespace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from watcher.source.client import KubeClient, Places, limits
from watcher.source.decode import BROKEN
from watcher.source.errors import Undecodable
from watcher.source.rights import ANY, DANGERS, EVERYTHING, EVERYWHERE, Danger, Need, Right, Weight, rights_of

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
AT_ONCE = 8


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Verbs on one resource that are missing, or too much."""

    verbs: tuple[str, ...]
    resource: str
    group: str
    name: str
    namespaces: tuple[str, ...]
    """`""`: everywhere."""
    required: bool
    consequence: str

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        group = f" ({self.group})" if self.group not in ("", ANY) else ""
        where = ", ".join(self.namespaces)
        place = f"in {where}" if where else "everywhere"
        return f"{', '.join(self.verbs)} on {self.resource}{name}{group} {place}: {self.consequence}"


class AccessReport(msgspec.Struct, frozen=True, kw_only=True):
    """`missing` includes what is required; `left_out` is as chosen; `unsure`: what the server could not evaluate."""

    missing: tuple[Finding, ...] = ()
    left_out: tuple[Finding, ...] = ()
    beyond: tuple[Finding, ...] = ()
    unsure: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not any(finding.required for finding in self.missing)


class _Outcome(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    allowed: bool = False
    evaluation_error: str = ""


class _Review(msgspec.Struct, frozen=True, gc=False):
    status: _Outcome


_decode = msgspec.json.Decoder(_Review).decode


def own_namespace(places: Places | None = None) -> str:
    """Of the pod that we run in; empty where that is none."""
    file: Path = (places or Places()).service_account / "namespace"
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


class AccessReviewer:
    """Asks one API server, each right once."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._answers: dict[Right, bool] = {}
        self._used: frozenset[Right] = frozenset()
        self._unsure: dict[str, None] = {}

    async def report(self, needed: Sequence[Need], own: str = "") -> AccessReport:
        """Hold what is granted against these needs. `own`: our own namespace, which is looked at too. SourceError."""
        places = dict.fromkeys(place for need in needed for place in need.namespaces)
        narrow = [place for place in dict.fromkeys((*places, own)) if place != EVERYWHERE]
        await self._ask(right for need in needed for right in need.rights())
        absent = [(need.weight, finding) for need in needed if (finding := self._missing(need))]
        return AccessReport(
            missing=tuple(finding for weight, finding in absent if weight is not Weight.CHOSEN),
            left_out=tuple(finding for weight, finding in absent if weight is Weight.CHOSEN),
            beyond=tuple(await self._beyond(needed, narrow)),
            unsure=tuple(self._unsure),
        )

    def _missing(self, need: Need) -> Finding | None:
        verbs = tuple(
            verb
            for verb in need.verbs
            if not all(self._answers[right] for right in need.rights() if right.verb == verb)
        )
        places = tuple(
            place
            for place in need.namespaces
            if not all(self._answers[right] for right in need.rights() if right.namespace == place)
        )
        if not verbs:
            return None
        return Finding(
            verbs=verbs,
            resource=need.resource,
            group=need.group,
            name=need.name,
            namespaces=places,
            required=need.weight is Weight.REQUIRED,
            consequence=need.loses,
        )

    async def _beyond(self, needed: Sequence[Need], narrow: Sequence[str]) -> list[Finding]:
        self._used = frozenset(right for need in needed for right in need.rights())
        places = await self._places_of(EVERYTHING, narrow)
        if places:
            whole = _excess(EVERYTHING, EVERYTHING.verbs, places)
            if places == (EVERYWHERE,):
                return [whole]
            return [whole, *await self._dangers([place for place in narrow if place not in places])]
        return await self._dangers(narrow)

    async def _dangers(self, narrow: Sequence[str]) -> list[Finding]:
        rights = [
            right
            for danger in DANGERS
            for place in (EVERYWHERE, *(narrow if danger.namespaced else ()))
            for right in rights_of(danger, place)
        ]
        await self._ask(right for right in rights if right not in self._used)
        return [finding for danger in DANGERS for finding in self._too_much(danger, narrow)]

    def _too_much(self, danger: Danger, narrow: Sequence[str]) -> Iterator[Finding]:
        """One finding for what holds everywhere, one for what holds in some namespaces alone."""

        def granted(verb: str, place: str) -> bool:
            right = Right(verb=verb, resource=danger.resource, group=danger.group, namespace=place)
            return right not in self._used and self._answers.get(right, False)

        wide = tuple(verb for verb in danger.verbs if granted(verb, EVERYWHERE))
        if wide:
            yield _excess(danger, wide, (EVERYWHERE,))
        rest = [verb for verb in danger.verbs if verb not in wide]
        places = tuple(place for place in narrow if any(granted(verb, place) for verb in rest))
        if danger.namespaced and places:
            verbs = tuple(verb for verb in rest if any(granted(verb, place) for place in places))
            yield _excess(danger, verbs, places)

    async def _places_of(self, danger: Danger, narrow: Sequence[str]) -> tuple[str, ...]:
        """Where all of it is granted: everywhere, or in some of the namespaces."""
        await self._ask(right for place in (EVERYWHERE, *narrow) for right in rights_of(danger, place))
        found = [
            place for place in (EVERYWHERE, *narrow) if all(self._answers[right] for right in rights_of(danger, place))
        ]
        return (EVERYWHERE,) if EVERYWHERE in found else tuple(found)

    async def _ask(self, rights: Iterable[Right]) -> None:
        new = [right for right in dict.fromkeys(rights) if right not in self._answers]
        try:
            async with asyncio.TaskGroup() as group:
                for right in new:
                    group.create_task(self._one(right))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _one(self, right: Right) -> None:
        resource, _, subresource = right.resource.partition("/")
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": right.namespace,
            "name": right.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        async with self._slots, self._client.send("POST", PATH, body, limits(silence=10)) as answer:
            try:
                status = _decode(await answer.body()).status
            except BROKEN as error:
                raise Undecodable("the API server's answer to a SelfSubjectAccessReview is not readable") from error
        self._answers[right] = status.allowed
        if status.evaluation_error:
            self._unsure.setdefault(status.evaluation_error)


def _excess(danger: Danger, verbs: tuple[str, ...], namespaces: tuple[str, ...]) -> Finding:
    return Finding(
        verbs=verbs,
        resource=danger.resource,
        group=danger.group,
        name="",
        namespaces=namespaces,
        required=False,
        consequence=danger.allows,
    )
