"""The API server's own answers: Status objects, in the words of k8s.io/apimachinery/pkg/api/errors.

Raised as `ApiError` anywhere below the HTTP handlers and turned into a response by server.py, or into an ERROR event
by watch.py.
"""

from __future__ import annotations

from watcher.demo.resources import JsonObject, Resource


class ApiError(Exception):
    """A request ends with this Status. `retry_after` becomes the Retry-After header, in seconds."""

    def __init__(self, status: JsonObject, *, retry_after: float | None = None) -> None:
        super().__init__(status["message"])
        self.status = status
        self.code = int(status["code"])
        self.retry_after = retry_after


def failure(code: int, reason: str, message: str, details: JsonObject | None = None) -> JsonObject:
    """A Status object of a failed request."""
    status: JsonObject = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if details:
        status["details"] = details
    status["code"] = code
    return status


def success(resource: Resource, name: str, uid: str) -> JsonObject:
    """The Status of a deletion that is complete."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": name, "kind": resource.plural, "uid": uid},
    }


def _named(resource: Resource, name: str) -> JsonObject:
    details: JsonObject = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return details | {"kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(failure(404, "NotFound", message, _named(resource, name)))


def no_such_path() -> ApiError:
    message = "the server could not find the requested resource"
    return ApiError(failure(404, "NotFound", message, {}))


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(failure(409, "AlreadyExists", message, _named(resource, name)))


def conflict(resource: Resource, name: str) -> ApiError:
    message = (
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return ApiError(failure(409, "Conflict", message, _named(resource, name)))


def bad_request(message: str) -> ApiError:
    return ApiError(failure(400, "BadRequest", message))


def invalid(message: str) -> ApiError:
    """422, as ValidateListOptions answers."""
    return ApiError(failure(422, "Invalid", message))


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(failure(405, "MethodNotAllowed", message, {}))


def not_acceptable() -> ApiError:
    message = "only the following media types are accepted: application/json"
    return ApiError(failure(406, "NotAcceptable", message, {}))


def unsupported_media_type(given: str, known: tuple[str, ...]) -> ApiError:
    message = f"the body of the request was in an unknown format ({given}) - accepted media types include: "
    return ApiError(failure(415, "UnsupportedMediaType", message + ", ".join(known), {}))


def unauthorized() -> ApiError:
    return ApiError(failure(401, "Unauthorized", "Unauthorized"))


def expired_version(asked: int, oldest: int) -> JsonObject:
    """The Status of a watch whose version left the history (watch_cache.go, `too old resource version`)."""
    return failure(410, "Expired", f"too old resource version: {asked} ({oldest})")


def expired_continue(token: str) -> ApiError:
    """The 410 of a continue token that outlived compaction; `token` goes on without consistency."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    status = failure(410, "Expired", message)
    status["metadata"] = {"continue": token}
    return ApiError(status)


def expired_exact() -> ApiError:
    """The 410 of `resourceVersionMatch=Exact` for a version that is gone."""
    return ApiError(failure(410, "Expired", "The resourceVersion for the provided list is too old."))


def too_large(asked: int, current: int) -> JsonObject:
    """A version from the future (storage/errors.go, NewTooLargeResourceVersionError)."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return failure(504, "Timeout", f"Too large resource version: {asked}, current: {current}", details)
