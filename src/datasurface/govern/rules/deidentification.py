"""De-identification: keys stay keys, methods fit their columns, the copy is as it is declared, tokens stay closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from datasurface.govern.paths import shown, sink_path, step, workspace_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.rules.disguises import unfit
from datasurface.govern.scope import Scope
from datasurface.model.deidentification import (
    HASH_KEY,
    KEY_DIGITS,
    DeIdentification,
    DeIdentifiedColumn,
    DeIdentify,
    Generalise,
    KeyedHash,
    Redact,
    Tokenise,
    output_column,
)
from datasurface.model.effective import PlacedWorkspace, credential_of, sinks_of, split_reference
from datasurface.model.schema import Column, Dataset
from datasurface.model.transformer import DataTransformer
from datasurface.model.vocabulary import CredentialKind, History, OutputMode

__all__ = ["copies", "keys", "mappings", "methods"]


@dataclass(frozen=True, slots=True)
class _Disguised:
    """A column that is disguised, and where it stands."""

    path: str
    column: Column
    done: DeIdentifiedColumn


def keys(scope: Scope) -> Iterator[Finding]:
    """DS-I001: rows of the copy are told apart by their keys."""
    for found in _disguised(scope):
        method = found.done.method
        if not found.column.key:
            continue
        if isinstance(method, Redact | Generalise):
            message = (
                f"the key column {shown(found.column.name)} is {_words(method)}: different rows would have one key"
            )
            yield finding("DS-I001", found.done, found.path, message, "tokenise or hash it, or keep it")
        elif isinstance(method, KeyedHash) and method.length < KEY_DIGITS:
            message = f"{method.length} digits of a hash are too few for the key column {shown(found.column.name)}"
            yield finding("DS-I001", found.done, found.path, message, f"keep at least {KEY_DIGITS} of them")


def methods(scope: Scope) -> Iterator[Finding]:
    """DS-I002: a method can do what it says with values of the column's type."""
    for found in _disguised(scope):
        problem = unfit(found.done.method, found.column.data_type)
        if problem is not None:
            message = f"column {shown(found.column.name)}: {problem[0]}"
            yield finding("DS-I002", found.done, found.path, message, problem[1])


def mappings(scope: Scope) -> Iterator[Finding]:
    """DS-I003: which token stands for which value is read only by whom the copy's owner approves by name."""
    owners = {code.mapping: where for where, _transformer, code in _codes(scope) if code.mapping is not None}
    for sink in scope.sinks:
        owner = owners.get(sink.sink.dataset)
        if owner is None or owner.workspace.name == sink.placed.workspace.name:
            continue
        group = f"{sink.placed.workspace.name}.{sink.group.name}"
        output = owner.workspace.transformer.output if owner.workspace.transformer else None
        dataset = sink.sink.dataset.partition(".")[2]
        if output is not None and not {group, f"{group}:{dataset}"} & set(output.approvals):
            message = f"the tokens of {shown(owner.workspace.name)} are not approved for {group}"
            hint = f"approve it in datastore {output.name}: approvals=[{f'{group}:{dataset}'!r}]"
            path = sink_path(sink.placed, sink.group, sink.sink)
            yield finding("DS-I003", sink.sink, path, message, hint, holder=sink.group)


def copies(scope: Scope) -> Iterator[Finding]:
    """DS-I004: what the code is to make is what the transformer declares as its output."""
    for where, transformer, code in _codes(scope):
        path = step(workspace_path(where), "transformer", transformer.name)
        for message, hint in _mismatches(scope, where, transformer, code):
            yield finding("DS-I004", code, path, message, hint, holder=transformer)


def _mismatches(
    scope: Scope, where: PlacedWorkspace, transformer: DataTransformer, code: DeIdentify
) -> Iterator[tuple[str, str]]:
    outputs = {d.name: d for d in transformer.output.datasets}
    full = {s.dataset for g in where.workspace.groups if g.history is History.FULL for s in sinks_of(g)}
    read = {s.dataset for g in where.workspace.groups for s in sinks_of(g)}
    if transformer.mode is not OutputMode.CHANGES:
        yield "it copies what changed, but its transformer writes whole tables", "give it mode=OutputMode.CHANGES"
    for copied in code.datasets:
        if copied.source not in full:
            yield f"it copies {shown(copied.source)}, of which no group reads the history", "add it with History.FULL"
        source, output = _dataset(scope, copied.source), outputs.get(copied.name)
        if output is None:
            yield f"its output has no dataset {shown(copied.name)}", "add it, with the columns of the copy"
        elif source is not None:
            yield from _columns(source, output, {c.name: c.method for c in copied.columns})
    used = [c.method for d in code.datasets for c in d.columns]
    secret = credential_of(transformer.secrets.get(HASH_KEY))
    if any(isinstance(m, KeyedHash) for m in used) and (secret is None or secret.kind is not CredentialKind.TOKEN):
        yield "it hashes, and has no key", f'give it secrets={{"{HASH_KEY}": Credential(…, kind=CredentialKind.TOKEN)}}'
    if any(isinstance(m, Tokenise) for m in used) and (code.mapping is None or code.mapping not in read):
        yield "it tokenises, and has no mapping that it reads again", "make it with deidentified(…)"


def _columns(source: Dataset, output: Dataset, methods: Mapping[str, DeIdentification]) -> Iterator[tuple[str, str]]:
    """Yield how an output differs from what the code makes of its source."""
    hint = "make it with deidentified(…), or correct the columns"
    declared = {c.name: c for c in source.columns}
    there = {c.name: c for c in output.columns}
    for name in sorted((declared.keys() ^ there.keys()) | (methods.keys() - declared.keys())):
        yield f"column {shown(name)} of {shown(output.name)} is not in both the source and the copy", hint
    for name in sorted(declared.keys() & there.keys()):
        column, made = declared[name], there[name]
        method = methods.get(name)
        kind, nullable = (column.data_type, column.nullable) if method is None else output_column(column, method)
        if made.data_type != kind or made.key != column.key or (nullable and not made.nullable):
            yield f"column {shown(name)} of {shown(output.name)} is not as it is made: {kind.spelled()}", hint


def _disguised(scope: Scope) -> Iterator[_Disguised]:
    for where, transformer, code in _codes(scope):
        path = step(workspace_path(where), "transformer", transformer.name)
        for copied in code.datasets:
            source = _dataset(scope, copied.source)
            columns = {c.name: c for c in source.columns} if source else {}
            for done in copied.columns:
                if done.name in columns:
                    place = step(step(path, "dataset", copied.name), "column", done.name)
                    yield _Disguised(place, columns[done.name], done)


def _codes(scope: Scope) -> Iterator[tuple[PlacedWorkspace, DataTransformer, DeIdentify]]:
    for where in scope.workspaces:
        transformer = where.workspace.transformer
        if transformer is not None and isinstance(transformer.code, DeIdentify):
            yield where, transformer, transformer.code


def _dataset(scope: Scope, reference: str) -> Dataset | None:
    store, name = split_reference(reference) or ("", "")
    return next((d for p in scope.stores.get(store, ()) for d in p.datastore.datasets if d.name == name), None)


def _words(method: DeIdentification) -> str:
    return "redacted" if isinstance(method, Redact) else "generalised"
