"""An entire model: one table of a PostgreSQL database, and a team that wants it live and with its history."""

from datasurface import *

crm_db = PostgresDatabase("crm_db", host="db.acme.example", database="crm")

ecosystem = Ecosystem(
    "acme",
    owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow")],
    zones=[
        GovernanceZone(
            "usa",
            teams=[
                Team(
                    "sales",
                    datastores=[
                        Datastore(
                            "crm",
                            capture=Snapshot(crm_db, credential="crm_reader", every="5 minutes"),
                            datasets=[
                                Dataset(
                                    "orders",
                                    classification=[INTERNAL],
                                    columns=[
                                        Column("order_id", BigInt, key=True),
                                        Column("customer", String(80)),
                                        Column("placed_at", Timestamp),
                                    ],
                                )
                            ],
                        )
                    ],
                    workspaces=[
                        Workspace(
                            "reports",
                            groups=[
                                DatasetGroup("live", sinks=["crm.orders"]),
                                DatasetGroup("audit", sinks=["crm.orders"], history=History.FULL),
                            ],
                        )
                    ],
                )
            ],
        )
    ],
)
