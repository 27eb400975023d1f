"""Checks of roles as the templates make them: every job has one, may read its secrets, and can take it on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from datasurface.deploy.aws.preflight.policies import allows, statements_of
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import Resource, listed
from datasurface.deploy.aws.preflight.trust import pod_identity_problems, subjects_of, web_identity_problems
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed

__all__ = ["CHECKS", "arn_suffix", "role_of_account"]

_AGAIN = "generate the files anew; if it stays, report it"
_ENDING = "-AbCdEf"
"""Stands for the six characters that AWS adds to a secret's name."""


def arn_suffix(subject: AwsSubject, secret: str) -> str:
    """Return an ARN as that of a secret may be."""
    where = subject.settings
    return f"arn:{subject.partition}:secretsmanager:{where.region}:{where.account}:secret:{secret}{_ENDING}"


def role_of_account(subject: AwsSubject) -> dict[str, Resource]:
    """Return the role of each service account: by Pod Identity, or by a role's trust."""
    roles = {key: role for role in subject.resources("AWS::IAM::Role") for key in _keys(subject, role)}
    found: dict[str, Resource] = {}
    for role in subject.resources("AWS::IAM::Role"):
        for name in subjects_of(role.properties.get("AssumeRolePolicyDocument")):
            found[name.rpartition(":")[2]] = role
    for association in subject.resources("AWS::EKS::PodIdentityAssociation"):
        role_found = roles.get(str(association.properties.get("RoleArn")))
        if role_found is not None:
            found[str(association.properties.get("ServiceAccount"))] = role_found
    return found


def _keys(subject: AwsSubject, role: Resource) -> Iterator[str]:
    """Yield how a role may be referred to by its ARN."""
    yield f"${{{role.id}.Arn}}"
    name = role.text("RoleName")
    if name is not None:
        yield f"arn:{subject.partition}:iam::{subject.settings.account}:role/{name}"


def _policies(subject: AwsSubject, role: Resource) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of all policies that the templates give to a role."""
    for policy in listed(role.properties.get("Policies")):
        yield from statements_of(policy.get("PolicyDocument"))
    own = {f"${{{role.id}}}", role.text("RoleName")}
    attached = {str(each) for each in listed(role.properties.get("ManagedPolicyArns"))}
    for policy in subject.resources("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        roles = {str(each) for each in [*listed(policy.properties.get("Roles")), policy.properties.get("RoleName")]}
        if own & roles or f"${{{policy.id}}}" in attached or f"${{{policy.id}.PolicyArn}}" in attached:
            yield from statements_of(policy.properties.get("PolicyDocument"))


def _accounts(subject: AwsSubject) -> Iterator[Outcome]:
    roles = role_of_account(subject)
    if not roles:
        return
    needing = {account for secret in subject.secrets for account in secret.accounts} - subject.foreign_roles.keys()
    for account, about in subject.accounts:
        if account in needing and account not in roles:
            yield failed(f"the service account {account} has no role: it could read no secret", _AGAIN, about=about)
    yield passed(f"{len(roles)} service accounts have a role")


def _secrets(subject: AwsSubject) -> Iterator[Outcome]:
    roles = role_of_account(subject)
    statements = {account: list(_policies(subject, role)) for account, role in roles.items()}
    problems = False
    for secret in subject.secrets:
        arn = arn_suffix(subject, secret.name)
        for account in secret.accounts:
            if account in statements and not allows(statements[account], "secretsmanager:GetSecretValue", arn):
                problems = True
                yield failed(
                    f"the role of {account} may not read {secret.name}",
                    f"allow secretsmanager:GetSecretValue on {arn.removesuffix(_ENDING)}-??????",
                    about=secret.credential.name,
                )
    if statements and not problems:
        yield passed(f"{len(subject.secrets)} secrets, each read by the roles of the jobs that need it")


def _keys_of_secrets(subject: AwsSubject) -> Iterator[Outcome]:
    """A secret with a key of one's own is read only by who may decrypt with it."""
    encrypted = [each for each in subject.resources("AWS::SecretsManager::Secret") if "KmsKeyId" in each.properties]
    names = {each.text("Name"): each for each in encrypted}
    roles = role_of_account(subject)
    for secret in subject.secrets:
        for account in secret.accounts if secret.name in names else ():
            if account in roles and not any(
                "kms:" in str(listed(each.get("Action"))) or "'*'" in str(listed(each.get("Action")))
                for each in _policies(subject, roles[account])
            ):
                yield failed(
                    f"the role of {account} may not decrypt with the key of {secret.name}",
                    "allow kms:Decrypt on the secret's key",
                    about=secret.credential.name,
                )


def _trust(subject: AwsSubject) -> Iterator[Outcome]:
    looked = 0
    for role in subject.resources("AWS::IAM::Role"):
        trust = role.properties.get("AssumeRolePolicyDocument")
        looked += 1
        for problem in (*web_identity_problems(trust), *pod_identity_problems(trust)):
            yield failed(problem, _AGAIN, about=role.place)
    if looked:
        yield passed(f"{looked} trust policies looked at")


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.roles.accounts",
        title="a role for each job",
        looks_at="the service account of each job that looks up secrets, and the role that it is given",
        fails="one has no role: its pods would hang, or fail for want of a secret",
        remedy=_AGAIN,
        look=_accounts,
    ),
    Check(
        id="aws.roles.secrets",
        title="roles and secrets",
        looks_at="the policies of each job's role, against every secret that the job looks up",
        fails="a role may not read one of them",
        remedy="secretsmanager:GetSecretValue on it",
        look=_secrets,
    ),
    Check(
        id="aws.roles.keys",
        title="roles and keys",
        looks_at="the policies of each job's role, for secrets that have a key of their own",
        fails="a role may not decrypt",
        remedy="kms:Decrypt on the key",
        look=_keys_of_secrets,
    ),
    Check(
        id="aws.roles.trust",
        title="trust policies of the templates",
        looks_at="issuer, subject and audience for service accounts (IRSA); service and actions for Pod Identity",
        fails="the issuer has https://, the subject or audience is missing or a pattern, or sts:TagSession is missing",
        remedy=_AGAIN,
        look=_trust,
    ),
)
