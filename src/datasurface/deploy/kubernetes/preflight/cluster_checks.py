"""What a cluster that is there says: its version, this person's rights, Secrets, classes, plug-ins. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from datasurface.deploy.kubernetes.helm import AIRFLOW_SECRETS, CONNECTIONS, reads_connections
from datasurface.deploy.kubernetes.preflight.api import Right
from datasurface.deploy.kubernetes.preflight.rights import missing_role, wanted_rights
from datasurface.deploy.kubernetes.preflight.setting_checks import version_outcome
from datasurface.deploy.kubernetes.preflight.subject import Subject
from datasurface.deploy.pod_secrets import mounted_secrets
from datasurface.deploy.preflight.check import Check, Needs, Outcome, failed, passed, skipped, warned

__all__ = ["CLUSTER_CHECKS"]

_REACHED = "kubernetes.cluster.reached"
_ENFORCING = ("antrea", "calico", "canal", "cilium", "kube-router", "ovn", "romana", "weave")
_NOT_ENFORCING = ("flannel",)
_AWS_NODE = "aws-node"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def _reached(subject: Subject) -> Iterator[Outcome]:
    yield passed(f"it answers, in version {_told_version(subject)}")


def _told_version(subject: Subject) -> str:
    found = subject.api.get("/version") or {}
    return f"{found.get('major', '0')}.{str(found.get('minor', '0')).rstrip('+')}"


def _version(subject: Subject) -> Iterator[Outcome]:
    version = _told_version(subject)
    yield version_outcome(version)
    declared = subject.cluster.settings.version
    if declared is not None and declared != version:
        yield warned(f"the model says {declared}, and the cluster is {version}", f'Kubernetes(version="{version}")')


def _namespaces(subject: Subject) -> Iterator[Outcome]:
    for each in subject.objects:
        if each["kind"] != "Namespace":
            continue
        name = each["metadata"]["name"]
        found = subject.api.get(f"/api/v1/namespaces/{name}")
        if found is None:
            yield passed("it does not exist yet", about=name)
        elif found.get("status", {}).get("phase") == "Terminating":
            yield failed(
                "it is being deleted, and takes nothing new",
                f"wait; what holds it up says kubectl get namespace {name} -o jsonpath='{{.status.conditions}}'",
                about=name,
            )
        elif found["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") != "datasurface":
            yield warned(
                "it exists and was not made by these files; they would take it over, with a quota and closed networks",
                "let the jobs have a namespace for themselves: Kubernetes(namespace=…)",
                about=name,
            )
        else:
            yield passed("it exists and is ours", about=name)


def _rights(subject: Subject) -> Iterator[Outcome]:
    wanted = wanted_rights(subject.objects)
    missing = [right for right in wanted if not subject.api.may(right)]
    if missing:
        lines = ", ".join(_told(right) for right in missing[:6]) + (" …" if len(missing) > len(missing[:6]) else "")
        yield failed(
            f"{len(missing)} of {len(wanted)} rights that applying needs are missing: {lines}",
            "let somebody with them apply this: the rules that are missing",
            document=missing_role(missing),
        )
    elif wanted:
        yield passed(f"all {len(wanted)} rights that applying needs are there")


def _told(right: Right) -> str:
    where = f" in {right.namespace}" if right.namespace else ""
    return f"{right.verb} {right.resource}{where}"


def _secrets(subject: Subject) -> Iterator[Outcome]:
    """Yield whether the Secrets that pods mount are there, with their keys; what they hold is never looked at."""
    cluster = subject.cluster
    wanted: dict[tuple[str, str], tuple[set[str], bool]] = {}
    operators = f"{cluster.settings.postgres.cluster}-app" if cluster.settings.postgres is not None else ""
    for platform, kind in cluster.kinds():
        for each in mounted_secrets(platform, kind, cluster.settings):
            if each.secret != operators:
                wanted[cluster.namespace, each.secret] = ({key for _, key in each.keys}, each.optional)
    if cluster.settings.release_secret is not None:
        wanted[cluster.namespace, cluster.settings.release_secret] = ({"credentials"}, False)
    if cluster.airflow is not None:
        two = cluster.airflow.version.startswith("2.")
        for path, (name, key) in AIRFLOW_SECRETS.items():
            if path not in ({"apiSecretKeySecretName", "jwtSecretName"} if two else {"webserverSecretKeySecretName"}):
                wanted[cluster.airflow_namespace, name] = ({key}, False)
        if reads_connections(cluster):
            wanted[cluster.airflow_namespace, CONNECTIONS] = ({"connections.json"}, False)
    for (namespace, name), (keys, optional) in sorted(wanted.items()):
        yield _secret(subject, namespace, name, keys, optional=optional)


def _secret(subject: Subject, namespace: str, name: str, keys: set[str], *, optional: bool) -> Outcome:
    found = subject.api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    about = f"{namespace}/{name}"
    files = " ".join(f"--from-file={key}=…" for key in sorted(keys))
    remedy = f"kubectl create secret generic {name} --namespace {namespace} {files}"
    if found is None and optional:
        return passed("it is not there yet: the security job makes it", about=about)
    if found is None:
        return failed("it is not there, and pods that mount it do not start", remedy, about=about)
    absent = sorted(keys - set(found.get("data") or {}))
    if absent:
        return failed(f"it has no {' and no '.join(absent)}", remedy, about=about)
    return passed(f"it has {' and '.join(sorted(keys))}", about=about)


def _pull_secrets(subject: Subject) -> Iterator[Outcome]:
    cluster = subject.cluster
    registry = cluster.settings.image.partition("/")[0]
    for namespace in [cluster.namespace, *([cluster.airflow_namespace] if cluster.airflow is not None else [])]:
        for name in cluster.settings.pull_secrets:
            found = subject.api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
            about = f"{namespace}/{name}"
            remedy = (
                f"kubectl create secret docker-registry {name} --namespace {namespace} --docker-server={registry} …"
            )
            if found is None:
                yield failed("it is not there, and the image cannot be pulled", remedy, about=about)
            elif found.get("type") != "kubernetes.io/dockerconfigjson":
                yield failed(f"it is of the type {found.get('type')}, and no login to a registry", remedy, about=about)
            else:
                yield passed("it is a login to a registry", about=about)


def _classes(subject: Subject) -> Iterator[Outcome]:
    postgres = subject.cluster.settings.postgres
    if postgres is None and subject.cluster.airflow is None:
        return
    found = {each["metadata"]["name"]: each for each in subject.api.items("/apis/storage.k8s.io/v1/storageclasses")}
    default = next((name for name, each in found.items() if _is_default(each)), None)
    wanted = postgres.storage_class if postgres is not None else None
    names = ", ".join(sorted(found)) or "none"
    if wanted is not None and wanted not in found:
        yield failed(f"there is no storage class {wanted!r}", f"one of {names}", about=wanted)
    elif wanted is None and default is None:
        yield failed(
            "there is no default storage class: volumes would wait for ever", f"make one of {names} the default"
        )
    else:
        chosen = found[wanted or default or ""]
        about = chosen["metadata"]["name"]
        if chosen.get("volumeBindingMode") != "WaitForFirstConsumer":
            yield warned(
                "it makes volumes before it is known where their pods run: a pod may find its volume in another zone",
                "a class with volumeBindingMode: WaitForFirstConsumer",
                about=about,
            )
        else:
            yield passed(f"{chosen.get('provisioner')} makes volumes where their pods run", about=about)


def _is_default(found: dict[str, Any]) -> bool:
    return bool((found["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true")


def _network(subject: Subject) -> Iterator[Outcome]:
    sets = [
        each
        for namespace in ("kube-system", "calico-system", "kube-flannel")
        for each in subject.api.items(f"/apis/apps/v1/namespaces/{namespace}/daemonsets")
    ]
    names = sorted({each["metadata"]["name"] for each in sets})
    enforcing = [name for name in names if any(word in name for word in _ENFORCING)]
    agent = next((each for each in sets if each["metadata"]["name"] == _AWS_NODE), None)
    if enforcing:
        yield passed(f"network policies are enforced by {', '.join(enforcing)}")
    elif agent is not None and "network-policy" in str(agent["spec"]):
        yield passed("network policies are enforced by the agent of Amazon's VPC plug-in, if it is switched on")
    elif any(word in name for name in names for word in _NOT_ENFORCING):
        yield warned(
            "flannel does not enforce network policies: pods could connect to everywhere",
            "a plug-in that does, such as Calico (also beside flannel) or Cilium",
        )
    else:
        yield warned(
            f"no plug-in is known here to enforce network policies (found {', '.join(names) or 'nothing'})",
            "see whether the network plug-in enforces them",
        )


def _operator(subject: Subject) -> Iterator[Outcome]:
    postgres = subject.cluster.settings.postgres
    kinds: dict[str, str] = {}
    if subject.cluster.settings.metrics_for is not None and subject.cluster.settings.service_monitors:
        kinds["servicemonitors.monitoring.coreos.com"] = "Prometheus' operator"
    if postgres is not None:
        kinds["clusters.postgresql.cnpg.io"] = "the operator CloudNativePG, 1.26 or newer"
        if postgres.backups is not None:
            kinds["objectstores.barmancloud.cnpg.io"] = "the Barman Cloud plug-in of CloudNativePG"
    for name, what in kinds.items():
        found = subject.api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        if found is None:
            yield failed("the cluster does not know it", f"install {what} before the manifests", about=name)
        else:
            yield passed("the cluster knows it", about=name)
    if postgres is not None and postgres.backups is not None:
        path = f"/apis/barmancloud.cnpg.io/v1/namespaces/{subject.cluster.namespace}/objectstores/{postgres.backups}"
        if subject.api.get(path) is None:
            remedy = "make it: it names the bucket and the login"
            yield failed("there is no such ObjectStore", remedy, about=postgres.backups)


def _helm(subject: Subject) -> Iterator[Outcome]:
    if subject.cluster.airflow is None:
        return
    namespace = subject.cluster.airflow_namespace
    found = subject.api.items(f"/api/v1/namespaces/{namespace}/secrets?labelSelector=owner%3Dhelm")
    newest: dict[str, tuple[int, str]] = {}
    for each in found:
        labels = each["metadata"].get("labels", {})
        release = (int(labels.get("version", 0)), labels.get("status", ""))
        newest[labels.get("name", "")] = max(newest.get(labels.get("name", ""), (0, "")), release)
    for name, (number, status) in sorted(newest.items()):
        if status.startswith("pending"):
            yield failed(
                f"its release {number} is {status}: another helm runs, or was ended in the middle",
                f"helm rollback {name} --namespace {namespace}, or helm uninstall {name} if it is the first",
                about=name,
            )
        else:
            yield passed(f"its release {number} is {status}", about=name)
    if not newest:
        yield skipped("no chart is installed yet", about=namespace)


def _check(name: str, title: str, looks_at: str, fails: str, remedy: str, look: Any) -> Check[Subject]:
    return Check(
        id=f"kubernetes.cluster.{name}",
        title=title,
        looks_at=looks_at,
        fails=fails,
        remedy=remedy,
        look=look,
        needs=Needs.CREDENTIALS,
        after="" if name == "reached" else _REACHED,
    )


CLUSTER_CHECKS: tuple[Check[Subject], ...] = (
    _check(
        "reached",
        "the cluster answers",
        "The API that the kubeconfig's current context, or the pod that this runs in, names.",
        "It does not answer, or the login is not valid.",
        "Set KUBECONFIG; log in.",
        _reached,
    ),
    _check(
        "version",
        "the cluster has a supported version",
        "The version that the API tells, against the model's and those that the manifests are validated for.",
        "It is too old; a newer one, and another one than the model says, warn.",
        "Upgrade the cluster.",
        _version,
    ),
    _check(
        "namespaces",
        "namespaces can be made or are ours",
        "Whether each namespace exists, and in which phase.",
        "One is being deleted; one that somebody else made warns.",
        "Wait, or choose another namespace.",
        _namespaces,
    ),
    _check(
        "rights",
        "this person may apply all of it",
        "SelfSubjectAccessReview for create, get and patch of every kind of object in its namespace.",
        "One is refused; the remedy holds the rules that are missing.",
        "Have the rules granted, or let somebody else apply it.",
        _rights,
    ),
    _check(
        "secrets",
        "Secrets are there with their keys",
        "The names and keys of the Secrets that pods mount and that Airflow's chart refers to; never what they hold.",
        "One is not there, or has no such key.",
        "kubectl create secret generic …",
        _secrets,
    ),
    _check(
        "pull-secrets",
        "the image can be pulled",
        "Each of pull_secrets in its namespace.",
        "It is not there, or is no login to a registry.",
        "kubectl create secret docker-registry …",
        _pull_secrets,
    ),
    _check(
        "storage",
        "a storage class for the volumes",
        "The chosen class, or the default one, and when it makes volumes.",
        "There is none; one that does not wait for the pod warns.",
        "Name a class, or make one the default.",
        _classes,
    ),
    _check(
        "network",
        "network policies are enforced",
        "The daemon sets of known network plug-ins.",
        "It warns if none is known to enforce policies.",
        "Calico, Cilium, or the provider's own with policies switched on.",
        _network,
    ),
    _check(
        "operator",
        "operators are there",
        "The definitions of CloudNativePG's and Prometheus' kinds, as far as they are used, and the store of backups.",
        "One is not there.",
        "Install CloudNativePG, its plug-in for backups, or Prometheus' operator.",
        _operator,
    ),
    _check(
        "helm",
        "no release of the chart is stuck",
        "The state of Helm's releases in Airflow's namespace.",
        "One is pending.",
        "helm rollback, or helm uninstall.",
        _helm,
    ),
)
