"""The rows of a release's tables, as records: computed from the model and its graph, topic by topic."""

from datasurface.release.records.base import Record, Value
from datasurface.release.records.collect import each_key_once, records_of

__all__ = ["Record", "Value", "each_key_once", "records_of"]
