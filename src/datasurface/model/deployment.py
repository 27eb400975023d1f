"""What an environment's jobs are deployed to: the settings that no part of the pipelines depends on.

A noun says only what somebody has to decide. Everything that follows from the model is derived when the target's files
are made.
"""

from __future__ import annotations

from datasurface.model.base import Noun, noun

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
    """

    account: str
    region: str
    cluster: str | None = None
