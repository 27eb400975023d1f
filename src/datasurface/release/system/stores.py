"""The system's datastores, transformers and workspaces, for DataSurface itself and for everybody's models and tests.

Under their own names they are in every ecosystem already; under another name they are the caller's.
"""

from __future__ import annotations

from functools import cache

from datasurface.model.datastore import Datastore, Guard
from datasurface.model.transformer import DataTransformer, SystemCode
from datasurface.model.workspace import DatasetGroup, Workspace

__all__ = [
    "MODEL_STORE",
    "OPERATIONS_STORE",
    "RELEASES",
    "SECURITY_STORE",
    "model_datastore",
    "model_transformer",
    "model_workspace",
    "operations_datastore",
    "operations_transformer",
    "operations_workspace",
    "security_datastore",
    "security_transformer",
    "security_workspace",
]

MODEL_STORE = "datasurface_model"
"""The datastore of the model's tables."""
OPERATIONS_STORE = "datasurface_operations"
"""The datastore of what a platform did."""
SECURITY_STORE = "datasurface_security"
"""The datastore of the changes that the periodic sync of access made."""
RELEASES = "releases"
"""The dataset of the model's datastore that lists the releases so far."""
_UNGUARDED = Guard(max_deleted=1.0, allow_empty=True)
"""A release that takes much away was planned and applied by somebody; nothing has to stop its description."""


@cache
def model_datastore(name: str = MODEL_STORE) -> Datastore:
    """Return the datastore that holds the active release's tables, and the list of the releases before it."""
    from datasurface.release.system.derive import dataset_of  # noqa: PLC0415 - mapping the tables takes half a second
    from datasurface.release.system.log import ReleaseLogRow  # noqa: PLC0415 - as above
    from datasurface.release.tables import TABLES  # noqa: PLC0415 - as above

    tables = [dataset_of(table, table.published) for table in TABLES if table.published]
    return Datastore(
        name,
        datasets=[dataset_of(ReleaseLogRow, ReleaseLogRow.published), *tables],
        guard=_UNGUARDED,
        production=True,
        doc="The model itself, as the active release has it.",
    )


@cache
def model_transformer(name: str = MODEL_STORE) -> DataTransformer:
    """Return the transformer that writes `model_datastore(name)`: it runs when another release is active."""
    return DataTransformer(name, code=SystemCode("externalize_model"), output=model_datastore(name))


@cache
def model_workspace(name: str = MODEL_STORE) -> Workspace:
    """Return the workspace of `model_transformer(name)`, which reads the list of releases that it wrote itself."""
    return Workspace(
        name,
        groups=[DatasetGroup("own", sinks=[f"{name}.{RELEASES}"])],
        transformer=model_transformer(name),
        production=True,
        doc="Writes the model of the active release into a datastore.",
    )


@cache
def operations_datastore(name: str = OPERATIONS_STORE) -> Datastore:
    """Return the datastore that holds what the platform did: batches, failures, lag, checks, audits, grants."""
    from datasurface.release.system.derive import dataset_of  # noqa: PLC0415 - mapping the tables takes half a second
    from datasurface.release.system.operations import OPERATIONS  # noqa: PLC0415 - as above

    return Datastore(
        name,
        datasets=[dataset_of(table, table.published) for table in OPERATIONS],
        guard=_UNGUARDED,
        production=True,
        doc="What the platform that serves it did, and who may read what there.",
    )


@cache
def operations_transformer(name: str = OPERATIONS_STORE, *, every: str = "5 minutes") -> DataTransformer:
    """Return the transformer that writes `operations_datastore(name)`."""
    code = SystemCode("externalize_operations")
    return DataTransformer(name, code=code, output=operations_datastore(name), every=every)


@cache
def operations_workspace(name: str = OPERATIONS_STORE, *, every: str = "5 minutes") -> Workspace:
    """Return the workspace of `operations_transformer(name)`."""
    return Workspace(
        name,
        transformer=operations_transformer(name, every=every),
        production=True,
        doc="Writes what the platform did into a datastore.",
    )


@cache
def security_datastore(name: str = SECURITY_STORE) -> Datastore:
    """Return the datastore that holds what was changed of roles, grants and logins."""
    from datasurface.release.system.derive import dataset_of  # noqa: PLC0415 - mapping the tables takes half a second
    from datasurface.release.system.operations import SECURITY  # noqa: PLC0415 - as above

    return Datastore(
        name,
        datasets=[dataset_of(table, table.published) for table in SECURITY],
        guard=_UNGUARDED,
        production=True,
        doc="What was changed so that who may touch what follows from the model.",
    )


@cache
def security_transformer(name: str = SECURITY_STORE, *, every: str = "1 hour") -> DataTransformer:
    """Return the transformer that makes roles and grants as the model says, and writes `security_datastore(name)`."""
    return DataTransformer(name, code=SystemCode("security_sync"), output=security_datastore(name), every=every)


@cache
def security_workspace(name: str = SECURITY_STORE, *, every: str = "1 hour") -> Workspace:
    """Return the workspace of `security_transformer(name)`."""
    return Workspace(
        name,
        transformer=security_transformer(name, every=every),
        production=True,
        doc="Makes roles and grants as the model says, again and again.",
    )
