"""A message as an HTML page for mail.

Everything is inline and in one table of at most 600 px, since mail programs drop style sheets and know little of CSS
(https://www.caniemail.com); the only sheet turns the colours where a reader's program is dark and reads it. Nothing is
loaded from anywhere. Before the message stands a hidden line, which lists show beside the subject. Gmail cuts a mail
off at 102 KB: what would be longer ends with a count of what is missing, which the text part has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from watcher.lib.text import cut, escape_html
from watcher.model.message import Block, Heading, Link, Links, Log, Mark, Message, Span, Text
from watcher.notify.plain import heading_line, skipped_words

COLOURS: Final = {
    Mark.CRITICAL: 0xCC2936,
    Mark.WARNING: 0xE07B00,
    Mark.INFO: 0x1F6FEB,
    Mark.RECOVERED: 0x2DA44E,
    Mark.CLOSED: 0x8C959F,
}
"""The colours of the marks, as numbers 0xRRGGBB."""

LIMIT: Final = 96_000
"""Bytes of a page."""

_INK: Final = {
    Mark.CRITICAL: "#b3202c",
    Mark.WARNING: "#a85300",
    Mark.INFO: "#1a5fcc",
    Mark.RECOVERED: "#1a7f37",
    Mark.CLOSED: "#57606a",
}
"""Darker: white words on them have a contrast of 5 and more (WCAG AA wants 4.5)."""

_FACE: Final = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_FIXED: Final = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace"
_LONG_WORDS: Final = "word-break:break-word;overflow-wrap:anywhere"
_PREHEADER: Final = 180
_TABLE: Final = 'role="presentation" cellpadding="0" cellspacing="0" border="0"'

_HEAD: Final = """<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<style>
:root{color-scheme:light dark}
@media (prefers-color-scheme:dark){
.w-page{background:#0d1117!important}
.w-card{background:#161b22!important}
.w-text{color:#e6edf3!important}
.w-quiet{color:#9198a1!important}
.w-code{background:#262c36!important;color:#e6edf3!important}
.w-line{border-color:#30363d!important}
.w-link{color:#6cb6ff!important}
}
</style>"""


def page(message: Message, preheader: str = "", limit: int = LIMIT) -> str:
    """`preheader`: what a list of mails shows beside the subject; empty: the message's first line."""
    hidden = (
        '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all;font-size:1px;line-height:1px;opacity:0">'
        f"{escape_html(cut(preheader or heading_line(message.heading), _PREHEADER))}{'&#8199;&#847; ' * 20}</div>"
    )
    start = (
        f'<!DOCTYPE html>\n<html lang="en"><head>\n{_HEAD}\n'
        f"<title>{escape_html(message.heading.title)}</title>\n</head>\n"
        f'<body class="w-page" style="margin:0;padding:0;background:#f3f4f6">\n{hidden}\n'
        f'<table {_TABLE} width="100%" class="w-page" style="background:#f3f4f6"><tr>'
        '<td align="center" style="padding:16px 8px">\n'
        f'<table {_TABLE} width="600" class="w-card" style="width:100%;max-width:600px;background:#ffffff;'
        f'border-top:4px solid #{COLOURS[message.heading.mark]:06x};border-radius:6px"><tr>\n'
        f'<td class="w-text" align="left" style="padding:18px 20px 20px;{_FACE};font-size:15px;line-height:1.45;'
        f'color:#1f2328;{_LONG_WORDS}">\n'
    )
    end = "\n</td></tr></table>\n</td></tr></table>\n</body></html>\n"
    parts = [_title(message.heading), *map(block_html, message.blocks)]
    room = limit - _size(start) - _size(end)
    return start + "\n".join(_fitting(parts, message.blocks, room)) + end


def block_html(block: Block) -> str:
    match block:
        case Heading():
            return _section(block)
        case Text():
            return f'<p style="margin:0 0 8px">{"".join(_span(span) for span in block.spans)}</p>'
        case Log():
            return _log(block)
        case Links():
            shown = " &nbsp;·&nbsp; ".join(_link(link) for link in block.links)
            return f'<p style="margin:12px 0 0">{shown}</p>'


def _title(heading: Heading) -> str:
    margin = "8px 0 4px" if heading.place else "8px 0 14px"
    style = f"margin:{margin};font-size:20px;line-height:1.3;font-weight:600"
    lines = [_badge(heading.mark, 12), f'<h1 style="{style}">{escape_html(heading.title)}</h1>']
    if heading.place:
        style = "margin:0 0 14px;font-size:14px;color:#57606a"
        lines.append(f'<p class="w-quiet" style="{style}">{escape_html(heading.place)}</p>')
    return "\n".join(lines)


def _section(heading: Heading) -> str:
    """The first line of one alert among several."""
    place = (
        f' <span class="w-quiet" style="color:#57606a">— {escape_html(heading.place)}</span>' if heading.place else ""
    )
    return (
        '<p class="w-line" style="margin:14px 0 6px;padding:12px 0 0;border-top:1px solid #d8dee4;font-size:16px">'
        f"{_badge(heading.mark, 11)} <b>{escape_html(heading.title)}</b>{place}</p>"
    )


def _badge(mark: Mark, size: int) -> str:
    """State or severity as a word on its colour."""
    return (
        f'<span style="background:{_INK[mark]};color:#ffffff;border-radius:3px;padding:2px 7px;font-size:{size}px;'
        f'font-weight:600;letter-spacing:.4px;white-space:nowrap">{mark.value.upper()}</span>'
    )


def _log(log: Log) -> str:
    earlier = f"({skipped_words(log.skipped)})\n" if log.skipped else ""
    return (
        f'<table {_TABLE} width="100%" style="margin:4px 0 10px;table-layout:fixed"><tr>'
        '<td class="w-code" style="background:#f0f2f5;padding:10px 12px;border-radius:4px">'
        f'<pre style="margin:0;{_FIXED};font-size:12.5px;line-height:1.5;white-space:pre-wrap;{_LONG_WORDS}">'
        f"{escape_html(earlier + chr(10).join(log.lines))}</pre></td></tr></table>"
    )


def _link(link: Link) -> str:
    """Only web addresses are links: others could run something."""
    label = escape_html(link.label)
    if not link.url.lower().startswith(("https://", "http://")):
        return f"{label}: {escape_html(link.url)}"
    return f'<a class="w-link" href="{escape_html(link.url)}" style="color:#0b5cad">{label}</a>'


def _span(span: Span) -> str:
    text = escape_html(span.text)
    if span.code:
        style = f"{_FIXED};font-size:13px;background:#f0f2f5;border-radius:3px;padding:1px 4px"
        return f'<code class="w-code" style="{style}">{text}</code>'
    return f"<b>{text}</b>" if span.bold else text


def _fitting(parts: Sequence[str], blocks: Sequence[Block], room: int) -> Iterator[str]:
    """As many parts as fit, with a count of the alerts or lines that do not. `blocks` are those of parts[1:]."""
    if sum(_size(part) + 1 for part in parts) <= room:
        yield from parts
        return
    room -= 200
    for at, part in enumerate(parts):
        room -= _size(part) + 1
        if room < 0:
            missing = blocks[max(at - 1, 0) :]
            alerts = sum(isinstance(block, Heading) for block in missing)
            what = f"{alerts:,} more alerts" if alerts > 1 else f"{len(missing):,} more lines"
            yield block_html(Text(spans=(Span(text=f"… and {what}: the text part of this mail has them."),)))
            return
        yield part


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
