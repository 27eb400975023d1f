"""DataSurface: declare data and who needs it; pipelines are derived, checked and run.

`from datasurface import *` gives the nouns of a model and nothing else. What few models need is imported when it is
asked for by name: `from datasurface import model_datastore, TransformerContext`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from datasurface.model.airflow import Airflow
from datasurface.model.aws import AuroraCluster, AwsExistingNetwork, AwsNetwork, NodeGroup
from datasurface.model.capture import ChangeCapture, Cron, External, MilestonedSource, Snapshot, Watermark
from datasurface.model.check import AcceptedValues, Freshness, InRange, NotNull, RowCount, SqlCheck, Unique
from datasurface.model.classification import (
    CONFIDENTIAL,
    CPI,
    CSI,
    DEIDENTIFIED,
    INTERNAL,
    MNPI,
    PC1,
    PC2,
    PC3,
    PII,
    PSEUDONYMISED,
    PUBLIC,
    Classification,
)
from datasurface.model.datastore import Datastore, Guard
from datasurface.model.deidentification import (
    DeIdentifiedColumn,
    DeIdentifiedDataset,
    DeIdentify,
    Generalise,
    Keep,
    KeyedHash,
    Redact,
    Tokenise,
)
from datasurface.model.deployment import Aws
from datasurface.model.ecosystem import Ecosystem, GovernanceZone, Team
from datasurface.model.identity import AwsRole
from datasurface.model.infrastructure import (
    AuroraDatabase,
    Credential,
    Db2Database,
    DuckLake,
    EmbeddedPostgres,
    FileStore,
    KafkaCluster,
    MySQLDatabase,
    OracleDatabase,
    PostgresDatabase,
    SnowflakeDatabase,
    SqliteDatabase,
    SqlServerDatabase,
    Vendor,
)
from datasurface.model.kubernetes import CloudNativePostgres, ClusterNodes, Egress, Kubernetes
from datasurface.model.monitoring import Monitoring
from datasurface.model.ownership import GitHubRepository, GitLabRepository, LocalRepository
from datasurface.model.platform import (
    Assign,
    ConsumerReplica,
    Environment,
    Hint,
    LegacyPlatform,
    PrimaryIngestion,
    YellowPlatform,
)
from datasurface.model.policy import (
    AllowedClassifications,
    AllowedClouds,
    AllowedLocations,
    AllowedPlatforms,
    AllowedVendors,
    ForbiddenClassifications,
    ForbiddenLocations,
    RequiredRetention,
    RequiredStorage,
)
from datasurface.model.schema import Column, Dataset
from datasurface.model.secret_stores import (
    AwsSecrets,
    AzureKeyVault,
    EnvironmentSecrets,
    FileSecrets,
    KubernetesSecrets,
)
from datasurface.model.transformer import (
    ContainerImage,
    DataTransformer,
    DbtProject,
    PythonModule,
    PythonPackage,
    PythonRepository,
    SqlQueries,
    SystemCode,
)
from datasurface.model.types import (
    FP4E2M1,
    FP6E2M3,
    FP6E3M2,
    FP8E4M3,
    FP8E5M2,
    FP8E8M0,
    Array,
    BFloat16,
    BigInt,
    Binary,
    Boolean,
    Date,
    Decimal,
    FixedString,
    Float16,
    Float32,
    Float64,
    Geography,
    Integer,
    Interval,
    Json,
    Map,
    SmallInt,
    String,
    Struct,
    Time,
    Timestamp,
    TinyInt,
    Uuid,
    Variant,
    Vector,
)
from datasurface.model.vocabulary import (
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
from datasurface.model.workspace import DatasetGroup, DatasetSink, Reader, Workspace

if TYPE_CHECKING:
    from datasurface.databases.documents import JSON_NULL as JSON_NULL
    from datasurface.model.deidentified import deidentified as deidentified
    from datasurface.release.system import model_datastore as model_datastore
    from datasurface.release.system import model_transformer as model_transformer
    from datasurface.release.system import model_workspace as model_workspace
    from datasurface.release.system import operations_datastore as operations_datastore
    from datasurface.release.system import operations_transformer as operations_transformer
    from datasurface.release.system import operations_workspace as operations_workspace
    from datasurface.release.system import security_datastore as security_datastore
    from datasurface.release.system import security_transformer as security_transformer
    from datasurface.release.system import security_workspace as security_workspace
    from datasurface.transform.context import TransformerContext as TransformerContext

__version__ = "0.1.0"

__all__ = [
    "CONFIDENTIAL",
    "CPI",
    "CSI",
    "DEIDENTIFIED",
    "FP4E2M1",
    "FP6E2M3",
    "FP6E3M2",
    "FP8E4M3",
    "FP8E5M2",
    "FP8E8M0",
    "INTERNAL",
    "MNPI",
    "PC1",
    "PC2",
    "PC3",
    "PII",
    "PSEUDONYMISED",
    "PUBLIC",
    "AcceptedValues",
    "Access",
    "Airflow",
    "AllowedClassifications",
    "AllowedClouds",
    "AllowedLocations",
    "AllowedPlatforms",
    "AllowedVendors",
    "Array",
    "Assign",
    "AssignStatus",
    "AuroraCluster",
    "AuroraDatabase",
    "Aws",
    "AwsEgress",
    "AwsExistingNetwork",
    "AwsIdentity",
    "AwsNetwork",
    "AwsRole",
    "AwsSecrets",
    "AzureKeyVault",
    "BFloat16",
    "BigInt",
    "Binary",
    "Boolean",
    "ChangeCapture",
    "Classification",
    "Cloud",
    "CloudNativePostgres",
    "ClusterNodes",
    "Column",
    "Consistency",
    "ConsumerReplica",
    "ContainerImage",
    "Credential",
    "CredentialKind",
    "Cron",
    "DataTransformer",
    "Dataset",
    "DatasetGroup",
    "DatasetSink",
    "Datastore",
    "Date",
    "Db2Database",
    "DbtProject",
    "DeIdentifiedColumn",
    "DeIdentifiedDataset",
    "DeIdentify",
    "Decimal",
    "DuckLake",
    "Ecosystem",
    "Egress",
    "EmbeddedPostgres",
    "Environment",
    "EnvironmentSecrets",
    "External",
    "FileSecrets",
    "FileStore",
    "FixedString",
    "Float16",
    "Float32",
    "Float64",
    "ForbiddenClassifications",
    "ForbiddenLocations",
    "Freshness",
    "Generalise",
    "Geography",
    "GitHubRepository",
    "GitLabRepository",
    "GovernanceZone",
    "Guard",
    "Hint",
    "History",
    "InRange",
    "Integer",
    "Interval",
    "Json",
    "KafkaCluster",
    "Keep",
    "KeyedHash",
    "Kubernetes",
    "KubernetesSecrets",
    "Latency",
    "LegacyPlatform",
    "LocalRepository",
    "Map",
    "MilestonedSource",
    "Monitoring",
    "MySQLDatabase",
    "NodeGroup",
    "NotNull",
    "OnFailure",
    "OracleDatabase",
    "OutputMode",
    "PostgresDatabase",
    "PrimaryIngestion",
    "Priority",
    "PythonModule",
    "PythonPackage",
    "PythonRepository",
    "Reader",
    "Redact",
    "RequiredRetention",
    "RequiredStorage",
    "RowCount",
    "SmallInt",
    "Snapshot",
    "SnowflakeDatabase",
    "SqlCheck",
    "SqlQueries",
    "SqlServerDatabase",
    "SqliteDatabase",
    "String",
    "Struct",
    "SystemCode",
    "TaskKind",
    "Team",
    "Time",
    "Timestamp",
    "TinyInt",
    "Tls",
    "Tokenise",
    "Unique",
    "Uuid",
    "Variant",
    "Vector",
    "Vendor",
    "Watermark",
    "Workspace",
    "YellowPlatform",
]

_ON_DEMAND = {
    "JSON_NULL": "datasurface.databases.documents",
    "TransformerContext": "datasurface.transform.context",
    "deidentified": "datasurface.model.deidentified",
    "model_datastore": "datasurface.release.system",
    "model_transformer": "datasurface.release.system",
    "model_workspace": "datasurface.release.system",
    "operations_datastore": "datasurface.release.system",
    "operations_transformer": "datasurface.release.system",
    "operations_workspace": "datasurface.release.system",
    "security_datastore": "datasurface.release.system",
    "security_transformer": "datasurface.release.system",
    "security_workspace": "datasurface.release.system",
}


def __getattr__(name: str) -> object:
    """Import what few models need when one asks for it."""
    if name in _ON_DEMAND:
        found: object = getattr(import_module(_ON_DEMAND[name]), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
