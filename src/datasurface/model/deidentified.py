"""From a datastore to its de-identified copy in one call: a workspace, its transformer, and the output datastore."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from datasurface.errors import ModelCallError
from datasurface.model.base import Noun
from datasurface.model.capture import Every
from datasurface.model.classification import (
    CPI,
    CSI,
    DEIDENTIFIED,
    MNPI,
    PC1,
    PC2,
    PC3,
    PII,
    PSEUDONYMISED,
    Classification,
)
from datasurface.model.convert import outer_frame, where
from datasurface.model.datastore import Datastore, Guard
from datasurface.model.deidentification import (
    HASH_KEY,
    TOKEN_LENGTH,
    DeIdentification,
    DeIdentifiedColumn,
    DeIdentifiedDataset,
    DeIdentify,
    Keep,
    KeyedHash,
    Redact,
    Tokenise,
    output_column,
)
from datasurface.model.infrastructure import Credential
from datasurface.model.schema import Column, Dataset
from datasurface.model.transformer import DataTransformer
from datasurface.model.types import String
from datasurface.model.vocabulary import CredentialKind, History, OutputMode
from datasurface.model.workspace import DatasetGroup, Workspace

__all__ = ["DEFAULT_METHODS", "deidentified"]

_MAPPING = "token_mapping"
DEFAULT_METHODS: Mapping[Classification, DeIdentification] = MappingProxyType(
    {
        MNPI: Redact(),
        PC3: Redact(),
        CSI: Redact(),
        PC2: Redact(),
        PII: Tokenise(),
        CPI: Tokenise(),
        PC1: Tokenise(),
    }
)
"""What is done by default to columns of these classifications; the first one that a column has decides."""


def deidentified(
    store: Datastore,
    *,
    name: str | None = None,
    methods: Mapping[Classification, DeIdentification] = DEFAULT_METHODS,
    columns: Mapping[str, DeIdentification] = MappingProxyType({}),
    datasets: Sequence[str] | None = None,
    key: Credential | str | None = None,
    every: Every | None = None,
    retention: str | None = None,
    approvals: Sequence[str] = (),
) -> Workspace:
    """Return the workspace that makes a de-identified copy of a datastore; its transformer's output is the copy.

    Args:
        store: What is copied.
        name: Of the workspace, its transformer and the copy; by default the store's with `_deidentified`.
        methods: What is done to columns, by classification; the first one that a column has decides.
        columns: What is done to single columns, by `dataset.column`, whatever their classification.
        datasets: Which datasets are copied; None for all.
        key: The credential, a token, whose secret keys the hashes.
        every: When it runs; None for whenever the store has changed.
        retention: How long ended versions of the store are kept; they hold values as they were.
        approvals: Groups that may read which token stands for which value: `"workspace.group:token_mapping"`.

    Raises:
        ModelCallError: a dataset or column is named that the store does not have, or a hash lacks its key.
    """
    maker = _Maker(store, name or f"{store.name}_deidentified", methods, columns)
    copied = maker.copies(datasets)
    hashed = [f"{d.name}.{c.name}" for d in copied for c in d.columns if isinstance(c.method, KeyedHash)]
    if hashed and key is None:
        raise ModelCallError(
            f"deidentified(…) hashes {hashed[0]} without a key{where()}", hint='give key="a credential"'
        )
    secret = Credential(key, kind=CredentialKind.TOKEN) if isinstance(key, str) else key
    secrets = {HASH_KEY: secret} if hashed and secret is not None else {}
    made = maker.workspace(copied, secrets=secrets, every=every, retention=retention, approvals=approvals)
    _place(made)
    return made


class _Maker:
    """Makes the parts of one copy."""

    def __init__(
        self,
        store: Datastore,
        name: str,
        methods: Mapping[Classification, DeIdentification],
        columns: Mapping[str, DeIdentification],
    ) -> None:
        self._store = store
        self._name = name
        self._methods = dict(methods)
        self._columns = dict(columns)
        known = {f"{d.name}.{c.name}" for d in store.datasets for c in d.columns}
        _require("column", self._columns, known)

    def copies(self, names: Sequence[str] | None) -> list[DeIdentifiedDataset]:
        """Return what is made of which dataset."""
        declared = {d.name: d for d in self._store.datasets}
        _require("dataset", names or (), set(declared))
        return [
            DeIdentifiedDataset(n, source=f"{self._store.name}.{n}", columns=list(self._disguised(declared[n])))
            for n in (declared if names is None else names)
        ]

    def workspace(
        self,
        copied: Sequence[DeIdentifiedDataset],
        *,
        secrets: Mapping[str, Credential],
        every: Every | None,
        retention: str | None,
        approvals: Sequence[str],
    ) -> Workspace:
        """Return the whole."""
        declared = {d.name: d for d in self._store.datasets}
        outputs = [self._output(declared[d.name], d) for d in copied]
        tokenised = [c for d in copied for c in d.columns if isinstance(c.method, Tokenise)]
        sources = [d.source for d in copied]
        groups = [DatasetGroup("inputs", sinks=sources, history=History.FULL, retention=retention)]
        mapping = None
        if tokenised:
            own = _mapping(_free(_MAPPING, declared), tokenised)
            outputs.append(own)
            mapping = f"{self._name}.{own.name}"
            groups.append(DatasetGroup("own", sinks=[mapping]))
        transformer = DataTransformer(
            self._name,
            code=DeIdentify(datasets=copied, mapping=mapping),
            output=Datastore(
                self._name,
                datasets=outputs,
                approvals=approvals,
                guard=Guard(max_deleted=1.0, allow_empty=True),
                production=self._store.production,
                doc=f"De-identified copy of {self._store.name}.",
            ),
            every=every,
            mode=OutputMode.CHANGES,
            secrets=secrets,
        )
        return Workspace(self._name, groups=groups, transformer=transformer, production=self._store.production)

    def _disguised(self, dataset: Dataset) -> Iterator[DeIdentifiedColumn]:
        """Yield what is done to the columns of a dataset."""
        for column in dataset.columns:
            all_of_it = (*dataset.classification, *column.classification)
            own = self._columns.get(f"{dataset.name}.{column.name}")
            method = own or next((m for c, m in self._methods.items() if c in all_of_it), Keep())
            if not isinstance(method, Keep):
                gone = [c for c in all_of_it if c in self._methods or (own and c in column.classification)]
                yield DeIdentifiedColumn(column.name, method=method, replaces=list(dict.fromkeys(gone)))

    def _output(self, dataset: Dataset, copied: DeIdentifiedDataset) -> Dataset:
        """Return a dataset of the copy: what disguised columns were is forgotten, all else is as it was."""
        disguised = {c.name: c for c in copied.columns}
        stays = [c for c in dataset.classification if c not in self._methods]
        moved = [c for c in dataset.classification if c in self._methods]
        columns = []
        for column in dataset.columns:
            done = disguised.get(column.name)
            if done is None:
                kept = [*moved, *column.classification]
                columns.append(
                    dataclasses.replace(column, source=column.name, classification=list(dict.fromkeys(kept)))
                )
            else:
                columns.append(_column(column, done))
        return Dataset(dataset.name, columns=columns, classification=stays, doc=dataset.doc)


def _column(column: Column, done: DeIdentifiedColumn) -> Column:
    kind, nullable = output_column(column, done.method)
    rest = [c for c in column.classification if c not in done.replaces]
    now = PSEUDONYMISED if isinstance(done.method, Tokenise | KeyedHash) else DEIDENTIFIED
    return Column(column.name, kind, key=column.key, nullable=nullable, classification=[*rest, now], doc=column.doc)


def _mapping(name: str, tokenised: Sequence[DeIdentifiedColumn]) -> Dataset:
    """Return the dataset of the tokens: its values are as sensitive as those they stand for."""
    sensitive = list(dict.fromkeys(c for column in tokenised for c in column.replaces))
    return Dataset(
        name,
        columns=[
            Column("digest", String(64), key=True, doc="SHA-256 of domain, kind of type and value."),
            Column("domain", String(128), nullable=False, doc="The columns in which the token stands for the value."),
            Column("value", String(), nullable=False, classification=sensitive, doc="As the database writes it."),
            Column("token", String(TOKEN_LENGTH), nullable=False, classification=[PSEUDONYMISED]),
        ],
        doc="Which token stands for which value, for as long as a row has it. Nobody else reads it without approval.",
    )


def _free(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name += "_"
    return name


def _require(kind: str, named: Sequence[str] | Mapping[str, object], known: set[str]) -> None:
    """Raise `ModelCallError` if something is named that there is not: it would stay as it is without a word."""
    for name in named:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise ModelCallError(f"deidentified(…) names the {kind} {name!r}, which is not there{where()}", hint=listed)


def _place(made: Workspace) -> None:
    """Have everything that was made stand where the model calls `deidentified`."""
    frame = outer_frame()
    if frame is None:
        return
    for part in _parts(made):
        if part.declared_at is None:
            object.__setattr__(part, "_made_in", frame.f_code)
            object.__setattr__(part, "_made_at", frame.f_lasti)


def _parts(workspace: Workspace) -> Iterator[Noun]:
    yield workspace
    yield from workspace.groups
    transformer = workspace.transformer
    if transformer is None:
        return
    yield from (transformer, transformer.code, transformer.output)
    for dataset in transformer.output.datasets:
        yield dataset
        yield from dataset.columns
    if isinstance(transformer.code, DeIdentify):
        for copied in transformer.code.datasets:
            yield copied
            yield from copied.columns
