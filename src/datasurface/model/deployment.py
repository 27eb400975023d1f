"""What an environment's jobs are deployed to: the settings that no part of the pipelines depends on.

A noun says only what somebody has to decide. Everything that follows from the model is derived when the target's files
are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datasurface.model.aws import AuroraCluster, AwsExistingNetwork, AwsNetwork, NodeGroup
from datasurface.model.base import EMPTY_MAPPING, Noun, noun
from datasurface.model.vocabulary import AwsIdentity

__all__ = ["Aws", "Deployment"]


class Deployment(Noun):
    """Something that runs jobs, or that they run on."""

    __slots__ = ()


@noun
class Aws(Deployment):
    """An account and a region of AWS, in which the cluster, the database and all they need are made.

    Attributes:
        account: The account's twelve digits.
        region: The region, such as `eu-central-1`.
        cluster: The name of the EKS cluster; None for one that is derived from the ecosystem and the environment.
        kubernetes: The version of Kubernetes.
        network: The VPC.
        databases: The Aurora clusters that are made; containers without one exist already.
        database_groups: The security groups of databases that exist already, to be opened for the nodes.
        nodes: The groups of nodes.
        identity: How pods take on their roles.
        create_roles: Names of roles of transformers (`run_as`) that are made; all others exist already.
        admins: ARNs of those who may administer the cluster: roles, or users.
        api_access: Networks that may reach the Kubernetes API from outside; by default it is private.
        shared_storage: Whether there is a file system (EFS) that several pods can write.
        alarms_to: Mail addresses that alarms are sent to.
        keep_logs: For how many days logs are kept.
        deletion_protection: Whether the EKS cluster refuses to be deleted.
        expires: The day after which nobody needs it any more, as `2026-12-31`: a tag of everything.
        tags: Further tags of everything, such as a cost centre.
    """

    account: str
    region: str
    cluster: str | None = None
    kubernetes: str = "1.35"
    network: AwsNetwork | AwsExistingNetwork = AwsNetwork()
    databases: Sequence[AuroraCluster] = ()
    database_groups: Sequence[str] = ()
    nodes: Sequence[NodeGroup] = (NodeGroup("jobs"),)
    identity: AwsIdentity = AwsIdentity.POD_IDENTITY
    create_roles: Sequence[str] = ()
    admins: Sequence[str] = ()
    api_access: Sequence[str] = ()
    shared_storage: bool = False
    alarms_to: Sequence[str] = ()
    keep_logs: int = 365
    deletion_protection: bool = True
    expires: str | None = None
    tags: Mapping[str, str] = EMPTY_MAPPING
