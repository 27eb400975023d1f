"""Collect the records of a whole release: every table's rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

from datasurface.release.bind import binding_of
from datasurface.release.records.base import Record
from datasurface.release.records.consumers import consumer_records
from datasurface.release.records.infrastructure import infrastructure_records
from datasurface.release.records.organization import organization_records, owner_records
from datasurface.release.records.pipelines import column_records, document_records, finding_records, pipeline_records
from datasurface.release.records.platforms import platform_records
from datasurface.release.records.producers import classification_records, producer_records
from datasurface.release.system import with_system
from datasurface.release.tables import TABLES, ReleaseRow

if TYPE_CHECKING:
    from datasurface.release.compile import Release

__all__ = ["each_key_once", "records_of"]


def records_of(release: Release, *, documents: bool = True) -> Iterator[Record]:
    """Yield every row of every table, also those whose key an earlier one has, where a model gives a name twice."""
    ecosystem = with_system(release.ecosystem)
    binding = binding_of(ecosystem, release.environment)
    return chain(
        [_release(release)],
        organization_records(ecosystem),
        owner_records(ecosystem),
        infrastructure_records(ecosystem, binding),
        producer_records(ecosystem, binding),
        classification_records(ecosystem),
        consumer_records(ecosystem),
        platform_records(ecosystem, binding),
        pipeline_records(ecosystem, release.graph, release.platforms, release.name_limits),
        column_records(release.column_lineage),
        finding_records(release.findings),
        document_records(ecosystem.name, release.model_json, release.platforms) if documents else (),
    )


def each_key_once(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records without those whose key an earlier one has."""
    keys = {table: itemgetter(*[c.name for c in table.__mapper__.primary_key]) for table in TABLES}
    seen: dict[object, set[object]] = {table: set() for table in TABLES}
    for table, values in records:
        key = keys[table](values)
        if key not in seen[table]:
            seen[table].add(key)
            yield table, values


def _release(release: Release) -> Record:
    return ReleaseRow, {
        "digest": release.digest,
        "ecosystem": release.ecosystem.name,
        "environment": release.environment,
        "format": release.format,
    }
