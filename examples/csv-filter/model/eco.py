"""Orders of at least 10, found by a program that knows nothing of databases."""

from datasurface_csv_filter import CsvFilter

from datasurface import *

orders = Dataset(
    "orders", columns=[Column("order_id", BigInt, key=True), Column("customer", String(80)), Column("amount", Integer)]
)
shop_db = PostgresDatabase("shop_db", host="db.acme.example", database="shop", credential="shop_reader")

ecosystem = Ecosystem(
    "acme",
    owner=LocalRepository("."),
    platforms=[YellowPlatform("yellow")],
    zones=[
        GovernanceZone(
            "usa",
            teams=[
                Team(
                    "sales",
                    datastores=[Datastore("shop", capture=Snapshot(shop_db), datasets=[orders])],
                    workspaces=[
                        Workspace(
                            "filtering",
                            groups=[DatasetGroup("all", sinks=["shop.orders"])],
                            transformer=DataTransformer(
                                "filter",
                                code=CsvFilter(["awk", "-F,", "$3 >= 10"]),
                                output=Datastore("large", datasets=[orders]),
                            ),
                        ),
                        Workspace("reports", groups=[DatasetGroup("live", sinks=["large.orders"])]),
                    ],
                )
            ],
        )
    ],
)
