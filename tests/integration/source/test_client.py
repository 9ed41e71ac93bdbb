"""Connecting: which way is taken, what is said when there is none, and tokens that change while we run."""

from __future__ import annotations

import json
import shutil
import ssl
import stat
import subprocess
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests.integration.source.harness import SystemClock, until
from watcher.demo import DemoCluster
from watcher.demo.faults import Fail, Hang
from watcher.source import credentials
from watcher.source.client import KubeClient, Places, connect, limits
from watcher.source.errors import ApiError, ConnectError, Forbidden, RetryAfter, Unauthorized, Unreachable


class Later(SystemClock):
    """A clock that a test moves on."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


NOWHERE = Places(default_kubeconfig=Path("/nonexistent/config"), service_account=Path("/nonexistent/serviceaccount"))


@pytest.fixture
async def opened() -> AsyncIterator[list[KubeClient]]:
    """Clients that are closed at the end."""
    clients: list[KubeClient] = []
    yield clients
    for client in clients:
        await client.close()


async def ask(client: KubeClient) -> bytes:
    async with client.get("/api/v1/pods", {"limit": 1}) as answer:
        return await answer.body()


def kubeconfig(path: Path, url: str, **user: object) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


async def test_the_kubeconfig_that_is_named_is_used(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    demo.access.tokens.add("secret")
    path = demo.kubeconfig(tmp_path / "config", token="secret")
    opened.append(await connect(SystemClock(), str(path), NOWHERE))
    assert b'"kind":"PodList"' in await ask(opened[0])


async def test_the_default_kubeconfig_is_used_where_none_is_named(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    path = demo.kubeconfig(tmp_path / "config")
    places = Places(default_kubeconfig=path, service_account=tmp_path / "absent")
    opened.append(await connect(SystemClock(), None, places))
    assert b'"kind":"PodList"' in await ask(opened[0])


async def test_several_paths_are_merged_as_kubectl_does(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    path = demo.kubeconfig(tmp_path / "config")
    opened.append(await connect(SystemClock(), f"{tmp_path / 'absent'}:{path}", NOWHERE))
    assert b'"kind":"PodList"' in await ask(opened[0])


async def test_without_any_way_one_sentence_says_what_to_do() -> None:
    with pytest.raises(ConnectError) as error:
        await connect(SystemClock(), None, NOWHERE)
    assert str(error.value) == (
        "There is no kubeconfig (/nonexistent/config) and this is not a pod with a service account: "
        "set KUBECONFIG to the path of a kubeconfig, or run inside the cluster."
    )


async def test_a_named_kubeconfig_must_exist() -> None:
    with pytest.raises(ConnectError, match="The kubeconfig /nonexistent/x does not exist"):
        await connect(SystemClock(), "/nonexistent/x", NOWHERE)


UNUSABLE = {
    "no YAML": "{",
    "empty": "",
    "a word": "hello",
    "no context": "{clusters: [], contexts: [], users: [], current-context: x}",
    "no current context": "{clusters: [], contexts: [], users: []}",
    "a context of no cluster": "{clusters: [], contexts: [{name: x, context: {}}], users: [], current-context: x}",
    "a list": "[]",
}


@pytest.mark.parametrize("text", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_a_kubeconfig_that_is_not_in_order_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConnectError, match=f"The kubeconfig {path} cannot be used: ."):
        await connect(SystemClock(), str(path), NOWHERE)


# ---- tokens ----


async def test_a_token_file_is_read_again_after_a_minute(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    clock, token = Later(), tmp_path / "token"
    token.write_text("first\n")
    demo.access.tokens.add("first")
    path = kubeconfig(tmp_path / "config", demo.url, tokenFile=str(token))
    opened.append(await connect(clock, str(path), NOWHERE))
    await ask(opened[0])

    token.write_text("second\n")
    demo.access.tokens.add("second")
    await ask(opened[0])
    clock.ahead = credentials.REREAD_AFTER + 1
    await ask(opened[0])
    assert [seen.headers["authorization"] for seen in demo.api.requests] == [
        *("Bearer first", "Bearer first", "Bearer second")
    ]


async def test_a_401_makes_the_token_be_read_again_at_once(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    path = kubeconfig(tmp_path / "config", demo.url, tokenFile=str(token))
    opened.append(await connect(SystemClock(), str(path), NOWHERE))
    token.write_text("new")
    demo.access.tokens.add("new")

    assert b'"kind":"PodList"' in await ask(opened[0])
    assert len(demo.api.requests) == 2


async def test_a_401_that_stays_is_an_error_and_is_not_asked_for_ever(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    demo.access.tokens.add("right")
    path = kubeconfig(tmp_path / "config", demo.url, token="wrong")
    opened.append(await connect(SystemClock(), str(path), NOWHERE))
    with pytest.raises(Unauthorized):
        await ask(opened[0])
    assert len(demo.api.requests) == 2


async def test_a_token_that_cannot_be_read_again_leaves_the_old_one(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient], caplog: pytest.LogCaptureFixture
) -> None:
    clock, token = Later(), tmp_path / "token"
    token.write_text("first")
    demo.access.tokens.add("first")
    path = kubeconfig(tmp_path / "config", demo.url, tokenFile=str(token))
    opened.append(await connect(clock, str(path), NOWHERE))
    token.unlink()
    for _ in range(3):
        clock.ahead += credentials.REREAD_AFTER + 1
        await ask(opened[0])
    warnings = [record for record in caplog.records if getattr(record, "event", "") == "token.refresh_failed"]
    assert [record.levelname for record in warnings] == ["WARNING"]


PLUGIN = """#!/bin/sh
n=$(cat {count} 2>/dev/null || echo 0); n=$((n + 1)); echo $n > {count}
cat <<EOF
{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
  "status": {{"token": "token-$n", "expirationTimestamp": "{expires}"}}}}
EOF
"""


async def test_a_plugin_is_run_again_before_its_token_expires_and_not_sooner(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    clock = Later()
    expires = (clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    plugin = tmp_path / "plugin"
    plugin.write_text(PLUGIN.format(count=tmp_path / "count", expires=expires))
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    use = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    path = kubeconfig(tmp_path / "config", demo.url, exec=use)
    opened.append(await connect(clock, str(path), NOWHERE))

    for ahead in (0.0, 600.0, 3550.0):
        clock.ahead = ahead
        await ask(opened[0])
    assert [seen.headers["authorization"] for seen in demo.api.requests] == [
        *("Bearer token-1", "Bearer token-1", "Bearer token-2")
    ]


async def test_a_401_makes_the_plugin_run_again_also_after_it_failed(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    clock, broken = Later(), tmp_path / "broken"
    plugin = tmp_path / "plugin"
    count, expires = tmp_path / "count", "2100-01-01T00:00:00Z"
    text = PLUGIN.format(count=count, expires=expires)
    plugin.write_text(text.replace("#!/bin/sh\n", f"#!/bin/sh\n[ -e {broken} ] && exit 1\n"))
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    use = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    opened.append(await connect(clock, str(kubeconfig(tmp_path / "config", demo.url, exec=use)), NOWHERE))
    demo.access.tokens.add("token-2")
    broken.touch()
    with pytest.raises(Unauthorized):
        await ask(opened[0])
    broken.unlink()
    with pytest.raises(Unauthorized):
        await ask(opened[0])  # it has just failed
    clock.ahead = credentials.FORCED_AT_MOST_EVERY + 1
    assert b'"kind":"PodList"' in await ask(opened[0])
    assert count.read_text() == "2\n"


async def test_a_plugin_that_fails_is_not_run_for_each_request(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    clock, runs = Later(), tmp_path / "runs"
    expires = (clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    plugin = tmp_path / "plugin"
    text = PLUGIN.format(count=tmp_path / "count", expires=expires)
    fails = f"#!/bin/sh\necho >> {runs}\n[ $(wc -l < {runs}) -gt 1 ] && exit 1\n"
    plugin.write_text(text.replace("#!/bin/sh\n", fails))
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    use = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    opened.append(await connect(clock, str(kubeconfig(tmp_path / "config", demo.url, exec=use)), NOWHERE))
    clock.ahead = 3590
    for _ in range(3):
        await ask(opened[0])
    assert len(runs.read_text()) == 2
    clock.ahead += credentials.FAILED_AT_MOST_EVERY + 1
    await ask(opened[0])
    assert len(runs.read_text()) == 3


async def test_the_value_for_kubelets_is_the_token_as_it_is_now(
    demo: DemoCluster, tmp_path: Path, opened: list[KubeClient]
) -> None:
    clock, token = Later(), tmp_path / "token"
    token.write_text("first\n")
    path = kubeconfig(tmp_path / "config", demo.url, tokenFile=str(token))
    opened.append(await connect(clock, str(path), NOWHERE))
    assert await opened[0].authorization() == "Bearer first"
    token.write_text("second\n")
    clock.ahead = credentials.REREAD_AFTER + 1
    assert await opened[0].authorization() == "Bearer second"


# ---- client certificates ----


class Certificates:
    """An HTTPS server that lets in by the client certificate's name, and a plugin that hands certificates out."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.allowed = "watcher-1"
        self.seen: list[str] = []
        self.url = ""
        self._openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ca", "ca")
        self._signed("server", "-addext subjectAltName=IP:127.0.0.1")
        for number in (1, 2):
            self._signed(f"watcher-{number}", "")
        self.use(1)

    def _openssl(self, command: str, name: str) -> None:
        names = ["-keyout", str(self.home / f"{name}.key"), "-out", str(self.home / f"{name}.crt")]
        subprocess.run(["openssl", *command.split(), *names], check=True, capture_output=True, cwd=self.home)

    def _signed(self, name: str, more: str) -> None:
        command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -CA ca.crt -CAkey ca.key"
        self._openssl(f"{command} -subj /CN={name} -addext basicConstraints=CA:FALSE {more}", name)

    def use(self, number: int) -> None:
        """What the plugin hands out from now on."""
        texts = {key: (self.home / f"watcher-{number}.{end}").read_text() for key, end in _CERTIFICATE.items()}
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": texts}
        (self.home / "answer.json").write_text(json.dumps(answer))

    async def answer(self, request: web.Request) -> web.Response:
        transport = request.transport
        assert transport is not None
        subject = dict(part[0] for part in transport.get_extra_info("peercert")["subject"])
        self.seen.append(subject["commonName"])
        if subject["commonName"] != self.allowed:
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        return web.json_response({"kind": "PodList", "items": []})

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.home / "ca.crt"))
        context.load_cert_chain(self.home / "server.crt", self.home / "server.key")
        context.verify_mode = ssl.CERT_REQUIRED
        return context


_CERTIFICATE = {"clientCertificateData": "crt", "clientKeyData": "key"}


@pytest.fixture
async def certificates(tmp_path: Path) -> AsyncIterator[Certificates]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    made = Certificates(tmp_path)
    application = web.Application()
    application.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=made.context()).start()
    made.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_a_client_certificate_of_a_plugin_is_renewed_when_it_is_refused(
    certificates: Certificates, tmp_path: Path, opened: list[KubeClient]
) -> None:
    use = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "cat",
        "args": [str(tmp_path / "answer.json")],
    }
    path = kubeconfig(tmp_path / "config", certificates.url, exec=use)
    document = yaml.safe_load(path.read_text())
    document["clusters"][0]["cluster"]["certificate-authority"] = str(tmp_path / "ca.crt")
    path.write_text(yaml.safe_dump(document))
    opened.append(await connect(SystemClock(), str(path), NOWHERE))
    await ask(opened[0])

    certificates.use(2)
    certificates.allowed = "watcher-2"
    await ask(opened[0])
    await ask(opened[0])
    assert certificates.seen == ["watcher-1", "watcher-1", "watcher-2", "watcher-2"]


# ---- answers ----

ANSWERS = {
    "403": (Fail(status=403), Forbidden),
    "429 with Retry-After": (Fail(status=429, retry_after=7), RetryAfter),
    "500": (Fail(status=500), ApiError),
}


@pytest.mark.parametrize(("fault", "error"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_a_failed_answer_is_an_error_that_says_what_to_do(
    demo: DemoCluster, client: KubeClient, fault: Fail, error: type[ApiError]
) -> None:
    demo.faults.apply(fault)
    with pytest.raises(error) as raised:
        await ask(client)
    assert raised.type is error


async def test_no_answer_within_the_limit_is_unreachable(demo: DemoCluster, client: KubeClient) -> None:
    demo.faults.apply(Hang())
    with pytest.raises(Unreachable) as error:
        async with client.get("/api/v1/pods", timeout=limits(silence=0.05)):
            pass
    assert error.value.kind == "timeout"


async def test_nobody_listening_is_unreachable(tmp_path: Path, opened: list[KubeClient], unused_port: int) -> None:
    path = kubeconfig(tmp_path / "config", f"http://127.0.0.1:{unused_port}")
    opened.append(await connect(SystemClock(), str(path), NOWHERE))
    with pytest.raises(Unreachable, match="Cannot connect to host") as error:
        await ask(opened[0])
    assert error.value.kind == "connection"


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_request_that_is_given_up_closes_its_connection(demo: DemoCluster, client: KubeClient) -> None:
    async with client.get("/api/v1/pods", {"watch": 1}):
        await demo.watched(resource="pods")
    await until(lambda: not demo.api.watches)


# ---- inside a cluster ----


@pytest.fixture
async def service_account(tmp_path: Path) -> AsyncIterator[tuple[Places, list[str]]]:
    """A pod's service account, and an HTTPS server that it trusts; what tokens came."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    here = tmp_path / "serviceaccount"
    here.mkdir()
    key, certificate = tmp_path / "key.pem", here / "ca.crt"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=kubernetes"
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *extensions], check=True, capture_output=True)
    (here / "token").write_text("pod-token\n")
    tokens: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        tokens.append(request.headers.get("Authorization", ""))
        return web.json_response({"kind": "PodList", "items": []}, dumps=json.dumps)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(runner.addresses[0][1])}
    yield Places(default_kubeconfig=tmp_path / "absent", service_account=here, environ=environ), tokens
    await runner.cleanup()


async def test_inside_a_pod_its_service_account_is_used_and_its_rotated_token(
    service_account: tuple[Places, list[str]], opened: list[KubeClient]
) -> None:
    places, tokens = service_account
    clock = Later()
    opened.append(await connect(clock, None, places))
    await ask(opened[0])
    (places.service_account / "token").write_text("rotated")
    clock.ahead = credentials.REREAD_AFTER + 1
    await ask(opened[0])
    assert tokens == ["Bearer pod-token", "Bearer rotated"]


async def test_a_service_account_outside_of_a_cluster_is_named(
    service_account: tuple[Places, list[str]],
) -> None:
    places, _ = service_account
    without = Places(default_kubeconfig=places.default_kubeconfig, service_account=places.service_account, environ={})
    with pytest.raises(ConnectError, match="cannot be used: Service host/port is not set"):
        await connect(SystemClock(), None, without)


def test_the_limits_hold_for_connecting_and_for_silence() -> None:
    given = limits(silence=7)
    assert isinstance(given, aiohttp.ClientTimeout)
    assert (given.total, given.sock_connect, given.sock_read) == (None, 5.0, 7)
