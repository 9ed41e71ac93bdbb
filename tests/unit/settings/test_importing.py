"""`watcher import alertmanager`: realistic files load as they are, and come over with their comments and order."""

import difflib
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from watcher.cli import app
from watcher.lib.yamlpos import load as load_yaml
from watcher.settings.errors import ConfigErrors
from watcher.settings.importing import Imported, import_alertmanager
from watcher.settings.load import check_all, load
from watcher.settings.namedtemplates import defined, inlined

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "alertmanager"
FILES = ("teams.yml", "cluster.yaml", "named.yml", "mail.yml", "chats.yml")
HEAD = "route: {receiver: ops}\nreceivers:\n- name: ops\n  slack_configs:\n  - api_url: https://slack.example.org/x\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "slack").write_text("https://hooks.slack.com/services/x", encoding="utf-8")
    (tmp_path / "secrets" / "pagerduty").write_text("key", encoding="utf-8")
    return tmp_path


def imported(text: str, directory: Path = Path()) -> Imported:
    return import_alertmanager(text, "alertmanager.yml", directory, "out")


def slack(text: str, directory: Path = Path()) -> Imported:
    """With lines of a Slack integration."""
    lines = "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
    return imported(HEAD + lines, directory)


def body(result: Imported) -> str:
    """The lines behind HEAD, without their indentation."""
    assert result.text.startswith(HEAD)
    return "\n".join(line.removeprefix("    ") for line in result.text[len(HEAD) :].splitlines())


# -- realistic files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_realistic_file_loads_as_it_stands_with_warnings_only(home: Path, name: str) -> None:
    problems = check_all(home / name, None, {})
    assert [str(each) for each in problems if each.is_error] == []


LEFT = {"chats.yml": ["27:18"]}


@pytest.mark.parametrize("name", FILES)
def test_a_realistic_file_comes_over(home: Path, name: str) -> None:
    """What came over means the same but for texts, and its only warnings are those that were told."""
    before = (home / name).read_text(encoding="utf-8")
    result = import_alertmanager(before, name, home, "out")
    assert [f"{each.position.line}:{each.position.column}" for each in result.left] == LEFT.get(name, [])
    (home / "out.yaml").write_text(result.text, encoding="utf-8")
    old, new = load(home / name, None, {}), load(home / "out.yaml", None, {})
    assert (new.route, new.inhibit_rules, new.intervals) == (old.route, old.inhibit_rules, old.intervals)
    assert [each.name for each in new.receivers] == [each.name for each in old.receivers]
    told = {(each.position.line, each.position.column, each.message) for each in (*result.left, *result.notes)}
    assert {(each.position.line, each.position.column, each.message) for each in new.warnings} == told


@pytest.mark.parametrize("name", FILES)
def test_what_comes_over_is_the_same_file_again_when_it_is_imported_once_more(home: Path, name: str) -> None:
    once = import_alertmanager((home / name).read_bytes(), name, home, "out").text
    assert import_alertmanager(once, name, home, "out").text == once


@pytest.mark.parametrize("name", FILES)
def test_no_line_without_a_template_changes_and_no_comment_is_lost(home: Path, name: str) -> None:
    before = (home / name).read_text(encoding="utf-8")
    after = import_alertmanager(before, name, home, "out").text
    changed = [line[2:] for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line.startswith("- ")]
    rewritten = ("text: >-", "*Details:*", "*Alert:*", "templates:", "- '/etc/alertmanager")
    assert [line for line in changed if line and "{{" not in line and not line.strip().startswith(rewritten)] == []
    comments = [line.partition("#")[2] for line in before.splitlines() if line.strip().startswith("# ")]
    assert all(comment in after for comment in comments)


def test_named_templates_come_out_of_their_files(home: Path) -> None:
    result = import_alertmanager((home / "named.yml").read_bytes(), "named.yml", home, "out")
    data = load_yaml(result.text, "out").data
    assert isinstance(data, dict)
    config = data["receivers"][0]["slack_configs"][0]
    assert config["title"] == "[{{ status | upper }}] {{ group_labels.alertname }} – {{ alerts | length }}"
    assert config["text"] == (
        "{% for alert in firing %}• {{ alert.annotations.summary }} ({{ alert.labels.instance }})\n{% endfor %}\n"
        "{%- if common_annotations.runbook_url %}<{{ common_annotations.runbook_url }}|Runbook>{% endif %}"
    )
    assert config["actions"][0]["url"] == "{{ alerts[0].annotations.runbook_url }}"
    assert "title_link" not in config
    assert "# title_link: '{{ template" in result.text


# -- one text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("title: '{{ .Status }}'", "title: '{{ status }}'", id="single quotes"),
        pytest.param("title: 'It''s {{ .Status }}' # c", "title: 'It''s {{ status }}' # c", id="an apostrophe"),
        pytest.param('title: "{{ .Status }}: \\"ü\\""', 'title: "{{ status }}: \\"ü\\""', id="double quotes"),
        pytest.param("title: a {{ .Status }} b", "title: 'a {{ status }} b'", id="no quotes"),
        pytest.param("title: &t 'x {{ .Status }}'\ntext: *t", "title: &t 'x {{ status }}'\ntext: *t", id="an alias"),
        pytest.param("title: !!str '{{ .Status }}'", "title: !!str '{{ status }}'", id="a tag"),
        pytest.param(
            "title: '😀' # 😀\ntext: '{{ .Status }}'", "title: '😀' # 😀\ntext: '{{ status }}'", id="emoji before"
        ),
        pytest.param("title: |\n  a\n  {{ .Status }}", "title: |\n  a\n  {{ status }}", id="a block"),
        pytest.param(
            "title: |-\n  {{ .Status }}\n\n# c\ntext: x",
            "title: |-\n  {{ status }}\n\n# c\ntext: x",
            id="a block, a comment",
        ),
        pytest.param("title: >\n  a\n  {{ .Status }}\n", "title: |\n  a {{ status }}", id="a folded block"),
        pytest.param('title: "a\\n{{ .Status }}"', "title: |-\n  a\n  {{ status }}", id="several lines"),
        pytest.param(
            'title: "a\\n{{ .Status }}" # c', 'title: "a\\n{{ status }}" # c', id="several lines and a comment"
        ),
        pytest.param('title: " a\\n{{ .Status }}"', 'title: " a\\n{{ status }}"', id="space that a block would take"),
        pytest.param(
            "fields: [{title: '{{ .Status }}', value: x}]",
            "fields: [{title: '{{ status }}', value: x}]",
            id="in braces",
        ),
        pytest.param("title: '{{ status }} {{ title }}'", "title: '{{ status }} {{ title }}'", id="Jinja2 already"),
        pytest.param(
            "title: '{{ template \"slack.default.title\" . }}'",
            "# title: '{{ template \"slack.default.title\" . }}'",
            id="Alertmanager's own text",
        ),
    ],
)
def test_a_text_is_rewritten_at_its_place(before: str, after: str) -> None:
    result = slack(before)
    assert body(result) == after
    assert (result.left, result.notes) == ((), ())


def test_alertmanagers_own_text_that_has_no_line_of_its_own_stays_and_nothing_is_to_be_done() -> None:
    result = slack("fields: [{title: '{{ template \"slack.default.title\" . }}', value: x}]")
    assert result.left == ()
    assert [each.message.split(":")[0] for each in result.notes] == ["title is Alertmanager's own text"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "title: '{{ template \"mine\" . }}'",
            "out:6:12: warning: title is a Go template, in whose place Watcher sends its own text; here templates are "
            "written in Jinja2",
            id="not translated",
        ),
        pytest.param(
            "send_resolved: '{{ .Status }}'", "out:6:20: send_resolved must be true or false, not text", id="no text"
        ),
    ],
)
def test_what_is_left_is_said_with_its_place(text: str, expected: str) -> None:
    result = slack(text)
    assert [str(each) for each in result.left] == [expected]
    assert body(result) == text


def test_a_go_template_where_watcher_has_none_is_left() -> None:
    text = """route: {receiver: ops}
receivers:
- name: ops
  discord_configs: [{webhook_url: https://d.example.org/x, username: '{{ .CommonLabels.x }}'}]
  opsgenie_configs: [{api_key: x, message: '{{ .CommonLabels.x }}'}]
"""
    assert [str(each) for each in imported(text).left] == [
        "out:4:70: warning: username is no template here: it is taken as it stands",
        "out:5:3: opsgenie_configs is sent through Apprise here: write apprise_configs with url: opsgenie://API_KEY",
    ]


def test_secrets_in_files_that_are_not_here_are_no_hindrance() -> None:
    text = """global: {slack_api_url_file: /nowhere/slack, telegram_bot_token_file: /nowhere/token}
route: {receiver: ops}
receivers:
- name: ops
  slack_configs: [{title: '{{ .Status }}'}]
  telegram_configs: [{chat_id_file: /nowhere/chat, message: '{{ .Status }}'}]
  discord_configs: [{webhook_url_file: /nowhere/discord}]
  email_configs: [{to: a@b.org, from: c@b.org, smarthost: "h:25", auth_username: c, auth_password_file: /x}]
"""
    result = imported(text)
    assert (result.left, result.notes) == ((), ())
    assert result.text == text.replace(".Status", "status")


def test_the_templates_become_a_comment_once_no_text_needs_them(tmp_path: Path) -> None:
    (tmp_path / "a.tmpl").write_text('{{ define "mine" }}{{ .Status }}{{ end }}', encoding="utf-8")
    text = HEAD + "    title: '{{ template \"mine\" . }}'\n%s\n# the end\n"
    done = imported(text % "templates:\n# mine\n- a.tmpl", tmp_path)
    assert done.text.endswith("    title: '{{ status }}'\n# templates:\n# # mine\n# - a.tmpl\n# the end\n")
    assert (done.left, done.notes) == ((), ())
    undone = imported(text % "templates: [b.tmpl]", tmp_path)
    assert "\ntemplates: [b.tmpl]\n" in undone.text
    assert len(undone.left) == 1


@pytest.mark.parametrize(
    "text", [pytest.param("a: [", id="no YAML"), pytest.param("[a]", id="a list"), pytest.param("", id="empty")]
)
def test_what_is_no_configuration_is_an_error(text: str) -> None:
    with pytest.raises(ConfigErrors):
        imported(text)


PIECES = [
    "{{ .Status }}",
    "{{ range .Alerts }}",
    "{{ end }}",
    "\n",
    " ",
    "'",
    '"',
    "# ",
    ": ",
    "ü",
    "😀",
    "\t",
    "\\",
    "|",
    "-",
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), st.sampled_from(["'", '"', "|"]))
def test_whatever_text_is_rewritten_all_else_stays(text: str, style: str) -> None:
    written = {
        "'": "'" + text.replace("'", "''").replace("\n", "\n\n      ") + "'",
        '"': '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"',
        "|": "|2-\n" + "\n".join(f"      {line}" for line in text.split("\n")),
    }[style]
    source = f"{HEAD}    title: {written}\n    text: b # c\n"
    result = imported(source)
    before, after = load_yaml(source, "a").data, load_yaml(result.text, "a").data
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    old, new = before["receivers"][0]["slack_configs"][0], after["receivers"][0]["slack_configs"][0]
    assert new.pop("title").replace("{{ status }}", "{{ .Status }}").replace(
        "{% for alert in alerts %}", "{{ range .Alerts }}"
    ).replace("{{ alert.status }}", "{{ .Status }}").replace("{% endfor %}", "{{ end }}") == old.pop("title")
    assert after == before
    assert result.text.endswith("    text: b # c\n")


def test_the_line_ends_of_windows_stay() -> None:
    text = (HEAD + "    title: '{{ .Status }}'\n    text: |\n      a\n      {{ .Status }}\n").replace("\n", "\r\n")
    result = imported("\ufeff" + text)
    assert load_yaml(result.text, "a").data == load_yaml(text.replace(".Status", "status"), "a").data
    assert result.text.startswith(HEAD.replace("\n", "\r\n"))


# -- named templates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{{ define "a" }}x{{ end }} {{define "b"}} y {{end}}', {"a": "x", "b": " y "}, id="two"),
        pytest.param('{{ define "a" -}}\n x \n{{- end }}', {"a": "x"}, id="trimmed"),
        pytest.param(
            '{{ define "a" }}{{ if .X }}{{ range .Y }}z{{ end }}{{ end }}{{ end }}',
            {"a": "{{ if .X }}{{ range .Y }}z{{ end }}{{ end }}"},
            id="ends inside",
        ),
        pytest.param('{{ define "a" }}x', {}, id="no end"),
        pytest.param("{{ end }}{{ if .X }}x{{ end }}", {}, id="none"),
        pytest.param('{{ define "a" }}x{{ end }}{{ define "a" }}y{{ end }}', {"a": "y"}, id="the last one counts"),
    ],
)
def test_the_named_templates_of_a_file_are_found(text: str, expected: dict[str, str]) -> None:
    assert defined(text) == expected


NAMED = {
    "a": "A",
    "b": '<{{ template "a" . }}>',
    "root": "{{ $.Status }}",
    "loop": '{{ template "loop" . }}',
    "wide": '{{ template "wide" . }}' * 9,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('x {{ template "b" . }} y', "x <A> y", id="one in another"),
        pytest.param('x {{- template "a" . -}} y', "xAy", id="trimmed"),
        pytest.param(
            '{{ range .Alerts }}{{ template "a" . }}{{ end }}', "{{ range .Alerts }}A{{ end }}", id="in a loop"
        ),
        pytest.param(
            '{{ if .X }}{{ template "root" . }}{{ end }}', "{{ if .X }}{{ $.Status }}{{ end }}", id="the root"
        ),
        pytest.param(
            '{{ range .X }}{{ template "root" . }}{{ end }}{{ template "root" . }}',
            '{{ range .X }}{{ template "root" . }}{{ end }}{{ $.Status }}',
            id="another root in a loop",
        ),
        pytest.param('{{ template "a" .Alerts }}', '{{ template "a" .Alerts }}', id="another dot"),
        pytest.param('{{- template "nobody" . }} x', '{{- template "nobody" . }} x', id="unknown"),
        pytest.param('{{ template "loop" . }}', '{{ template "loop" . }}', id="endless"),
        pytest.param("x", "x", id="none"),
    ],
)
def test_named_templates_are_put_in_where_that_changes_nothing(text: str, expected: str) -> None:
    assert inlined(text, NAMED) == expected


def test_named_templates_that_name_themselves_many_times_end() -> None:
    assert len(inlined('{{ template "wide" . }}', NAMED)) < 100_000


# -- the command -------------------------------------------------------------------------------------------------


def test_the_command_writes_the_file_and_says_what_is_left(home: Path) -> None:
    out = home / "out.yaml"
    (home / "mail.yml").chmod(0o600)
    done = CliRunner().invoke(app, ["import", "alertmanager", str(home / "mail.yml"), "-o", str(out)])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert out.stat().st_mode & 0o777 == 0o600
    assert check_all(out, None, {}) == []
    left = CliRunner().invoke(app, ["import", "alertmanager", str(home / "chats.yml")])
    assert left.exit_code == 1
    assert left.stdout.startswith("route:\n  receiver: discord\n")
    first, last = left.stderr.splitlines()
    assert first.startswith("<stdout>:27:18: to do: message is a Go template")
    assert last == "watcher: 1 thing left to do by hand"


def test_the_command_does_not_advise_itself_and_writes_over_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    source, out = tmp_path / "am.yml", tmp_path / "out.yaml"
    source.write_text(
        "route: {receiver: team}\ntemplates: [gone/*.tmpl]\n"
        "receivers:\n- name: team\n  slack_configs:\n"
        "  - {api_url: 'https://hooks.slack.com/services/a/b/c', channel: '#x', text: '{{ template \"mine\" . }}'}\n",
        encoding="utf-8",
    )
    out.write_text("mine", encoding="utf-8")
    refused = CliRunner().invoke(app, ["import", "alertmanager", str(source), "-o", str(out)])
    assert str(refused.exception) == f"{out} is there already: name another file with -o, or write over it with --force"
    assert out.read_text() == "mine"
    done = CliRunner().invoke(app, ["import", "alertmanager", str(source), "-o", str(out), "--force"])
    assert done.exit_code == 1
    assert "import alertmanager" not in done.stderr
    key, pattern, text, _ = done.stderr.splitlines()
    assert key == (
        f"{out}:2:1: note: templates are not executed: Watcher sends its own text in place of one that needs them; "
        "write texts in Jinja2"
    )
    assert pattern == f"{out}:2:13: note: gone/*.tmpl matches no file"
    assert text.startswith(f"{out}:6:")
    assert ": to do: text is a Go template" in text
