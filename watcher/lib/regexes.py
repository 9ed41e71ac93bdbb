"""Regexes with Go's meaning in linear time: Google's RE2, asked once per text and kept.

Python's `re` knows look-around and backreferences that Go refuses, matches `$` before a last newline, takes
any Unicode digit for `\\d`, and can take exponential time on hostile input; RE2 does none of that. RE2's
messages are translated into the words of Go's regexp/syntax, which people know from Alertmanager's errors.
"""

from functools import lru_cache
from typing import Any, Final

import re2

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False

_BYTES: Final = re2.Options()
_BYTES.log_errors = False
_BYTES.encoding = re2.Options.Encoding.LATIN1

_GO_WORDS: Final = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "bad repetition operator": "invalid nested repetition operator",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "invalid named capture group": "invalid named capture",
    "trailing \\ at end of regexp": "trailing backslash at end of expression",
    "pattern too large - compile failed": "expression too large",
}


class RegexError(ValueError):
    """RE2 refuses the text; the message is Go's: ``error parsing regexp: missing closing ]: `[)$` ``."""


class Regex:
    """A compiled regex; equal texts share one."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        """Compile `text`; raises RegexError."""
        self.text = text
        try:
            self._compiled: Any = re2.compile(text.encode("utf-8"), _OPTIONS)
        except re2.error as error:
            raise RegexError(_in_gos_words(error)) from None
        except UnicodeEncodeError:
            raise RegexError("error parsing regexp: invalid UTF-8") from None

    def found_in(self, value: str) -> bool:
        """Whether the regex matches anywhere in `value`; anchors are the author's."""
        return self._compiled.search(value.encode("utf-8", "replace")) is not None

    def __repr__(self) -> str:
        return f"Regex({self.text!r})"


@lru_cache(maxsize=4096)
def compile_regex(text: str) -> Regex:
    """The regex of this text, compiled at most once while it is in use; raises RegexError."""
    return Regex(text)


def _in_gos_words(error: Exception) -> str:
    raw = error.args[0] if error.args else b""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    for theirs, gos in _GO_WORDS.items():
        if text == theirs:
            return f"error parsing regexp: {gos}"
        if text.startswith(theirs + ": "):
            return f"error parsing regexp: {gos}: `{text[len(theirs) + 2 :]}`"
    what, colon, where = text.partition(": ")
    return f"error parsing regexp: {what}: `{where}`" if colon else f"error parsing regexp: {what}"


def compile_bytes(pattern: str) -> Any:
    """A google-re2 pattern over bytes, one byte a character (Latin-1), for our own constant patterns.

    For work on text of any size: no decoding of offsets, and text that is no UTF-8 is fine.
    """
    return re2.compile(pattern.encode("latin-1"), _BYTES)
