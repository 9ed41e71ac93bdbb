"""`links`: the user's own addresses (dashboards, log searches) below every alert, as templates.

`${NAME}` is filled from the environment before, `{{ name }}` per alert (lib/links.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final

from pydantic import Field

from watcher.lib.links import compile_link
from watcher.lib.shapes import Shape
from watcher.lib.templates import TemplateProblem
from watcher.lib.yamlpos import Path
from watcher.model.config import LinkConfig

MANY: Final = 10
"""More of them below each alert would bury it."""

Wrong = Callable[[Path, str], None]


class LinkShape(Shape):
    label: Annotated[str, Field(min_length=1, max_length=40)]
    url: Annotated[str, Field(min_length=1)]


def read_links(shapes: Sequence[LinkShape], wrong: Wrong) -> tuple[LinkConfig, ...]:
    """In the file's order; what is wrong in them is told to `wrong`, by path."""
    if len(shapes) > MANY:
        wrong(("links",), f"there are {len(shapes)} links, more than {MANY}")
    found: dict[str, LinkConfig] = {}
    for index, shape in enumerate(shapes):
        label = " ".join(shape.label.split())
        if not label or not label.isprintable():
            wrong(("links", index, "label"), "a label is text on one line")
        elif label in found:
            wrong(("links", index, "label"), f"there is another link {label}")
        try:
            found[label] = LinkConfig(label=label, template=compile_link(shape.url.strip()))
        except TemplateProblem as problem:
            wrong(("links", index, "url"), problem.message)
    return tuple(found.values())
