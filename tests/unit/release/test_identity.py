from __future__ import annotations

import pytest

from datasurface import AwsRole, PostgresDatabase, PythonModule
from datasurface.model.identity import identity_problem
from datasurface.release.identity import service_account_name
from datasurface.release.job import PlatformSpec, TransformerSpec

POSTGRES = PostgresDatabase("merge", host="h", database="d")


def transformer(workspace: str) -> TransformerSpec:
    return TransformerSpec("t", workspace=workspace, code=PythonModule("m:f"))


def platform(environment: str | None) -> PlatformSpec:
    return PlatformSpec("yellow", ecosystem="acme", environment=environment, container=POSTGRES)


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


def test_service_accounts_are_legal_and_never_meet() -> None:
    names = {
        service_account_name(platform(environment), transformer(workspace))
        for environment in (None, "prod")
        for workspace in ("a_b", "a-b", "ä", "w" * 300)
    }
    assert len(names) == 8
    assert all(len(name) <= 63 and name.replace("-", "").isalnum() and name.isascii() for name in names)
