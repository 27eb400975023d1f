"""The stacks made in a moto server over HTTP, and the roles in them put to use: allowed and denied as they should."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from aws_models import ACCOUNT, OPS, REGION, aws, deployable, model
from cloud import moto_server
from datasurface import AwsSecrets, Credential
from datasurface.deploy.aws.ground import ground_of
from datasurface.deploy.aws.identities import identities_of
from datasurface.deploy.aws.target import stacks
from datasurface.deploy.aws.teardown import deletion_order
from datasurface.deploy.outputs import outputs_of
from datasurface.errors import SecretError
from datasurface.release.needs import SystemJob
from datasurface.secrets.aws import AwsStore
from datasurface.secrets.aws_client import AwsClient
from datasurface.secrets.base import Secret, Surroundings
from moto_stacks import LACKING, made_by_moto

CREDENTIALS = ("reader_0", "merge_admin", "sums_api", "yellow.run", "yellow.transformer.sums")
DENIED = {"AccessDenied", "AccessDeniedException", "403"}
"""What AWS answers; and moto, where it answers a JSON call in XML."""


@dataclass(frozen=True)
class Account:
    """An account in which the stacks were made, and from then on everybody is judged by his policies."""

    url: str
    resources: Mapping[str, list[Mapping[str, Any]]]
    outputs: Mapping[str, str]
    sessions: Mapping[str, Mapping[str, str]]

    def client(self, service: str, role: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **self.sessions[role])

    def store(self, role: str) -> AwsStore:
        choice = AwsSecrets()
        client = AwsClient(self.client("secretsmanager", role), REGION)
        return AwsStore(choice, Surroundings(ecosystem="acme", environment="prod", folder=Path(), environ={}), client)


DEPLOYED = deployable(model(aws(admins=[OPS], shared_storage=True, alarms_to=["ops@acme.example"])))
STACKS = stacks(DEPLOYED)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with moto_server("moto_iam") as port:
        url = f"http://127.0.0.1:{port}"

        def client(service: str) -> Any:
            return boto3.client(
                service,
                endpoint_url=url,
                region_name=REGION,
                aws_access_key_id="root",
                aws_secret_access_key="root",
            )

        yield _prepared(url, client)


def _prepared(url: str, client: Callable[[str], Any]) -> Account:
    for service, call in (("logs", "describe_log_groups"), ("efs", "describe_file_systems")):
        getattr(client(service), call)()  # moto knows a service's resources once it was asked something
    iam, sts = client("iam"), client("sts")
    for role in ("sums-role", "pipeline"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    made = made_by_moto(client, STACKS)
    described = client("cloudformation").describe_stacks()
    outputs = outputs_of(described)
    iam.attach_role_policy(RoleName="pipeline", PolicyArn=outputs["PublishPolicy"])
    for name in CREDENTIALS:
        client("secretsmanager").create_secret(
            Name=f"datasurface/acme/prod/{name}",
            SecretString=f'{{"username": "u", "password": "of {name}"}}',
            Tags=[
                {"Key": "managed-by", "Value": "datasurface"},
                {"Key": "ecosystem", "Value": "acme"},
                {"Key": "environment", "Value": "prod"},
            ],
        )
    client("s3").put_object(Bucket=outputs["ReleasesBucket"], Key="acme/prod/r1.sqlite", Body=b"release")
    roles = {role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]}
    sessions = {}
    for role in roles:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        given = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        sessions[role] = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
    judged = Request(f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}, method="POST")
    with urlopen(judged):  # from now on nobody may do what no policy allows
        pass
    return Account(url=url, resources=made, outputs=outputs, sessions=sessions)


def _role(kind: str) -> str:
    for identity in identities_of(ground_of(DEPLOYED)):
        for each in identity.kinds:
            own = each.value if isinstance(each, SystemJob) else "transform" if each.transformer else "ingest"
            if own == kind:
                return identity.role
    raise AssertionError(kind)


def refused(call: Callable[[], object]) -> bool:
    """Tell whether AWS refuses a call for want of a permission."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in DENIED
    return False


def test_everything_that_moto_can_make_is_made(account: Account):
    for stack in STACKS:
        wanted = {t for t, r in stack.document["Resources"].items() if r["Type"] not in LACKING}
        made = {each.get("LogicalResourceId") for each in account.resources[stack.key]}
        assert wanted <= made, stack.key
        assert {each["ResourceStatus"] for each in account.resources[stack.key]} == {"CREATE_COMPLETE"}
    assert sum(len(each) for each in account.resources.values()) > 90


def test_the_outputs_are_names_and_values_that_the_other_targets_read(account: Account):
    assert account.outputs["ReleasesBucket"] == f"ds-acme-prod-479fc59d-releases-{ACCOUNT}-{REGION}"
    assert account.outputs["JobRepository"].endswith("ds-acme-prod-479fc59d/jobs")
    assert account.outputs["VpcId"].startswith("vpc-")
    assert len(account.outputs["NodeSubnets"].split(",")) == 3


@pytest.mark.parametrize(
    ("kind", "reads"),
    [
        ("ingest", {"reader_0", "yellow.run"}),
        ("transform", {"sums_api", "yellow.run", "yellow.transformer.sums"}),
        ("apply", {"merge_admin", "yellow.run"}),
        ("audit", {"reader_0", "yellow.run"}),
        ("retention", {"yellow.run"}),
        ("security", {"merge_admin", "yellow.run", "yellow.transformer.sums"}),
    ],
)
def test_a_job_reads_its_own_secrets_and_is_denied_all_others(account: Account, kind: str, reads: set[str]):
    store = account.store(_role(kind))
    found = set()
    for name in CREDENTIALS:
        try:
            secret = store.lookup(Credential(name))
        except SecretError:
            continue
        assert secret is not None
        found.add(name)
    assert found == reads


def test_a_login_that_is_not_there_yet_is_absent_and_not_forbidden(account: Account):
    assert account.store(_role("apply")).lookup(Credential("yellow.run")) is not None
    assert account.store(_role("security")).lookup(Credential("yellow.monitor")) is None
    with pytest.raises(SecretError):
        account.store(_role("apply")).lookup(Credential("yellow.monitor"))


def test_only_security_writes_and_only_logins(account: Account):
    new = Secret(user="ds.acme.prod.yellow.run.b", password="a new one")
    security = account.store(_role("security"))
    for name in ("yellow.run", "yellow.transformer.new", "yellow.person.ann"):
        security.stage(Credential(name), new)
        security.promote(Credential(name))
        found = security.lookup(Credential(name))
        assert found is not None
        assert found.password == "a new one"
    for name in ("reader_0", "merge_admin", "sums_api"):
        with pytest.raises(SecretError):
            security.stage(Credential(name), new)
    for kind in ("ingest", "transform", "apply", "audit", "retention"):
        with pytest.raises(SecretError):
            account.store(_role(kind)).stage(Credential("yellow.run"), new)


def test_releases_are_read_by_apply_and_written_by_the_pipeline_alone(account: Account):
    bucket = account.outputs["ReleasesBucket"]
    apply, ingest = account.client("s3", _role("apply")), account.client("s3", _role("ingest"))
    pipeline = account.client("s3", "pipeline")
    key = "acme/prod/r1.sqlite"
    assert apply.get_object(Bucket=bucket, Key=key)["Body"].read() == b"release"
    assert [each["Key"] for each in apply.list_objects_v2(Bucket=bucket, Prefix="acme/")["Contents"]] == [key]
    assert refused(lambda: apply.put_object(Bucket=bucket, Key=key, Body=b"x"))
    assert refused(lambda: ingest.get_object(Bucket=bucket, Key=key))
    pipeline.put_object(Bucket=bucket, Key="acme/prod/r2.sqlite", Body=b"next")
    assert refused(lambda: pipeline.delete_object(Bucket=bucket, Key=key))
    assert refused(lambda: apply.get_object(Bucket=account.outputs["LogsBucket"], Key="airflow/x"))


def test_airflow_keeps_its_logs_and_nothing_else(account: Account):
    airflow = account.client("s3", "ds-acme-prod-479fc59d-airflow")
    airflow.put_object(Bucket=account.outputs["LogsBucket"], Key="airflow/dag/1.log", Body=b"x")
    assert airflow.get_object(Bucket=account.outputs["LogsBucket"], Key="airflow/dag/1.log")["Body"].read() == b"x"
    assert refused(lambda: airflow.put_object(Bucket=account.outputs["LogsBucket"], Key="other/1.log", Body=b"x"))
    assert refused(lambda: airflow.get_object(Bucket=account.outputs["ReleasesBucket"], Key="acme/prod/r1.sqlite"))
    store = account.store("ds-acme-prod-479fc59d-airflow")
    for name in CREDENTIALS:
        with pytest.raises(SecretError):
            store.lookup(Credential(name))


def test_no_job_may_do_anything_else(account: Account):
    for kind in ("ingest", "transform", "apply", "security", "retention", "audit"):
        role = _role(kind)
        assert refused(account.client("ec2", role).describe_instances)
        assert refused(account.client("iam", role).list_roles)
        assert refused(account.client("kms", role).list_keys)


def test_the_teardown_deletes_each_stack_before_what_it_needs():
    order = [stack.key for stack in deletion_order(STACKS)]
    assert order.index("operations") < order.index("foundation")
    assert order.index("identities") < order.index("cluster") < order.index("data") < order.index("network")
