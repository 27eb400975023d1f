"""The job of a transformer's output: what code runs, what it reads, and where it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from datasurface.graph.nodes import Export, Stream, StreamDataset, TransformerNode
from datasurface.model.effective import credential_of, split_reference
from datasurface.model.infrastructure import Credential
from datasurface.model.platform import Hint, YellowPlatform
from datasurface.model.transformer import DataTransformer
from datasurface.names import output_schema
from datasurface.release.bind import Binding, better_hint, replaced
from datasurface.release.datasets import job_checks, job_column, job_dataset, secret_keys
from datasurface.release.job import (
    Changed,
    InputDataset,
    JobDataset,
    JobSpec,
    OutputCapture,
    TransformerSpec,
)

__all__ = ["output_job"]

_NAME_LIMIT = 63
_Needs = Mapping[tuple[str, str], tuple[Stream, StreamDataset]]


def output_job(
    stream: Stream,
    platform: YellowPlatform,
    node: TransformerNode,
    exports: Sequence[Export],
    needs: _Needs,
    binding: Binding,
) -> JobSpec:
    """Return the job of the stream that `node` writes on `platform`.

    Args:
        stream: The output.
        platform: Where it runs.
        node: What writes it.
        exports: What the groups of its workspace see.
        needs: Every dataset on the platform, by the names of its stream and of itself.
        binding: What stands in for what.
    """
    transformer = node.workspace.transformer
    if transformer is None:
        raise ValueError(f"workspace {node.workspace.name} has no transformer, but stream {stream.name} is its output")
    container = binding.with_database(platform.container)
    resources = _resources(transformer, node.workspace.name, platform)
    schema = output_schema(platform.name, node.workspace.name, _NAME_LIMIT)
    return JobSpec(
        stream.name,
        platform=platform.name,
        datastore=stream.datastore.name,
        datasets=[_output(job_dataset(d, schema, d.dataset.name)) for d in stream.datasets],
        capture=OutputCapture(container, every=Changed() if transformer.every is None else transformer.every),
        credential=credential_of(platform.credential) or credential_of(getattr(container, "credential", None)),
        guard=stream.datastore.guard,
        priority=stream.priority,
        connections=int(getattr(container, "connections", 1)),
        keep_batches=platform.keep_batches,
        mode=transformer.mode,
        checks=tuple(job_checks(stream)),
        secret_keys=tuple(secret_keys(stream)),
        transformer=_transformer(transformer, node, platform, stream, [*_inputs(exports, needs)], resources),
        resources=resources,
    )


def _output(dataset: JobDataset) -> JobDataset:
    """Return a dataset whose table has the logical names of its columns."""
    return replaced(dataset, columns=[replaced(c, source=c.name) for c in dataset.columns])


def _transformer(
    transformer: DataTransformer,
    node: TransformerNode,
    platform: YellowPlatform,
    stream: Stream,
    inputs: Sequence[InputDataset],
    resources: Hint | None,
) -> TransformerSpec:
    consumed = {d.dataset.name for d in stream.datasets}
    return TransformerSpec(
        transformer.name,
        workspace=node.workspace.name,
        code=transformer.code,
        run_as=transformer.run_as,
        secrets={name: _credential(value) for name, value in transformer.secrets.items()},
        params=transformer.params,
        resources=resources,
        inputs=sorted(inputs, key=lambda i: (i.group, i.datastore, i.dataset)),
        triggers=node.triggers,
        unused=[d.name for d in transformer.output.datasets if d.name not in consumed],
        user=platform.code_user,
    )


def _credential(value: Credential | str) -> Credential:
    return Credential(value) if isinstance(value, str) else value


def _resources(transformer: DataTransformer, workspace: str, platform: YellowPlatform) -> Hint | None:
    """Return what the transformer says that it needs, with what the platform knows better in place of it."""
    found = transformer.resources
    for name in (transformer.output.name, workspace, transformer.name):
        found = better_hint(found, platform.hints.get(name))
    return found


def _inputs(exports: Sequence[Export], needs: _Needs) -> Iterator[InputDataset]:
    for export in exports:
        for sink, stream_name in export.sinks:
            reference = split_reference(sink.dataset) or ("", "")
            found = needs.get((stream_name, reference[1]))
            if found is None:
                continue
            chosen = None if sink.columns is None else frozenset(sink.columns)
            yield InputDataset(
                group=export.group.name,
                datastore=reference[0],
                dataset=reference[1],
                stream=stream_name,
                columns=[job_column(c) for c in found[1].dataset.columns if chosen is None or c.name in chosen],
                key=[c.name for c in found[1].dataset.key_columns],
                history=export.group.history,
            )
