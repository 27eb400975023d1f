"""Names that somebody has taken already, stacks that are in no good state, and secrets that are being deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datasurface.deploy.aws.preflight.clients import AwsRefusalError
from datasurface.deploy.aws.preflight.online.existing import existing_stacks, own_resources
from datasurface.deploy.aws.preflight.online.identity import ACCOUNT
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.preflight.check import Check, Needs, Outcome, UnseenError, failed, passed, warned

__all__ = ["CHECKS"]

_RENAME = "another name of the ecosystem or the environment; or delete what has the name, if nobody needs it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A kind of resource that has a name, and how to ask whether it is there.

    Attributes:
        id: The check's name after `aws.taken.`.
        there: Tells whether AWS has one of that name.
    """

    id: str
    label: str
    type: str
    property: str
    there: Callable[[AwsSubject, str], bool]

    def look(self, subject: AwsSubject) -> Iterator[Outcome]:
        for resource in subject.resources(self.type):
            name = resource.text(self.property)
            if name is None:
                continue
            if name in own_resources(subject):
                yield passed(f"{name} is there, and belongs to its stack", about=resource.place)
            elif self.there(subject, name):
                yield failed(f"the {self.label} {name} is there already", _RENAME, about=resource.place)
            else:
                yield passed(f"{name} is free", about=resource.place)


def _asked(service: str, operation: str, argument: str, *absent: str) -> Callable[[AwsSubject, str], bool]:
    """Return how to ask for one thing by its name."""
    return lambda subject, name: subject.aws.find(service, operation, set(absent), **{argument: name}) is not None


def _log_group(subject: AwsSubject, name: str) -> bool:
    found = subject.aws.ask("logs", "describe_log_groups", logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in found)


def _repository(subject: AwsSubject, name: str) -> bool:
    absent = {"RepositoryNotFoundException"}
    return subject.aws.find("ecr", "describe_repositories", absent, repositoryNames=[name]) is not None


def _alias(subject: AwsSubject, name: str) -> bool:
    return any(each["AliasName"] == name for each in subject.aws.pages("kms", "list_aliases", "Aliases"))


_KINDS: tuple[_Kind, ...] = (
    _Kind(
        id="role",
        label="role",
        type="AWS::IAM::Role",
        property="RoleName",
        there=_asked("iam", "get_role", "RoleName", "NoSuchEntity"),
    ),
    _Kind(
        id="cluster",
        label="EKS cluster",
        type="AWS::EKS::Cluster",
        property="Name",
        there=_asked("eks", "describe_cluster", "name", "ResourceNotFoundException"),
    ),
    _Kind(
        id="database",
        label="database cluster",
        type="AWS::RDS::DBCluster",
        property="DBClusterIdentifier",
        there=_asked("rds", "describe_db_clusters", "DBClusterIdentifier", "DBClusterNotFoundFault"),
    ),
    _Kind(
        id="log-group",
        label="log group",
        type="AWS::Logs::LogGroup",
        property="LogGroupName",
        there=_log_group,
    ),
    _Kind(
        id="repository",
        label="repository",
        type="AWS::ECR::Repository",
        property="RepositoryName",
        there=_repository,
    ),
    _Kind(id="alias", label="alias of a key", type="AWS::KMS::Alias", property="AliasName", there=_alias),
)


def _buckets(subject: AwsSubject) -> Iterator[Outcome]:
    for bucket in subject.resources("AWS::S3::Bucket"):
        name = bucket.text("BucketName")
        if name is None:
            continue
        if name in own_resources(subject):
            yield passed(f"{name} is there, and belongs to its stack", about=bucket.place)
            continue
        try:
            found = subject.aws.find("s3", "head_bucket", {"404", "NoSuchBucket"}, Bucket=name)
        except UnseenError:
            why = f"the bucket {name} belongs to somebody else, or this login may not see it"
            yield failed(why, _RENAME, about=bucket.place)
            continue
        except AwsRefusalError as error:  # a bucket of another region answers with where it is
            if error.aws_code not in {"301", "400", "PermanentRedirect"}:
                raise
            found = {}
        if found is None:
            yield passed(f"{name} is free", about=bucket.place)
        else:
            yield failed(f"the bucket {name} is there already", _RENAME, about=bucket.place)


def _stacks(subject: AwsSubject) -> Iterator[Outcome]:
    states = existing_stacks(subject)
    for name in subject.stack_names:
        state = states.get(name)
        if state is None:
            yield passed(f"{name} is free", about=name)
        elif state in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}:
            yield failed(
                f"it is in {state}: it can only be deleted",
                f"aws cloudformation delete-stack --stack-name {name} --region {subject.settings.region}",
                about=name,
            )
        elif state == "UPDATE_ROLLBACK_FAILED":
            yield failed(
                f"it is in {state}",
                f"aws cloudformation continue-update-rollback --stack-name {name}",
                about=name,
            )
        elif state == "REVIEW_IN_PROGRESS":
            yield warned(
                "it holds nothing, and a change set that nobody has executed",
                f"aws cloudformation delete-stack --stack-name {name}, or execute the change set",
                about=name,
            )
        elif state.endswith("_IN_PROGRESS"):
            yield warned(f"somebody is at it: {state}", "wait until that is done", about=name)
        else:
            yield passed(f"it is there: {state}; a deployment changes it", about=name)


def _secrets(subject: AwsSubject) -> Iterator[Outcome]:
    """Secrets that the stacks make: Secrets Manager keeps the name of a deleted one for up to 30 days."""
    for resource in subject.resources("AWS::SecretsManager::Secret"):
        name = resource.text("Name")
        described = _described(subject, name) if name else None
        if name is None:
            continue
        if described is None:
            yield passed(f"{name} is free", about=resource.place)
        elif described.get("DeletedDate"):
            yield failed(
                f"the secret {name} is being deleted, and its name is taken until that is done",
                f"aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {name}; "
                "or restore-secret, and import it into the stack",
                about=resource.place,
            )
        elif str(described.get("ARN")) in own_resources(subject):
            yield passed(f"{name} is there, and belongs to its stack", about=resource.place)
        else:
            yield failed(f"the secret {name} is there already", _RENAME, about=resource.place)


def _described(subject: AwsSubject, name: str) -> Mapping[str, Any] | None:
    return subject.aws.find("secretsmanager", "describe_secret", {"ResourceNotFoundException"}, SecretId=name)


def _exports(subject: AwsSubject) -> Iterator[Outcome]:
    wanted = {name for template in subject.templates for name in template.exported()}
    if not wanted:
        return
    stacks = set(subject.stack_names)
    taken = 0
    for export in subject.aws.pages("cloudformation", "list_exports", "Exports"):
        stack = str(export.get("ExportingStackId", "")).split("/")[1:2]
        if export["Name"] in wanted and not stacks & set(stack):
            taken += 1
            yield failed(f"the export {export['Name']} is another stack's: {''.join(stack)}", _RENAME)
    if not taken:
        yield passed(f"{len(wanted)} exports are free, or the stacks' own")


def _check(kind: str, title: str, fails: str, look: Callable[[AwsSubject], Iterator[Outcome]]) -> Check[AwsSubject]:
    return Check(
        id=f"aws.taken.{kind}",
        title=title,
        looks_at="whether AWS has one of that name already that is not the stack's own",
        fails=fails,
        remedy=_RENAME,
        look=look,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    )


CHECKS: tuple[Check[AwsSubject], ...] = (
    _check("bucket", "buckets", "a bucket is there, in this account or in anybody's", _buckets),
    *[_check(kind.id, f"names of each {kind.label}", f"the {kind.label} is there", kind.look) for kind in _KINDS],
    _check("secret", "secrets that are made", "a secret is there, or is being deleted", _secrets),
    _check("export", "exports of the stacks", "another stack has one of that name", _exports),
    _check(
        "stack",
        "states of the stacks",
        "a stack can only be deleted or has to be rolled back further; warns while somebody is at it",
        _stacks,
    ),
)
