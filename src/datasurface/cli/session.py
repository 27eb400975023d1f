"""What every verb knows: the model folder and the environment, given before or after the verb."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from datasurface.cli.output import write_document
from datasurface.model.ecosystem import Ecosystem

__all__ = ["Session", "json_option", "model_options", "print_json"]

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Session:
    """Where a verb works.

    Attributes:
        folder: The model folder, absolute.
        environment: The name of the environment that binds the model; None for the model as it is.
    """

    folder: Path
    environment: str | None

    def load(self) -> Ecosystem:
        """Load the model from its folder."""
        from datasurface.model.load import load  # noqa: PLC0415 - most verbs do not load a model

        return load(self.folder)


def model_options(function: _F) -> _F:
    """Add `-m/--model` and `-e/--environment`, and pass what they mean as `session`."""

    @click.option("-m", "--model", type=click.Path(path_type=Path), help="The model folder; DATASURFACE_MODEL.")
    @click.option("-e", "--environment", help="Which Environment binds the model; DATASURFACE_ENVIRONMENT.")
    @click.pass_context
    def wrapper(ctx: click.Context, /, *args: Any, model: Path | None, environment: str | None, **kwargs: Any) -> Any:
        given: Session | None = ctx.obj
        folder = model or (given.folder if given else Path(os.environ.get("DATASURFACE_MODEL") or "."))
        chosen = environment or (given.environment if given else os.environ.get("DATASURFACE_ENVIRONMENT") or None)
        return ctx.invoke(function, *args, session=Session(folder.absolute(), chosen), **kwargs)

    return cast("_F", functools.update_wrapper(wrapper, function))


def json_option(function: _F) -> _F:
    """Add `--json`, passed as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


def print_json(document: object) -> None:
    """Print the one document of a `--json` call to standard output."""
    write_document(json.dumps(document, indent=2, sort_keys=True, default=str, ensure_ascii=False))
