"""Monitoring of what is deployed: where Prometheus is, and how it finds what it scrapes and the rules."""

from __future__ import annotations

from collections.abc import Mapping

from datasurface.model.base import EMPTY_MAPPING, noun
from datasurface.model.deployment import Deployment

__all__ = ["Monitoring"]


@noun
class Monitoring(Deployment):
    """Prometheus and Grafana in the cluster. An environment without it has these defaults.

    Attributes:
        namespace: Where they are: what is there may scrape the exporters, and dashboards are put there.
        operator: Whether Prometheus' operator runs: then rules and what is scraped are objects of its own kinds.
        interval: How often metrics are scraped, as Prometheus writes durations.
        labels: What the operator's Prometheus selects its objects by, such as `{"release": "prometheus"}`.
    """

    namespace: str = "monitoring"
    operator: bool = True
    interval: str = "30s"
    labels: Mapping[str, str] = EMPTY_MAPPING
