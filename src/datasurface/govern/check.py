"""Check a model: run every rule over it and collect all findings. Never raises, never depends on declaration order."""

from __future__ import annotations

from collections.abc import Collection

from datasurface.govern.capabilities import CapabilityMap
from datasurface.govern.code import NO_FACTS, CodeFacts
from datasurface.govern.report import Report
from datasurface.govern.rules import RULES
from datasurface.govern.scope import Scope
from datasurface.graph.build import build_graph
from datasurface.graph.nodes import Graph
from datasurface.model.binding import bound, environment_of
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.secret_stores import BUILT_IN_STORES

__all__ = ["check"]


def check(
    ecosystem: Ecosystem,
    capabilities: CapabilityMap,
    *,
    whole: Ecosystem | None = None,
    graph: Graph | None = None,
    environment: str | None = None,
    secret_stores: Collection[str] = BUILT_IN_STORES,
    code: CodeFacts = NO_FACTS,
) -> Report:
    """Return all findings about a model.

    Args:
        ecosystem: The model as it is declared.
        capabilities: What each installed database can do, by the DSL class of the container.
        whole: The model as the environment binds it, if the caller has it already.
        graph: The graph of `whole`, if the caller has it already.
        environment: The name of the environment that is to bind the model; None for the model as it is.
        secret_stores: The names of the installed secret stores.
        code: What is known of transformers' code besides the model.
    """
    if whole is None:
        whole = bound(ecosystem, environment_of(ecosystem, environment))
    graph = build_graph(whole) if graph is None else graph
    scope = Scope(whole, capabilities, graph, ecosystem, environment, frozenset(secret_stores), code)
    findings = [found for rule in RULES for found in rule(scope)]
    return Report.of(findings, names=scope.names, streams=len(scope.graph.streams))
