"""What is kept how long: the one list of it, and what forgets the rest. Data of consumers is not its affair."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from datasurface.errors import DataSurfaceError, StoreError, TransientError
from datasurface.runtime import code_logs
from datasurface.runtime.platform import RunningPlatform
from datasurface.store import access, following, forgetting, releases

__all__ = ["KEPT", "Forgotten", "Kept", "keep_tidy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One kind of record.

    Attributes:
        what: What it is.
        where: Where it is kept.
        how_long: In words.
        by: What forgets it.
    """

    what: str
    where: str
    how_long: str
    by: str


_HOURLY = "`run` once an hour, `run --once` at its end, `job --system retention`"

KEPT = (
    Kept(
        what="batches that changed something, failed or were abandoned, with their checks",
        where="views `batches`, `batch_datasets`, `batch_checks`",
        how_long=f"{forgetting.BATCH_DAYS} days; the newest of each stream for ever",
        by=_HOURLY,
    ),
    Kept(
        what="batches that changed nothing",
        where="views `batches`, `batch_datasets`, `batch_checks`",
        how_long=f"{forgetting.IDLE_DAYS} days; the newest of each stream for ever",
        by=_HOURLY,
    ),
    Kept(
        what="what all batches of a stream came to, for counters",
        where="platform table `totals`",
        how_long="for ever: one row a stream and outcome",
        by="nothing",
    ),
    Kept(
        what="results of audits",
        where="platform table `audits`",
        how_long=f"{forgetting.AUDIT_DAYS} days; the newest of each dataset for ever",
        by=_HOURLY,
    ),
    Kept(
        what="changes of roles, grants and logins",
        where="platform table `access_changes`",
        how_long=f"{access.CHANGE_DAYS} days",
        by=_HOURLY,
    ),
    Kept(
        what="releases that were active, with the slices of their jobs",
        where="platform tables `releases` and `jobs`",
        how_long=f"the latest {releases.KEPT}",
        by="`apply`",
    ),
    Kept(
        what="which release became active when, made so by whom",
        where="platform table `activations`",
        how_long=f"the latest {following.KEPT}",
        by="`apply`",
    ),
    Kept(
        what="how each job of the system ended last",
        where="platform table `system_runs`",
        how_long="for ever: one row a job",
        by="nothing",
    ),
    Kept(
        what="what the code of transformers printed",
        where="`logs/<platform>/<stream>/` in `DATASURFACE_HOME`, else in `.datasurface`",
        how_long=f"{code_logs.KEPT} batches of each stream, none older than {code_logs.KEPT_DAYS} days",
        by="each run of the transformer, and as the ledger",
    ),
    Kept(
        what="closed versions of consumers' rows",
        where="the groups' `_history` views",
        how_long="what `retention` of their groups says; the longest wins, None is for ever",
        by="the stream's own batch, once a day",
    ),
    Kept(
        what="deltas, for replicas",
        where="platform tables",
        how_long="`keep_batches` of the platform",
        by="the stream's own batch",
    ),
)
"""Everything that grows, and what bounds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How many records of each kind are gone."""

    batches: int
    audits: int
    access_changes: int
    code_logs: int

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return bool(self.batches or self.audits or self.access_changes or self.code_logs)

    def to_json(self) -> dict[str, int]:
        """Return what `--json` prints."""
        return {
            "batches": self.batches,
            "audits": self.audits,
            "access_changes": self.access_changes,
            "code_logs": self.code_logs,
        }


def keep_tidy(running: RunningPlatform, now: datetime | None = None) -> Forgotten:
    """Forget what a platform need not keep, as `KEPT` says.

    Raises:
        TransientError: the merge database does not answer at the moment.
        StoreError: it refuses.
    """
    moment, schema = now or datetime.now(UTC), running.schema
    try:
        with running.store.engine.begin() as connection:
            batches = forgetting.forget_old(connection, schema, moment)
            audits = forgetting.forget_old_audits(connection, schema, moment)
            changes = access.forget_old_changes(connection, schema, moment)
    except (SQLAlchemyError, DataSurfaceError) as error:
        kind = TransientError if running.store.is_transient(error) else StoreError
        raise kind(f"the ledger cannot be shortened: {running.store.explain_error(error)}") from error
    logs = code_logs.logs_of(running.logins.folder, running.logins.environ, running.name)
    return Forgotten(
        batches=batches, audits=audits, access_changes=changes, code_logs=code_logs.forget_older(logs, moment)
    )
