"""Go's text habits that Alertmanager's formats show: double-quoted strings (`%q`) and what counts as a space.

Follows strconv.Quote, strconv.Unquote and unicode.IsSpace. `str.isprintable` is Go's `unicode.IsPrint`
(letters, marks, numbers, punctuation, symbols and the ASCII space) but for characters younger than either's
Unicode tables.
"""

import re
from typing import Final

GO_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""The White_Space property; Python's own `isspace` also takes U+001C to U+001F."""

_SHORT: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_LONG: Final = {escape[1]: rune for rune, escape in _SHORT.items()}
_ESCAPE: Final = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|(?P<o>[0-7]{3})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<s>.?))",
    re.DOTALL,
)


def go_quote(text: str) -> str:
    """`text` in double quotes as Go's `%q` prints it: unprintable characters become escapes."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(rune: str) -> str:
    if rune in _SHORT:
        return _SHORT[rune]
    if rune.isprintable():
        return rune
    code = ord(rune)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def go_unquote(quoted: str) -> str:
    """Read a Go string literal in double quotes.

    Raises ValueError for anything else: a missing quote, a bare newline, an unknown escape, a surrogate or
    bytes (`\\xf0\\x9f`) that are no UTF-8 together.
    """
    body = quoted[1:-1]
    if len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"' or "\n" in body:
        raise ValueError("not a string in double quotes")
    if "\\" not in body:
        if '"' in body:
            raise ValueError("a double quote inside a string needs a backslash")
        return body
    parts: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(body):
        parts += (_plain(body[at : match.start()]), _unescaped(match))
        at = match.end()
    parts.append(_plain(body[at:]))
    return b"".join(parts).decode("utf-8")


def _plain(text: str) -> bytes:
    if '"' in text:
        raise ValueError("a double quote inside a string needs a backslash")
    return text.encode("utf-8")


def _unescaped(match: re.Match[str]) -> bytes:
    if match["x"]:
        return bytes([int(match["x"], 16)])
    if match["o"]:
        return bytes([int(match["o"], 8)])
    if point := match["u"] or match["U"]:
        return chr(int(point, 16)).encode("utf-8")
    if match["s"] not in _LONG or not match["s"]:
        raise ValueError(f"unknown escape \\{match['s']}")
    return _LONG[match["s"]].encode("utf-8")
