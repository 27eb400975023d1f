"""Who may do what: each kind of job reads its own secrets, one writes logins, roles of others stay theirs."""

from __future__ import annotations

import json

import pytest

from aws_models import ACCOUNT, OPS, REGION, Template, aws, deployable, model, of_type, templates
from datasurface import Airflow, AwsIdentity, AwsRole, TaskKind
from datasurface.deploy.aws.target import TARGET
from datasurface.errors import ConfigurationError

PREFIX = "ds-acme-prod-479fc59d"


@pytest.fixture(scope="module")
def whole() -> dict[str, Template]:
    return templates(aws(admins=[OPS], shared_storage=True, alarms_to=["ops@acme.example"]))


def test_each_job_reads_its_own_secrets_and_nothing_else(whole: dict[str, Template]):
    found = {}
    for policy in of_type(whole["identities"], "AWS::IAM::ManagedPolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Sid"] == "ReadSecrets":
                found[policy["ManagedPolicyName"]] = [arn.rpartition("prod/")[2] for arn in statement["Resource"]]
    short = {name.removeprefix("ds-acme-prod-yellow-").rpartition("-")[0][:-9]: arns for name, arns in found.items()}
    run = ["yellow.run", "yellow.run-??????"]
    issued = ["yellow.monitor", "yellow.monitor-??????", *run]
    code = ["yellow.transformer.sums", "yellow.transformer.sums-??????"]
    assert short == {
        "ingest": ["reader_0-??????", *run],
        "system-apply": ["merge_admin-??????", *run],
        "system-audit": ["reader_0-??????", *run],
        "system-retention": run,
        "system-security": ["merge_admin-??????", *issued, *code],
        "ds-yellow-sums": ["sums_api-??????", *run, *code],
    }


def test_no_policy_of_ours_allows_everything(whole: dict[str, Template]):
    for template in whole.values():
        for role in of_type(template, "AWS::IAM::Role").values():
            for policy in role.get("Policies", []):
                _is_narrow(policy["PolicyDocument"])
        for policy in of_type(template, "AWS::IAM::ManagedPolicy").values():
            _is_narrow(policy["PolicyDocument"])
            assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) <= 6144


def _is_narrow(document: Template) -> None:
    for statement in document["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert all("*" not in action for action in actions)
        assert statement["Resource"] != "*"


def test_only_security_writes_secrets_and_only_those_of_logins(whole: dict[str, Template]):
    writing = [
        (policy["ManagedPolicyName"], statement["Resource"])
        for policy in of_type(whole["identities"], "AWS::IAM::ManagedPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if "secretsmanager:PutSecretValue" in statement["Action"]
    ]
    ((name, resources),) = writing
    assert "system-security" in name
    assert [r.rpartition("prod/")[2] for r in resources] == [
        "yellow.monitor",
        "yellow.monitor-??????",
        "yellow.person.*",
        "yellow.run",
        "yellow.run-??????",
        "yellow.transformer.*",
    ]


def test_a_role_of_somebody_else_gets_its_policy_and_its_owner_the_trust(whole: dict[str, Template]):
    assert "sums-role" not in [r["RoleName"] for r in of_type(whole["identities"], "AWS::IAM::Role").values()]
    attached = [p["Roles"] for p in of_type(whole["identities"], "AWS::IAM::ManagedPolicy").values() if "Roles" in p]
    assert ["sums-role"] in attached
    files = {f.path: f.content for f in TARGET.files(deployable(model(aws())))}
    trust = json.loads(files["roles/sums-role.json"])
    own = trust["Statement"][0]["Condition"]["StringEquals"]
    assert own["aws:RequestTag/kubernetes-namespace"] == "datasurface"
    assert own["aws:RequestTag/kubernetes-service-account"].startswith("ds-yellow-sums-")
    made = templates(aws(create_roles=["sums-role"]))["identities"]
    assert "sums-role" in [r["RoleName"] for r in of_type(made, "AWS::IAM::Role").values()]


def test_a_role_of_another_account_is_refused():
    with pytest.raises(ConfigurationError, match="pods take on roles of their cluster's account only"):
        templates(role=AwsRole("arn:aws:iam::999999999999:role/far"))


def test_with_irsa_the_issuer_stands_in_the_trust_without_https():
    found = templates(aws(identity=AwsIdentity.IRSA))
    assert not of_type(found["identities"], "AWS::EKS::PodIdentityAssociation")
    (provider,) = of_type(found["cluster"], "AWS::IAM::OIDCProvider").values()
    assert provider["ClientIdList"] == ["sts.amazonaws.com"]
    issuer = found["cluster"]["Outputs"]["Issuer"]["Value"]
    assert issuer == {"Fn::Select": [1, {"Fn::Split": ["//", {"Fn::GetAtt": ["Cluster", "OpenIdConnectIssuerUrl"]}]}]}
    roles = of_type(found["identities"], "AWS::IAM::Role").values()
    text, values = next(r["AssumeRolePolicyDocument"]["Fn::Sub"] for r in roles if "ingest" in r["RoleName"])
    condition = json.loads(text)["Statement"][0]["Condition"]["StringEquals"]
    assert condition["${Issuer}:aud"] == "sts.amazonaws.com"
    assert condition["${Issuer}:sub"].startswith("system:serviceaccount:datasurface:ds-acme-prod-yellow-ingest-")
    assert values["Issuer"] == {"Fn::ImportValue": f"{PREFIX}-Issuer"}


def test_airflow_of_processes_reads_its_connections_and_of_pods_none():
    def reading(airflow: Airflow) -> list[str]:
        made = templates(airflow=airflow)["identities"]
        policies = {p["ManagedPolicyName"]: p for p in of_type(made, "AWS::IAM::ManagedPolicy").values()}
        found = policies.get(f"{PREFIX}-airflow-connections")
        return [] if found is None else found["PolicyDocument"]["Statement"][0]["Resource"]

    assert reading(Airflow()) == []
    start = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:airflow/connections/"
    assert reading(Airflow(tasks=TaskKind.PROCESS, connections="ds_")) == [
        f"{start}datasurface_airflow*",
        f"{start}ds_*",
    ]
    two = templates(airflow=Airflow(version="2.11"))["identities"]
    accounts = {p["ServiceAccount"] for p in of_type(two, "AWS::EKS::PodIdentityAssociation").values()}
    assert "airflow-webserver" in accounts
    assert "airflow-api-server" not in accounts


def test_more_secrets_than_a_role_can_name_are_refused():
    with pytest.raises(ConfigurationError, match="602 secrets, more than the policies of one role can name"):
        templates(stores=601, logins=601)
