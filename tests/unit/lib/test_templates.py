from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.lib.templates import MAX_OUTPUT, TemplateProblem, compile_template


class Member(msgspec.Struct, frozen=True, kw_only=True):
    pod: str
    restarts: int = 0


class Cause(Enum):
    NOT_FOUND = "not_found"


VALUES: dict[str, Any] = {
    "claim": "data-es-0",
    "namespace": "logging",
    "used_percent": 96.4,
    "used_bytes": 206158430208,
    "exit_code": 139,
    "unknown": None,
    "ready": True,
    "ran_seconds": 4320,
    "since": datetime(2026, 11, 20, 14, 2, 11, tzinfo=UTC),
    "span": timedelta(minutes=20),
    "labels": {"app": "web", "items": "seven"},
    "plain": {"b": "2", "a": "1"},
    "members": [Member(pod="web-1", restarts=3), Member(pod="web-2")],
    "cause": Cause.NOT_FOUND,
    "many": list(range(1000)),
    "long": "x" * 60_000,
}


def render(source: str, **more: Any) -> str:
    values = {**VALUES, **more}
    return compile_template(source, values.keys()).render(values)


RENDERED = {
    "text only": ("nothing to fill in", "nothing to fill in"),
    "the shipped summary": (
        "{{ claim }} in {{ namespace }} is {{ used_percent | percent }} full",
        "data-es-0 in logging is 96 % full",
    ),
    "bytes": ("{{ used_bytes | bytes }}", "192 Gi"),
    "duration of seconds": ("{{ ran_seconds | duration }}", "1 h 12 min"),
    "duration of a span": ("{{ span | duration }}", "20 min"),
    "time": ("{{ since | time }}", "14:02:11 UTC"),
    "exit": ("{{ exit_code | exit }}", "139 (segmentation fault, SIGSEGV)"),
    "exit without brackets": ("{{ 1 | exit }}", "1 (application error)"),
    "exit with a reason": ("{{ 137 | exit('OOMKilled') }}", "137 (killed for using more memory than it may)"),
    "unknown value": ("{{ unknown }}", "unknown"),
    "unknown in every filter": (
        "{{ unknown | percent }}, {{ unknown | bytes }}, {{ unknown | duration }}, {{ unknown | time }}, "
        "{{ unknown | exit }}",
        "unknown, unknown, unknown, unknown, unknown",
    ),
    "boolean": ("{{ ready }}", "true"),
    "decimals": ("{{ used_percent / 7 }}", "13.77"),
    "whole decimals": ("{{ 85.0 }}", "85"),
    "enum": ("{{ cause }}", "not_found"),
    "datetime": ("{{ since }}", "2026-11-20 14:02:11 UTC"),
    "list": ("{{ members | map(attribute='pod') | list }}", "web-1, web-2"),
    "mapping": ("{{ plain }}", "b=2, a=1"),
    "attribute": ("{{ members[0].pod }} {{ members[0]['restarts'] }}", "web-1 3"),
    "label": ("{{ labels.app }} {{ labels['app'] }} {{ labels.get('x', '-') }}", "web web -"),
    "a label named as a method": ("{{ labels.items }}", "seven"),
    "default": ("{{ labels.missing | default('none') }}", "none"),
    "loop": ("{% for m in members %}{{ loop.index }}:{{ m.pod }} {% endfor %}", "1:web-1 2:web-2 "),
    "loop of pairs": ("{% for k, v in plain.items() %}{{ k }}{{ v }}{% endfor %}", "b2a1"),
    "loop with a condition": ("{% for m in members if m.restarts %}{{ m.pod }}{% else %}-{% endfor %}", "web-1"),
    "sorted pairs": ("{% for k, v in plain | dictsort %}{{ k }}{% endfor %}", "ab"),
    "join": ("{{ members | join(', ', attribute='pod') }}", "web-1, web-2"),
    "replace": ("{{ claim | replace('data-', '') | upper }}", "ES-0"),
    "condition": ("{% if used_percent > 95 and ready %}hot{% elif ready %}warm{% endif %}", "hot"),
    "inline condition": ("{{ 'yes' if ready else 'no' }}", "yes"),
    "arithmetic": ("{{ 2 * 3 + 10 % 4 - 1 // 1 }}", "7"),
    "join of texts": ("{{ namespace ~ '/' ~ claim }}", "logging/data-es-0"),
    "test": ("{{ 'n' if unknown is none else 'y' }}", "n"),
    "no escaping": ("{{ text }}", "<b>&"),
    "methods": ("{{ claim.split('-')[0] }} {{ claim.startswith('data') }}", "data true"),
}


@pytest.mark.parametrize(("source", "expected"), RENDERED.values(), ids=RENDERED.keys())
def test_a_template_renders(source: str, expected: str) -> None:
    assert render(source, text="<b>&") == expected


PERCENT = [
    (85, "85 %"),
    (85.3, "85 %"),
    (0, "0 %"),
    (0.04, "0.1 %"),
    (0.5, "0.5 %"),
    (99.4, "99.4 %"),
    (99.99, "99.9 %"),
    (100, "100 %"),
    (104.2, "104 %"),
    (float("nan"), "unknown"),
]


@pytest.mark.parametrize(("value", "expected"), PERCENT, ids=[str(value) for value, _ in PERCENT])
def test_percent_takes_a_number_that_is_percent_already(value: float, expected: str) -> None:
    assert render("{{ value | percent }}", value=value) == expected


def test_a_time_of_another_zone_is_told_in_utc() -> None:
    moment = datetime(2026, 11, 20, 16, 2, 11, tzinfo=timezone(timedelta(hours=2)))
    assert render("{{ moment | time }}", moment=moment) == "14:02:11 UTC"
    with pytest.raises(TemplateProblem, match="without a time zone"):
        render("{{ moment | time }}", moment=moment.replace(tzinfo=None))


REFUSED = {
    "unknown name": ("{{ clam }}", 1, "there is no value clam, did you mean claim?"),
    "unknown name in a later line": ("a\nb {{ claim }}\n{{ xyzzy }}", 3, "there is no value xyzzy"),
    "unknown filter": ("{{ used_percent | percnt }}", 1, "there is no filter percnt, did you mean percent?"),
    "unknown filter in a branch": ("{% if ready %}\n{{ claim | shout }}{% endif %}", 2, "there is no filter shout"),
    "unknown test": ("{{ claim is prime }}", 1, "there is no test prime"),
    "syntax": ("a\n{{ claim ", 2, "unexpected end of template"),
    "unclosed block": ("x\n{% if ready %}", 2, "Unexpected end of template"),
    "set": ("{% set a = 1 %}", 1, "set is not allowed"),
    "macro": ("{% macro f() %}{% endmacro %}", 1, "macro is not allowed"),
    "include": ("{% include 'x' %}", 1, "include is not allowed"),
    "import": ("{% import 'x' as y %}", 1, "import is not allowed"),
    "power": ("{{ 9 ** 9 ** 9 }}", 1, "** is not allowed"),
    "range": ("{% for i in range(10) %}x{% endfor %}", 1, "range() cannot be called here"),
    "format": ("{{ '{:>9999999999}'.format(1) }}", 1, "format() cannot be called here"),
    "ljust": ("{{ 'a'.ljust(9999999999) }}", 1, "ljust() cannot be called here"),
    "center filter": ("{{ 'a' | center(9999999999) }}", 1, "there is no filter center"),
    "format filter": ("{{ '%999999999d' | format(1) }}", 1, "there is no filter format"),
    "internals": ("{{ claim.__class__ }}", 1, "__class__ is not to be read"),
    "our own filter": ("{{ many | _watcher_bounded }}", 1, "there is no filter _watcher_bounded"),
    "our own value": ("{{ _watcher_budget }}", 1, "there is no value _watcher_budget"),
    "recursive loop": ("{% for m in many recursive %}{{ loop(many) }}{% endfor %}", 1, "recursive loops"),
    "four loops": ("{% for a in many %}" * 4 + "{% endfor %}" * 4, 1, "more than 3 loops"),
    "deep brackets": ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", 1, "too deeply nested"),
    "deep lists": ("{{ " + "[" * 3000 + "]" * 3000 + " }}", 1, "too deeply nested"),
    "a long number": ("{{ " + "9" * 5000 + " }}", 1, "too long"),
    "a long template": ("x" * 20_000, 1, "more than 16,384"),
}


@pytest.mark.parametrize(("source", "line", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_template_is_refused_at_load_with_its_line(source: str, line: int, message: str) -> None:
    with pytest.raises(TemplateProblem) as caught:
        compile_template(source, VALUES.keys())
    assert message.lower() in caught.value.message.lower()
    assert caught.value.line == line


def test_all_that_is_unknown_is_told_at_once() -> None:
    with pytest.raises(TemplateProblem) as caught:
        compile_template("{{ a }}\n{{ b | c }}{{ a }}", ["claim"])
    assert caught.value.message == "there is no value a; there is no filter c; there is no value b"


def test_a_template_says_which_values_it_needs() -> None:
    template = compile_template("{{ claim }}{% for m in members %}{{ m.pod }}{% endfor %}", VALUES.keys())
    assert template.names == {"claim", "members"}


RAISING = {
    "missing attribute": ("a\n{{ members[0].nothing }}", 2, "nothing"),
    "missing item": ("{{ members[7].pod }}", 1, "7"),
    "missing label": ("{{ labels.team }}", 1, "team"),
    "division by zero": ("{{ 1 / 0 }}", 1, "zero"),
    "comparison with unknown": ("{% if unknown > 5 %}x{% endif %}", 1, "not supported"),
    "text times number": ("{{ 'a' * 1000000000 }}", 1, "* takes numbers"),
    "list times number": ("{{ many * 1000000000 }}", 1, "* takes numbers"),
    "text as format": ("{{ '%1000000000d' % 1 }}", 1, "% takes numbers"),
    "nested loops": (
        "{% for a in many %}{% for b in many %}{% for c in many %}{% endfor %}{% endfor %}{% endfor %}",
        1,
        "more than 10,000 steps",
    ),
    "unknown filter in map": ("{{ many | map('center', 99) | list }}", 1, "center"),
    "growth by replace": ("{{ long | replace('x', 'yyyyyyyyyyyyyyyy') }}", 1, "replace makes more"),
    "growth by empty replace": ("{{ long | replace('', 'yyyyyyyyyyyyyyyy') }}", 1, "replace makes more"),
    "growth by join": ("{{ long | join('yyyyyyyyyyyyyyyy') }}", 1, "join makes more"),
    "a method by itself": ("{{ claim.upper }}", 1, "cannot be written"),
    "a record": ("{{ members[0] }}", 1, "name one of its fields"),
    "underscored attribute by filter": ("{{ members | map(attribute='__class__') | list }}", 1, "__class__"),
    "underscored attribute by join": ("{{ members | join(attribute='__class__') }}", 1, "not to be read"),
    "underscored item": ("{{ members[0]['__class__'] }}", 1, "__class__"),
    "a number that is none": ("{{ claim | percent }}", 1, "could not convert"),
    "infinite bytes": ("{{ (1e308 * 10) | bytes }}", 1, "not a number of bytes"),
    "too long a span": ("{{ 1e300 | duration }}", 1, "too large"),
    "a huge number": ("{{ " + " * ".join(["9" * 40] * 150) + " }}", 1, "integer string conversion"),
}


@pytest.mark.parametrize(("source", "line", "message"), RAISING.values(), ids=RAISING.keys())
def test_whatever_fails_while_rendering_is_a_template_problem(source: str, line: int, message: str) -> None:
    template = compile_template(source, VALUES.keys())
    with pytest.raises(TemplateProblem) as caught:
        template.render(VALUES)
    assert message in caught.value.message
    assert caught.value.line == line
    assert "\n" not in caught.value.message


def test_a_value_that_is_not_given_is_a_template_problem() -> None:
    with pytest.raises(TemplateProblem, match="'claim' is undefined"):
        compile_template("{{ claim }}", ["claim"]).render({})


def test_the_output_ends_at_the_limit() -> None:
    text = render("{% for n in many %}{{ long }}{% endfor %}")
    assert len(text) == MAX_OUTPUT
    assert text.endswith("x …")
    template = compile_template("{{ claim }}", ["claim"])
    assert template.render({"claim": "x" * 50}, limit=50) == "x" * 50
    assert template.render({"claim": "x" * 51}, limit=50) == "x" * 48 + " …"


def test_what_comes_out_of_values_is_escaped_and_the_templates_own_text_is_not() -> None:
    template = compile_template(
        "<b>{{ claim }}</b> {% for m in members %}{{ m | upper }}<br>{% endfor %}", ["claim", "members"]
    )
    values = {"claim": "<i>", "members": ["a<", 7, None]}
    text = template.render(values, escape=lambda text: text.replace("<", "&lt;"))
    assert text == "<b>&lt;i></b> A&lt;<br>7<br>NONE<br>"
    assert template.render(values).startswith("<b><i></b>")


def test_values_are_not_changed_by_a_template() -> None:
    with pytest.raises(TemplateProblem):
        compile_template("{{ many.append(1) }}", VALUES.keys())
    with pytest.raises(TemplateProblem):
        compile_template("{{ labels.update({}) }}", VALUES.keys())


FRAGMENTS = ["{{", "}}", "{%", "%}", "claim", "members", " | ", "join", "for m in ", "if ", "endfor", "endif", "'a'"]
FRAGMENTS += ["(", ")", "[0]", ".pod", " * ", " + ", "9", "\n", "percent", "-", "~", "loop", ".__init__", "else", ", "]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
def test_any_source_is_rendered_or_refused_with_our_error(source: str) -> None:
    try:
        text = render(source)
    except TemplateProblem:
        return
    assert len(text) <= MAX_OUTPUT
