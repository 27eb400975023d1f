"""IAM policies as far as preflight has to understand them: which actions on which resources statements allow.

Conditions are taken as met: whether they are is known only where the role is in use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from datasurface.deploy.aws.preflight.template import listed

__all__ = ["allows", "document_of", "matches", "statements_of"]


def document_of(value: Any) -> Mapping[str, Any]:
    """Return a policy that is given as an object or as its text; an empty one for what is neither."""
    if isinstance(value, Mapping):
        return value
    try:
        found = json.loads(str(value))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def statements_of(policy: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy."""
    for statement in listed(document_of(policy).get("Statement")):
        if isinstance(statement, Mapping):
            yield statement


def allows(statements: Iterable[Mapping[str, Any]], action: str, resource: str) -> bool:
    """Tell whether statements allow an action on a resource and none denies it."""
    found = [each for each in statements if _covers(each, "Action", action, ignore_case=True)]
    found = [each for each in found if _covers(each, "Resource", resource)]
    effects = {str(each.get("Effect")) for each in found}
    return "Allow" in effects and "Deny" not in effects


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Tell whether a pattern with `*` and `?` matches a value."""
    parts = re.split(r"([*?])", pattern)
    expression = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(expression, value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _covers(statement: Mapping[str, Any], element: str, value: str, *, ignore_case: bool = False) -> bool:
    if f"Not{element}" in statement:
        patterns = listed(statement[f"Not{element}"])
        return not any(matches(str(each), value, ignore_case=ignore_case) for each in patterns)
    return any(matches(str(each), value, ignore_case=ignore_case) for each in listed(statement.get(element)))
