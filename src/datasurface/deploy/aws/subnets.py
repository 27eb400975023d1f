"""Where things are placed: in the network that the stack `network` made, or in one that exists."""

from __future__ import annotations

from troposphere import Select, Split

from datasurface.deploy.aws.template import StackBuilder
from datasurface.model.aws import AwsExistingNetwork

__all__ = ["database_subnets", "node_subnets", "vpc_id"]


def vpc_id(stack: StackBuilder) -> object:
    """Return the network's id."""
    made = stack.ground.settings.network
    return made.vpc if isinstance(made, AwsExistingNetwork) else stack.told("VpcId")


def node_subnets(stack: StackBuilder) -> list[object]:
    """Return the ids of the nodes' subnets."""
    return _subnets(stack, "NodeSubnets")


def database_subnets(stack: StackBuilder) -> list[object]:
    """Return the ids of the databases' subnets: those of the nodes in a network that exists."""
    return _subnets(stack, "DatabaseSubnets")


def _subnets(stack: StackBuilder, name: str) -> list[object]:
    made = stack.ground.settings.network
    if isinstance(made, AwsExistingNetwork):
        return list(made.subnets)
    return [Select(number, Split(",", stack.told(name))) for number in range(made.zones)]
