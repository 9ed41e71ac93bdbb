"""The written description (OpenAPI) of our own endpoints: what each answers, exactly, and who may.

FastAPI knows paths and parameters. What is answered are records of ours: their schemas are made from the records, each
field always there unless the record leaves out what is empty. Errors have one shape; FastAPI's own 422 never occurs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from watcher import __version__
from watcher.api.answers import Problem

_SCHEMAS: Final = "#/components/schemas/"
_WORDS: Final = {
    400: "A parameter is wrong",
    401: "The token is needed",
    403: "From here nothing may be changed",
    404: "It is not known",
    409: "It is not in the state for this",
    503: "The store does not answer: ask again when /-/ready answers 200",
}
SECURITY: Final[dict[str, Any]] = {"security": [{"bearer": []}, {"basic": []}]}
"""Of a route that needs the token of `http.token_file`, where one is set."""
_ABOUT: Final = """\
What Watcher knows and does, beside Alertmanager's API (/api/v2/openapi.json).

Reading is open, but for texts, log lines and reasons where `http.token_file` is set; changing things needs that token,
or to be done from the machine itself. Every error is `{"error": "a sentence that says what to do"}`.
"""

Responses = dict[int | str, dict[str, Any]]


class _Answer(dict[str, Any]):
    """A description that remembers the record."""

    def __init__(self, kind: Any, words: str) -> None:
        (schema,), _ = msgspec.json.schema_components([kind], ref_template=f"{_SCHEMAS}{{name}}")
        super().__init__(description=words, content={"application/json": {"schema": schema}})
        self.kind = kind


def answered(kind: Any, *errors: int, status: int = 200, words: str = "OK") -> Responses:
    """For a route's `responses`: what it answers (a type that msgspec can encode) and which errors."""
    return {status: _Answer(kind, words)} | refused(*errors)


def refused(*codes: int) -> Responses:
    return {code: _Answer(Problem, _WORDS[code]) for code in codes}


def text(media_type: str, status: int = 200, words: str = "OK") -> Responses:
    return {status: {"description": words, "content": {media_type: {"schema": {"type": "string"}}}}}


def install(app: FastAPI, path: str, routers: Iterable[APIRouter]) -> None:
    """Serve the description of everything that the application has by now, of these routers too, at `path`."""
    routes = [*app.routes, *(route for router in routers for route in router.routes)]
    made: list[bytes] = []

    @app.get(path, include_in_schema=False)
    async def described(request: Request) -> Response:
        if not made:
            made.append(msgspec.json.encode(document(app, routes)))
        return Response(made[0], media_type="application/json")


def document(app: FastAPI, routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """`routes`: with what each answers."""
    found = get_openapi(title="Watcher", version=__version__, description=_ABOUT, routes=app.routes)
    for verbs in found["paths"].values():
        for operation in verbs.values():
            operation["responses"].pop("422", None)
            # FastAPI takes the function's name for it.
            operation["summary"] = operation["description"].partition(".")[0].partition("\n")[0]
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _given(parameter["schema"], parameter["required"])
    responses = (each for route in routes if isinstance(route, APIRoute) for each in route.responses.values())
    kinds = tuple(dict.fromkeys(each.kind for each in responses if isinstance(each, _Answer)))
    own = found.setdefault("components", {})
    kept = {k: v for k, v in own.get("schemas", {}).items() if k not in ("HTTPValidationError", "ValidationError")}
    own["schemas"] = kept | components(kinds)
    own["securitySchemes"] = security_schemes()
    return found


def _given(schema: dict[str, Any], required: bool) -> dict[str, Any]:
    """Of a parameter: there is no null in a query, and what may be left out may be empty (`queries.Query`)."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    assert len(kinds) == 1
    kind = {name: value for name, value in kinds[0].items() if name not in ("default", "title")}
    if required or (kind.get("type") == "string" and set(kind) <= {"type", "maxLength"}):
        return kind
    return {"anyOf": [kind, {"type": "string", "maxLength": 0}]}


def security_schemes() -> dict[str, Any]:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The token of http.token_file."},
        "basic": {"type": "http", "scheme": "basic", "description": "Any name, and the token as the password."},
    }


def components(kinds: tuple[Any, ...]) -> dict[str, Any]:
    """Schemas of these records and of what stands in them, by name."""
    found: dict[str, Any]
    _, found = msgspec.json.schema_components(kinds, ref_template=f"{_SCHEMAS}{{name}}")
    for kind, made in ((kind, found.get(kind.__name__)) for kind in _structs(kinds)):
        if made is None:
            continue
        made["additionalProperties"] = False
        if not kind.__struct_config__.omit_defaults:
            fields = msgspec.structs.fields(kind)
            made["required"] = [each.encode_name for each in fields if each.default is not msgspec.UNSET]
        for one in made["properties"].values():
            one.pop("default", None)
    return found


def _structs(kinds: tuple[Any, ...]) -> list[type[msgspec.Struct]]:
    """Every record that stands in these types."""
    found: dict[type[msgspec.Struct], None] = {}
    left = [msgspec.inspect.type_info(each) for each in kinds]
    while left:
        kind = left.pop()
        if isinstance(kind, msgspec.inspect.StructType):
            if kind.cls not in found:
                found[kind.cls] = None
                left += [each.type for each in kind.fields]
        else:
            left += getattr(kind, "types", ())
            inside = (getattr(kind, name, None) for name in ("item_type", "value_type", "type"))
            left += [each for each in inside if each is not None]
    return list(found)
