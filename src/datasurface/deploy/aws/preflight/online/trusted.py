"""Trust policies as they are: whether pods of the cluster could take on the roles that exist already."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from datasurface.deploy.aws.preflight.online.existing import existing_cluster
from datasurface.deploy.aws.preflight.online.identity import check_of_account
from datasurface.deploy.aws.preflight.roles import role_of_account
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.trust import (
    clusters_of,
    issuers_of,
    pod_identity_problems,
    subjects_of,
    trusts_all_pods,
    web_identity_problems,
)
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, skipped

__all__ = ["CHECKS"]

_AGAIN = "deploy the stack of the roles anew; a role of somebody else: its owner changes the trust policy"


def _named(subject: AwsSubject) -> dict[str, str]:
    """Return the name of each service account's role, as far as names are known."""
    found = {account: role.text("RoleName") for account, role in role_of_account(subject).items()}
    return {account: name for account, name in found.items() if name} | subject.foreign_roles


def _trust_of(role: Mapping[str, Any]) -> Mapping[str, Any]:
    document = role["AssumeRolePolicyDocument"]
    found: Mapping[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    return found


def _roles(subject: AwsSubject) -> Iterator[Outcome]:
    cluster = existing_cluster(subject)
    issuer = str((cluster or {}).get("identity", {}).get("oidc", {}).get("issuer", "")).removeprefix("https://")
    others = subject.foreign_roles
    looked = 0
    for account, name in sorted(_named(subject).items()):
        found = subject.aws.find("iam", "get_role", {"NoSuchEntity"}, RoleName=name)
        if found is None:
            if account in others:
                yield failed(
                    f"the role {name} does not exist", "make it, or name it in Aws(create_roles=[…])", about=account
                )
            continue
        looked += 1
        trust = _trust_of(found["Role"])
        problems = [*web_identity_problems(trust), *pod_identity_problems(trust)]
        problems += _not_for(trust, account, subject, issuer)
        for problem in problems:
            yield failed(f"{name}: {problem}", _AGAIN, about=account)
        if not problems:
            yield passed(f"{name} trusts it", about=account)
    if not looked:
        yield skipped("no role of a job exists yet", "after the stacks are made, run it again")


def _not_for(trust: Mapping[str, Any], account: str, subject: AwsSubject, issuer: str) -> Iterator[str]:
    """Yield why a trust policy, however well it is written, is not about this service account of this cluster."""
    subjects = subjects_of(trust)
    wanted = {f"system:serviceaccount:{subject.namespace}:{account}", account}
    if not wanted & set(subjects) and not trusts_all_pods(trust):
        named = ", ".join(subjects) or "nobody by name"
        yield f"it trusts {named}, not the service account {account} in {subject.namespace}"
    clusters = clusters_of(trust)
    if clusters and subject.cluster not in clusters:
        yield f"it trusts pods of {', '.join(clusters)}, the cluster is {subject.cluster}"
    for known in issuers_of(trust):
        if issuer and known.removeprefix("https://") != issuer:
            yield f"its issuer is {known}, the cluster's is {issuer}: it was made for another cluster"


def _provider(subject: AwsSubject) -> Iterator[Outcome]:
    cluster = existing_cluster(subject)
    if subject.settings.identity.value != "irsa":
        return
    if cluster is None:
        yield skipped("the cluster is not there yet", "after the stacks are made, run it again")
        return
    issuer = str(cluster.get("identity", {}).get("oidc", {}).get("issuer", "")).removeprefix("https://")
    providers = subject.aws.ask("iam", "list_open_id_connect_providers")["OpenIDConnectProviderList"]
    if any(str(each["Arn"]).endswith(f"/{issuer}") for each in providers):
        yield passed(f"{issuer} is known to IAM")
    else:
        yield failed(
            f"IAM does not know the cluster's issuer {issuer}: no service account can take on a role",
            f"aws iam create-open-id-connect-provider --url https://{issuer} --client-id-list sts.amazonaws.com",
        )


def _associations(subject: AwsSubject) -> Iterator[Outcome]:
    """Pod Identity: each service account of the cluster is associated with its role."""
    if existing_cluster(subject) is None or subject.settings.identity.value == "irsa":
        yield skipped("there is no cluster yet, or it does not use Pod Identity")
        return
    found = subject.aws.pages(
        "eks",
        "list_pod_identity_associations",
        "associations",
        clusterName=subject.cluster,
        namespace=subject.namespace,
    )
    there = {str(each["serviceAccount"]) for each in found}
    for account in sorted(_named(subject)):
        if account not in there:
            yield failed(
                f"the service account {account} is associated with no role",
                "deploy the stack of the roles anew",
                about=account,
            )
    yield passed(f"{len(there)} service accounts are associated with a role")


_check = partial(check_of_account, "aws.trust")

CHECKS: tuple[Check[AwsSubject], ...] = (
    _check(
        "roles",
        "trust policies of existing roles",
        "issuer, subject and audience of each job's role that exists, against the cluster and the service account",
        "a role of run_as= does not exist, or does not trust the service account, or was made for another cluster",
        _AGAIN,
        _roles,
    ),
    _check(
        "provider",
        "the cluster's issuer",
        "IAM's OIDC providers, where roles are taken on by service account (IRSA)",
        "IAM does not know the issuer",
        "aws iam create-open-id-connect-provider",
        _provider,
    ),
    _check(
        "associations",
        "Pod Identity",
        "the associations of the cluster, against the service accounts of the jobs",
        "one is missing",
        "the stack of the roles anew",
        _associations,
    ),
)
