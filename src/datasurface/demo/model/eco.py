"""The flights that left New York City in 2013, as a DataSurface model.

This file is all that anybody wrote: it says what data there is, who needs it and how. The tables, the reads, the
merges, the histories and the views that `datasurface demo` shows are derived from it. Change it, and then, in this
folder:

    datasurface check         what DataSurface thinks of your change
    datasurface plan          what it would do to the running system
    datasurface apply         do it
    datasurface run --once    bring every consumer up to date
"""

from datasurface import *

# Where the data is: a database of the airports' operators. Here it runs on your machine; to read a real one, say
# PostgresDatabase("airport", host="db.example", database="airport") and change nothing else.
airport = EmbeddedPostgres("airport", database="airport")

# ---- the team `operations` has the flights, and two consumers of its own -------------------------------------------

nyc = Datastore(
    "nyc",
    doc="Departures from EWR, JFK and LGA, with the airlines, airports and planes that they name.",
    capture=Snapshot(airport, every="5 minutes"),
    datasets=[
        Dataset(
            "flights",
            doc="One row a scheduled departure. No departure time: not departed, or cancelled.",
            classification=[INTERNAL],
            columns=[
                Column("year", Integer, key=True),
                Column("month", Integer, key=True),
                Column("day", Integer, key=True),
                Column("carrier", String(2), key=True),
                Column("flight", Integer, key=True),
                Column("origin", String(3), key=True),  # some flights leave two airports under one number on one day
                Column("dest", String(3), nullable=False),
                Column("tailnum", String(6)),
                Column("sched_dep_time", Integer, nullable=False, doc="Local time, hhmm"),
                Column("dep_time", Integer),
                Column("dep_delay", Integer, doc="Minutes; negative if early"),
                Column("sched_arr_time", Integer, nullable=False),
                Column("arr_time", Integer),
                Column("arr_delay", Integer),
                Column("air_time", Integer, doc="Minutes"),
                Column("distance", Integer, nullable=False, doc="Miles"),
                Column("time_hour", Timestamp, nullable=False, doc="The scheduled hour; finds the weather"),
            ],
        ),
        Dataset(
            "airlines",
            classification=[PUBLIC],
            columns=[Column("carrier", String(2), key=True), Column("name", String(80), nullable=False)],
        ),
        Dataset(
            "airports",
            classification=[PUBLIC],
            columns=[
                Column("faa", String(3), key=True),
                Column("name", String(80), nullable=False),
                Column("latitude", Float64, nullable=False, source="lat"),  # our name, and theirs
                Column("longitude", Float64, nullable=False, source="lon"),
                Column("altitude", Integer, nullable=False, source="alt", doc="Feet"),
                Column("tzone", String(40)),
            ],
        ),
        Dataset(
            "planes",
            classification=[INTERNAL],
            columns=[
                Column("tailnum", String(6), key=True),
                Column("year", Integer, doc="Of manufacture"),
                Column("type", String(40), nullable=False),
                Column("manufacturer", String(60), nullable=False),
                Column("model", String(40), nullable=False),
                Column("engines", Integer, nullable=False),
                Column("seats", Integer, nullable=False),
            ],
        ),
    ],
)

# The departures board wants only what is true now, as soon as it can have it.
board = Workspace(
    "board",
    doc="The departures board in the terminals.",
    priority=Priority.HIGH,
    groups=[DatasetGroup("live", sinks=["nyc.flights", "nyc.airlines", "nyc.airports"], latency=Latency.MINUTES)],
)

# Maintenance looks at the planes of today, and has to prove which it had at any time in the last seven years.
fleet = Workspace(
    "fleet",
    doc="Maintenance of planes.",
    groups=[
        DatasetGroup("live", sinks=["nyc.planes"]),
        DatasetGroup("audit", sinks=["nyc.planes", "nyc.airlines"], history=History.FULL, retention="7 years"),
    ],
)

# ---- the team `meteorology` has the weather, and studies what it does to flights -----------------------------------

weather = Datastore(
    "weather",
    doc="What the instruments at the three airports read.",
    capture=Snapshot(airport, every="1 hour"),
    datasets=[
        Dataset(
            "hourly",
            source=("meteo", "Hourly Readings"),  # another schema there, and a name that must be quoted
            classification=[PUBLIC],
            columns=[
                # Not the local hour: on 3 November, as summer time ended, there were two hours called 1.
                Column("origin", String(3), key=True),
                Column("time_hour", Timestamp, key=True),
                Column("temp", Float64, doc="Fahrenheit"),
                Column("humid", Float64, doc="Relative, percent"),
                Column("wind_dir", Integer, doc="Degrees"),
                Column("wind_speed", Float64, doc="Miles an hour"),
                Column("precip", Float64, nullable=False, doc="Inches"),
                Column("pressure", Float64, doc="Millibars"),
                Column("visib", Float64, nullable=False, doc="Miles"),
            ],
        ),
    ],
)

# Researchers need the weather as it is, and every version of every flight: what was believed, and when.
delays = Workspace(
    "delays",
    doc="Research on delays and their causes.",
    groups=[
        DatasetGroup("now", sinks=["weather.hourly", "nyc.airports"]),
        DatasetGroup("history", sinks=["nyc.flights"], history=History.FULL),
    ],
)

# ---- the team `governance` asks the model itself: what data there is, who consumes it, why it is carried -------------

stewards = Workspace(
    "stewards",
    doc="Those who answer for what is done with data.",
    groups=[
        DatasetGroup(
            "model",  # DataSurface adds the datastore `datasurface_model` to every model
            sinks=[
                f"datasurface_model.{table}"
                for table in ("datasets", "columns", "column_classifications", "workspaces", "sinks", "sink_columns")
            ],
            history=History.FULL,
        )
    ],
)

# ---- all of it -------------------------------------------------------------------------------------------------------

ecosystem = Ecosystem(
    "nyc_flights",
    owner=GitHubRepository("example/model"),
    platforms=[YellowPlatform("yellow")],  # with no container given, a database that DataSurface runs by itself
    zones=[
        GovernanceZone(
            "usa",
            teams=[
                Team(
                    "operations",
                    owner=GitHubRepository("example/operations"),
                    datastores=[nyc],
                    workspaces=[board, fleet],
                ),
                Team(
                    "meteorology",
                    owner=GitHubRepository("example/meteorology"),
                    datastores=[weather],
                    workspaces=[delays],
                ),
                Team("governance", owner=GitHubRepository("example/governance"), workspaces=[stewards]),
            ],
        )
    ],
)
