"""What governance says of a stream, as its job tells it to monitoring and lineage. No part of any digest of the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from datasurface.model.base import EMPTY_MAPPING, Noun, noun
from datasurface.model.vocabulary import Latency

__all__ = ["DatasetLabels", "JobLabels"]


@noun
class DatasetLabels(Noun):
    """What governance says of one dataset.

    Attributes:
        dataset: The dataset's name.
        classifications: What all of it is classified as, sorted; one of a firm's own scheme as `scheme:name`.
        columns: What single columns are classified as besides; those that are not are left out.
        deprecated: Why it is deprecated; None if it is not.
        origins: For a query's output, the columns each column is made of, as `store.dataset.column`, sorted, as far as
            it is known.
    """

    dataset: str = field(kw_only=False)
    classifications: Sequence[str] = ()
    columns: Mapping[str, Sequence[str]] = EMPTY_MAPPING
    deprecated: str | None = None
    origins: Mapping[str, Sequence[str]] = EMPTY_MAPPING


@noun
class JobLabels(Noun):
    """What governance says of a stream.

    Attributes:
        owner: The repository whose owners may change it.
        production: Whether the datastore, or the workspace whose transformer makes it, is a production one.
        deprecated: Why the datastore is deprecated; None if it is not.
        latency: The tightest that anybody asks for.
        datasets: Those of which something is to be said, in the stream's order.
    """

    zone: str
    team: str
    owner: str
    production: bool = False
    deprecated: str | None = None
    latency: Latency = Latency.HOURS
    datasets: Sequence[DatasetLabels] = ()

    def dataset(self, name: str) -> DatasetLabels:
        """Return what is said of a dataset; nothing if it is not among them."""
        return next((found for found in self.datasets if found.dataset == name), DatasetLabels(name))

    @property
    def classifications(self) -> tuple[str, ...]:
        """Every classification of the stream's datasets and columns, sorted."""
        found = {name for d in self.datasets for name in d.classifications}
        found.update(name for d in self.datasets for names in d.columns.values() for name in names)
        return tuple(sorted(found))
