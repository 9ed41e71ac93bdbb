"""An `alertmanager.yml` into a configuration of Watcher's: the same keys, its Go templates in Jinja2.

Comments and order stay: only the texts that are templates are rewritten, at their places in the file. Each change is
read back, and made only if the document then says what it said before but for the one text. Named templates are put in
from the files under `templates`. A text that is nothing but Alertmanager's own, and `templates` when no text needs it
any more, become comments. What cannot be translated stays as it is; the result is checked as a configuration, without
the secrets' files, which may be on another machine, and without rules.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec

from watcher.deliver.templating import NAMES
from watcher.lib.problems import Problem, Severity, sort_problems
from watcher.lib.yamlpos import Document, Path, YamlError
from watcher.lib.yamlpos import load as load_yaml
from watcher.model.config import Secret
from watcher.settings.configfile import ConfigFile
from watcher.settings.errors import ConfigErrors
from watcher.settings.gotemplates import is_go_template, translate
from watcher.settings.load import read
from watcher.settings.namedtemplates import inlined
from watcher.settings.overrides import Overrides
from watcher.settings.own import OwnShape
from watcher.settings.templatefiles import ADVICE, KEY, definitions
from watcher.settings.texts import is_default

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)*")
_UNKNOWN: Final = {
    "bot_token": "1000000:not-known-here",
    "telegram_bot_token": "1000000:not-known-here",
    "chat_id": "1",
}
_UNKNOWN_URL: Final = "https://not-known-here.invalid/"
"""What stands for the content of secrets' files while the rest is checked."""
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x85": "\\N", "\xa0": "\\_"}
_INDENT: Final = 2


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """`text`: the configuration. `left`: what is to be done by hand; `notes`: what is good to know."""

    text: str
    left: tuple[Problem, ...]
    notes: tuple[Problem, ...]


class _Elsewhere(ConfigFile):
    """A configuration whose secrets' files are on another machine."""

    def secret(self, path: Path, key: str, *checks: Any) -> Secret | None:
        if self.at((*path, f"{key}_file")) and not self.at((*path, key)):
            return Secret(_UNKNOWN.get(key, _UNKNOWN_URL))
        return super().secret(path, key, *checks)


def import_alertmanager(text: str | bytes, name: str, directory: FilePath, result: str) -> Imported:
    """Translate the file called `name`, whose relative paths begin at `directory`; places are those of `result`.

    Raises ConfigErrors where it is no YAML mapping.
    """
    try:
        document = load_yaml(text, name)
    except YamlError as error:
        raise ConfigErrors(error.problems) from error
    if not isinstance(document.data, dict):
        raise ConfigErrors([document.problem((), "this must be a mapping of keys")])
    named = definitions(directory, document.data.get(KEY))
    for path in _read(document, directory).templates:
        document = _translated(document, path, named)
    if not _left(_read(document, directory)):
        document = _commented(document, (KEY,))
    file = _read(load_yaml(document.text, result), directory)
    left = _left(file)
    problems = [_without_advice(problem) for problem in sort_problems((*left, *file.problems))]
    left = [_without_advice(problem) for problem in left]
    return Imported(
        text=document.text,
        left=tuple(problem for problem in problems if problem.is_error or problem in left),
        notes=tuple(problem for problem in problems if not (problem.is_error or problem in left)),
    )


def _read(document: Document, directory: FilePath) -> ConfigFile:
    """The configuration, read for what it says of its problems and of where its templates are."""
    file = _Elsewhere(document, directory, {}, [])
    read(file, Overrides(OwnShape, {}), ())
    return file


def _without_advice(problem: Problem) -> Problem:
    """Not to be told to run what has just been run."""
    return msgspec.structs.replace(problem, message=problem.message.removesuffix(ADVICE))


def _left(file: ConfigFile) -> list[Problem]:
    """What says that a Go template is not translated; one that nothing is said of is no template here at all."""
    found: list[Problem] = []
    for path in _paths(file.at(("receivers",)), ("receivers",)):
        text = file.at(path)
        if not isinstance(text, str) or not is_go_template(text) or is_default(text):
            continue
        places = (file.document.position(path), file.document.position(path, key=True))
        said = [problem for problem in file.problems if problem.position in places]
        if path in file.templates:
            found.extend(said)
        elif not said and not _is_refused(file, path):
            message = f"{path[-1]} is no template here: it is taken as it stands"
            found.append(file.document.problem(path, message, severity=Severity.WARNING))
    return found


def _is_refused(file: ConfigFile, path: Path) -> bool:
    """Whether there is an error at the list of integrations around it (a type that has no adapter)."""
    place = file.document.position(path[:3], key=True)
    return any(problem.is_error and problem.position == place for problem in file.problems)


# -- one text ----------------------------------------------------------------------------------------------------


def _translated(document: Document, path: Path, named: dict[str, str]) -> Document:
    text = document.source(path) or ""
    if not is_go_template(text):
        return document
    if is_default(text):
        return _commented(document, path)
    jinja = translate(inlined(text, named), NAMES)
    return document if jinja is None else _replaced(document, path, jinja)


def _replaced(document: Document, path: Path, new: str) -> Document:
    """With another text at `path`, and wherever an alias brings it; the same document where that cannot be written."""
    span = document.span(path)
    if span is None:
        return document
    wanted = copy.deepcopy(document.data)
    for each in list(_paths(wanted)):
        if document.span(each) == span:
            _parent(wanted, each)[each[-1]] = new
    begin, source = span[0], document.text[span[0] : span[1]].rstrip()
    match = _PROPERTIES.match(source)
    before = match[0] if match is not None else ""
    for written in _written(document, path, source[len(before) :], new):
        text = f"{document.text[:begin]}{before}{written}{document.text[begin + len(source) :]}"
        if (changed := _if_it_says(text, document.file, wanted)) is not None:
            return changed
    return document


def _written(document: Document, path: Path, old: str, new: str) -> Iterator[str]:
    """The ways to write it, the nearest to the old one first."""
    place = document.position(path, key=True)
    indent = place.column - 1 + (_INDENT if isinstance(path[-1], str) else 0)
    lines = new.removesuffix("\n").split("\n")
    block = "\n".join(
        [f"|{'' if new.endswith(chr(10)) else '-'}", *(" " * indent + line if line else "" for line in lines)]
    )
    single = "'" + new.replace("'", "''") + "'"
    double = '"' + "".join(_ESCAPES.get(rune, rune) for rune in new) + '"'
    if old.startswith(("|", ">")) or len(lines) > 1:
        yield block
    if len(lines) == 1 and not old.startswith('"'):
        yield single
    yield double


def _commented(document: Document, path: Path) -> Document:
    """With the key at the end of `path` and its value as a comment; unchanged where it has no lines of its own."""
    key = document.position(path, key=True)
    spans = [span for each in _paths(_at(document.data, path), path) if (span := document.span(each)) is not None]
    if not spans or _at(document.data, path) is None:
        return document
    wanted = copy.deepcopy(document.data)
    for each in list(_paths(wanted, containers=True)):
        if each[-1] == path[-1] and document.position(each, key=True) == key and each[-1] in _parent(wanted, each):
            del _parent(wanted, each)[each[-1]]
    lines = document.text.splitlines(keepends=True)
    end = max(last for _, last in spans)
    last_line = document.text[:end].rstrip().count("\n") + 1
    if lines[key.line - 1][: key.column - 1].strip():
        return document
    for number in range(key.line - 1, last_line):
        if lines[number].strip():
            lines[number] = f"{lines[number][: key.column - 1]}# {lines[number][key.column - 1 :]}"
    return _if_it_says("".join(lines), document.file, wanted) or document


def _if_it_says(text: str, name: str, wanted: Any) -> Document | None:
    try:
        document = load_yaml(text, name)
    except YamlError:
        return None
    return document if document.data == wanted else None


def _paths(data: Any, above: Path = (), *, containers: bool = False) -> Iterator[Path]:
    """The paths of all scalars below, or of everything."""
    if isinstance(data, dict | list):
        if containers and above:
            yield above
        steps: Any = data if isinstance(data, dict) else range(len(data))
        for step in steps:
            yield from _paths(data[step], (*above, step), containers=containers)
    else:
        yield above


def _at(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data


def _parent(data: Any, path: Path) -> Any:
    return _at(data, path[:-1])
