"""Who asks, and what this login may do."""

from __future__ import annotations

from typing import Any

import pytest

from aws_stubs import Stubs
from datasurface.deploy.aws.preflight.clients import AwsReader, Clients, action_of
from datasurface.deploy.aws.preflight.online.permissions import OPERATING, _about
from datasurface.deploy.preflight.check import UnseenError
from datasurface.errors import SecretError, TransientError
from preflight_bench import ACCOUNT, REGION, aws, fails, passes, resource, skips, subject, warns

ROLE = f"arn:aws:iam::{ACCOUNT}:role/path/deployer"
USER = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "UserId": "X"}
ASSUMED = {**USER, "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/ann"}


def role(arn: str, **more: Any) -> dict[str, Any]:
    name = arn.rpartition("/")[2]
    made = {"Path": "/", "RoleName": name, "RoleId": "A" * 16, "Arn": arn, "CreateDate": "2026-01-01", **more}
    return {"Role": made}


def decisions(**of: str) -> dict[str, Any]:
    """Return what the simulation of IAM answers: the decision of each action, `_` for the colon."""
    results = [{"EvalActionName": name.replace("_", ":", 1), "EvalDecision": each} for name, each in of.items()]
    return {"EvaluationResults": results, "IsTruncated": False}


def stubbed(stubs: Stubs) -> Clients:
    return Clients(REGION, stubs)


def test_a_login_of_the_right_account(cloud: Clients) -> None:
    assert f"::{ACCOUNT}:" in passes("aws.identity.login", subject(clients=cloud))
    assert passes("aws.identity.account", subject(clients=cloud)) == ACCOUNT


def test_a_login_of_another_account(cloud: Clients) -> None:
    other = aws()
    object.__setattr__(other, "account", "999999999999")
    found = fails("aws.identity.account", subject(settings=other, clients=cloud), ACCOUNT, "999999999999")
    assert "AWS_PROFILE" in found.outcome.remedy


def test_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    fails("aws.identity.login", subject(), "no login", "aws sso login")


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_a_login_that_has_expired_or_is_wrong(code: str) -> None:
    stubs = Stubs().refuse("sts", "get_caller_identity", code)
    fails("aws.identity.login", subject(clients=stubbed(stubs)), code, "log in anew")


def test_the_root_of_an_account() -> None:
    stubs = Stubs().answer("sts", "get_caller_identity", {**USER, "Arn": f"arn:aws:iam::{ACCOUNT}:root"})
    warns("aws.identity.login", subject(clients=stubbed(stubs)), "root")


def test_the_region_is_enabled(cloud: Clients) -> None:
    passes("aws.identity.region", subject(clients=cloud))


@pytest.mark.parametrize(("regions", "words"), [([], "no region"), ([(REGION, "not-opted-in")], "not enabled")])
def test_a_region_that_is_not(regions: list[tuple[str, str]], words: str) -> None:
    told = [{"RegionName": name, "OptInStatus": status} for name, status in regions]
    stubs = Stubs().answer("ec2", "describe_regions", {"Regions": told})
    fails("aws.identity.region", subject(clients=stubbed(stubs)), words, REGION)


def everything(stubs: Stubs, **special: str) -> Stubs:
    """Answer that each action that is always needed is allowed, but for some."""
    return stubs.answer(
        "iam",
        "simulate_principal_policy",
        decisions(**{name.replace(":", "_", 1): "allowed" for name in OPERATING} | special),
    )


def test_everything_is_allowed() -> None:
    stubs = everything(Stubs().answer("sts", "get_caller_identity", USER))
    assert f"{USER['Arn']} may do all" in passes("aws.permissions.create", subject(clients=stubbed(stubs)))
    stubs.all_used()


def test_the_role_behind_a_session_is_asked() -> None:
    """A role's path does not stand in the session's ARN, so that IAM has to be asked for it."""
    stubs = Stubs().answer("sts", "get_caller_identity", ASSUMED)
    stubs.answer("iam", "get_role", role(ROLE), {"RoleName": "deployer"})
    stubs.answer(
        "iam",
        "simulate_principal_policy",
        decisions(**{name.replace(":", "_", 1): "allowed" for name in OPERATING}),
        {"PolicySourceArn": ROLE, "ActionNames": sorted(OPERATING), "ResourceArns": ["*"]},
    )
    assert ROLE in passes("aws.permissions.create", subject(clients=stubbed(stubs)))
    stubs.all_used()


def test_the_smallest_policy_that_adds_what_is_missing() -> None:
    stubs = everything(Stubs().answer("sts", "get_caller_identity", USER), eks_CreateCluster="implicitDeny")
    stubs.answer(
        "iam", "simulate_principal_policy", decisions(iam_CreateRole="implicitDeny", iam_PutRolePolicy="allowed")
    )
    made = {"Role": resource("IAM::Role", RoleName="acme-jobs")}
    actions = ["eks:CreateCluster", "iam:CreateRole", "iam:PutRolePolicy"]
    given = subject(made, actions=actions, clients=stubbed(stubs))
    found = fails("aws.permissions.create", given, "lacks 2 of", "eks:CreateCluster, iam:CreateRole")
    assert found.outcome.document == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["eks:CreateCluster"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["iam:CreateRole"], "Resource": f"arn:aws:iam::{ACCOUNT}:role/acme-jobs"},
        ],
    }
    stubs.all_used()


@pytest.mark.parametrize(
    ("action", "about"),
    [
        ("iam:PassRole", "role"),
        ("iam:ListRolePolicies", "role"),
        ("iam:ListRoles", ""),
        ("iam:CreateServiceLinkedRole", ""),
        ("iam:CreatePolicyVersion", "policy"),
        ("iam:ListPolicies", ""),
        ("s3:PutBucketPolicy", "bucket"),
        ("s3:ListAllMyBuckets", ""),
        ("s3:PutObject", ""),
        ("eks:CreateCluster", ""),
    ],
)
def test_what_an_action_is_about(action: str, about: str) -> None:
    assert _about(action) == about


def test_actions_are_asked_for_in_batches() -> None:
    actions = [f"ec2:Action{number:03}" for number in range(95)]
    stubs = Stubs().answer("sts", "get_caller_identity", USER)
    wanted = sorted({*actions, *OPERATING})
    for start in range(0, len(wanted), 40):
        batch = wanted[start : start + 40]
        told = decisions(**{name.replace(":", "_", 1): "allowed" for name in batch})
        expected = {"PolicySourceArn": USER["Arn"], "ActionNames": batch, "ResourceArns": ["*"]}
        stubs.answer("iam", "simulate_principal_policy", told, expected)
    assert f"all {len(wanted)} actions" in passes(
        "aws.permissions.create", subject(actions=actions, clients=stubbed(stubs))
    )
    stubs.all_used()


def test_what_is_denied_cannot_be_added() -> None:
    stubs = everything(Stubs().answer("sts", "get_caller_identity", USER), eks_CreateCluster="explicitDeny")
    given = subject(actions=["eks:CreateCluster"], clients=stubbed(stubs))
    fails("aws.permissions.create", given, "is denied eks:CreateCluster", "lift the denial")


def test_what_the_organization_denies() -> None:
    told = decisions(**{name.replace(":", "_", 1): "allowed" for name in OPERATING})
    told["EvaluationResults"][0]["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": False}
    stubs = Stubs().answer("sts", "get_caller_identity", USER).answer("iam", "simulate_principal_policy", told)
    fails("aws.permissions.create", subject(clients=stubbed(stubs)), "organization")


def test_one_resource_of_several_is_enough_to_lack_an_action() -> None:
    stubs = everything(Stubs().answer("sts", "get_caller_identity", USER))
    arns = [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("acme-a", "acme-b")]
    each = [
        {"EvalResourceName": arn, "EvalResourceDecision": decision}
        for arn, decision in zip(arns, ("allowed", "implicitDeny"), strict=True)
    ]
    told = decisions(iam_CreateRole="allowed")
    told["EvaluationResults"][0]["ResourceSpecificResults"] = each
    stubs.answer("iam", "simulate_principal_policy", told)
    made = {name: resource("IAM::Role", RoleName=f"acme-{name.lower()}") for name in "AB"}
    given = subject(made, actions=["iam:CreateRole"], clients=stubbed(stubs))
    found = fails("aws.permissions.create", given, "iam:CreateRole")
    assert (found.outcome.document or {})["Statement"] == [
        {"Effect": "Allow", "Action": ["iam:CreateRole"], "Resource": arns}
    ]


def test_a_login_that_may_not_simulate_is_told_which_permission_would_let_it() -> None:
    stubs = Stubs().answer("sts", "get_caller_identity", USER)
    stubs.refuse("iam", "simulate_principal_policy", "AccessDenied")
    warns("aws.permissions.create", subject(clients=stubbed(stubs)), "allow iam:SimulatePrincipalPolicy")


def jobs_roles() -> dict[str, Any]:
    account = min(account for secret in subject().secrets for account in secret.accounts)
    arn = {"Fn::GetAtt": ["Role", "Arn"]}
    return {
        "Role": resource("IAM::Role", RoleName="acme-jobs"),
        "Pods": resource("EKS::PodIdentityAssociation", ServiceAccount=account, RoleArn=arn),
    }


@pytest.mark.parametrize("decision", ["allowed", "implicitDeny"])
def test_roles_of_jobs_that_exist_are_asked_themselves(decision: str) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/acme-jobs"
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:x-AbCdEf"
    told = decisions(secretsmanager_GetSecretValue=decision)
    told["EvaluationResults"][0]["EvalResourceName"] = secret
    stubs = Stubs().answer("iam", "get_role", role(arn)).answer("iam", "simulate_principal_policy", told)
    given = subject(jobs_roles(), clients=stubbed(stubs))
    if decision == "allowed":
        passes("aws.permissions.roles", given)
    else:
        found = fails("aws.permissions.roles", given, "may not read 1 of")
        assert secret in str(found.outcome.document)


def test_roles_that_do_not_exist_yet(cloud: Clients) -> None:
    skips("aws.permissions.roles", subject(jobs_roles(), clients=cloud), "no role of a job exists yet")


def test_what_errors_mean() -> None:
    reader = AwsReader(stubbed(Stubs().refuse("ec2", "describe_vpcs", "UnauthorizedOperation")))
    with pytest.raises(UnseenError, match="ec2:DescribeVpcs"):
        reader.ask("ec2", "describe_vpcs")
    reader = AwsReader(stubbed(Stubs().refuse("ec2", "describe_vpcs", "RequestExpired")))
    with pytest.raises(SecretError):
        reader.ask("ec2", "describe_vpcs")
    assert reader.asked == {"ec2:DescribeVpcs"}


def test_aws_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TransientError, match="cannot be reached"):
        AwsReader(Clients(REGION)).ask("sts", "get_caller_identity")


def test_actions_are_called_as_iam_calls_them() -> None:
    assert action_of("efs", "describe_mount_targets") == "elasticfilesystem:DescribeMountTargets"
    assert action_of("rds", "describe_db_clusters") == "rds:DescribeDBClusters"
    assert action_of("s3", "head_bucket") == "s3:ListBucket"
