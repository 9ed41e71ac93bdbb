"""Secrets in texts that come from a cluster (logs, termination messages, events) become `[redacted]`.

Problem: a crash log holds bearer tokens, passwords in URLs, cloud keys, private keys; it is stored and sent
to chats. Choice: known forms by pattern, and values by the name they stand under (`secretnames` judges).
Everything runs in RE2 over bytes, so that time is linear in hostile input; what is cut at either end of a
log tail counts too. Idempotent: `[redacted]` is never changed again. Entropy alone is no reason: image
digests, pod names and trace ids must stay readable.
"""

import base64
import binascii
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any, Final

from watcher.lib.regexes import compile_bytes
from watcher.lib.secretnames import Place, is_secret

REDACTED: Final = "[redacted]"

_MARK: Final = REDACTED.encode()
_OPENERS: Final = {b")": b"(", b"]": b"[", b"}": b"{", b",": b"\n", b"\\": b"\n"}
"""What would have to stand in a value for its last character to be a part of it."""
_Replace = Callable[[Any], bytes]

_SHORT: Final = 500
"""Characters up to which Python's own matcher is quicker than a call of RE2, which also lets go of the GIL."""

_MAX_KEY_BLOCK: Final = 20_000
"""Bytes between BEGIN and END: a 16,384-bit RSA key takes 12,700 in PEM, and log prefixes come on top."""

_BEGIN: Final = compile_bytes(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END: Final = compile_bytes(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BREAK: Final = r"(?:\\+[nr]|[\r\n])"
_KEY_LINE: Final = r"(?:[^\r\n\\]{0,64}[ \t\"'])?[A-Za-z0-9+/]{32,}={0,2}[ \t\"',+]*"
_LAST_LINE: Final = r"(?:[^\r\n\\]{0,64}[ \t\"'])?[A-Za-z0-9+/]{1,76}={0,2}[ \t\"',+]*"
_CUT_TAIL: Final = compile_bytes(
    rf"(?m)(?:[ \t\"',+]*{_BREAK}+(?:[^\r\n\\]{{0,64}}(?:Proc-Type|DEK-Info|Version|Comment):[^\r\n\\]*|{_KEY_LINE}))*"
    rf"(?:[ \t]+[A-Za-z0-9+/]{{32,}}={{0,2}})*"
    rf"(?:{_BREAK}+(?:[A-Za-z0-9+/]{{24,63}}|[A-Za-z0-9+/]{{1,63}}={{1,2}})[ \t]*(?:\r?$|\\))?"
)
_CUT_HEAD: Final = compile_bytes(
    rf"(?:(?:{_KEY_LINE}{_BREAK}+)*(?:{_LAST_LINE}{_BREAK}+))?[^\r\n\\]{{0,64}}"
    r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
)

_WORDS: Final = ("pass", "pwd", "secret", "token", "credential", "key")
"""Every name of a secret holds one of them."""
_NAME: Final = (
    r"[A-Za-z0-9_.\-]*(?:passw(?:or)?d|passphrase|pwd|pass|secret|token|credential|"
    r"(?:api|access|private|secret|signing|encryption|master|account|shared|auth|storage|license|service)[_.\-]?key)"
    r"[A-Za-z0-9_\-]*"
)
_VALUE: Final = (
    r"(\\*[\"'])|([|>][+\-]?[ \t]*(?:\r?\n[ \t]+[^\r\n]*)+)|"
    r"([^\s\"'&;,=<>\[{(\\|][^\s\"'&;<>]*)"
)
_SEPARATOR: Final = r"\\*[\"']?[ \t]*(?:={1,3}|:=|=>|:)[ \t]*"
_NAMED: Final = compile_bytes(rf"(?i)({_NAME})({_SEPARATOR})(?:{_VALUE})")
_FLAG: Final = compile_bytes(rf"(?i)-(-{_NAME})([ \t]+)(?:{_VALUE})")
_AT_NAME, _AT_SEPARATOR, _AT_QUOTE, _AT_BLOCK, _AT_BARE = range(1, 6)
_IN_DOUBLE: Final = compile_bytes(r"(?:[^\"\\\r\n]|\\[^\r\n])*")
_IN_SINGLE: Final = compile_bytes(r"(?:[^'\\\r\n]|\\[^\r\n])*")
_IN_ESCAPED: Final = compile_bytes(r"[^\"'\\\r\n]*(?:\\+[^\"'\\\r\n][^\"'\\\r\n]*)*")


def redact(text: str) -> str:
    """`text` with every secret that is recognised replaced by `[redacted]`; never raises, any length."""
    lowered = text.lower()
    if not _has_sign(lowered):
        return text
    data = text.encode("utf-8", "surrogatepass")
    if "PRIVATE KEY" in text:
        data = _without_key_blocks(data)
    for signs, needs, pattern, replace in _RULES:
        if any(map(lowered.__contains__, signs)) and all(map(lowered.__contains__, needs)):
            data = pattern.sub(replace, data)
    if any(map(lowered.__contains__, _WORDS)):
        if "--" in lowered:
            data = _without_named(_FLAG, data)
        if ":" in lowered or "=" in lowered:
            data = _without_named(_NAMED, data)
    return data.decode("utf-8", "surrogatepass")


def _has_sign(lowered: str) -> bool:
    """Whether it holds one of the words without which no pattern here matches; few texts do."""
    if len(lowered) <= _SHORT:
        return _SIGNS.search(lowered) is not None
    return _SIGNS_OF_LONG.search(lowered.encode("utf-8", "surrogatepass")) is not None


def _without_key_blocks(data: bytes) -> bytes:
    """Blocks from BEGIN to END; where one of them was cut off, what looks like key material beside the other."""
    ends = [match.span() for match in _END.finditer(data)]
    starts = [start for start, _ in ends]
    pieces: list[bytes] = []
    at = 0
    for begin in _BEGIN.finditer(data):
        if begin.start() < at:
            continue
        following = bisect_left(starts, begin.end())
        if following < len(ends) and ends[following][1] - begin.start() <= _MAX_KEY_BLOCK:
            stop = ends[following][1]
        else:
            stop = _CUT_TAIL.match(data, begin.end()).end()
        pieces += (data[at : begin.start()], _MARK)
        at = stop
    pieces.append(data[at:])
    data = b"".join(pieces)
    return _without_tails(data) if ends else data


def _without_tails(data: bytes) -> bytes:
    """Where the head of a block was cut off."""
    pieces: list[bytes] = []
    done = 0
    for match in _CUT_HEAD.finditer(data):
        start = match.start()
        while start > done and 0x80 <= data[start] < 0xC0:  # within a character of several bytes
            start -= 1
        pieces += (data[done:start], _MARK)
        done = match.end()
    return b"".join([*pieces, data[done:]])


def _without_named(pattern: Any, data: bytes) -> bytes:
    pieces: list[bytes] = []
    done = at = 0
    while (match := pattern.search(data, at)) is not None:
        start, stop = _span_of_value(data, match)
        at = max(stop, match.end())
        if _hides(data, match, start, stop):
            pieces += (data[done:start], _MARK)
            done = stop
    return b"".join([*pieces, data[done:]]) if pieces else data


def _span_of_value(data: bytes, match: Any) -> tuple[int, int]:
    start, stop = match.span(_AT_QUOTE)
    if start >= 0:
        inner = {b'"': _IN_DOUBLE, b"'": _IN_SINGLE}.get(data[start:stop], _IN_ESCAPED)
        return stop, inner.match(data, stop).end()
    start, stop = match.span(_AT_BLOCK)
    if start >= 0:
        return start, stop
    start, stop = match.span(_AT_BARE)
    value = data[start:stop]
    comma = value.find(b",")
    if comma > 0 and b"=" in value[comma:]:
        stop = start + comma
    return start, start + len(_without_closers(data[start:stop]))


def _without_closers(value: bytes) -> bytes:
    """Commas, backslashes and brackets at the end belong to the value only where the bracket opened inside."""
    while len(value) > 1 and (opener := _OPENERS.get(value[-1:])) is not None and opener not in value:
        value = value[:-1]
    return value


def _hides(data: bytes, match: Any, start: int, stop: int) -> bool:
    value = data[start:stop]
    separator = bytes(match.group(_AT_SEPARATOR))
    sign = separator.strip(b" \t\\\"'")
    is_quoted = match.start(_AT_QUOTE) >= 0
    is_flag = not sign
    if value.startswith(_MARK) or (is_flag and value.startswith(b"-")):
        return False
    if sign == b":" and not is_quoted and separator.lstrip(b"\\\"'").startswith((b" ", b"\t")):
        return False
    place = Place(
        is_assigned=sign != b":",
        is_quoted=is_quoted or match.start(_AT_BLOCK) >= 0,
        is_structured=separator[:1] in (b"\\", b'"', b"'") or _is_structured(data, match.start()),
        has_more=_has_more(data, match.start(), stop),
    )
    return is_secret(match.group(_AT_NAME).decode("latin-1"), value.decode("latin-1"), place)


def _has_more(data: bytes, start: int, stop: int) -> bool:
    """Whether a sentence goes on after the value; inside of brackets a comma begins the next pair instead."""
    following = data[stop : stop + 4]
    if following[:1] in b",.;" and data[start - 1 : start] not in (b"{", b"(", b"[", b",", b" "):
        following = following[1:]
    return following[:1] in (b" ", b"\t") and following.strip(b" \t")[:1].isalpha()


def _is_structured(data: bytes, start: int) -> bool:
    before = data[max(0, start - 80) : start].rstrip(b" \t")
    if not before:
        return start <= 80
    return before[-1] in b"\r\n{[(,;&?\"'|" or before.endswith((b"\n-", b" -")) or before == b"-"


def _keep_first(match: Any) -> bytes:
    return bytes(match.group(1)) + _MARK


def _credentials(match: Any) -> bytes:
    return bytes(match.group(1)) + _MARK + b"@"


def _header(match: Any) -> bytes:
    name, scheme, value = match.group(1), match.group(2) or b"", match.group(3)
    is_random = len(value) >= 6 and any(rune in b"0123456789" for rune in value)
    if value.startswith(_MARK[:-1]) or not (scheme or is_random):
        return bytes(match.group(0))
    return bytes(name + scheme + _MARK)


def _bearer(match: Any) -> bytes:
    value = match.group(2)
    is_random = len(value) >= 20 or any(rune in b"0123456789" for rune in value)
    return _keep_first(match) if is_random else bytes(match.group(0))


def _basic(match: Any) -> bytes:
    return _keep_first(match) if _is_user_and_password(match.group(2)) else bytes(match.group(0))


def _is_user_and_password(encoded: bytes) -> bool:
    try:
        return b":" in base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        return False


def _user_flag(match: Any) -> bytes:
    return bytes(match.group(0)) if match.group(2).isdigit() else _keep_first(match)


def _in_prose(match: Any) -> bytes:
    value = match.group(2)
    is_hex = all(rune in b"0123456789abcdefABCDEF" for rune in value)
    mixed = any(48 <= rune <= 57 for rune in value) and any(65 <= rune <= 90 for rune in value)
    return _keep_first(match) if is_hex or mixed else bytes(match.group(0))


_TOKENS: Final = (
    r"\b(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{16}(?:[\s:,;|/\"'=]{1,5}[A-Za-z0-9/+]{40}\b|\b)",
    r"\beyJ[A-Za-z0-9_\-+/]{8,}={0,2}\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)*",
    r"\beyJ[A-Za-z0-9_\-+/]{40,}={0,2}",
    r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9\-]{8,}",
    r"\bxapp-[0-9]+-[A-Za-z0-9\-]{8,}",
    r"\bgh[pousr]_[A-Za-z0-9]{16,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_\-]{16,}",
    r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}",
    r"\bsk-(?:proj-|ant-|svcacct-)[A-Za-z0-9_\-]{20,}",
    r"\bAIza[A-Za-z0-9_\-]{35}",
    r"\bbot[0-9]{6,}:[A-Za-z0-9_\-]{30,}",
)

_SPACED: Final = tuple(f"{word}{space}" for word in ("token", "secret", "password", "passwd", "key") for space in " \t")
_OF_TOKENS: Final = (
    *("akia", "asia", "aroa", "aida", "abia", "acca", "eyj", "xox", "xapp-"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("k_live_", "k_test_", "sk-proj-", "sk-ant-", "sk-svcacct-", "aiza", "bot"),
)
_Words = tuple[str, ...]
_RULES: Final[tuple[tuple[_Words, _Words, Any, _Replace], ...]] = (
    (
        ("@",),
        ("://",),
        compile_bytes(r"(?i)([a-z][a-z0-9+.\-]*://[^\s/:@\"'<>\[\]]*:)[^\s/\"'<>]+@"),
        _credentials,
    ),
    (
        ("@",),
        ("://",),
        compile_bytes(
            r"(?i)([a-z][a-z0-9+.\-]*://[^\s/:@\"'<>\[\]]*:)[^\s\"'<>@/]*[^\s\"'<>@/0-9\[\]][^\s\"'<>@]*/[^\s\"'<>@]*@"
        ),
        _credentials,
    ),
    (("@",), ("://",), compile_bytes(r"(?i)([a-z][a-z0-9+.\-]*://)[A-Za-z0-9_\-]{20,}@"), _credentials),
    (
        ("hooks.slack",),
        (),
        compile_bytes(r"(?i)(hooks\.slack(?:-gov)?\.com\\?/(?:services|workflows|triggers)\\?/)[^\s\"'<>\[\]]+"),
        _keep_first,
    ),
    (
        ("discord",),
        ("webhooks",),
        compile_bytes(r"(?i)(discord(?:app)?\.com\\?/api\\?/(?:v[0-9]+\\?/)?webhooks\\?/)[^\s\"'<>\[\]]+"),
        _keep_first,
    ),
    (
        ("authorization",),
        (),
        compile_bytes(
            r"(?i)((?:proxy-)?authorization\\*[\"']?[ \t]*[:=][ \t]*\[?\\*[\"']?)"
            r"((?:digest|aws4-hmac-sha256|hawk)[ \t]+)([^\r\n]+)"
        ),
        _header,
    ),
    (
        ("authorization",),
        (),
        compile_bytes(
            r"(?i)((?:proxy-)?authorization\\*[\"']?[ \t]*[:=][ \t]*\[?\\*[\"']?)"
            r"((?:bearer|basic|token|negotiate|ntlm|apikey|key)[ \t]+)?([^\s\"'\\\],]+)"
        ),
        _header,
    ),
    (
        ("cookie",),
        (":", "="),
        compile_bytes(r"(?i)(\bcookie\\*[\"']?:[ \t]*\[?\\*[\"']?)[^\r\n\"'\]\[]+=[^\r\n\"'\]\[]+"),
        _keep_first,
    ),
    (("bearer ", "bearer\t"), (), compile_bytes(r"(?i)(\bbearer[ \t]+)([A-Za-z0-9._~+/\-]{8,}=*)"), _bearer),
    (("basic ", "basic\t"), (), compile_bytes(r"(?i)(\bbasic[ \t]+)([A-Za-z0-9+/]{8,}={0,2})"), _basic),
    (
        ('"auth',),
        (":",),
        compile_bytes(r"(\"auth\\*\"[ \t]*:[ \t]*\\*\")([A-Za-z0-9+/]{8,}={0,2})"),
        _basic,
    ),
    (
        ("-u ", "-u\t", "-u=", "-user ", "-user\t", "-user="),
        (":",),
        compile_bytes(r"(\s(?:-u|--user)[ \t=]+[\"']?[^\s:\"']+:)([^\s\"']+)"),
        _user_flag,
    ),
    (
        ("sig=", "signature="),
        (),
        compile_bytes(r"(?i)([?&](?:sig|signature|x-amz-signature)=)[^\s&\"'<>\[]+"),
        _keep_first,
    ),
    (
        _SPACED,
        (),
        compile_bytes(
            r"(?i)(\b(?:token|secret|password|passwd|(?:api|access)[ _\-]?key)[ \t]+(?:(?:is|was)[ \t]+)?[\"'`]?)"
            r"([A-Fa-f0-9]{32,}|[A-Za-z0-9+/_\-]{32,}={0,2})"
        ),
        _in_prose,
    ),
    (_OF_TOKENS, (), compile_bytes("|".join(_TOKENS)), lambda _: _MARK),
)
"""In lower case: the words of which every match holds one, and others that it holds too. Then the pattern."""


def _any_of(words: Iterable[str]) -> str:
    """A pattern that divides by the first letter: Python's matcher would try word after word at every place."""
    by_first: dict[str, list[str]] = {}
    for word in sorted({*words}):
        by_first.setdefault(word[0], []).append(re.escape(word[1:]))
    return "|".join(f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in by_first.items())


_SIGNS_PATTERN: Final = _any_of((*_WORDS, *(sign for signs, *_ in _RULES for sign in signs)))
_SIGNS: Final = re.compile(_SIGNS_PATTERN)
_SIGNS_OF_LONG: Final = compile_bytes(_SIGNS_PATTERN)
