"""The life of the embedded PostgreSQL server: where it lives, how it is made, started, found again and stopped.

A server belongs to one folder and outlives the command that started it. Nothing here knows of models or streams.
"""

from __future__ import annotations

from datasurface.runtime.local.binaries import client_path
from datasurface.runtime.local.place import folder_for
from datasurface.runtime.local.server import LocalServer, ensure_database, start, status, stop

__all__ = ["LocalServer", "client_path", "ensure_database", "folder_for", "start", "status", "stop"]
