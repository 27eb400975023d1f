"""Records of datastores, their datasets and columns, classifications and approvals."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.model.classification import Classification
from datasurface.model.datastore import Datastore
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import PlacedDatastore, all_datastores, capture_credential, owner_of_team, source_of
from datasurface.model.schema import Column, Dataset
from datasurface.release.bind import Binding, replaced
from datasurface.release.records.base import Record, Value, classifications, declared, every_text, owned
from datasurface.release.tables import (
    ApprovalRow,
    ClassificationRow,
    ColumnClassificationRow,
    ColumnRow,
    DatasetCheckRow,
    DatasetRow,
    DatastoreRow,
)

__all__ = ["classification_records", "producer_records"]


def producer_records(ecosystem: Ecosystem, binding: Binding) -> Iterator[Record]:
    """Yield what there is."""
    spelled: dict[object, str] = {}
    for placed in all_datastores(ecosystem):
        owner = owner_of_team(ecosystem, placed.zone, placed.team)
        yield _datastore(placed, binding, owned(owner, inherited=True))
        for reference in placed.datastore.approvals:
            yield _approval(placed.datastore, reference)
        for position, dataset in enumerate(placed.datastore.datasets, start=1):
            yield _dataset(placed.datastore, dataset, position, binding)
            yield from _checks(placed.datastore, dataset)
            inherited = classifications(dataset.classification)
            for place, column in enumerate(dataset.columns, start=1):
                yield _column(placed.datastore.name, dataset, column, place, inherited, spelled)
                if dataset.classification or column.classification:
                    yield from _classifications(placed.datastore.name, dataset, column)


def _datastore(placed: PlacedDatastore, binding: Binding, owner: dict[str, Value]) -> Record:
    datastore, guard = placed.datastore, placed.datastore.guard
    return DatastoreRow, {
        "name": datastore.name,
        "zone": placed.zone.name,
        "team": placed.team.name,
        "workspace": placed.workspace.name if placed.workspace else None,
        **_capture(datastore, binding),
        "access": datastore.access.value,
        "production": datastore.production,
        "deprecated": datastore.deprecated,
        "guard_max_deleted": guard.max_deleted,
        "guard_above_rows": guard.above_rows,
        "guard_allow_empty": guard.allow_empty,
        "doc": datastore.doc,
        **owner,
        **declared(datastore),
    }


def _capture(datastore: Datastore, binding: Binding) -> dict[str, Value]:
    declared_capture = datastore.capture
    capture = None if declared_capture is None else binding.capture(declared_capture)
    credential = None if capture is None else capture_credential(replaced(datastore, capture=capture))
    return {
        "capture": type(capture).__name__ if capture else None,
        "container": capture.container.name if capture else None,
        "credential": credential.name if credential else None,
        "credential_inherited": credential is not None and capture is not None and capture.credential is None,
        "every": every_text(capture.every) if capture else None,
        "consistency": capture.consistency.value if capture else None,
    }


def _approval(datastore: Datastore, reference: str) -> Record:
    consumer, _, dataset = reference.partition(":")
    workspace, _, group = consumer.partition(".")
    return ApprovalRow, {
        "datastore": datastore.name,
        "reference": reference,
        "workspace": workspace,
        "group_name": group,
        "dataset": dataset or None,
        **declared(datastore),
    }


def _dataset(datastore: Datastore, dataset: Dataset, position: int, binding: Binding) -> Record:
    container = binding.container(datastore.capture.container) if datastore.capture else None
    schema, table = source_of(dataset, getattr(container, "schema", None))
    return DatasetRow, {
        "datastore": datastore.name,
        "name": dataset.name,
        "position": position,
        "source_schema": schema,
        "source_table": table,
        "classification": classifications(dataset.classification),
        "deprecated": dataset.deprecated,
        "doc": dataset.doc,
        **declared(dataset),
    }


def _column(
    datastore: str, dataset: Dataset, column: Column, position: int, inherited: str, spelled: dict[object, str]
) -> Record:
    """Return a column's record; `spelled` remembers types, as a model has few of them and many columns."""
    text = spelled.get(column.type)
    if text is None:
        text = spelled[column.type] = column.data_type.spelled()
    return ColumnRow, {
        "datastore": datastore,
        "dataset": dataset.name,
        "name": column.name,
        "position": position,
        "type": text,
        "key": column.key,
        "nullable": column.nullable,
        "source": column.source,
        "classification": (
            classifications(dataset.classification, column.classification) if column.classification else inherited
        ),
        "doc": column.doc,
        **declared(column, dataset),
    }


def _classifications(datastore: str, dataset: Dataset, column: Column) -> Iterator[Record]:
    own = [(c, False) for c in column.classification]
    for classification, inherited in (*own, *[(c, True) for c in dataset.classification]):
        yield (
            ColumnClassificationRow,
            {
                "datastore": datastore,
                "dataset": dataset.name,
                "column": column.name,
                "scheme": classification.scheme,
                "name": classification.name,
                "level": classification.level,
                "inherited": inherited,
            },
        )


def _checks(datastore: Datastore, dataset: Dataset) -> Iterator[Record]:
    for position, check in enumerate(dataset.checks, start=1):
        yield (
            DatasetCheckRow,
            {
                "datastore": datastore.name,
                "dataset": dataset.name,
                "position": position,
                "kind": type(check).__name__,
                "condition": check.to_json(),
                **declared(check, dataset),
            },
        )


def classification_records(ecosystem: Ecosystem) -> Iterator[Record]:
    """Yield each classification that data or policies of the model have, once."""
    used: dict[Classification, None] = {}
    for zone in ecosystem.zones:
        for policy in zone.policies:
            used.update(dict.fromkeys(getattr(policy, "classifications", ())))
    for placed in all_datastores(ecosystem):
        for dataset in placed.datastore.datasets:
            used.update(dict.fromkeys(dataset.classification))
            used.update(dict.fromkeys(own for column in dataset.columns for own in column.classification))
    for found in used:
        yield ClassificationRow, {"scheme": found.scheme, "name": found.name, "level": found.level}
