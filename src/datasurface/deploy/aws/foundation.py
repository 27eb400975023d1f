"""The stack `foundation`: what outlives everything else. Keys, buckets, the registry of images, log groups."""

from __future__ import annotations

import json

from troposphere import GetAtt, Ref, ecr, logs

from datasurface.deploy.aws.buckets import add_buckets
from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.keys import add_keys
from datasurface.deploy.aws.template import Stack, StackBuilder

__all__ = ["LOG_DAYS", "add_log_group", "foundation", "log_days"]

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""For how many days CloudWatch keeps logs: nothing in between."""
_UNTAGGED_DAYS = 14


def foundation(ground: Ground) -> Stack:
    """Return the stack of keys, buckets and registry."""
    stack = StackBuilder(ground=ground, key="foundation", purpose="keys, buckets and the registry of images")
    add_keys(stack)
    add_buckets(stack)
    _add_repository(stack)
    return stack.built()


def add_log_group(
    stack: StackBuilder, title: str, name: str, *, key: object = None, keep: bool = False
) -> logs.LogGroup:
    """Add an encrypted log group that forgets after the days that the environment keeps logs."""
    policy = "Retain" if keep else "Delete"
    group: logs.LogGroup = stack.add(
        logs.LogGroup(
            title,
            DeletionPolicy=policy,
            UpdateReplacePolicy=policy,
            LogGroupName=name,
            RetentionInDays=log_days(stack.ground.settings.keep_logs),
            KmsKeyId=key if key is not None else stack.told("LogsKey"),
        )
    )
    return group


def log_days(days: int) -> int:
    """Return the shortest time for which CloudWatch keeps logs that is no shorter than `days`."""
    return next((offered for offered in LOG_DAYS if offered >= days), LOG_DAYS[-1])


def _add_repository(stack: StackBuilder) -> None:
    """Add the registry of the jobs' image: tags never move, every image is scanned, what has no tag goes."""
    rule = {
        "rulePriority": 1,
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": _UNTAGGED_DAYS,
        },
        "action": {"type": "expire"},
    }
    repository = stack.add(
        ecr.Repository(
            "JobImages",
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            RepositoryName=stack.ground.names.repository,
            ImageTagMutability="IMMUTABLE",
            ImageScanningConfiguration=ecr.ImageScanningConfiguration(ScanOnPush=True),
            EncryptionConfiguration=ecr.EncryptionConfiguration(EncryptionType="KMS", KmsKey=GetAtt("DataKey", "Arn")),
            LifecyclePolicy=ecr.LifecyclePolicy(LifecyclePolicyText=json.dumps({"rules": [rule]}, sort_keys=True)),
        )
    )
    stack.tell("JobRepository", GetAtt(repository, "RepositoryUri"), "where the jobs' image is pushed to")
    stack.tell("JobRepositoryName", Ref(repository), "the name of the repository")
