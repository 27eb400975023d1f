from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from datasurface import AwsRole, AwsSecrets, Credential, EmbeddedPostgres, PostgresDatabase, PythonModule
from datasurface.errors import ConfigurationError
from datasurface.model.identity import identity_problem
from datasurface.model.infrastructure import Container
from datasurface.model.secret_stores import StoreChoice
from datasurface.release.identity import EksCluster, role_identities, service_account_name
from datasurface.release.job import JobSpec, OutputCapture, PlatformSpec, TransformerSpec

POSTGRES = PostgresDatabase("merge", host="h", database="d")
CLUSTER = EksCluster(
    name="prod-eks",
    account="123456789012",
    region="eu-west-1",
    namespace="data",
    oidc_issuer="https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
)


def transformer(workspace: str, role: AwsRole | None, *secrets: str) -> TransformerSpec:
    return TransformerSpec(
        "t", workspace=workspace, code=PythonModule("m:f"), run_as=role, secrets={s: Credential(s) for s in secrets}
    )


def platform(
    *transformers: TransformerSpec,
    stores: Sequence[StoreChoice] = (AwsSecrets(),),
    container: Container = POSTGRES,
    environment: str | None = None,
) -> PlatformSpec:
    jobs = [
        JobSpec(
            t.workspace, platform="yellow", datastore="o", datasets=[], capture=OutputCapture(POSTGRES), transformer=t
        )
        for t in transformers
    ]
    return PlatformSpec(
        "yellow", ecosystem="acme", environment=environment, container=container, secrets=stores, jobs=jobs
    )


def test_a_role_becomes_service_account_trust_and_policy() -> None:
    spec = platform(
        transformer("sums", AwsRole("sums-role"), "api"),
        stores=["environment", AwsSecrets(kms_key="alias/acme")],
        environment="prod",
    )
    (found,) = role_identities(spec, CLUSTER)
    name = service_account_name(spec, transformer("sums", None))
    arn = "arn:aws:iam::123456789012:role/sums-role"
    secrets = [
        f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:datasurface/acme/prod/{credential}-??????"
        for credential in ("api", "yellow.transformer.sums")
    ]
    assert name == "ds-yellow-sums-9efda3cd"
    assert (found.arn, found.transformers) == (arn, ("sums",))
    assert found.service_accounts == (
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": name,
                "namespace": "data",
                "labels": {"app.kubernetes.io/managed-by": "datasurface"},
                "annotations": {"eks.amazonaws.com/role-arn": arn},
            },
        },
    )
    issuer = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
    assert found.trust == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{issuer}:aud": "sts.amazonaws.com",
                        f"{issuer}:sub": f"system:serviceaccount:data:{name}",
                    }
                },
            }
        ],
    }
    assert found.pod_trust == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {
                    "StringEquals": {
                        "aws:RequestTag/eks-cluster-name": "prod-eks",
                        "aws:RequestTag/kubernetes-namespace": "data",
                        "aws:RequestTag/kubernetes-service-account": name,
                    }
                },
            }
        ],
    }
    assert found.pod_associations == (
        {"clusterName": "prod-eks", "namespace": "data", "serviceAccount": name, "roleArn": arn},
    )
    assert found.policy == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secrets},
            {
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": "arn:aws:kms:eu-west-1:123456789012:key/*",
                "Condition": {
                    "StringEquals": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"},
                    "StringLike": {"kms:EncryptionContext:SecretARN": secrets},
                    "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/acme"},
                },
            },
        ],
    }
    json.dumps([found.trust, found.pod_trust, found.policy, found.service_accounts])


@pytest.mark.parametrize(
    ("key", "resource", "alias"),
    [
        ("1234abcd-12ab", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab", None),
        ("arn:aws:kms:eu-west-1:1:key/k", "arn:aws:kms:eu-west-1:1:key/k", None),
        ("arn:aws:kms:eu-west-1:1:alias/x/y", "arn:aws:kms:eu-west-1:123456789012:key/*", "alias/x/y"),
    ],
)
def test_a_key_is_named_by_id_arn_or_alias(key: str, resource: str, alias: str | None) -> None:
    spec = platform(transformer("sums", AwsRole("r")), stores=[AwsSecrets(kms_key=key)])
    policy = role_identities(spec, CLUSTER)[0].policy
    assert policy is not None
    statement = json.loads(json.dumps(policy))["Statement"][1]
    assert statement["Resource"] == resource
    assert statement["Condition"].get("ForAnyValue:StringEquals", {}).get("kms:ResourceAliases") == alias


def test_transformers_of_one_role_share_it_and_others_are_not_in_it() -> None:
    role = AwsRole("arn:aws:iam::999999999999:role/team/sums", service_account="sums")
    spec = platform(
        transformer("b", AwsRole("arn:aws:iam::999999999999:role/team/sums"), "two"),
        transformer("a", role, "one"),
        transformer("c", AwsRole("other", account="111111111111"), "three"),
        transformer("d", None, "four"),
        container=EmbeddedPostgres(),
    )
    other, shared = role_identities(spec, CLUSTER)
    assert (other.arn, other.transformers) == ("arn:aws:iam::111111111111:role/other", ("c",))
    assert shared.transformers == ("a", "b")
    text = json.dumps(shared.policy)
    assert [name for name in ("one", "two", "three", "four") if f"acme/{name}-" in text] == ["one", "two"]
    assert "system:serviceaccount:data:sums" in json.dumps(shared.trust)


def test_without_secrets_of_aws_there_is_no_policy_and_without_oidc_no_trust_by_it() -> None:
    spec = platform(transformer("sums", AwsRole("r"), "api"), stores=["environment"])
    cluster = EksCluster(name="c", account="123456789012", region="eu-west-1", namespace="data")
    (found,) = role_identities(spec, cluster)
    assert (found.policy, found.trust) == (None, None)
    assert found.service_accounts[0]["metadata"] == {
        "name": service_account_name(spec, transformer("sums", None)),
        "namespace": "data",
        "labels": {"app.kubernetes.io/managed-by": "datasurface"},
        "annotations": {},
    }


def test_what_the_pod_needs_besides_is_added_only_when_asked() -> None:
    spec = platform(transformer("sums", AwsRole("r")))
    assert "yellow.run" not in json.dumps(role_identities(spec, CLUSTER)[0].policy)
    assert "acme/yellow.run-??????" in json.dumps(role_identities(spec, CLUSTER, besides=["yellow.run"])[0].policy)


def test_a_policy_that_iam_would_not_take_is_refused_before() -> None:
    many = platform(transformer("sums", AwsRole("r"), *[f"credential_number_{n}" for n in range(80)]))
    with pytest.raises(ConfigurationError, match=r"the policy of the role .* characters, and IAM takes 6144"):
        role_identities(many, CLUSTER)
    crowd = platform(*[transformer(f"workspace_number_{n}", AwsRole("r")) for n in range(40)])
    with pytest.raises(ConfigurationError, match=r"the trust policy of the role .* and IAM takes 2048"):
        role_identities(crowd, CLUSTER)


@pytest.mark.parametrize(
    ("role", "problem"),
    [
        (AwsRole("n" * 64), None),
        (AwsRole("arn:aws-cn:iam::123456789012:role/a/b/name"), None),
        (AwsRole("n" * 65), "has a name of 65 characters"),
        (AwsRole(""), "has a name of 0 characters"),
        (AwsRole("a b"), "a character that IAM does not take"),
        (AwsRole("arn:aws:iam::12:role/x"), "is no ARN of a role"),
        (AwsRole("arn:aws:s3:::bucket"), "is no ARN of a role"),
        (AwsRole("r", account="12"), "an account is 12 digits"),
        (AwsRole("r", service_account="Big_One"), "has the service account"),
    ],
)
def test_a_role_that_cannot_exist_is_told(role: AwsRole, problem: str | None) -> None:
    found = identity_problem(role)
    assert found is None if problem is None else problem in (found or "")
    if problem is not None:
        with pytest.raises(ConfigurationError):
            role_identities(platform(transformer("sums", role)), CLUSTER)


def test_service_accounts_are_legal_and_never_meet() -> None:
    names = {
        service_account_name(platform(environment=environment), transformer(workspace, None))
        for environment in (None, "prod")
        for workspace in ("a_b", "a-b", "ä", "w" * 300)
    }
    assert len(names) == 8
    assert all(len(name) <= 63 and name.replace("-", "").isalnum() and name.isascii() for name in names)
