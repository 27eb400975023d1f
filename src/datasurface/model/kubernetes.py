"""A Kubernetes cluster as a model describes it: what somebody has to decide, nothing that follows from the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from datasurface.model.base import EMPTY_MAPPING, Noun, noun
from datasurface.model.deployment import Deployment

__all__ = ["CloudNativePostgres", "ClusterNodes", "Egress", "Kubernetes"]


@noun
class Egress(Noun):
    """Where pods may connect to: addresses, or pods of a namespace. Nothing else is reachable from them.

    Attributes:
        cidrs: Networks, such as `10.1.2.0/24`; a single address is `10.1.2.3/32`.
        port: The port; None for that of the container, else 443.
        namespace: The namespace of the pods; None for that of the jobs.
        pods: The labels of the pods.
    """

    cidrs: Sequence[str] = field(default=(), kw_only=False)
    port: int | None = None
    namespace: str | None = None
    pods: Mapping[str, str] = EMPTY_MAPPING


@noun
class CloudNativePostgres(Noun):
    """A PostgreSQL cluster that the operator CloudNativePG runs beside the jobs.

    The operator makes the password and the certificates; no file holds them. The container that stands for it has the
    host `<cluster>-rw.<namespace>.svc`.

    Attributes:
        cluster: Its name.
        container: The name of the container that stands for it.
        instances: How many servers; one is the primary, the others take over.
        storage: The size of each server's volume.
        storage_class: The storage class; None for the cluster's default.
        image: The image of the server, by digest; None for the operator's default.
        cpu: The CPUs of each server.
        memory: The memory of each server.
        backups: The `ObjectStore` of the Barman Cloud plug-in that backups go to; None for no backups.
        backup_store: Where its bucket is.
    """

    cluster: str = field(kw_only=False)
    container: str
    instances: int = 3
    storage: str = "50Gi"
    storage_class: str | None = None
    image: str | None = None
    cpu: float = 2
    memory: str = "4Gi"
    backups: str | None = None
    backup_store: Egress | None = None


@noun
class ClusterNodes(Noun):
    """The nodes that jobs run on, as far as checks need to know them before there is a cluster to ask.

    Attributes:
        cpu: What pods may use of a node's CPUs.
        memory: What pods may use of a node's memory.
        pods: How many pods a node holds.
        count: How many nodes there are at most.
    """

    cpu: float
    memory: str
    pods: int = 110
    count: int = 3


@noun
class Kubernetes(Deployment):
    """A Kubernetes cluster, on which the jobs run as pods.

    Attributes:
        image: The image of the jobs, by digest: `registry.example/datasurface@sha256:…`.
        namespace: The namespace of the jobs; they have it for themselves.
        version: The cluster's version, such as `1.34`; None if checks need not know.
        parallelism: How many jobs run at once at most; the namespace's quota follows from it.
        egress: Where each container is, by its name, if its host does not tell.
        secret_store: Where the secret store is, with what issues its tokens; None if no pod asks one over the network.
        release_store: Where the release store is; None if the environment follows none.
        release_secret: The Secret with the files `credentials` and `config` of the AWS command line, for a release
            store like S3 that no identity of the pod opens.
        api_server: Where the Kubernetes API is, for Airflow and for jobs that write secrets.
        dns: Where the name server is; None for the pods of `kube-system` labelled `k8s-app: kube-dns`.
        telemetry: Where metrics, traces and lineage are sent to.
        metrics_for: The namespace of Prometheus, which may ask for metrics; None for no server of metrics.
        service_monitors: Whether Prometheus' operator is told of these servers; its definitions have to be there.
        environment: Variables of the jobs, such as `OTEL_EXPORTER_OTLP_ENDPOINT`; no secrets.
        pull_secrets: The secrets that the image is pulled with.
        node_selector: The labels of the nodes that jobs run on.
        nodes: The size of these nodes.
        postgres: A PostgreSQL cluster to run beside the jobs; None if the merge database is elsewhere.
        airflow_namespace: The namespace of Airflow; None for the jobs' own with `-airflow`.
        airflow_image: The image of Airflow, by digest; None for the chart's own.
        airflow_database: Where Airflow's own database is.
        airflow_logs: The bucket for the logs of tasks, `s3://bucket/prefix`; None for Airflow's own volumes.
        log_days: For how many days Airflow keeps logs on its volumes.
    """

    image: str
    namespace: str = "datasurface"
    version: str | None = None
    parallelism: int = 16
    egress: Mapping[str, Egress] = EMPTY_MAPPING
    secret_store: Egress | None = None
    release_store: Egress | None = None
    release_secret: str | None = None
    api_server: Egress | None = None
    dns: Egress | None = None
    telemetry: Egress | None = None
    metrics_for: str | None = None
    service_monitors: bool = False
    environment: Mapping[str, str] = EMPTY_MAPPING
    pull_secrets: Sequence[str] = ()
    node_selector: Mapping[str, str] = EMPTY_MAPPING
    nodes: ClusterNodes | None = None
    postgres: CloudNativePostgres | None = None
    airflow_namespace: str | None = None
    airflow_image: str | None = None
    airflow_database: Egress | None = None
    airflow_logs: str | None = None
    log_days: int = 14
