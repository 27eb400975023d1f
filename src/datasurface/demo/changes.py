"""One day at the source: what its operators do on 1 January 2014, in one transaction, the same each time."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

__all__ = ["DAY", "Change", "make_changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happens at the source.

    Attributes:
        told: What happened, for people; `{rows}` stands for how many rows.
        dataset: The dataset that a consumer will see changed, `store.dataset`.
        action: What becomes of its rows: `inserted`, `updated` or `deleted`.
        statement: How the source's operators did it.
    """

    told: str
    dataset: str
    action: str
    statement: str


DAY = (
    Change(
        told="{rows} evening departures of JetBlue from JFK on 31 December turn out to have been cancelled",
        dataset="nyc.flights",
        action="updated",
        statement="""
            UPDATE flights
               SET dep_time = NULL, dep_delay = NULL, arr_time = NULL, arr_delay = NULL, air_time = NULL
             WHERE (year, month, day) = (2013, 12, 31) AND carrier = 'B6' AND origin = 'JFK'
               AND sched_dep_time >= 1800 AND dep_time IS NOT NULL""",
    ),
    Change(
        told="{rows} arrival delays of that day are corrected: three minutes less, the clocks were fast",
        dataset="nyc.flights",
        action="updated",
        statement="""
            UPDATE flights SET arr_delay = arr_delay - 3
             WHERE (year, month, day) = (2013, 12, 31) AND arr_delay > 0""",
    ),
    Change(
        told="{rows} flights are scheduled for 1 January 2014, as a week before",
        dataset="nyc.flights",
        action="inserted",
        statement="""
            INSERT INTO flights (year, month, day, sched_dep_time, sched_arr_time, carrier, flight, origin, dest,
                                 distance, hour, minute, time_hour)
            SELECT 2014, 1, 1, sched_dep_time, sched_arr_time, carrier, flight, origin, dest,
                   distance, hour, minute, time_hour + interval '168 hours'
              FROM flights WHERE (year, month, day) = (2013, 12, 25)""",
    ),
    Change(
        told="{rows} plane is withdrawn: N258JB, which had flown more often than any other of JetBlue",
        dataset="nyc.planes",
        action="deleted",
        statement="DELETE FROM planes WHERE tailnum = 'N258JB'",
    ),
    Change(
        told="{rows} airline is renamed: AirTran has become a part of Southwest",
        dataset="nyc.airlines",
        action="updated",
        statement="UPDATE airlines SET name = 'Southwest Airlines Co. (AirTran)' WHERE carrier = 'FL'",
    ),
    Change(
        told="{rows} readings of the weather come in late, for the evening of 30 December",
        dataset="weather.hourly",
        action="inserted",
        statement="""
            INSERT INTO meteo."Hourly Readings"
            SELECT origin, year, month, day + 1, hour, temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip,
                   pressure, visib, time_hour + interval '24 hours'
              FROM meteo."Hourly Readings" WHERE (month, day) = (12, 29) AND hour >= 19""",
    ),
)
"""In the order in which they happen: a cancelled flight has no delay to correct."""


def make_changes(uri: str) -> list[tuple[Change, int]]:
    """Make the day's changes in the source at `uri`; return each with the number of rows it changed."""
    with psycopg.connect(uri, sslmode="disable") as connection:
        return [(change, connection.execute(change.statement.encode()).rowcount) for change in DAY]
