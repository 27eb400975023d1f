"""Apache Airflow in a model: how tasks are run, grouped, tried again and told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datasurface.model.base import EMPTY_MAPPING, noun
from datasurface.model.capture import Every
from datasurface.model.deployment import Deployment
from datasurface.model.vocabulary import TaskKind

__all__ = ["Airflow"]


@noun
class Airflow(Deployment):
    """Apache Airflow, which starts the jobs.

    Attributes:
        version: `3` for any release of Airflow 3, or `2.11`.
        tasks: Whether a task is a pod of its own, or a process beside the worker.
        groups: Streams that share a task, by the group's name; they have one schedule, one source and one credential.
        group_learned: Whether short streams of one source and schedule share tasks, as `--learned` suggests.
        timeout: How long a job may take, where its hint does not say.
        retries: How often a job is tried again after a fault that may pass; one that failed for good never is.
        retry_delay: How long to wait before the first of them, and twice as long before each further one.
        longest_delay: How long to wait at most.
        look_again: How often a transformer without a schedule looks for changes by itself, besides being told of them;
            None for never.
        apply: How often the release store is looked at for a new release.
        security: How often roles, grants and logins are made as the model says.
        retention: When the ledger and logs forget what they need not keep.
        audit: When consumers' views are compared with the sources.
        history: How long Airflow keeps the history of runs; None leaves it alone.
        metadata: The Airflow connection to Airflow's own database, which tasks of Airflow 3 cannot reach otherwise.
        failures: The Airflow connection of a webhook that is called when a task has failed; None for none.
        connections: What the ids of the Airflow connections with the secrets of process tasks begin with.
        command: How process tasks call DataSurface.
        folder: Where the model folder is for the jobs, for the modules of transformers; None if there are none.
        environment: Variables of process tasks; no secrets.
        kubernetes_connection: The Airflow connection to the cluster; None for the cluster that Airflow runs in.
        deferrable: Whether pods are waited for by Airflow's triggerer instead of a worker.
        keep_failed_pods: Whether a pod whose job failed is left, to be looked at.
    """

    version: str = "3"
    tasks: TaskKind = TaskKind.POD
    groups: Mapping[str, Sequence[str]] = EMPTY_MAPPING
    group_learned: bool = True
    timeout: str = "6 hours"
    retries: int = 3
    retry_delay: str = "30 seconds"
    longest_delay: str = "10 minutes"
    look_again: str | None = "1 hour"
    apply: Every = "5 minutes"
    security: Every = "1 hour"
    retention: Every = "1 day"
    audit: Every = "1 day"
    history: str | None = "90 days"
    metadata: str = "datasurface_airflow"
    failures: str | None = None
    connections: str = "datasurface_"
    command: Sequence[str] = ("datasurface",)
    folder: str | None = None
    environment: Mapping[str, str] = EMPTY_MAPPING
    kubernetes_connection: str | None = None
    deferrable: bool = False
    keep_failed_pods: bool = False
