"""Named Go templates: read out of their files, and put in where a text names them, so that the text can be translated.

Only what cannot change its meaning is put in: `{{ template "x" . }}` with the dot itself, and a body with `$` only
where the dot is still the notification. Everything else stays as it is, and has no translation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from watcher.settings.gotemplates import ACTION

_DEFINE: Final = re.compile(r"define\s+\"([^\"]+)\"")
_USE: Final = re.compile(r"template\s+\"([^\"]+)\"\s+\.")
_OPENS: Final = re.compile(r"(range|if|with|define|block)\b")
_DEEPEST: Final = 8
_MOST: Final = 100


def defined(text: str) -> dict[str, str]:
    """The bodies of `{{ define "name" }}…{{ end }}` in the text, by name."""
    found: dict[str, str] = {}
    depth, name, begin = 0, "", 0
    trims = False
    for match in ACTION.finditer(text):
        left, action, right = match.groups()
        if _OPENS.match(action):
            define = _DEFINE.fullmatch(action)
            if depth == 0 and define is not None:
                name, begin, trims = define[1], match.end(), bool(right)
            depth += 1
        elif action == "end" and depth:
            depth -= 1
            if depth == 0 and name:
                body = text[begin : match.start()]
                body = body.lstrip() if trims else body
                found[name], name = body.rstrip() if left else body, ""
    return found


def inlined(text: str, named: Mapping[str, str]) -> str:
    """The text with named templates in place of their names; what is too deep or too much stays a name."""
    return _Uses(named).inlined(text, 0)


class _Uses:
    """Named templates that one text uses; `left` bounds how many, as they may name each other."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = named
        self._left = _MOST

    def inlined(self, text: str, depth: int) -> str:
        parts: list[str] = []
        scopes: list[str] = []
        at = 0
        trims = False
        for match in ACTION.finditer(text):
            left, action, right = match.groups()
            literal = text[at : match.start()]
            literal = literal.lstrip() if trims else literal
            body = self._body(action, "range" in scopes or "with" in scopes, depth)
            trims = bool(right) and body is not None
            parts += (literal, match[0]) if body is None else (literal.rstrip() if left else literal, body)
            at = match.end()
            if opens := _OPENS.match(action):
                scopes.append(opens[1])
            elif action == "end" and scopes:
                scopes.pop()
        rest = text[at:]
        return "".join((*parts, rest.lstrip() if trims else rest))

    def _body(self, action: str, nested: bool, depth: int) -> str | None:
        """What stands in the place of the action; None: the action itself."""
        use = _USE.fullmatch(action)
        if use is None or use[1] not in self._named or depth >= _DEEPEST or not self._left:
            return None
        self._left -= 1
        body = self.inlined(self._named[use[1]], depth + 1)
        uses_root = any("$" in match[2] for match in ACTION.finditer(body))
        return None if nested and uses_root else body
