"""What DataSurface adds to every ecosystem: a zone of its own, with the model, operations and security as datastores.

Importing this costs nothing; the tables are mapped when somebody asks for what is made of them.
"""

from datasurface.release.system.stores import (
    MODEL_STORE,
    OPERATIONS_STORE,
    RELEASES,
    SECURITY_STORE,
    model_datastore,
    model_transformer,
    model_workspace,
    operations_datastore,
    operations_transformer,
    operations_workspace,
    security_datastore,
    security_transformer,
    security_workspace,
)
from datasurface.release.system.zone import asks_for_system, system_zone, with_system

__all__ = [
    "MODEL_STORE",
    "OPERATIONS_STORE",
    "RELEASES",
    "SECURITY_STORE",
    "asks_for_system",
    "model_datastore",
    "model_transformer",
    "model_workspace",
    "operations_datastore",
    "operations_transformer",
    "operations_workspace",
    "security_datastore",
    "security_transformer",
    "security_workspace",
    "system_zone",
    "with_system",
]
