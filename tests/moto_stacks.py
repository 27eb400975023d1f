"""Templates as far as moto makes them: what it has no CloudFormation for is left out, and its place held by a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datasurface.deploy.aws.template import Stack

LACKING = frozenset(
    {
        "AWS::CloudWatch::Alarm",
        "AWS::EKS::AccessEntry",
        "AWS::EKS::Addon",
        "AWS::EKS::Cluster",
        "AWS::EKS::Nodegroup",
        "AWS::EKS::PodIdentityAssociation",
        "AWS::IAM::OIDCProvider",
        "AWS::Logs::MetricFilter",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBClusterParameterGroup",
        "AWS::RDS::DBInstance",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SecretsManager::RotationSchedule",
        "AWS::SecretsManager::Secret",
        "AWS::SecretsManager::SecretTargetAttachment",
    }
)
"""Types that moto 5.2 makes nothing of in a stack; `AWS::RDS::DBInstance` only without its cluster."""


def made_by_moto(client: Callable[[str], Any], stacks: Sequence[Stack]) -> dict[str, list[Mapping[str, Any]]]:
    """Make the stacks in their order; return what moto says of each one's resources, by the stack's key."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    cloudformation = client("cloudformation")
    group = ""
    for stack in stacks:
        if stack.key == "cluster":
            group = _node_group(client, cloudformation)
        text = for_moto(stack, group)
        cloudformation.create_stack(StackName=stack.name, TemplateBody=text, Capabilities=list(stack.capabilities))
        found[stack.key] = cloudformation.describe_stack_resources(StackName=stack.name)["StackResources"]
    return found


def _node_group(client: Callable[[str], Any], cloudformation: Any) -> str:
    """Make the security group that EKS would make for its nodes; return its id."""
    exports = {each["Name"]: each["Value"] for each in cloudformation.list_exports()["Exports"]}
    vpc = next(value for name, value in exports.items() if name.endswith("-VpcId"))
    made: dict[str, str] = client("ec2").create_security_group(GroupName="nodes", Description="nodes", VpcId=vpc)
    return made["GroupId"]


def for_moto(stack: Stack, nodes: str = "") -> str:
    """Return a stack's template without what moto cannot make; `nodes` is the security group of the nodes."""
    document = dict(stack.document)
    lacking = {title for title, resource in document["Resources"].items() if resource["Type"] in LACKING}
    document["Resources"] = {
        title: _kept(resource) for title, resource in document["Resources"].items() if title not in lacking
    }
    document.pop("Transform", None)
    if not document["Resources"]:
        document["Resources"] = {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
    return json.dumps(_without(document, lacking, nodes))


_MISREAD = {"AWS::KMS::Key": "Tags", "AWS::S3::Bucket": "LifecycleConfiguration"}
"""What moto takes from a stack and then fails on: it knows these by other names than CloudFormation."""


def _kept(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource as moto takes it."""
    properties = {
        name: value for name, value in resource["Properties"].items() if name != _MISREAD.get(resource["Type"])
    }
    return {**resource, "Properties": properties}


def _without(value: Any, lacking: set[str], nodes: str) -> Any:
    if isinstance(value, list):
        return [_without(inner, lacking, nodes) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"} and value["Ref"] in lacking:
        return str(value["Ref"]).lower()
    if value.keys() == {"Fn::GetAtt"} and value["Fn::GetAtt"][0] in lacking:
        return nodes if "Group" in value["Fn::GetAtt"][1] else ".".join(value["Fn::GetAtt"]).lower()
    kept = {name: _without(inner, lacking, nodes) for name, inner in value.items()}
    if "DependsOn" in kept:
        kept["DependsOn"] = [title for title in kept["DependsOn"] if title not in lacking]
    return kept
