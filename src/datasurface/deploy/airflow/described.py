"""What people see of a stream in Airflow: whose it is, what it does, by which tags it is found. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from datasurface.deploy.airflow.groups import Task
from datasurface.deploy.base import Deployable
from datasurface.model.capture import Cron, Every, External
from datasurface.model.effective import PlacedDatastore, all_datastores
from datasurface.release.job import Changed, JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob
from datasurface.release.system import with_system

__all__ = ["Descriptions", "tags_of"]

_SYSTEM = {
    SystemJob.APPLY: "Looks for a new release that the environment's rule selects, and applies it.",
    SystemJob.SECURITY: "Makes roles, grants and logins as the active release says.",
    SystemJob.RETENTION: "Forgets what the ledger and the logs need not keep any longer.",
    SystemJob.AUDIT: "Proves that what consumers see equals the sources.",
}


@dataclass(frozen=True, slots=True)
class Descriptions:
    """The descriptions of an environment's DAGs."""

    stores: dict[str, PlacedDatastore]
    environment: str | None

    @classmethod
    def of(cls, deployable: Deployable) -> Descriptions:
        """Return the descriptions of a release's DAGs."""
        whole = with_system(deployable.release.ecosystem)
        return cls({placed.datastore.name: placed for placed in all_datastores(whole)}, deployable.environment_name)

    def owner(self, task: Task) -> str:
        """Return the teams whose streams a task runs."""
        teams = {self.stores[job.datastore].team.name for job in task.jobs if job.datastore in self.stores}
        return ", ".join(sorted(teams)) or "datasurface"

    def text(self, platform: PlatformSpec, task: Task) -> str:
        """Return the description of a task's DAG, in Markdown."""
        told = [self._stream(platform, job) for job in task.jobs]
        if task.group is not None:
            told.insert(0, f"The group `{task.group}`: {len(task.jobs)} streams in one task.")
        return "\n\n".join(told)

    def system(self, kind: SystemJob, platform: PlatformSpec) -> str:
        """Return the description of a system DAG, in Markdown."""
        return f"{_SYSTEM[kind]}\n\nPlatform `{platform.name}`."

    def _stream(self, platform: PlatformSpec, job: JobSpec) -> str:
        datasets = ", ".join([f"`{dataset.name}`" for dataset in job.datasets])
        if job.transformer is not None:
            inputs = ", ".join([f"`{stream}`" for stream in job.transformer.triggers]) or "nothing"
            what = f"The transformer `{job.transformer.name}` makes {datasets} of {inputs}"
        else:
            what = f"Reads {datasets} from `{job.source.name}`"
        chosen = f" -e {self.environment}" if self.environment else ""
        placed = self.stores.get(job.datastore)
        doc = f"\n\n{placed.datastore.doc}" if placed is not None and placed.datastore.doc else ""
        how = f"`datasurface explain {job.stream}{chosen}` says why it exists and why it does not run."
        return f"**{job.stream}** on platform `{platform.name}`. {what}, {_when(job.capture.every)}.{doc}\n\n{how}"


def tags_of(platform: PlatformSpec, kind: str) -> list[str]:
    """Return the tags of a DAG, sorted."""
    named = [("ecosystem", platform.ecosystem), ("environment", platform.environment), ("platform", platform.name)]
    return sorted(["datasurface", kind, *(f"{what}:{name}"[:100] for what, name in named if name)])


def _when(every: Every) -> str:
    if isinstance(every, Changed):
        return "when one of its inputs has changed"
    if isinstance(every, External):
        return "when somebody asks for it"
    if isinstance(every, Cron):
        return f"at `{every.expression}` ({every.tz})"
    return f"every {every}"
