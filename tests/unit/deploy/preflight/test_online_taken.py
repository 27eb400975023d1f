"""Names that somebody has already, in the stand-in's account; stacks in no good state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aws_stubs import Stubs
from datasurface.deploy.aws.preflight.clients import Clients
from preflight_bench import ACCOUNT, REGION, fails, passes, resource, subject, warns


def make_cluster(cloud: Clients, name: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/x"
    cloud.client("eks").create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": ["a", "b"]})


def make_database(cloud: Clients, name: str) -> None:
    cloud.client("rds").create_db_cluster(
        DBClusterIdentifier=name, Engine="aurora-postgresql", MasterUsername="x", MasterUserPassword="hunter22hunter"
    )


def make_alias(cloud: Clients, name: str) -> None:
    kms = cloud.client("kms")
    kms.create_alias(AliasName=name, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])


TAKEN: list[tuple[str, str, str, str, Callable[[Clients, str], Any]]] = [
    (
        "aws.taken.bucket",
        "S3::Bucket",
        "BucketName",
        "acme-logs",
        lambda cloud, name: cloud.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        ),
    ),
    (
        "aws.taken.role",
        "IAM::Role",
        "RoleName",
        "acme-jobs",
        lambda cloud, name: cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}"),
    ),
    ("aws.taken.cluster", "EKS::Cluster", "Name", "acme", make_cluster),
    ("aws.taken.database", "RDS::DBCluster", "DBClusterIdentifier", "acme", make_database),
    (
        "aws.taken.log-group",
        "Logs::LogGroup",
        "LogGroupName",
        "/acme",
        lambda cloud, name: cloud.client("logs").create_log_group(logGroupName=name),
    ),
    (
        "aws.taken.repository",
        "ECR::Repository",
        "RepositoryName",
        "acme/jobs",
        lambda cloud, name: cloud.client("ecr").create_repository(repositoryName=name),
    ),
    ("aws.taken.alias", "KMS::Alias", "AliasName", "alias/acme", make_alias),
    (
        "aws.taken.secret",
        "SecretsManager::Secret",
        "Name",
        "acme/crm",
        lambda cloud, name: cloud.client("secretsmanager").create_secret(Name=name, SecretString="{}"),
    ),
]


@pytest.mark.parametrize(("check", "type_", "name", "value", "make"), TAKEN, ids=[each[0] for each in TAKEN])
def test_a_name_is_free_and_then_taken(
    check: str, type_: str, name: str, value: str, make: Callable[[Clients, str], Any], cloud: Clients
) -> None:
    resources = {"It": resource(type_, **{name: value})}
    assert f"{value} is free" in passes(check, subject(resources, clients=cloud))
    make(cloud, value)
    fails(check, subject(resources, clients=cloud), f"{value} is there already", "stack.json: It")


def test_a_log_group_whose_name_is_only_longer(cloud: Clients) -> None:
    cloud.client("logs").create_log_group(logGroupName="/acme/other")
    passes("aws.taken.log-group", subject({"It": resource("Logs::LogGroup", LogGroupName="/acme")}, clients=cloud))


def test_what_belongs_to_the_stack_is_not_taken(cloud: Clients) -> None:
    body = '{"Resources": {"It": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "acme-logs"}}}}'
    cloud.client("cloudformation").create_stack(StackName="ds-acme-prod", TemplateBody=body)
    resources = {"It": resource("S3::Bucket", BucketName="acme-logs")}
    assert "belongs to its stack" in passes("aws.taken.bucket", subject(resources, clients=cloud))


@pytest.mark.usefixtures("cloud")
def test_a_bucket_of_somebody_else() -> None:
    """The name of a bucket is one for all accounts: another one's is refused, not absent."""
    stubs = Stubs().refuse("s3", "head_bucket", "403", "Forbidden")
    resources = {"It": resource("S3::Bucket", BucketName="acme-logs")}
    fails("aws.taken.bucket", subject(resources, clients=Clients(REGION, stubs)), "belongs to somebody else")


@pytest.mark.usefixtures("cloud")
def test_a_bucket_of_another_region() -> None:
    stubs = Stubs().refuse("s3", "head_bucket", "301", "Moved Permanently")
    resources = {"It": resource("S3::Bucket", BucketName="acme-logs")}
    given = subject(resources, clients=Clients(REGION, stubs))
    fails("aws.taken.bucket", given, "is there already")


def test_a_secret_that_is_being_deleted(cloud: Clients) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name="acme/crm", SecretString="{}")
    secrets.delete_secret(SecretId="acme/crm", RecoveryWindowInDays=7)
    resources = {"It": resource("SecretsManager::Secret", Name="acme/crm")}
    fails("aws.taken.secret", subject(resources, clients=cloud), "being deleted", "--force-delete-without-recovery")


def described(status: str) -> dict[str, Any]:
    return {"Stacks": [{"StackName": "ds-acme-prod", "CreationTime": "2026-01-01", "StackStatus": status}]}


@pytest.mark.parametrize(
    ("status", "verdict", "words"),
    [
        ("CREATE_COMPLETE", "pass", "a deployment changes it"),
        ("UPDATE_ROLLBACK_COMPLETE", "pass", "a deployment changes it"),
        ("DELETE_COMPLETE", "pass", "is free"),
        ("ROLLBACK_COMPLETE", "fail", "delete-stack"),
        ("DELETE_FAILED", "fail", "delete-stack"),
        ("UPDATE_ROLLBACK_FAILED", "fail", "continue-update-rollback"),
        ("REVIEW_IN_PROGRESS", "warn", "change set"),
        ("UPDATE_IN_PROGRESS", "warn", "somebody is at it"),
    ],
)
def test_states_of_a_stack(status: str, verdict: str, words: str) -> None:
    stubs = Stubs().answer("cloudformation", "describe_stacks", described(status), {"StackName": "ds-acme-prod"})
    given = subject(clients=Clients(REGION, stubs))
    if verdict == "pass":
        assert words in passes("aws.taken.stack", given)
    elif verdict == "warn":
        warns("aws.taken.stack", given, words)
    else:
        fails("aws.taken.stack", given, words)


def test_no_stack_is_there_yet(cloud: Clients) -> None:
    assert "ds-acme-prod is free" in passes("aws.taken.stack", subject(clients=cloud))


def exporting(name: str) -> dict[str, Any]:
    return {"Outputs": {"It": {"Value": "x", "Export": {"Name": name}}}}


def test_exports(cloud: Clients) -> None:
    given = subject({"It": resource("SNS::Topic")}, document=exporting("acme-it"), clients=cloud)
    assert "1 exports are free" in passes("aws.taken.export", given)
    body = (
        '{"Resources": {"It": {"Type": "AWS::SNS::Topic"}},'
        ' "Outputs": {"It": {"Value": "x", "Export": {"Name": "acme-it"}}}}'
    )
    cloud.client("cloudformation").create_stack(StackName="theirs", TemplateBody=body)
    again = subject({"It": resource("SNS::Topic")}, document=exporting("acme-it"), clients=cloud)
    fails("aws.taken.export", again, "acme-it", "theirs")
