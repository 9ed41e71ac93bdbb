"""kwatch's keys, of every version: each becomes one of ours, or something is said of it; none is dropped in silence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.lib.yamlpos import YamlError
from watcher.lib.yamlpos import load as load_yaml
from watcher.settings.errors import ConfigErrors
from watcher.settings.kwatch import Imported, import_kwatch
from watcher.settings.kwatchkeys import KEYS, MONITORS, Way
from watcher.settings.kwatchwriter import Noted, plain, write

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "kwatch"
ALERT = "alert: {slack: {webhook: https://hooks.slack.com/services/x}}\n"


def imported(text: str, *, rules: str = "rules.yaml") -> Imported:
    return import_kwatch(text, "kwatch.yaml", "out.yaml", rules)


def data(result: Imported) -> dict[str, Any]:
    found = load_yaml(result.text, "out.yaml").data
    assert isinstance(found, dict)
    return found


def said(result: Imported) -> list[str]:
    """What is left, as `line:column: message`."""
    return [re.sub(r"^kwatch\.yaml:", "", str(each)).replace("warning: ", "") for each in result.left]


# -- every key ---------------------------------------------------------------------------------------------------


def documented() -> list[str]:
    """The keys of kwatch's structs in all versions."""
    text = (FIXTURES / "keys.txt").read_text(encoding="utf-8")
    return [key for line in text.splitlines() if not line.startswith("#") for key in line.split()]


def known() -> set[str]:
    return {*KEYS, *(f"{name}.{key}" for name, monitor in MONITORS.items() for key in monitor.keys)}


def test_every_key_of_every_version_is_known_and_no_other() -> None:
    assert set(documented()) == known()
    assert len(documented()) == len(set(documented()))


def test_the_page_for_kwatchs_users_has_every_key() -> None:
    page = (FIXTURES.parents[2] / "docs" / "kwatch.md").read_text(encoding="utf-8")
    assert {key.split(".")[0] for key in KEYS if f"`{key.split('.')[0]}" not in page} == set()


SAMPLES = {"bool": "false", "number": "7", "text": "some-text", "words": "[one]", "words_map": "{OOMKilled: high}"}
ANY = {
    "silences": "[{namespaces: [a]}]",
    "alert": "{slack: {webhook: https://hooks.slack.com/services/x}}",
    "correlation.escalation.tiers": "[3, 10]",
    "correlation.renotify.intervalBySeverity": "{critical: 10}",
    "crd.failureConditions": "[Ready=False]",
    "crd.graphReferences": "[{kind: X}]",
}
OTHERS = {
    "app.proxyURL": "http://proxy.example.org:3128",
    "app.insecureSkipTLSVerify": "true",
    "kubelet.insecureSkipVerify": "true",
    "heartbeatMonitor.url": "https://heartbeat.example.org/x",
    "reasons": "[OOMKilled]",
    "runbooks": "{OOMKilled: https://wiki.example.org}",
}


def nested(key: str, value: str) -> str:
    *above, last = key.split(".")
    return (
        "".join(f"{'  ' * depth}{step}:\n" for depth, step in enumerate(above))
        + f"{'  ' * len(above)}{last}: {value}\n"
    )


@pytest.mark.parametrize("key", sorted(KEYS))
def test_no_key_is_dropped_in_silence(key: str) -> None:
    """It changes the result, or something is said at its place."""
    value = OTHERS.get(key) or ANY.get(key) or SAMPLES[KEYS[key].kind]
    text = nested(key, value)
    if key in ("heartbeatMonitor.enabled", "maintenance.enabled"):
        text = text.replace("false", "true")
    without = imported("{}")
    result = imported(text)
    line = text.count("\n", 0, text.index(key.rpartition(".")[2])) + 1
    places = [each.position.line for each in (*result.left, *result.notes) if each.message not in NOTHING]
    changed = (data(result), result.rules) != (data(without), without.rules)
    assert changed or line in places
    if KEYS[key].way is not Way.TAKEN:
        assert line in places


NOTHING = ("no provider is taken over: messages go to standard output until you write receivers",)


@pytest.mark.parametrize("name", sorted(MONITORS))
def test_a_monitor_without_counterpart_is_left_when_it_is_on(name: str) -> None:
    monitor = MONITORS[name]
    on = imported(f"{name}: {{enabled: true}}\n{ALERT}")
    assert [each.position.line for each in on.left] == [1]
    assert "Prometheus" in on.left[0].message
    off = imported(f"{name}: {{enabled: false}}\n{ALERT}")
    assert off.left == ()
    assert off.notes[0].message == f"{name} is not needed: Watcher does not look at {monitor.what}"
    values = "".join(f"  {key}: 1\n" for key in monitor.keys if key != "enabled")
    unsaid = imported(f"{name}:\n{values or '  enabled: true'}\n{ALERT}")
    assert bool(unsaid.left) is (monitor.by_default or not values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("app: {clusterName: prod}", {"cluster": "prod"}, id="the cluster"),
        pytest.param("app: {clusterName: 007}", {"cluster": "007"}, id="the cluster as it is written"),
        pytest.param("namespaces: [a, b]", {"watch": {"namespaces": ["a", "b"]}}, id="namespaces"),
        pytest.param("namespaces: ['!a', '!b']", {"watch": {"exclude_namespaces": ["a", "b"]}}, id="other namespaces"),
        pytest.param("namespaces: [!a, !b]", {"watch": {"exclude_namespaces": ["a", "b"]}}, id="without quotes"),
        pytest.param("namespaces:\n- !a # c\n-   !b", {"watch": {"exclude_namespaces": ["a", "b"]}}, id="in lines"),
        pytest.param("namespaces: [a, '!b']", {"watch": {"namespaces": ["a"]}}, id="both kinds"),
        pytest.param("namespaces: []", {}, id="no namespaces"),
        pytest.param("pvcMonitor: {enabled: false}", {"volumes": {"source": "none"}}, id="no volumes"),
        pytest.param("pvcMonitor: {interval: 15}", {"volumes": {"interval": "15m"}}, id="minutes"),
        pytest.param("kubelet: {insecureSkipVerify: true}", {"volumes": {"insecure_skip_verify": True}}, id="kubelets"),
        pytest.param("reportStartupBaseline: true", {"first_start": "summary"}, id="a summary at the start"),
        pytest.param("reportStartupBaseline: false", {"first_start": "silent"}, id="silence at the start"),
        pytest.param("healthCheck: {diagnosticsToken: t}", {"http": {"token": "t"}}, id="a token"),
        pytest.param(
            "healthCheck: {diagnosticsToken: '${file:/s/t}'}", {"http": {"token_file": "/s/t"}}, id="a token's file"
        ),
        pytest.param(
            "heartbeatMonitor: {enabled: true, url: https://a.example}",
            {"heartbeat": {"url": "https://a.example"}},
            id="a heartbeat",
        ),
        pytest.param("heartbeatMonitor: {url: https://a.example}", {}, id="a heartbeat that is off"),
        pytest.param(
            "maintenance: {enabled: true}",
            {"hints": [{"namespaces": ["*"], "allow": ["ignore", "mute-until"]}]},
            id="maintenance",
        ),
        pytest.param("maintenance: {enabled: false}", {}, id="no maintenance"),
        pytest.param(
            "app: {proxyURL: 'http://p:1', insecureSkipTLSVerify: true, caBundlePath: /ca.pem}",
            {
                "global": {
                    "http_config": {
                        "proxy_url": "http://p:1",
                        "tls_config": {"insecure_skip_verify": True, "ca_file": "/ca.pem"},
                    }
                }
            },
            id="how HTTP is spoken",
        ),
    ],
)
def test_a_key_becomes_one_of_ours(text: str, expected: dict[str, Any]) -> None:
    found = data(imported(f"{text}\n{ALERT}"))
    assert {key: value for key, value in found.items() if key not in ("receivers", "route")} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "IgnoreLogPatterns: [a]",
            "1:1: kwatch knows no key IgnoreLogPatterns, and did nothing with it; did you mean ignoreLogPatterns?",
            id="as in its own README",
        ),
        pytest.param(
            "app: {clusterNmae: a}",
            "1:7: kwatch knows no key app.clusterNmae, and did nothing with it; did you mean clusterName?",
            id="in a group",
        ),
        pytest.param(
            "tlsMonitor: {enabled: false, x: 1}",
            "1:30: kwatch knows no key tlsMonitor.x, and did nothing with it",
            id="in a monitor",
        ),
        pytest.param(
            "pvcMonitor: {enabled: '${PVC}'}",
            "1:14: pvcMonitor.enabled comes from the environment, which is not asked here: write it out",
            id="from the environment",
        ),
        pytest.param(
            "silences: [{namespaces: ['${TEAM}']}]",
            "1:26: silences[0].namespaces[0] comes from the environment, which is not asked here: write it out",
            id="from the environment, in a route",
        ),
        pytest.param(
            "app: {clusterName: '${file:/config/name}'}",
            "1:7: app.clusterName is in a file, which is not opened: write it out",
            id="in a file",
        ),
        pytest.param(
            "heartbeatMonitor: {enabled: true}",
            "1:20: heartbeatMonitor has no url, so there is nothing to call",
            id="a heartbeat without an address",
        ),
        pytest.param(
            "namespaceSelector: team=a",
            "1:1: namespaceSelector: write the names of these namespaces under watch.namespaces",
            id="a selector",
        ),
        pytest.param(
            "reasons: [Foo]",
            "1:11: Watcher has no alert of the reason Foo: see docs/rules.md for a rule",
            id="a reason",
        ),
    ],
)
def test_what_is_left_is_said_with_its_place(text: str, expected: str) -> None:
    assert expected in said(imported(f"{text}\n{ALERT}"))


def test_references_to_the_environment_stay_and_are_named() -> None:
    result = imported("app: {clusterName: '${CLUSTER}'}\nalert: {slack: {webhook: '${HOOK}'}}\n")
    assert data(result)["cluster"] == "${CLUSTER}"
    assert data(result)["receivers"][0]["slack_configs"][0]["api_url"] == "${HOOK}"
    assert [each.message for each in result.notes] == [
        "set the environment variable CLUSTER for Watcher too",
        "set the environment variable HOOK for Watcher too",
    ]
    assert result.left == ()


# -- the writer --------------------------------------------------------------------------------------------------


VALUES = st.recursive(
    st.one_of(
        st.text(max_size=12), st.booleans(), st.integers(-9, 9**9), st.just("a: b"), st.just("- x"), st.just("~")
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.dictionaries(st.text(min_size=1, max_size=6), VALUES, min_size=1, max_size=3), st.booleans())
def test_whatever_is_written_reads_back_as_it_was(values: dict[str, Any], noted: bool) -> None:
    tree = {key: Noted(value, "one\ntwo") for key, value in values.items()} if noted else values
    text = write(tree)
    assert load_yaml(text, "x").data == values
    assert plain(tree) == values


TEXTS = st.text(st.sampled_from("ab:-!#[]{}'\"\\ \n|>&*%@`,<>$"), max_size=40)


@settings(max_examples=100)
@given(TEXTS)
def test_hostile_text_is_refused_or_imported_and_never_breaks(text: str) -> None:
    try:
        written = imported(text).text
    except ConfigErrors as error:
        written = "\n".join(f"- {each.position.line}" for each in error.problems)
    load_yaml(written, "out.yaml")


@settings(max_examples=60)
@given(st.text(max_size=20))
def test_whatever_stands_in_a_value_comes_over_as_it_is(value: str) -> None:
    try:
        text = write({"app": {"clusterName": value}, "ignorePodNames": [value], "ignoreContainerMessages": [value]})
        load_yaml(text, "x")
    except YamlError:
        return
    result = imported(text)
    if value and not re.fullmatch(r"\s*<[^<>]*>\s*", value):
        assert data(result)["cluster"] == value
    assert not [each for each in result.left if each.position.file == "out.yaml"]
