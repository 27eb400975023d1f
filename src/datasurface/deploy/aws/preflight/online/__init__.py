"""Checks that ask AWS, with the credentials of this process, and change nothing."""

from __future__ import annotations

from datasurface.deploy.aws.preflight.online import (
    cluster,
    databases,
    identity,
    images,
    permissions,
    quotas,
    reach,
    releases,
    secrets,
    taken,
    trusted,
    vpc,
)
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.preflight.check import Check

__all__ = ["ONLINE"]

ONLINE: tuple[Check[AwsSubject], ...] = (
    *identity.CHECKS,
    *permissions.CHECKS,
    *quotas.CHECKS,
    *taken.CHECKS,
    *vpc.CHECKS,
    *reach.CHECKS,
    *trusted.CHECKS,
    *secrets.CHECKS,
    *images.CHECKS,
    *databases.CHECKS,
    *cluster.CHECKS,
    *releases.CHECKS,
)
"""All of them; identity comes first, and the others wait for it."""
