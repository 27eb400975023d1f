"""The consumers: finance keeps every version of the prices for ten years, and of the customers two columns."""

from datasurface import DatasetGroup, DatasetSink, GitHubRepository, History, Priority, Team, Workspace

revenue = Workspace(
    "revenue",
    priority=Priority.HIGH,
    production=True,
    groups=[
        DatasetGroup(
            "months", sinks=["shop.order_details"], history=History.FULL, retention="10 years", regulator="HGB § 257"
        ),
        DatasetGroup("who", sinks=[DatasetSink("shop.customers", columns=["customer_id", "country"])]),
    ],
)
finance = Team("finance", owner=GitHubRepository("acme/finance"), workspaces=[revenue])
