"""The stack `identities`: a role for each kind of job and each transformer, and which pods take it on.

A role that a transformer names itself (`run_as`) belongs to somebody else. It gets the policy that lets the code read
its secrets; who may take it on, its owner has to say, unless the model has it made here (`create_roles`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from troposphere import GetAtt, Ref, eks, iam

from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.policies import (
    credentials_for,
    follow_releases,
    keep_logs,
    publish_releases,
    read_connections,
    secret_policies,
    security_policy,
)
from datasurface.deploy.aws.roles import add_role, issuer_trust, pod_trust, service_account_trust
from datasurface.deploy.aws.template import CAPABILITY_NAMED_IAM, Stack, StackBuilder, title_of
from datasurface.deploy.names import dns_label
from datasurface.deploy.pod import account_of
from datasurface.errors import ConfigurationError
from datasurface.model.airflow import Airflow
from datasurface.model.identity import AwsRole, identity_problem
from datasurface.model.vocabulary import AwsIdentity, TaskKind
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = ["Identity", "airflow_accounts", "foreign_trusts", "identities", "identities_of"]

_LONGEST_ACCOUNT = 120
_MOST = 120
"""Identities in one stack: each is at most four resources, and a template may have 500."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the pods of some jobs are.

    Attributes:
        platform: Their platform.
        kinds: The jobs that share it.
        account: The service account.
        role: The role's name.
        arn: The role's ARN.
        made: Whether the stack makes the role.
    """

    platform: PlatformSpec
    kinds: tuple[SystemJob | JobSpec, ...]
    account: str
    role: str
    arn: str
    made: bool


def identities_of(ground: Ground) -> tuple[Identity, ...]:
    """Return the identities of all jobs, sorted by service account.

    Raises:
        ConfigurationError: a transformer runs as a role that there cannot be.
    """
    found = [each for platform in ground.platforms for each in _of_platform(ground, platform)]
    return tuple(sorted(found, key=lambda each: (each.account, each.role)))


def foreign_trusts(ground: Ground) -> dict[str, dict[str, object]]:
    """Return the trust policy that each role of somebody else needs, by the role's name, sorted.

    With IRSA the issuer is known only when the cluster is: its place is held by `${Issuer}` and `${Provider}`.
    """
    by_role: dict[str, set[str]] = {}
    for identity in identities_of(ground):
        if not identity.made:
            by_role.setdefault(identity.role, set()).add(identity.account)
    irsa = ground.settings.identity is AwsIdentity.IRSA
    build = issuer_trust if irsa else lambda namespace, accounts: pod_trust(ground, namespace, accounts)
    return {role: build(ground.namespace, sorted(accounts)) for role, accounts in sorted(by_role.items())}


def airflow_accounts(airflow: Airflow) -> tuple[str, ...]:
    """Return the service accounts of Airflow's components, as `deploy kubernetes` calls them."""
    interface = "webserver" if airflow.version.startswith("2") else "api-server"
    return tuple([f"airflow-{each}" for each in (interface, "dag-processor", "scheduler", "triggerer", "worker")])


def identities(ground: Ground) -> tuple[Stack, ...]:
    """Return the stacks of identities; more than one if they do not fit into one."""
    found = identities_of(ground)
    parts: dict[str, list[Identity]] = {"identities": []}
    for identity in found:
        key = "identities" if len(found) <= _MOST else f"identities-{_digest(identity.account)[0]}"
        parts.setdefault(key, []).append(identity)
    stacks = []
    for key, part in sorted(parts.items()):
        stack = StackBuilder(ground=ground, key=key, purpose="roles of the jobs, and which pods have them")
        _add_all(stack, part, found)
        if key == "identities":
            _add_airflow(stack)
            _add_publisher(stack)
        stacks.append(stack.built())
    return tuple(stacks)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _of_platform(ground: Ground, platform: PlatformSpec) -> Iterator[Identity]:
    by_account: dict[str, list[SystemJob | JobSpec]] = {}
    for kind in (*SystemJob, *platform.jobs):
        by_account.setdefault(account_of(platform, kind), []).append(kind)
    for account, kinds in sorted(by_account.items()):
        roles = {_run_as(kind) for kind in kinds}
        if len(roles) > 1:
            raise ConfigurationError(
                f"the service account {account!r} of platform {platform.name!r} would have {len(roles)} roles",
                hint="give each role of a transformer a service account of its own",
            )
        yield _identity(ground, platform, account, tuple(kinds), roles.pop())


def _identity(
    ground: Ground,
    platform: PlatformSpec,
    account: str,
    kinds: tuple[SystemJob | JobSpec, ...],
    run_as: AwsRole | None,
) -> Identity:
    names = ground.names
    if run_as is None:
        role, arn, made = account, names.role_arn(account), True
    else:
        if problem := identity_problem(run_as):
            raise ConfigurationError(f"the role {run_as.role!r} {problem}")
        role, arn = run_as.role_name, run_as.arn(account=names.account, partition=names.partition)
        made = role in ground.settings.create_roles
    if arn.split(":")[4] != names.account:
        raise ConfigurationError(
            f"the role {arn} is one of another account, and pods take on roles of their cluster's account only",
            hint="let the transformer run as a role of this account that may assume the other one",
        )
    return Identity(platform=platform, kinds=kinds, account=account, role=role, arn=arn, made=made)


def _run_as(kind: SystemJob | JobSpec) -> AwsRole | None:
    transformer = kind.transformer if isinstance(kind, JobSpec) else None
    return transformer.run_as if transformer is not None and isinstance(transformer.run_as, AwsRole) else None


def _add_all(stack: StackBuilder, part: Sequence[Identity], whole: Sequence[Identity]) -> None:
    """Add identities; a role that several of them share is made once, where the first of them is."""
    roles: dict[str, iam.Role] = {}
    for identity in part:
        title = _digest(identity.account)[:16]
        sharing = [other for other in whole if other.arn == identity.arn]
        if identity.made and identity is sharing[0]:
            roles[identity.arn] = _add_job_role(stack, f"Role{title}", identity, sharing)
        _add_policies(stack, title, identity, roles.get(identity.arn))
        _associate(stack, f"Pods{title}", stack.ground.namespace, identity.account, _arn(identity, roles))


def _arn(identity: Identity, roles: dict[str, iam.Role]) -> object:
    return GetAtt(roles[identity.arn], "Arn") if identity.arn in roles else identity.arn


def _add_job_role(stack: StackBuilder, title: str, identity: Identity, trusting: Sequence[Identity]) -> iam.Role:
    accounts = sorted({each.account for each in trusting})
    return add_role(stack, title, identity.role, _trust(stack, stack.ground.namespace, accounts))


def _trust(stack: StackBuilder, namespace: str, accounts: Sequence[str]) -> object:
    if stack.ground.settings.identity is AwsIdentity.IRSA:
        return service_account_trust(stack, namespace, accounts)
    return pod_trust(stack.ground, namespace, accounts)


def _add_policies(stack: StackBuilder, title: str, identity: Identity, role: iam.Role | None) -> None:
    """Add what the jobs may do, to the role that is made here or to the one that exists."""
    ground, platform = stack.ground, identity.platform
    key = stack.told("SecretsKey")
    documents = list(
        secret_policies(ground, platform, credentials_for(platform, identity.kinds), key, f"the role {identity.role}")
    )
    if SystemJob.SECURITY in identity.kinds or _syncs(identity):
        documents.append(security_policy(ground, platform, key))
    if SystemJob.APPLY in identity.kinds:
        documents.append(follow_releases(ground, stack.told("DataKey")))
    for part, document in enumerate(documents):
        stack.capabilities.add(CAPABILITY_NAMED_IAM)
        stack.add(
            iam.ManagedPolicy(
                f"Policy{title}Part{part}",
                ManagedPolicyName=f"{_policy_name(identity.account)}-{part + 1}",
                Description=f"what jobs of {platform.name} read: service account {identity.account}",
                PolicyDocument=document,
                Roles=[Ref(role) if role is not None else identity.role],
            )
        )


def _policy_name(account: str) -> str:
    """Return what an account's policies are called; a service account that somebody has named may be longer."""
    return account if len(account) <= _LONGEST_ACCOUNT else dns_label(account, limit=_LONGEST_ACCOUNT)


def _syncs(identity: Identity) -> bool:
    """Tell whether a transformer of the system itself makes and rotates logins."""
    return any(
        isinstance(kind, JobSpec)
        and kind.transformer is not None
        and getattr(kind.transformer.code, "name", None) == "security_sync"
        for kind in identity.kinds
    )


def _associate(stack: StackBuilder, title: str, namespace: str, account: str, arn: object) -> None:
    """Tell EKS which pods have a role; with IRSA the annotation of the service account does."""
    if stack.ground.settings.identity is AwsIdentity.IRSA:
        return
    stack.add(
        eks.PodIdentityAssociation(
            title,
            ClusterName=stack.told("ClusterName"),
            Namespace=namespace,
            ServiceAccount=account,
            RoleArn=arn,
        )
    )


def _add_airflow(stack: StackBuilder) -> None:
    """Add the role with which Airflow keeps the logs of its tasks, if Airflow runs here."""
    ground = stack.ground
    airflow = ground.deployable.find(Airflow)
    namespace = ground.airflow_namespace
    if airflow is None or namespace is None:
        return
    name, accounts = ground.names.role("airflow"), airflow_accounts(airflow)
    role = add_role(stack, "AirflowRole", name, _trust(stack, namespace, accounts))
    policies = {"logs": keep_logs(ground, stack.told("DataKey"))}
    if airflow.tasks is TaskKind.PROCESS:
        policies["connections"] = read_connections(ground, airflow, stack.told("SecretsKey"))
    for what, document in policies.items():
        stack.add(
            iam.ManagedPolicy(
                f"Airflow{what.capitalize()}",
                ManagedPolicyName=f"{name}-{what}",
                Description=f"what Airflow does itself: {what}",
                PolicyDocument=document,
                Roles=[Ref(role)],
            )
        )
    for account in accounts:
        _associate(stack, f"Pods{title_of(account)}", namespace, account, GetAtt(role, "Arn"))
    stack.tell("AirflowRole", GetAtt(role, "Arn"), "the role of Airflow")


def _add_publisher(stack: StackBuilder) -> None:
    """Add the policy that whoever publishes releases is given, such as a pipeline's role."""
    ground = stack.ground
    policy = stack.add(
        iam.ManagedPolicy(
            "PublishReleases",
            ManagedPolicyName=ground.names.role("publish"),
            Description="publish releases: attach it to the role of the pipeline",
            PolicyDocument=publish_releases(ground, stack.told("DataKey")),
        )
    )
    stack.tell("PublishPolicy", Ref(policy), "the policy of whoever publishes releases")
