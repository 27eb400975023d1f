"""Describe datastores, their datasets and columns."""

from __future__ import annotations

from datasurface.model.datastore import Datastore
from datasurface.model.effective import capture_credential, source_of
from datasurface.model.schema import Column, Dataset
from datasurface.release.bind import Binding, replaced
from datasurface.release.description.base import Described, Fact
from datasurface.release.records.base import classification_names, every_text

__all__ = ["describe_datastore"]


def describe_datastore(datastore: Datastore, binding: Binding, owner: Fact) -> Described:
    """Return a datastore with its datasets."""
    return Described(
        kind="datastore",
        name=datastore.name,
        reference=datastore.name,
        noun=datastore,
        facts={
            **_capture(datastore, binding),
            "access": Fact(datastore.access.value),
            "approvals": Fact(tuple(datastore.approvals)),
            "production": Fact(datastore.production),
            "deprecated": Fact(datastore.deprecated),
            "owner": owner,
            "doc": Fact(datastore.doc or None),
        },
        children=[_dataset(datastore, dataset, binding) for dataset in datastore.datasets],
    )


def _capture(datastore: Datastore, binding: Binding) -> dict[str, Fact]:
    if datastore.capture is None:
        return dict.fromkeys(("capture", "container", "credential", "every", "consistency"), Fact(None))
    capture = binding.capture(datastore.capture)
    credential = capture_credential(replaced(datastore, capture=capture))
    return {
        "capture": Fact(type(capture).__name__),
        "container": Fact(capture.container.name),
        "credential": Fact(
            credential.name if credential else None, inherited=credential is not None and capture.credential is None
        ),
        "every": Fact(every_text(capture.every)),
        "consistency": Fact(capture.consistency.value),
    }


def _dataset(datastore: Datastore, dataset: Dataset, binding: Binding) -> Described:
    container = binding.container(datastore.capture.container) if datastore.capture else None
    schema, table = source_of(dataset, getattr(container, "schema", None))
    return Described(
        kind="dataset",
        name=dataset.name,
        reference=f"{datastore.name}.{dataset.name}",
        noun=dataset,
        facts={
            "source": Fact(table),
            "source_schema": Fact(schema, inherited=isinstance(dataset.source, str) and schema is not None),
            "key": Fact(tuple([c.name for c in dataset.key_columns])),
            "columns": Fact(len(dataset.columns)),
            "classification": Fact(classification_names(dataset.classification)),
            "deprecated": Fact(dataset.deprecated),
            "doc": Fact(dataset.doc or None),
        },
        children=[_column(datastore, dataset, column) for column in dataset.columns],
    )


def _column(datastore: Datastore, dataset: Dataset, column: Column) -> Described:
    names = classification_names(dataset.classification, column.classification)
    return Described(
        kind="column",
        name=column.name,
        reference=f"{datastore.name}.{dataset.name}.{column.name}",
        noun=column,
        facts={
            "type": Fact(column.data_type.spelled()),
            "key": Fact(column.key),
            "nullable": Fact(column.nullable),
            "source": Fact(column.source),
            "classification": Fact(names, inherited=bool(names) and not column.classification),
            "doc": Fact(column.doc or None),
        },
    )
