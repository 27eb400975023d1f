"""The model of a bench: the transformers under test as they are, and their inputs read from tables of the bench.

Everything between is real: what a test gives is the source of a stream like any other. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from datasurface.errors import ConfigurationError
from datasurface.model.capture import Snapshot
from datasurface.model.datastore import Datastore, Guard
from datasurface.model.ecosystem import Ecosystem, GovernanceZone, Team
from datasurface.model.effective import all_datastores, all_workspaces, sinks_of, split_reference
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.model.ownership import LocalRepository
from datasurface.model.platform import YellowPlatform
from datasurface.model.schema import Dataset
from datasurface.model.transformer import DataTransformer
from datasurface.model.vocabulary import Access, History
from datasurface.model.workspace import DatasetGroup, Workspace
from datasurface.names import is_system_name
from datasurface.release.bind import replaced
from datasurface.testing.home import CONTAINER

__all__ = ["GROUP", "chosen", "reader_name", "reduced"]

GROUP = "outputs"
"""The group in which the bench sees all outputs, with their history."""


def chosen(workspaces: Sequence[Workspace | str], model: Ecosystem | None) -> tuple[Workspace, ...]:
    """Return the workspaces under test: those given, those of a model by name, or all of a model that derive data.

    Raises:
        ConfigurationError: there is none, a name is unknown, or one derives nothing.
    """
    known = {w.workspace.name: w.workspace for w in all_workspaces(model)} if model else {}
    wanted = workspaces or [w for w in known.values() if w.transformer is not None]
    found = []
    for given in wanted:
        workspace = known.get(given) if isinstance(given, str) else given
        if workspace is None:
            raise ConfigurationError(f"there is no workspace {given!r}", hint=f"the model has {_listed(known)}")
        if workspace.transformer is None:
            raise ConfigurationError(f"workspace {workspace.name!r} has no transformer to test")
        found.append(workspace)
    if not found:
        raise ConfigurationError("there is no transformer to test", hint="give a workspace, or a model that has one")
    return tuple(found)


def reduced(
    name: str, workspaces: Sequence[Workspace], datastores: Sequence[Datastore], model: Ecosystem | None
) -> Ecosystem:
    """Return the ecosystem `name` of the transformers of `workspaces` alone.

    Its platform has the same name: the secrets of a platform's logins are kept with the server, which benches share.

    Raises:
        ConfigurationError: a datastore or dataset that they read is not known.
    """
    known = {p.datastore.name: p.datastore for p in all_datastores(model)} if model else {}
    known |= {d.name: d for d in datastores}
    reader = Workspace(
        reader_name(workspaces),
        groups=[DatasetGroup(GROUP, sinks=list(_outputs(workspaces)), history=History.FULL)],
    )
    team = Team(
        "bench",
        datastores=[_given(known, store, sorted(names)) for store, names in sorted(_inputs(workspaces).items())],
        workspaces=[*(_under_test(w, reader.name) for w in workspaces), reader],
    )
    return Ecosystem(
        name,
        owner=LocalRepository("."),
        platforms=[YellowPlatform(name, container=EmbeddedPostgres(CONTAINER))],
        zones=[GovernanceZone("bench", teams=[team])],
    )


def reader_name(workspaces: Sequence[Workspace]) -> str:
    """Return the name of the workspace in which the bench sees the outputs."""
    name = "bench"
    while name in {w.name for w in workspaces}:
        name += "_"
    return name


def _outputs(workspaces: Sequence[Workspace]) -> Iterator[str]:
    for workspace in workspaces:
        output = _transformer(workspace).output
        yield from (f"{output.name}.{dataset.name}" for dataset in output.datasets)


def _inputs(workspaces: Sequence[Workspace]) -> Mapping[str, set[str]]:
    """Return the datasets that have to be given, by datastore: what is read and no transformer under test writes."""
    derived = {_transformer(w).output.name for w in workspaces}
    found: dict[str, set[str]] = {}
    for workspace in workspaces:
        for group in workspace.groups:
            for sink in sinks_of(group):
                store, dataset = split_reference(sink.dataset) or (sink.dataset, "")
                if store not in derived and not is_system_name(store):
                    found.setdefault(store, set()).add(dataset)
    return found


def _given(known: Mapping[str, Datastore], name: str, datasets: Sequence[str]) -> Datastore:
    """Return an input as a datastore that is read from the bench's tables; nothing there is guarded or forbidden."""
    if name not in known:
        raise ConfigurationError(
            f"the transformer reads datastore {name!r}, which is not known here",
            hint="give it in datastores=, or the whole model in model=",
        )
    store = known[name]
    declared = {d.name: d for d in store.datasets}
    missing = [d for d in datasets if d not in declared]
    if missing:
        raise ConfigurationError(
            f"datastore {name!r} has no dataset {missing[0]!r}", hint=f"it has {_listed(declared)}"
        )
    return replaced(
        store,
        capture=Snapshot(EmbeddedPostgres(CONTAINER)),
        datasets=[_table(name, declared[dataset]) for dataset in datasets],
        access=Access.OPEN,
        approvals=(),
        guard=Guard(max_deleted=1.0, allow_empty=True),
        deprecated=None,
    )


def _table(store: str, dataset: Dataset) -> Dataset:
    columns = [replaced(c, source=c.name) for c in dataset.columns]
    return replaced(dataset, source=(f"given_{store}", dataset.name), columns=columns, checks=(), deprecated=None)


def _under_test(workspace: Workspace, reader: str) -> Workspace:
    """Return a workspace without what binds it to its own platform and consumers."""
    transformer = _transformer(workspace)
    output = replaced(transformer.output, access=Access.OPEN, approvals=(f"{reader}.{GROUP}",), deprecated=None)
    return replaced(
        workspace,
        groups=[replaced(g, platform=None) for g in workspace.groups],
        transformer=replaced(transformer, output=output),
        container=None,
        readers=(),
        deprecated=None,
    )


def _transformer(workspace: Workspace) -> DataTransformer:
    if workspace.transformer is None:
        raise ConfigurationError(f"workspace {workspace.name!r} has no transformer to test")
    return workspace.transformer


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "none"
