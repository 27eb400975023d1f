"""Records of vendors, locations, containers and the names of credentials."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.model.base import Noun
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import all_containers, all_datastores, all_workspaces, credential_of
from datasurface.model.infrastructure import Container, Credential, CredentialLike
from datasurface.release.bind import Binding
from datasurface.release.records.base import Record, declared, joined
from datasurface.release.tables import ContainerRow, CredentialRow, LocationRow, VendorRow

__all__ = ["infrastructure_records"]

_ADDRESSES = ("path", "uri", "account", "catalog")


def infrastructure_records(ecosystem: Ecosystem, binding: Binding) -> Iterator[Record]:
    """Yield where data lives, what stands in for it in environments included."""
    for vendor in ecosystem.vendors:
        place = declared(vendor)
        yield VendorRow, {"name": vendor.name, "cloud": vendor.cloud.value, "doc": vendor.doc, **place}
        for path in vendor.locations:
            reference = f"{vendor.name}:{path}"
            yield LocationRow, {"vendor": vendor.name, "path": path, "reference": reference, **place}
    containers = {id(c): c for c in (*all_containers(ecosystem), *_stand_ins(ecosystem))}
    for container in containers.values():
        yield _container(container, binding)
    for credential, user in _credentials(ecosystem, list(containers.values())):
        yield CredentialRow, {"name": credential.name, "kind": credential.kind.value, **declared(user)}


def _stand_ins(ecosystem: Ecosystem) -> Iterator[Container]:
    for environment in ecosystem.environments:
        yield from environment.containers.values()
        for platform in environment.platforms:
            container = getattr(platform, "container", None)
            if isinstance(container, Container):
                yield container


def _container(container: Container, binding: Binding) -> Record:
    credential = credential_of(getattr(container, "credential", None))
    filled = binding.with_database(container)
    return ContainerRow, {
        "name": container.name,
        "kind": type(container).__name__,
        "address": _address(container),
        "database": getattr(filled, "database", None) or getattr(filled, "service", None),
        "schema": getattr(container, "schema", None),
        "credential": credential.name if credential else None,
        "connections": getattr(container, "connections", None),
        "locations": joined(container.locations),
        **declared(container),
    }


def _address(container: Container) -> str | None:
    host = getattr(container, "host", None)
    if host is not None:
        return f"{host}:{getattr(container, 'port', '')}"
    servers = getattr(container, "servers", None)
    if servers is not None:
        return joined(servers)
    found = (getattr(container, name, None) for name in _ADDRESSES)
    return next((str(value) for value in found if value is not None), None)


def _credentials(ecosystem: Ecosystem, containers: list[Container]) -> Iterator[tuple[Credential, Noun]]:
    """Yield every credential with the object that uses it."""
    for user, value in _credential_fields(ecosystem, containers):
        credential = credential_of(value)
        if credential is not None:
            yield credential, user


def _credential_fields(ecosystem: Ecosystem, containers: list[Container]) -> Iterator[tuple[Noun, CredentialLike]]:
    users: list[Noun] = [*containers, *ecosystem.platforms]
    users += [p for e in ecosystem.environments for p in e.platforms]
    users += [p.datastore.capture for p in all_datastores(ecosystem) if p.datastore.capture is not None]
    for user in users:
        yield user, getattr(user, "credential", None)
    for placed in all_workspaces(ecosystem):
        transformer = placed.workspace.transformer
        for value in transformer.secrets.values() if transformer else ():
            yield placed.workspace, value
