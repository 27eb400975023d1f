"""Three teams: sales has customers and orders, finance cleans them and keeps each best share, analytics reports."""

from __future__ import annotations

from platform_of_test import PLATFORM

from datasurface import *
from datasurface import deidentified

ID = Column("id", BigInt, key=True)
CUSTOMERS = Dataset(
    "customers",
    classification=[INTERNAL],
    columns=[ID, Column("name", String(40), classification=[PII]), Column("city", String(20))],
)
ORDERS = Dataset("orders", columns=[ID, Column("customer", BigInt), Column("amount", Integer)])

crm = Datastore("crm", capture=Snapshot(SqliteDatabase("crm_db", path="crm.db")), datasets=[CUSTOMERS, ORDERS])
sales = Team("sales", datastores=[crm], workspaces=[deidentified(crm, datasets=["customers"])])

cleaning = Workspace(
    "cleaning",
    groups=[DatasetGroup("all", sinks=["crm.orders", "crm.customers"])],
    transformer=DataTransformer(
        "clean",
        code=SqlQueries("queries"),
        output=Datastore(
            "clean",
            datasets=[
                Dataset(
                    "orders",
                    columns=[ID, Column("customer", BigInt), Column("city", String(20)), Column("share", Integer)],
                )
            ],
        ),
    ),
)
best = Workspace(
    "best",
    groups=[DatasetGroup("orders", sinks=["clean.orders"]), DatasetGroup("before", sinks=["peaks.customers"])],
    transformer=DataTransformer(
        "remember",
        code=PythonModule("transforms.best:run"),
        secrets={"partner": "partner"},
        resources=Hint(memory="512Mi", timeout="20 seconds"),
        output=Datastore(
            "peaks",
            datasets=[Dataset("customers", columns=[ID, Column("best", Integer), Column("runs", Integer)])],
        ),
    ),
)
finance = Team("finance", workspaces=[cleaning, best])

warning = Workspace(
    "warning",
    groups=[DatasetGroup("all", sinks=["peaks.customers", "clean.orders"], history=History.FULL)],
    transformer=DataTransformer(
        "warn",
        code=PythonModule("transforms.warn:run"),
        mode=OutputMode.CHANGES,
        output=Datastore(
            "alerts",
            datasets=[Dataset("customers", columns=[ID, Column("best", Integer)])],
        ),
    ),
)
reporting = Workspace(
    "reporting",
    groups=[DatasetGroup("all", sinks=["clean.orders", "crm_deidentified.customers"])],
    transformer=DataTransformer(
        "report",
        code=DbtProject("projects/report"),
        output=Datastore(
            "report",
            datasets=[
                Dataset(
                    "cities",
                    columns=[
                        Column("city", String(20), key=True),
                        Column("orders", Integer),
                        Column("customers", Integer),
                        Column("shares", BigInt),
                    ],
                )
            ],
        ),
    ),
)
boards = Workspace(
    "boards",
    groups=[
        DatasetGroup(
            "all",
            sinks=[
                "clean.orders",
                "peaks.customers",
                "alerts.customers",
                "report.cities",
                "crm_deidentified.customers",
            ],
            history=History.FULL,
        )
    ],
)
analytics = Team("analytics", workspaces=[warning, reporting, boards])

ecosystem = Ecosystem(
    "acme",
    owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow", container=PLATFORM, credential=getattr(PLATFORM, "credential", None))],
    zones=[GovernanceZone("usa", teams=[sales, finance, analytics])],
)
