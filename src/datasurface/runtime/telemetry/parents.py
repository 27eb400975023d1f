"""Which run asked for this process, for lineage: as OpenLineage's variables say, or those of an Airflow task. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

__all__ = ["Parent", "parent_of", "root_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A run of somebody else."""

    namespace: str
    name: str
    run: str


def parent_of(environ: Mapping[str, str]) -> Parent | None:
    """Return the run that asked for this process; None if nobody says.

    `OPENLINEAGE_PARENT_ID` is `namespace/name/run`, as `lineage_parent_id` of Airflow's provider gives it. Else the
    variables of a task, `AIRFLOW_CTX_…`, name it; its run's id is then computed as that provider does for a task that
    is not mapped.
    """
    return _given(environ.get("OPENLINEAGE_PARENT_ID")) or _task(environ)


def root_of(environ: Mapping[str, str]) -> Parent | None:
    """Return the run that asked for all of it, by `OPENLINEAGE_ROOT_PARENT_ID`; None if nobody says."""
    return _given(environ.get("OPENLINEAGE_ROOT_PARENT_ID"))


def _given(text: str | None) -> Parent | None:
    """Read `namespace/name/run`; a namespace may have slashes of its own. What is malformed is ignored."""
    head, _, run = (text or "").strip().rpartition("/")
    namespace, _, name = head.rpartition("/")
    return Parent(namespace=namespace, name=name, run=run) if namespace and name and _is_uuid(run) else None


def _task(environ: Mapping[str, str]) -> Parent | None:
    dag, task = environ.get("AIRFLOW_CTX_DAG_ID"), environ.get("AIRFLOW_CTX_TASK_ID")
    date = environ.get("AIRFLOW_CTX_LOGICAL_DATE") or environ.get("AIRFLOW_CTX_EXECUTION_DATE")
    if not dag or not task or not date:
        return None
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    namespace = environ.get("AIRFLOW__OPENLINEAGE__NAMESPACE") or environ.get("OPENLINEAGE_NAMESPACE") or "default"
    attempt = environ.get("AIRFLOW_CTX_TRY_NUMBER") or "1"
    run = _static_uuid(moment, f"{namespace}.{dag}.{task}.{attempt}.-1".encode())
    return Parent(namespace=namespace, name=f"{dag}.{task}", run=str(run))


def _static_uuid(moment: datetime, data: bytes) -> UUID:
    """Return the UUID of version 7 that OpenLineage's `generate_static_uuid` makes: the moment, then a digest."""
    utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    digest = hashlib.sha1(utc.isoformat().encode() + data, usedforsecurity=False).digest()
    value = (int(utc.timestamp() * 1000) & (1 << 48) - 1) << 80 | int.from_bytes(digest) >> 84
    return UUID(int=value & ~(0xF000 << 64) & ~(0xC000 << 48) | 7 << 76 | 0x8000 << 48)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
