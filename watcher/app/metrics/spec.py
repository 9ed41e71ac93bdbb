"""What one metric is: its name, what it means and what to do about it; and how its values become samples.

`/metrics` and docs/metrics.md are made of the same records, so that neither can say anything else than the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from watcher.engine.stats import Buckets

Key = TypeVar("Key", bound=tuple[str, ...])
"""The values of the labels, in their order."""


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


_NO_LABELS: tuple[str, ...] = ()


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One metric."""

    name: str
    """As it is exposed, with `_total`; of a histogram without `_bucket`."""
    kind: Kind = Kind.GAUGE
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    """What is counted or measured, where the name does not say it."""
    more: str = ""
    """What the page says besides."""
    do: str = ""
    """What to do about it; empty: nothing by itself."""

    def one(self, value: float) -> Metric:
        """Of a metric without labels."""
        return self.many({_NO_LABELS: value})

    def many(self, values: Mapping[Key, float]) -> Metric:
        """By the values of the labels."""
        family: CounterMetricFamily | GaugeMetricFamily = (
            CounterMetricFamily(self.name, self.help, labels=self.labels)
            if self.kind is Kind.COUNTER
            else GaugeMetricFamily(self.name, self.help, labels=self.labels)
        )
        for key, value in sorted(values.items()):
            family.add_metric(key, value)
        return family

    def times(self, values: Mapping[Key, Buckets], bounds: tuple[float, ...] | None = None) -> Metric:
        """A histogram; with `bounds`, only these of the buckets."""
        family = HistogramMetricFamily(self.name, self.help, labels=self.labels)
        for key, found in sorted(values.items()):
            buckets = [(_le(bound), count) for bound, count in found.cumulative(bounds)]
            family.add_metric(key, buckets, found.total)
        return family


def _le(bound: float) -> str:
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]
