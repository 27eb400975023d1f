"""What each kind of job may do in AWS: read the secrets that it looks up, use its part of the buckets, nothing else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from datasurface.deploy.aws.ground import Ground
from datasurface.deploy.aws.keys import document, statement
from datasurface.deploy.pod_secrets import needed
from datasurface.errors import ConfigurationError
from datasurface.model.airflow import Airflow
from datasurface.model.infrastructure import Credential
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob, issued_credentials

__all__ = [
    "CONNECTIONS",
    "RELEASES",
    "credentials_for",
    "follow_releases",
    "keep_logs",
    "publish_releases",
    "read_connections",
    "secret_policies",
    "security_policy",
]

RELEASES = "releases"
CONNECTIONS = "airflow/connections"
"""What the names of secrets begin with in which Airflow's secrets backend finds connections."""
_LONGEST = 6144
"""Characters that IAM takes of a managed policy, without its spaces."""
_MOST_POLICIES = 10
"""How many managed policies a role has at most, by default."""
_ROOM_FOR_KEY = 600
_WRITE = [
    "secretsmanager:CreateSecret",
    "secretsmanager:DeleteSecret",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:RestoreSecret",
    "secretsmanager:TagResource",
    "secretsmanager:UpdateSecretVersionStage",
]
"""What the secret store `aws` does to a secret that it keeps."""


def secret_policies(
    ground: Ground, platform: PlatformSpec, credentials: Collection[Credential], key: object, what: str
) -> tuple[dict[str, object], ...]:
    """Return policies that let somebody read these credentials' secrets, each short enough for IAM.

    Raises:
        ConfigurationError: they are too many for one role.
    """
    issued = frozenset(issued_credentials(platform))
    arns = sorted({arn for each in credentials for arn in _arns(ground, platform, each, issued)})
    parts: list[list[str]] = []
    room = 0
    for arn in arns:
        length = len(json.dumps(arn)) + 1
        if length > room:
            parts.append([])
            room = _LONGEST - _ROOM_FOR_KEY
        parts[-1].append(arn)
        room -= length
    if len(parts) > _MOST_POLICIES:
        raise ConfigurationError(
            f"{what} reads {len(set(credentials))} secrets, more than the policies of one role can name",
            hint="let sources share credentials, or divide them between platforms",
        )
    reading = ["secretsmanager:GetSecretValue"]
    return tuple(
        [
            document(statement("ReadSecrets", reading, part), *_decrypting(ground, platform, key, ["kms:Decrypt"]))
            for part in parts
        ]
    )


def security_policy(ground: Ground, platform: PlatformSpec, key: object) -> dict[str, object]:
    """Return the policy of the job that makes and rotates logins: it alone writes their secrets."""
    # Logins come and go with the model, which this job follows before the stack does: hence the endings.
    start = ground.names.secret_arn(ground.secret_name(platform, Credential(f"{platform.name}."))).removesuffix(
        "-??????"
    )
    kinds = ("monitor", "monitor-??????", "person.*", "run", "run-??????", "transformer.*")
    own = [f"{start}{kind}" for kind in kinds]
    use = ["kms:Decrypt", "kms:GenerateDataKey"]
    return document(statement("KeepLogins", _WRITE, own), *_decrypting(ground, platform, key, use))


def follow_releases(ground: Ground, key: object) -> dict[str, object]:
    """Return the policy of the job that looks for releases."""
    arn = ground.names.bucket_arn(RELEASES)
    return document(
        statement("LookForReleases", ["s3:GetBucketLocation", "s3:ListBucket"], arn),
        statement("ReadReleases", ["s3:GetObject", "s3:GetObjectVersion"], f"{arn}/*"),
        _through_s3(ground, key, ["kms:Decrypt"]),
    )


def publish_releases(ground: Ground, key: object) -> dict[str, object]:
    """Return the policy for whoever publishes releases, such as a pipeline; nothing is ever deleted."""
    arn = ground.names.bucket_arn(RELEASES)
    return document(
        statement("LookForReleases", ["s3:GetBucketLocation", "s3:ListBucket"], arn),
        statement("PublishReleases", ["s3:GetObject", "s3:PutObject"], f"{arn}/*"),
        _through_s3(ground, key, ["kms:Decrypt", "kms:GenerateDataKey"]),
    )


def keep_logs(ground: Ground, key: object) -> dict[str, object]:
    """Return the policy of Airflow, which keeps the logs of tasks in a bucket."""
    arn = ground.names.bucket_arn("logs")
    return document(
        statement("FindLogs", ["s3:GetBucketLocation", "s3:ListBucket"], arn),
        statement("KeepLogs", ["s3:GetObject", "s3:PutObject"], f"{arn}/airflow/*"),
        _through_s3(ground, key, ["kms:Decrypt", "kms:GenerateDataKey"]),
    )


def read_connections(ground: Ground, airflow: Airflow, key: object) -> dict[str, object]:
    """Return the policy of Airflow where tasks are processes: its secrets backend reads the connections of jobs."""
    names = [f"{CONNECTIONS}/{airflow.connections}*", f"{CONNECTIONS}/{airflow.metadata}*"]
    arns = [ground.names.secret_arn(name).removesuffix("-??????") for name in sorted(set(names))]
    through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{ground.names.region}.amazonaws.com"}}
    return document(
        statement("ReadConnections", ["secretsmanager:GetSecretValue"], arns),
        statement("UseKeyOfSecrets", ["kms:Decrypt"], key, condition=through),
    )


def credentials_for(platform: PlatformSpec, kinds: Sequence[SystemJob | JobSpec]) -> tuple[Credential, ...]:
    """Return what jobs that share a role look up, sorted by name."""
    found = {credential for kind in kinds for credential in needed(platform, kind)}
    return tuple(sorted(found, key=lambda each: (each.name, each.kind.value)))


def _arns(
    ground: Ground, platform: PlatformSpec, credential: Credential, issued: frozenset[Credential]
) -> Iterator[str]:
    """Yield the patterns of a secret's ARN; of one that may not be there yet, its name alone, too.

    AWS judges a call about a secret that does not exist by its name as it was given. Without that a job would hear that
    it may not, instead of that there is none.
    """
    arn = ground.names.secret_arn(ground.secret_name(platform, credential))
    yield arn
    if credential in issued:
        yield arn.removesuffix("-??????")


def _decrypting(ground: Ground, platform: PlatformSpec, key: object, actions: list[str]) -> list[dict[str, object]]:
    """Return the rights to use the keys of secrets, ours and the store's, through Secrets Manager only."""
    names = ground.names
    through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{names.region}.amazonaws.com"}}
    found = [statement("UseKeyOfSecrets", actions, key, condition=through)]
    other = ground.store(platform).kms_key
    if other is None or other == names.key_alias("secrets"):
        return found
    keys = f"arn:{names.partition}:kms:{names.region}:{names.account}:key"
    _before, alias, name = other.partition("alias/")
    if alias:
        of_alias = {**through, "ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{name}"}}
        return [*found, statement("UseKeyOfStore", actions, f"{keys}/*", condition=of_alias)]
    arn = other if other.startswith("arn:") else f"{keys}/{other}"
    return [*found, statement("UseKeyOfStore", actions, arn, condition=through)]


def _through_s3(ground: Ground, key: object, actions: list[str]) -> dict[str, object]:
    through = {"StringEquals": {"kms:ViaService": f"s3.{ground.names.region}.amazonaws.com"}}
    return statement("UseKeyOfBuckets", actions, key, condition=through)
