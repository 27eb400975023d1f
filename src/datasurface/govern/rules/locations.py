"""Locations: texts such as `vendor:usa/ny1` name a vendor of the model and a place that it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datasurface.govern.paths import shown, step
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope, closest
from datasurface.model.platform import LegacyPlatform, YellowPlatform

__all__ = ["locations"]

_FORM = 'write "vendor:place", such as "acme:usa/ny1"'


def locations(scope: Scope) -> Iterator[Finding]:
    """DS-R007: the locations of containers and platforms can be read, and exist if the model declares vendors."""
    places = _places(scope)
    holders: list[tuple[object, object, str, Sequence[str]]] = [
        (held.container, held.holder, held.path, held.container.locations)
        for held in (*scope.containers, *scope.stand_ins)
    ]
    holders.extend(
        (p, None, step("", "platform", p.name), p.locations)
        for p in scope.ecosystem.platforms
        if isinstance(p, YellowPlatform | LegacyPlatform)
    )
    for subject, holder, path, named in holders:
        for location in named:
            fault, hint = _fault(location, places)
            if fault:
                message = f"the location {location[:200]!r} {fault}"
                yield finding("DS-R007", subject, path, message, hint, holder=holder)


def _places(scope: Scope) -> dict[str, set[str]]:
    """Return each vendor's places, those that contain others too."""
    places: dict[str, set[str]] = {}
    for vendor in scope.ecosystem.vendors:
        own = places.setdefault(vendor.name, set())
        for location in vendor.locations:
            parts = location.split("/")[:32]
            own.update("/".join(parts[: n + 1]) for n in range(len(parts)))
            own.add(location)
    return places


def _fault(location: str, places: dict[str, set[str]]) -> tuple[str, str]:
    vendor, colon, place = location.partition(":")
    if not (vendor and colon and place):
        return "is not written vendor:place", _FORM
    if not places:
        return "", ""
    if vendor not in places:
        return f"names the vendor {shown(vendor)}, which is not declared", closest(vendor, places)
    if place not in places[vendor]:
        return f"is none of the vendor {shown(vendor)}", closest(place, places[vendor])
    return "", ""
