"""Network policies: nothing may reach a pod, and a pod may reach what its job needs and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from datasurface.deploy.kubernetes.cluster import Cluster, refuse
from datasurface.deploy.kubernetes.objects import MANAGED, named
from datasurface.deploy.names import dns_label
from datasurface.deploy.pod import Document, source_label, talks_to_kubernetes
from datasurface.deploy.pod_secrets import uses_files
from datasurface.model.infrastructure import Container
from datasurface.model.kubernetes import Egress
from datasurface.model.places import place_of_container
from datasurface.model.vocabulary import AwsIdentity, TaskKind
from datasurface.release.job import PlatformSpec

__all__ = ["Way", "open_ways", "policies", "ways"]

_API = "networking.k8s.io/v1"
_HTTPS = 443
_POSTGRES, _OPERATOR = 5432, 8000
_NAMESPACE = "kubernetes.io/metadata.name"
_DNS = Egress(port=53, namespace="kube-system", pods={"k8s-app": "kube-dns"})
_IDENTITY = Egress(["169.254.170.23/32"], port=80)
"""Where the agent of EKS Pod Identity answers on every node."""
_JOBS = {"app.kubernetes.io/name": "datasurface"}
_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where the pods with some labels may connect to.

    Attributes:
        name: What its policy is called.
        of: The labels of the pods.
        to: Where to.
        port: The port, where `to` names none.
    """

    name: str
    of: Mapping[str, str]
    to: Egress
    port: int = _HTTPS

    def rule(self) -> Document:
        """Return the rule of the policy."""
        return _rule(self.to, self.port)


def ways(cluster: Cluster) -> tuple[Way, ...]:
    """Return where jobs may connect to, sorted by name.

    Raises:
        ConfigurationError: nothing tells where a container or a service is.
    """
    problems: list[str] = []
    found = {way.name: way for way in _ways(cluster, problems)}
    refuse(
        sorted(set(problems)),
        "network policies cannot be made",
        'say it in the model: Kubernetes(egress={"container": Egress(["10.1.2.0/24"])}, api_server=Egress(…), …)',
    )
    return tuple([found[name] for name in sorted(found)])


def open_ways(cluster: Cluster) -> tuple[Way, ...]:
    """Return the ways that lead everywhere, because the model says so."""
    return tuple([way for way in ways(cluster) if not _EVERYWHERE.isdisjoint(way.to.cidrs)])


def policies(cluster: Cluster) -> list[Document]:
    """Return the policies of all namespaces."""
    found = [_closed(cluster.namespace), _names(cluster, cluster.namespace, MANAGED)]
    found += [_policy(cluster.namespace, way) for way in ways(cluster)]
    if cluster.settings.postgres is not None:
        found += _postgres(cluster)
    if cluster.airflow is not None:
        found += _airflow(cluster)
    return found


def _ways(cluster: Cluster, problems: list[str]) -> Iterator[Way]:
    settings = cluster.settings
    for platform in cluster.platforms:
        of = {"datasurface.io/platform": dns_label(platform.ecosystem, platform.environment, platform.name)}
        yield from _to_container(cluster, platform.container, of, f"to-merge-{platform.name}", problems)
        if not uses_files(platform):
            store = f"the secret store of platform {platform.name} is (secret_store=)"
            yield from _to_service(cluster.place("secret_store"), store, of, f"to-secrets-{platform.name}", problems)
        for kind in cluster.system_jobs(platform):
            if talks_to_kubernetes(platform, kind):
                what, name = "the Kubernetes API is (api_server=)", f"to-api-{platform.name}-{kind.value}"
                job = {**of, "datasurface.io/job": kind.value}
                yield from _to_service(cluster.place("api_server"), what, job, name, problems)
        if platform.follows is not None:
            job, what = {**of, "datasurface.io/job": "apply"}, "the release store is (release_store=)"
            yield from _to_service(cluster.place("release_store"), what, job, f"to-releases-{platform.name}", problems)
        yield from _sources(cluster, platform, problems)
    if settings.telemetry is not None:
        yield Way(name=dns_label("to-telemetry"), of=_JOBS, to=settings.telemetry)
    if cluster.aws is not None and cluster.aws.identity is AwsIdentity.POD_IDENTITY:
        yield Way(name=dns_label("to-identity"), of=_JOBS, to=_IDENTITY)


def _sources(cluster: Cluster, platform: PlatformSpec, problems: list[str]) -> Iterator[Way]:
    """Yield the way from each source's ingestions to it, and that of the audit to all of them."""
    audit = {"datasurface.io/platform": dns_label(platform.ecosystem, platform.environment, platform.name)}
    audit["datasurface.io/job"] = "audit"
    for source in sorted({j.source for j in platform.jobs if j.transformer is None}, key=lambda c: c.name):
        of = {"datasurface.io/source": source_label(source.name)}
        yield from _to_container(cluster, source, of, f"to-source-{source.name}", problems)
        yield from _to_container(cluster, source, audit, f"audit-{platform.name}-{source.name}", problems)


def _to_container(
    cluster: Cluster, container: Container, of: Mapping[str, str], name: str, problems: list[str]
) -> Iterator[Way]:
    port = getattr(container, "port", _HTTPS)
    to = place_of_container(container, cluster.settings, cluster.aws)
    if to is None:
        problems.append(f"nothing tells where the container {container.name!r} is (egress=)")
        return
    yield Way(name=dns_label(name), of=of, to=to, port=port)


def _to_service(to: Egress | None, what: str, of: Mapping[str, str], name: str, problems: list[str]) -> Iterator[Way]:
    if to is None:
        problems.append(f"nothing tells where {what}")
        return
    yield Way(name=dns_label(name), of=of, to=to)


def _peers(to: Egress) -> list[Document]:
    peers: list[Document] = [{"ipBlock": {"cidr": cidr}} for cidr in to.cidrs]
    if to.namespace is not None or to.pods:
        peer: Document = {}
        if to.namespace is not None:
            peer["namespaceSelector"] = {"matchLabels": {_NAMESPACE: to.namespace}}
        if to.pods:
            peer["podSelector"] = {"matchLabels": dict(sorted(to.pods.items()))}
        peers.append(peer)
    return peers


def _policy(namespace: str, way: Way) -> Document:
    return _egress(namespace, way.name, way.of, [way.rule()])


def _egress(namespace: str, name: str, of: Mapping[str, str], rules: Sequence[Document]) -> Document:
    spec = {"podSelector": {"matchLabels": dict(of)}, "policyTypes": ["Egress"], "egress": list(rules)}
    return named(_API, "NetworkPolicy", name, namespace, spec=spec)


def _closed(namespace: str) -> Document:
    spec = {"podSelector": {}, "policyTypes": ["Egress", "Ingress"]}
    return named(_API, "NetworkPolicy", "nothing-by-default", namespace, spec=spec)


def _names(cluster: Cluster, namespace: str, of: Mapping[str, str]) -> Document:
    """Return the right to ask the name server."""
    dns = cluster.settings.dns or _DNS
    ports = [{"port": dns.port or 53, "protocol": protocol} for protocol in ("TCP", "UDP")]
    return _egress(namespace, "to-dns", of, [{"to": _peers(dns), "ports": ports}])


def _rule(to: Egress, port: int) -> Document:
    return {"to": _peers(to), "ports": _ports(to.port or port)}


def _ports(*ports: int) -> list[Document]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _postgres(cluster: Cluster) -> list[Document]:
    """Return what the operator's servers may reach and be reached by: each other, the operator, jobs."""
    settings = cluster.settings
    postgres = settings.postgres
    assert postgres is not None  # noqa: S101 - asked for by the caller
    refuse(
        [] if cluster.place("api_server") is not None else ["nothing tells where the Kubernetes API is (api_server=)"],
        "the servers of CloudNativePG cannot be run",
        "say it in the model: Kubernetes(api_server=Egress([…]))",
    )
    servers = {"cnpg.io/cluster": postgres.cluster}
    each_other = [{"podSelector": {"matchLabels": servers}}]
    operator = [{"namespaceSelector": {"matchLabels": {_NAMESPACE: "cnpg-system"}}}]
    ingress = [
        {"from": each_other, "ports": _ports(_POSTGRES, _OPERATOR)},
        {"from": operator, "ports": _ports(_POSTGRES, _OPERATOR)},
        {"from": [{"podSelector": {"matchLabels": _JOBS}}], "ports": _ports(_POSTGRES)},
    ]
    others = [to for to in (cluster.place("api_server"), postgres.backup_store) if to is not None]
    egress: list[Document] = [
        {"to": each_other, "ports": _ports(_POSTGRES, _OPERATOR)},
        *[_rule(to, _HTTPS) for to in others],
    ]
    spec = {
        "podSelector": {"matchLabels": servers},
        "policyTypes": ["Egress", "Ingress"],
        "ingress": ingress,
        "egress": egress,
    }
    return [
        _egress_dns(cluster, servers),
        named(_API, "NetworkPolicy", dns_label("postgres", postgres.cluster), cluster.namespace, spec=spec),
    ]


def _egress_dns(cluster: Cluster, of: Mapping[str, str]) -> Document:
    policy = _names(cluster, cluster.namespace, of)
    policy["metadata"] = {**policy["metadata"], "name": "postgres-to-dns"}  # type: ignore[dict-item]
    return policy


def _airflow(cluster: Cluster) -> list[Document]:
    """Return what Airflow's components may reach: each other, their database, the Kubernetes API, a secret store.

    Where tasks are processes, they need all that jobs need.
    """
    settings, namespace = cluster.settings, cluster.airflow_namespace
    wanted = {name: cluster.place(name) for name in ("airflow_database", "api_server")}
    refuse(
        [f"nothing tells where it is ({name}=)" for name, to in wanted.items() if to is None],
        "Airflow cannot reach its database or the Kubernetes API",
        "say it in the model: Kubernetes(airflow_database=Egress([…], port=5432), api_server=Egress([…]))",
    )
    ends = [(to, _POSTGRES if name == "airflow_database" else _HTTPS) for name, to in wanted.items() if to is not None]
    ends += [(to, _HTTPS) for to in (cluster.place("secret_store"), settings.telemetry) if to is not None]
    if cluster.aws is not None and cluster.aws.identity is AwsIdentity.POD_IDENTITY:
        ends.append((_IDENTITY, _HTTPS))
    if cluster.airflow is not None and cluster.airflow.tasks is TaskKind.PROCESS:
        ends += [(way.to, way.port) for way in ways(cluster)]
    rules: list[Document] = [{"to": [{"podSelector": {}}]}]
    for to, port in ends:
        rule = _rule(to, port)
        if rule not in rules:
            rules.append(rule)
    inside = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}
    return [
        _closed(namespace),
        _names(cluster, namespace, {}),
        _egress(namespace, "airflow", {}, rules),
        named(_API, "NetworkPolicy", "among-themselves", namespace, spec=inside),
    ]
