"""Nodes and storage: pods that fit nowhere, too few nodes, volumes that are never bound."""

from __future__ import annotations

from typing import Any

import pytest

from datasurface.deploy.packing import PodNeed
from preflight_bench import Resources, fails, passes, resource, subject, warns

SMALL = PodNeed(name="yellow.crm", cpu=250, memory=512)


def nodes(kind: str = "m5.large", most: int = 2, **more: Any) -> Resources:
    scaling = {"MinSize": 1, "DesiredSize": 1, "MaxSize": most}
    return {"Nodes": resource("EKS::Nodegroup", InstanceTypes=[kind], ScalingConfig=scaling, **more)}


def test_a_pod_that_no_node_holds() -> None:
    """The scheduler of Airflow on small nodes: 2 CPUs are more than a node of 2 has for pods."""
    assert "1 pods" in passes("aws.nodes.fit", subject(nodes(), pods=[SMALL]))
    large = PodNeed(name="airflow scheduler", cpu=2000, memory=2048)
    fails("aws.nodes.fit", subject(nodes(), pods=[SMALL, large]), "airflow scheduler", "2000 m", "m5.large", "Hint(")
    assert "1 pods" in passes("aws.nodes.fit", subject(nodes("m5.xlarge"), pods=[large]))
    roomy = PodNeed(name="yellow.big", cpu=100, memory=9000)
    fails("aws.nodes.fit", subject(nodes(), pods=[roomy]), "9000 MiB")


def test_one_of_several_groups_is_enough() -> None:
    both = {"Small": nodes()["Nodes"], "Large": nodes("r6i.2xlarge")["Nodes"]}
    passes("aws.nodes.fit", subject(both, pods=[PodNeed(name="yellow.big", cpu=4000, memory=40_000)]))


def test_more_pods_than_the_nodes_take() -> None:
    assert "of at most 2" in passes("aws.nodes.count", subject(nodes(), pods=[SMALL]))
    many = PodNeed(name="yellow.crm", cpu=250, memory=512, count=40)
    fails("aws.nodes.count", subject(nodes(), pods=[many]), "40 pods", "at most 2 are made")
    passes("aws.nodes.count", subject(nodes(most=20), pods=[many]))


def test_pods_by_network_interfaces() -> None:
    """An m5.large has 29 pods at most, however small they are."""
    tiny = PodNeed(name="tiny", cpu=1, memory=1, count=60)
    fails("aws.nodes.count", subject(nodes(), pods=[tiny]), "60 pods", "3 nodes m5.large")


def test_requests() -> None:
    passes("aws.nodes.requests", subject(nodes(), pods=[SMALL]))
    fails("aws.nodes.requests", subject(pods=[PodNeed(name="x", cpu=0, memory=512)]), "x", "Hint(")


def test_types() -> None:
    passes("aws.nodes.types", subject(nodes("m6g.large", AmiType="AL2023_ARM_64_STANDARD")))
    fails("aws.nodes.types", subject(nodes("m6g.large", AmiType="AL2023_x86_64_STANDARD")), "arm64", "x86_64")
    mixed = {"Nodes": resource("EKS::Nodegroup", InstanceTypes=["m5.large", "m6g.large"])}
    fails("aws.nodes.types", subject(mixed), "amd64, arm64")
    warns("aws.nodes.types", subject(nodes("z1d.metal")), "z1d.metal")


def claim(storage: str | None, *modes: str) -> dict[str, Any]:
    spec = {"accessModes": list(modes), **({"storageClassName": storage} if storage else {})}
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": "logs"}, "spec": spec}


@pytest.mark.parametrize("storage", ["gp3", "gp2", None])
def test_many_nodes_cannot_write_to_a_disk(storage: str | None) -> None:
    fails(
        "aws.storage.access-mode", subject(manifests=[claim(storage, "ReadWriteMany")]), "ReadWriteMany", "EBS", "logs"
    )
    passes("aws.storage.access-mode", subject(manifests=[claim(storage, "ReadWriteOnce")]))


def test_classes_of_their_own_are_known_by_their_driver() -> None:
    disk = {"kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "ebs.csi.aws.com"}
    files = {"kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "efs.csi.aws.com"}
    wanted = claim("fast", "ReadWriteMany")
    fails("aws.storage.access-mode", subject(manifests=[disk, wanted]), "fast")
    passes("aws.storage.access-mode", subject(manifests=[files, wanted]))


def test_claims_inside_of_stateful_sets_are_found() -> None:
    inside = {
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {"volumeClaimTemplates": [claim("gp3", "ReadWriteMany")]},
    }
    fails("aws.storage.access-mode", subject(manifests=[inside]), "StatefulSet db")


def test_files_on_fargate() -> None:
    profile = {"Profile": resource("EKS::FargateProfile")}
    passes("aws.storage.fargate", subject(profile))
    fails("aws.storage.fargate", subject({**profile, "Files": resource("EFS::FileSystem")}), "Fargate", "EFS")
    fails("aws.storage.fargate", subject(profile, manifests=[claim("efs-sc", "ReadWriteMany")]), "Fargate")


def test_mount_targets() -> None:
    two = {f"Target{number}": resource("EFS::MountTarget") for number in range(2)}
    passes("aws.storage.mount-targets", subject({**two, **nodes(Subnets=["a", "b"])}))
    fails("aws.storage.mount-targets", subject({**two, **nodes(Subnets=["a", "b", "c"])}), "3 subnets", "2 of them")
