"""The stack `cluster`: EKS with its add-ons and nodes, and what its nodes may reach."""

from __future__ import annotations

import json
from typing import Any

from troposphere import GetAtt, Ref, Sub, Tags, ec2, efs, eks, iam

from datasurface.deploy.aws.endpoints import nowhere
from datasurface.deploy.aws.foundation import add_log_group
from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.keys import document
from datasurface.deploy.aws.nodes import add_nodes
from datasurface.deploy.aws.roles import add_role, issuer_host, service_trust
from datasurface.deploy.aws.subnets import node_subnets, vpc_id
from datasurface.deploy.aws.template import Stack, StackBuilder, title_of
from datasurface.model.vocabulary import AwsIdentity

__all__ = ["ADD_ONS", "cluster", "database_groups"]

_LOG_KINDS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_ADMIN_POLICY = "cluster-access-policy/AmazonEKSClusterAdminPolicy"
_NFS, _POSTGRES = 2049, 5432
_INSIGHTS = "amazon-cloudwatch-observability"
ADD_ONS = {
    "vpc-cni": ("aws-node", "AmazonEKS_CNI_Policy", {"enableNetworkPolicy": "true"}),
    "kube-proxy": (None, None, None),
    "eks-pod-identity-agent": (None, None, None),
    "coredns": (None, None, None),
    "aws-ebs-csi-driver": ("ebs-csi-controller-sa", "service-role/AmazonEBSCSIDriverPolicy", None),
    _INSIGHTS: ("cloudwatch-agent", "CloudWatchAgentServerPolicy", None),
    "aws-efs-csi-driver": ("efs-csi-controller-sa", "service-role/AmazonEFSCSIDriverPolicy", None),
}
"""Each add-on: its service account, the policy of AWS that this has, its configuration."""
_AFTER_NODES = frozenset({"coredns", "aws-ebs-csi-driver", _INSIGHTS, "aws-efs-csi-driver"})
"""Add-ons whose pods have to be placed before they count as made."""


def cluster(ground: Ground) -> Stack:
    """Return the stack of the cluster."""
    stack = StackBuilder(ground=ground, key="cluster", purpose="the Kubernetes cluster and its nodes")
    made = _add_cluster(stack)
    logs = _add_insights_logs(stack)
    first = [title for name in ADD_ONS if name not in _AFTER_NODES for title in _add_on(stack, made, name, [])]
    nodes = add_nodes(stack, made, first)
    for name in sorted(_AFTER_NODES):
        if name != "aws-efs-csi-driver" or ground.settings.shared_storage:
            _add_on(stack, made, name, [*nodes, *(logs if name == _INSIGHTS else ())])
    _add_administrators(stack, made)
    if ground.settings.identity is AwsIdentity.IRSA:
        _add_issuer(stack, made)
    _open_databases(stack, made)
    if ground.settings.shared_storage:
        _add_shared_storage(stack, made)
    return stack.built()


def database_groups(ground: Ground) -> tuple[tuple[str, int], ...]:
    """Return the security groups of databases that exist already, each with its port: `sg-…`, or `sg-…:1433`."""
    found = []
    for text in ground.settings.database_groups:
        group, _colon, port = text.partition(":")
        found.append((group, int(port or _POSTGRES)))
    return tuple(found)


def _add_cluster(stack: StackBuilder) -> eks.Cluster:
    ground, names = stack.ground, stack.ground.names
    settings = ground.settings
    logs = add_log_group(stack, "ControlPlaneLogs", f"/aws/eks/{names.cluster}/cluster")
    trust = service_trust(ground, "eks.amazonaws.com")
    role = add_role(stack, "ClusterRole", names.role("cluster"), trust, managed=("AmazonEKSClusterPolicy",))
    access: dict[str, Any] = {"PublicAccessCidrs": list(settings.api_access)} if settings.api_access else {}
    made: eks.Cluster = stack.add(
        eks.Cluster(
            "Cluster",
            DependsOn=[logs.title],
            Name=names.cluster,
            Version=settings.kubernetes,
            RoleArn=GetAtt(role, "Arn"),
            DeletionProtection=settings.deletion_protection,
            BootstrapSelfManagedAddons=False,
            AccessConfig=eks.AccessConfig(
                AuthenticationMode="API", BootstrapClusterCreatorAdminPermissions=not settings.admins
            ),
            EncryptionConfig=[
                eks.EncryptionConfig(Resources=["secrets"], Provider=eks.Provider(KeyArn=stack.told("SecretsKey")))
            ],
            Logging=eks.Logging(
                ClusterLogging=eks.ClusterLogging(
                    EnabledTypes=[eks.LoggingTypeConfig(Type=kind) for kind in _LOG_KINDS]
                )
            ),
            ResourcesVpcConfig=eks.ResourcesVpcConfig(
                SubnetIds=node_subnets(stack),
                EndpointPrivateAccess=True,
                EndpointPublicAccess=bool(settings.api_access),
                **access,
            ),
            UpgradePolicy=eks.UpgradePolicy(SupportType="STANDARD"),
        )
    )
    stack.tell("ClusterName", Ref(made), "the cluster, for `aws eks update-kubeconfig`")
    stack.tell("ClusterGroup", GetAtt(made, "ClusterSecurityGroupId"), "the security group of the nodes")
    return made


def _add_insights_logs(stack: StackBuilder) -> list[str]:
    """Add the log groups of Container Insights before its agent would: it would make them plain and for ever."""
    cluster = stack.ground.names.cluster
    kinds = ("application", "dataplane", "host", "performance")
    groups = [
        add_log_group(stack, f"{kind.capitalize()}Logs", f"/aws/containerinsights/{cluster}/{kind}") for kind in kinds
    ]
    stack.tell("ApplicationLogs", Ref(groups[0]), "the log group of the containers")
    return [str(group.title) for group in groups]


def _add_on(stack: StackBuilder, made: eks.Cluster, name: str, after: list[str]) -> list[str]:
    """Add an add-on, with a role of its own if it calls AWS; return its title."""
    title = "".join(part.capitalize() for part in name.split("-"))
    account, policy, configuration = ADD_ONS[name]
    more: dict[str, Any] = {}
    if account is not None and policy is not None:
        trust = _add_on_trust(stack)
        role = add_role(stack, f"{title}Role", stack.ground.names.role(name), trust, managed=(policy,))
        more["PodIdentityAssociations"] = [
            eks.PodIdentityAssociationProperty(ServiceAccount=account, RoleArn=GetAtt(role, "Arn"))
        ]
    if configuration is not None:
        more["ConfigurationValues"] = json.dumps(configuration, sort_keys=True)
    if after:
        more["DependsOn"] = after
    stack.add(eks.Addon(title, AddonName=name, ClusterName=Ref(made), ResolveConflicts="OVERWRITE", **more))
    return [title]


def _add_on_trust(stack: StackBuilder) -> dict[str, object]:
    names = stack.ground.names
    arn = f"arn:{names.partition}:eks:{names.region}:{names.account}:cluster/{names.cluster}"
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": {"aws:SourceAccount": names.account}, "ArnEquals": {"aws:SourceArn": arn}},
        }
    )


def _add_administrators(stack: StackBuilder, made: eks.Cluster) -> None:
    partition = stack.ground.names.partition
    for admin in stack.ground.settings.admins:
        stack.add(
            eks.AccessEntry(
                f"Administrator{title_of(admin)}",
                ClusterName=Ref(made),
                PrincipalArn=admin,
                Type="STANDARD",
                AccessPolicies=[
                    eks.AccessPolicy(
                        PolicyArn=f"arn:{partition}:eks::aws:{_ADMIN_POLICY}",
                        AccessScope=eks.AccessScope(Type="cluster"),
                    )
                ],
            )
        )


def _add_issuer(stack: StackBuilder, made: eks.Cluster) -> None:
    """Add the provider that lets IAM trust the cluster's service accounts."""
    provider = stack.add(
        iam.OIDCProvider("Issuer", Url=GetAtt(made, "OpenIdConnectIssuerUrl"), ClientIdList=["sts.amazonaws.com"])
    )
    stack.tell("Issuer", issuer_host(made), "the cluster's issuer of identities")
    stack.tell("IssuerArn", GetAtt(provider, "Arn"), "the provider that trusts it")


def _open_databases(stack: StackBuilder, made: eks.Cluster) -> None:
    """Let the nodes, and nobody else, into the databases: by the group that EKS gives every node."""
    doors: list[tuple[object, int, str]] = []
    for database in stack.ground.databases:
        title = title_of(database.container.name)
        doors.append((stack.told(f"Database{title}Group"), database.container.port, database.container.name))
    doors += [(group, port, f"{group}:{port}") for group, port in database_groups(stack.ground)]
    for group, port, name in doors:
        stack.add(
            ec2.SecurityGroupIngress(
                f"NodesInto{title_of(name)}",
                GroupId=group,
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                SourceSecurityGroupId=GetAtt(made, "ClusterSecurityGroupId"),
                Description=f"nodes into {name}",
            )
        )


def _add_shared_storage(stack: StackBuilder, made: eks.Cluster) -> None:
    """Add a file system that pods of all zones can write, and that only nodes can mount."""
    group = stack.add(
        ec2.SecurityGroup(
            "SharedStorageGroup",
            VpcId=vpc_id(stack),
            GroupDescription="NFS from the nodes",
            SecurityGroupIngress=[
                ec2.SecurityGroupRule(
                    IpProtocol="tcp",
                    FromPort=_NFS,
                    ToPort=_NFS,
                    SourceSecurityGroupId=GetAtt(made, "ClusterSecurityGroupId"),
                    Description="from the nodes",
                )
            ],
            SecurityGroupEgress=[nowhere()],
            Tags=Tags(Name=Sub("${AWS::StackName}-shared-storage")),
        )
    )
    storage = stack.add(
        efs.FileSystem(
            "SharedStorage",
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            Encrypted=True,
            KmsKeyId=stack.told("DataKey"),
            BackupPolicy=efs.BackupPolicy(Status="ENABLED"),
        )
    )
    for number, subnet in enumerate(node_subnets(stack)):
        stack.add(
            efs.MountTarget(
                f"SharedStorageTarget{number}",
                FileSystemId=Ref(storage),
                SubnetId=subnet,
                SecurityGroups=[Ref(group)],
            )
        )
    stack.tell("SharedStorageId", Ref(storage), "the file system, for its StorageClass")
