"""What a rule says of one signal."""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`where` and `until`: True, False, or None where undecided (a null field, or an error at run time).

    `until` is None too where the rule has none (`CompiledRule.has_until` tells which). `error`: the run-time error.
    """

    where: bool | None
    until: bool | None = None
    error: str = ""
