"""Versions, cost, duration, expiry, image, region, programs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from datasurface import Airflow
from datasurface.deploy.aws.preflight.cost import minutes, monthly
from datasurface.deploy.aws.preflight.template import templates_of
from preflight_bench import IMAGE, Resources, aws, deployed, fails, passes, resource, results, subject, warns


def cluster(version: str | None) -> Resources:
    return {"Cluster": resource("EKS::Cluster", **({"Version": version} if version else {}))}


def database(version: str | None) -> Resources:
    return {"Database": resource("RDS::DBCluster", **({"EngineVersion": version} if version else {}))}


def test_versions_of_kubernetes() -> None:
    assert "2027-03-27" in passes("aws.versions.kubernetes", subject(cluster("1.35")))
    warns("aws.versions.kubernetes", subject(cluster("1.32")), "extended support", "2027-03-23", "1.35")
    warns("aws.versions.kubernetes", subject(cluster("1.33")), "ends on 2026-07-29")
    fails("aws.versions.kubernetes", subject(cluster("1.28")), "has ended", "1.35")
    fails("aws.versions.kubernetes", subject(cluster("1.29")), "2026-03-23")
    warns("aws.versions.kubernetes", subject(cluster("1.99")), "newer than the table")
    warns("aws.versions.kubernetes", subject(cluster(None)), "AWS chooses")


def test_versions_of_the_database() -> None:
    assert "17" in passes("aws.versions.database", subject(database("17.7")))
    warns("aws.versions.database", subject(database("14.10"), today=date(2027, 6, 1)), "extended support")
    fails("aws.versions.database", subject(database("13.9")), "older than 14")
    warns("aws.versions.database", subject(database(None)), "AWS chooses")


def test_versions_of_airflow() -> None:
    passes("aws.versions.airflow", subject(what=deployed(None, Airflow(version="3"))))
    old = subject(what=deployed(None, Airflow(version="2.11")))
    fails("aws.versions.airflow", old, "Airflow 2.11 has ended", 'version="3"')


def test_cost_is_told_though_nothing_is_wrong() -> None:
    gateways = {f"Nat{number}": resource("EC2::NatGateway") for number in range(2)}
    scaling = {"DesiredSize": 3, "MinSize": 1}
    groups = {"Nodes": resource("EKS::Nodegroup", InstanceTypes=["m5.4xlarge"], ScalingConfig=scaling)}
    (found,) = results("aws.cost.month", subject({**gateways, **groups, "Cluster": resource("EKS::Cluster")}))
    assert found.outcome.told
    costs, unknown = monthly(subject(groups))
    assert round(costs["nodes m5.4xlarge"]) == round(3 * 0.768 * 730 * 1.2)
    assert not unknown
    assert "nodes m5.4xlarge 2,018" in found.outcome.why
    assert "prices of 20" in found.outcome.why


def test_what_the_table_does_not_hold_is_said() -> None:
    assert "USD" in passes("aws.cost.month", subject({"Key": resource("KMS::Key")}))
    unknown = {"Database": resource("RDS::DBInstance", DBInstanceClass="db.z9.large")}
    warns("aws.cost.month", subject(unknown), "db.z9.large")


def test_every_kind_that_costs_is_counted() -> None:
    zones = ["a", "b", "c"]
    costs, _ = monthly(
        subject(
            {
                "Endpoint": resource("EC2::VPCEndpoint", VpcEndpointType="Interface", SubnetIds=zones),
                "Gateway": resource("EC2::VPCEndpoint", VpcEndpointType="Gateway"),
                "Database": resource("RDS::DBInstance", DBInstanceClass="db.r6g.large"),
                "Serverless": resource("RDS::DBCluster", ServerlessV2ScalingConfiguration={"MinCapacity": 2}),
                "Secret": resource("SecretsManager::Secret"),
            }
        )
    )
    assert costs["interface endpoints"] > 20
    assert costs["database db.r6g.large"] > 200
    assert costs["database capacity, at least"] > 150
    assert costs["secret"] == 0.4


def test_volumes_of_nodes_are_those_of_their_launch_template() -> None:
    scaling = {"DesiredSize": 2}
    devices = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 200}}]
    resources = {
        "Launch": resource("EC2::LaunchTemplate", LaunchTemplateData={"BlockDeviceMappings": devices}),
        "Nodes": resource("EKS::Nodegroup", ScalingConfig=scaling, LaunchTemplate={"Id": {"Ref": "Launch"}}),
    }
    costs, _ = monthly(subject(resources))
    assert round(costs["volumes of nodes"], 2) == round(2 * 200 * 0.08 * 1.2, 2)
    costs, _ = monthly(subject({"Nodes": resource("EKS::Nodegroup", ScalingConfig=scaling, DiskSize=50)}))
    assert round(costs["volumes of nodes"], 2) == round(2 * 50 * 0.08 * 1.2, 2)


def test_duration_follows_the_longest_chain() -> None:
    resources = {
        "Cluster": resource("EKS::Cluster"),
        "Nodes": resource("EKS::Nodegroup", ClusterName={"Ref": "Cluster"}),
        "Addon": {**resource("EKS::Addon", ClusterName={"Fn::GetAtt": ["Cluster", "Name"]}), "DependsOn": "Nodes"},
        "Instance": resource("RDS::DBInstance"),
    }
    (template,) = templates_of([("a.json", {"Resources": resources})], {})
    assert minutes(template) == 10 + 3 + 1.5
    assert "about 14 minutes" in passes("aws.cost.duration", subject(resources))


def test_a_circle_does_not_count_for_ever() -> None:
    resources = {"A": {**resource("S3::Bucket"), "DependsOn": "B"}, "B": {**resource("S3::Bucket"), "DependsOn": "A"}}
    (template,) = templates_of([("a.json", {"Resources": resources})], {})
    assert minutes(template) < 5


def test_expiry() -> None:
    warns("aws.cost.expiry", subject(), "until when", "expires=")
    passes("aws.cost.expiry", subject(what=deployed(production=True)))
    passes("aws.cost.expiry", subject(settings=aws(expires="2026-12-31")))
    fails("aws.cost.expiry", subject(settings=aws(expires="2026-01-31")), "2026-01-31")


def test_images() -> None:
    passes("aws.images.digest", subject(images={"jobs": IMAGE}))
    tagged = IMAGE.partition("@")[0] + ":latest"
    fails("aws.images.digest", subject(images={"jobs": tagged}), "old code", "sha256")
    warns("aws.images.digest", subject(images={"jobs": IMAGE.replace("eu-central-1", "us-east-1")}), "us-east-1")


def test_regions() -> None:
    passes("aws.settings.region", subject())
    elsewhere = aws()
    object.__setattr__(elsewhere, "region", "eu-centrall-1")
    warns("aws.settings.region", subject(settings=elsewhere), "eu-centrall-1", "describe-regions")


def test_programs(tmp_path: Path) -> None:
    for name in ("aws", "kubectl", "helm"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    passes("aws.settings.programs", subject(environ={"PATH": str(tmp_path)}))
    (tmp_path / "helm").unlink()
    warns("aws.settings.programs", subject(environ={"PATH": str(tmp_path)}), "helm is not installed")
