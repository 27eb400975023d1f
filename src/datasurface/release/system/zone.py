"""The system's zone, and a model with it. A model that asks for nothing of it stays as it is."""

from __future__ import annotations

from functools import cache

from datasurface.model.ecosystem import Ecosystem, SystemZone, Team
from datasurface.model.effective import all_workspaces, sinks_of
from datasurface.names import SYSTEM
from datasurface.release.bind import replaced
from datasurface.release.system.stores import model_workspace, operations_workspace, security_workspace

__all__ = ["asks_for_system", "system_zone", "with_system"]

_TEAM = "system"
_PREFIX = f"{SYSTEM}_"


@cache
def system_zone() -> SystemZone:
    """Return the zone that every ecosystem has; the ecosystem owns it, because nobody is named as its owner."""
    team = Team(
        _TEAM, workspaces=[model_workspace(), operations_workspace(), security_workspace()], doc="DataSurface itself."
    )
    return SystemZone(SYSTEM, teams=[team], doc="What DataSurface adds to every ecosystem.")


def asks_for_system(ecosystem: Ecosystem) -> bool:
    """Tell whether anybody consumes one of the system's datastores."""
    for placed in all_workspaces(ecosystem):
        for group in placed.workspace.groups:
            for sink in sinks_of(group):
                if sink.dataset.startswith(_PREFIX):
                    return True
    return False


def with_system(ecosystem: Ecosystem, *, always: bool = False) -> Ecosystem:
    """Return the model with the system's zone if somebody consumes what is in it, else the model itself.

    The result is what to derive pipelines from; the user's model, its JSON form and its digest stay as they are.

    Args:
        ecosystem: A model; one that has the zone already is returned as it is.
        always: Whether it gets the zone also if nobody consumes anything of it, to be shown.
    """
    if not (always or asks_for_system(ecosystem)) or any(isinstance(zone, SystemZone) for zone in ecosystem.zones):
        return ecosystem
    return replaced(ecosystem, zones=[*ecosystem.zones, system_zone()])
