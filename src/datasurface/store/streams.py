"""Who owns a stream. A run takes the row and beats while it works; every write begins by showing that it is its own.

The token only rises, so a writer that was paused and comes back finds another's and cannot commit.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from datasurface.errors import LostStreamError, StreamBusyError
from datasurface.store.tables import bind, datasets, streams

__all__ = [
    "Claim",
    "DatasetState",
    "advance",
    "beat",
    "changed_batches",
    "claim",
    "dataset_states",
    "hold",
    "owner_name",
    "position_of",
    "release",
    "save_dataset",
]

SILENCE = 30.0
"""Seconds after which a silent owner has lost its stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A stream that this run owns."""

    stream: str
    owner: str
    token: int
    next_batch: int
    position: str | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetState:
    """What is known of a dataset's tables.

    Attributes:
        loaded: Whether a first load was put in place.
        rows: How many rows are current; exact.
        last_read: How many rows the last merged batch read.
        history_from: The first batch of the history that is kept; None while none is.
        history_from_at: When that batch was read.
        pruned_at: When ended versions were last forgotten; None if they never were.
        pruned_through: The last batch that ended a version which is forgotten; None if none is.
    """

    dataset: str
    loaded: bool = False
    rows: int = 0
    last_read: int = 0
    history_from: int | None = None
    history_from_at: datetime | None = None
    pruned_at: datetime | None = None
    pruned_through: int | None = None


def owner_name() -> str:
    """Return a name for this process that tells later runs on the same machine whether it still lives."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}/{uuid.uuid4().hex[:8]}"


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - a magic link
    except OSError:
        boot, space = "", 0
    return f"{socket.gethostname()}:{boot[:8]}:{space}"


def _started(pid: int) -> str:
    """Return when a process started, in ticks since boot; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_dead(owner: str) -> bool:
    """Tell whether an owner was a process of this machine and has ended; False if that cannot be known."""
    machine, _, rest = owner.partition("/")
    parts = rest.split("/")
    if machine != _machine() or len(parts) < 2 or not parts[0].isdigit() or not parts[1]:  # noqa: PLR2004
        return False
    return _started(int(parts[0])) != parts[1]


def claim(connection: Connection, schema: str, stream: str, owner: str, *, silence: float = SILENCE) -> Claim:
    """Take a stream that is free or whose owner has been silent, raising its token.

    Raises:
        StreamBusyError: another run owns it.
    """
    bound = bind(connection, schema)
    wanted = select(streams, func.clock_timestamp().label("now")).where(streams.c.stream == stream)
    try:
        row = bound.execute(wanted.with_for_update(nowait=True)).one_or_none()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":
            raise StreamBusyError(f"stream {stream!r} is busy: another run is merging it") from None
        raise
    if row is None:
        try:
            bound.execute(insert(streams).values(stream=stream, token=0, next_batch=1))
        except IntegrityError:
            raise StreamBusyError(f"stream {stream!r} is busy: another run has just begun it") from None
        row = bound.execute(wanted.with_for_update()).one()
    if row.owner is not None and row.owner != owner and not _is_dead(row.owner):
        silent = abs((row.now - row.heartbeat).total_seconds()) if row.heartbeat else silence + 1
        if silent <= silence:
            raise StreamBusyError(
                f"stream {stream!r} is busy: {row.owner.partition('/')[0].partition(':')[0]} process "
                f"{row.owner.split('/')[1]} holds it, last heard of {silent:.0f} s ago"
            )
    bound.execute(
        update(streams)
        .where(streams.c.stream == stream)
        .values(
            owner=owner, token=streams.c.token + 1, heartbeat=func.clock_timestamp(), started_at=func.clock_timestamp()
        )
    )
    return Claim(
        stream=stream,
        owner=owner,
        token=row.token + 1,
        next_batch=row.next_batch,
        position=row.position,
        read_at=row.read_at,
    )


def hold(connection: Connection, schema: str, held: Claim) -> None:
    """Lock the stream's row for this transaction and show that it is still this run's.

    Raises:
        LostStreamError: another run took it.
    """
    row = (
        bind(connection, schema)
        .execute(select(streams.c.token).where(streams.c.stream == held.stream).with_for_update())
        .one_or_none()
    )
    if row is None or row.token != held.token:
        raise LostStreamError(
            f"stream {held.stream!r} was taken by another run while this one was silent; nothing of it was committed"
        )


def advance(
    connection: Connection,
    schema: str,
    held: Claim,
    *,
    next_batch: int | None = None,
    position: str | None = None,
    read_at: datetime | None = None,
    changed_batch: int | None = None,
    give_back: bool = False,
) -> None:
    """Move the stream forward, and give it back if asked; only what is given changes. The caller holds it."""
    values: dict[str, object] = {"heartbeat": func.clock_timestamp()}
    given = {"next_batch": next_batch, "position": position, "read_at": read_at, "changed_batch": changed_batch}
    values |= {name: value for name, value in given.items() if value is not None}
    if give_back:
        values |= {"owner": None, "heartbeat": None}
    bind(connection, schema).execute(update(streams).where(streams.c.stream == held.stream).values(**values))


def changed_batches(connection: Connection, schema: str) -> dict[str, int]:
    """Return for each stream that was ever merged the number of the merged batch that last changed a row of it.

    A first load counts as a change even if it had no rows.
    """
    query = select(streams.c.stream, streams.c.changed_batch).where(streams.c.changed_batch.is_not(None))
    return {row.stream: row.changed_batch for row in bind(connection, schema).execute(query)}


def position_of(connection: Connection, schema: str, stream: str) -> str | None:
    """Return how far a stream has been read, as its capture wrote it; None before its first merge."""
    query = select(streams.c.position).where(streams.c.stream == stream)
    return bind(connection, schema).execute(query).scalar_one_or_none()


def beat(connection: Connection, schema: str, claims: list[Claim]) -> None:
    """Say that this process still works on its streams; rows that a merge has locked are passed over."""
    bound = bind(connection, schema)
    free = (
        select(streams.c.stream)
        .where(streams.c.stream.in_([c.stream for c in claims]), streams.c.owner.in_([c.owner for c in claims]))
        .with_for_update(skip_locked=True)
    )
    names = [row.stream for row in bound.execute(free)]
    if names:
        bound.execute(update(streams).where(streams.c.stream.in_(names)).values(heartbeat=func.clock_timestamp()))


def release(connection: Connection, schema: str, held: Claim) -> None:
    """Give the stream back, if it is still this run's."""
    bind(connection, schema).execute(
        update(streams)
        .where(streams.c.stream == held.stream, streams.c.token == held.token, streams.c.owner == held.owner)
        .values(owner=None, heartbeat=None)
    )


def dataset_states(connection: Connection, schema: str, stream: str) -> dict[str, DatasetState]:
    """Return what is known of a stream's datasets, by name."""
    rows = bind(connection, schema).execute(select(datasets).where(datasets.c.stream == stream))
    return {
        row.dataset: DatasetState(
            dataset=row.dataset,
            loaded=row.loaded,
            rows=row.rows,
            last_read=row.last_read,
            history_from=row.history_from,
            history_from_at=row.history_from_at,
            pruned_at=row.pruned_at,
            pruned_through=row.pruned_through,
        )
        for row in rows
    }


def save_dataset(connection: Connection, schema: str, stream: str, state: DatasetState) -> None:
    """Write what is known of a dataset."""
    bound = bind(connection, schema)
    values = {
        "loaded": state.loaded,
        "rows": state.rows,
        "last_read": state.last_read,
        "history_from": state.history_from,
        "history_from_at": state.history_from_at,
        "pruned_at": state.pruned_at,
        "pruned_through": state.pruned_through,
    }
    where = (datasets.c.stream == stream, datasets.c.dataset == state.dataset)
    if bound.execute(update(datasets).where(*where).values(**values)).rowcount == 0:
        bound.execute(insert(datasets).values(stream=stream, dataset=state.dataset, **values))
