"""Go templates of Alertmanager's: told apart from Jinja2's, and translated where that is simple."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.deliver.templating import NAMES
from watcher.lib.templates import compile_template
from watcher.settings.gotemplates import is_go_template, translate


@pytest.mark.parametrize(
    ("go", "jinja"),
    [
        pytest.param("{{ .CommonLabels.alertname }}", "{{ common_labels.alertname }}", id="a common label"),
        pytest.param("{{ .GroupLabels.x }}!", "{{ group_labels.x }}!", id="a group label"),
        pytest.param("{{.Status|toUpper}}", "{{ status | upper }}", id="a pipeline without spaces"),
        pytest.param("{{ .Status | toUpper }}", "{{ status | upper }}", id="a pipeline"),
        pytest.param("{{ toUpper .Status }}", "{{ status | upper }}", id="a function before its value"),
        pytest.param("{{ .ExternalURL }}/#/x", "{{ external_url }}/#/x", id="an address"),
        pytest.param("{{ .Alerts.Firing | len }}", "{{ firing | length }}", id="how many fire"),
        pytest.param("{{ len .Alerts }}", "{{ alerts | length }}", id="how many there are"),
        pytest.param("{{ .NotificationReason }}", "{{ reason }}", id="the reason"),
        pytest.param(
            '{{ .GroupLabels.SortedPairs.Values | join " " }}', '{{ group_labels.values() | join(" ") }}', id="joined"
        ),
        pytest.param('{{ index .CommonLabels "a-b" }}', '{{ common_labels["a-b"] }}', id="a label with a hyphen"),
        pytest.param("{{ .CommonLabels.x | title | safeHtml }}", "{{ common_labels.x | title }}", id="safeHtml"),
        pytest.param(
            "{{ range .Alerts }}{{ .Annotations.summary }} since {{ .StartsAt }}{{ end }}",
            "{% for alert in alerts %}{{ alert.annotations.summary }} since {{ alert.starts_at }}{% endfor %}",
            id="a loop over alerts",
        ),
        pytest.param(
            "{{ range .Alerts.Firing -}} {{ .Labels.x }} {{ $.Status }} {{- end }}",
            "{% for alert in firing -%} {{ alert.labels.x }} {{ status }} {%- endfor %}",
            id="trimmed space and the root inside of a loop",
        ),
        pytest.param(
            "{{ range .Alerts }}{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}{{ end }}",
            "{% for alert in alerts %}{% for name, value in alert.labels | dictsort %}"
            "{{ name }}={{ value }} {% endfor %}{% endfor %}",
            id="all labels of each alert",
        ),
        pytest.param(
            '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}',
            '{% if status == "firing" %}danger{% else %}good{% endif %}',
            id="a condition",
        ),
        pytest.param(
            '{{ if or (eq .CommonLabels.s "a") (eq .CommonLabels.s "b") }}x{{ else if not .Alerts.Firing }}y{{ end }}',
            '{% if (common_labels.s == "a") or (common_labels.s == "b") %}x{% elif not firing %}y{% endif %}',
            id="conditions joined, and another one",
        ),
        pytest.param(
            "{{ if gt (len .Alerts.Firing) 1 }}s{{ end }}",
            "{% if (firing | length) > 1 %}s{% endif %}",
            id="a comparison of a count",
        ),
        pytest.param(
            "{{ with .CommonAnnotations.summary }}{{ . }}{{ else }}{{ .Status }}{{ end }}",
            "{% if common_annotations.summary %}{{ common_annotations.summary }}{% else %}{{ status }}{% endif %}",
            id="with",
        ),
        pytest.param(
            "{{ or .CommonLabels.a .CommonLabels.b | not }}",
            "{{ not (common_labels.a or common_labels.b) }}",
            id="a pipeline behind a condition",
        ),
        pytest.param(
            "{{ (index .Alerts 0).Annotations.runbook_url }}",
            "{{ alerts[0].annotations.runbook_url }}",
            id="of the first alert",
        ),
        pytest.param(
            "{{ with index .Alerts.Firing 0 }}{{ .Labels.x }}{{ .Labels.SortedPairs.Values | join `, ` }}{{ end }}",
            '{% if firing[0] %}{{ firing[0].labels.x }}{{ firing[0].labels.values() | join(", ") }}{% endif %}',
            id="with the first that fires",
        ),
        pytest.param(
            "{{ if eq (len .Alerts) 1 }}{{ (index .Alerts 0).Labels.x | toUpper }}{{ end }}",
            "{% if (alerts | length) == 1 %}{{ alerts[0].labels.x | upper }}{% endif %}",
            id="a field behind brackets in a pipeline",
        ),
        pytest.param("{{/* why */}}x", "{# why #}x", id="a comment"),
        pytest.param('{{ .CommonLabels.x | join `"` }}', '{{ common_labels.x | join("\\"") }}', id="a raw string"),
    ],
)
def test_a_common_template_is_translated(go: str, jinja: str) -> None:
    assert is_go_template(go)
    assert translate(go, NAMES) == jinja


@pytest.mark.parametrize(
    "go",
    [
        pytest.param('{{ template "slack.default.title" . }}', id="a named template"),
        pytest.param("{{ range $i, $e := .Alerts }}x{{ end }}", id="variables"),
        pytest.param('{{ reReplaceAll "a" "b" .Status }}', id="a regular expression"),
        pytest.param("{{ .CommonLabels.Remove .GroupLabels.Names }}", id="a method"),
        pytest.param("{{ if .Status }}open", id="no end"),
        pytest.param("{{ end }}", id="an end without a beginning"),
        pytest.param("{{ .Nonsense }}", id="an unknown field"),
        pytest.param("{{ range .Status }}x{{ end }}", id="a loop over a text"),
        pytest.param("{% raw %}{{ .Status }}", id="Jinja's marks in its text"),
        pytest.param("{{ (.Status }}", id="an open bracket"),
        pytest.param("{{ (len .Alerts).Labels }}", id="a field of a number"),
        pytest.param("{{ (index .Alerts 0).Nonsense }}", id="an unknown field of an alert"),
        pytest.param("{{ index .Alerts .Status }}", id="an index that is no number"),
        pytest.param("{{ .Status | }}", id="half a pipeline"),
        pytest.param("{{ range .Alerts }}" * 5 + "{{ end }}" * 5, id="deeper than the sandbox allows"),
    ],
)
def test_what_has_no_simple_counterpart_is_not_guessed_at(go: str) -> None:
    assert translate(go, NAMES) is None


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "{{ common_labels.alertname }}",
        "{{ status | upper }}",
        "{% for alert in alerts %}{{ alert.labels.x }}{% endfor %}",
        "{{ 'a' if firing else 'b' }}",
        "{{ title }}",
        "{{ (firing | length) + 1 }}",
    ],
)
def test_jinja_is_not_taken_for_go(text: str) -> None:
    assert not is_go_template(text)


PIECES = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    ".",
    ".Alerts",
    ".Status",
    ".Labels.x",
    "$",
    "range ",
    "if ",
    "end",
    "else",
    "eq ",
]
PIECES += ["with ", "(", ")", "|", "len ", "join ", '"a"', '"\\q"', "`b`", "1", "/* c */", "{%", "x", "not ", "\n"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_whatever_is_written_is_translated_into_a_template_that_compiles_or_not_at_all(text: str) -> None:
    is_go_template(text)
    translated = translate(text, NAMES)
    if translated is not None:
        compile_template(translated, NAMES)


def test_brackets_without_end_are_not_covered() -> None:
    assert translate("{{ " + "(" * 20_000 + " }}", NAMES) is None
