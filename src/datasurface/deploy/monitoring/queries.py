"""PromQL, written from the metrics that are declared: a query that names another one cannot be made. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datasurface.runtime.telemetry.metrics import METRICS

__all__ = ["FOREIGN", "Scope", "names_of"]

_SERIES = {series for metric in METRICS for series in metric.series}
FOREIGN = frozenset({"kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"})
"""Metrics of others that rules use: of Kubernetes' kubelet."""

_WORDS = frozenset(
    """
    by without on ignoring group_left group_right and or unless bool offset sum max min avg count topk rate increase
    delta changes absent predict_linear histogram_quantile time clamp_min label_replace vector
    """.split()  # noqa: SIM905 - a list of words is read more easily so
)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_MATCHERS = re.compile(r"\{[^}]*\}")
_RANGES = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which series a query is about.

    Attributes:
        matchers: What all of them have in their labels, as PromQL.
    """

    matchers: tuple[str, ...] = ()

    def series(self, name: str, *more: str) -> str:
        """Return the selector of a series: its name without `datasurface_`, and further matchers.

        Raises:
            KeyError: no metric gives such a series.
        """
        full = f"datasurface_{name}"
        if full not in _SERIES:
            raise KeyError(f"no metric gives the series {full}")
        return f"{full}{{{','.join((*self.matchers, *more))}}}"


def names_of(query: str) -> Sequence[str]:
    """Return the names of the series that a query reads, sorted."""
    text = _TEXT.sub('""', query)
    for pattern in (_LISTS, _MATCHERS, _RANGES):
        text = pattern.sub(" ", text)
    found = set(_NAME.findall(text)) - _WORDS
    return sorted(name for name in found if not name.startswith("__"))
