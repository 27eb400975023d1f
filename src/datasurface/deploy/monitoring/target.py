"""The target `monitoring`: files for Prometheus and Grafana, and for a cluster if the environment has one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasurface.deploy.base import Deployable, GeneratedFile
from datasurface.deploy.monitoring.cluster import dashboard_map, exporters, rule_object
from datasurface.deploy.monitoring.grafana import dashboard_json
from datasurface.deploy.monitoring.panels import dashboards
from datasurface.deploy.monitoring.prometheus import rule_groups, runbook, yaml_text
from datasurface.deploy.monitoring.queries import Scope
from datasurface.deploy.monitoring.rules import Alert, alerts
from datasurface.deploy.names import dns_label
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.monitoring import Monitoring

__all__ = ["TARGET", "MonitoringTarget"]

_UID = 40


@dataclass(frozen=True)
class MonitoringTarget:
    """Makes alert rules, dashboards and their runbook; where there is a cluster also the exporters' objects."""

    name: str = "monitoring"

    def files(self, deployable: Deployable) -> tuple[GeneratedFile, ...]:
        """Return the files, sorted by path."""
        return tuple(sorted(_files(deployable), key=lambda file: file.path))


TARGET = MonitoringTarget()


def _files(deployable: Deployable) -> Iterator[GeneratedFile]:
    title = ".".join(part for part in (deployable.ecosystem, deployable.environment_name or "") if part)
    scope = Scope((f'environment="{deployable.environment_name or ""}"',))
    settings = deployable.find(Kubernetes)
    found = alerts(
        scope,
        [(deployable.environment_name or "", platform.name) for platform in deployable.platforms],
        volumes=settings.namespace if settings is not None and settings.postgres is not None else "",
    )
    shown = {
        f"{each.name}.json": dashboard_json(
            each, dns_label(deployable.ecosystem, deployable.environment_name, each.name, limit=_UID)
        )
        for each in dashboards(scope, title)
    }
    head = "# Made from the model: do not edit; `datasurface deploy monitoring` writes it anew.\n"
    yield GeneratedFile(path="prometheus/datasurface.rules.yaml", content=head + yaml_text(rule_groups(found)))
    yield GeneratedFile(path="RUNBOOK.md", content=runbook(found, f"Alerts of {title}"))
    for path, content in shown.items():
        yield GeneratedFile(path=f"grafana/{path}", content=content)
    if settings is not None:
        yield from _cluster(deployable, settings, found, shown, head)


def _cluster(
    deployable: Deployable, settings: Kubernetes, found: tuple[Alert, ...], shown: dict[str, str], head: str
) -> Iterator[GeneratedFile]:
    monitoring = deployable.find(Monitoring) or Monitoring()
    name = dns_label(deployable.ecosystem, deployable.environment_name, "monitoring")
    documents = [*exporters(deployable.platforms, settings, monitoring)]
    yield GeneratedFile(path="kubernetes/exporters.yaml", content=head + _manifest(documents))
    dashboards_map = dashboard_map(shown, monitoring, name)
    yield GeneratedFile(path="kubernetes/dashboards.yaml", content=head + _manifest([dashboards_map]))
    if monitoring.operator:
        rule = rule_object(found, settings, monitoring, name)
        yield GeneratedFile(path="kubernetes/rules.yaml", content=head + _manifest([rule]))


def _manifest(documents: list[dict[str, object]]) -> str:
    return "---\n".join(yaml_text(document) for document in documents)
