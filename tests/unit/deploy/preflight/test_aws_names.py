"""Names: each kind, as long as its service takes and one character longer; characters that it refuses."""

from __future__ import annotations

import pytest

from datasurface import AwsSecrets, YellowPlatform
from datasurface.deploy.aws.preflight.limits import LABEL, RULES, SECRET
from datasurface.deploy.aws.preflight.subject import PlannedStack
from deploying import MERGE
from preflight_bench import deployed, fails, passes, resource, subject

LONGEST = [
    ("aws.names.bucket", "S3::Bucket", "BucketName", 63),
    ("aws.names.role", "IAM::Role", "RoleName", 64),
    ("aws.names.load-balancer", "ElasticLoadBalancingV2::LoadBalancer", "Name", 32),
    ("aws.names.database", "RDS::DBCluster", "DBClusterIdentifier", 63),
    ("aws.names.cluster", "EKS::Cluster", "Name", 100),
    ("aws.names.secret", "SecretsManager::Secret", "Name", 512),
    ("aws.names.log-group", "Logs::LogGroup", "LogGroupName", 512),
    ("aws.names.repository", "ECR::Repository", "RepositoryName", 256),
    ("aws.names.other", "SNS::Topic", "TopicName", 256),
]


@pytest.mark.parametrize(("check", "type_", "name", "longest"), LONGEST)
def test_the_longest_name_passes_and_a_longer_one_fails(check: str, type_: str, name: str, longest: int) -> None:
    assert f"{longest} of {longest}" in passes(check, subject({"It": resource(type_, **{name: "a" * longest})}))
    longer = subject({"It": resource(type_, **{name: "a" * (longest + 1)})})
    fails(check, longer, f"has {longest + 1} characters", str(longest), "stack.json: It", "Aws(")


@pytest.mark.parametrize(
    ("check", "type_", "name", "wrong"),
    [
        ("aws.names.bucket", "S3::Bucket", "BucketName", "Acme"),
        ("aws.names.bucket", "S3::Bucket", "BucketName", "acme_logs"),
        ("aws.names.bucket", "S3::Bucket", "BucketName", "192.168.0.1"),
        ("aws.names.bucket", "S3::Bucket", "BucketName", "xn--acme"),
        ("aws.names.bucket", "S3::Bucket", "BucketName", "ab"),
        ("aws.names.role", "IAM::Role", "RoleName", "acme role"),
        ("aws.names.load-balancer", "ElasticLoadBalancingV2::LoadBalancer", "Name", "internal-acme"),
        ("aws.names.database", "RDS::DBCluster", "DBClusterIdentifier", "9acme"),
        ("aws.names.database", "RDS::DBCluster", "DBClusterIdentifier", "acme--prod"),
        ("aws.names.database", "RDS::DBCluster", "DBClusterIdentifier", "acme-"),
        ("aws.names.cluster", "EKS::Cluster", "Name", "acme.prod"),
        ("aws.names.secret", "SecretsManager::Secret", "Name", "acme/crm-abc123"),
        ("aws.names.key-alias", "KMS::Alias", "AliasName", "alias/aws/acme"),
        ("aws.names.repository", "ECR::Repository", "RepositoryName", "Acme/jobs"),
        ("aws.names.log-group", "Logs::LogGroup", "LogGroupName", "/acme prod"),
    ],
)
def test_characters_that_a_service_refuses(check: str, type_: str, name: str, wrong: str) -> None:
    fails(check, subject({"It": resource(type_, **{name: wrong})}), wrong)


def test_an_alias() -> None:
    assert "alias/acme" in passes(
        "aws.names.key-alias", subject({"It": resource("KMS::Alias", AliasName="alias/acme")})
    )


def test_names_are_resolved_before_they_are_measured() -> None:
    name = {"Fn::Sub": "acme-${AWS::AccountId}-${AWS::Region}"}
    seen = passes("aws.names.bucket", subject({"It": resource("S3::Bucket", BucketName=name)}))
    assert "acme-123456789012-eu-central-1 (30 of 63 characters)" in seen


def test_names_that_only_the_creation_knows_are_not_judged() -> None:
    name = {"Fn::GetAtt": ["Other", "Name"]}
    assert "nothing" in passes("aws.names.bucket", subject({"It": resource("S3::Bucket", BucketName=name)}))


def test_secrets_of_the_jobs_are_measured_without_a_template() -> None:
    passes("aws.names.secret", subject())
    deep = YellowPlatform("yellow", container=MERGE, secrets=[AwsSecrets(prefix="/".join(["a" * 100] * 5))])
    fails("aws.names.secret", subject(what=deployed(platform=deep)), "takes 1 to 512")


def test_stacks() -> None:
    passes("aws.names.stack", subject())
    wrong = [PlannedStack(name="acme_prod", path="a.json", document={"Resources": {}})]
    fails("aws.names.stack", subject(stacks=wrong), "acme_prod")


def test_labels_are_of_63_characters() -> None:
    passes("aws.names.label", subject())
    assert LABEL.problem("a" * 63) is None
    assert LABEL.problem("a" * 64) is not None
    assert LABEL.problem("-a") is not None
    given = subject()
    object.__setattr__(given, "accounts", (("a" * 64, "crm"),))
    fails("aws.names.label", given, "crm", "63")


def test_every_rule_takes_its_own_longest_name_only() -> None:
    for (kind, name), rule in RULES.items():
        text = ("alias/" + "a" * rule.longest)[: rule.longest] if name == "AliasName" else "a" * rule.longest
        assert rule.problem(text) is None, (kind, name)
        assert rule.problem(text + "a") is not None, (kind, name)
    assert SECRET.problem("a/b") is None
