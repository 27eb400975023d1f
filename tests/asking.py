"""The questions of docs/how-to/ask-the-model.md, a model that has an answer to each, and the answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ANSWERS", "MODEL", "Question", "questions"]

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "ask-the-model.md"
_SECTION = re.compile(r"^## (\d+)\. (.+?)\n\n\*(.+?)\.\*.*?```sql\n(.+?)```", re.MULTILINE | re.DOTALL)

MODEL = """
from datasurface import *
from datasurface import model_datastore, operations_datastore

CRM = SqliteDatabase("crm_db", path="crm.db", locations=["dc:usa/ny1"])
ERP = SqliteDatabase("erp_db", path="erp.db", locations=["dc:eu/fra1"])
EMAIL = String(80)
EXTRA = []

crm = Datastore(
    "crm",
    capture=Snapshot(CRM, every="5 minutes", consistency=Consistency.DATASET),
    production=True,
    datasets=[
        Dataset("customers", columns=[
            Column("customer_id", BigInt, key=True),
            Column("email", EMAIL, classification=[PII]),
            Column("country", String(2)),
            *EXTRA]),
        Dataset("orders", checks=[InRange("amount", at_most=10, on_failure=OnFailure.WARN)], columns=[
            Column("order_id", BigInt, key=True),
            Column("customer_id", BigInt),
            Column("amount", Decimal(12, 2))]),
        Dataset("leads", deprecated="use crm.customers", columns=[Column("lead_id", BigInt, key=True)]),
    ],
)
erp = Datastore(
    "erp",
    capture=Snapshot(ERP, every="1 hour"),
    datasets=[
        Dataset("stock", columns=[Column("item_id", BigInt, key=True), Column("amount", Integer)]),
        Dataset("items", columns=[Column("item_id", BigInt, key=True), Column("title", String(40))]),
    ],
)
margins = DataTransformer(
    "margins",
    code=SqlQueries({"daily": "SELECT order_id AS id, amount FROM crm_orders"}),
    output=Datastore("margins", datasets=[Dataset("daily", columns=[
        Column("id", BigInt, key=True), Column("amount", Decimal(12, 2))])]),
    secrets={"rates": "rates_api"},
)


def sales(*, transformed):
    consumed = ["margins.daily"] if transformed else []
    return Team(
        "sales",
        owner=GitHubRepository("acme/sales"),
        datastores=[crm],
        workspaces=[
            Workspace("reports", priority=Priority.CRITICAL, production=True, readers=READERS, groups=[
                DatasetGroup("live", sinks=[
                    "crm.orders", DatasetSink("crm.customers", columns=["customer_id", "country"]), *consumed]),
                DatasetGroup("audit", sinks=["crm.customers"], history=History.FULL, retention="7 years",
                    regulator="SEC"),
            ]),
            Workspace("maker", groups=[DatasetGroup("input", sinks=["crm.orders", "erp.stock"])], transformer=margins),
            Workspace("dashboard", priority=Priority.HIGH, groups=[DatasetGroup("all", sinks=[
                *consumed, DatasetSink("crm.leads", accept_deprecated=True)])]),
        ],
    )


READERS = ["ada"]


def create_ecosystem(*, transformed=True, platform=EmbeddedPostgres()):
    ask = Workspace("ask", groups=[
        DatasetGroup("model", history=History.FULL,
            sinks=[f"datasurface_model.{d.name}" for d in model_datastore().datasets]),
        DatasetGroup("operations", history=History.FULL, retention="2 years",
            sinks=["datasurface_security.access_changes",
                *(f"datasurface_operations.{d.name}" for d in operations_datastore().datasets)]),
    ])
    return Ecosystem(
        "acme",
        owner=GitHubRepository("acme/model"),
        vendors=[Vendor("dc", locations=["usa/ny1", "eu/fra1"])],
        platforms=[YellowPlatform("yellow", container=platform)],
        zones=[
            GovernanceZone("usa", teams=[sales(transformed=transformed), Team("analysts", workspaces=[ask])]),
            GovernanceZone("eu", owner=GitHubRepository("acme/eu"), teams=[Team("logistics", datastores=[erp])]),
        ],
    )
"""

ANSWERS: dict[int, list[tuple[object, ...]]] = {
    1: [("reports", "audit", "critical", "acme/sales")],
    2: [
        ("crm", "customers", "email", "platform yellow", "local", ""),
        ("crm", "customers", "email", "source", "crm_db", "dc:usa/ny1"),
    ],
    3: [("reports", "audit", "crm", "customers", "email", "ada")],
    4: [("erp", "items", "acme/eu")],
    5: [("crm.orders",), ("erp.stock",)],
    6: [
        ("reports", "live", "critical", True, "acme/sales"),
        ("dashboard", "all", "high", False, "acme/sales"),
        ("maker", "input", "medium", False, "acme/sales"),
    ],
    7: [
        ("yellow", "crm.customers", "reports", "critical"),
        ("yellow", "crm.leads", "dashboard", "high"),
        ("yellow", "crm.orders", "maker", "medium"),
        ("yellow", "crm.orders", "reports", "critical"),
    ],
    8: [("rates_api", "transformer", "maker")],
    9: [("dashboard", "all", "crm.leads", "use crm.customers", "acme/sales")],
    10: [("reports", "erp", "acme/eu"), ("reports", "margins", "acme/sales")],
    11: [("SEC", "crm.customers", "7 years", "yellow", "7 years")],
    12: [
        ("amount", "Decimal(12, 2)", "crm", "orders"),
        ("amount", "Integer", "erp", "stock"),
        ("amount", "Decimal(12, 2)", "margins", "daily"),
    ],
    13: [
        ("acme/eu", "main", "erp"),
        ("acme/sales", "main", "crm"),
        ("acme/sales", "main", "margins"),
    ],
    24: [("crm", "orders", "amount", "Decimal(12, 2)", "")],
}
"""The answers to the questions that the model alone can answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of the page.

    Attributes:
        needs: What it asks: `model`, `operations`, `history of the model` and so on.
    """

    number: int
    title: str
    needs: str
    sql: str


def questions() -> list[Question]:
    """Return every question of the page, in its order."""
    found = _SECTION.findall(PAGE.read_text())
    return [Question(number=int(number), title=title, needs=needs, sql=sql) for number, title, needs, sql in found]
