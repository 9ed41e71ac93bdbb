"""The templates of a receiver's texts while the configuration is read: Jinja2 is checked, Go's is told apart.

A Go template is no error, so that an existing file of Alertmanager's works: Watcher's own text is sent, and a warning
shows what to write instead. A Jinja2 template that cannot work is an error, at the line where it goes wrong.
"""

from __future__ import annotations

import re
from typing import Final

from watcher.deliver.templating import NAMES
from watcher.lib.problems import Problem
from watcher.lib.templates import TemplateProblem, compile_template
from watcher.lib.text import cut
from watcher.lib.yamlpos import Path
from watcher.rules.place import position_within
from watcher.settings.configfile import ConfigFile
from watcher.settings.gotemplates import is_go_template, translate

_DEFAULT: Final = re.compile(r"\s*\{\{-?\s*template\s+\"[a-z]+\.default\.\w+\"\s+\.[\w.]*\s*-?\}\}\s*")
_SHOWN: Final = 500


def read_template(file: ConfigFile, path: Path, source: str) -> str:
    """The template at `path`; nothing where it cannot be used, which the file's problems say."""
    if not source:
        return ""
    file.templates.append(path)
    key = str(next(step for step in reversed(path) if isinstance(step, str)))
    try:
        compile_template(source, NAMES)
    except TemplateProblem as problem:
        if is_go_template(source):
            file.warn(path, f"{key} {_advice(source)}")
        else:
            position = position_within(file.document, path, max(problem.line, 1), 1)
            file.problems.append(Problem(position=position, message=f"{key}: {problem.message}"))
        return ""
    return source


def is_default(source: str) -> bool:
    """Whether it is nothing but one of Alertmanager's own texts."""
    return _DEFAULT.fullmatch(source) is not None


def _advice(source: str) -> str:
    if is_default(source):
        return "is Alertmanager's own text: Watcher sends its own in its place; leave the key out"
    jinja = translate(source, NAMES)
    if jinja is None:
        return "is a Go template, in whose place Watcher sends its own text; here templates are written in Jinja2"
    shown = cut(jinja.replace("\\", "\\\\").replace("\n", "\\n"), _SHOWN)
    return f"is a Go template, in whose place Watcher sends its own text; in Jinja2 it is: {shown}"
