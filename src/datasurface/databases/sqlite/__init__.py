"""SQLite: files as sources."""

from __future__ import annotations

from datasurface.databases.sqlite.adapter import ADAPTER

__all__ = ["ADAPTER"]
