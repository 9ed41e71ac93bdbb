"""A word hidden in every secret place of a configuration: no answer, error, log line or `config.original` repeats it.

Which places there are is asked of the records themselves, so that a new secret is missed here by name. Every GET of
both written descriptions is asked, with and without the token, while every receiver fails.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import msgspec
import pytest

from tests.support.process import Process, running
from watcher.model.config import Config, Secret
from watcher.settings.load import load

WORD: Final = re.compile(r"c4nary[0-9]{2}x")
FILES: Final = ("token", "posts", "pager")
TOKEN: Final = "c4nary01x-token"
CONFIG: Final = """\
volumes: {source: none}
store: {url: "sqlite:///FOLDER/c4nary00x.db"}
http: {token_file: token, posts_token_file: posts, external_url: "http://watcher.example"}
heartbeat: {url: "http://127.0.0.1:9/ping/c4nary02x"}
global:
  smtp_smarthost: 127.0.0.1:9
  smtp_from: watcher@example.org
route: {receiver: team, group_by: [alertname], group_wait: 0s, repeat_interval: 1h, group_interval: 1s}
receivers:
  - name: team
    slack_configs:
      - {api_url: "http://127.0.0.1:9/services/c4nary03x"}
      - {app_token: xoxb-c4nary04x, app_url: "http://127.0.0.1:9/api/chat.postMessage", channel: "#ops"}
    discord_configs: [{webhook_url: "http://127.0.0.1:9/api/webhooks/1/c4nary05x"}]
    email_configs:
      - {to: a@example.org, auth_username: w, auth_password: c4nary06x, auth_secret: c4nary07x}
    webhook_configs:
      - url: "http://user:c4nary08x@127.0.0.1:9/hook?key=c4nary09x"
      - url: "http://127.0.0.1:9/hook"
        http_config: {basic_auth: {username: u, password: c4nary10x}}
      - url: "http://127.0.0.1:9/hook"
        http_config:
          authorization: {credentials: c4nary11x}
          proxy_url: "http://u:c4nary12x@127.0.0.1:9"
          proxy_connect_header: {Proxy-Authorization: ["c4nary13x"]}
          http_headers: {X-Key: {secrets: ["c4nary14x"]}}
    apprise_configs: [{url: "json://u:c4nary15x@127.0.0.1:9/"}]
    pagerduty_configs: [{routing_key_file: pager, url: "http://127.0.0.1:9/enqueue"}]
    telegram_configs: [{bot_token: "123456789:c4nary17x-abcdefghijklmnopqrstuvwxyz", chat_id: 1, api_url: "http://127.0.0.1:9"}]
    msteamsv2_configs: [{webhook_url: "http://127.0.0.1:9/workflows/c4nary18x"}]
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("sweep")
    for name, text in zip(FILES, (TOKEN, "c4nary19x-posts", "c4nary16x"), strict=True):
        (folder / name).write_text(text + "\n")
    with running(folder, CONFIG.replace("FOLDER", str(folder)), own_store=True) as started:
        key = {"Authorization": f"Bearer {TOKEN}"}
        labels = {"alertname": "Down", "namespace": "shop", "pod": "web-1"}
        started.post("/api/v2/alerts", [{"labels": labels}], **key)
        started.post("/api/watcher/v1/receivers/team/test?wait=5s", **key)
        yield started


def secrets(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(record and field, value) of every secret below."""
    match value:
        case Secret():
            yield where, value.value
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from secrets(getattr(value, name), f"{type(value).__name__}.{name}")
        case tuple() | list() | frozenset():
            for each in value:
                yield from secrets(each, where)
        case dict():
            for each in value.values():
                yield from secrets(each, where)


def places(kind: type[Config]) -> Iterator[str]:
    """Fields that hold secrets, by the records of the configuration."""
    for each in kind.__subclasses__():
        for field in msgspec.structs.fields(each):
            if "Secret" in str(field.type) and "Config" not in str(field.type):
                yield f"{each.__name__}.{field.name}"
        yield from places(each)


def test_every_secret_place_there_is_has_the_word(process: Process) -> None:
    values = [*secrets(load(process.folder / "config.yaml"))]
    known_places = {*places(Config), *(place for place, _ in values)}
    assert known_places - {place for place, value in values if WORD.search(value)} == set()
    assert len(known_places) > 15


def known(process: Process, path: str) -> list[str]:
    """What can stand in the place of each parameter of a path."""
    key = {"Authorization": f"Bearer {TOKEN}"}
    ids = [each["id"] for each in process.get("/api/watcher/v1/deliveries?limit=1000", **key)]
    marks = [each["fingerprint"] for each in process.get("/api/v2/alerts", **key)]
    if "{id}" in path:
        return [path.replace("{id}", id) for id in (*ids, "nothing")]
    if "{silenceID}" in path:
        return [path.replace("{silenceID}", "11111111-2222-4333-8444-555555555555")]
    if path.endswith("/explain"):
        return [f"{path}?of={quote(of, safe='')}" for of in (*marks, "shop/web-1", "shop/nothing", "a/b/c")]
    return [path]


def all_gets(process: Process) -> Iterator[str]:
    for base, described in (("", "/api/watcher/v1/openapi.json"), ("/api/v2", "/api/v2/openapi.json")):
        yield described
        for path, verbs in process.get(described)["paths"].items():
            if "get" in verbs:
                yield from known(process, base + path)
    yield from ("/", "/nothing", "/api/v2/nothing", "/api/watcher/v1/nothing")


def hidden(body: bytes) -> list[str]:
    """Words in an answer, also where they are encoded."""
    text = body.decode("utf-8", "replace")
    coded = (part[: len(part) // 4 * 4] for part in re.findall(r"[A-Za-z0-9+/]{16,}", text))
    return WORD.findall(text + "".join(base64.b64decode(part).decode("latin-1") for part in coded))


def test_no_answer_to_a_get_repeats_a_secret(process: Process) -> None:
    asked = [*all_gets(process)]
    assert len(asked) > 30
    for headers in ({"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer c4nary00x"}, {}):
        for path in asked:
            status, body = process.ask("GET", path, **headers)
            assert not hidden(body), (path, status)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "/api/v2/silences", {"matchers": "c4nary"}, id="a wrong silence"),
        pytest.param("POST", "/api/v2/alerts", [{"labels": {}}], id="a wrong alert"),
        pytest.param("POST", "/api/watcher/v1/receivers/nobody/test", None, id="an unknown receiver"),
        pytest.param("DELETE", "/api/v2/silence/x", None, id="no silence"),
        pytest.param("POST", "/-/reload", None, id="reload"),
    ],
)
def test_no_refusal_repeats_a_secret(process: Process, method: str, path: str, body: Any) -> None:
    for headers in ({"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Basic eDpjNG5hcnkwMHg="}):
        _, answer = process.ask(method, path, body, **headers)
        assert not hidden(answer)


def test_every_receiver_has_failed_and_says_why_without_a_secret(process: Process) -> None:
    key = {"Authorization": f"Bearer {TOKEN}"}
    shown = process.get("/api/watcher/v1/channels", **key)
    failed = {each["integration"] for each in shown if each["failures"] or each["error"]}
    assert {name.partition("_configs")[0] for name in failed} >= {"slack", "discord", "email", "webhook", "telegram"}
    original = process.get("/api/v2/status")["config"]["original"]
    assert "webhook_configs" in original
    assert not WORD.search(original)


def test_no_line_of_the_log_repeats_a_secret(process: Process) -> None:
    log = process.log.read_text()
    assert "service.started" in log or "serving" in log
    assert not WORD.search(log)
