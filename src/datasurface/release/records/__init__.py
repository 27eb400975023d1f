"""The rows of a release's tables, as records: computed from the model and its graph, topic by topic."""

from datasurface.release.records.base import Record, Value
from datasurface.release.records.collect import records_of

__all__ = ["Record", "Value", "records_of"]
