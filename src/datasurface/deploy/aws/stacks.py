"""All stacks of an environment, in the order in which they are made."""

from __future__ import annotations

from datasurface.deploy.aws.cluster import cluster
from datasurface.deploy.aws.databases import databases
from datasurface.deploy.aws.foundation import foundation
from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.identities import identities
from datasurface.deploy.aws.network import network
from datasurface.deploy.aws.operations import operations
from datasurface.deploy.aws.secrets import secrets
from datasurface.deploy.aws.template import LARGEST, Stack
from datasurface.errors import ConfigurationError

__all__ = ["stacks_of"]

_MOST_RESOURCES = 500


def stacks_of(ground: Ground) -> tuple[Stack, ...]:
    """Return the stacks, each after those that it asks something of.

    Raises:
        ConfigurationError: a template would be larger than CloudFormation takes.
    """
    found = [
        foundation(ground),
        *secrets(ground),
        network(ground),
        databases(ground),
        cluster(ground),
        *identities(ground),
        operations(ground),
    ]
    stacks = tuple([stack for stack in found if stack is not None])
    for stack in stacks:
        resources = len(stack.document["Resources"])
        if len(stack.text.encode()) > LARGEST or resources > _MOST_RESOURCES:
            raise ConfigurationError(
                f"the template {stack.path} has {len(stack.text.encode()):,} bytes and {resources} resources;"
                f" CloudFormation takes {LARGEST:,} and {_MOST_RESOURCES}",
                hint="deploy the platforms as several environments",
            )
    return stacks
