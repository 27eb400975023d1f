"""The target `aws`: templates, the list of stacks, trust policies for roles of others, a README with the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from datasurface.deploy.base import Deployable, GeneratedFile
from datasurface.errors import MissingExtraError

if TYPE_CHECKING:
    from datasurface.deploy.aws.ground import Ground
    from datasurface.deploy.aws.teardown import TeardownPlan
    from datasurface.deploy.aws.template import Stack

__all__ = ["TARGET", "AwsTarget", "plan_of_teardown", "stacks"]


class AwsTarget:
    """Turns a release into CloudFormation templates."""

    name = "aws"

    def files(self, deployable: Deployable) -> tuple[GeneratedFile, ...]:
        """Return the files, sorted by path.

        Raises:
            ConfigurationError: the environment does not say what has to be known, or says what cannot be.
            MissingExtraError: troposphere is not installed.
        """
        ground, made = _prepared(deployable)
        return tuple(sorted(_files(ground, made), key=lambda file: file.path))


TARGET = AwsTarget()


def stacks(deployable: Deployable) -> tuple[Stack, ...]:
    """Return the stacks of an environment, in the order in which they are made.

    Raises:
        ConfigurationError: the environment does not say what has to be known, or says what cannot be.
        MissingExtraError: troposphere is not installed.
    """
    return _prepared(deployable)[1]


def plan_of_teardown(deployable: Deployable) -> TeardownPlan:
    """Return how an environment is taken down.

    Raises:
        ConfigurationError, MissingExtraError: as `stacks`.
    """
    ground, made = _prepared(deployable)
    from datasurface.deploy.aws.teardown import teardown_plan  # noqa: PLC0415 - as troposphere

    return teardown_plan(ground, made)


def _prepared(deployable: Deployable) -> tuple[Ground, tuple[Stack, ...]]:
    try:
        import troposphere  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("the target aws", "aws-deploy") from error
    from datasurface.deploy.aws.ground import ground_of  # noqa: PLC0415 - as troposphere
    from datasurface.deploy.aws.stacks import stacks_of  # noqa: PLC0415 - as troposphere

    ground = ground_of(deployable)
    return ground, stacks_of(ground)


def _files(ground: Ground, made: Sequence[Stack]) -> Iterator[GeneratedFile]:
    from datasurface.deploy.aws.identities import foreign_trusts  # noqa: PLC0415 - as troposphere
    from datasurface.deploy.aws.readme import readme, stack_list  # noqa: PLC0415 - as troposphere

    for stack in made:
        yield GeneratedFile(path=stack.path, content=stack.text)
    for role, trust in foreign_trusts(ground).items():
        yield GeneratedFile(path=f"roles/{role}.json", content=json.dumps(trust, indent=1, sort_keys=True) + "\n")
    yield GeneratedFile(path="README.md", content=readme(ground, made))
    yield GeneratedFile(path="stacks.json", content=stack_list(ground, made))
