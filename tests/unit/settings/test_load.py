"""Files: what cannot be read, which rules count, and all errors of everything in one run."""

from pathlib import Path

import pytest

from tests.unit.settings.conftest import RECEIVER, Home
from watcher.settings.load import ConfigErrors, check_all, load

RULE = """
    groups:
      - name: mine
        rules:
          - {alert: Mine, signal: CrashLooping, where: ready}
    """


def names(home: Home, text: str) -> list[str]:
    return [rule.alert for rule in home.load(RECEIVER + text).rules]


def test_a_configuration_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path / "gone.yaml", None, {})
    assert str(caught.value) == f"{tmp_path}/gone.yaml:1:1: no such file"


def test_a_directory_in_place_of_the_configuration_is_an_error(tmp_path: Path) -> None:
    assert [str(each) for each in check_all(tmp_path, None, {})] == [f"{tmp_path}:1:1: this is a directory"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "1:1: the file is empty", id="empty"),
        pytest.param("[a]", "1:1: the configuration must be a mapping of keys", id="a list"),
        pytest.param("a: [", "2:1: this is not YAML", id="syntax"),
    ],
)
def test_what_is_no_configuration_is_an_error(home: Home, text: str, expected: str) -> None:
    (problem,) = home.problems(text)
    assert problem.startswith(expected)


def test_without_receivers_messages_go_to_the_console_with_a_warning(home: Home) -> None:
    settings = home.load("cluster: a")
    assert [receiver.name for receiver in settings.receivers] == ["default"]
    assert [str(problem.message) for problem in settings.warnings] == [
        "there are no receivers: messages go to standard output"
    ]


NOT_EXECUTED = (
    "warning: templates are not executed: Watcher sends its own text in place of one that needs them; write texts in "
    "Jinja2, or have `watcher import alertmanager` translate the file"
)


def test_alertmanagers_templates_are_a_warning(home: Home) -> None:
    home.write("texts/a.tmpl", '{{ define "a" }}x{{ end }}')
    assert home.problems(RECEIVER + "templates: ['texts/*.tmpl', texts/a.tmpl]") == [f"2:1: {NOT_EXECUTED}"]
    assert home.problems(RECEIVER + "templates: []") == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("['*.tmpl']", "2:13: warning: *.tmpl matches no file", id="nothing matches"),
        pytest.param("[texts]", "2:13: warning: texts matches no file", id="directory"),
        pytest.param("[3]", "2:13: a pattern must be a file's name, which may hold * and ?", id="number"),
        pytest.param("texts/a.tmpl", "2:12: templates must be a list of patterns of files", id="no list"),
    ],
)
def test_templates_that_lead_nowhere_are_said(home: Home, value: str, expected: str) -> None:
    home.write("texts/a.tmpl", "x")
    found = home.problems(f"{RECEIVER}templates: {value}")
    assert found[-1] == expected
    assert found[:-1] in ([], [f"2:1: {NOT_EXECUTED}"])


# -- which rules -------------------------------------------------------------------------------------------------


def test_patterns_begin_at_the_configurations_directory_and_each_file_counts_once(home: Home) -> None:
    home.write("rules/b.yaml", RULE.replace("Mine", "B"))
    home.write("rules/a.yaml", RULE.replace("Mine", "A"))
    home.write("rules/deep/c.yaml", RULE.replace("Mine", "C"))
    assert names(home, "rules: ['rules/*.yaml', rules/a.yaml]") == ["A", "B"]
    assert names(home, "rules: ['rules/**/*.yaml']") == ["A", "B", "C"]
    assert names(home, f"rules: ['{home.root}/rules/b.yaml']") == ["B"]


def test_a_directory_of_a_config_map_is_read_as_its_files(home: Home) -> None:
    home.write("rules/..2026/a.yaml", RULE)
    (home.root / "rules" / "..data").symlink_to("..2026")
    (home.root / "rules" / "a.yaml").symlink_to("..data/a.yaml")
    assert names(home, "rules: ['rules/*']") == ["Mine"]


def test_the_command_lines_patterns_take_the_place_of_the_configurations(home: Home) -> None:
    home.write("config.yaml", RECEIVER + "rules: [gone.yaml]")
    mine = home.write("mine.yaml", RULE)
    assert [rule.alert for rule in load(home.config, [str(mine)], {}).rules] == ["Mine"]
    assert [str(each) for each in check_all(home.config, [f"{home.root}/*.yml"], {})] == [
        f"{home.root}/*.yml:1:1: {home.root}/*.yml matches no file"
    ]


def test_no_rules_at_all_may_be_wanted(home: Home) -> None:
    assert names(home, "rules: []") == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("gone.yaml", "2:9: there is no file gone.yaml", id="missing file"),
        pytest.param("gone/*.yaml", "2:9: gone/*.yaml matches no file", id="nothing matches"),
        pytest.param(
            "rules", "2:9: rules is a directory: write its files with a wildcard, as in rules/*.yaml", id="directory"
        ),
        pytest.param("ru*", "2:9: ru* matches directories only", id="only directories match"),
    ],
)
def test_a_pattern_that_leads_nowhere_is_an_error(home: Home, pattern: str, expected: str) -> None:
    home.write("rules/a.yaml", RULE)
    assert home.problems(f"{RECEIVER}rules: ['{pattern}']") == [expected]


def test_a_file_that_may_not_be_read_is_an_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal itself is played."""
    home.write("token", "x")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    home.write("config.yaml", RECEIVER + "http: {token_file: token}")
    config = home.config.read_bytes()
    monkeypatch.setattr(Path, "read_bytes", lambda path: config if path == home.config else refuse(path))
    (problem,) = check_all(home.config, None, {"WATCHER_RULES": "[]"})
    assert home.shown(problem) == "2:20: token: permission denied"


def test_a_rule_file_of_ten_megabytes_is_refused_in_a_sentence(home: Home) -> None:
    home.write("big.yaml", "# " + "x" * 10_000_000)
    assert home.problems(RECEIVER + "rules: [big.yaml]") == [
        "big.yaml:1:1: the file has 10,000,002 bytes, more than the 5,000,000 that are read"
    ]


def test_a_secret_of_a_megabyte_is_no_secret(home: Home) -> None:
    home.write("token", "x" * 1_000_000)
    assert home.problems(RECEIVER + "http: {token_file: token}") == [
        "2:20: token: the file has 1,000,000 bytes, more than the 65,536 that are read"
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [pytest.param(b" \n", "it is empty", id="empty"), pytest.param(b"\xff", "it is not UTF-8 text", id="binary")],
)
def test_a_secret_must_be_text(home: Home, content: bytes, expected: str) -> None:
    (home.root / "token").write_bytes(content)
    assert home.problems(RECEIVER + "http: {token_file: token}") == [f"2:20: token: {expected}"]


# -- all at once -------------------------------------------------------------------------------------------------


def test_all_errors_of_configuration_rules_templates_and_regexes_come_in_one_run(home: Home) -> None:
    home.write(
        "one.yaml",
        """
        groups:
          - name: one
            rules:
              - alert: One
                signal: CrashLooping
                where: deaths_10 >= 3
                until: reason.matches("[")
                fro: 1m
                annotations: {summary: "{{ workloda }}"}
        """,
    )
    home.write("two.yaml", 'groups:\n- name: two\n  rules:\n  - alert: Two\n    where: "a" == reason\n')
    home.write("three.yaml", "groups: []\ngroups: []\n")
    home.write("four.yaml", "#" + "x" * 10_000_000)
    found = home.problems(
        """
        clustr: x
        cluster: '${NOPE}'
        rules: [one.yaml, two.yaml, three.yaml, four.yaml, gone.yaml, .]
        receivers: [{name: ops, slack_configs: [{api_url_file: gone}]}]
        route: {receiver: ops, routes: [{matchers: ['a=~"["'], receiver: nobody}]}
        """
    )
    places = [each.split(": ")[0] for each in found]
    assert places == [
        *("1:1", "2:10", "3:52", "3:63", "4:56", "5:45", "5:66"),
        "four.yaml:1:1",
        *("one.yaml:6:16", "one.yaml:7:31", "one.yaml:8:9", "one.yaml:9:36"),
        "three.yaml:2:1",
        "two.yaml:5:16",
    ]
    assert "put the expression in quotes" in found[-1]


def test_rules_are_checked_even_where_the_configuration_cannot_be_read(home: Home) -> None:
    mine = home.write("mine.yaml", RULE.replace("ready", "redy"))
    home.write("config.yaml", "a: [")
    found = [home.shown(each) for each in check_all(home.config, [str(mine)], {})]
    assert [each.split(": ")[0] for each in found] == ["2:1", "mine.yaml:4:52"]


def test_errors_hold_the_warnings_too_and_are_sorted(home: Home) -> None:
    home.write("config.yaml", "clustr: a\nreceivers: [{name: a}, {name: b}]\nroute: {receiver: a}\ncluster: 3")
    with pytest.raises(ConfigErrors) as caught:
        load(home.config, None, {})
    assert [(each.position.line, each.is_error) for each in caught.value.problems] == [
        (1, True),
        (2, False),
        (4, True),
    ]


def test_without_errors_the_warnings_are_in_the_settings(home: Home) -> None:
    settings = home.load("receivers: [{name: a}, {name: b}]\nroute: {receiver: a}")
    assert [problem.message for problem in settings.warnings] == ["no route uses the receiver b"]
