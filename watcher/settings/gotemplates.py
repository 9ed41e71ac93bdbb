"""Alertmanager's Go templates, put into the Jinja2 that Watcher's texts are written in.

Covered is what configurations have: fields of the notification and of its alerts, `range`, `if`, `with`, pipelines of
the common functions, `eq` and its like. What has no simple counterpart (named templates, variables, `reReplaceAll`) is
not guessed at: there is no translation then, and the text says itself what its author has to write. A translation is
only given where it compiles. `watcher check` shows it in its warnings.
Source: https://prometheus.io/docs/alerting/latest/notifications/ and Go's text/template.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from watcher.lib.gotext import go_unquote
from watcher.lib.templates import compile_template

ACTION: Final = re.compile(r"\{\{(-?)\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|[^\"`])*?)\s*(-?)\}\}", re.DOTALL)
"""`{{ … }}`: a mark that trims the space before, what stands in it, a mark that trims the space behind."""
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>\"(?:\\.|[^\"\\])*\"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))"
    r"|(?P<field>\$?(?:\.[A-Za-z_]\w*)+|\$|\.(?![\w.]))|(?P<word>[A-Za-z_]\w*)|(?P<mark>\(|\)(?:\.[A-Za-z_]\w*)*|\|))"
)
_KEYWORDS: Final = re.compile(
    r"(?:range|if|else|end|with|template|define|block|break|continue)\b|[.$]|\(+\s*(?:[.$]|index\b|len\b)"
)
_CALLS: Final = re.compile(
    r"(?:len|eq|ne|lt|le|gt|ge|and|or|not|index|print|printf|println|title|toUpper|toLower|trimSpace|join|match"
    r"|reReplaceAll|safeHtml|safeUrl|stringSlice|urlquery|html|humanizeDuration|since|tz|date|toJson)\s+[.$(\"`\d]"
)

_ROOT: Final = {
    "Status": "status",
    "Receiver": "receiver",
    "Alerts": "alerts",
    "Alerts.Firing": "firing",
    "Alerts.Resolved": "resolved",
    "GroupLabels": "group_labels",
    "CommonLabels": "common_labels",
    "CommonAnnotations": "common_annotations",
    "ExternalURL": "external_url",
    "NotificationReason": "reason",
    "GroupKey": "group_key",
}
_ALERT: Final = {
    "Status": "status",
    "Labels": "labels",
    "Annotations": "annotations",
    "StartsAt": "starts_at",
    "EndsAt": "ends_at",
    "GeneratorURL": "generator_url",
    "Fingerprint": "fingerprint",
}
_MAPPINGS: Final = frozenset(
    ("group_labels", "common_labels", "common_annotations", "alert.labels", "alert.annotations")
)
_LISTS: Final = frozenset(("alerts", "firing", "resolved"))
_ONE: Final = re.compile(r"(?:alerts|firing|resolved)\[\d+\]")
_ONES_MAPPING: Final = re.compile(rf"{_ONE.pattern}\.(?:labels|annotations)")
_OPERATORS: Final = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_FILTERS: Final = {"toUpper": "upper", "toLower": "lower", "title": "title", "trimSpace": "trim", "len": "length"}
_AS_IT_IS: Final = frozenset(("safeHtml", "safeUrl", "print"))
"""Functions that change nothing in a text that is escaped for its channel."""
_CHAIN: Final = re.compile(r"\"[^\"]*\"|[\w.()\[\]\"]+(?: \| \w+(?:\(\"[^\"]*\"\))?)*")
"""A name or a text, and filters behind it."""


class _NotCovered(Exception):
    """There is no simple translation."""


def is_go_template(text: str) -> bool:
    """Whether some `{{ … }}` is Go's and cannot be Jinja2's."""
    found = (match[2].strip() for match in ACTION.finditer(text))
    return any(action.startswith("/*") or _KEYWORDS.match(action) or _CALLS.match(action) for action in found)


def translate(text: str, names: Collection[str]) -> str | None:
    """The same in Jinja2 with the values called `names`; None where there is no simple counterpart."""
    try:
        translated = _Translation().text(text)
        compile_template(translated, names)
    except (_NotCovered, ValueError, RecursionError):
        # ValueError: a broken text constant, or (TemplateProblem) what the sandbox does not allow.
        return None
    return translated


class _Translation:
    """One template. `dots` is what `.` stands for, innermost last: an expression, or `` for the notification."""

    def __init__(self) -> None:
        self._dots = [""]
        self._open: list[str] = []

    def text(self, text: str) -> str:
        parts: list[str] = []
        at = 0
        for match in ACTION.finditer(text):
            parts += (_literal(text[at : match.start()]), self._action(match[2], match[1], match[3]))
            at = match.end()
        parts.append(_literal(text[at:]))
        if self._open:
            raise _NotCovered
        return "".join(parts)

    def _action(self, action: str, left: str, right: str) -> str:
        if action.startswith("/*"):
            return f"{{#{left} {action[2:-2].strip()} {right}#}}"
        word, _, rest = action.partition(" ")
        if word in ("range", "if", "with"):
            statement = self._begin(word, rest)
        elif word == "end" and not rest:
            statement = self._end()
        elif word == "else" and self._open and self._open[-1] == "if":
            statement = f"elif {self._pipeline(rest[3:])}" if rest.startswith("if ") else "else"
        elif word == "else" and not rest and self._open:
            self._dots[-1] = self._dots[-2]
            statement = "else"
        elif ":=" in action or word in ("template", "define", "block", "break", "continue", "else"):
            raise _NotCovered
        else:
            return f"{{{{{left} {self._pipeline(action)} {right}}}}}"
        return f"{{%{left} {statement} {right}%}}"

    def _begin(self, word: str, rest: str) -> str:
        value = self._pipeline(rest)
        self._open.append(word)
        if word == "if":
            return f"if {value}"
        if word == "with":
            self._dots.append(value)
            return f"if {value}"
        if value in _LISTS:
            self._dots.append("alert")
            return f"for alert in {value}"
        if value.endswith(" | dictsort"):
            self._dots.append("pair")
            return f"for name, value in {value}"
        raise _NotCovered

    def _end(self) -> str:
        if not self._open:
            raise _NotCovered
        word = self._open.pop()
        if word != "if":
            self._dots.pop()
        return "endfor" if word == "range" else "endif"

    def _pipeline(self, text: str) -> str:
        tokens = list(_tokens(text))
        value, at = self._commands(tokens, 0)
        if at != len(tokens):
            raise _NotCovered
        return value

    def _commands(self, tokens: list[str], at: int) -> tuple[str, int]:
        """Commands with `|` between, up to the end or a closing bracket: the value goes in as the last argument."""
        words, at = self._command(tokens, at)
        value = _call(words)
        while at < len(tokens) and tokens[at] == "|":
            words, at = self._command(tokens, at + 1)
            value = _call([*words, value])
        return value, at

    def _command(self, tokens: list[str], at: int) -> tuple[list[str], int]:
        words: list[str] = []
        while at < len(tokens) and tokens[at][0] not in "|)":
            if tokens[at] == "(":
                inner, at = self._commands(tokens, at + 1)
                if at >= len(tokens):
                    raise _NotCovered
                inner = f"({inner})" if " " in inner else inner
                words.append(_below(inner, tokens[at][2:]) if len(tokens[at]) > 1 else inner)
            else:
                words.append(self._operand(tokens[at], first=not words))
            at += 1
        if not words:
            raise _NotCovered
        return words, at

    def _operand(self, token: str, first: bool) -> str:
        if token[0] in '"`':
            text = go_unquote(token) if token[0] == '"' else token[1:-1]
            if any(mark in text for mark in '"\\\n\r\t'):
                return _quoted(text)
            return f'"{text}"'
        if token[0] in ".$":
            return self._field(token)
        if token[0].isdigit() or token[0] == "-":
            return token
        if token in ("true", "false") or (first and (token in _FUNCTIONS)):
            return token
        raise _NotCovered

    def _field(self, token: str) -> str:
        dot = "" if token.startswith("$") else self._dots[-1]
        path = token.lstrip("$").strip(".")
        if not path:
            if not dot or dot == "pair":
                raise _NotCovered
            return dot
        if dot == "":
            return _path("", path, _ROOT)
        if dot == "alert" or _ONE.fullmatch(dot):
            return _below(dot, path)
        if dot == "pair" and path in ("Name", "Value"):
            return path.lower()
        if _is_mapping(dot):
            return _path("", path, {}, dot)
        raise _NotCovered


_FUNCTIONS: Final = frozenset((*_OPERATORS, *_FILTERS, *_AS_IT_IS, "and", "or", "not", "join", "index"))


def _tokens(text: str) -> Iterator[str]:
    at, text = 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotCovered
        yield match[0].strip()
        at = match.end()


def _is_mapping(value: str) -> bool:
    return value in _MAPPINGS or _ONES_MAPPING.fullmatch(value) is not None


def _below(value: str, path: str) -> str:
    """A field of one alert."""
    if value != "alert" and not _ONE.fullmatch(value):
        raise _NotCovered
    return _path(f"{value}.", path, _ALERT)


def _path(prefix: str, path: str, known: dict[str, str], mapping: str = "") -> str:
    """`CommonLabels.x` -> `common_labels.x`, `Labels.SortedPairs.Values` -> `alert.labels.values()`."""
    if mapping:
        base, rest = mapping, path
    else:
        head = next((name for name in sorted(known, key=len, reverse=True) if f"{path}.".startswith(f"{name}.")), None)
        if head is None:
            raise _NotCovered
        base, rest = f"{prefix}{known[head]}", path[len(head) + 1 :]
    if not rest:
        return base
    if not _is_mapping(base):
        raise _NotCovered
    pairs = {
        "SortedPairs": f"{base} | dictsort",
        "SortedPairs.Names": f"{base}.keys()",
        "SortedPairs.Values": f"{base}.values()",
        "Names": f"{base}.keys()",
        "Values": f"{base}.values()",
    }
    if rest in pairs:
        return pairs[rest]
    if "." in rest:
        raise _NotCovered
    return f"{base}.{rest}"


def _call(words: list[str]) -> str:
    """One command, its function first."""
    name, arguments = words[0], words[1:]
    if name not in _FUNCTIONS:
        if arguments:
            raise _NotCovered
        return name
    match name, arguments:
        case (("and" | "or"), [_, _, *_]):
            return f" {name} ".join(map(_atom, arguments))
        case "not", [value]:
            return f"not {_atom(value)}"
        case "join", [separator, value]:
            return f"{_atom(value)} | join({separator})"
        case "index", [value, key] if _is_mapping(value) or (value in _LISTS and key.isdigit()):
            return f"{value}[{key}]"
        case _, [value] if name in _FILTERS:
            return f"{_atom(value)} | {_FILTERS[name]}"
        case _, [value] if name in _AS_IT_IS:
            return value
        case _, [left, right] if name in _OPERATORS:
            return f"{_atom(left)} {_OPERATORS[name]} {_atom(right)}"
        case _:
            raise _NotCovered


def _atom(value: str) -> str:
    """In brackets where it would come apart beside an operator; a chain of filters binds closely enough."""
    return value if " " not in value or _CHAIN.fullmatch(value) or _is_bracketed(value) else f"({value})"


def _is_bracketed(value: str) -> bool:
    """Whether its first bracket is closed by its last character."""
    depth = 0
    for at, rune in enumerate(value):
        depth += (rune == "(") - (rune == ")")
        if depth == 0:
            return at == len(value) - 1 and at > 0
    return False


def _quoted(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(rune, rune) for rune in text) + '"'


def _literal(text: str) -> str:
    """Text between actions: Jinja2's own marks in it would be read as such."""
    if "{%" in text or "{#" in text:
        raise _NotCovered
    return text
