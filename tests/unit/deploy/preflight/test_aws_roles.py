"""Roles that are made: each job has one, may read its secrets, and could take it on."""

from __future__ import annotations

from typing import Any

import pytest

from datasurface.deploy.aws.preflight.policies import allows, statements_of
from datasurface.deploy.aws.preflight.trust import (
    clusters_of,
    pod_identity_problems,
    trusts_all_pods,
    web_identity_problems,
)
from preflight_bench import ACCOUNT, REGION, Resources, fails, passes, resource, subject

PODS = {
    "Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}
ISSUER = f"oidc.eks.{REGION}.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
SUBJECT = "system:serviceaccount:datasurface:ds-acme"
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:datasurface/acme/prod/*"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def web(
    issuer: str = ISSUER,
    provider: str = PROVIDER,
    operator: str = "StringEquals",
    conditions: dict[str, str | None] | None = None,
) -> dict[str, Any]:
    given = {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": SUBJECT, **(conditions or {})}
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {operator: {key: value for key, value in given.items() if value is not None}},
        }
    )


def accounts() -> list[str]:
    given = subject()
    return sorted({account for secret in given.secrets for account in secret.accounts})


def roles(read: str = SECRETS, *, leave_out: int = 0) -> Resources:
    """Return a role for each service account that looks up secrets, with a policy of its own."""
    made: dict[str, Any] = {}
    for number, account in enumerate(accounts()[leave_out:]):
        statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": read}
        made[f"Role{number}"] = resource(
            "IAM::Role",
            RoleName=f"role-{number}",
            AssumeRolePolicyDocument=policy(PODS),
            Policies=[{"PolicyName": "secrets", "PolicyDocument": policy(statement)}],
        )
        arn = {"Fn::GetAtt": [f"Role{number}", "Arn"]}
        made[f"Pods{number}"] = resource("EKS::PodIdentityAssociation", ServiceAccount=account, RoleArn=arn)
    return made


def test_every_job_has_a_role() -> None:
    assert "service accounts have a role" in passes("aws.roles.accounts", subject(roles()))
    fails("aws.roles.accounts", subject(roles(leave_out=1)), accounts()[0], "has no role")


def test_every_role_reads_the_secrets_of_its_jobs() -> None:
    passes("aws.roles.secrets", subject(roles()))


@pytest.mark.parametrize(
    "read",
    [
        SECRETS.replace("datasurface/acme", "airflow/connections"),
        SECRETS.replace(REGION, "us-east-1"),
        SECRETS.replace("prod/*", "prod/yellow.*"),
    ],
)
def test_a_role_that_may_not_read_a_secret(read: str) -> None:
    found = fails("aws.roles.secrets", subject(roles(read)), "may not read datasurface/acme/prod/")
    assert found.outcome.remedy.startswith("allow secretsmanager:GetSecretValue on arn:aws:secretsmanager")
    assert found.outcome.remedy.endswith("-??????")


def test_policies_beside_the_role_count() -> None:
    bare = {name: {**each, "Properties": {**each["Properties"], "Policies": []}} for name, each in roles().items()}
    fails("aws.roles.secrets", subject(bare))
    statement = {"Effect": "Allow", "Action": "secretsmanager:Get*", "Resource": "*"}
    names = [{"Ref": name} for name in bare if name.startswith("Role")]
    beside = resource("IAM::Policy", PolicyName="x", PolicyDocument=policy(statement), Roles=names)
    passes("aws.roles.secrets", subject({**bare, "Beside": beside}))


def test_a_secret_with_a_key_of_its_own() -> None:
    name = "datasurface/acme/prod/shop_reader"
    secret = {"Secret": resource("SecretsManager::Secret", Name=name, KmsKeyId={"Ref": "Key"})}
    fails("aws.roles.keys", subject({**roles(), **secret}), "may not decrypt", name)
    decrypt = {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": "*"}
    names = [{"Ref": each} for each in roles() if each.startswith("Role")]
    beside = resource("IAM::Policy", PolicyName="x", PolicyDocument=policy(decrypt), Roles=names)
    passes("aws.roles.keys", subject({**roles(), **secret, "Beside": beside}))


def test_trust_policies_of_templates() -> None:
    passes("aws.roles.trust", subject(roles()))
    broken = resource("IAM::Role", AssumeRolePolicyDocument=web(provider=PROVIDER.replace(ISSUER, f"https://{ISSUER}")))
    fails("aws.roles.trust", subject({"Role": broken}), "without https://")


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        (web(provider=PROVIDER.replace(ISSUER, f"https://{ISSUER}")), "without https://"),
        (web(provider="accounts.example"), "no ARN of an OIDC provider"),
        (web(operator="StringLike"), "only StringEquals"),
        (web(conditions={f"{ISSUER}:aud": None}), "aud is not compared"),
        (web(conditions={f"{ISSUER}:aud": "other"}), "aud is not compared"),
        (web(conditions={f"{ISSUER}:sub": None}), "sub is not compared"),
        (web(conditions={f"{ISSUER}:sub": "system:serviceaccount:datasurface:*"}), "names no service account"),
        (web(issuer="oidc.eks.eu-central-1.amazonaws.com/id/OTHER"), "only oidc.eks"),
    ],
)
def test_trust_that_lets_in_nobody_or_everybody(trust: dict[str, Any], words: str) -> None:
    assert [problem for problem in web_identity_problems(trust) if words in problem]


def test_an_issuer_that_only_the_creation_tells() -> None:
    named = "${Cluster.Issuer}"
    assert list(web_identity_problems(web(issuer=named, provider="${Issuer.Arn}"))) == []
    (problem,) = web_identity_problems(web(issuer=named, provider="${Issuer.Arn}", conditions={f"{named}:aud": None}))
    assert "aud is not compared" in problem


def test_pods_of_which_cluster_are_trusted() -> None:
    tags = {"aws:RequestTag/eks-cluster-arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/acme"}
    named = policy({**PODS, "Condition": {"StringEquals": tags}})
    assert clusters_of(named) == ("acme",)
    assert trusts_all_pods(named)
    account = {"aws:RequestTag/kubernetes-service-account": "ds-acme"}
    assert not trusts_all_pods(policy({**PODS, "Condition": {"StringEquals": account}}))
    assert clusters_of(policy(PODS)) == ()


def test_trust_in_order() -> None:
    assert list(web_identity_problems(web())) == []
    assert list(pod_identity_problems(policy(PODS))) == []
    (problem,) = pod_identity_problems(policy({**PODS, "Action": "sts:AssumeRole"}))
    assert "sts:TagSession" in problem


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::a/*"}], True),
        ([{"Effect": "Allow", "Action": "S3:GETOBJECT", "Resource": "*"}], True),
        ([{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}], False),
        ([{"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}], True),
        (
            [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:*", "Resource": "*"},
            ],
            False,
        ),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::a/*"}], False),
        ([], False),
    ],
)
def test_what_statements_allow(statements: list[dict[str, Any]], allowed: bool) -> None:
    assert allows(statements_of(policy(*statements)), "s3:GetObject", "arn:aws:s3:::a/x") is allowed
