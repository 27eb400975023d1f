"""Checks of storage: what volumes are asked for, the class that is to make them can make."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import listed
from datasurface.deploy.aws.preflight.volumes import ON_DEMAND_FILES, ONE_NODE, SHARED_BY_NODES, claims_of
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed

__all__ = ["CHECKS"]


def _access(subject: AwsSubject) -> Iterator[Outcome]:
    for claim in claims_of(subject.manifests):
        wrong = sorted(set(claim.modes) & SHARED_BY_NODES) if claim.driver in ONE_NODE else []
        if wrong:
            yield failed(
                f"it wants {', '.join(wrong)} of the class {claim.storage_class!r}, whose EBS volumes are mounted by "
                "one node at a time: it would stay Pending",
                "storage class of EFS (efs.csi.aws.com), or the access mode ReadWriteOnce",
                about=claim.name,
            )
        else:
            yield passed(f"{', '.join(claim.modes)} of {claim.storage_class!r}", about=claim.name)


def _fargate(subject: AwsSubject) -> Iterator[Outcome]:
    profiles = [resource.place for resource in subject.resources("AWS::EKS::FargateProfile")]
    dynamic = [claim for claim in claims_of(subject.manifests) if claim.driver == ON_DEMAND_FILES]
    files = [resource.place for resource in subject.resources("AWS::EFS::FileSystem")]
    for profile in profiles:
        if dynamic or files:
            yield failed(
                "pods on Fargate cannot have EFS volumes that are made on demand",
                "managed node groups instead of Fargate, or no EFS: no job needs a shared volume",
                about=profile,
            )


def _zones(subject: AwsSubject) -> Iterator[Outcome]:
    """A file system is reached from each zone of the nodes by a mount target there."""
    targets = len(list(subject.resources("AWS::EFS::MountTarget")))
    for group in subject.resources("AWS::EKS::Nodegroup"):
        subnets = len(listed(group.properties.get("Subnets")))
        if targets and subnets > targets:
            yield failed(
                f"its nodes are in {subnets} subnets, and {targets} of them have a mount target of EFS",
                "a mount target in every subnet of the nodes",
                about=group.place,
            )


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.storage.access-mode",
        title="storage class against access mode",
        looks_at="each volume claim of the Kubernetes files, and the driver of its class",
        fails="many nodes are to write to a volume of EBS (gp2, gp3), which one node mounts: it never binds",
        remedy="a class of EFS, or ReadWriteOnce",
        look=_access,
    ),
    Check(
        id="aws.storage.fargate",
        title="EFS on Fargate",
        looks_at="Fargate profiles beside volumes of EFS",
        fails="both are there: EFS volumes made on demand do not work on Fargate",
        remedy="managed node groups",
        look=_fargate,
    ),
    Check(
        id="aws.storage.mount-targets",
        title="mount targets of EFS",
        looks_at="that each subnet of the nodes has a mount target, if there is a file system",
        fails="pods on some nodes could not mount it",
        remedy="a mount target in each subnet of the nodes",
        look=_zones,
    ),
)
