"""What deploy/observability ships: rules and a dashboard that use metrics which exist, in expressions that parse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from watcher.app.metrics.document import samples, specs

ROOT = Path(__file__).resolve().parents[3]
HERE = ROOT / "deploy" / "observability"
RULES, CRD, TESTS = (
    HERE / name for name in ("prometheus-rules.yaml", "prometheusrule.yaml", "prometheus-rules-test.yaml")
)
DASHBOARD = json.loads((HERE / "grafana-dashboard.json").read_text(encoding="utf-8"))
OPERATING = ROOT / "docs" / "operating.md"

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool: install prometheus")

OF_TARGETS = {"job", "instance", "namespace", "exported_namespace"}
"""Labels that a scrape adds; it renames ours where it has one of the same name."""
WORDS = {
    *("absent", "changes", "increase", "rate", "sum", "min", "max", "count", "count_values", "abs"),
    *("histogram_quantile", "by", "on", "and", "or", "unless"),
}
LABELS = {name: {*spec.labels, "le"} for spec in specs() for name in samples(spec)}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[Any]:
    for rule in rules():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in panels():
        for target in panel["targets"]:
            yield pytest.param(filled(target["expr"]), id=f"{panel['title']} {target['refId']}")


def filled(expr: str) -> str:
    """As Grafana sends it."""
    for name, value in (("$__rate_interval", "5m"), ("$job", "watcher"), ("$instance", ".+")):
        expr = expr.replace(name, value)
    assert "$" not in expr
    return expr


def promtool(*arguments: str, folder: Path = HERE) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_operators_rules_are_the_plain_ones() -> None:
    head, _, body = CRD.read_text(encoding="utf-8").partition("\nspec:\n")
    plain = RULES.read_text(encoding="utf-8")
    lines = plain[plain.index("\ngroups:") + 1 :].splitlines()
    assert body.splitlines() == [f"  {line}".rstrip() for line in lines], "make it anew as its first lines say"
    assert yaml.safe_load(head)["kind"] == "PrometheusRule"


@needs_promtool
def test_promtool_takes_the_rules_and_their_tests_pass() -> None:
    promtool("check", "rules", RULES.name)
    promtool("test", "rules", TESTS.name)


def test_each_alert_has_a_case_that_fires_and_one_that_must_not() -> None:
    cases = yaml.safe_load(TESTS.read_text(encoding="utf-8"))["tests"]
    tested = [(each["alertname"], bool(each["exp_alerts"])) for case in cases for each in case["alert_rule_test"]]
    assert set(tested) == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_alert_says_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"docs/operating.md#{rule['alert'].lower()}"


def test_the_page_about_operating_has_a_line_for_each_alert_and_no_other() -> None:
    text = OPERATING.read_text(encoding="utf-8")
    lines = re.findall(r'^\| <a id="(\w+)"></a>`(\w+)` \|', text, re.MULTILINE)
    assert lines == [(rule["alert"].lower(), rule["alert"]) for rule in rules()]


@pytest.mark.parametrize("expr", list(expressions()))
def test_an_expression_uses_metrics_and_labels_that_exist(expr: str) -> None:
    plain = re.sub(r'"[^"]*"', '""', expr)
    for name, matchers in re.findall(r"([a-z_]+)\{([^}]*)\}", plain):
        assert set(re.findall(r"([a-z_]+) *(?:=|!)", matchers)) <= LABELS[name] | OF_TARGETS
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", plain)
    grouped = {label for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", bare) for label in group.split(", ") if label}
    names = set(re.findall(r"[a-z_]{2,}", re.sub(r"\b(by|on) \([^)]*\)", "", bare))) - WORDS
    assert names
    assert names <= set(LABELS)
    assert grouped <= set().union(*(LABELS[name] for name in names)) | OF_TARGETS


@needs_promtool
def test_every_expression_parses(tmp_path: Path) -> None:
    wrapped = [{"record": f"x:{number}", "expr": each.values[0]} for number, each in enumerate(expressions())]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": wrapped}]}))
    promtool("check", "rules", "all.yaml", folder=tmp_path)


def test_the_dashboard_asks_only_the_data_source_that_is_chosen() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    asking = [*panels(), *(target for panel in panels() for target in panel["targets"])]
    assert all(each["datasource"] == chosen for each in [*asking, variables["job"], variables["instance"]])


def test_the_dashboards_panels_lie_beside_each_other() -> None:
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identities) == len(set(identities))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_dashboard_has_a_row_for_each_stage() -> None:
    titles = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert titles == [
        "Overview",
        "What comes in",
        "What is decided",
        "What is stored",
        "What is told",
        "Watcher itself",
    ]
    assert DASHBOARD["schemaVersion"] >= 38, "Grafana 10"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
def test_kustomize_makes_the_rule_and_the_dashboards_config_map() -> None:
    done = subprocess.run(["kubectl", "kustomize", str(HERE)], capture_output=True, text=True, check=True)
    made = {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}
    assert set(made) == {"ConfigMap", "PrometheusRule"}
    assert json.loads(made["ConfigMap"]["data"]["watcher.json"]) == DASHBOARD
    assert made["PrometheusRule"]["spec"]["groups"][0]["rules"] == rules()


def test_what_carries_logs_away_is_yaml() -> None:
    text = OPERATING.read_text(encoding="utf-8")
    found = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    beats = [each for each in found if "filebeat.autodiscover" in each]
    bits = [each for each in found if "pipeline" in each]
    assert (len(beats), len(bits)) == (1, 1)
    parser = next(each for each in bits[0]["parsers"])
    assert parser["name"] == next(each for each in bits[0]["pipeline"]["filters"])["parser"]
    shown = datetime.strptime("2026-11-20T10:00:00.123Z", parser["time_format"].replace(".%LZ", ".%f%z")).astimezone(
        UTC
    )
    assert shown.microsecond == 123_000
