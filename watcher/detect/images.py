"""Images that cannot be had: the kubelet's many reasons are one state with one cause.

The cause is read from the runtime's text by ordered rules, and kept through back-offs whose text lacks it (before
Kubernetes 1.32 ImagePullBackOff says only `Back-off pulling image "I"`). Source: kubernetes-facts, section 1.4.
"""

from __future__ import annotations

import re

_BACKOFF = re.compile(r'back-off pulling image (?:\\*"[^"]*"|\S+?)(?:: |\.?$)', re.IGNORECASE)

REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ImageInspectError",
        "ErrImageNeverPull",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)

UNDECIDED = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Waiting reasons that say neither that the image was had nor that it was not (a restarted kubelet shows them)."""

_BY_REASON = {
    "InvalidImageName": "invalid_name",
    "ErrImageNeverPull": "policy_never",
    "RegistryUnavailable": "registry_error",
    "SignatureValidationFailed": "denied",
}

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "platform",
        (
            "no match for platform",
            "no matching manifest",
            "no image found in image index for architecture",
            "no image found in manifest list for architecture",
            "cannot be used on this platform",
        ),
    ),
    ("rate_limited", ("toomanyrequests", "too many requests", "pull rate limit", "pull qps exceeded")),
    ("disk", ("no space left on device", "disk quota exceeded")),
    (
        "invalid_name",
        ("couldn't parse image", "invalid reference format", "short-name resolution", "short name mode"),
    ),
    ("policy_never", ("is not present with pull policy of never",)),
    ("tls", ("x509:", "tls: ", "server gave http response to https client", "certificate")),
    (
        "dns",
        (
            "no such host",
            "server misbehaving",
            "temporary failure in name resolution",
            ": try again",
            "dial tcp: lookup",
        ),
    ),
    (
        "unauthorized",
        (
            "401 unauthorized",
            "403 forbidden",
            "no basic auth credentials",
            "unauthorized:",
            "unauthorized to access",
            "authentication required",
            "authorization token has expired",
        ),
    ),
    (
        "denied",
        (
            "pull access denied",
            "access to the resource is denied",
            "insufficient_scope",
            "denied:",
            "signature validation failed",
            "signaturevalidationfailed",
            "signature was required",
        ),
    ),
    (
        "not_found",
        (
            "manifest unknown",
            "name unknown",
            "not found",
            "repository does not exist",
        ),
    ),
    (
        "network",
        (
            "i/o timeout",
            "connection refused",
            "connection reset",
            "no route to host",
            "network is unreachable",
            "context deadline exceeded",
            "tls handshake timeout",
            "connection timed out",
            "client.timeout exceeded",
            "request canceled",
            "unexpected eof",
            '": eof',
            "context canceled",
        ),
    ),
    (
        "registry_error",
        (
            "500 internal server error",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway",
            "registry is unavailable",
            "registryunavailable",
        ),
    ),
    ("unauthorized", ("failed to authorize",)),
)
"""First match wins. Platform stands before not_found (`no match for platform in manifest: not found`), DNS before
network (`lookup quay.io on …: i/o timeout` is a name server that does not answer). `failed to authorize` stands last:
what comes after it may be that the token's server cannot be reached."""


def classify(reason: str, text: str) -> str:
    """The cause behind a waiting reason and its text, or `unknown`. TLS handshake time-outs are the network's."""
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    low = text.lower()
    if "tls handshake timeout" in low:
        return "network"
    for cause, needles in _RULES:
        if any(needle in low for needle in needles):
            return cause
    return "unknown"


def cause_text(text: str) -> str:
    """The part of a kubelet's text that tells the cause; empty in a back-off that has none.

    Since 1.32 a back-off goes on with the error of the last attempt, which is nearly always ErrImagePull.
    """
    backoff = _BACKOFF.match(text)
    return text if backoff is None else text[backoff.end() :].removeprefix("ErrImagePull: ")
