"""The secret store `aws`: AWS Secrets Manager, with names such as `datasurface/<ecosystem>/<credential>`.

A secret's versions carry staging labels: `AWSCURRENT` is what `lookup` finds, `AWSPENDING` what is staged,
`AWSPREVIOUS` the former one. Moving `AWSCURRENT` is one call of the service: it is done whole or not at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Self

from datasurface.errors import ConfigurationError, SecretError
from datasurface.model.infrastructure import Credential
from datasurface.model.secret_names import aws_name
from datasurface.model.secret_stores import AwsSecrets, StoreChoice
from datasurface.secrets.aws_client import ABSENT, BEING_DELETED, CONFLICT, AwsClient, AwsError
from datasurface.secrets.base import Secret, Surroundings, pieces_of
from datasurface.secrets.document import Document

__all__ = ["MANAGED_BY", "AwsStore"]

MANAGED_BY = {"Key": "managed-by", "Value": "datasurface"}
_CURRENT, _PENDING, _EMPTY = "AWSCURRENT", "AWSPENDING", "EMPTY"
_RECOVERY_DAYS = 7
_ATTEMPTS = 5


class AwsStore:
    """Reads and writes secrets of AWS Secrets Manager; it changes only those that it has made, or may adopt."""

    keeps: float = 60

    def __init__(self, choice: AwsSecrets, surroundings: Surroundings, client: AwsClient) -> None:
        self._choice = choice
        self._surroundings = surroundings
        self._client = client

    @classmethod
    def opened(cls, choice: StoreChoice, surroundings: Surroundings) -> Self:
        """Return the store of a region.

        Raises:
            ConfigurationError: no region is known, or no ecosystem.
            MissingExtraError: boto3 is not installed.
        """
        settings = choice if isinstance(choice, AwsSecrets) else AwsSecrets()
        if not surroundings.ecosystem:
            raise ConfigurationError("the secret store aws needs a model: its names begin with the ecosystem's")
        return cls(settings, surroundings, AwsClient.opened(settings.region, surroundings.environ))

    def __repr__(self) -> str:
        return f"AwsStore({self._client.region})"

    @property
    def accepts_new(self) -> bool:
        """Whether the model allows to write to it."""
        return not self._choice.read_only

    def name(self, credential: Credential) -> str:
        """Return the name of a credential's secret."""
        where = self._surroundings
        return aws_name(self._choice.prefix, where.ecosystem, where.environment, credential.name)

    def lookup(self, credential: Credential) -> Secret | None:
        """Return the current version, or None if there is none.

        Raises:
            SecretError: it is incomplete, no JSON object, or AWS refuses; the hint names the permission.
            TransientError: AWS cannot be reached, or asks to slow down for too long.
        """
        document = self._document(credential, _CURRENT)
        return document.secret(credential, self._place(credential)) if document is not None else None

    def places(self, credential: Credential) -> tuple[str, ...]:
        """Return the secret's name and the region."""
        return (self._place(credential),)

    def pending(self, credential: Credential) -> Secret | None:
        """Return the version to come, or None.

        Raises:
            SecretError: as `lookup`.
        """
        versions = self._versions(self._described(credential) or {})
        if versions.get(_PENDING) in (None, versions.get(_CURRENT)):
            return None
        document = self._document(credential, _PENDING)
        return document.secret(credential, self._place(credential)) if document is not None else None

    def stage(self, credential: Credential, secret: Secret) -> None:
        """Keep a secret as the version to come; a secret that does not exist yet is made, with an empty first version.

        The service labels the very first version as current whatever is asked for, hence the empty one.

        Raises:
            SecretError: the secret is incomplete, somebody else's, rotated by AWS itself, or AWS refuses.
        """
        pieces = pieces_of(credential, secret)
        name = self.name(credential)
        described = self._described(credential)
        if described is None:
            self._create(credential)
        else:
            self._refuse_strange(credential, described)
            if described.get("RotationEnabled"):
                raise SecretError(
                    f"the secret {name} is rotated by AWS itself", hint="switch that off, or let it rotate this login"
                )
            if described.get("DeletedDate"):
                self._client.call("restore_secret", SecretId=name)
                self._empty(name, self._versions(described).get(_CURRENT))
        former = self._document(credential, _CURRENT) or Document()
        coming, token = former.holding(pieces), str(uuid.uuid4())
        self._client.put_version(name, coming, token, [_PENDING])

    def promote(self, credential: Credential) -> None:
        """Make the version to come the current one; AWS keeps the former as `AWSPREVIOUS`.

        Raises:
            SecretError: there is neither one to come nor a current one, it is somebody else's, or AWS refuses.
        """
        name = self.name(credential)
        for attempt in range(_ATTEMPTS):
            described = self._described(credential)
            versions = self._versions(described or {})
            coming, current = versions.get(_PENDING), versions.get(_CURRENT)
            if described is None or coming is None:
                if self.lookup(credential) is None:
                    raise SecretError(f"credential {credential.name!r} has no secret to come in {name}")
                return
            self._refuse_strange(credential, described)
            try:
                if coming != current:
                    self._move(name, _CURRENT, MoveToVersionId=coming, RemoveFromVersionId=current)
                self._move(name, _PENDING, RemoveFromVersionId=coming)
            except AwsError as error:  # somebody else has moved a label between two calls
                if error.aws_code not in CONFLICT or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def remove(self, credential: Credential) -> None:
        """Have AWS delete the secret, which it does after 7 days; until then its console can restore it.

        Raises:
            SecretError: it is somebody else's, or AWS refuses.
        """
        described = self._described(credential)
        if described is not None and not described.get("DeletedDate"):
            self._refuse_strange(credential, described)
            self._client.call("delete_secret", SecretId=self.name(credential), RecoveryWindowInDays=_RECOVERY_DAYS)

    def _place(self, credential: Credential) -> str:
        return f"{self.name(credential)} in {self._client.region}"

    def _document(self, credential: Credential, stage: str) -> Document | None:
        """Return a version's object, or None if there is no such version."""
        try:
            found = self._client.version(self.name(credential), stage, credential)
        except AwsError as error:
            if error.aws_code in ABSENT or (error.aws_code in BEING_DELETED and error.says_deleted):
                return None
            raise
        if found is None:
            raise SecretError(
                f"the secret {self._place(credential)} is no JSON object",
                hint='write it as {"username": …, "password": …}',
            )
        return found

    def _described(self, credential: Credential) -> Mapping[str, Any] | None:
        try:
            return self._client.call("describe_secret", SecretId=self.name(credential))
        except AwsError as error:
            if error.aws_code in ABSENT:
                return None
            raise

    def _create(self, credential: Credential) -> None:
        where = self._surroundings
        tags = [MANAGED_BY, {"Key": "ecosystem", "Value": where.ecosystem}]
        if where.environment is not None:
            tags.append({"Key": "environment", "Value": where.environment})
        key = {} if self._choice.kms_key is None else {"KmsKeyId": self._choice.kms_key}
        try:
            self._client.call(
                "create_secret",
                Name=self.name(credential),
                Description=f"the secret of the credential {credential.name}",
                SecretString="{}",
                ClientRequestToken=str(uuid.uuid4()),
                Tags=tags,
                **key,
            )
        except AwsError as error:
            if error.aws_code != "ResourceExistsException":
                raise

    def _empty(self, name: str, current: str | None) -> None:
        """Make an empty version the current one: what was removed does not come back with its name."""
        token = str(uuid.uuid4())
        self._client.put_version(name, Document(), token, [_EMPTY])
        self._move(name, _CURRENT, MoveToVersionId=token, RemoveFromVersionId=current)

    def _refuse_strange(self, credential: Credential, described: Mapping[str, Any]) -> None:
        """Refuse to change what is not tagged as made by DataSurface for this very ecosystem and environment."""
        tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}
        where = self._surroundings
        own = (tags.get("managed-by"), tags.get("ecosystem"), tags.get("environment"))
        if own != ("datasurface", where.ecosystem, where.environment) and not self._choice.adopt:
            raise SecretError(
                f"the secret {self._place(credential)} was not made by DataSurface for this ecosystem",
                hint="AwsSecrets(adopt=True) lets DataSurface change it",
            )

    def _move(self, name: str, stage: str, **versions: str | None) -> None:
        given = {key: value for key, value in versions.items() if value is not None}
        self._client.call("update_secret_version_stage", SecretId=name, VersionStage=stage, **given)

    @staticmethod
    def _versions(described: Mapping[str, Any]) -> dict[str, str]:
        """Return the version that each staging label is attached to."""
        found = described.get("VersionIdsToStages") or {}
        return {stage: version for version, stages in found.items() for stage in stages}
