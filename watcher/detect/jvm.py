"""How much heap a JVM may take, as its flags say, to be told beside the container's memory limit.

A heap that fills the limit is the usual reason of a Java container's OOM kill: thread stacks, metaspace and buffers
come on top. The flags are those that source/decode.py keeps of a container. What the JVM reads later wins: the
variable JAVA_TOOL_OPTIONS, the command line (the launcher puts JDK_JAVA_OPTIONS before it, and so do scripts with
JAVA_OPTS and the like), the variable _JAVA_OPTIONS. A fixed size wins over a percentage wherever it stands.
Source: https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html and hotspot's arguments.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from watcher.lib.quantity import format_bytes
from watcher.model.kube import Container

_FIXED: Final = re.compile(r"-(?:Xmx|mx|XX:MaxHeapSize=)(?P<size>\d+[kKmMgGtT]?)")
_PERCENTAGE: Final = re.compile(r"-XX:MaxRAMPercentage=(?P<percent>\d+(?:\.\d+)?)")
_FRACTION: Final = re.compile(r"-XX:(?:Max|Default)RAMFraction=(?P<parts>\d+)")
_MAX_RAM: Final = re.compile(r"-XX:MaxRAM=(?P<size>\d+[kKmMgGtT]?)")
_SEPARATORS: Final = re.compile(r"""[\s"']+""")
_SCALE: Final = {"k": 10, "m": 20, "g": 30, "t": 40}
_DEFAULT_SHARE: Final = 0.25
_FIRST: Final = "JAVA_TOOL_OPTIONS"
_LAST: Final = "_JAVA_OPTIONS"


class Heap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    flag: str
    """As written: `-Xmx512m`."""
    bytes: int | None = None
    """How much heap that allows; None where it is a part of a memory limit that is not there."""
    words: str
    """`-Xmx512m beside a limit of 512 Mi`."""


def heap(container: Container, limit_bytes: int | None) -> Heap | None:
    """The heap that the container's flags allow; None where none of them says."""
    flags = list(_flags(container))
    for flag in reversed(flags):
        found = _FIXED.fullmatch(flag)
        if found is not None:
            return _told(flag, _size(found["size"]), limit_bytes)
    ram = next((found for flag in reversed(flags) if (found := _MAX_RAM.fullmatch(flag)) is not None), None)
    memory = limit_bytes if ram is None else _size(ram["size"])
    for flag in reversed(flags):
        share = _share(flag)
        if share is not None:
            return _told(flag, None if memory is None else int(memory * share), limit_bytes)
    return _told(ram[0], int(_size(ram["size"]) * _DEFAULT_SHARE), limit_bytes) if ram is not None else None


def _flags(container: Container) -> Iterable[str]:
    """All words, the one that wins last."""
    variables = {each.name: each.value for each in container.env or ()}
    others = [value for name, value in variables.items() if name not in (_FIRST, _LAST)]
    texts = [variables.get(_FIRST, ""), *others, *(container.command or ()), *(container.args or ())]
    for text in (*texts, variables.get(_LAST, "")):
        yield from filter(None, _SEPARATORS.split(text))


def _share(flag: str) -> float | None:
    found = _PERCENTAGE.fullmatch(flag)
    if found is not None:
        return float(found["percent"]) / 100
    found = _FRACTION.fullmatch(flag)
    return 1 / int(found["parts"]) if found is not None and int(found["parts"]) else None


def _size(text: str) -> int:
    unit = _SCALE.get(text[-1].lower(), 0)
    return int(text[:-1] if unit else text) << unit


def _told(flag: str, size: int | None, limit_bytes: int | None) -> Heap:
    named = flag if size is None or _FIXED.fullmatch(flag) else f"{flag} ({format_bytes(size)})"
    beside = "without a memory limit" if limit_bytes is None else f"beside a limit of {format_bytes(limit_bytes)}"
    return Heap(flag=flag, bytes=size, words=f"{named} {beside}")
