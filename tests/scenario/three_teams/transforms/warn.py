"""Says which customers' best is above 100, from what changed alone."""

from __future__ import annotations

from datasurface import TransformerContext
from transforms.faults import fault

LIMIT = 100


def run(context: TransformerContext) -> None:
    fault("warn", "start")
    alerts = context.output("customers")
    changed = list(context.input("peaks.customers").changes.dicts())
    fault("warn", "read")
    above = [r for r in changed if r["ds_op"] != "D" and r["best"] > LIMIT]
    alerts.insert({"id": r["id"], "best": r["best"]} for r in above)
    fault("warn", "half")
    if not context.rebuild:
        alerts.delete({"id": r["id"]} for r in changed if r not in above)
    fault("warn", "written")
