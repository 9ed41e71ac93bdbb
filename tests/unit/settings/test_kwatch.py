"""`watcher import kwatch`: whole configurations come over, and what does not is said with its place."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from watcher.cli import app
from watcher.lib.yamlpos import load as load_yaml
from watcher.settings.errors import ConfigErrors
from watcher.settings.importing import import_alertmanager
from watcher.settings.kwatch import Imported, import_kwatch
from watcher.settings.load import check_all, load
from watcher.settings.records import Settings

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "kwatch"
FILES = (
    "manifest-0.8.yaml",
    "template.yaml",
    "config-0.10.yaml",
    "incidents-0.11.yaml",
    "secret-main.yaml",
    "values.yaml",
    "custom-resource.yaml",
)
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


def loaded(result: Imported, home: Path) -> Settings:
    """The result as a configuration; what it says is in files is there."""
    text = result.text.replace("/config/", f"{home}/config/")
    for name, secret in (
        ("slack-webhook", "https://hooks.slack.com/services/x"),
        ("heartbeat-url", "http://h.example"),
    ):
        (home / "config").mkdir(exist_ok=True)
        (home / "config" / name).write_text(secret, encoding="utf-8")
    (home / "secrets").mkdir(exist_ok=True)
    (home / "secrets" / "opsgenie").write_text("opsgenie://a8f8c7a0-1111-2222-3333-444455556666", encoding="utf-8")
    (home / "out.yaml").write_text(text, encoding="utf-8")
    (home / "rules.yaml").write_text(result.rules or "groups: []\n", encoding="utf-8")
    return load(home / "out.yaml", None, {"CLUSTER": "prod"})


def receivers(found: Settings) -> dict[str, list[str]]:
    """By receiver: its integrations by their kinds."""
    return {each.name: [name.partition("[")[0] for name, _ in each.integrations] for each in found.receivers}


# -- whole files -------------------------------------------------------------------------------------------------


RECEIVERS = {
    "manifest-0.8.yaml": {"default": ["slack_configs", "telegram_configs", "email_configs"]},
    "template.yaml": {"default": ["console_configs"]},
    "config-0.10.yaml": {"default": ["discord_configs", "apprise_configs", "webhook_configs"], "nobody": []},
    "incidents-0.11.yaml": {"default": ["slack_configs"], "pagerduty": ["pagerduty_configs"], "nobody": []},
    "secret-main.yaml": {"default": ["slack_configs", "apprise_configs", "email_configs"]},
    "values.yaml": {"default": ["msteamsv2_configs"]},
    "custom-resource.yaml": {"default": ["console_configs"], "nobody": []},
}
LEFT = {
    "manifest-0.8.yaml": [],
    "template.yaml": [13, 14, 15, 17, 19, 20, 21, 22, 23, 25, 27, 29],
    "config-0.10.yaml": [4, 10, 32],
    "incidents-0.11.yaml": [14, 15, 27, 32, 36],
    "secret-main.yaml": [18, 28],
    "values.yaml": [],
    "custom-resource.yaml": [5],
}


@pytest.mark.parametrize("name", FILES)
def test_a_realistic_file_becomes_a_configuration_that_loads(tmp_path: Path, name: str) -> None:
    result = import_kwatch((FIXTURES / name).read_bytes(), name, "out.yaml", "rules.yaml")
    found = loaded(result, tmp_path)
    assert receivers(found) == RECEIVERS[name]
    assert [each.position.line for each in result.left if each.position.file == name] == LEFT[name]
    assert [each for each in result.left if each.position.file == "out.yaml"] == []
    assert ("rules" in data(result)) is bool(result.rules)


@pytest.mark.parametrize("name", FILES)
def test_the_same_file_gives_the_same_text_which_the_other_import_leaves_alone(tmp_path: Path, name: str) -> None:
    raw = (FIXTURES / name).read_bytes()
    first, second = (import_kwatch(raw, name, "out.yaml", "rules.yaml") for _ in range(2))
    assert (first.text, first.rules) == (second.text, second.rules)
    assert import_alertmanager(first.text, "out.yaml", tmp_path, "out.yaml").text == first.text


@pytest.mark.parametrize("name", FILES)
def test_what_came_over_is_said_to_be_watchers_already_when_it_is_imported_again(name: str) -> None:
    text = import_kwatch((FIXTURES / name).read_bytes(), name, "out.yaml", "rules.yaml").text
    with pytest.raises(ConfigErrors, match="a configuration of Watcher's or Alertmanager's already"):
        import_kwatch(text, "out.yaml", "again.yaml", "rules.yaml")


def test_a_comment_says_of_each_part_where_it_came_from() -> None:
    text = imported(f"app: {{clusterName: a}}\nnamespaces: [b]\n{ALERT}").text
    assert text.splitlines()[:5] == [
        "# Imported from kwatch's kwatch.yaml by `watcher import kwatch`.",
        "# from app.clusterName (line 1)",
        "cluster: a",
        "# from namespaces (line 2)",
        "watch:",
    ]
    assert "      # from alert.slack (line 3)\n      - api_url: " in text


def test_a_secret_stays_in_the_file_with_a_word_on_its_twin() -> None:
    result = imported(ALERT)
    assert data(result)["receivers"][0]["slack_configs"][0]["api_url"] == "https://hooks.slack.com/services/x"
    assert [str(each) for each in result.notes] == [
        "kwatch.yaml:1:17: warning: this secret stays in the file: better in a file of its own, named by api_url_file"
    ]
    assert "https://" not in "".join(map(str, (*result.left, *result.notes)))


# -- where it is -------------------------------------------------------------------------------------------------


INNER = "app: {clusterName: a}\nbogus: 1\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(INNER, "kwatch.yaml:2:1", id="plain"),
        pytest.param(f"---\n{INNER}", "kwatch.yaml:3:1", id="a document begins"),
        pytest.param(
            f"# head\n---\n# only a comment\n---\n{INNER}...\n", "kwatch.yaml:6:1", id="documents of comments"
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n    app: {clusterName: a}\n    bogus: 1\n",
            "kwatch.yaml:6:5",
            id="a block in a ConfigMap",
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |2-\n\n    app: {clusterName: a}\n    bogus: 1",
            "kwatch.yaml:7:5",
            id="a block with an indentation",
        ),
        pytest.param(
            f'{{"apiVersion": "v1", "kind": "ConfigMap", "data": {{"config.yaml": "{INNER!r}"}}}}'.replace("'", ""),
            "kwatch.yaml (config.yaml):2:1",
            id="in quotes, as JSON",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Secret\ndata:\n  config.yaml: " + base64.b64encode(INNER.encode()).decode() + "\n",
            "kwatch.yaml (config.yaml):2:1",
            id="a Secret's base64",
        ),
        pytest.param(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  stringData:\n    config.yaml: |\n"
            "      bogus: 1\n      app: {clusterName: a}\n",
            "kwatch.yaml:8:7",
            id="in a list",
        ),
        pytest.param(
            "apiVersion: x/v1\nkind: KwatchConfig\nspec:\n  app: {clusterName: a}\n  bogus: 1\n",
            "kwatch.yaml:5:3",
            id="a custom resource",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Namespace\n---\napiVersion: v1\nkind: Service\n---\napiVersion: v1\n"
            "kind: ConfigMap\ndata:\n  config.yml: |\n    bogus: 1\n    app: {clusterName: a}\n",
            "kwatch.yaml:11:5",
            id="among other documents",
        ),
        pytest.param("config:\n  app: {clusterName: a}\n  bogus: 1\n", "kwatch.yaml:3:3", id="Helm values"),
        pytest.param("\ufeff" + INNER.replace("\n", "\r\n"), "kwatch.yaml:2:1", id="from Windows"),
    ],
)
def test_the_configuration_is_found_and_its_places_are_those_of_the_file(text: str, place: str) -> None:
    result = imported(text)
    assert data(result)["cluster"] == "a"
    assert [str(each).partition(": ")[0] for each in result.left if "bogus" in each.message] == [place]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: b: c", "kwatch.yaml:1:", id="no YAML"),
        pytest.param("[a]", "kwatch.yaml:1:1: this must be a mapping of keys", id="a list"),
        pytest.param("text", "kwatch.yaml:1:1: this must be a mapping of keys", id="a text"),
        pytest.param("", "kwatch.yaml:1:1: there is no configuration of kwatch's in it", id="empty"),
        pytest.param("# nothing\n---\n", "kwatch.yaml:1:1: there is no configuration of kwatch's", id="comments"),
        pytest.param(
            "apiVersion: v1\nkind: Pod\n", "kwatch.yaml:1:1: there is no configuration", id="another manifest"
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\ndata: {x: 1}\n", "kwatch.yaml:1:1: there is no conf", id="other data"
        ),
        pytest.param("reasons: []\n---\nreasons: []\n", "kwatch.yaml:3:1: a second configuration begins", id="two"),
        pytest.param("reasons: []\nreasons: []\n", "kwatch.yaml:2:1: reasons is given twice", id="a key twice"),
        pytest.param("route: {receiver: a}\n", "kwatch.yaml:1:1: route is no key of kwatch's", id="Alertmanager's"),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n    - a\n",
            "kwatch.yaml:5:5: kwatch's configuration must be a mapping",
            id="a list in a ConfigMap",
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n    a: b: c\n",
            "kwatch.yaml:5:",
            id="no YAML inside",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Secret\ndata: {config.yaml: '%%%'}\n",
            "kwatch.yaml:3:21: this must be",
            id="no base64",
        ),
        pytest.param("namespaces: shop\n", "kwatch.yaml:1:1: namespaces must be a list of texts", id="text for a list"),
        pytest.param(
            "namespaces: [[a]]\n", "kwatch.yaml:1:1: namespaces must be a list of texts", id="a list in a list"
        ),
        pytest.param("namespaces: [A_B]\n", "kwatch.yaml:1:14: namespaces[0] must be the name of", id="no namespace"),
        pytest.param(
            "maxRecentLogLines: many\n", "kwatch.yaml:1:1: maxRecentLogLines must be a number", id="no number"
        ),
        pytest.param("ignoreFailedGracefulShutdown: 1\n", "kwatch.yaml:1:1: ignoreFailed", id="a number for a bool"),
        pytest.param("app: a\n", "kwatch.yaml:1:1: app must be a mapping of keys", id="text for a mapping"),
        pytest.param(
            "app: {clusterName: [a]}\n", "kwatch.yaml:1:7: app.clusterName must be text", id="a list for text"
        ),
        pytest.param(
            "alert: [slack]\n", "kwatch.yaml:1:1: alert must be a mapping of providers", id="a list of alerts"
        ),
        pytest.param("alert: {slack: x}\n", "kwatch.yaml:1:9: alert.slack must be a mapping of options", id="a text"),
        pytest.param(
            "alert: {slack: {routes: x}}\n", "kwatch.yaml:1:17: alert.slack.routes must be a list", id="routes"
        ),
        pytest.param("silences: {}\n", "kwatch.yaml:1:1: silences must be a list", id="silences"),
        pytest.param("silences: [a]\n", "kwatch.yaml:1:12: silences[0] must be a mapping", id="a silence"),
        pytest.param(
            "silences: [{reasons: a}]\n", "kwatch.yaml:1:13: silences[0].reasons must be a list", id="a reason"
        ),
        pytest.param("hpaMonitor: true\n", "kwatch.yaml:1:1: hpaMonitor must be a mapping of keys", id="a monitor"),
        pytest.param(
            "pvcMonitor: {threshold: 180}\n", "kwatch.yaml:1:14: pvcMonitor.threshold must be a p", id="180 %"
        ),
        pytest.param("runbooks: [a]\n", "kwatch.yaml:1:1: runbooks must be a mapping of texts", id="runbooks"),
    ],
)
def test_what_kwatch_would_not_start_with_is_an_error_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigErrors) as error:
        imported(text)
    assert str(error.value.problems[0]).startswith(message)


def test_all_errors_are_said_at_once() -> None:
    with pytest.raises(ConfigErrors) as error:
        imported("namespaces: a\nreasons: b\napp: {clusterName: []}\n")
    assert [each.position.line for each in error.value.problems] == [1, 2, 3]


# -- the command -------------------------------------------------------------------------------------------------


def test_the_command_writes_both_files_for_the_same_eyes(tmp_path: Path) -> None:
    source, out = tmp_path / "kwatch.yaml", tmp_path / "new.yaml"
    source.write_text(f"ignorePodNames: [^test-]\n{ALERT}", encoding="utf-8")
    source.chmod(0o600)
    done = CliRunner().invoke(app, ["import", "kwatch", str(source), "-o", str(out)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [[f"{source}:2:17", "note"]]
    assert {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {
        "kwatch.yaml": 0o600,
        "new.yaml": 0o600,
        "new-rules.yaml": 0o600,
    }
    assert check_all(out, None, {}) == []


def test_the_command_prints_to_stdout_and_counts_what_is_left(tmp_path: Path) -> None:
    source = tmp_path / "kwatch.yaml"
    source.write_text(f"ignorePodNames: [^test-]\nignoreLogPatterns: [x]\n{ALERT}", encoding="utf-8")
    done = CliRunner().invoke(app, ["import", "kwatch", str(source)])
    assert done.exit_code == 1
    assert "rules" not in load_yaml(done.stdout, "stdout").data  # type: ignore[operator]
    first, second, _, last = done.stderr.splitlines()
    message = "ignorePodNames needs a rule file, which is written beside the configuration with -o FILE"
    assert first == f"{source}:1:1: to do: {message}"
    assert second.startswith(f"{source}:2:1: to do: ignoreLogPatterns: rules do not see log lines")
    assert last == "watcher: 2 things left to do by hand"


@pytest.mark.parametrize("there", ["new.yaml", "new-rules.yaml"], ids=["the configuration", "the rules"])
def test_the_command_writes_over_nothing_unless_it_is_told_to(tmp_path: Path, there: str) -> None:
    source, out = tmp_path / "kwatch.yaml", tmp_path / "new.yaml"
    source.write_text(f"ignorePodNames: [^test-]\n{ALERT}", encoding="utf-8")
    (tmp_path / there).write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(app, ["import", "kwatch", str(source), "-o", str(out)])
    assert str(done.exception) == (
        f"{tmp_path / there} is there already: name another file with -o, or write over it with --force"
    )
    assert {each.name: each.read_text() for each in tmp_path.iterdir() if each != source} == {there: "mine"}
    assert CliRunner().invoke(app, ["import", "kwatch", str(source), "-o", str(out), "--force"]).exit_code == 0
    assert check_all(out, None, {}) == []


def test_the_command_refuses_what_is_no_configuration(tmp_path: Path) -> None:
    source, out = tmp_path / "kwatch.yaml", tmp_path / "new.yaml"
    source.write_text("namespaces: shop\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["import", "kwatch", str(source), "-o", str(out)])
    assert isinstance(done.exception, ConfigErrors)
    assert not out.exists()
