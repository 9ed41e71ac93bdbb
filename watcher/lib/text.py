"""Hostile or long text made fit for a message: cleaned, cut with a count, and escaped for a channel.

Problem: pod names, labels, log lines and registry messages are written by strangers; they may ping a channel,
close a code fence, turn the reading direction, or be longer than a channel takes. Choice: `clean` once where text
comes in, `cut` before escaping, escape last. Escaping makes text longer: `fit` and the code blocks take the
channel's limit and cut so that the escaped text keeps it. Secrets are `redact`'s.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

_ANSI: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*+[0-~]?"
)
_NEW_LINE: Final = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_GAP: Final = "\u200b"
_JOINING: Final = frozenset("\u200c\u200d\ufe0e\ufe0f")

_SLACK_PING: Final = re.compile(r"@(?=here|channel|everyone)", re.IGNORECASE)
_SLACK_OPENING: Final = re.compile(r"(?<![A-Za-z0-9])[*_~](?=\S)")
_SLACK_ALIKE: Final = {"*": "\u2217", "_": "\uff3f", "~": "\u223c"}
_BACKTICK_ALIKE: Final = "\u02cb"
_DISCORD: Final = re.compile(
    r"(?P<url>https?://[A-Za-z0-9._~/?=&%+:\-]+)|(?P<mark>[\\*_~|`<>\[\]()#])|(?P<list>^[ \t]*(?:[-+]|[0-9]+\.)(?=\s))",
    re.MULTILINE,
)


def clean(text: str) -> str:
    """`text` without terminal escapes, control and direction characters; every kind of line end becomes a newline.

    Newlines and tabs stay; a lone surrogate, which no channel could encode, becomes U+FFFD. Idempotent.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _NEW_LINE.sub("\n", _ANSI.sub("", text))
    return _SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text))


def cut(text: str, limit: int) -> str:
    """At most `limit` characters: cut at a word, with ` … (N more characters)` at the end.

    Where the limit leaves no room for the count, only `…` marks the cut; a text without spaces is cut anywhere.
    """
    if len(text) <= limit:
        return text
    room = limit - len(_more(len(text)))
    if room <= 0:
        return text[: limit - 1] + "…" if limit > 0 else ""
    kept = text[: _end_of_word(text, room)].rstrip()
    return kept + _more(len(text) - len(kept))


def _more(count: int) -> str:
    return f" … ({count} more character{'' if count == 1 else 's'})"


def _end_of_word(text: str, room: int) -> int:
    """Where to end, at most `room`: after a word if one ends in the second half, never inside of a cluster."""
    if text[room].isspace():
        return room
    for at in range(room, room // 2, -1):
        if text[at - 1].isspace():
            return at
    at = room
    while at > 0 and (unicodedata.combining(text[at]) or text[at] in _JOINING or text[at - 1] == "\u200d"):
        at -= 1
    return at


def cut_middle(name: str, limit: int) -> str:
    """At most `limit` characters of a name, both ends kept: `checkout-servi…6d4cf-abcde`."""
    if len(name) <= limit:
        return name
    if limit <= 1:
        return "…"[: max(0, limit)]
    tail = (limit - 1) // 2
    return name[: limit - 1 - tail] + "…" + name[len(name) - tail :]


class CutLines(msgspec.Struct, frozen=True, kw_only=True):
    """The last lines of something longer; `missing` is how many came before them."""

    lines: tuple[str, ...]
    missing: int = 0

    @property
    def note(self) -> str:
        """`… 37 earlier lines`, empty where nothing is missing."""
        return _earlier(self.missing) if self.missing else ""

    def __str__(self) -> str:
        """The note, if any, and the lines."""
        return "\n".join([self.note, *self.lines] if self.missing else self.lines)


def _earlier(count: int) -> str:
    return f"… {count} earlier line{'' if count == 1 else 's'}"


def cut_lines(lines: Sequence[str], max_lines: int, max_chars: int) -> CutLines:
    """The last lines, at most `max_lines` of them and `max_chars` characters with newlines and the note.

    Lines are kept whole; only a last line that is too long by itself is cut, at a word.
    """
    kept: list[str] = []
    left = max_chars
    for at in range(len(lines) - 1, -1, -1):
        line = lines[at]
        note = len(_earlier(at)) + 1 if at else 0
        if len(kept) == max_lines or len(line) + bool(kept) + note > left:
            break
        kept.append(line)
        left -= len(line) + (len(kept) > 1)
    if not kept and lines and max_lines > 0:
        missing = len(lines) - 1
        note = len(_earlier(missing)) + 1 if missing else 0
        if max_chars > note:
            return CutLines(lines=(cut(lines[-1], max_chars - note),), missing=missing)
    return CutLines(lines=tuple(reversed(kept)), missing=len(lines) - len(kept))


def escape_slack(text: str) -> str:
    """For Slack's mrkdwn: `&`, `<` and `>` as entities, so that no `<!channel>`, mention or link comes to be.

    Slack cannot escape its marks: a backtick, and a `*`, `_` or `~` that would open a style, become a character
    that looks alike; `snake_case` keeps its underscores.
    """
    text = _SLACK_OPENING.sub(lambda match: _SLACK_ALIKE[match[0]], text.replace("`", _BACKTICK_ALIKE))
    return _SLACK_PING.sub("@" + _GAP, _entities(text))


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_discord(text: str) -> str:
    """For Discord's markdown: a backslash before every mark, a gap after `@`; addresses (http) stay whole."""
    return _DISCORD.sub(_escaped_discord, text).replace("@", "@" + _GAP)


def _escaped_discord(match: re.Match[str]) -> str:
    if match["url"]:
        return match["url"]
    if match["mark"]:
        return "\\" + match["mark"]
    return match["list"][:-1] + "\\" + match["list"][-1]


def escape_html(text: str) -> str:
    """For HTML text and attribute values in quotes."""
    return html.escape(text, quote=True)


def fit(text: str, limit: int, escape: Callable[[str], str]) -> str:
    """`escape(text)` in at most `limit` characters: the text is cut first, so that no escape is torn apart."""
    whole = escape(text) if len(text) <= limit else ""
    if len(text) <= limit and len(whole) <= limit:
        return whole
    low, high = 0, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(escape(cut(text, middle))) <= limit else (low, middle - 1)
    return escape(cut(text, low))


def code_block_slack(lines: Sequence[str], limit: int | None = None) -> str:
    """Lines between fences for Slack's mrkdwn; nothing in them can close the fence. No lines: no block.

    With a limit the first lines are left out until the block keeps it, and the last is cut if it must be.
    """
    return _code_block(lines, limit, lambda line: _entities(_unfenced(line)))


def code_block_discord(lines: Sequence[str], limit: int | None = None) -> str:
    """Lines between fences for Discord, as `code_block_slack`."""
    return _code_block(lines, limit, _unfenced)


def _unfenced(line: str) -> str:
    return re.sub("`(?=`)", "`" + _GAP, line)


def _code_block(lines: Sequence[str], limit: int | None, escape: Callable[[str], str]) -> str:
    fences = len("```\n\n```")
    if not lines or (limit is not None and limit <= fences):
        return ""
    if limit is None:
        kept = [escape(line) for line in lines]
    else:
        kept = []
        left = limit - fences
        for line in reversed(lines):
            shown = escape(line)
            if len(shown) + bool(kept) > left:
                break
            kept.append(shown)
            left -= len(shown) + (len(kept) > 1)
        kept = list(reversed(kept)) or [fit(lines[-1], left, escape)]
    return "```\n" + "\n".join(kept) + "\n```"
