"""Addresses that people write as templates (a dashboard, a log search) and that are filled per alert.

Every value is percent-encoded before the template sees it, so whatever a name or a label holds, it can neither end a
query's value nor lead to another host. A value that an alert does not have (the claim of a crash loop) is undefined:
the link that needs it is left out of that alert's message; `{% if claim is defined %}` asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from watcher.lib.templates import Template, TemplateProblem, compile_template

__all__ = ["NAMES", "compile_link", "encoded", "is_http"]

NAMES: Final = (
    *("alertname", "severity", "cluster", "namespace", "workload_kind", "workload"),
    *("pod", "container", "claim", "node", "labels", "since_ms"),
)
"""What the templates may use. `since_ms`: when it began, in milliseconds since 1970, as Grafana takes times."""

_HTTP: Final = re.compile(r"https?://[^\s/?#]")


def is_http(url: str) -> bool:
    return _HTTP.match(url) is not None


def compile_link(source: str) -> Template:
    """Raises TemplateProblem, with a sentence for the author."""
    if not is_http(source):
        raise TemplateProblem("the url must begin with http:// or https:// and a host")
    return compile_template(source, NAMES)


def encoded(values: Mapping[str, str]) -> dict[str, str]:
    """The values that are not empty, percent-encoded."""
    return {key: quote(value, safe="") for key, value in values.items() if value}
