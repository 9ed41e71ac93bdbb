"""Where in which file something is wrong, and what: the records that settings and rules collect and print."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """An error refuses the file; a warning is only said."""

    ERROR = "error"
    WARNING = "warning"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a file; line and column count from 1, columns in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, in a sentence that says what to do; never with a secret's value in it."""

    position: Position
    message: str
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        """False for a warning."""
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        """`file:line:column: message`, warnings marked as such."""
        mark = "" if self.is_error else "warning: "
        return f"{self.position}: {mark}{self.message}"


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """In reading order, equal ones once: by file, line and column, errors before warnings."""
    return tuple(
        sorted(
            dict.fromkeys(problems),
            key=lambda each: (
                each.position.file,
                each.position.line,
                each.position.column,
                not each.is_error,
                each.message,
            ),
        )
    )
