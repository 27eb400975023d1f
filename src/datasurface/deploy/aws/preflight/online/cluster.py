"""The cluster as it is: its state, version and add-ons, and whether this login may use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from datasurface.deploy.aws.preflight.online.existing import existing_cluster
from datasurface.deploy.aws.preflight.online.identity import check_of_account, principal_of
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.versions import KUBERNETES, judged
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, skipped, warned

__all__ = ["CHECKS"]

_NEEDED = ("coredns", "kube-proxy", "vpc-cni")
_NOT_YET = "the cluster is not there yet"


def _wanted(subject: AwsSubject) -> list[str]:
    """Return the add-ons that the templates name, else those that no cluster is without."""
    named = [each.text("AddonName") for each in subject.resources("AWS::EKS::Addon")]
    return sorted({name for name in named if name} or set(_NEEDED))


def _state(subject: AwsSubject) -> Iterator[Outcome]:
    cluster = existing_cluster(subject)
    if cluster is None:
        if subject.settings.cluster and not list(subject.resources("AWS::EKS::Cluster")):
            yield failed(f"there is no cluster {subject.cluster}", "another cluster= in Aws(…), or leave it out")
        else:
            yield skipped(_NOT_YET)
        return
    if cluster.get("status") != "ACTIVE":
        yield failed(f"it is {cluster.get('status')}", "wait until it is ACTIVE", about=subject.cluster)
    version = str(cluster.get("version"))
    yield judged("Kubernetes", version, KUBERNETES, subject.today, "aws eks update-cluster-version", subject.cluster)
    config = cluster.get("resourcesVpcConfig", {})
    if config.get("endpointPublicAccess") and "0.0.0.0/0" in config.get("publicAccessCidrs", ["0.0.0.0/0"]):
        remedy = (
            f"aws eks update-cluster-config --name {subject.cluster} --resources-vpc-config endpointPublicAccess=false"
        )
        yield warned("its API is open to the world", remedy, about=subject.cluster)


def _offered(subject: AwsSubject) -> Iterator[Outcome]:
    """Whether EKS still makes clusters of the version that is asked for."""
    for cluster in subject.resources("AWS::EKS::Cluster"):
        version = cluster.text("Version")
        if version is None or existing_cluster(subject) is not None:
            continue
        found = subject.aws.pages("eks", "describe_cluster_versions", "clusterVersions")
        offered = {str(each["clusterVersion"]): str(each.get("versionStatus", "")) for each in found}
        if version not in offered:
            known = ", ".join(sorted(offered, key=lambda each: [int(part) for part in each.split(".")]))
            yield failed(f"EKS makes no cluster of {version}; it makes {known}", 'Aws(kubernetes="…")')
        elif offered[version] == "EXTENDED_SUPPORT":
            yield warned(f"{version} is in extended support, which costs more", 'Aws(kubernetes="…")')
        else:
            yield passed(f"EKS makes clusters of {version}")


def _addons(subject: AwsSubject) -> Iterator[Outcome]:
    if existing_cluster(subject) is None:
        yield skipped(_NOT_YET)
        return
    there = set(subject.aws.pages("eks", "list_addons", "addons", clusterName=subject.cluster))
    for name in _wanted(subject):
        if name not in there:
            yield failed(
                "it is not installed",
                f"aws eks create-addon --cluster-name {subject.cluster} --addon-name {name}",
                about=name,
            )
            continue
        addon = subject.aws.ask("eks", "describe_addon", clusterName=subject.cluster, addonName=name)["addon"]
        yield _addon(addon, name)


def _addon(addon: Mapping[str, Any], name: str) -> Outcome:
    if addon.get("status") in {"ACTIVE", "UPDATING"}:
        return passed(f"{addon.get('addonVersion')} is {addon['status']}", about=name)
    issues = "; ".join(str(each.get("message")) for each in addon.get("health", {}).get("issues", []))
    return failed(
        f"it is {addon.get('status')}: {issues or 'no reason is given'}",
        f"aws eks update-addon --addon-name {name} --resolve-conflicts OVERWRITE --cluster-name …",
        about=name,
    )


def _access(subject: AwsSubject) -> Iterator[Outcome]:
    """Whether this login is known to the cluster at all: IAM alone gives no right inside."""
    if existing_cluster(subject) is None:
        yield skipped(_NOT_YET)
        return
    principal = principal_of(subject)
    entries = subject.aws.pages("eks", "list_access_entries", "accessEntries", clusterName=subject.cluster)
    if principal in entries:
        yield passed(f"{principal} has an access entry")
    else:
        yield warned(
            f"{principal} has no access entry: kubectl would say `You must be logged in`",
            f"Aws(admins=[{principal!r}]), or aws eks create-access-entry",
        )


_check = partial(check_of_account, "aws.cluster")

CHECKS: tuple[Check[AwsSubject], ...] = (
    _check(
        "state",
        "existing cluster",
        "its state, its version, from where its API may be reached",
        "cluster= names one that is not there, it is not ACTIVE, or the support of its version has ended",
        "another cluster=, or an upgrade",
        _state,
    ),
    _check(
        "offered",
        "versions that EKS makes",
        "the version of a cluster that is made, against those that EKS offers",
        "it does not make it; warns in extended support",
        'Aws(kubernetes="…")',
        _offered,
    ),
    _check(
        "addons",
        "add-ons",
        "the add-ons of the templates, in an existing cluster",
        "one is not installed, or not ACTIVE",
        "aws eks create-addon",
        _addons,
    ),
    _check(
        "access",
        "access to the cluster",
        "the access entries of an existing cluster",
        "never; warns if this login has none",
        "Aws(admins=[…])",
        _access,
    ),
)
