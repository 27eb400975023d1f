"""Nothing open to the world, no password that everybody knows, data encrypted and kept."""

from __future__ import annotations

from typing import Any

import pytest

from preflight_bench import deployed, fails, passes, resource, subject, warns

KEPT = {"BackupRetentionPeriod": 14, "DeletionProtection": True}


def test_passwords_in_templates() -> None:
    made = resource("RDS::DBCluster", MasterUserPassword="{{resolve:secretsmanager:acme:SecretString:password}}")
    passes("aws.exposure.passwords", subject({"Database": made}))
    passes("aws.exposure.passwords", subject({"Database": resource("RDS::DBCluster", MasterUserPassword={"Ref": "X"})}))
    plain = resource("RDS::DBCluster", MasterUserPassword="correct horse")
    found = fails("aws.exposure.passwords", subject({"Database": plain}), "MasterUserPassword", "stack.json: Database")
    assert "correct horse" not in str(found)


def test_passwords_as_defaults_of_parameters() -> None:
    parameters = {"Parameters": {"DatabaseMasterPassword": {"Type": "String", "Default": "admin123"}}}
    found = fails("aws.exposure.passwords", subject({}, document=parameters), "DatabaseMasterPassword")
    assert "admin123" not in str(found)
    passes("aws.exposure.passwords", subject({}, document={"Parameters": {"DatabasePassword": {"Type": "String"}}}))


def test_passwords_in_variables_of_pods() -> None:
    def pod(**variable: Any) -> dict[str, Any]:
        return {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"env": [variable]}]}}

    passes("aws.exposure.passwords", subject(manifests=[pod(name="DATASURFACE_X_PASSWORD", valueFrom={})]))
    found = fails(
        "aws.exposure.passwords", subject(manifests=[pod(name="GIT_TOKEN", value="ghp_1")]), "GIT_TOKEN", "Pod x"
    )
    assert "ghp_1" not in str(found)


@pytest.mark.parametrize(
    ("config", "verdict"),
    [
        ({"EndpointPublicAccess": False}, "pass"),
        ({"EndpointPublicAccess": True}, "fail"),
        ({}, "fail"),
        ({"EndpointPublicAccess": True, "PublicAccessCidrs": ["0.0.0.0/0"]}, "fail"),
        ({"EndpointPublicAccess": True, "PublicAccessCidrs": ["198.51.100.0/24"]}, "warn"),
    ],
)
def test_the_kubernetes_api(config: dict[str, Any], verdict: str) -> None:
    given = subject({"Cluster": resource("EKS::Cluster", ResourcesVpcConfig=config)})
    if verdict == "pass":
        passes("aws.exposure.api", given)
    elif verdict == "warn":
        warns("aws.exposure.api", given, "198.51.100.0/24")
    else:
        fails("aws.exposure.api", given, "open to the world")


@pytest.mark.parametrize("where", [{"CidrIp": "0.0.0.0/0"}, {"CidrIpv6": "::/0"}])
def test_open_groups(where: dict[str, str]) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, **where}
    fails("aws.exposure.groups", subject({"G": resource("EC2::SecurityGroup", SecurityGroupIngress=[rule])}), "5432")
    fails("aws.exposure.groups", subject({"R": resource("EC2::SecurityGroupIngress", **rule)}), "5432")
    inside = {**rule, "CidrIp": "10.0.0.0/8", "CidrIpv6": "fd00::/8"}
    passes("aws.exposure.groups", subject({"G": resource("EC2::SecurityGroup", SecurityGroupIngress=[inside])}))


def test_public_databases_and_load_balancers() -> None:
    private = {
        "Database": resource("RDS::DBInstance", PubliclyAccessible=False),
        "Balancer": resource("ElasticLoadBalancingV2::LoadBalancer", Scheme="internal"),
    }
    passes("aws.exposure.services", subject(private))
    fails(
        "aws.exposure.services", subject({"D": resource("RDS::DBInstance", PubliclyAccessible=True)}), "public address"
    )
    balancer = resource("ElasticLoadBalancingV2::LoadBalancer")
    fails("aws.exposure.services", subject({"B": balancer}), "faces the internet")
    key = "service.beta.kubernetes.io/aws-load-balancer-scheme"
    service = {"kind": "Service", "metadata": {"name": "web", "annotations": {key: "internet-facing"}}}
    fails("aws.exposure.services", subject(manifests=[{**service, "spec": {"type": "LoadBalancer"}}]), "Service web")


def test_buckets() -> None:
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    whole = dict.fromkeys(names, True)
    passes("aws.exposure.buckets", subject({"B": resource("S3::Bucket", PublicAccessBlockConfiguration=whole)}))
    part = {**whole, "BlockPublicPolicy": False}
    broken = resource("S3::Bucket", PublicAccessBlockConfiguration=part)
    fails("aws.exposure.buckets", subject({"B": broken}), "BlockPublicPolicy")


def test_encryption() -> None:
    passes("aws.exposure.encryption", subject({"D": resource("RDS::DBCluster", StorageEncrypted=True)}))
    fails("aws.exposure.encryption", subject({"D": resource("RDS::DBCluster")}), "not encrypted")
    fails("aws.exposure.encryption", subject({"F": resource("EFS::FileSystem", Encrypted=False)}), "not encrypted")
    warns("aws.exposure.encryption", subject({"B": resource("S3::Bucket")}), "S3's own key")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"BackupRetentionPeriod": 1}, "kept for 1 days"),
        ({"DeletionProtection": False}, "by mistake"),
    ],
)
def test_backups_and_protection(changed: dict[str, Any], words: str) -> None:
    def database(**properties: Any) -> dict[str, Any]:
        instances = {f"I{number}": resource("RDS::DBInstance") for number in range(2)}
        return {"D": {**resource("RDS::DBCluster", **properties), "DeletionPolicy": "Snapshot"}, **instances}

    passes("aws.database.safety", subject(database(**KEPT), what=deployed(production=True)))
    fails("aws.database.safety", subject(database(**{**KEPT, **changed}), what=deployed(production=True)), words)
    warns("aws.database.safety", subject(database(**{**KEPT, **changed})), words)


def test_one_zone_does_not_serve_production() -> None:
    one = {"D": {**resource("RDS::DBCluster", **KEPT), "DeletionPolicy": "Snapshot"}, "I": resource("RDS::DBInstance")}
    fails("aws.database.safety", subject(one, what=deployed(production=True)), "one instance")
    passes("aws.database.safety", subject(one))


def test_a_database_that_goes_with_its_stack() -> None:
    warns("aws.database.safety", subject({"D": resource("RDS::DBCluster", **KEPT)}), "gone with its stack")
