"""What the platform's tables know of releases that reach it, read and written in short transactions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from datasurface.model.release_rule import RefKind, ReleaseRule
from datasurface.release.published import Published
from datasurface.runtime.platform import RunningPlatform
from datasurface.store.following import (
    Activation,
    Following,
    Origin,
    Pending,
    Pin,
    Seen,
    activation_of,
    name_activations,
    read_following,
    save_look,
    save_pin,
)
from datasurface.store.releases import activated_at, active_digest

__all__ = ["Known", "Mark", "is_newer", "read_known", "remember_look", "remember_pin", "remember_ref", "with_pending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known before a look.

    Attributes:
        enrolled: Whether the platform has tables.
        active: The digest of the active release; None if nothing is active.
        activation: How it became active; None for one that an older package made so.
        activated_at: When it became active.
    """

    enrolled: bool
    active: str | None = None
    activated_at: datetime | None = None
    activation: Activation | None = None
    following: Following = dataclasses.field(default_factory=Following)


def read_known(running: RunningPlatform) -> Known:
    """Read what a platform's tables know."""
    if not running.is_enrolled():
        return Known(enrolled=False)
    with running.reading() as connection:
        digest = active_digest(connection, running.schema)
        return Known(
            enrolled=True,
            active=digest,
            activated_at=activated_at(connection, running.schema, digest) if digest else None,
            activation=activation_of(connection, running.schema, digest) if digest else None,
            following=read_following(connection, running.schema),
        )


def remember_look(running: RunningPlatform, seen: Seen, pending: Pending | None) -> None:
    """Write what a look has found, if the platform has tables by now."""
    if running.is_enrolled():
        with running.reading() as connection:
            save_look(connection, running.schema, running.name, seen, pending)
            connection.commit()


def remember_ref(running: RunningPlatform, published: Published) -> None:
    """Write of which tag or commit a release is that was applied by hand, so that it can be told and gone back to."""
    if running.is_enrolled():
        with running.reading() as connection:
            name_activations(
                connection,
                running.schema,
                published.digest,
                ref_kind=published.ref_kind.value,
                ref=published.ref,
                commit=published.commit or None,
                committed_at=published.committed_at,
            )
            connection.commit()


def remember_pin(running: RunningPlatform, pin: Pin | None, *, resumed_at: datetime | None = None) -> None:
    """Write what is held back, or since when the rule counts again."""
    with running.reading() as connection:
        save_pin(connection, running.schema, running.name, pin, resumed_at)
        connection.commit()


def with_pending(before: Following, digest: str | None, ref: str, reason: str, now: datetime) -> Pending:
    """Return that a release waits: since when and how often, if it waited before."""
    same = before.pending if before.pending and (before.pending.digest, before.pending.ref) == (digest, ref) else None
    return Pending(
        digest=digest,
        ref=ref,
        reason=reason,
        since=same.since if same else now,
        tried_at=now,
        tries=same.tries + 1 if same else 1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a release has to be newer than.

    Attributes:
        kind: Whether it is of a tag or a branch; None for one that was applied by hand.
        at: When it became active.
    """

    kind: RefKind | None
    ref: str
    committed_at: datetime | None
    at: datetime

    @classmethod
    def of(cls, origin: Origin, at: datetime) -> Mark:
        """Return that of an activation."""
        kind = RefKind(origin.ref_kind) if origin.ref_kind else None
        return cls(kind=kind, ref=origin.ref or "", committed_at=origin.committed_at, at=at)


def is_newer(rule: ReleaseRule, published: Published, than: Mark) -> bool:
    """Tell whether a release is newer than another: a higher version, a later commit; else published after it began."""
    if than.kind is rule.kind and rule.kind is RefKind.TAG:
        return rule.order(published.ref) > rule.order(than.ref)
    if than.kind is rule.kind and than.committed_at is not None:
        return published.moment > than.committed_at
    return published.published_at > than.at
