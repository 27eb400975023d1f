"""What CloudFormation stacks tell when they are made: the JSON of `aws cloudformation describe-stacks`, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from datasurface.errors import ConfigurationError

__all__ = ["outputs_of", "read_outputs"]


def read_outputs(text: str, *, source: str = "the outputs") -> dict[str, str]:
    """Return the outputs of all stacks in a text, by their keys; also an object of names and texts is understood.

    Raises:
        ConfigurationError: it is something else, or two stacks tell different things under one key.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{source} cannot be read as JSON: {error}") from error
    if isinstance(document, dict) and "Stacks" not in document and _only_texts(document):
        return document
    if not isinstance(document, dict) or not isinstance(document.get("Stacks"), list):
        raise ConfigurationError(
            f"{source} is not understood", hint="give it what `aws cloudformation describe-stacks` prints as JSON"
        )
    return outputs_of(document, source=source)


def outputs_of(document: Mapping[str, Any], *, source: str = "the outputs") -> dict[str, str]:
    """Return the outputs of all stacks that a call of `DescribeStacks` answers with, by their keys.

    Raises:
        ConfigurationError: two stacks tell different things under one key.
    """
    found: dict[str, str] = {}
    for stack in document["Stacks"]:
        for output in stack.get("Outputs") or ():
            key, value = str(output["OutputKey"]), str(output["OutputValue"])
            if found.setdefault(key, value) != value:
                raise ConfigurationError(
                    f"{source}: two stacks tell different things as {key!r}",
                    hint="give it the stacks of one environment only",
                )
    return dict(sorted(found.items()))


def _only_texts(document: Mapping[str, object]) -> bool:
    return all(isinstance(value, str) for value in document.values())
