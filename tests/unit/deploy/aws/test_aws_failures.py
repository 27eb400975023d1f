"""What made deployments to AWS fail elsewhere, and cannot here: one test for each that a template can prevent."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from aws_models import ACCOUNT, MERGE, aws, deployable, model
from datasurface import AwsIdentity, Kubernetes
from datasurface.deploy.aws.ground import ground_of
from datasurface.deploy.aws.identities import identities_of
from datasurface.deploy.aws.target import TARGET, stacks
from datasurface.deploy.pod import account_of

DEPLOYED = deployable(model(aws(shared_storage=True)))
IRSA = deployable(model(aws(identity=AwsIdentity.IRSA)))


@pytest.fixture(scope="module")
def resources() -> list[tuple[str, str, dict[str, Any]]]:
    """Every resource: its stack, its type, its properties."""
    return [
        (stack.key, resource["Type"], resource.get("Properties", {}))
        for stack in stacks(DEPLOYED)
        for resource in stack.document["Resources"].values()
    ]


def properties(resources: list[tuple[str, str, dict[str, Any]]], kind: str) -> list[dict[str, Any]]:
    found = [given for _stack, each, given in resources if each == kind]
    assert found
    return found


def test_a_named_role_comes_with_the_capability_that_it_takes():
    readme = next(file.content for file in TARGET.files(DEPLOYED) if file.path == "README.md")
    for stack in stacks(DEPLOYED):
        named = any(r["Type"].startswith("AWS::IAM::") for r in stack.document["Resources"].values())
        assert ("CAPABILITY_NAMED_IAM" in stack.capabilities) == named
        command = readme[readme.index(f"--stack-name {stack.name}") :].partition("aws cloudformation")[0]
        assert ("CAPABILITY_NAMED_IAM" in command) == named


def test_no_template_asks_for_a_parameter_a_key_pair_or_a_token():
    for stack in stacks(DEPLOYED):
        assert "Parameters" not in stack.document
        assert "KeyName" not in stack.text
        assert "GitHubToken" not in stack.text


def test_a_trust_by_service_account_names_issuer_subject_and_audience_and_no_url():
    found = []
    for stack in stacks(IRSA):
        for resource in stack.document["Resources"].values():
            trust = resource.get("Properties", {}).get("AssumeRolePolicyDocument")
            if isinstance(trust, dict) and "Fn::Sub" in trust:
                text, values = trust["Fn::Sub"]
                found.append(text)
                assert "https" not in text
                assert set(re.findall(r"\$\{(\w+)\}", text)) == set(values) == {"Issuer", "Provider"}
                (statement,) = json.loads(text)["Statement"]
                assert set(statement["Condition"]) == {"StringEquals"}
                assert {key.rpartition(":")[2] for key in statement["Condition"]["StringEquals"]} == {"aud", "sub"}
    assert len(found) >= 6


def test_there_is_no_fargate_and_every_volume_fits_its_driver(resources: list[tuple[str, str, dict[str, Any]]]):
    assert not [kind for _stack, kind, _given in resources if "Fargate" in kind]
    names = {given["AddonName"] for given in properties(resources, "AWS::EKS::Addon")}
    assert {"aws-ebs-csi-driver", "aws-efs-csi-driver"} <= names


def test_a_driver_of_volumes_has_its_role_from_the_beginning(resources: list[tuple[str, str, dict[str, Any]]]):
    for given in properties(resources, "AWS::EKS::Addon"):
        if given["AddonName"] in {"aws-ebs-csi-driver", "aws-efs-csi-driver", "vpc-cni"}:
            (association,) = given["PodIdentityAssociations"]
            assert association["RoleArn"]["Fn::GetAtt"][1] == "Arn"


def test_the_file_system_is_mountable_in_every_zone_and_from_nodes_alone(
    resources: list[tuple[str, str, dict[str, Any]]],
):
    assert len(properties(resources, "AWS::EFS::MountTarget")) == 3
    (group,) = [
        given
        for given in properties(resources, "AWS::EC2::SecurityGroup")
        if given["GroupDescription"] == "NFS from the nodes"
    ]
    (rule,) = group["SecurityGroupIngress"]
    assert (rule["FromPort"], rule["ToPort"]) == (2049, 2049)
    assert rule["SourceSecurityGroupId"] == {"Fn::GetAtt": ["Cluster", "ClusterSecurityGroupId"]}


def test_database_and_cluster_are_in_one_network(resources: list[tuple[str, str, dict[str, Any]]]):
    vpcs = {json.dumps(given["VpcId"]) for given in properties(resources, "AWS::EC2::SecurityGroup")}
    assert vpcs == {'{"Ref": "Vpc"}', json.dumps({"Fn::ImportValue": "ds-acme-prod-479fc59d-VpcId"})}


def test_the_role_of_a_pod_is_the_one_that_exists_and_its_secrets_are_those_that_jobs_look_up():
    ground = ground_of(DEPLOYED)
    for identity in identities_of(ground):
        for kind in identity.kinds:
            assert identity.account == account_of(identity.platform, kind)
        assert identity.arn == f"arn:aws:iam::{ACCOUNT}:role/{identity.role}"
    made = {
        given["Name"]
        for stack in stacks(DEPLOYED)
        for resource in stack.document["Resources"].values()
        if resource["Type"] == "AWS::SecretsManager::Secret" and (given := resource["Properties"])
    }
    (platform,) = ground.platforms
    wanted = {ground.secret_name(platform, credential) for credential in ground.needed(platform)}
    assert made <= wanted
    assert {name.rpartition("/")[2] for name in wanted - made} == {
        "yellow.monitor",
        "yellow.run",
        "yellow.transformer.sums",
    }


def test_names_of_kubernetes_and_of_aws_are_those_of_the_model():
    assert ground_of(DEPLOYED).namespace == Kubernetes(image="x").namespace
    associated = [
        resource["Properties"]["Namespace"]
        for stack in stacks(DEPLOYED)
        for resource in stack.document["Resources"].values()
        if resource["Type"] == "AWS::EKS::PodIdentityAssociation"
    ]
    assert set(associated) == {"datasurface", "datasurface-airflow"}


def test_nothing_is_public_by_default(resources: list[tuple[str, str, dict[str, Any]]]):
    for given in properties(resources, "AWS::EC2::SecurityGroup"):
        for rule in (*given.get("SecurityGroupIngress", []), *given["SecurityGroupEgress"]):
            assert rule.get("CidrIp") != "0.0.0.0/0"
    assert not [kind for _stack, kind, _given in resources if "LoadBalancer" in kind]


def test_backups_protection_and_two_zones_are_there_in_production(resources: list[tuple[str, str, dict[str, Any]]]):
    (cluster,) = properties(resources, "AWS::RDS::DBCluster")
    assert cluster["BackupRetentionPeriod"] >= 7
    assert cluster["DeletionProtection"]
    assert cluster["Port"] == MERGE.port
    assert len(properties(resources, "AWS::RDS::DBInstance")) == 2
    (subnets,) = properties(resources, "AWS::RDS::DBSubnetGroup")
    assert len(subnets["SubnetIds"]) == 3
