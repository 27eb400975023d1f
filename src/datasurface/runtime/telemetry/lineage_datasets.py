"""What lineage events say of the datasets that a batch reads and writes. Imported only where the client is installed.

A dataset that consumers see is named by the table that holds its current rows; their views are its other names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    datasource_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    ownership_dataset,
    schema_dataset,
    symlinks_dataset,
    tags_dataset,
)

from datasurface.release.job import JobColumn, JobDataset
from datasurface.release.labels import JobLabels
from datasurface.runtime.telemetry.containers import Known, known
from datasurface.runtime.telemetry.events import BatchFinished, Subject
from datasurface.runtime.telemetry.lineage_facets import SOURCE, governance_tags
from datasurface.store.checks import CheckResult

__all__ = ["inputs_of", "outputs_of"]

_MERGED = frozenset({"merged", "idle"})


def inputs_of(subject: Subject, finished: BatchFinished | None) -> list[InputDataset]:
    """Return what a batch reads: tables of the source, or what the transformer's workspace sees."""
    job, platform = subject.job, subject.platform
    if job.transformer is not None:
        place = known(platform.container, platform.ecosystem)
        seen = {f"{i.datastore}.{i.dataset}": i.columns for i in job.transformer.inputs}
        return [
            InputDataset(place.namespace, _current(subject, place, name), facets=_read(place, seen[name]))
            for name in sorted(seen)
        ]
    source = known(job.source, platform.ecosystem)
    return [
        InputDataset(
            source.namespace,
            source.dataset(d.source_schema, d.source_table),
            facets=_read(source, d.columns, of_source=True),
            inputFacets=_quality(d, finished),
        )
        for d in job.datasets
    ]


def outputs_of(subject: Subject, finished: BatchFinished | None) -> list[OutputDataset]:
    """Return what a batch publishes, with who owns it, how it is classified and which columns it is made of."""
    platform, job = subject.platform, subject.job
    place = known(platform.container, platform.ecosystem)
    found = []
    for dataset in job.datasets:
        made = OutputDataset(
            place.namespace,
            _current(subject, place, f"{job.datastore}.{dataset.name}"),
            facets=_published(subject, place, dataset),
        )
        counts = finished.datasets.get(dataset.name) if finished is not None and finished.outcome in _MERGED else None
        if counts is not None:
            rows = counts.inserted + counts.updated + counts.deleted
            statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
            made.outputFacets = {"outputStatistics": statistics}
        found.append(made)
    return found


def _current(subject: Subject, place: Known, reference: str) -> str:
    return place.dataset(subject.platform.schema, subject.platform.table(reference))


def _read(place: Known, columns: Iterable[JobColumn], *, of_source: bool = False) -> dict[str, DatasetFacet]:
    return {"schema": _schema(columns, of_source=of_source), "dataSource": _source(place)}


def _published(subject: Subject, place: Known, dataset: JobDataset) -> dict[str, DatasetFacet]:
    found = _read(place, dataset.columns)
    lineage = [*_column_lineage(subject, dataset)]
    if lineage:
        found["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields=dict(lineage))
    database = place.database
    views = [f"{database}.{view}" for view in subject.platform.views(subject.job.stream, dataset.name)]
    if views:
        identifiers = [symlinks_dataset.Identifier(place.namespace, view, "VIEW") for view in views]
        found["symlinks"] = symlinks_dataset.SymlinksDatasetFacet(identifiers=identifiers)
    labels = subject.job.labels
    if labels is not None:
        found["ownership"] = ownership_dataset.OwnershipDatasetFacet(
            owners=[
                ownership_dataset.Owner(name=labels.owner, type="REPOSITORY"),
                ownership_dataset.Owner(name=f"team:{labels.team}", type="TEAM"),
            ]
        )
        found["tags"] = tags_dataset.TagsDatasetFacet(tags=[*_tags(labels, dataset.name)])
    return found


def _tags(labels: JobLabels, dataset: str) -> Iterator[tags_dataset.TagsDatasetFacetFields]:
    own = labels.dataset(dataset)
    pairs = [pair for pair in governance_tags(labels) if pair[0] != "deprecated"]
    deprecated = own.deprecated if own.deprecated is not None else labels.deprecated
    if deprecated is not None:
        pairs.append(("deprecated", deprecated or "true"))
    for key, value in [*pairs, *(("classification", name) for name in own.classifications)]:
        yield tags_dataset.TagsDatasetFacetFields(key=key, value=value, source=SOURCE)
    for column, names in sorted(own.columns.items()):
        for name in names:
            yield tags_dataset.TagsDatasetFacetFields(key="classification", value=name, source=SOURCE, field=column)


def _column_lineage(subject: Subject, dataset: JobDataset) -> Iterator[tuple[str, column_lineage_dataset.Fields]]:
    """Yield which columns each column is made of: exactly for an ingestion, of a transformer what its SQL tells."""
    job = subject.job
    if job.transformer is None:
        source = known(job.source, subject.platform.ecosystem)
        table = source.dataset(dataset.source_schema, dataset.source_table)
        same = column_lineage_dataset.Transformation(type="DIRECT", subtype="IDENTITY")
        for each in dataset.columns:
            made = column_lineage_dataset.InputField(source.namespace, table, each.source, transformations=[same])
            yield each.name, column_lineage_dataset.Fields(inputFields=[made])
        return
    origins = job.labels.dataset(dataset.name).origins if job.labels is not None else {}
    place = known(subject.platform.container, subject.platform.ecosystem)
    for name, references in sorted(origins.items()):
        fields = []
        for reference in references:
            owner, _, column = reference.rpartition(".")
            fields.append(column_lineage_dataset.InputField(place.namespace, _current(subject, place, owner), column))
        yield name, column_lineage_dataset.Fields(inputFields=fields)


def _schema(columns: Iterable[JobColumn], *, of_source: bool) -> schema_dataset.SchemaDatasetFacet:
    return schema_dataset.SchemaDatasetFacet(
        fields=[
            schema_dataset.SchemaDatasetFacetFields(
                name=column.source if of_source else column.name, type=column.type.spelled(), ordinal_position=number
            )
            for number, column in enumerate(columns, start=1)
        ]
    )


def _source(place: Known) -> datasource_dataset.DatasourceDatasetFacet:
    return datasource_dataset.DatasourceDatasetFacet(name=place.database or place.namespace, uri=place.namespace)


def _quality(dataset: JobDataset, finished: BatchFinished | None) -> dict[str, InputDatasetFacet]:
    """Return how many rows were read, and what the checks said of them."""
    if finished is None:
        return {}
    found: dict[str, InputDatasetFacet] = {}
    counts = finished.datasets.get(dataset.name)
    if counts is not None:
        found["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=counts.rows_read
        )
    checked = [_assertion(check) for check in _of(finished.checks, dataset.name)]
    if checked:
        facet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions=checked)
        found["dataQualityAssertions"] = facet
    return found


def _of(checks: Sequence[CheckResult], dataset: str) -> list[CheckResult]:
    return [check for check in checks if check.dataset == dataset]


def _assertion(check: CheckResult) -> data_quality_assertions_dataset.Assertion:
    return data_quality_assertions_dataset.Assertion(
        assertion=check.kind,
        success=check.ok,
        name=check.check,
        severity="error" if check.on_failure == "park" else "warn",
        actual=None if check.failing_rows is None else str(check.failing_rows),
    )
