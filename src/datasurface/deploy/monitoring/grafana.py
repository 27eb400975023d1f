"""Dashboards as Grafana reads them: JSON that is the same for the same model. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from datasurface.deploy.monitoring.panels import Dashboard, Panel, Query, Variable

__all__ = ["dashboard_json"]

_SCHEMA = 39
_COLUMNS = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard_json(dashboard: Dashboard, uid: str) -> str:
    """Return a dashboard's JSON.

    Args:
        dashboard: What it shows.
        uid: What it is known by, at most 40 characters: imported again, it replaces the former one.
    """
    data = {
        "uid": uid,
        "title": dashboard.title,
        "tags": ["datasurface"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "schemaVersion": _SCHEMA,
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_data_source(), *(_variable(each) for each in dashboard.variables)]},
        "annotations": {"list": []},
        "panels": _placed(dashboard.panels),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _data_source() -> dict[str, object]:
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}


def _variable(variable: Variable) -> dict[str, object]:
    return {
        "type": "query",
        "name": variable.name,
        "label": variable.name.capitalize(),
        "datasource": _SOURCE,
        "query": f"label_values({variable.series}, {variable.name})",
        "refresh": 2,
        "sort": 1,
        "multi": variable.several,
        "includeAll": variable.several,
    }


def _placed(panels: Sequence[Panel]) -> list[dict[str, object]]:
    """Put the panels into rows, from left to right."""
    found: list[dict[str, object]] = []
    across, down, tallest = 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        if across + panel.width > _COLUMNS:
            across, down, tallest = 0, down + tallest, 0
        position = {"x": across, "y": down, "w": panel.width, "h": panel.height}
        found.append(_panel(panel, number, position))
        across += panel.width
        tallest = max(tallest, panel.height)
    return found


def _panel(panel: Panel, number: int, position: dict[str, int]) -> dict[str, object]:
    steps: list[dict[str, object]] = [{"color": "green", "value": None}]
    if panel.bad_from is not None:
        steps.append({"color": "red", "value": panel.bad_from})
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": _SOURCE,
        "gridPos": position,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": _options(panel),
        "targets": [_target(panel, query, index) for index, query in enumerate(panel.queries)],
    }


def _options(panel: Panel) -> dict[str, object]:
    if panel.kind == "stat":
        return {"colorMode": "background", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}}
    if panel.kind == "timeseries":
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return {"showHeader": True} if panel.kind == "table" else {"showValue": "never", "mergeValues": True}


def _target(panel: Panel, query: Query, index: int) -> dict[str, object]:
    table = panel.kind in {"table", "stat"}
    return {
        "refId": chr(ord("A") + index),
        "datasource": _SOURCE,
        "expr": query.promql,
        "legendFormat": query.legend or "__auto",
        "instant": table,
        "range": not table,
        "format": "table" if panel.kind == "table" else "time_series",
    }
