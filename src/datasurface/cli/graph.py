"""`datasurface graph`: print the pipelines derived from the model."""

from __future__ import annotations

import click

from datasurface.cli.session import Session, json_option, model_options, print_json
from datasurface.graph.build import build_graph
from datasurface.graph.render import document, dot, mermaid, text
from datasurface.release.bind import binding_of
from datasurface.release.system import with_system

__all__ = ["command"]

_RENDERERS = {"text": text, "mermaid": mermaid, "dot": dot}


@click.command("graph")
@click.option(
    "--format",
    "form",
    type=click.Choice([*_RENDERERS, "json"]),
    default="text",
    show_default=True,
    help="A text, a Mermaid flowchart, a Graphviz DOT digraph, or JSON.",
)
@json_option
@model_options
def command(session: Session, form: str, as_json: bool) -> int:
    """Print the pipelines derived from the model, from sources to consumers."""
    ecosystem = session.load()
    bound = binding_of(ecosystem, session.environment).model(ecosystem)
    graph = build_graph(with_system(bound, always=True))
    if as_json or form == "json":
        print_json(document(graph))
    else:
        click.echo(_RENDERERS[form](graph), nl=False)
    return 0
