"""A message as plain text: for e-mail's text part, machine receivers, the console and Apprise.

A paragraph is a line, a section of a group begins after an empty line, log lines are set in by four spaces, and
what other channels set in a fixed-width face stands between backticks.
"""

from __future__ import annotations

from collections.abc import Iterator

from watcher.model.message import Block, Heading, Links, Log, Message, Span, Text

INDENT = "    "


def render(message: Message) -> tuple[str, str]:
    """(title, text): the first line, and all the others."""
    lines = [line for block in message.blocks for line in block_lines(block)]
    return heading_line(message.heading), "\n".join(lines).strip("\n")


def heading_line(heading: Heading) -> str:
    """`🟠 api is OOM-killed — shop, prod-eu`"""
    place = f" — {heading.place}" if heading.place else ""
    return f"{heading.mark.symbol} {heading.title}{place}"


def block_lines(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield ""
            yield heading_line(block)
        case Text():
            yield "".join(_span(span) for span in block.spans)
        case Log():
            if block.skipped:
                yield f"{INDENT}({skipped_words(block.skipped)})"
            yield from (f"{INDENT}{line}" for line in block.lines)
        case Links():
            yield from (f"{link.label}: {link.url}" for link in block.links)


def skipped_words(count: int) -> str:
    """`(8 earlier lines)`, said above a log that was shortened."""
    return f"{count:,} earlier line{'' if count == 1 else 's'}"


def _span(span: Span) -> str:
    return f"`{span.text}`" if span.code and "`" not in span.text else span.text
