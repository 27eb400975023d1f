"""Which actions of IAM it takes to make, change and delete the stacks: data, by the types of resources in them.

CloudFormation acts with the rights of whoever calls it. So whoever lacks one of these finds out minutes later, in the
middle of a stack, unless it is looked at before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from datasurface.deploy.aws.template import Stack

__all__ = ["ACTIONS", "ALWAYS", "required_actions"]

ALWAYS = (
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplateSummary",
    "cloudformation:ListExports",
    "cloudformation:ListImports",
    "sts:GetCallerIdentity",
)
"""What every stack takes."""
_TAGS = ("ec2:CreateTags", "ec2:DeleteTags")
_KEY_USE = ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")


def _of(service: str, names: str, *more: str) -> tuple[str, ...]:
    return tuple(sorted({*(f"{service}:{name}" for name in names.split()), *more}))


ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AWS::CloudWatch::Alarm": _of(
            "cloudwatch", "DeleteAlarms DescribeAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource"
        ),
        "AWS::EC2::EIP": _of(
            "ec2", "AllocateAddress AssociateAddress DescribeAddresses DisassociateAddress ReleaseAddress", *_TAGS
        ),
        "AWS::EC2::FlowLog": _of("ec2", "CreateFlowLogs DeleteFlowLogs DescribeFlowLogs", "iam:PassRole", *_TAGS),
        "AWS::EC2::InternetGateway": _of(
            "ec2", "CreateInternetGateway DeleteInternetGateway DescribeInternetGateways", *_TAGS
        ),
        "AWS::EC2::LaunchTemplate": _of(
            "ec2",
            "CreateLaunchTemplate CreateLaunchTemplateVersion DeleteLaunchTemplate DeleteLaunchTemplateVersions"
            " DescribeLaunchTemplateVersions DescribeLaunchTemplates ModifyLaunchTemplate",
            *_TAGS,
        ),
        "AWS::EC2::NatGateway": _of("ec2", "CreateNatGateway DeleteNatGateway DescribeNatGateways", *_TAGS),
        "AWS::EC2::Route": _of("ec2", "CreateRoute DeleteRoute DescribeRouteTables ReplaceRoute"),
        "AWS::EC2::RouteTable": _of("ec2", "CreateRouteTable DeleteRouteTable DescribeRouteTables", *_TAGS),
        "AWS::EC2::SecurityGroup": _of(
            "ec2",
            "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateSecurityGroup DeleteSecurityGroup"
            " DescribeSecurityGroups RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
            *_TAGS,
        ),
        "AWS::EC2::SecurityGroupIngress": _of(
            "ec2", "AuthorizeSecurityGroupIngress DescribeSecurityGroupRules RevokeSecurityGroupIngress"
        ),
        "AWS::EC2::Subnet": _of(
            "ec2", "CreateSubnet DeleteSubnet DescribeAvailabilityZones DescribeSubnets ModifySubnetAttribute", *_TAGS
        ),
        "AWS::EC2::SubnetRouteTableAssociation": _of(
            "ec2", "AssociateRouteTable DescribeRouteTables DisassociateRouteTable"
        ),
        "AWS::EC2::VPC": _of("ec2", "CreateVpc DeleteVpc DescribeVpcAttribute DescribeVpcs ModifyVpcAttribute", *_TAGS),
        "AWS::EC2::VPCEndpoint": _of(
            "ec2", "CreateVpcEndpoint DeleteVpcEndpoints DescribeVpcEndpoints ModifyVpcEndpoint", *_TAGS
        ),
        "AWS::EC2::VPCGatewayAttachment": _of(
            "ec2", "AttachInternetGateway DescribeInternetGateways DetachInternetGateway"
        ),
        "AWS::ECR::Repository": _of(
            "ecr",
            "CreateRepository DeleteRepository DescribeRepositories GetLifecyclePolicy GetRepositoryPolicy"
            " ListTagsForResource PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy TagResource",
            *_KEY_USE,
        ),
        "AWS::EFS::FileSystem": _of(
            "elasticfilesystem",
            "CreateFileSystem DeleteFileSystem DescribeBackupPolicy DescribeFileSystems PutBackupPolicy TagResource",
            *_KEY_USE,
        ),
        "AWS::EFS::MountTarget": _of(
            "elasticfilesystem",
            "CreateMountTarget DeleteMountTarget DescribeMountTargets",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
        ),
        "AWS::EKS::AccessEntry": _of(
            "eks",
            "AssociateAccessPolicy CreateAccessEntry DeleteAccessEntry DescribeAccessEntry"
            " DisassociateAccessPolicy ListAssociatedAccessPolicies TagResource UpdateAccessEntry",
        ),
        "AWS::EKS::Addon": _of(
            "eks",
            "CreateAddon CreatePodIdentityAssociation DeleteAddon DeletePodIdentityAssociation DescribeAddon"
            " DescribePodIdentityAssociation ListPodIdentityAssociations TagResource UpdateAddon",
            "iam:GetRole",
            "iam:PassRole",
        ),
        "AWS::EKS::Cluster": _of(
            "eks",
            "CreateCluster DeleteCluster DescribeCluster DescribeUpdate ListTagsForResource TagResource"
            " UpdateClusterConfig UpdateClusterVersion",
            "iam:CreateServiceLinkedRole",
            "iam:GetRole",
            "iam:PassRole",
            *_KEY_USE,
        ),
        "AWS::EKS::Nodegroup": _of(
            "eks",
            "CreateNodegroup DeleteNodegroup DescribeNodegroup DescribeUpdate TagResource UpdateNodegroupConfig"
            " UpdateNodegroupVersion",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:RunInstances",
            "iam:CreateServiceLinkedRole",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:PassRole",
        ),
        "AWS::EKS::PodIdentityAssociation": _of(
            "eks",
            "CreatePodIdentityAssociation DeletePodIdentityAssociation DescribePodIdentityAssociation TagResource"
            " UpdatePodIdentityAssociation",
            "iam:GetRole",
            "iam:PassRole",
        ),
        "AWS::Events::Rule": _of("events", "DeleteRule DescribeRule PutRule PutTargets RemoveTargets TagResource"),
        "AWS::IAM::ManagedPolicy": _of(
            "iam",
            "AttachRolePolicy CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion DetachRolePolicy"
            " GetPolicy GetPolicyVersion ListEntitiesForPolicy ListPolicyVersions TagPolicy",
        ),
        "AWS::IAM::OIDCProvider": _of(
            "iam",
            "CreateOpenIDConnectProvider DeleteOpenIDConnectProvider GetOpenIDConnectProvider"
            " TagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint",
        ),
        "AWS::IAM::Role": _of(
            "iam",
            "AttachRolePolicy CreateRole DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy"
            " ListAttachedRolePolicies ListRolePolicies PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy",
        ),
        "AWS::KMS::Alias": _of("kms", "CreateAlias DeleteAlias ListAliases UpdateAlias"),
        "AWS::KMS::Key": _of(
            "kms",
            "CreateKey DescribeKey EnableKeyRotation GetKeyPolicy GetKeyRotationStatus ListResourceTags PutKeyPolicy"
            " ScheduleKeyDeletion TagResource",
        ),
        "AWS::Logs::LogGroup": _of(
            "logs",
            "AssociateKmsKey CreateLogGroup DeleteLogGroup DescribeLogGroups ListTagsForResource PutRetentionPolicy"
            " TagResource",
        ),
        "AWS::Logs::MetricFilter": _of("logs", "DeleteMetricFilter DescribeMetricFilters PutMetricFilter"),
        "AWS::RDS::DBCluster": _of(
            "rds",
            "AddTagsToResource CreateDBCluster CreateDBClusterSnapshot DeleteDBCluster DescribeDBClusterSnapshots"
            " DescribeDBClusters ListTagsForResource ModifyDBCluster",
            "iam:CreateServiceLinkedRole",
            "secretsmanager:GetSecretValue",
            *_KEY_USE,
        ),
        "AWS::RDS::DBClusterParameterGroup": _of(
            "rds",
            "AddTagsToResource CreateDBClusterParameterGroup DeleteDBClusterParameterGroup"
            " DescribeDBClusterParameterGroups DescribeDBClusterParameters DescribeEngineDefaultClusterParameters"
            " ModifyDBClusterParameterGroup",
        ),
        "AWS::RDS::DBInstance": _of(
            "rds",
            "AddTagsToResource CreateDBInstance DeleteDBInstance DescribeDBInstances ModifyDBInstance",
            "iam:PassRole",
            *_KEY_USE,
        ),
        "AWS::RDS::DBSubnetGroup": _of(
            "rds", "AddTagsToResource CreateDBSubnetGroup DeleteDBSubnetGroup DescribeDBSubnetGroups"
        ),
        "AWS::Route53::HostedZone": _of(
            "route53",
            "ChangeTagsForResource CreateHostedZone DeleteHostedZone GetChange GetHostedZone ListTagsForResource",
            "ec2:DescribeVpcs",
        ),
        "AWS::Route53::RecordSet": _of("route53", "ChangeResourceRecordSets GetChange ListResourceRecordSets"),
        "AWS::S3::Bucket": _of(
            "s3",
            "CreateBucket DeleteBucket GetBucketLocation ListBucket PutBucketLogging PutBucketOwnershipControls"
            " PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration"
            " PutLifecycleConfiguration",
        ),
        "AWS::S3::BucketPolicy": _of("s3", "DeleteBucketPolicy GetBucketPolicy PutBucketPolicy"),
        "AWS::SNS::Subscription": _of(
            "sns", "GetSubscriptionAttributes ListSubscriptionsByTopic Subscribe Unsubscribe"
        ),
        "AWS::SNS::Topic": _of(
            "sns",
            "CreateTopic DeleteTopic GetTopicAttributes ListTagsForResource SetTopicAttributes TagResource",
            *_KEY_USE,
        ),
        "AWS::SNS::TopicPolicy": _of("sns", "GetTopicAttributes SetTopicAttributes"),
        "AWS::SecretsManager::RotationSchedule": _of(
            "secretsmanager",
            "CancelRotateSecret DescribeSecret RotateSecret",
            "cloudformation:CreateStack",
            "ec2:DescribeNetworkInterfaces",
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:GetFunction",
            "lambda:InvokeFunction",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "serverlessrepo:CreateCloudFormationTemplate",
            "serverlessrepo:GetCloudFormationTemplate",
        ),
        "AWS::SecretsManager::Secret": _of(
            "secretsmanager",
            "CreateSecret DeleteSecret DescribeSecret GetRandomPassword TagResource UpdateSecret",
            *_KEY_USE,
        ),
        "AWS::SecretsManager::SecretTargetAttachment": _of(
            "secretsmanager", "GetSecretValue PutSecretValue", "rds:DescribeDBClusters"
        ),
    }
)
"""What it takes to make, change and delete a resource, by its type."""


def required_actions(stacks: Iterable[Stack]) -> dict[str, tuple[str, ...]]:
    """Return the actions that each stack takes, sorted, by the stack's key."""
    found: dict[str, tuple[str, ...]] = {}
    for stack in stacks:
        actions: set[str] = set(ALWAYS)
        for resource in stack.document["Resources"].values():
            actions.update(ACTIONS[resource["Type"]])
        if not stack.direct:
            actions.update({"s3:GetObject", "s3:PutObject"})
        found[stack.key] = tuple(sorted(actions))
    return found
