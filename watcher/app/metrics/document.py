"""`docs/metrics.md`: every metric, from the declarations beside the code that reads its value.

Print it with `python -m watcher.app.metrics.document > docs/metrics.md`; a test fails where the file is stale.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Final

from watcher.app.metrics import alertmanager, deliveries, intake, judging, running, storing
from watcher.app.metrics.spec import Kind, Spec

MODULES: Final = (intake, judging, storing, deliveries, running, alertmanager)

_HEAD: Final = """\
# Metrics

What `/metrics` shows, in Prometheus' text format; [operating.md](operating.md#metrics-and-alerts-about-watcher-itself)
has the alerts that are made of it. Generated from `watcher/app/metrics/` by `python -m watcher.app.metrics.document`:
change it there.

Counters begin at 0 with the process. Labels are bounded by the configuration (`receiver`, `integration`, `namespace`
of `watch.namespaces`, `alertname` of the rules) or by the program; no metric names a pod. `histogram` stands for
`…_bucket` with `le`, `…_sum` and `…_count`.
"""

_ALERT: Final = re.compile(r"\bWatcher[A-Z]\w+")

_COLUMNS: Final = """\
| name | type | labels | unit | meaning | what to do |
|---|---|---|---|---|---|
"""


def specs() -> Iterator[Spec]:
    """Every metric, in the order of the page."""
    for module in MODULES:
        yield from _of(module)


def samples(spec: Spec) -> tuple[str, ...]:
    """The names of its samples."""
    if spec.kind is Kind.HISTOGRAM:
        return (f"{spec.name}_bucket", f"{spec.name}_count", f"{spec.name}_sum")
    return (spec.name,)


def metrics_page() -> str:
    return _HEAD + "".join(_section(module) for module in MODULES)


def _of(module: ModuleType) -> Iterator[Spec]:
    return (value for value in vars(module).values() if isinstance(value, Spec))


def _section(module: ModuleType) -> str:
    first, _, rest = inspect.cleandoc(module.__doc__ or "").partition("\n\n")
    title, _, about = " ".join(first.split()).partition(": ")
    said = f"{about[0].upper()}{about[1:]}" + (f"\n\n{rest}" if rest else "")
    rows = "".join(_row(spec) for spec in _of(module))
    return f"\n## {title}\n\n{said}\n\n{_COLUMNS}{rows}"


def _row(spec: Spec) -> str:
    labels = ", ".join(f"`{label}`" for label in spec.labels)
    cells = (f"`{spec.name}`", spec.kind.value, labels, _unit(spec), _text(spec.help, spec.more), _text(spec.do))
    return f"| {' | '.join(cells)} |\n"


def _unit(spec: Spec) -> str:
    base = spec.name.removesuffix("_total")
    return spec.unit or next((unit for unit in ("seconds", "bytes") if base.endswith(f"_{unit}")), "")


def _text(*parts: str) -> str:
    text = " ".join(part for part in parts if part).replace("|", "\\|")
    return _ALERT.sub(lambda match: f"[{match[0]}](operating.md#{match[0].lower()})", text)


if __name__ == "__main__":
    print(metrics_page(), end="")
