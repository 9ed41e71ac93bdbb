"""A message as an HTML page for mail: everything inline, since mail programs drop style sheets."""

from __future__ import annotations

from typing import Final

from watcher.lib.text import escape_html
from watcher.model.message import Block, Heading, Links, Log, Mark, Message, Span, Text
from watcher.notify.plain import heading_line, skipped_words

COLOURS: Final = {
    Mark.CRITICAL: 0xCC2936,
    Mark.WARNING: 0xE07B00,
    Mark.INFO: 0x1F6FEB,
    Mark.RECOVERED: 0x2DA44E,
    Mark.CLOSED: 0x8C959F,
}
"""The colours of the marks, as numbers 0xRRGGBB."""

_FIXED: Final = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px"


def page(message: Message) -> str:
    blocks = [block_html(message.heading), *(block_html(block) for block in message.blocks)]
    style = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:15px;line-height:1.45;color:#1f2328"
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"></head>'
        f'<body style="{style}">\n' + "\n".join(blocks) + "\n</body></html>\n"
    )


def block_html(block: Block) -> str:
    match block:
        case Heading():
            border = (
                f"border-left:6px solid #{COLOURS[block.mark]:06x};padding-left:10px;font-size:18px;margin:18px 0 8px"
            )
            return f'<h2 style="{border}">{escape_html(heading_line(block))}</h2>'
        case Text():
            return f'<p style="margin:4px 0">{"".join(_span(span) for span in block.spans)}</p>'
        case Log():
            earlier = f"({skipped_words(block.skipped)})\n" if block.skipped else ""
            lines = escape_html(earlier + "\n".join(block.lines))
            box = f"{_FIXED};background:#f6f8fa;padding:8px;margin:8px 0;white-space:pre-wrap"
            return f'<pre style="{box}">{lines}</pre>'
        case Links():
            links = (f'<a href="{escape_html(link.url)}">{escape_html(link.label)}</a>' for link in block.links)
            return f'<p style="margin:4px 0">{" · ".join(links)}</p>'


def _span(span: Span) -> str:
    text = escape_html(span.text)
    if span.code:
        return f'<code style="{_FIXED}">{text}</code>'
    return f"<strong>{text}</strong>" if span.bold else text
