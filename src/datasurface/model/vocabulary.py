"""The enumerations of the DSL."""

from __future__ import annotations

import enum
from enum import StrEnum

__all__ = [
    "ENUMERATIONS",
    "Access",
    "AssignStatus",
    "AwsEgress",
    "AwsIdentity",
    "Cloud",
    "Consistency",
    "CredentialKind",
    "History",
    "Latency",
    "OnFailure",
    "OutputMode",
    "Priority",
    "TaskKind",
    "Tls",
]


class Cloud(StrEnum):
    """Who really runs a vendor's machines."""

    PRIVATE = "private"
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    SNOWFLAKE = "snowflake"
    DATABRICKS = "databricks"
    IBM = "ibm"
    ORACLE = "oracle"
    ALIBABA = "alibaba"
    AWS_CHINA = "aws_china"
    AZURE_CHINA = "azure_china"


class CredentialKind(StrEnum):
    """What a secret consists of."""

    PASSWORD = "password"  # noqa: S105 - the kind, not a secret
    TOKEN = "token"  # noqa: S105 - the kind, not a secret
    KEY_PAIR = "key_pair"
    CERTIFICATE = "certificate"


class Tls(StrEnum):
    """How a connection is protected; the meanings are libpq's `sslmode`."""

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class Access(StrEnum):
    """Who may consume a datastore: everybody, or the groups in its `approvals`."""

    OPEN = "open"
    APPROVAL = "approval"


class Consistency(StrEnum):
    """What is read at one point in time and published together: the whole datastore or each dataset by itself."""

    DATASTORE = "datastore"
    DATASET = "dataset"


class History(StrEnum):
    """What a consumer sees: the current rows, or also every earlier version."""

    LIVE = "live"
    FULL = "full"


class Latency(StrEnum):
    """How far behind the source a consumer tolerates to be, by order of magnitude."""

    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


class Priority(StrEnum):
    """Which work goes first when not everything can."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class AssignStatus(StrEnum):
    """Where a platform is in its service of the groups that a rule assigns to it."""

    PROVISIONING = "provisioning"
    PROVISIONED = "provisioned"
    DECOMMISSIONING = "decommissioning"
    DECOMMISSIONED = "decommissioned"


class OnFailure(StrEnum):
    """What becomes of a batch that fails a check: it waits for somebody to look, or is published with a warning."""

    PARK = "park"
    WARN = "warn"


class TaskKind(StrEnum):
    """What a task of an orchestrator is: a process beside it, or a pod of its own."""

    PROCESS = "process"
    POD = "pod"


class AwsIdentity(StrEnum):
    """How pods take on roles of AWS: by EKS Pod Identity, or by their service accounts (IRSA)."""

    POD_IDENTITY = "pod_identity"
    IRSA = "irsa"


class AwsEgress(StrEnum):
    """How a private network reaches what is outside: through NAT gateways, or not at all."""

    NAT = "nat"
    NONE = "none"


class OutputMode(StrEnum):
    """What a transformer writes: whole tables, or the changes of them."""

    SNAPSHOT = "snapshot"
    CHANGES = "changes"


ENUMERATIONS: dict[str, type[enum.Enum]] = {
    cls.__name__: cls
    for cls in (
        Access,
        AssignStatus,
        AwsEgress,
        AwsIdentity,
        Cloud,
        Consistency,
        CredentialKind,
        History,
        Latency,
        OnFailure,
        OutputMode,
        Priority,
        TaskKind,
        Tls,
    )
}
