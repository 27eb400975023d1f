"""Identities of a cloud under which code runs where it is deployed."""

from __future__ import annotations

import re
from dataclasses import field

from datasurface.model.base import Noun, noun

__all__ = ["AwsRole", "CloudIdentity", "identity_label", "identity_problem"]

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>\d{12}):role(?P<path>/(?:[!-~]+/)?)(?P<name>[^/]*)\Z"
)
_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]*\Z")
_ACCOUNT = re.compile(r"\d{12}\Z")
_LONGEST_NAME = 64
_LONGEST_SERVICE_ACCOUNT = 253
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


class CloudIdentity(Noun):
    """Who code is, to a cloud."""

    __slots__ = ()


@noun
class AwsRole(CloudIdentity):
    """A role of AWS IAM, which a pod takes on through its service account.

    Attributes:
        role: Its ARN, or its name.
        account: The AWS account of a role that is given by its name; None for that of the cluster.
        service_account: What the Kubernetes service account is called; None for a name made from the transformer's.
    """

    role: str = field(kw_only=False)
    account: str | None = None
    service_account: str | None = None

    @property
    def role_name(self) -> str:
        """The role's name, without account and path."""
        found = _ARN.match(self.role)
        return found["name"] if found else self.role

    def arn(self, *, account: str, partition: str = "aws") -> str:
        """Return the role's ARN; a name is one of its own account, else of the one given."""
        if self.role.startswith("arn:"):
            return self.role
        return f"arn:{partition}:iam::{self.account or account}:role/{self.role}"


def identity_label(identity: CloudIdentity | None) -> str | None:
    """Return an identity as tables and messages name it."""
    return identity.role if isinstance(identity, AwsRole) else None


def identity_problem(identity: CloudIdentity) -> str | None:
    """Return why there can be no such identity, in words; None if there can."""
    return _role_problem(identity) if isinstance(identity, AwsRole) else None


def _role_problem(identity: AwsRole) -> str | None:
    if identity.role.startswith("arn:") and not _ARN.match(identity.role):
        return "is no ARN of a role: arn:aws:iam::<account>:role/<name>"
    name = identity.role_name
    if not name or len(name) > _LONGEST_NAME:
        return f"has a name of {len(name)} characters; IAM takes 1 to {_LONGEST_NAME}"
    if not _NAME.match(name):
        return "has a name with a character that IAM does not take; it takes letters, digits and _+=,.@-"
    return _account_problem(identity)


def _account_problem(identity: AwsRole) -> str | None:
    if identity.account is not None and not _ACCOUNT.match(identity.account):
        return f"has the account {identity.account!r}; an account is 12 digits"
    account = identity.service_account
    if account is not None and (len(account) > _LONGEST_SERVICE_ACCOUNT or not _SERVICE_ACCOUNT.match(account)):
        return f"has the service account {account!r}; Kubernetes takes small letters, digits, dashes and dots"
    return None
