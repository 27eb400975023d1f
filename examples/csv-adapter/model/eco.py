"""Two CSV files, one workspace. Needs the adapter beside it: pip install ./examples/csv-adapter."""

from datasurface import *

files = FileStore("files", uri="data")

ecosystem = Ecosystem(
    "clinic",
    owner=LocalRepository("."),
    platforms=[YellowPlatform("yellow")],
    zones=[
        GovernanceZone(
            "home",
            teams=[
                Team(
                    "care",
                    datastores=[
                        Datastore(
                            "clinic",
                            capture=Snapshot(files, every="1 hour"),
                            datasets=[
                                Dataset(
                                    "patients",
                                    columns=[
                                        Column("patient_id", Integer, key=True),
                                        Column("name", String(40), nullable=False),
                                        Column("born", Date),
                                    ],
                                ),
                                Dataset(
                                    "invoices",
                                    columns=[
                                        Column("invoice_no", BigInt, key=True),
                                        Column("patient_id", Integer),
                                        Column("amount", Decimal(10, 2), source="Amount in EUR"),
                                    ],
                                ),
                            ],
                        )
                    ],
                    workspaces=[
                        Workspace(
                            "billing",
                            groups=[
                                DatasetGroup("live", sinks=["clinic.patients"]),
                                DatasetGroup("audit", sinks=["clinic.invoices"], history=History.FULL),
                            ],
                        )
                    ],
                )
            ],
        )
    ],
)
