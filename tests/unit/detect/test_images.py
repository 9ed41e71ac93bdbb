"""Why an image cannot be had, read from the texts of kubelets and runtimes (kubernetes-facts, section 1.4)."""

from __future__ import annotations

import pytest

from watcher.detect.images import REASONS, UNDECIDED, cause_text, classify

R = "registry.example/o/r:1"
PULL = f'failed to pull and unpack image "{R}": '
TEXTS: list[tuple[str, str, str]] = [
    ("containerd, no tag", "not_found", f'{PULL}failed to resolve reference "{R}": {R}: not found'),
    (
        "containerd, no digest",
        "not_found",
        f"{PULL}failed to copy: httpReadSeeker: failed open: content at https://registry.example/v2/o/r/blobs/sha256:1"
        " not found: not found",
    ),
    (
        "docker, no tag",
        "not_found",
        f"rpc error: code = Unknown desc = Error response from daemon: manifest for {R} not found: manifest unknown: "
        "manifest unknown",
    ),
    ("cri-o, no tag", "not_found", "reading manifest 1 in quay.example/o/r: manifest unknown"),
    ("older cri-o", "not_found", "Error reading manifest 1 in quay.example/o/r: manifest unknown: manifest unknown"),
    ("no name", "not_found", "reading manifest 1 in quay.example/o/r: name unknown: repository not known"),
    (
        "hub, absent or private",
        "denied",
        f'{PULL}failed to resolve reference "{R}": pull access denied, repository does not exist or may require '
        "authorization: server message: insufficient_scope: authorization failed",
    ),
    ("cri-o, denied", "denied", "reading manifest 1 in quay.example/o/r: requested access to the resource is denied"),
    (
        "anonymous token 401",
        "unauthorized",
        f'{PULL}failed to resolve reference "{R}": failed to authorize: failed to fetch anonymous token: unexpected '
        "status from GET request to https://registry.example/token: 401 Unauthorized",
    ),
    (
        "403 from HEAD",
        "unauthorized",
        f'{PULL}failed to resolve reference "{R}": unexpected status from HEAD request to https://registry.example/v2/'
        "o/r/manifests/1: 403 Forbidden",
    ),
    (
        "docker, not logged in",
        "unauthorized",
        "Get https://registry.example/v2/o/r/manifests/1: no basic auth credentials",
    ),
    (
        "cri-o, unauthorized",
        "unauthorized",
        "reading manifest 1 in quay.example/o/r: unauthorized: access to the requested resource is not authorized",
    ),
    (
        "hub's limit",
        "rate_limited",
        f"{PULL}failed to copy: httpReadSeeker: failed open: unexpected status code https://hub.example/v2/o/r"
        ": 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.",
    ),
    ("hub's limit of 2025", "rate_limited", "You have reached your unauthenticated pull rate limit."),
    ("kubelet's own limit", "rate_limited", "pull QPS exceeded"),
    (
        "no such host",
        "dns",
        f'{PULL}failed to resolve reference "{R}": failed to do request: Head "https://registry.example/v2/o/r": dial '
        "tcp: lookup registry.example on 10.0.0.2:53: no such host",
    ),
    ("try again", "dns", 'Head "https://H/v2/": dial tcp: lookup H on 10.0.0.2:53: Try again'),
    ("server misbehaving", "dns", "dial tcp: lookup H on 10.0.0.2:53: server misbehaving"),
    ("temporary failure", "dns", "dial tcp: lookup H: Temporary failure in name resolution"),
    (
        "a name server that does not answer",
        "dns",
        'pinging container registry quay.example: Get "https://quay.example/v2/": dial tcp: lookup '
        "quay.example on 10.0.0.2:53: read udp 10.1.0.3:4444->10.0.0.2:53: i/o timeout",
    ),
    ("i/o timeout", "network", 'Head "https://H/v2/": dial tcp 10.0.0.1:443: i/o timeout'),
    ("refused", "network", "dial tcp 10.0.0.1:443: connect: connection refused"),
    ("no route", "network", "dial tcp 10.0.0.1:443: connect: no route to host"),
    ("deadline", "network", f'{PULL}failed to resolve reference "{R}": context deadline exceeded'),
    ("tls handshake timeout", "network", 'Get "https://H/v2/": net/http: TLS handshake timeout'),
    ("unexpected EOF", "network", f"{PULL}failed to copy: unexpected EOF"),
    ("503", "registry_error", 'unexpected status from HEAD request to "https://H/v2/": 503 Service Unavailable'),
    ("500", "registry_error", "received unexpected HTTP status: 500 Internal Server Error"),
    ("unknown authority", "tls", 'Head "https://H/v2/": x509: certificate signed by unknown authority'),
    ("wrong names", "tls", "x509: certificate is not valid for any names, but wanted to match H"),
    ("expired", "tls", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"),
    ("plain http", "tls", "http: server gave HTTP response to HTTPS client"),
    (
        "no platform",
        "platform",
        f'{PULL}failed to resolve reference "{R}": no match for platform in manifest: not found',
    ),
    ("no manifest for arm", "platform", "no matching manifest for linux/arm64/v8 in the manifest list entries"),
    ("no arm in the index", "platform", "no image found in image index for architecture arm64, variant v8, OS linux"),
    ("disk is full", "disk", "failed to extract layer sha256:1: write /x: no space left on device"),
    ("short name, no TTY", "invalid_name", "short-name resolution enforced but cannot prompt without a TTY"),
    ("short name", "invalid_name", "short name mode is enforcing, but image name r:1 returns ambiguous list"),
    (
        "the token's server has no name",
        "dns",
        f'{PULL}failed to resolve reference "{R}": failed to authorize: failed to fetch anonymous token: Get '
        '"https://auth.example/token": dial tcp: lookup auth.example on 10.0.0.2:53: no such host',
    ),
    (
        "the token's server cannot be reached",
        "network",
        f'{PULL}failed to resolve reference "{R}": failed to authorize: failed to fetch oauth token: Post '
        '"https://auth.example/token": dial tcp 10.0.0.1:443: i/o timeout',
    ),
    (
        "the token's server is broken",
        "registry_error",
        f'{PULL}failed to resolve reference "{R}": failed to authorize: failed to fetch anonymous token: unexpected '
        "status from GET request to https://auth.example/token: 503 Service Unavailable",
    ),
    (
        "anonymous token 403",
        "unauthorized",
        f'{PULL}failed to resolve reference "{R}": failed to authorize: failed to fetch anonymous token: unexpected '
        "status from GET request to https://registry.example/token: 403 Forbidden",
    ),
    ("no token at all", "unauthorized", f'{PULL}failed to resolve reference "{R}": failed to authorize: no token'),
    (
        "harbor",
        "unauthorized",
        "pull access: unauthorized to access repository: shop/api, action: pull: unauthorized to access repository",
    ),
    (
        "ECR, token of yesterday",
        "unauthorized",
        "denied: Your authorization token has expired. Reauthenticate and try again.",
    ),
    (
        "artifact registry",
        "denied",
        'denied: Permission "artifactregistry.repositories.downloadArtifacts" denied on resource "projects/p"',
    ),
    ("no signature", "denied", "Source image rejected: A signature was required, but no signature exists"),
    (
        "real, docker 20, TLS handshake",
        "network",
        'rpc error: code = Unknown desc = Error response from daemon: Get "https://noimage.com/v2/": net/http: TLS '
        "handshake timeout",
    ),
    (
        "real, docker 20, names",
        "tls",
        'rpc error: code = Unknown desc = Error response from daemon: Head "https://noimage.com/v2/no-such-image/'
        'manifests/latest": x509: certificate is not valid for any names, but wanted to match noimage.com',
    ),
    (
        "real, cri-o, a name server that does not answer",
        "dns",
        "initializing source docker://quay.io/o/r@sha256:56bab0: pinging container registry quay.io: Get "
        '"https://quay.io/v2/": dial tcp: lookup quay.io on 10.0.0.2:53: read udp 10.0.0.3:4->10.0.0.2:53: i/o timeout',
    ),
    ("windows on linux", "platform", 'image operating system "windows" cannot be used on this platform'),
    ("cri-o, no arm in the list", "platform", "no image found in manifest list for architecture arm64, OS linux"),
    (
        "no answer",
        "network",
        'Get "https://H/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while '
        "awaiting headers)",
    ),
    ("the line is cut", "network", 'failed to do request: Head "https://H/v2/o/r/manifests/1": EOF'),
    ("nothing known", "unknown", "something else went wrong"),
    ("nothing said", "unknown", ""),
]


@pytest.mark.parametrize(("cause", "text"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_the_text_of_a_runtime_tells_the_cause(cause: str, text: str) -> None:
    assert classify("ErrImagePull", text) == cause
    assert classify("ErrImagePull", text.upper()) == cause


CODES = ("NotFound", "Unknown", "DeadlineExceeded", "Canceled", "Unavailable", "FailedPrecondition")


@pytest.mark.parametrize(
    ("cause", "text"), [row[1:] for row in TEXTS if row[2]], ids=[row[0] for row in TEXTS if row[2]]
)
def test_neither_the_rpc_prefix_nor_escaped_quotes_nor_a_back_off_change_the_cause(cause: str, text: str) -> None:
    escaped = text.replace('"', '\\"')
    twice = escaped.replace("\\", "\\\\")
    for inner in (text, escaped, twice):
        for code in CODES:
            wrapped = f"rpc error: code = {code} desc = {inner}".replace(
                "desc = rpc error: code = Unknown desc = ", "desc = "
            )
            assert classify("ErrImagePull", wrapped) == cause
            backoff = f'Back-off pulling image "{R}": ErrImagePull: {wrapped}'
            assert cause_text(backoff) == wrapped
            assert classify("ImagePullBackOff", cause_text(backoff)) == cause


@pytest.mark.parametrize(
    ("reason", "text", "cause"),
    [
        ("InvalidImageName", 'Failed to apply default image tag "X": couldn\'t parse image name "X"', "invalid_name"),
        ("ErrImageNeverPull", 'Container image "I" is not present with pull policy of Never', "policy_never"),
        ("RegistryUnavailable", "image pull failed for I because the registry is unavailable: EOF", "registry_error"),
        ("SignatureValidationFailed", "image pull failed for I because the signature validation failed", "denied"),
    ],
    ids=["invalid name", "never pulled", "registry away", "bad signature"],
)
def test_some_reasons_tell_the_cause_whatever_the_text(reason: str, text: str, cause: str) -> None:
    assert classify(reason, text) == cause
    assert classify(reason, "") == cause


def test_a_back_off_tells_its_cause_since_kubernetes_1_32_and_none_before() -> None:
    assert cause_text('Back-off pulling image "I": ErrImagePull: I: not found') == "I: not found"
    assert cause_text('Back-off pulling image "I"') == ""
    assert cause_text("") == ""
    assert cause_text("manifest unknown") == "manifest unknown"
    assert cause_text('back-off pulling image \\"I:1\\": ErrImagePull: I:1: not found') == "I:1: not found"
    assert cause_text("Back-off pulling image I:1") == ""


def test_a_back_off_after_another_error_keeps_its_name() -> None:
    text = cause_text('Back-off pulling image "I": SignatureValidationFailed: image pull failed for I: no policy')
    assert text == "SignatureValidationFailed: image pull failed for I: no policy"
    assert classify("ImagePullBackOff", text) == "denied"
    text = cause_text('Back-off pulling image "I": RegistryUnavailable: image pull failed for I: gone')
    assert classify("ImagePullBackOff", text) == "registry_error"


def test_no_reason_is_both_decided_and_not() -> None:
    assert not REASONS & UNDECIDED
