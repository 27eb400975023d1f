"""The model as a tree of its objects, with the values they inherit: what `datasurface show` renders. Pure."""

from datasurface.release.description.base import Described, Fact, FactValue, find
from datasurface.release.description.whole import describe

__all__ = ["Described", "Fact", "FactValue", "describe", "find"]
