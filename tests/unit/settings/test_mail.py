"""`email_configs`: TLS, logins, headers, threads and texts, with what they inherit."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.support.certificates import certificate
from tests.unit.settings.conftest import Home
from watcher.model.config import EmailConfig, Secret, TlsConfig

BASE = EmailConfig(to=("a@x.org",), sender="w@x.org", smarthost="h:587")
MAIL = "receivers:\n- name: a\n  email_configs:\n  - to: a@x.org\n    from: w@x.org\n    smarthost: h:587\n"


def written(text: str) -> str:
    return MAIL + "".join(f"    {line}\n" for line in text.splitlines())


def mail(home: Home, text: str, before: str = "") -> EmailConfig:
    ((_, found),) = home.load(before + text).receivers[0].integrations
    assert isinstance(found, EmailConfig)
    return found


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("auth_identity: i\nauth_username: u", {"auth_identity": "i", "auth_username": "u"}),
        ("auth_username: u\nauth_secret_file: s", {"auth_username": "u", "auth_secret": Secret("from-file")}),
        ("force_implicit_tls: true", {"implicit_tls": True}),
        ("force_implicit_tls: false", {"implicit_tls": False}),
        ("tls_config: {server_name: n, min_version: TLS12}", {"tls": TlsConfig(server_name="n", min_version="TLS12")}),
        (
            "headers: {Subject: '[{{ status }}] x', Reply-To: r@x.org}",
            {"headers": (("Subject", "[{{ status }}] x"), ("Reply-To", "r@x.org"))},
        ),
        (
            "headers: {X-Priority: 1, X-Old: 1.10, X-On: True}",
            {"headers": (("X-Priority", "1"), ("X-Old", "1.10"), ("X-On", "True"))},
        ),
        ("html: '<b>{{ title }}</b>'\ntext: '{{ title }}'", {"html": "<b>{{ title }}</b>", "text": "{{ title }}"}),
        ("html: ''", {"html": ""}),
        ("threading: {enabled: false}", {"threading": False}),
        ("threading: {enabled: true, thread_by_date: daily}", {"daily_threads": True}),
        ("threading: {enabled: true, thread_by_date: none}", {}),
    ],
    ids=[
        *(
            "identity",
            "secret",
            "TLS",
            "no TLS",
            "tls_config",
            "headers",
            "headers without quotes",
            "texts",
            "text alone",
            "no threads",
        ),
        *("daily threads", "threads"),
    ],
)
def test_what_alertmanager_reads_is_read(home: Home, text: str, fields: dict[str, object]) -> None:
    home.write("s", "from-file\n")
    assert mail(home, written(text)) == msgspec.structs.replace(BASE, **fields)


def test_what_stands_under_global_is_inherited(home: Home, tmp_path: Path) -> None:
    own = certificate(tmp_path)
    shared = (
        "global: {smtp_auth_username: u, smtp_auth_identity: i, smtp_auth_secret: s, smtp_force_implicit_tls: true, "
        "smtp_tls_config: {ca_file: server.pem}}\n"
    )
    found = mail(home, MAIL, shared)
    assert (found.auth_identity, found.auth_secret, found.implicit_tls) == ("i", Secret("s"), True)
    assert found.tls == TlsConfig(ca_file=str(own))
    assert mail(home, written("tls_config: {server_name: n}"), shared).tls == TlsConfig(server_name="n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("headers: {'X A': x}", "this is no name of a header"),
        ("headers: {X-A: x, x-a: y}", "the header x-a is given twice"),
        ('headers: {X-A: "x\\nBcc: y"}', "the header X-A must be one line"),
        ("headers: {Subject: '{{ nothing }}'}", "Subject: "),
        ("html: '{{ nothing }}'", "html: "),
        ("threading: {enabled: true, thread_by_date: weekly}", "thread_by_date must be 'none' or 'daily'"),
        ("tls_config: {ca_file: none}", "ca_file: No such file or directory"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_wrong_is_said_with_its_place(home: Home, text: str, expected: str) -> None:
    (problem,) = home.problems(written(text))
    assert expected in problem
    assert problem.startswith("7:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("html: '{{ template \"email.default.html\" . }}'", "html is Alertmanager's own text"),
        ("headers: {Subject: '{{ .CommonLabels.team }}'}", "in Jinja2 it is: {{ common_labels.team }}"),
        ("auth_username: u\nauth_password: p\nrequire_tls: false", "the password goes to the mail server in clear"),
        ("headers: {Message-ID: x}", "the header Message-ID is not used: Watcher writes it itself"),
        ("headers: {to: x@y.z}", "the header to is not used"),
        ("auth_password: p", "there is a password and no auth_username"),
    ],
    ids=["default text", "Go template", "open line", "fixed id", "to", "no name"],
)
def test_what_works_otherwise_than_written_is_a_warning(home: Home, text: str, expected: str) -> None:
    (problem,) = home.problems(written(text))
    assert "warning: " in problem
    assert expected in problem


def test_where_a_go_template_stands_watchers_own_text_is_sent(home: Home) -> None:
    text = "html: '{{ template \"email.default.html\" . }}'\nheaders: {Subject: '{{ .Status }}'}"
    assert mail(home, written(text)) == BASE


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        pytest.param("to: a@x.org", "to: '{{ .CommonLabels.owner }}@x.org'", "4:9", id="to"),
        pytest.param("from: w@x.org", "from: '{{ .CommonLabels.team }}@x.org'", "5:11", id="from"),
    ],
)
def test_an_address_is_no_template(home: Home, before: str, after: str, place: str) -> None:
    key = before.partition(":")[0]
    assert home.problems(MAIL.replace(before, after)) == [
        f"{place}: a template in {key} is not supported: write one receiver for each address"
    ]
