"""Groups of nodes, as many and as large as the pods of the model need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from troposphere import GetAtt, Ref, Tags, ec2, eks

from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.keys import document
from datasurface.deploy.aws.roles import add_role
from datasurface.deploy.aws.subnets import node_subnets
from datasurface.deploy.aws.template import StackBuilder, title_of
from datasurface.deploy.instances import instance_of, node_shape
from datasurface.deploy.packing import Packing, PodNeed, best_shape, pack
from datasurface.deploy.pod_needs import job_needs, pod_needs
from datasurface.errors import ConfigurationError
from datasurface.model.aws import NodeGroup

__all__ = ["PlannedGroup", "add_nodes", "planned_groups"]

_OFFERED = ("m7i.large", "m7i.xlarge", "m7i.2xlarge", "m7i.4xlarge", "m7i.8xlarge")
"""What a group without an instance type chooses from, the smallest first."""
_AMI = {"amd64": "AL2023_x86_64_STANDARD", "arm64": "AL2023_ARM_64_STANDARD"}
_ROOT = "/dev/xvda"
_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedGroup:
    """A group of nodes as it is made.

    Attributes:
        group: What the model says about it.
        instance: The instance type.
        smallest: How many nodes there are at least.
        largest: How many there are at most.
        packing: How all pods that may run at once are put onto such nodes.
    """

    group: NodeGroup
    instance: str
    smallest: int
    largest: int
    packing: Packing

    @property
    def name(self) -> str:
        """What EKS calls it; a group of other nodes has another name, so that both can be there for a while."""
        return "-".join([self.group.name, *self.instance.split("."), *(["spot"] if self.group.spot else [])])


def planned_groups(ground: Ground) -> tuple[PlannedGroup, ...]:
    """Return the groups of nodes, sized by the pods that may run at once; each could hold all of them alone.

    Raises:
        ConfigurationError: a pod fits on no node, or a group is too small for all.
    """
    needs, jobs = pod_needs(ground.deployable), job_needs(ground.deployable)
    planned = []
    for group in ground.settings.nodes:
        shapes = [node_shape(name) for name in ([group.instance] if group.instance else _OFFERED)]
        packing = pack(needs, best_shape([*needs, *jobs], shapes))
        left_out = [need for need in jobs if not packing.shape.holds(need)]
        _refuse_impossible(group, packing, [*left_out, *(n for n in packing.impossible if n not in left_out)])
        largest = group.largest if group.largest is not None else max(len(packing.nodes) + 1, group.smallest)
        planned.append(
            PlannedGroup(
                group=group,
                instance=packing.shape.name,
                smallest=min(group.smallest, largest),
                largest=largest,
                packing=packing,
            )
        )
    total = sum(each.largest for each in planned)
    if planned and total < min(len(each.packing.nodes) for each in planned):
        wanted = min(len(each.packing.nodes) for each in planned)
        raise ConfigurationError(
            f"the groups of nodes have {total} nodes at most, and pods that may run at once need {wanted}",
            hint="raise largest= of a NodeGroup, or leave it out",
        )
    return tuple(planned)


def add_nodes(stack: StackBuilder, cluster: eks.Cluster, after: Iterable[str]) -> list[str]:
    """Add the groups of nodes after the add-ons that nodes need; return their titles."""
    names = stack.ground.names
    trust = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    managed = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy")
    role = add_role(stack, "NodeRole", names.role("node"), trust, managed=managed)
    titles = []
    for planned in planned_groups(stack.ground):
        title = f"Nodes{title_of(planned.group.name)}"
        launch = _add_launch_template(stack, title, planned)
        stack.add(
            eks.Nodegroup(
                title,
                DependsOn=sorted(after),
                ClusterName=Ref(cluster),
                NodegroupName=planned.name,
                NodeRole=GetAtt(role, "Arn"),
                AmiType=_AMI[instance_of(planned.instance).architecture],
                InstanceTypes=[planned.instance],
                CapacityType="SPOT" if planned.group.spot else "ON_DEMAND",
                Subnets=node_subnets(stack),
                LaunchTemplate=eks.LaunchTemplateSpecification(
                    Id=Ref(launch), Version=GetAtt(launch, "LatestVersionNumber")
                ),
                ScalingConfig=eks.ScalingConfig(
                    MinSize=planned.smallest, DesiredSize=planned.smallest, MaxSize=planned.largest
                ),
                UpdateConfig=eks.UpdateConfig(MaxUnavailable=1),
                NodeRepairConfig=eks.NodeRepairConfig(Enabled=True),
                Labels={"datasurface.io/nodes": planned.group.name},
            )
        )
        titles.append(title)
    return titles


def _add_launch_template(stack: StackBuilder, title: str, planned: PlannedGroup) -> ec2.LaunchTemplate:
    """Add how a node starts: an encrypted volume, and its own identity out of reach of pods."""
    tags = Tags({**stack.ground.tags, "Name": f"{stack.ground.names.prefix}-{planned.group.name}"})
    template: ec2.LaunchTemplate = stack.add(
        ec2.LaunchTemplate(
            f"{title}Launch",
            LaunchTemplateData=ec2.LaunchTemplateData(
                MetadataOptions=ec2.MetadataOptions(
                    HttpTokens="required", HttpPutResponseHopLimit=1, HttpEndpoint="enabled"
                ),
                BlockDeviceMappings=[
                    ec2.LaunchTemplateBlockDeviceMapping(
                        DeviceName=_ROOT,
                        Ebs=ec2.EBSBlockDevice(
                            Encrypted=True, VolumeType="gp3", VolumeSize=planned.group.disk, DeleteOnTermination=True
                        ),
                    )
                ],
                TagSpecifications=[
                    ec2.TagSpecifications(ResourceType=kind, Tags=tags) for kind in ("instance", "volume")
                ],
            ),
        )
    )
    return template


def _refuse_impossible(group: NodeGroup, packing: Packing, impossible: Sequence[PodNeed]) -> None:
    if not impossible:
        return
    shape = packing.shape
    names = [f"{need.name} ({need.cpu} m, {need.memory} Mi)" for need in impossible[:_LISTED]]
    more = len(impossible) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more else "")
    raise ConfigurationError(
        f"NodeGroup({group.name!r}): no node of type {shape.name} holds {listed}: pods can have"
        f" {shape.cpu} m and {shape.memory} Mi of one",
        hint="choose a larger instance=, or lower the hint of what does not fit",
    )
