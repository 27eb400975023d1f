"""The producers: a shop's tables, under the names that the shop gave them."""

from datasurface import (
    INTERNAL,
    PII,
    Access,
    BigInt,
    Column,
    Consistency,
    Dataset,
    Datastore,
    Decimal,
    GitHubRepository,
    Guard,
    Integer,
    PostgresDatabase,
    Snapshot,
    String,
    Team,
    Timestamp,
)

shop_db = PostgresDatabase(
    "shop_db",
    host="shop.acme.example",
    database="shop",
    schema="web",
    credential="shop_reader",
    connections=2,
    locations=["own:germany/fra1"],
)

customers = Dataset(
    "customers",
    source="Customers",
    classification=[PII],
    columns=[
        Column("customer_id", BigInt, key=True, source="CustomerID"),
        Column("name", String(80), nullable=False, source="FullName"),
        Column("country", String(2), source="Country"),
    ],
)
order_details = Dataset(
    "order_details",
    source=("archive", "Order Details"),
    classification=[INTERNAL],
    columns=[
        Column("order_id", BigInt, key=True, source="OrderID"),
        Column("position", Integer, key=True, source="Pos"),
        Column("price", Decimal(12, 2), nullable=False, source="Price"),
        Column("changed_at", Timestamp(tz=False), source="ChangedAt"),
    ],
    doc="One row an item. Closed years are in the schema archive too.",
)
shop = Datastore(
    "shop",
    capture=Snapshot(shop_db, every="15 minutes", consistency=Consistency.DATASET),
    datasets=[customers, order_details],
    access=Access.APPROVAL,
    approvals=["revenue.months", "revenue.who:customers"],
    guard=Guard(max_deleted=0.1, above_rows=500),
    production=True,
)
sales = Team("sales", owner=GitHubRepository("acme/sales"), datastores=[shop])
