"""What lineage events say of runs and jobs, as OpenLineage's facets. Imported only where its client is installed."""

from __future__ import annotations

from collections.abc import Iterator

from openlineage.client.event_v2 import set_producer
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    error_message_run,
    job_type_job,
    ownership_job,
    parent_run,
    processing_engine_run,
    tags_job,
    tags_run,
)

from datasurface import __version__
from datasurface.release.job import JobSpec
from datasurface.release.labels import JobLabels
from datasurface.runtime.telemetry.events import BatchFinished, Subject
from datasurface.runtime.telemetry.parents import Parent

__all__ = ["PRODUCER", "SOURCE", "governance_tags", "job_facets", "run_facets"]

PRODUCER = f"https://pypi.org/project/datasurface/{__version__}"
SOURCE = "DATASURFACE"
"""Who says what the tags say."""

set_producer(PRODUCER)


def run_facets(
    subject: Subject, finished: BatchFinished | None, parents: tuple[Parent | None, Parent | None]
) -> dict[str, RunFacet]:
    """Return what is said of a batch.

    Args:
        subject: The batch.
        finished: How it ended; None at its beginning.
        parents: The run that asked for it, and the one that asked for all; None if nobody says.
    """
    found: dict[str, RunFacet] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version=__version__, name="DataSurface", openlineageAdapterVersion=__version__
        ),
        "tags": tags_run.TagsRunFacet(tags=[_run_tag(*tag) for tag in _facts(subject, finished)]),
    }
    if (parent := _parent(*parents)) is not None:
        found["parent"] = parent
    if finished is not None and finished.error:
        found["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=finished.error, programmingLanguage="PYTHON"
        )
    return found


def job_facets(job: JobSpec) -> dict[str, JobFacet]:
    """Return what is said of a stream: what kind of job it is, who owns it, how governance sees it."""
    found: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH",
            integration=SOURCE,
            jobType="INGESTION" if job.transformer is None else "TRANSFORMER",
        )
    }
    labels = job.labels
    if labels is not None:
        found["tags"] = tags_job.TagsJobFacet(
            tags=[tags_job.TagsJobFacetFields(key=k, value=v, source=SOURCE) for k, v in governance_tags(labels)]
        )
        found["ownership"] = ownership_job.OwnershipJobFacet(
            owners=[
                ownership_job.Owner(name=labels.owner, type="REPOSITORY"),
                ownership_job.Owner(name=f"team:{labels.team}", type="TEAM"),
            ]
        )
    return found


def governance_tags(labels: JobLabels) -> Iterator[tuple[str, str]]:
    """Yield what governance says of a stream as pairs, classifications left out: those are of datasets and columns."""
    yield "zone", labels.zone
    yield "team", labels.team
    yield "production", "true" if labels.production else "false"
    yield "latency", labels.latency.value
    if labels.deprecated is not None:
        yield "deprecated", labels.deprecated or "true"


def _facts(subject: Subject, finished: BatchFinished | None) -> Iterator[tuple[str, str]]:
    yield "platform", subject.platform.name
    if subject.platform.environment:
        yield "environment", subject.platform.environment
    yield "batch", str(subject.batch_id)
    yield "release", subject.release
    yield "trace_id", subject.trace.trace_id
    if finished is not None:
        yield "outcome", finished.outcome


def _run_tag(key: str, value: str) -> tags_run.TagsRunFacetFields:
    return tags_run.TagsRunFacetFields(key=key, value=value, source=SOURCE)


def _parent(parent: Parent | None, root: Parent | None) -> parent_run.ParentRunFacet | None:
    if parent is None:
        return None
    above = None
    if root is not None:
        above = parent_run.Root(
            run=parent_run.RootRun(runId=root.run), job=parent_run.RootJob(namespace=root.namespace, name=root.name)
        )
    return parent_run.ParentRunFacet(
        run=parent_run.Run(runId=parent.run),
        job=parent_run.Job(namespace=parent.namespace, name=parent.name),
        root=above,
    )
