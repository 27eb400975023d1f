"""Alerts as files: Prometheus' rule groups, and a page of what they mean. Pure.

Rules are written as YAML of which every scalar is JSON, so that no text can be taken for anything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from datasurface.deploy.monitoring.rules import Alert

__all__ = ["rule_groups", "rule_labels", "runbook", "yaml_text"]

_GROUP = "datasurface"


def rule_groups(found: Sequence[Alert], group: str = _GROUP) -> dict[str, object]:
    """Return the alerts as Prometheus reads them."""
    return {"groups": [{"name": group, "rules": [_rule(alert) for alert in found]}]}


def rule_labels(alert: Alert) -> dict[str, str]:
    """Return the labels that a rule adds to those of its series."""
    return {"severity": alert.severity.value, "source": "datasurface"}


def runbook(found: Sequence[Alert], title: str) -> str:
    """Return a page that says of each alert what it means and what to do."""
    return "\n".join([f"# {title}", "", *(line for alert in found for line in _section(alert))])


def _section(alert: Alert) -> Iterator[str]:
    yield f"## {alert.name}"
    yield ""
    yield f"Severity: {alert.severity}. Fires after {alert.lasting}."
    yield ""
    yield alert.means
    yield ""
    yield f"What to do: {alert.remedy}"
    yield ""
    yield f"    {alert.query}"
    yield ""


def _rule(alert: Alert) -> dict[str, object]:
    return {
        "alert": alert.name,
        "expr": alert.query,
        "for": alert.lasting,
        "labels": rule_labels(alert),
        "annotations": {
            "summary": alert.summary,
            "description": alert.means,
            "runbook": alert.remedy,
        },
    }


def yaml_text(data: object, indent: int = 0) -> str:
    """Return plain data as YAML, in the order in which it comes."""
    return "".join(f"{' ' * indent}{line}\n" for line in _lines(data))


def _lines(data: object) -> Iterator[str]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from _headed(f"{_key(str(key))}:", value)
    elif isinstance(data, list | tuple) and data:
        for value in data:
            first, *rest = _lines(value)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield json.dumps(data, ensure_ascii=False)


def _headed(head: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple) and value:
        yield head
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{head} {json.dumps(value, ensure_ascii=False)}"


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and not name.isdigit() else json.dumps(name)
