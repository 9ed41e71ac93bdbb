"""libyaml's syntax errors in sentences that say what to do.

The commonest mistake by far is an expression or a template without quotes around it: it holds `: `, or starts
with a quotation mark, `!`, `{` and the like. So the line at fault is looked at first, and the quoted line is
given to copy; only then libyaml's own words are translated.
"""

import re
from typing import Final

from yaml.error import Mark, MarkedYAMLError

QUOTE_IT: Final = "put the expression in quotes"
TAG_HINT: Final = f"a value that starts with ! is a YAML tag: {QUOTE_IT}"
BRACES_HINT: Final = f"a value that starts with {{ is a mapping in YAML: {QUOTE_IT}"

_ENTRY: Final = re.compile(r"\s*(?:- +)*(?P<key>[A-Za-z_][A-Za-z0-9_.-]*):[ \t]+(?P<value>\S.*?)\s*")
_AFTER_QUOTES: Final = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*[^\s#]""")
_MAX_SUGGESTED: Final = 160
_SECRET_KEY: Final = re.compile(r"pass|secret|token|key|url|auth|cred|user|header|dsn", re.IGNORECASE)
"""The values of these keys are not repeated in an error, which ends in logs."""


def explain(error: MarkedYAMLError, lines: list[str]) -> tuple[int, int, str]:
    """Line and column (from 0) and the sentence for a syntax error in a text of these lines."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return 0, 0, error.problem or "this is not YAML"
    if (hint := _unquoted(_line(lines, mark.line))) is not None:
        return mark.line, mark.column, hint
    start = error.context_mark
    problem = error.problem or "this is not YAML"
    if start is not None and _begins_at_context(error):
        if start.line != mark.line and (hint := _unquoted(_line(lines, start.line))) is not None:
            return start.line, start.column, hint
        return start.line, start.column, _translated(problem, error.context or "", "")
    rune = _line(lines, mark.line)[mark.column : mark.column + 1]
    return mark.line, mark.column, _translated(problem, _opened(start), rune)


def _begins_at_context(error: MarkedYAMLError) -> bool:
    """Whether the fault lies where the construct began, not where libyaml noticed it."""
    problem, context = error.problem or "", error.context or ""
    return "simple key" in context or ("quoted scalar" in context and "end of stream" in problem)


def _line(lines: list[str], number: int) -> str:
    return lines[number] if number < len(lines) else ""


def _unquoted(line: str) -> str | None:
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        return None
    key, value = entry["key"], entry["value"]
    reason = _why_quote(value)
    if reason is None:
        return None
    whole = "'" + value.replace("'", "''") + "'"
    is_shown = len(line) <= _MAX_SUGGESTED and not _SECRET_KEY.search(key)
    suggestion = f": write {key}: {whole}" if is_shown else ""
    return f"the value of {key} {reason}; {QUOTE_IT}{suggestion}"


def _why_quote(value: str) -> str | None:
    if value[0] in "\"'":
        return "goes on after its closing quotation mark" if _AFTER_QUOTES.match(value) else None
    if value[0] in "!&*%@`" or re.match(r"[>|][^+\-0-9#\s]|[>|]\s+[^#\s]", value):
        return f"starts with {value[0]}, which has a meaning of its own in YAML"
    if value.startswith("{{"):
        return "starts with {, which begins a mapping in YAML"
    if value[0] == "[" and re.search(r"\]\s*[^\s,\]}#]", value):
        return "starts with [, which begins a list in YAML"
    if ": " in value or value.endswith(":"):
        return "holds a colon with a space"
    return None


def _opened(start: Mark | None) -> str:
    return "" if start is None else f"opened in line {start.line + 1}, column {start.column + 1}"


def _translated(problem: str, context: str, rune: str) -> str:
    if "cannot start any token" in problem:
        return "a tab cannot indent YAML: use spaces" if rune == "\t" else f"{rune} cannot start a value: {QUOTE_IT}"
    if problem.startswith("did not find expected ',' or"):
        bracket = "list" if "]" in problem else "mapping"
        return f"expected , or {problem[-2]} in the {bracket} {context}: close it, or put the text in quotes"
    for theirs, ours in _SENTENCES.items():
        if theirs in problem:
            return ours
    return f"this is not YAML: {problem}"


_SENTENCES: Final = {
    "mapping values are not allowed": "a colon with a space is not allowed here: check the indentation, "
    "or put the text in quotes",
    "did not find expected key": "expected `key: value` here: check the indentation and the quotes before it",
    "did not find expected '-' indicator": "expected another list item (`- …`) here: check the indentation",
    "could not find expected ':'": "this is no `key: value`: a colon with a space is missing",
    "found unexpected end of stream": "the quotation mark that opens here is never closed",
    "found unknown escape character": "unknown escape in double quotes: write \\\\ for a backslash, "
    "or use single quotes",
    "found undefined tag handle": TAG_HINT,
    "did not find URI escaped octet": TAG_HINT,
    "did not find expected whitespace or line break": TAG_HINT,
    "block sequence entries are not allowed": "a list item (`- …`) is not allowed here: begin it on a line of its own",
    "found a tab character": "a tab cannot indent YAML: use spaces",
    "found incompatible YAML document": "only YAML 1.1 and 1.2 are read: remove the %YAML line",
}
