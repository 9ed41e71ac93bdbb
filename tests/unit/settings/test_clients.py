"""`http_config` and `tls_config` as Alertmanager has them, for a webhook and from `global`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certificates import certificate, key_of
from tests.unit.settings.conftest import Home
from watcher.model.config import HttpClient, Secret, TlsConfig, WebhookConfig

HOOK = "receivers:\n- name: a\n  webhook_configs:\n  - url: http://x\n    http_config:\n"


def indented(text: str, by: int = 6) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.strip("\n").splitlines())


def client(home: Home, text: str, environ: dict[str, str] | None = None) -> HttpClient:
    ((_, found),) = home.load(HOOK + indented(text), environ).receivers[0].integrations
    assert isinstance(found, WebhookConfig)
    return found.http


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("authorization: {type: Token, credentials: c}", HttpClient(auth_type="Token", credentials=Secret("c"))),
        ("authorization: {credentials_file: s/token}", HttpClient(credentials=Secret("from-file"))),
        ("bearer_token_file: s/token", HttpClient(credentials=Secret("from-file"))),
        (
            "basic_auth: {username_file: s/token, password_file: s/token}",
            HttpClient(basic_username="from-file", basic_password=Secret("from-file")),
        ),
        ("follow_redirects: false", HttpClient(follow_redirects=False)),
        ("enable_http2: false", HttpClient()),
        (
            "proxy_url: http://p:3128\nno_proxy: 'a.example, 10.0.0.0/8'",
            HttpClient(
                http_proxy=Secret("http://p:3128"),
                https_proxy=Secret("http://p:3128"),
                no_proxy=("a.example", "10.0.0.0/8"),
            ),
        ),
        (
            "proxy_url: http://p:3128\nproxy_connect_header: {Proxy-Authorization: ['Basic ${TOKEN}']}",
            HttpClient(
                http_proxy=Secret("http://p:3128"),
                https_proxy=Secret("http://p:3128"),
                proxy_headers=(("Proxy-Authorization", Secret("Basic t")),),
            ),
        ),
        (
            "http_headers: {X-Scope: {values: [shop]}, X-Key: {secrets: ['${TOKEN}']}, X-File: {files: [s/token]}}",
            HttpClient(headers=(("X-Scope", Secret("shop")), ("X-Key", Secret("t")), ("X-File", Secret("from-file")))),
        ),
    ],
    ids=[
        *("another type", "credentials from a file", "bearer token", "basic from files", "redirects", "http2"),
        *("proxy", "proxy's headers", "headers"),
    ],
)
def test_what_alertmanager_reads_is_read(home: Home, text: str, expected: HttpClient) -> None:
    home.write("s/token", "from-file\n")
    assert client(home, text, {"TOKEN": "t"}) == expected


def test_a_proxy_from_the_environment_is_taken_only_where_it_is_asked_for(home: Home) -> None:
    environ = {"HTTP_PROXY": "http://p:1", "https_proxy": "http://p:2", "NO_PROXY": "a,b"}
    assert client(home, "proxy_from_environment: true", environ) == HttpClient(
        http_proxy=Secret("http://p:1"), https_proxy=Secret("http://p:2"), no_proxy=("a", "b")
    )
    assert client(home, "proxy_from_environment: false", environ) == HttpClient()


def test_tls_files_are_read_from_the_configurations_directory(home: Home, tmp_path: Path) -> None:
    own = certificate(tmp_path)
    text = "tls_config: {ca_file: server.pem, cert_file: server.pem, key_file: server.key, server_name: n, "
    assert client(home, text + "min_version: TLS13}").tls == TlsConfig(
        ca_file=str(own), cert_file=str(own), key_file=str(key_of(own)), server_name="n", min_version="TLS13"
    )


def test_what_stands_under_global_counts_where_a_receiver_has_none(home: Home) -> None:
    text = "global: {http_config: {authorization: {credentials: g}}}\nreceivers:\n- name: a\n  webhook_configs:\n"
    hooks = "  - {url: http://x}\n  - {url: http://y, http_config: {follow_redirects: false}}\n"
    found = [config for _, config in home.load(text + hooks).receivers[0].integrations]
    assert [config.http for config in found if isinstance(config, WebhookConfig)] == [
        HttpClient(credentials=Secret("g")),
        HttpClient(follow_redirects=False),
    ]


def test_what_is_wrong_under_global_is_said_once(home: Home) -> None:
    text = "global: {http_config: {proxy_url: S3CRET}}\nreceivers:\n- name: a\n  webhook_configs:\n"
    found = home.problems(text + "  - {url: http://x}\n  - {url: http://y}\n")
    assert [problem for problem in found if "proxy_url" in problem] == ["1:35: proxy_url must be an http or https URL"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oauth2: {client_id: c}", "oauth2 is not supported: give authorization"),
        ("authorization: {type: Basic, credentials: S3CRET}", "type must not be Basic: write basic_auth"),
        ("authorization: {type: 'a b', credentials: S3CRET}", "type must be one word"),
        (
            "authorization: {credentials: S3CRET}\nbasic_auth: {username: u}",
            "give authorization or basic_auth, not both",
        ),
        ("authorization: {credentials: S3CRET}\nbearer_token: S3CRET", "give authorization or bearer_token, not both"),
        ('authorization: {credentials: "S3CRET\\nX: y"}', "credentials must be one line"),
        ("basic_auth: {password: S3CRET, password_file: x}", "give password or password_file, not both"),
        ("proxy_url: socks5://S3CRET", "proxy_url must be an http or https URL"),
        ("no_proxy: a", "no_proxy needs proxy_url"),
        ("proxy_from_environment: true\nproxy_url: http://S3CRET", "give proxy_from_environment or proxy_url"),
        ("http_headers: {Authorization: {values: [S3CRET]}}", "the header Authorization cannot be set here"),
        ("http_headers: {'a b': {values: [S3CRET]}}", "this is no name of a header"),
        ("http_headers: {X-A: {values: [b]}, x-a: {values: [c]}}", "the header x-a is given twice"),
        ("http_headers: {X-A: {values: [b, c]}}", "give one value: a header is sent once"),
        ('http_headers: {X-A: {values: ["S3CRET\\nX: y"]}}', "must be one line"),
        ("http_headers: {X-A: {files: [none]}}", "none: no such file"),
        ("http_headers: {X-A: {value: x}}", "unknown key value; did you mean values?"),
        ("tls_config: {ca_file: none.pem}", "ca_file: No such file or directory"),
        ("tls_config: {ca_file: config.yaml}", "ca_file must hold certificates, in PEM"),
        ("tls_config: {cert_file: a}", "give cert_file and key_file, or neither"),
        (
            "tls_config: {cert_file: config.yaml, key_file: config.yaml}",
            "cert_file must hold a certificate with its key",
        ),
        ("tls_config: {ca: S3CRET}", "ca is not read from the configuration here: write ca_file"),
        ("tls_config: {min_version: TLS14}", "min_version must be"),
    ],
    ids=lambda value: value.partition("S3CRET")[0][:50],
)
def test_what_would_go_another_way_is_an_error_with_its_place(home: Home, text: str, expected: str) -> None:
    found = home.problems(HOOK + indented(text))
    assert len(found) == 1
    assert expected in found[0]
    assert "S3CRET" not in found[0]
    assert int(found[0].partition(":")[0]) >= 5


def test_a_server_that_is_not_verified_is_a_warning(home: Home) -> None:
    (problem,) = home.problems(HOOK + indented("tls_config: {insecure_skip_verify: true}"))
    assert "warning: the server is not verified" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payload: {text: x}", "payload is not supported: the body is Alertmanager's JSON"),
        ("url: 'http://x/{{ .CommonLabels.team }}'", "a template in url is not supported"),
    ],
    ids=["payload", "url"],
)
def test_a_webhook_that_wants_another_body_or_address_is_an_error(home: Home, text: str, expected: str) -> None:
    hook = f"receivers:\n- name: a\n  webhook_configs:\n  - {text}\n" + ("" if "url" in text else "    url: http://x\n")
    (problem,) = home.problems(hook)
    assert expected in problem
