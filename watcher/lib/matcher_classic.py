"""The classic grammar of matchers, the only one until Alertmanager 0.27 (`pkg/labels/parse.go`).

One matcher is a name, an operator and a value that may stand in double quotes; in it `\\n`, `\\"` and
`\\\\` are escapes and any other backslash is itself. A list is divided at the commas outside of quotes.
Texts of errors are Alertmanager's. The result is (name, operator, value); `matchers` makes the records.
"""

import re
from typing import Final

from watcher.lib.gotext import GO_SPACE

_RE2_SPACE: Final = "\t\n\f\r "
_HEAD: Final = re.compile(r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)")


class MatcherError(ValueError):
    """A text that is no matcher; the message is Alertmanager's."""


def scan_one(text: str) -> tuple[str, str, str]:
    """Name, operator and value of one matcher; raises MatcherError."""
    head = _HEAD.match(text)
    if head is None:
        raise MatcherError(f"bad matcher format: {text}")
    return head[1], head[2], _unescape(text[head.end() :].strip(_RE2_SPACE))


def split(text: str) -> list[str]:
    """The texts of the matchers in a list; a `{` before, a `}` behind and a comma at the end are dropped."""
    text = text.removeprefix("{").removesuffix("}")
    parts: list[str] = []
    quoted = escaped = False
    start = 0
    for at, rune in enumerate(text):
        if rune == ",":
            if not quoted:
                parts.append(text[start:at])
                start = at + 1
        elif rune == '"':
            quoted ^= not escaped
            escaped = False
        elif rune == "\\":
            escaped = not escaped
        else:
            escaped = False
    if last := text[start:].strip(GO_SPACE):
        parts.append(last)
    return parts


def _unescape(raw: str) -> str:
    try:
        raw.encode("utf-8")
    except UnicodeEncodeError:
        raise MatcherError(f"matcher value not valid UTF-8: {raw!r}") from None
    body = raw.removeprefix('"')
    open_quote = len(body) < len(raw)
    value: list[str] = []
    escaped = False
    for at, rune in enumerate(body):
        last = at == len(body) - 1
        if escaped:
            escaped = False
            value.append({"n": "\n", '"': '"', "\\": "\\"}.get(rune, "\\" + rune))
        elif rune == "\\" and not last:
            escaped = True
        elif rune == '"':
            if not open_quote or not last:
                raise MatcherError(f"matcher value contains unescaped double quote: {raw}")
            open_quote = False
        else:
            value.append(rune)
    if open_quote:
        raise MatcherError(f"matcher value contains unescaped double quote: {raw}")
    return "".join(value)
