"""Keeps each customer's best share ever, and how many times it was looked at: what was before comes from itself."""

from __future__ import annotations

from datasurface import TransformerContext
from transforms.faults import fault


def run(context: TransformerContext) -> None:
    fault("best", "start")
    before = {row["id"]: row for row in context.input("peaks.customers").dicts()}
    now: dict[int, int] = {}
    for row in context.input("clean.orders").dicts():
        now[row["customer"]] = max(row["share"], now.get(row["customer"], row["share"]))
    fault("best", "read")
    rows = []
    for customer in sorted(now.keys() | before.keys()):
        known = before.get(customer, {"best": None, "runs": 0})
        values = [v for v in (known["best"], now.get(customer)) if v is not None]
        rows.append({"id": customer, "best": max(values), "runs": known["runs"] + 1})
    context.output("customers").write(rows[: len(rows) // 2])
    fault("best", "half")
    context.output("customers").write(rows[len(rows) // 2 :])
    fault("best", "written")
