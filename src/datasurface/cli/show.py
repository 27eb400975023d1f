"""`datasurface show`: the model as a tree, or one object of it, with what it inherits marked."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.names import is_system_name
from datasurface.release.description import Described, Fact, describe, find

__all__ = ["command"]

_UNBOUNDED = 100_000
_WIDE = frozenset({"ecosystem", "zone", "team"})
"""Objects that are shown without the columns in them, and without the datasets of DataSurface's own datastores."""


@click.command("show")
@click.argument("path", required=False)
@json_option
@model_options
def command(*, session: Session, path: str | None, as_json: bool) -> int:
    r"""Show the model, or what PATH names: `crm`, `crm.orders`, `crm.orders.order_id`, `reports`, `reports.live`.

    A value marked * is inherited from the parent, the container or the platform.

    \b
    --json prints one document with the key `objects`: a list of objects, each with the keys
      kind, name, reference  what it is, and how to ask for it
      file, line             where the model says so
      facts                  its values by name
      inherited              the names of the values it inherits
      children               what it contains, objects of the same form
    """
    whole = describe(session.load(), environment=session.environment)
    objects = (whole,) if path is None else find(whole, path)
    if as_json:
        print_json({"objects": [found.to_json() for found in objects]})
        return 0
    console = Console(width=None if sys.stdout.isatty() else _UNBOUNDED, highlight=False)
    for found in objects:
        tree = Tree(_line(found))
        _grow(tree, found, columns=found.kind not in _WIDE)
        console.print(tree)
    return 0


def _grow(tree: Tree, shown: Described, *, columns: bool) -> None:
    if shown.kind == "datastore" and not columns and is_system_name(shown.name):
        return
    for child in shown.children:
        if columns or child.kind != "column":
            _grow(tree.add(_line(child)), child, columns=columns)


def _line(shown: Described) -> Text:
    line = Text(f"{shown.kind} ")
    line.append(shown.name, style="bold")
    facts = ", ".join(_fact(name, fact) for name, fact in shown.facts.items() if _worth_showing(fact))
    if facts:
        line.append(f"  {facts}", style="dim")
    return line


def _worth_showing(fact: Fact) -> bool:
    return fact.value is not None and fact.value is not False and fact.value != ()


def _fact(name: str, fact: Fact) -> str:
    mark = "*" if fact.inherited else ""
    if fact.value is True:
        return f"{name}{mark}"
    value = "+".join(fact.value) if isinstance(fact.value, tuple) else fact.value
    return f"{name} {value}{mark}"
