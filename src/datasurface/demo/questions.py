"""What the demonstration asks once all is in place: each question with its SQL, and its answer as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

import psycopg

__all__ = ["AS_OF", "CONSUMERS", "DATASETS", "HISTORY", "LEDGER", "MODEL", "Answer", "Question", "ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: in words, and in SQL. The databases are new, so the first ingestion is batch 1."""

    title: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question and what the database said."""

    title: str
    sql: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def to_json(self) -> dict[str, object]:
        """Return the answer as `--json` prints it."""
        return {
            "title": self.title,
            "sql": self.sql,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
        }


CONSUMERS = (
    Question(
        title="Workspace board, group live: who leaves JFK first tomorrow, on 1 January 2014",
        sql="""
            SELECT f.sched_dep_time AS departs, f.carrier, f.flight, l.name AS airline,
                   coalesce(p.name, f.dest) AS destination
              FROM board_live.nyc_flights f
              JOIN board_live.nyc_airlines l USING (carrier)
              LEFT JOIN board_live.nyc_airports p ON p.faa = f.dest
             WHERE f.year = 2014 AND f.origin = 'JFK'
             ORDER BY f.sched_dep_time, f.carrier, f.flight
             LIMIT 5""",
    ),
    Question(
        title="Workspace fleet, group live: the planes of today, by manufacturer",
        sql="""
            SELECT manufacturer, count(*) AS planes, sum(seats) AS seats, min(year) AS oldest
              FROM fleet_live.nyc_planes
             GROUP BY manufacturer
             ORDER BY planes DESC, manufacturer
             LIMIT 5""",
    ),
    Question(
        title="Workspace fleet, group audit: the plane that was withdrawn, the airline that was renamed",
        sql="""
            SELECT 'plane ' || tailnum AS what, manufacturer || ' ' || model AS was,
                   ds_batch_in, ds_batch_out
              FROM fleet_audit.nyc_planes_history WHERE tailnum = 'N258JB'
             UNION ALL
            SELECT 'airline ' || carrier, name, ds_batch_in, ds_batch_out
              FROM fleet_audit.nyc_airlines_history WHERE carrier = 'FL'
             ORDER BY what DESC, ds_batch_in""",
    ),
    Question(
        title="Workspace delays, groups now and history: what rain at the airport does to departures",
        sql="""
            SELECT CASE WHEN w.precip = 0 THEN 'dry'
                        WHEN w.precip < 0.1 THEN 'rain' ELSE 'heavy rain' END AS weather,
                   count(*) AS flights,
                   round(avg(f.dep_delay), 1)::float AS average_delay,
                   round(100 * avg((f.dep_time IS NULL)::int), 1)::float AS percent_cancelled
              FROM delays_history.nyc_flights f
              JOIN delays_now.weather_hourly w USING (origin, time_hour)
             WHERE f.year = 2013
             GROUP BY weather
             ORDER BY average_delay""",
    ),
)

HISTORY = Question(
    title="The history of one flight: JetBlue 263 to Seattle flew, or so it was believed until batch 2",
    sql="""
        SELECT dep_time, arr_delay, ds_batch_in, ds_batch_out,
               date_trunc('second', ds_valid_from) AS ds_valid_from,
               date_trunc('second', ds_valid_to) AS ds_valid_to
          FROM delays_history.nyc_flights_history
         WHERE (year, month, day, origin, carrier, flight) = (2013, 12, 31, 'JFK', 'B6', 263)
         ORDER BY ds_batch_in""",
)

AS_OF = Question(
    title="Cancelled flights of 2013: as of the first batch, and now",
    sql="""
        SELECT count(*) FILTER (WHERE ds_batch_in <= 1
                                  AND (ds_batch_out > 1 OR ds_batch_out IS NULL)) AS as_of_batch_1,
               count(*) FILTER (WHERE ds_batch_out IS NULL) AS now
          FROM delays_history.nyc_flights_history
         WHERE dep_time IS NULL AND year = 2013""",
)

MODEL = (
    Question(
        title="Workspace stewards, group model: who sees what is INTERNAL, by the model's own tables",
        sql="""
            SELECT s.workspace, s.group_name, s.reference, count(*) AS columns, w.owner
              FROM stewards_model.datasurface_model_sinks s
              JOIN stewards_model.datasurface_model_workspaces w ON w.name = s.workspace
              JOIN stewards_model.datasurface_model_column_classifications c
                ON c.datastore = s.datastore AND c.dataset = s.dataset AND c.name = 'INTERNAL'
              LEFT JOIN stewards_model.datasurface_model_sink_columns k
                ON (k.workspace, k.group_name, k.reference, k."column")
                 = (s.workspace, s.group_name, s.reference, c."column")
             WHERE s.columns IS NULL OR k."column" IS NOT NULL
             GROUP BY s.workspace, s.group_name, s.reference, w.owner
             ORDER BY s.workspace, s.group_name, s.reference""",
    ),
    Question(
        title="Workspace stewards, group model: where the number of a plane is, and who sees it there",
        sql="""
            SELECT c.dataset, c.name AS "column", c.type, c.key, s.workspace, s.group_name
              FROM stewards_model.datasurface_model_columns c
              JOIN stewards_model.datasurface_model_sinks s
                ON s.datastore = c.datastore AND s.dataset = c.dataset
             WHERE c.datastore = 'nyc' AND c.name = 'tailnum'
               AND (s.columns IS NULL OR c.name IN (
                       SELECT k."column" FROM stewards_model.datasurface_model_sink_columns k
                        WHERE (k.workspace, k.group_name, k.reference)
                            = (s.workspace, s.group_name, s.reference)))
             ORDER BY c.dataset, s.workspace, s.group_name""",
    ),
)

LEDGER = Question(
    title="The ledger: every batch of every stream",
    sql="""
        SELECT stream, batch_id, state, rows_read, inserted, updated, deleted,
               round(extract(epoch FROM finished_at - started_at), 2)::float AS seconds
          FROM ds_yellow.batches
         ORDER BY stream, batch_id""",
)

DATASETS = Question(
    title="The ledger by dataset, of the second batches",
    sql="""
        SELECT stream, dataset, rows_read, inserted, updated, deleted
          FROM ds_yellow.batch_datasets
         WHERE batch_id = 2
         ORDER BY stream, dataset""",
)


def ask(connection: psycopg.Connection, question: Question) -> Answer:
    """Ask a question; the SQL in the answer is what was run."""
    statement = dedent(question.sql).strip()
    cursor = connection.execute(statement.encode())
    columns = tuple(column.name for column in cursor.description or ())
    return Answer(title=question.title, sql=statement, columns=columns, rows=tuple(cursor.fetchall()))
