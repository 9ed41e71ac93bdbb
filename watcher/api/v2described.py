"""The written description (OpenAPI) of Alertmanager's API v2 as it is served here, at `/api/v2/openapi.json`.

Alertmanager's own server hands out none. Answers are described by the records that make them (`v2shapes`); what is
refused before anybody looks at what it wants is an object, what is refused by what it says is a text.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from watcher import __version__
from watcher.api import v2shapes
from watcher.api.described import SECURITY, components, security_schemes

_UUID: Final = {"name": "silenceID", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_ABOUT: Final = """\
Alertmanager's API v2 as Watcher serves it; what differs is told in docs/silences.md.
"""
LabelSet = dict[str, str]


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True):
    peers: tuple[str, ...]
    """None: replicas of Watcher share a database."""
    status: str


class Original(msgspec.Struct, frozen=True, kw_only=True):
    original: str


class VersionInfo(msgspec.Struct, frozen=True, kw_only=True):
    branch: str
    buildDate: str
    buildUser: str
    goVersion: str
    revision: str
    version: str


class AlertmanagerStatus(msgspec.Struct, frozen=True, kw_only=True):
    cluster: ClusterStatus
    config: Original
    uptime: v2shapes.When
    versionInfo: VersionInfo


class PostableAlert(msgspec.Struct, frozen=True, kw_only=True):
    labels: Annotated[LabelSet, msgspec.Meta(min_length=1)]
    """One that is empty counts as missing; at least one must not be."""
    annotations: LabelSet | msgspec.UnsetType = msgspec.UNSET
    startsAt: v2shapes.When | msgspec.UnsetType = msgspec.UNSET
    endsAt: v2shapes.When | msgspec.UnsetType = msgspec.UNSET
    """Without it: `global.resolve_timeout` from now."""
    generatorURL: Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri"})] | msgspec.UnsetType = msgspec.UNSET


class PostableMatcher(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    value: Annotated[str, msgspec.Meta(max_length=4096)]
    isRegex: bool
    isEqual: bool | msgspec.UnsetType = msgspec.UNSET


class PostableSilence(msgspec.Struct, frozen=True, kw_only=True):
    id: str | msgspec.UnsetType = msgspec.UNSET
    """Of one that is to be changed."""
    matchers: Annotated[tuple[PostableMatcher, ...], msgspec.Meta(min_length=1, max_length=100)]
    startsAt: v2shapes.When
    endsAt: v2shapes.When
    createdBy: str
    comment: str
    annotations: LabelSet | msgspec.UnsetType = msgspec.UNSET
    untilResolved: bool | msgspec.UnsetType = msgspec.UNSET
    """Ours: it ends when nothing that it mutes has fired for 10 min."""


class SilenceId(msgspec.Struct, frozen=True, kw_only=True):
    silenceID: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    code: int
    """Of HTTP, or one of go-openapi's own from 600 on."""
    message: str


_RECORDS: Final = (
    *(AlertmanagerStatus, v2shapes.Named, v2shapes.GettableAlert, v2shapes.AlertGroup, v2shapes.GettableSilence),
    *(PostableAlert, PostableSilence, SilenceId, Refusal),
)
_WORDS: Final = {
    400: "It cannot be read, or what it says cannot be",
    401: "The token is needed",
    403: "From here nothing may be changed",
    404: "It is not known",
    406: "Only application/json is to be had",
    413: "It is too large",
    415: "Only application/json is taken",
    422: "Something is missing, or of the wrong form",
    503: "It is not stored yet, and is done when the database answers",
}
_FILTER: Final = {
    "name": "filter",
    "in": "query",
    "description": 'Matchers, as in `severity="critical"`; all must match.',
    "schema": {"type": "array", "items": {"type": "string"}, "maxItems": 100},
    "style": "form",
    "explode": True,
}
_RECEIVER: Final = {
    "name": "receiver",
    "in": "query",
    "description": "A regular expression that must match the whole name of a receiver.",
    "schema": {"type": "string"},
}


def document() -> dict[str, Any]:
    schemas = components(_RECORDS)
    for name in ("PostableAlert", "PostableMatcher", "PostableSilence"):
        # What is unknown in them is passed over, as Alertmanager does.
        del schemas[name]["additionalProperties"]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Alertmanager's API v2 of Watcher", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/api/v2"}],
        "paths": _paths(),
        "components": {"schemas": schemas, "securitySchemes": security_schemes()},
    }


def _paths() -> dict[str, Any]:
    alerts = [_FILTER, _RECEIVER, *map(_flag, ("active", "silenced", "inhibited", "muted", "unprocessed"))]
    return {
        "/status": {"get": _reads("getStatus", _ref("AlertmanagerStatus"))},
        "/receivers": {"get": _reads("getReceivers", _list("Named"))},
        "/alerts": {
            "get": _reads("getAlerts", _list("GettableAlert"), 400, parameters=alerts),
            "post": _writes("postAlerts", _list("PostableAlert"), None),
        },
        "/alerts/groups": {"get": _reads("getAlertGroups", _list("AlertGroup"), 400, parameters=alerts)},
        "/silences": {
            "get": _reads(
                "getSilences",
                _list("GettableSilence"),
                400,
                parameters=[_FILTER, *map(_flag, ("active", "pending", "expired"))],
            ),
            "post": _writes("postSilences", _ref("PostableSilence"), _ref("SilenceId"), 404),
        },
        "/silence/{silenceID}": {
            "parameters": [_UUID],
            "get": _reads("getSilence", _ref("GettableSilence"), 404, 422),
            "delete": {
                "operationId": "deleteSilence",
                "responses": {"200": {"description": "It is over"}, **_refused(401, 403, 404, 406, 415, 422, 503)},
                **SECURITY,
            },
        },
    }


def _reads(name: str, schema: dict[str, Any], *codes: int, parameters: Any = ()) -> dict[str, Any]:
    return {
        "operationId": name,
        "parameters": [*parameters],
        "responses": {"200": _holds("OK", schema), **_refused(406, 415, *codes)},
    }


def _writes(name: str, taken: dict[str, Any], given: dict[str, Any] | None, *codes: int) -> dict[str, Any]:
    stored = {"description": "It is stored"} if given is None else _holds("It is stored", given)
    return {
        "operationId": name,
        "requestBody": {"required": True, "content": {"application/json": {"schema": taken}}},
        "responses": {"200": stored, **_refused(400, 401, 403, 406, 413, 415, 422, 503, *codes)},
        **SECURITY,
    }


def _refused(*codes: int) -> dict[str, Any]:
    said = {"anyOf": [_ref("Refusal"), {"type": "string"}]}
    return {
        str(code): {"description": _WORDS[code]} if code == 404 else _holds(_WORDS[code], said)
        for code in sorted(codes)
    }


def _holds(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _flag(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "boolean"}, "description": "true where it is not given"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name)}
