"""Records of platforms, their replicas, and the rules that assign groups to them."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import platform_credential
from datasurface.model.infrastructure import Container
from datasurface.model.platform import Assign, Platform, PrimaryIngestion, YellowPlatform
from datasurface.model.secret_stores import store_label
from datasurface.release.bind import Binding, replaced
from datasurface.release.records.base import Record, declared, every_text, joined
from datasurface.release.tables import AssignmentRow, PlatformRow, ReplicaRow

__all__ = ["platform_records"]


def platform_records(ecosystem: Ecosystem, binding: Binding) -> Iterator[Record]:
    """Yield what runs the pipelines."""
    for unbound in ecosystem.platforms:
        platform = binding.platform(unbound)
        yield _platform(platform, binding)
        for replica in platform.replicas if isinstance(platform, YellowPlatform) else ():
            yield (
                ReplicaRow,
                {
                    "platform": platform.name,
                    "name": replica.name,
                    "container": replica.container.name,
                    "workspaces": joined(replica.workspaces),
                    "every": every_text(replica.every),
                    **declared(replica, platform),
                },
            )
    for position, rule in enumerate(ecosystem.assignments, start=1):
        yield _assignment(rule, position)


def _platform(platform: Platform, binding: Binding) -> Record:
    own = getattr(platform, "container", None)
    container = binding.container(own) if isinstance(own, Container) else None
    yellow = platform if isinstance(platform, YellowPlatform) else None
    credential = platform_credential(replaced(yellow, container=container)) if yellow else None
    return PlatformRow, {
        "name": platform.name,
        "kind": type(platform).__name__,
        "container": container.name if container else None,
        "credential": credential.name if credential else None,
        "histories": joined(h.value for h in getattr(platform, "histories", ())),
        "keep_batches": yellow.keep_batches if yellow else None,
        "secrets": joined(map(store_label, binding.secrets(yellow))) if yellow else None,
        "locations": joined(getattr(platform, "locations", ())),
        "doc": str(getattr(platform, "doc", "")),
        **declared(platform),
    }


def _assignment(rule: Assign | PrimaryIngestion, position: int) -> Record:
    assign = rule if isinstance(rule, Assign) else None
    return AssignmentRow, {
        "position": position,
        "kind": type(rule).__name__,
        "platform": rule.platform,
        "workspace": assign.workspace if assign else None,
        "group_name": assign.group if assign else None,
        "history": assign.history.value if assign and assign.history else None,
        "zone": assign.zone if assign else None,
        "status": assign.status.value if assign else None,
        "datastores": joined(rule.datastores) if isinstance(rule, PrimaryIngestion) else None,
        **declared(rule),
    }
