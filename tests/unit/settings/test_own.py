"""Watcher's own keys, from the file and from the environment."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.settings.conftest import RECEIVER, Home
from watcher.model.config import FirstStart, HttpConfig, Secret, StormConfig, VolumesConfig, WatchConfig
from watcher.settings.addresses import is_origin
from watcher.settings.load import load
from watcher.settings.records import Settings


def test_without_a_configuration_everything_has_its_default() -> None:
    settings = load(None, None, {})
    assert settings.cluster == ""
    assert settings.watch == WatchConfig()
    assert settings.volumes == VolumesConfig(source="kubelet", interval=timedelta(seconds=60))
    assert settings.store.url.value == "sqlite:////var/lib/watcher/watcher.db"
    assert settings.store.retention == timedelta(hours=720)
    assert settings.http == HttpConfig(host="0.0.0.0", port=9093)
    assert settings.heartbeat_url is None
    assert settings.first_start is FirstStart.SUMMARY
    assert settings.storm == StormConfig(groups=10, within=timedelta(seconds=60))
    assert settings.resolve_timeout == timedelta(minutes=5)
    assert [receiver.name for receiver in settings.receivers] == ["default"]
    assert settings.warnings == ()
    assert {rule.alert for rule in settings.rules} >= {"ContainerCrashLooping", "ContainerOOMKilled"}


def test_every_key_of_ours_is_read(home: Home) -> None:
    home.write("token", "t0ken\n")
    settings = home.load(
        RECEIVER
        + """
cluster: prod-eu
watch: {namespaces: [shop], exclude_namespaces: [kube-system]}
volumes: {source: none, interval: 2m}
first_start: silent
store: {url: "sqlite:////data/w.db", retention: 7d}
http: {listen: "[::1]:80", external_url: "https://w.example.org/", token_file: token, open_writes: true}
heartbeat: {url: "https://hc.example.org/x"}
storm: {groups: 3, within: 90s}
record: /data/recording.jsonl
"""
    )
    assert settings.cluster == "prod-eu"
    assert settings.watch == WatchConfig(namespaces=("shop",), exclude_namespaces=("kube-system",))
    assert settings.volumes == VolumesConfig(source="none", interval=timedelta(minutes=2))
    assert settings.first_start is FirstStart.SILENT
    assert (settings.store.url.value, settings.store.retention) == ("sqlite:////data/w.db", timedelta(days=7))
    assert settings.http == HttpConfig(
        host="::1", port=80, external_url="https://w.example.org", token=Secret("t0ken"), open_writes=True
    )
    assert settings.heartbeat_url == Secret("https://hc.example.org/x")
    assert settings.storm == StormConfig(groups=3, within=timedelta(seconds=90))
    assert settings.record == "/data/recording.jsonl"


def test_who_posts_may_have_a_token_of_their_own_and_pages_of_other_sites_may_read(home: Home) -> None:
    home.write("posts", "p0sts\n")
    origins = "['https://karma.example.org', 'http://[::1]:8080', '*']"
    settings = home.load(RECEIVER + f"http: {{posts_token_file: posts, cors_origins: {origins}}}")
    assert settings.http.posts_token == Secret("p0sts")
    assert settings.http.token is None
    assert settings.http.cors_origins == ("https://karma.example.org", "http://[::1]:8080", "*")


@pytest.mark.parametrize(
    "origin",
    [
        "https://x.example:443",
        "HTTPS://x.example",
        "https://X.example",
        "ftp://x",
        "x.example",
        "null",
        "https://x:y",
        "",
    ],
)
def test_what_no_browser_sends_is_no_origin(origin: str) -> None:
    assert not is_origin(origin)


def test_how_kubelets_are_verified_is_read_with_the_ca_relative_to_the_file(home: Home) -> None:
    home.write("kubelet.crt", "-----BEGIN CERTIFICATE-----")
    volumes = home.load(RECEIVER + "volumes: {ca_file: kubelet.crt}").volumes
    assert Path(volumes.ca_file).read_text() == "-----BEGIN CERTIFICATE-----"
    assert not volumes.insecure_skip_verify
    unverified = home.load(RECEIVER + "volumes: {source: kubelet, insecure_skip_verify: true}")
    assert unverified.volumes == VolumesConfig(insecure_skip_verify=True)
    assert unverified.warnings == ()


def test_a_ca_and_no_verification_at_once_are_a_contradiction(home: Home) -> None:
    home.write("kubelet.crt", "-----BEGIN CERTIFICATE-----")
    assert home.problems(RECEIVER + "volumes: {ca_file: kubelet.crt, insecure_skip_verify: true}") == [
        "2:55: give ca_file or insecure_skip_verify, not both"
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("clustr: x", "2:1: unknown key clustr; did you mean cluster?", id="unknown key"),
        pytest.param("cluster: 3", "2:10: cluster must be text: put it in quotes", id="number for text"),
        pytest.param(
            "watch: {exclude: []}",
            "2:9: unknown key exclude: known are exclude_namespaces, namespaces",
            id="unknown key inside",
        ),
        pytest.param("watch: {namespaces: shop}", "2:21: namespaces must be a list, not text", id="text for a list"),
        pytest.param("watch: [shop]", "2:8: watch must be a mapping, not a list", id="list for a mapping"),
        pytest.param(
            "volumes: {interval: 5}",
            "2:21: duration '5' has no unit: write 5s for seconds, 5m for minutes",
            id="duration without a unit",
        ),
        pytest.param("volumes: {ca_file: nowhere.crt}", "2:20: nowhere.crt: no such file", id="no such CA"),
        pytest.param(
            "volumes: {insecure_skip_verify: maybe}",
            "2:33: insecure_skip_verify must be true or false, not text",
            id="not true or false",
        ),
        pytest.param("volumes: {interval: 0s}", "2:21: interval must be one second or more", id="no interval"),
        pytest.param(
            "volumes: {source: disk}", "2:19: source must be 'kubelet', 'apiserver' or 'none'", id="unknown source"
        ),
        pytest.param(
            "first_start: now", "2:14: first_start must be 'summary', 'alert' or 'silent'", id="unknown first start"
        ),
        pytest.param(
            "http: {listen: here}",
            "2:16: listen must be HOST:PORT, such as 0.0.0.0:9093 or 127.0.0.1:9093",
            id="listen",
        ),
        pytest.param(
            "http: {external_url: w.example.org}",
            "2:22: external_url must be an http or https URL",
            id="external URL",
        ),
        pytest.param(
            "http: {cors_origins: ['https://k.example/']}",
            "2:23: an origin is a scheme and a host, as in https://karma.example.org (or *, for all)",
            id="an origin with a path",
        ),
        pytest.param(
            "http: {posts_token: a, posts_token_file: b}",
            "2:42: give posts_token or posts_token_file, not both",
            id="two tokens of those who post",
        ),
        pytest.param("http: {open_writes: 3}", "2:21: open_writes must be true or false", id="truth"),
        pytest.param("store: {url: mysql://x}", "2:14: url must begin with sqlite:/// or postgresql://", id="store"),
        pytest.param("heartbeat: {url: x}", "2:18: url must be an http or https URL", id="heartbeat"),
        pytest.param("storm: {groups: 0}", "2:17: groups must be 1 or more", id="storm"),
        pytest.param("http: {token_file: gone}", "2:20: gone: no such file", id="missing file"),
        pytest.param("http: {token_file: .}", "2:20: .: this is a directory", id="directory"),
        pytest.param(
            "http: {token: a, token_file: b}", "2:30: give token or token_file, not both", id="value and file"
        ),
        pytest.param(
            "cluster: '${NOPE}'", "2:10: the environment variable NOPE is not set", id="unset environment variable"
        ),
        pytest.param(
            "cluster: '${A B}'",
            "2:10: write ${NAME} with the name of an environment variable between the braces",
            id="no name of a variable",
        ),
        pytest.param(
            "cluster: a\ncluster: b", "3:1: cluster is given twice, first in line 2, column 1: remove one", id="twice"
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(home: Home, line: str, expected: str) -> None:
    assert home.problems(RECEIVER + line) == [expected]


def test_environment_variables_fill_our_own_keys(home: Home) -> None:
    settings = home.load(
        RECEIVER + "cluster: '${ZONE}-${STAGE}'\nwatch: {namespaces: ['${NS}']}",
        {"ZONE": "eu", "STAGE": "prod", "NS": "shop"},
    )
    assert (settings.cluster, settings.watch.namespaces) == ("eu-prod", ("shop",))


def test_watchers_variables_are_laid_over_the_file(home: Home) -> None:
    settings = home.load(
        RECEIVER + "cluster: a\nhttp: {listen: ':1', external_url: 'http://w'}",
        {
            "WATCHER_CLUSTER": "b",
            "WATCHER_HTTP__LISTEN": "127.0.0.1:2",
            "WATCHER_HTTP__OPEN_WRITES": "true",
            "WATCHER_WATCH__NAMESPACES": "shop, tools",
            "WATCHER_WATCH__EXCLUDE_NAMESPACES": '["kube-system"]',
            "WATCHER_STORM__GROUPS": "4",
            "WATCHER_VOLUMES__INTERVAL": "5m",
            "WATCHER_FIRST_START": "alert",
        },
    )
    assert settings.cluster == "b"
    assert (settings.http.host, settings.http.port, settings.http.external_url) == ("127.0.0.1", 2, "http://w")
    assert settings.http.open_writes
    assert settings.watch == WatchConfig(namespaces=("shop", "tools"), exclude_namespaces=("kube-system",))
    assert (settings.storm.groups, settings.volumes.interval) == (4, timedelta(minutes=5))
    assert settings.first_start is FirstStart.ALERT


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param("WATCHER_STORM__GROUPS", "many", "groups must be a whole number", id="wrong type"),
        pytest.param(
            "WATCHER_STORM__WITHIN", "S3CRET", "within is wrong: what the environment holds does not fit", id="hidden"
        ),
        pytest.param("WATCHER_HTTP__LISTEN", "S3CRET", "listen must be HOST:PORT", id="address"),
        pytest.param("WATCHER_STORE__URL", "S3CRET", "url must begin with sqlite:/// or postgresql://", id="store"),
        pytest.param("WATCHER_HTTP__TOKEN_FILE", "gone", "gone: no such file", id="file"),
        pytest.param("WATCHER_HTTP", "{", "WATCHER_HTTP must be JSON", id="bad JSON"),
        pytest.param("WATCHER_HTTP", '{"listn": ""}', "unknown key listn; did you mean listen?", id="unknown key"),
        pytest.param("WATCHER_RULES", "gone.yaml", "there is no file gone.yaml", id="rules"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not(home: Home, variable: str, value: str, expected: str) -> None:
    (problem,) = home.problems(RECEIVER, {variable: value})
    assert problem.startswith(f"{variable}:1:1: {expected}")
    assert "S3CRET" not in problem


def test_a_misspelt_variable_is_a_warning_and_those_of_kubernetes_are_not_ours(home: Home) -> None:
    kubernetes = {
        "WATCHER_SERVICE_HOST": "10.0.0.1",
        "WATCHER_SERVICE_PORT": "9093",
        "WATCHER_PORT": "tcp://10.0.0.1:9093",
        "WATCHER_PORT_9093_TCP_ADDR": "10.0.0.1",
        "WATCHER_SERVICE_PORT_HTTP": "9093",
        "WATCHER_HTTP_SERVICE_HOST": "10.0.0.1",
        "WATCHER_HTTP_PORT": "tcp://10.0.0.1:9093",
        "WATCHER_HTTP_PORT_9093_TCP": "tcp://10.0.0.1:9093",
        "WATCHER_STORE_URL_PORT": "tcp://10.0.0.1:9093",
        "WATCHER_LOG_LEVEL": "DEBUG",
        "WATCHER_URL": "http://w:9093",
        "WATCHER_TOKEN_FILE": "token",
        "WATCHER_SLACK_WEBHOOK": "https://hooks.example.org/1",
        "WATCHER_HTTPS_PROXY": "http://proxy:3128",
    }
    assert home.problems(RECEIVER, kubernetes) == []
    assert home.problems(RECEIVER, {"WATCHER_HTPP__LISTEN": ":1"}) == [
        "WATCHER_HTPP__LISTEN:1:1: warning: WATCHER_HTPP__LISTEN is no setting of Watcher's; "
        "did you mean WATCHER_HTTP__LISTEN?"
    ]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        pytest.param("WATCHER_HTTP_LISTEN", "WATCHER_HTTP__LISTEN", id="one underscore"),
        pytest.param("WATCHER_STORE_URL", "WATCHER_STORE__URL", id="one underscore, a short name"),
        pytest.param("WATCHER_HTTP_TOKEN_FILE", "WATCHER_HTTP__TOKEN_FILE", id="another underscore in it"),
        pytest.param("WATCHER_CLUSTR", "WATCHER_CLUSTER", id="a letter that is missing"),
        pytest.param("WATCHER_WATCH_NAMESPACE", "WATCHER_WATCH__NAMESPACES", id="both"),
        pytest.param("WATCHER_LOGLEVEL", "WATCHER_LOG_LEVEL", id="one that is no key of the file"),
    ],
)
def test_a_variable_that_is_nearly_one_of_ours_is_a_warning(home: Home, given: str, meant: str) -> None:
    (problem,) = home.problems(RECEIVER, {given: "x"})
    assert problem == f"{given}:1:1: warning: {given} is no setting of Watcher's; did you mean {meant}?"


def test_what_follows_from_an_error_is_not_an_error_of_its_own(home: Home) -> None:
    config = RECEIVER + "store: {url: '${STORE}'}\nleader_election: {enabled: true, address: 'http://${IP}:9093'}"
    assert home.problems(config) == [
        "2:14: the environment variable STORE is not set",
        "3:43: the environment variable IP is not set",
    ]
    assert home.problems(config, {"STORE": "postgresql://db/w", "IP": "10.0.0.1"}) == []
    alone = home.problems(RECEIVER + "leader_election: {enabled: true, address: 'http://10.0.0.1:9093'}")
    assert alone == ["2:28: several replicas need a store that they share: give store.url: postgresql://…"]
    both = home.problems(RECEIVER + "store: {url_file: gone}\nleader_election: {enabled: true, address: ':9093'}")
    assert [each.partition(": ")[2][:10] for each in both] == ["gone: no s", "give addre"]


def test_the_value_of_a_filled_variable_is_not_in_an_error(home: Home) -> None:
    (problem,) = home.problems(RECEIVER + "volumes: {interval: '${X}'}", {"X": "S3CRET"})
    assert problem == "2:21: interval is wrong: what the environment holds does not fit"


def test_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    settings = load(None, None, {}).with_overrides(data=tmp_path, listen="127.0.0.1:81")
    assert settings.store.url.value == f"sqlite:///{tmp_path}/watcher.db"
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 81)
    with pytest.raises(ValueError, match="must be HOST:PORT"):
        settings.with_overrides(listen="81")


def test_without_words_of_the_command_line_nothing_changes() -> None:
    settings: Settings = load(None, None, {})
    assert settings.with_overrides() is settings


def test_secrets_do_not_show_in_the_settings(home: Home) -> None:
    settings = home.load(
        "store: {url: 'postgresql://u:S3CRET@db/w'}\nhttp: {token: S3CRET}\nheartbeat: {url: 'http://hc/S3CRET'}\n"
        "receivers: [{name: a, slack_configs: [{api_url: 'http://x/S3CRET'}]}]"
    )
    assert "S3CRET" not in repr(settings)
    assert settings.http.token == Secret("S3CRET")
