"""How a PostgreSQL server fares: its connections against the limit, and the size of the database."""

from __future__ import annotations

from sqlalchemy import Connection

from datasurface.databases.vitals import Vitals

__all__ = ["vitals"]

_QUERY = """
SELECT (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database),
       current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
       pg_database_size(current_database())
"""


def vitals(connection: Connection) -> Vitals:
    """Ask the server; any login may.

    It is asked as the login itself: the size is told only to who may connect, which the role that it works as need not.
    """
    look = connection.begin_nested()
    try:
        connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connections, most, size = connection.exec_driver_sql(_QUERY).one()
    finally:
        look.rollback()
    return Vitals(connections=int(connections), most_connections=int(most), size=int(size))
