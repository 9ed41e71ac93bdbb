"""libyaml's events -> a tree of nodes with positions, by a loop with its own stack; for `yamlpos` only.

Bounds: 64 levels of nesting, 1,000 nodes that come through aliases (an alias costs what it stands for, each
time), 100 problems. What is wrong is noted and stepped over, so that the rest is looked at too.
"""

from collections.abc import Callable
from typing import Any, Final

from yaml import events as ev

from watcher.lib.problems import Position, Problem
from watcher.lib.yamlhints import BRACES_HINT, QUOTE_IT, TAG_HINT
from watcher.lib.yamlscalars import KNOWN_TAGS, resolve, resolve_tagged

Plain = dict[str, Any] | list[Any] | str | int | float | bool | None

MAX_DEPTH: Final = 64
MAX_EXPANDED: Final = 1_000
MAX_PROBLEMS: Final = 100


class Stop(Exception):
    """Nothing more can be learned from this text; the problems say why."""


class Node:
    """A part of the document. Lines and columns count from 0.

    `text` is the source of a scalar, `span` where in the whole text it begins and ends; `entries` are the children
    of a mapping by key, each with the place of the key; `items` those of a list. `size` counts nodes with aliases
    expanded, `height` the levels below.
    """

    __slots__ = (
        "column",
        "data",
        "entries",
        "flow",
        "height",
        "is_open",
        "items",
        "line",
        "plain",
        "size",
        "span",
        "text",
    )

    def __init__(self, mark: Any, data: Plain) -> None:
        """A node that begins at the mark."""
        self.line: int = mark.line
        self.column: int = mark.column
        self.data = data
        self.text: str | None = None
        self.span: tuple[int, int] | None = None
        self.plain = False
        self.flow = False
        self.is_open = False
        self.entries: dict[str, tuple[Node, int, int]] | None = None
        self.items: list[Node] | None = None
        self.size = 1
        self.height = 1

    def contain(self, child: "Node") -> None:
        """Count a child in."""
        self.size += child.size
        self.height = max(self.height, child.height + 1)


class _Frame:
    """A collection that is not closed yet; `key` is the key that waits for its value."""

    __slots__ = ("key", "merges", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.key: Node | None = None
        self.merges: list[Node] = []


class Builder:
    """Takes the events of one text in order; then `root` (None: no document) and `problems` are there."""

    def __init__(self, file: str) -> None:
        """`file` is the name in positions."""
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._file = file
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._expanded = 0
        self._handlers: dict[type, Callable[[Any], None]] = {
            ev.DocumentStartEvent: self._document,
            ev.ScalarEvent: self._scalar,
            ev.AliasEvent: self._alias,
            ev.MappingStartEvent: self._open,
            ev.SequenceStartEvent: self._open,
            ev.MappingEndEvent: self._close,
            ev.SequenceEndEvent: self._close,
        }

    def feed(self, event: Any) -> None:
        """Take one event; raises Stop when the rest is not worth reading."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def complain(self, line: int, column: int, message: str) -> None:
        """Note a problem at a place that counts from 0; raises Stop when there are too many."""
        position = Position(file=self._file, line=line + 1, column=column + 1)
        self.problems.append(Problem(position=position, message=message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise Stop

    def forget_line(self, line: int) -> None:
        """Drop what was noted in a line whose syntax error tells more."""
        self.problems = [each for each in self.problems if each.position.line != line + 1]

    def _document(self, event: Any) -> None:
        if self.root is not None:
            mark = event.start_mark
            self.complain(mark.line, mark.column, "a second document begins here: one is expected, remove the ---")
            raise Stop

    def _scalar(self, event: Any) -> None:
        mark, text = event.start_mark, event.value
        node = Node(mark, text)
        node.text = text
        node.span = (mark.index, event.end_mark.index)
        node.plain = event.implicit[0]
        if event.tag is not None:
            node.data = self._tagged(event)
        elif node.plain:
            node.data = resolve(text)
        self._name(event, node)
        self._place(node)

    def _tagged(self, event: Any) -> Plain:
        mark = event.start_mark
        if event.tag not in KNOWN_TAGS:
            self.complain(mark.line, mark.column, TAG_HINT)
            return str(event.value)
        try:
            return resolve_tagged(event.value, event.tag)
        except ValueError as error:
            self.complain(mark.line, mark.column, f"the tag does not fit the value: {error}")
            return str(event.value)

    def _alias(self, event: Any) -> None:
        mark = event.start_mark
        target = self._anchors.get(event.anchor)
        if target is None:
            self.complain(
                mark.line,
                mark.column,
                f"there is no &{event.anchor} above; if this is an expression, {QUOTE_IT}",
            )
        elif target.is_open:
            self.complain(mark.line, mark.column, f"*{event.anchor} stands inside of &{event.anchor} itself")
        elif len(self._stack) + target.height > MAX_DEPTH:
            self._too_deep(mark)
        else:
            self._expanded += target.size
            if self._expanded > MAX_EXPANDED:
                self.complain(mark.line, mark.column, f"the aliases expand to more than {MAX_EXPANDED:,} nodes")
                raise Stop
            self._place(target)
            return
        self._place(Node(mark, None))

    def _open(self, event: Any) -> None:
        mark = event.start_mark
        if len(self._stack) >= MAX_DEPTH:
            self._too_deep(mark)
            raise Stop
        is_map = type(event) is ev.MappingStartEvent
        node = Node(mark, {} if is_map else [])
        if is_map:
            node.entries = {}
        else:
            node.items = []
        if event.tag is not None and event.tag not in KNOWN_TAGS:
            self.complain(mark.line, mark.column, TAG_HINT)
        node.flow = bool(event.flow_style)
        node.is_open = True
        self._name(event, node)
        self._stack.append(_Frame(node))

    def _close(self, _event: Any) -> None:
        frame = self._stack.pop()
        for merged in frame.merges:
            self._merge(frame.node, merged)
        frame.node.is_open = False
        self._place(frame.node)

    def _too_deep(self, mark: Any) -> None:
        self.complain(mark.line, mark.column, f"nested deeper than {MAX_DEPTH} levels")

    def _name(self, event: Any, node: Node) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _place(self, node: Node) -> None:
        """Put a finished node where it belongs: the root, an item, a key, or the value of the waiting key."""
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        parent = frame.node
        if parent.items is not None and isinstance(parent.data, list):
            parent.items.append(node)
            parent.data.append(node.data)
            parent.contain(node)
        elif frame.key is None:
            frame.key = node
        else:
            key, frame.key = frame.key, None
            self._entry(frame, key, node)

    def _entry(self, frame: _Frame, key: Node, value: Node) -> None:
        parent = frame.node
        if key.plain and key.text == "<<":
            self._note_merge(frame, key, value)
            return
        if not isinstance(key.data, str):
            self.complain(key.line, key.column, _bad_key(key))
            return
        entries = parent.entries or {}
        if key.data in entries:
            _, line, column = entries[key.data]
            first = f"first in line {line + 1}, column {column + 1}"
            self.complain(key.line, key.column, f"{_short(key.data)} is given twice, {first}: remove one")
            return
        self._add(parent, key.data, (value, key.line, key.column))

    def _add(self, parent: Node, name: str, entry: tuple[Node, int, int]) -> None:
        if parent.entries is not None and isinstance(parent.data, dict):
            parent.entries[name] = entry
            parent.data[name] = entry[0].data
            parent.contain(entry[0])

    def _note_merge(self, frame: _Frame, key: Node, value: Node) -> None:
        sources = [value] if value.items is None else value.items
        if all(source.entries is not None for source in sources):
            frame.merges += sources
        else:
            self.complain(key.line, key.column, "<< takes a mapping or a list of mappings")

    def _merge(self, into: Node, source: Node) -> None:
        for name, entry in (source.entries or {}).items():
            if into.entries is not None and name not in into.entries:
                self._add(into, name, entry)


def _bad_key(key: Node) -> str:
    if key.text is not None:
        return f"a key must be text: put {_short(key.text)} in quotes" if key.text else "a key is missing before the :"
    if key.flow and key.entries is not None:
        return BRACES_HINT
    return "a key must be text, not a list or a mapping"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
