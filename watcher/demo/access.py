"""Who may do what: bearer tokens, and rules that deny.

With no token set, everybody is welcome, as on a local test cluster. Denied rules answer 403 on the resource paths and
"no" to a SelfSubjectAccessReview, so that both agree. Everything may be changed while the server runs.
"""

from __future__ import annotations

import msgspec

from watcher.demo.resources import JsonObject
from watcher.demo.status import ApiError, failure, unauthorized

USER = "system:serviceaccount:watcher:watcher"


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """What is forbidden; an empty field means any.

    `scope`: "cluster" forbids only requests over all namespaces, so that those of one namespace stay allowed;
    "namespace" forbids those within `namespace` (any, when that is empty).
    """

    verb: str = ""
    resource: str = ""
    subresource: str = ""
    scope: str = ""
    namespace: str = ""

    def covers(self, asked: Asked) -> bool:
        if self.verb not in ("", asked.verb) or self.resource not in ("", asked.resource):
            return False
        if self.subresource != asked.subresource and (self.subresource or self.resource):
            return False
        if self.scope and (self.scope == "cluster") != (not asked.namespace):
            return False
        return self.namespace in ("", asked.namespace)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as authorisation sees it."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class Access:
    """The tokens and the rules of one server."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        """Bearer tokens of the API server; empty: no token is asked for."""
        self.kubelet_tokens: set[str] = {"kubelet-token"}
        """Tokens that the kubelet's own port takes. It always asks for one, as real kubelets do."""
        self.kubelet_unprivileged: set[str] = set()
        """Known tokens without `get nodes/stats`: 403."""
        self.denied: list[Denied] = []

    def deny(self, **rule: str) -> None:
        """`deny(verb="list", resource="nodes")`, `deny(resource="pods", scope="cluster")`."""
        self.denied.append(Denied(**rule))

    def authenticate(self, authorization: str) -> None:
        if self.tokens and authorization.removeprefix("Bearer ").strip() not in self.tokens:
            raise unauthorized()

    def kubelet_code(self, authorization: str) -> int:
        """200, 401 or 403 for a request to a kubelet."""
        token = authorization.removeprefix("Bearer ").strip()
        if token in self.kubelet_tokens:
            return 200
        return 403 if token in self.kubelet_unprivileged else 401

    def allows(self, asked: Asked) -> bool:
        return not any(rule.covers(asked) for rule in self.denied)

    def authorize(self, asked: Asked) -> None:
        """ApiError 403 when a rule denies it."""
        if not self.allows(asked):
            raise forbidden(asked)

    def review(self, review: JsonObject) -> JsonObject:
        """The answer to a SelfSubjectAccessReview."""
        attributes = (review.get("spec") or {}).get("resourceAttributes") or {}
        asked = Asked(
            verb=attributes.get("verb", ""),
            resource=attributes.get("resource", ""),
            group=attributes.get("group", ""),
            subresource=attributes.get("subresource", ""),
            namespace=attributes.get("namespace", ""),
            name=attributes.get("name", ""),
        )
        allowed = self.allows(asked)
        status: JsonObject = {"allowed": allowed} if allowed else {"allowed": False, "reason": "denied by this demo"}
        return {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": review.get("spec") or {},
            "status": status,
        }


def forbidden(asked: Asked) -> ApiError:
    """403 in the words of apiserver/pkg/endpoints/handlers/responsewriters/errors.go."""
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    name = f'"{asked.name}" ' if asked.name else ""
    message = (
        f'{qualified} {name}is forbidden: User "{USER}" cannot {asked.verb} resource "{resource}" '
        f'in API group "{asked.group}" {where}'
    )
    details = ({"name": asked.name} if asked.name else {}) | {"kind": asked.resource}
    return ApiError(failure(403, "Forbidden", message, details))
