"""Policies of governance zones: all of a zone's hold for all that the zone owns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from datasurface.model.base import Noun, noun
from datasurface.model.classification import Classification
from datasurface.model.vocabulary import Cloud

__all__ = [
    "AllowedClassifications",
    "AllowedClouds",
    "AllowedLocations",
    "AllowedPlatforms",
    "AllowedVendors",
    "ForbiddenClassifications",
    "ForbiddenLocations",
    "Policy",
    "RequiredRetention",
    "RequiredStorage",
]


class Policy(Noun):
    """A condition on everything that a zone owns."""

    __slots__ = ()


@noun
class AllowedClassifications(Policy):
    """Only data of these classifications."""

    classifications: Sequence[Classification] = field(kw_only=False)
    doc: str = ""


@noun
class ForbiddenClassifications(Policy):
    """No data of these classifications."""

    classifications: Sequence[Classification] = field(kw_only=False)
    doc: str = ""


@noun
class AllowedLocations(Policy):
    """Only at these locations and what lies within them: `"vendor:usa"` allows `"vendor:usa/ny1"`."""

    locations: Sequence[str] = field(kw_only=False)
    doc: str = ""


@noun
class ForbiddenLocations(Policy):
    """Not at these locations, nor at what lies within them."""

    locations: Sequence[str] = field(kw_only=False)
    doc: str = ""


@noun
class AllowedVendors(Policy):
    """Only on machines of these vendors, by name."""

    vendors: Sequence[str] = field(kw_only=False)
    doc: str = ""


@noun
class AllowedClouds(Policy):
    """Only on machines that are really run by these clouds."""

    clouds: Sequence[Cloud] = field(kw_only=False)
    doc: str = ""


@noun
class AllowedPlatforms(Policy):
    """Only on these platforms, by name."""

    platforms: Sequence[str] = field(kw_only=False)
    doc: str = ""


@noun
class RequiredStorage(Policy):
    """What every container must offer."""

    encryption: bool = True
    doc: str = ""


@noun
class RequiredRetention(Policy):
    """How long closed versions must be kept at least, such as `"7 years"`."""

    retention: str = field(kw_only=False)
    doc: str = ""
