"""PostgreSQL: as a source and as a merge database. Importing this imports no driver."""

from __future__ import annotations

from datasurface.databases.postgres.adapter import ADAPTER

__all__ = ["ADAPTER"]
