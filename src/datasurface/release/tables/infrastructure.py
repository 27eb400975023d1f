"""Tables of where data lives: vendors, locations, containers and the names of credentials. Never a secret."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy.orm import Mapped, mapped_column

from datasurface.release.tables.base import Declared, Table, documentation

__all__ = ["ContainerRow", "CredentialRow", "LocationRow", "VendorRow"]


class VendorRow(Declared, Table):
    """Vendors: who runs machines."""

    __tablename__ = "vendor"
    published: ClassVar[str] = "vendors"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Its name.")
    cloud: Mapped[str] = mapped_column(comment="Who really runs the machines: `private`, `aws` and so on.")
    doc: Mapped[str] = documentation()


class LocationRow(Declared, Table):
    """Locations of the vendors."""

    __tablename__ = "location"
    published: ClassVar[str] = "locations"

    vendor: Mapped[str] = mapped_column(primary_key=True, comment="Refers to `vendor.name`.")
    path: Mapped[str] = mapped_column(primary_key=True, comment="Such as `usa/ny1`.")
    reference: Mapped[str] = mapped_column(comment="As containers and policies name it: `vendor:usa/ny1`.")


class ContainerRow(Declared, Table):
    """Databases and other containers that the model mentions."""

    __tablename__ = "container"
    published: ClassVar[str] = "containers"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Unique for its settings.")
    kind: Mapped[str] = mapped_column(comment="Such as `PostgresDatabase`.")
    address: Mapped[str | None] = mapped_column(comment="Host and port, path, account, URI or servers.")
    database: Mapped[str | None] = mapped_column(comment="The database or service there.")
    schema: Mapped[str | None] = mapped_column(comment="Where tables are unless a dataset says otherwise.")
    credential: Mapped[str | None] = mapped_column(comment="Refers to `credential.name`.")
    connections: Mapped[int | None] = mapped_column(comment="How many connections may be used at once.")
    locations: Mapped[str] = mapped_column(comment="References to `location.reference`, joined by `, `.")


class CredentialRow(Declared, Table):
    """Names of secrets; the position is that of the first object that uses it."""

    __tablename__ = "credential"
    published: ClassVar[str] = "credentials"

    name: Mapped[str] = mapped_column(primary_key=True, comment="Its name.")
    kind: Mapped[str] = mapped_column(comment="`password`, `token`, `key_pair` or `certificate`.")
