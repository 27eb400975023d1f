"""What the platform remembers of releases that reach it: who activated which, the last look, what waits, what is held.

Documents are JSON, because only this file reads them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from datasurface.store.tables import activations, bind, following

__all__ = [
    "KEPT",
    "Activation",
    "Following",
    "Origin",
    "Pending",
    "Pin",
    "Seen",
    "activation_of",
    "activations_of",
    "name_activations",
    "read_following",
    "record_activation",
    "save_look",
    "save_pin",
]

KEPT = 500
"""Activations kept."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a release comes from, and who makes it active.

    Attributes:
        who: A person or program, such as `ann@laptop`.
        how: `apply`, `follow` or `rollback`.
        ref_kind: `tag` or `branch`; None for a release of neither.
        committed_at: When its commit was made.
    """

    who: str
    how: str = "apply"
    ref_kind: str | None = None
    ref: str | None = None
    commit: str | None = None
    committed_at: datetime | None = None

    @property
    def label(self) -> str:
        """The ref in words; empty if there is none."""
        return f"{self.ref_kind} {self.ref}" if self.ref else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One time that a release became active."""

    number: int
    digest: str
    at: datetime
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The follower's last look at the release store.

    Attributes:
        digest: The release that the rule selects; None if it selects none, or it could not be told.
        error: Why the store could not be looked at; empty if it could.
        since: When this release was selected first.
    """

    at: datetime
    rule: str
    store: str
    digest: str | None = None
    ref: str | None = None
    commit: str | None = None
    since: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A release that is selected and not active, and why.

    Attributes:
        since: When it was tried first.
        tried_at: When it was tried last.
        tries: How often.
    """

    digest: str | None
    ref: str
    reason: str
    since: datetime
    tried_at: datetime
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What a rollback holds back: nothing but a release newer than the one it left becomes active by itself.

    Attributes:
        to: The digest of the release that was gone back to.
        left: The activation of the release that was left.
    """

    at: datetime
    who: str
    to: str
    left: str
    left_origin: Origin
    left_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """All of it. `resumed_at`: when a person said that the rule counts again, whatever is active."""

    seen: Seen | None = None
    pending: Pending | None = None
    pin: Pin | None = None
    resumed_at: datetime | None = None


def record_activation(connection: Connection, schema: str, digest: str, origin: Origin, now: datetime) -> None:
    """Write that a release has become active, in the transaction that makes it so.

    What was pending or held back before is over by that; a rollback holds back what it has left.
    """
    bound = bind(connection, schema)
    number = (bound.execute(select(func.max(activations.c.number))).scalar_one_or_none() or 0) + 1
    bound.execute(
        insert(activations).values(
            number=number,
            digest=digest,
            at=now,
            who=origin.who,
            how=origin.how,
            ref_kind=origin.ref_kind,
            ref=origin.ref,
            commit_id=origin.commit,
            committed_at=origin.committed_at,
        )
    )
    bound.execute(delete(activations).where(activations.c.number <= number - KEPT))
    over = {"pending": None} if origin.how == "rollback" else {"pending": None, "pin": None}
    bound.execute(update(following).values(**over))


def activations_of(connection: Connection, schema: str) -> list[Activation]:
    """Return all activations that are remembered, the newest first."""
    query = select(activations).order_by(activations.c.number.desc())
    return [_activation(row) for row in bind(connection, schema).execute(query)]


def activation_of(connection: Connection, schema: str, digest: str) -> Activation | None:
    """Return the latest activation of a release; None for one that an older package made active."""
    query = select(activations).where(activations.c.digest == digest).order_by(activations.c.number.desc()).limit(1)
    row = bind(connection, schema).execute(query).one_or_none()
    return None if row is None else _activation(row)


def name_activations(
    connection: Connection,
    schema: str,
    digest: str,
    *,
    ref_kind: str,
    ref: str,
    commit: str | None,
    committed_at: datetime | None,
) -> None:
    """Write of which tag or commit a release is, where it became active without one."""
    nameless = update(activations).where(activations.c.digest == digest, activations.c.ref.is_(None))
    values = {"ref_kind": ref_kind, "ref": ref, "commit_id": commit, "committed_at": committed_at}
    bind(connection, schema).execute(nameless.values(**values))


def read_following(connection: Connection, schema: str) -> Following:
    """Return what is remembered of following."""
    row = bind(connection, schema).execute(select(following)).one_or_none()
    if row is None:
        return Following()
    document = json.loads(row.pin) if row.pin else {}
    pin = document.get("pin")
    return Following(
        seen=_decoded(Seen, json.loads(row.seen)) if row.seen else None,
        pending=_decoded(Pending, json.loads(row.pending)) if row.pending else None,
        pin=_decoded(Pin, {**pin, "left_origin": _decoded(Origin, pin["left_origin"])}) if pin else None,
        resumed_at=_moment(document.get("resumed_at")),
    )


def save_look(connection: Connection, schema: str, platform: str, seen: Seen, pending: Pending | None) -> None:
    """Write what a look has found; what is held back stays, for it may have been said meanwhile."""
    values = {"seen": json.dumps(_encoded(seen)), "pending": json.dumps(_encoded(pending)) if pending else None}
    _save(connection, schema, platform, values)


def save_pin(connection: Connection, schema: str, platform: str, pin: Pin | None, resumed_at: datetime | None) -> None:
    """Write what is held back, or since when the rule counts again."""
    held = {"pin": _encoded(pin), "resumed_at": _text(resumed_at)}
    _save(connection, schema, platform, {"pin": json.dumps(held) if pin or resumed_at else None})


def _save(connection: Connection, schema: str, platform: str, values: Mapping[str, str | None]) -> None:
    bound = bind(connection, schema)
    if bound.execute(update(following).values(**values)).rowcount == 0:
        bound.execute(insert(following).values(platform=platform, **values))


def _activation(row: Row[Any]) -> Activation:
    origin = Origin(
        who=row.who,
        how=row.how,
        ref_kind=row.ref_kind,
        ref=row.ref,
        commit=row.commit_id,
        committed_at=row.committed_at,
    )
    return Activation(number=row.number, digest=row.digest, at=row.at, origin=origin)


def _encoded(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    document: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(value), default=_text))
    return document


def _decoded(kind: type[_T], document: Mapping[str, Any]) -> _T:
    """Return a value; keys that a newer package has added are passed over."""
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type] # dataclasses all
    values = {name: _moment(v) if _is_moment(name) else v for name, v in document.items() if name in known}
    return kind(**values)


def _is_moment(name: str) -> bool:
    return name in {"at", "since"} or name.endswith("_at")


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else text


def _text(value: Any) -> str | None:
    return None if value is None else value.isoformat()
