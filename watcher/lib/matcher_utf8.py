"""The grammar of matchers since Alertmanager 0.27, with any UTF-8 name (`matcher/parse`).

`[{] matcher {, matcher} [,] [}]`; a name or a value is a run of characters that are not reserved, or a Go
string in double quotes; the value is mandatory. Errors carry columns in characters, `start:end`, and
Alertmanager's texts. The result is a list of (name, operator, value); `matchers` makes the records.
"""

from typing import Final, NamedTuple

from watcher.lib.gotext import GO_SPACE, go_unquote
from watcher.lib.matcher_classic import MatcherError

_SPACE: Final = frozenset(GO_SPACE)
_RESERVED: Final = frozenset(GO_SPACE + "{}!=~,\\\"'`")

_OPEN, _CLOSE, _COMMA, _OP, _QUOTED, _BARE = "{", "}", ",", "op", "quoted", "bare"
_NAME_OR_VALUE: Final = (_QUOTED, _BARE)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _EndOfInput(MatcherError):
    def __init__(self) -> None:
        super().__init__("end of input")


def scan_all(text: str) -> list[tuple[str, str, str]]:
    """Name, operator and value of every matcher in the text, none for an empty one; raises MatcherError."""
    return _Parser(text).parse()


class _Parser:
    """One token of look-ahead; `_end` is where the last token that was taken ended."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._found: list[tuple[str, str, str]] = []

    def parse(self) -> list[tuple[str, str, str]]:
        braced = self._is_next(_OPEN)
        if braced:
            self._take(_OPEN)
        if self._peek() is not None and not self._is_next(_CLOSE):
            self._matchers()
        if braced:
            self._close()
        elif self._is_next(_CLOSE):
            self._take(_CLOSE)
            raise MatcherError(f"0:{self._end}: }}: expected opening brace")
        rest = self._peek()
        if rest is not None:
            raise MatcherError(f"{rest.start}:{rest.end}: {rest.text}: expected end of input")
        return self._found

    def _matchers(self) -> None:
        while True:
            self._found.append(self._matcher())
            try:
                following = self._expect(_COMMA, _CLOSE)
            except _EndOfInput:
                return
            except MatcherError as error:
                raise MatcherError(f"{error}: expected a comma or close brace") from None
            if following.kind == _CLOSE:
                return
            self._take(_COMMA)
            try:
                following = self._expect(_CLOSE, *_NAME_OR_VALUE)
            except _EndOfInput:
                return
            except MatcherError as error:
                raise MatcherError(f"{error}: expected a matcher or close brace after comma") from None
            if following.kind == _CLOSE:
                return

    def _matcher(self) -> tuple[str, str, str]:
        name = self._unquoted(self._part("expected label name", *_NAME_OR_VALUE))
        op = self._part("expected an operator such as '=', '!=', '=~' or '!~'", _OP)
        value = self._unquoted(self._part("expected label value", *_NAME_OR_VALUE))
        return name, op.text, value

    def _close(self) -> None:
        try:
            self._take(_CLOSE)
        except MatcherError as error:
            raise MatcherError(f"0:{self._end}: {error}: expected close brace") from None

    def _part(self, expected: str, *kinds: str) -> _Token:
        try:
            return self._take(*kinds)
        except MatcherError as error:
            raise MatcherError(f"{error}: {expected}") from None

    def _unquoted(self, token: _Token) -> str:
        if token.kind == _BARE:
            return token.text
        try:
            return go_unquote(token.text)
        except ValueError:
            raise MatcherError(f"{token.start}:{token.end}: {token.text}: invalid input") from None

    def _is_next(self, kind: str) -> bool:
        token = self._peek()
        return token is not None and token.kind == kind

    def _take(self, *kinds: str) -> _Token:
        token = self._expect(*kinds)
        self._end = token.end
        return token

    def _expect(self, *kinds: str) -> _Token:
        token = self._peek()
        if token is None:
            raise _EndOfInput
        if token.kind not in kinds:
            raise MatcherError(f"{token.start}:{token.end}: unexpected {token.text}")
        return token

    def _peek(self) -> _Token | None:
        text, at = self._text, self._end
        while at < len(text) and text[at] in _SPACE:
            at += 1
        return None if at == len(text) else _scan(text, at)


def _scan(text: str, at: int) -> _Token:
    """The token that begins at `at`, which is no space."""
    rune = text[at]
    if rune in "{},":
        return _Token(rune, rune, at, at + 1)
    if rune in "=!":
        return _scan_operator(text, at)
    if rune == '"':
        return _scan_quoted(text, at)
    end = at
    while end < len(text) and text[end] not in _RESERVED:
        end += 1
    if end == at:
        raise MatcherError(f"{at}:{at + 1}: {rune}: invalid input")
    return _Token(_BARE, text[at:end], at, end)


def _scan_operator(text: str, at: int) -> _Token:
    pair = text[at : at + 2]
    if pair in ("=~", "!=", "!~"):
        return _Token(_OP, pair, at, at + 2)
    if pair[0] == "=":
        return _Token(_OP, "=", at, at + 1)
    if len(pair) == 1:
        raise MatcherError(f"{at}:{at + 1}: unexpected end of input, expected one of '=~'")
    raise MatcherError(f"{at}:{at + 1}: !: expected one of '=~'")


def _scan_quoted(text: str, at: int) -> _Token:
    end = at + 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise MatcherError(f'{at}:{len(text)}: {text[at:]}: missing end "')
    return _Token(_QUOTED, text[at : end + 1], at, end + 1)
