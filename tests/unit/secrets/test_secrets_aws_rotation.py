"""The contract by which Secrets Manager rotates, played through on a real moto server, with every step repeated."""

from __future__ import annotations

import io
import itertools
import json
import uuid
import zipfile
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from datasurface import Credential
from datasurface.errors import ConfigurationError, SecretError
from datasurface.secrets.aws_client import AwsClient
from datasurface.secrets.aws_rotation import RotationSteps, handle
from datasurface.secrets.base import Secret

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
RDS = {"engine": "postgres", "host": "h", "port": 5432, "username": "crm_a", "password": "pw-0"}


class Database:
    """What is logged in to: knows which passwords it takes, and what it was asked."""

    def __init__(self) -> None:
        self.passwords = {"crm_a": "pw-0"}
        self.numbers = itertools.count(1)
        self.made = 0
        self.proved: list[str | None] = []

    def make(self, current: Secret) -> Secret:
        self.made += 1
        other = {"crm_a": "crm_b", "crm_b": "crm_a"}[current.user or ""]
        return Secret(user=other, password=f"pw-{next(self.numbers)}")

    def apply(self, _: Secret, coming: Secret) -> None:
        self.passwords[coming.user or ""] = coming.password or ""

    def prove(self, coming: Secret) -> None:
        self.proved.append(coming.user)
        if self.passwords.get(coming.user or "") != coming.password:
            raise SecretError(f"{coming.user} is refused")

    def steps(self) -> RotationSteps:
        return RotationSteps(credential=Credential("crm"), make=self.make, apply=self.apply, prove=self.prove)


@pytest.fixture
def boto(aws_variables: dict[str, str]) -> Any:
    return boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=aws_variables["AWS_ENDPOINT_URL"])


@pytest.fixture
def function(moto: int) -> str:
    """A rotation Lambda of the stand-in, which does nothing: the test plays its part."""
    url = f"http://127.0.0.1:{moto}"
    config = Request(f"{url}/moto-api/config", json.dumps({"lambda": {"use_docker": False}}).encode(), method="POST")
    with urlopen(config):
        pass
    where: dict[str, Any] = {"region_name": "eu-west-1", "endpoint_url": url}
    name = f"rotate-{uuid.uuid4().hex}"
    role = boto3.client("iam", **where).create_role(RoleName=name, AssumeRolePolicyDocument="{}", Path="/a/")["Role"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("f.py", "")
    made = boto3.client("lambda", **where).create_function(
        FunctionName=name, Runtime="python3.12", Role=role["Arn"], Handler="f.f", Code={"ZipFile": archive.getvalue()}
    )
    return str(made["FunctionArn"])


@pytest.fixture
def rotating(boto: Any, function: str) -> tuple[str, str]:
    """A secret that rotates, and the token of the version that Secrets Manager has announced."""
    arn = boto.create_secret(Name=f"datasurface/acme/{uuid.uuid4().hex}", SecretString=json.dumps(RDS))["ARN"]
    token = str(uuid.uuid4())
    boto.rotate_secret(
        SecretId=arn,
        ClientRequestToken=token,
        RotationLambdaARN=function,
        RotationRules={"AutomaticallyAfterDays": 30},
    )
    return arn, token


def event(arn: str, token: str, step: str) -> dict[str, str]:
    return {"SecretId": arn, "ClientRequestToken": token, "Step": step}


def test_each_step_done_twice_ends_in_one_new_secret(boto: Any, rotating: tuple[str, str]) -> None:
    (arn, token), database, client = rotating, Database(), AwsClient(boto, "eu-west-1")
    for step in STEPS:
        handle(event(arn, token, step), client, database.steps())
        handle(event(arn, token, step), client, database.steps())
    current = boto.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")
    assert json.loads(current["SecretString"]) == {**RDS, "username": "crm_b", "password": "pw-1"}
    assert current["VersionId"] == token
    assert json.loads(boto.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"]) == RDS
    labels = boto.describe_secret(SecretId=arn)["VersionIdsToStages"]
    assert "AWSPENDING" not in [label for found in labels.values() for label in found]
    assert (database.made, database.proved) == (1, ["crm_b", "crm_b"])
    assert database.passwords == {"crm_a": "pw-0", "crm_b": "pw-1"}


def test_a_refused_login_ends_the_rotation_before_anything_is_current(boto: Any, rotating: tuple[str, str]) -> None:
    (arn, token), database, client = rotating, Database(), AwsClient(boto, "eu-west-1")
    handle(event(arn, token, "createSecret"), client, database.steps())
    with pytest.raises(SecretError, match="refused"):
        handle(event(arn, token, "testSecret"), client, database.steps())
    assert json.loads(boto.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"]) == RDS


def test_what_is_no_rotation_is_refused(boto: Any, rotating: tuple[str, str]) -> None:
    (arn, token), client, steps = rotating, AwsClient(boto, "eu-west-1"), Database().steps()
    still = boto.create_secret(Name=f"datasurface/acme/{uuid.uuid4().hex}", SecretString="{}")["ARN"]
    for wrong, problem in (
        ({"SecretId": arn}, "no ClientRequestToken and no Step"),
        (event(arn, token, "stepAside"), "no step 'stepAside'"),
        (event(arn, str(uuid.uuid4()), "createSecret"), "has no version"),
        (event(still, token, "createSecret"), "does not rotate"),
    ):
        with pytest.raises(ConfigurationError, match=problem):
            handle(wrong, client, steps)


def test_steps_out_of_order_find_nothing_to_work_with(boto: Any, rotating: tuple[str, str]) -> None:
    (arn, token), client = rotating, AwsClient(boto, "eu-west-1")
    for step in ("setSecret", "testSecret"):
        with pytest.raises(SecretError, match="nothing with the label AWSPENDING"):
            handle(event(arn, token, step), client, Database().steps())
