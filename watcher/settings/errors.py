"""The one error of this package."""

from __future__ import annotations

from collections.abc import Iterable

from watcher.lib.problems import Problem, sort_problems


class ConfigErrors(Exception):
    """The configuration cannot be used; `problems` are all of its errors and warnings, in reading order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sort_problems(problems)
        super().__init__("\n".join(map(str, self.problems)))
