"""What is still there after the stacks were deleted, why, and what it costs a month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.template import Stack
from datasurface.deploy.prices import Item, month
from datasurface.release.needs import issued_credentials

__all__ = ["Remainder", "remains"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """Something that remains.

    Attributes:
        what: Its kind, in words.
        name: What it is called.
        why: Why it remains.
        month: What it costs a month in US dollars; None if that depends on its size.
        by_gb: What a GB of it costs a month; None if its size costs nothing.
        commands: How it is deleted for good.
    """

    what: str
    name: str
    why: str
    month: float | None
    by_gb: float | None = None
    commands: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "what": self.what,
            "name": self.name,
            "why": self.why,
            "month": self.month,
            "by_gb": self.by_gb,
            "commands": list(self.commands),
        }


def remains(ground: Ground, stacks: Sequence[Stack]) -> tuple[Remainder, ...]:
    """Return what remains after all stacks but those that are left in place were deleted, sorted by kind and name."""
    found = [
        remainder
        for stack in stacks
        for resource in stack.document["Resources"].values()
        if (remainder := _of(ground, resource)) is not None
    ]
    found += _logins(ground)
    return tuple(sorted(found, key=lambda each: (each.what, each.name)))


def _of(ground: Ground, resource: Mapping[str, Any]) -> Remainder | None:
    """Return what remains of a resource; None if it goes with its stack."""
    policy = resource.get("DeletionPolicy", "Delete")
    if policy == "Delete":
        return None
    return _KINDS[resource["Type"]](ground, resource.get("Properties", {}))


def _key(ground: Ground, properties: Mapping[str, Any]) -> Remainder:
    region = ground.names.region
    alias = ground.names.key_alias(properties["Description"].rpartition(" ")[2])
    return Remainder(
        what="the key",
        name=alias,
        why="without it no snapshot, bucket, image or secret can be read any more",
        month=month(Item.KMS_KEY, region),
        commands=(
            (
                f"aws kms describe-key --region {region} --key-id {alias} --query KeyMetadata.KeyId --output text"
                f" | xargs -r aws kms schedule-key-deletion --region {region} --pending-window-in-days 30 --key-id"
            ),
        ),
    )


def _bucket(ground: Ground, properties: Mapping[str, Any]) -> Remainder:
    region, name = ground.names.region, properties["BucketName"]
    versions = "{Objects: [Versions, DeleteMarkers][][].{Key: Key, VersionId: VersionId}}"
    return Remainder(
        what="the bucket",
        name=name,
        why="a bucket that is not empty cannot be deleted, and what is in it is the only copy",
        month=None,
        by_gb=month(Item.S3_GB, region),
        commands=(
            f"aws s3api list-object-versions --bucket {name} --max-items 1000 --query '{versions}' > versions.json",
            f"aws s3api delete-objects --bucket {name} --delete file://versions.json  # until there are none",
            f"aws s3api delete-bucket --bucket {name}",
        ),
    )


def _secret(ground: Ground, name: str, why: str) -> Remainder:
    region = ground.names.region
    command = f"aws secretsmanager delete-secret --region {region} --secret-id {name} --force-delete-without-recovery"
    return Remainder(what="the secret", name=name, why=why, month=month(Item.SECRET, region), commands=(command,))


def _images(ground: Ground, properties: Mapping[str, Any]) -> Remainder:
    region, name = ground.names.region, properties["RepositoryName"]
    return Remainder(
        what="the images in",
        name=name,
        why="other environments may pull them",
        month=None,
        by_gb=month(Item.ECR_GB, region),
        commands=(f"aws ecr delete-repository --region {region} --repository-name {name} --force",),
    )


def _storage(ground: Ground, _properties: Mapping[str, Any]) -> Remainder:
    region, prefix = ground.names.region, ground.names.prefix
    own = f"FileSystems[?Tags[?Value=='{prefix}']].FileSystemId"
    return Remainder(
        what="the file system of",
        name=prefix,
        why="what pods have written to it is nowhere else",
        month=None,
        by_gb=month(Item.EFS_GB, region),
        commands=(
            (
                f'aws efs describe-file-systems --region {region} --query "{own}" --output text'
                f" | xargs -r -n 1 aws efs delete-file-system --region {region} --file-system-id"
            ),
        ),
    )


def _given_secret(ground: Ground, properties: Mapping[str, Any]) -> Remainder:
    return _secret(ground, properties["Name"], "only people can put it in again")


def _snapshot(ground: Ground, properties: Mapping[str, Any]) -> Remainder:
    region, cluster = ground.names.region, properties["DBClusterIdentifier"]
    return Remainder(
        what="the last snapshot of",
        name=cluster,
        why="it is all that is left of the data",
        month=None,
        by_gb=month(Item.AURORA_BACKUP_GB, region),
        commands=(
            (
                f"aws rds describe-db-cluster-snapshots --region {region} --db-cluster-identifier {cluster}"
                " --snapshot-type manual --query 'DBClusterSnapshots[].DBClusterSnapshotIdentifier' --output text"
                f" | xargs -r -n 1 aws rds delete-db-cluster-snapshot --region {region}"
                " --db-cluster-snapshot-identifier"
            ),
        ),
    )


_KINDS: Mapping[str, Callable[[Ground, Mapping[str, Any]], Remainder]] = {
    "AWS::ECR::Repository": _images,
    "AWS::EFS::FileSystem": _storage,
    "AWS::KMS::Key": _key,
    "AWS::RDS::DBCluster": _snapshot,
    "AWS::S3::Bucket": _bucket,
    "AWS::SecretsManager::Secret": _given_secret,
}
"""What remains of each type of resource that does not go with its stack."""


def _logins(ground: Ground) -> Iterator[Remainder]:
    """Yield the secrets that `security` has made; they are in no template."""
    for platform in ground.platforms:
        for credential in issued_credentials(platform):
            name = ground.secret_name(platform, credential)
            yield _secret(ground, name, "`security sync` has made it, not a stack")
