"""`docs/signals.md`: every signal and field, from the docstrings of `model/signals.py`.

The page is made of the source's own text, so that it cannot say anything else than the code. Print it with
`python -m watcher.rules.document > docs/signals.md`; a test fails where the file is stale.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Final

import msgspec

from watcher.model import signals

_TYPES: Final = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "datetime": "time",
    "dict[str, str]": "map of texts",
    "tuple[str, ...]": "list of texts",
}
_TITLES: Final = {
    "Signal": "Every signal",
    "ContainerSignal": "Container signals",
    "LastExit": "Signals with a last exit",
    "ClaimSignal": "Claim signals",
    "NodeSignal": "Node signals",
}
_HEAD: Final = """\
# Signals

What detectors say is true of one subject, and the fields that rules (`where`, `until`) and templates use by name.
Generated from `watcher/model/signals.py` by `python -m watcher.rules.document`: change it there.

A *state* is true until it is seen otherwise; an *occurrence* happened at `since`. A field that may be unknown is null
then: a comparison with it is undecided, which changes nothing, and `field == null` asks whether it is known.
A missing label is asked for with a default: `labels[?"team"].orValue("")`. Units are in the name or in the text.
"""


class _Field(msgspec.Struct, frozen=True):
    name: str
    type: str
    text: str


class _Class(msgspec.Struct, frozen=True):
    name: str
    base: str
    text: str
    fields: tuple[_Field, ...]
    occurrence: bool
    is_signal: bool


def signals_page(source: str) -> str:
    """The page for the source text of `watcher.model.signals`."""
    classes = {each.name: each for each in _classes(ast.parse(source))}
    bases = [each for each in classes.values() if not each.is_signal]
    parts = [_HEAD]
    parts += [f"\n## {_title(each.name)}\n\n{each.text}\n\n{_table(each.fields)}" for each in bases]
    for each in classes.values():
        if each.is_signal:
            kind = "An *occurrence*" if each.occurrence else "A *state*"
            own = f", and its own:\n\n{_table(each.fields)}" if each.fields else ".\n"
            about = f"{kind}, with the fields of {_inherited(each, classes)}{own}"
            parts.append(f"\n## {each.name}\n\n{each.text}\n\n{about}")
    return "".join(parts)


def _classes(tree: ast.Module) -> Iterator[_Class]:
    """The Structs of the module that are signals or what signals inherit from."""
    known = {"Signal"}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        base = next((each.id for each in node.bases if isinstance(each, ast.Name)), "")
        if node.name not in known and base not in known:
            continue
        known.add(node.name)
        yield _Class(
            node.name,
            base if base in known else "",
            _plain(ast.get_docstring(node) or ""),
            tuple(_fields(node)),
            any(_target(each) == "OCCURRENCE" and _is_true(each) for each in node.body),
            any(keyword.arg == "tag" for keyword in node.keywords),
        )


def _fields(node: ast.ClassDef) -> Iterator[_Field]:
    for index, statement in enumerate(node.body):
        name = _target(statement)
        if not isinstance(statement, ast.AnnAssign) or not name:
            continue
        annotation = ast.unparse(statement.annotation)
        if annotation.startswith("ClassVar"):
            continue
        following = node.body[index + 1] if index + 1 < len(node.body) else None
        yield _Field(name, _type(annotation), _docstring(following))


def _target(statement: ast.stmt) -> str:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    return ""


def _is_true(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Constant) and value.value is True


def _docstring(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return _plain(str(statement.value.value))
    return ""


def _type(annotation: str) -> str:
    plain = annotation.removesuffix(" | None")
    return _TYPES[plain] + (", may be unknown" if plain != annotation else "")


def _plain(text: str) -> str:
    return " ".join(text.split())


def _title(name: str) -> str:
    return _TITLES.get(name, name)


def _inherited(each: _Class, classes: dict[str, _Class]) -> str:
    names = []
    base = each.base
    while base:
        title = _title(base)
        names.append(f"[{title.lower()}](#{title.lower().replace(' ', '-')})")
        base = classes[base].base
    return ", ".join(reversed(names))


def _table(fields: tuple[_Field, ...]) -> str:
    rows = "".join(f"| `{each.name}` | {each.type} | {each.text.replace('|', chr(92) + '|')} |\n" for each in fields)
    return f"| field | type | meaning |\n|---|---|---|\n{rows}"


if __name__ == "__main__":
    print(signals_page(inspect.getsource(signals)), end="")
