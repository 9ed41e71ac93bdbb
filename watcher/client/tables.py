"""Columns side by side, for terminals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from watcher.lib.text import clean, cut


def table(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> Iterator[str]:
    """Columns side by side; a note stands below its row."""
    cleaned = [[cut(line(cell), 100) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (head, *cleaned)) for column in range(len(head))]
    widths[-1] = 0
    yield _row(head, widths)
    for row, note in zip(cleaned, notes, strict=True):
        yield _row(row, widths)
        if note:
            yield f"    {cut(line(note), 300)}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def line(text: str) -> str:
    return " ".join(clean(text).split())
