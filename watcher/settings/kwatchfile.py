"""Where kwatch's configuration is in a file, and where each part of it stands.

Problem: kwatch reads a `config.yaml`, but what people have is the manifest that brings it into the cluster: a
ConfigMap (later a Secret) among other documents, a custom resource, or the `config` of a Helm chart's values. Choice:
the part of the text that holds it is read with blank lines in the place of everything before, so that lines and columns
are those of the file. Only a configuration that is folded, in quotes or in base64 has places of its own.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from watcher.lib.problems import Position, Problem, Severity
from watcher.lib.yamlpos import Document, Path, YamlError
from watcher.lib.yamlpos import load as load_yaml
from watcher.settings.errors import ConfigErrors

_BEGIN: Final = re.compile(r"(?m)^---(?=\s|$)")
_CONTENT: Final = re.compile(r"(?m)^(?!---\s*(#.*)?$)(?!%)\s*[^\s#]")
_LITERAL: Final = re.compile(r"\|[-+0-9]*[ \t]*(?:#.*)?\n")
_ITEM: Final = re.compile(r"(?m)^(?P<before>[ \t]*(?:-[ \t]+)+)(?P<name>![A-Za-z0-9][\w.-]*)(?=[ \t]*(?:#.*)?\r?$)")
_FLOW: Final = re.compile(r"(?P<before>[\[,][ \t]*)(?P<name>![A-Za-z0-9][\w.-]*)(?=[ \t]*[,\]])")
_NAMES: Final = ("config.yaml", "config.yml")
_OTHERS: Final = frozenset(("receivers", "route", "inhibit_rules"))
_HELM: Final = frozenset(("image", "securityContext", "resources", "podAnnotations", "rbac", "serviceAccount"))


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration of kwatch's: the mapping at `path` of the document."""

    document: Document
    path: Path = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    source: Source
    notes: tuple[Problem, ...]


def find(text: str | bytes, name: str) -> Found:
    """The one configuration in the file called `name`; raises ConfigErrors where there is none, or more than one."""
    content = text if isinstance(text, str) else _decoded(text, name)
    content, notes = _quoted(content, name)
    sources: list[Source] = []
    for part in _parts(content):
        document = _loaded(part, name)
        sources.extend(_sources(document, ()))
    if not sources:
        position = Position(file=name, line=1, column=1)
        message = "there is no configuration of kwatch's in it: no ConfigMap, Secret or KwatchConfig with one"
        raise ConfigErrors([Problem(position=position, message=message)])
    if len(sources) > 1:
        second = sources[1]
        message = "a second configuration begins here: import them one by one"
        raise ConfigErrors([second.document.problem(second.path, message)])
    return Found(source=sources[0], notes=tuple(notes))


def _decoded(text: bytes, name: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        position = Position(file=name, line=1, column=1)
        raise ConfigErrors([Problem(position=position, message="this is not UTF-8 text")]) from None


def _quoted(text: str, name: str) -> tuple[str, list[Problem]]:
    """With quotes around `!name`, as kwatch's documents long showed it: without them YAML takes it for a tag."""
    notes: list[Problem] = []
    for pattern in (_ITEM, _FLOW):
        for match in pattern.finditer(text):
            begin = match.start("name")
            position = Position(
                file=name, line=text.count("\n", 0, begin) + 1, column=begin - text.rfind("\n", 0, begin)
            )
            message = f'read as "{match["name"]}": without quotes it is a tag in YAML, and kwatch read an empty text'
            notes.append(Problem(position=position, message=message, severity=Severity.WARNING))
        text = pattern.sub(r'\g<before>"\g<name>"', text)
    return text, notes


def _parts(text: str) -> Iterator[str]:
    """The documents of the text, each at its line."""
    begins = [match.start() for match in _BEGIN.finditer(text)]
    for begin, end in zip([0, *begins], [*begins, len(text)], strict=True):
        part = text[begin:end]
        if _CONTENT.search(part):
            yield "\n" * text.count("\n", 0, begin) + part


def _loaded(text: str, name: str) -> Document:
    try:
        return load_yaml(text, name)
    except YamlError as error:
        raise ConfigErrors(error.problems) from error


def _sources(document: Document, path: Path) -> Iterator[Source]:
    data: Any = document.data
    for step in path:
        data = data[step]
    if not isinstance(data, dict):
        raise ConfigErrors([document.problem(path, "this must be a mapping of keys")])
    kind = data.get("kind")
    if "apiVersion" in data and isinstance(kind, str):
        yield from _of_manifest(document, path, data, kind)
    elif data.keys() & _OTHERS:
        key = next(key for key in data if key in _OTHERS)
        message = f"{key} is no key of kwatch's: this is a configuration of Watcher's or Alertmanager's already"
        raise ConfigErrors([document.problem((*path, key), message, key=True)])
    elif isinstance(data.get("config"), dict) and (len(data) == 1 or data.keys() & _HELM):
        yield Source(document=document, path=(*path, "config"))
    else:
        yield Source(document=document, path=path)


def _of_manifest(document: Document, path: Path, data: dict[str, Any], kind: str) -> Iterator[Source]:
    if kind == "KwatchConfig" and isinstance(data.get("spec"), dict):
        yield Source(document=document, path=(*path, "spec"))
    elif kind == "ConfigMap":
        yield from _held(document, (*path, "data"), data.get("data"))
    elif kind == "Secret":
        yield from _held(document, (*path, "stringData"), data.get("stringData"))
        yield from _held(document, (*path, "data"), data.get("data"), encoded=True)
    elif kind.endswith("List") and isinstance(data.get("items"), list):
        for index in range(len(data["items"])):
            yield from _sources(document, (*path, "items", index))


def _held(document: Document, path: Path, data: Any, *, encoded: bool = False) -> Iterator[Source]:
    """The configuration that a ConfigMap or a Secret holds as text."""
    names = [name for name in _NAMES if isinstance(data, dict) and isinstance(data.get(name), str)]
    for name in names[:1]:
        here = (*path, name)
        inner = _inner(document, here, data[name], encoded)
        if isinstance(inner.data, dict):
            yield Source(document=inner)
        elif inner.data is not None:
            raise ConfigErrors([inner.problem((), "kwatch's configuration must be a mapping of keys")])


def _inner(document: Document, path: Path, value: str, encoded: bool) -> Document:
    if encoded:
        try:
            value = base64.b64decode("".join(value.split()), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise ConfigErrors([document.problem(path, "this must be base64 of text")]) from None
    elif (span := document.span(path)) is not None and (match := _LITERAL.match(document.text, span[0])) is not None:
        before = document.text.count("\n", 0, match.end())
        return _loaded("\n" * before + document.text[match.end() : span[1]], document.file)
    return _loaded(value, f"{document.file} ({path[-1]})")
