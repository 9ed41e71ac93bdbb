"""Who may do what: bearer tokens, what roles and bindings grant, and rules that deny.

With no token set, everybody is welcome, as on a local test cluster; without `bind`, everybody may do everything. What
is refused is 403 on the resource paths and "no" to a SelfSubjectAccessReview, so that both agree. Everything may be
changed while the server runs. How RBAC reads roles is in grants.py.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from watcher.demo.grants import Asked, Grant, grants_of
from watcher.demo.resources import JsonObject
from watcher.demo.status import ApiError, failure, invalid, unauthorized

__all__ = ["USER", "Access", "Asked", "Denied", "forbidden"]

USER = "system:serviceaccount:watcher:watcher"
ACCOUNT = "watcher/watcher"

NODE_STATS = Asked(verb="get", resource="nodes", subresource="stats")
"""What a kubelet asks the API server about whoever wants its statistics."""


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
        self.grants: tuple[Grant, ...] | None = None
        """What is allowed; None: everything."""

    def bind(self, documents: Iterable[JsonObject], account: str = ACCOUNT) -> None:
        """From now on only what these roles and bindings give to the service account `namespace/name`."""
        self.grants = grants_of(documents, account)

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
            return 200 if self.allows(NODE_STATS) else 403
        return 403 if token in self.kubelet_unprivileged else 401

    def allows(self, asked: Asked) -> bool:
        return bool(self.why_allowed(asked))

    def why_allowed(self, asked: Asked) -> str:
        """In a real server's words; empty: it is not."""
        if any(rule.covers(asked) for rule in self.denied):
            return ""
        if self.grants is None:
            return "this demo allows everything"
        return next((grant.why for grant in self.grants if grant.covers(asked)), "")

    def authorize(self, asked: Asked) -> None:
        """ApiError 403 when a rule denies it."""
        if not self.allows(asked):
            raise forbidden(asked)

    def review(self, review: JsonObject) -> JsonObject:
        """The answer to a SelfSubjectAccessReview; ApiError 422 for one that asks nothing."""
        spec: JsonObject = review.get("spec") or {}
        attributes: JsonObject = spec.get("resourceAttributes") or {}
        if bool(attributes) == bool(spec.get("nonResourceAttributes")):
            raise invalid("exactly one of nonResourceAttributes or resourceAttributes must be specified")
        names = Asked.__struct_fields__
        asked = Asked(**{"verb": "", "resource": ""} | {name: attributes.get(name) or "" for name in names})
        # Paths that are no resources are nowhere granted by roles that a namespace could hold.
        why = self.why_allowed(asked) if attributes or self.grants is None else ""
        return {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": spec,
            "status": {"allowed": True, "reason": why} if why else {"allowed": False},
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
