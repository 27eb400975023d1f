"""What a transformer's function is given: its inputs, the outputs it writes, parameters, secrets, and a logger.

A function that derives data takes one argument, a `TransformerContext`, and writes to its outputs. Everything it
writes becomes visible together, when it returns, or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from datasurface.databases.code import CodeSession
from datasurface.release.job import InputDataset
from datasurface.secrets.base import Secret
from datasurface.transform.inputs import Input
from datasurface.transform.instruction import InputState, Instruction
from datasurface.transform.named import Named
from datasurface.transform.outputs import Output

__all__ = ["TransformerContext"]


class TransformerContext:
    """The world of one run of a transformer.

    Attributes:
        name: The transformer's name.
        workspace: The name of the workspace it belongs to.
        outputs: What it writes, by the dataset's name.
        params: What the model tells it.
        secrets: The secrets that the model declares for it, by the name it gives them.
        batches: The number of the batch up to which each input is read, by `store.dataset`; None before the first.
        rebuild: Whether its output is to be made anew: it never ran, or other code made what is there. Then what it
            writes is the whole output, also where it usually writes changes.
        login: Its login to the database, for code that connects by itself.
        work_schema: Where such code may make tables of its own; None for kinds of code that do not ask for that.
        log: Its logger; what it logs and prints is found in the log of the platform.
    """

    def __init__(self, instruction: Instruction, session: CodeSession) -> None:
        spec = instruction.job.transformer
        if spec is None:
            raise ValueError(f"stream {instruction.job.stream} is no transformer's output")
        self._session = session
        self.name = spec.name
        self.workspace = spec.workspace
        self.params: Mapping[str, str | bool | int | float] = MappingProxyType(dict(spec.params))
        self.secrets: Named[Secret] = Named("secret", instruction.secrets)
        self.rebuild = instruction.rebuild
        self.login = instruction.login
        self.work_schema = instruction.work
        self.batches: Mapping[str, int | None] = MappingProxyType(
            {name: state.batch for name, state in instruction.inputs.items()}
        )
        self.log = logging.getLogger(f"transformer.{spec.workspace}")
        self._inputs = _by_group(spec.inputs, instruction, session)
        self.outputs: Named[Output] = _outputs(instruction, session)

    @property
    def inputs(self) -> Named[Named[Input]]:
        """What it reads: first by the group of its workspace, then by `store.dataset`."""
        return self._inputs

    def input(self, dataset: str, *, group: str | None = None) -> Input:
        """Return an input by its `store.dataset`; `group` is needed only if several groups have it.

        Raises:
            LookupError: it is none of the declared inputs, or several groups have it; the message names them.
        """
        if group is not None:
            return self._inputs[group][dataset]
        holders = [name for name, found in self._inputs.items() if dataset in found]
        if len(holders) > 1:
            raise LookupError(f"input {dataset!r} is in the groups {', '.join(holders)}: say which with group=")
        if not holders:
            declared = sorted({name for found in self._inputs.values() for name in found})
            raise LookupError(f"no input {dataset!r} is declared; declared are {', '.join(declared) or 'none'}")
        return self._inputs[holders[0]][dataset]

    def output(self, dataset: str) -> Output:
        """Return an output by its dataset's name.

        Raises:
            LookupError: the model declares no such dataset; the message names those it does.
        """
        return self.outputs[dataset]

    def sql(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of any query over the inputs' relations, in bounded memory."""
        for batch in self._session.query(query).batches:
            yield from batch


def _by_group(inputs: Sequence[InputDataset], instruction: Instruction, session: CodeSession) -> Named[Named[Input]]:
    groups: dict[str, dict[str, Input]] = {}
    for declared in inputs:
        name = f"{declared.datastore}.{declared.dataset}"
        state = instruction.inputs.get(name, InputState(batch=None))
        groups.setdefault(declared.group, {})[name] = Input(declared, state, instruction, session)
    return Named("group of inputs", {name: Named("input", found) for name, found in groups.items()})


def _outputs(instruction: Instruction, session: CodeSession) -> Named[Output]:
    job = instruction.job
    unused = job.transformer.unused if job.transformer else ()
    found = {d.name: Output(d, instruction, session) for d in job.datasets}
    return Named("output", {**found, **{name: Output(None, instruction, session, name=name) for name in unused}})
