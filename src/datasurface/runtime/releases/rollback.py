"""Going back to a release that was active before: a plan first, what cannot be taken back, then a pin and the apply."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from datasurface.engine.evolve import WAY_OUT
from datasurface.engine.operation import Operation
from datasurface.errors import ConfigurationError, NothingActiveError
from datasurface.graph.build import build_graph
from datasurface.model.ecosystem import Ecosystem
from datasurface.release.archive import ArchivePart, archive_of, archived_datasets
from datasurface.release.compile import compile_release
from datasurface.release.system import with_system
from datasurface.runtime.apply import Applied, apply_plan
from datasurface.runtime.plan import Plan, make_plan
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.releases.memory import Known, read_known, remember_pin
from datasurface.runtime.security import keep_access
from datasurface.store.following import Activation, Origin, Pin, activations_of
from datasurface.store.ledger import BatchState
from datasurface.store.releases import KeptRelease, kept_digests, kept_release, table_parts
from datasurface.store.tables import bind, ledger

__all__ = ["Rollback", "kept_releases", "plan_rollback", "roll_back", "unpin"]

_NEW_RELEASE = "going back cannot undo that: the way out is a new release, which keeps it and undoes the rest"
_LEAST = 6
"""Digits of a digest that name a release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """A way back.

    Attributes:
        left: The digest of the active release.
        target: The release that becomes active.
        origin: Of which tag or commit the target is, as far as is known.
        plan: What has to be done.
        stays: What going back does not take back, in sentences.
    """

    platform: str
    left: str
    target: KeptRelease
    origin: Origin
    plan: Plan
    stays: tuple[str, ...]


def kept_releases(running: RunningPlatform) -> list[tuple[str, Activation | None, datetime]]:
    """Return the releases that can be gone back to, the active one first: digest, how it came, when it was active."""
    with running.reading() as connection:
        history = activations_of(connection, running.schema)
        digests = kept_digests(connection, running.schema)
    return [(d, next((a for a in history if a.digest == d), None), at) for d, at in digests.items()]


def plan_rollback(running: RunningPlatform, to: str | None) -> Rollback:
    """Return what going back to a release would do; changes nothing.

    Args:
        running: The platform.
        to: The first digits of a digest, or a tag; None for the release before the active one.

    Raises:
        NothingActiveError: nothing is active.
        ConfigurationError: no such release is kept, or it is active.
    """
    known = read_known(running)
    if known.active is None:
        raise NothingActiveError(f"no release is active on platform {running.name!r}")
    with running.reading() as connection:
        history = activations_of(connection, running.schema)
        kept = kept_digests(connection, running.schema)
        digest = _named(to, history, kept) if to else _before(known.active, history, kept)
        if digest == known.active:
            raise ConfigurationError(f"release {digest[:12]} is active already")
        target = kept_release(connection, running.schema, digest)
    if target is None:
        raise ConfigurationError(f"release {digest[:12]} is no longer kept")
    origin = next((a.origin for a in history if a.digest == digest), Origin(who=""))
    plan = _going_back(make_plan(running, target.spec, digest))
    stays = tuple(_stays(running, known, target, plan))
    return Rollback(platform=running.name, left=known.active, target=target, origin=origin, plan=plan, stays=stays)


def roll_back(
    running: RunningPlatform,
    way: Rollback,
    *,
    who: str,
    told: Callable[[Operation], None] = lambda _operation: None,
) -> Applied:
    """Make an earlier release active and hold the follower back; data stays.

    The pin is written first, so that no follower is faster; it goes again if nothing came of it.

    Raises:
        ApplyBlockedError: an operation is refused; nothing was done.
    """
    before = read_known(running)
    left = before.activation.origin if before.activation else Origin(who="")
    now = datetime.now(UTC)
    pin = Pin(
        at=now,
        who=who,
        to=way.target.digest,
        left=way.left,
        left_origin=left,
        left_at=before.activated_at or now,
    )
    remember_pin(running, pin)
    try:
        applied = apply_plan(
            running,
            way.target.spec,
            way.plan,
            way.target.model,
            tables=_tables(running, way.target),
            origin=dataclasses.replace(way.origin, who=who, how="rollback"),
            told=told,
        )
    except BaseException:
        remember_pin(running, before.following.pin, resumed_at=before.following.resumed_at)
        raise
    keep_access(running, way.target.spec)
    if not applied.active:
        remember_pin(running, before.following.pin, resumed_at=before.following.resumed_at)
    return applied


def unpin(running: RunningPlatform) -> Pin | None:
    """Let the rule count again whatever is active; return what was held back, None if nothing was by a rollback."""
    following = read_known(running).following
    remember_pin(running, None, resumed_at=datetime.now(UTC))
    return following.pin


def _going_back(plan: Plan) -> Plan:
    """Return a plan whose refusals advise what a rollback can do; pruning the dataset would lose its history."""
    operations = [dataclasses.replace(o, refused=o.refused.replace(WAY_OUT, _NEW_RELEASE)) for o in plan.operations]
    return dataclasses.replace(plan, operations=tuple(operations))


def _named(to: str, history: Iterable[Activation], kept: dict[str, datetime]) -> str:
    """Return the release that is meant: by its tag, the latest of a branch, or the first digits of its digest."""
    by_ref = [a.digest for a in history if a.digest in kept and to in {a.origin.ref, (a.origin.commit or "")}]
    if by_ref:
        return by_ref[0]
    found = [d for d in kept if len(to) >= _LEAST and d.startswith(to)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted({a.origin.ref or a.digest[:12] for a in history if a.digest in kept}))
    what = f"{to} means several kept releases" if found else f"no kept release is called {to}"
    raise ConfigurationError(what, hint=f"kept are {names}" if names else "none is kept")


def _before(active: str, history: list[Activation], kept: dict[str, datetime]) -> str:
    """Return the release before the active one; a release that was itself only gone back to is as old as it was."""
    order: dict[str, int] = {}
    for activation in history:
        if activation.origin.how != "rollback":
            order.setdefault(activation.digest, activation.number)
    mine = order.get(active, 0)
    earlier = [d for d in order if d in kept and d != active and order[d] < mine]
    if earlier:
        return max(earlier, key=lambda digest: order[digest])
    older = [d for d in kept if d not in order and d != active]
    if older:
        return older[0]
    raise ConfigurationError(f"no release before {active[:12]} is kept", hint="publish a new one that undoes it")


def _stays(running: RunningPlatform, known: Known, target: KeptRelease, plan: Plan) -> Iterator[str]:
    """Yield what going back does not undo."""
    with running.reading() as connection:
        active = kept_release(connection, running.schema, known.active or "")
        since = known.activated_at
        merged = select(func.count()).where(ledger.c.state == BatchState.MERGED.value, ledger.c.finished_at >= since)
        batches = bind(connection, running.schema).execute(merged).scalar_one() if since else 0
    if batches:
        yield f"{batches} batches were merged since {since:%Y-%m-%d %H:%M:%SZ}: their rows and versions stay"
    now = {job.stream: job for job in active.spec.jobs} if active else {}
    then = {job.stream: job for job in target.spec.jobs}
    for stream in sorted(now.keys() - then.keys()):
        yield f"stream {stream} stops; its tables stay until `apply --prune`"
    for stream in sorted(now.keys() & then.keys()):
        if now[stream].job_digest != then[stream].job_digest:
            yield f"stream {stream} is read as it was then, from its next batch on"
    for operation in plan.operations:
        if operation.action == "create" and operation.target.startswith("table "):
            yield f"{operation.target} is made anew: what it once held was pruned, and its next batch fills it"
        if operation.action == "change" and "add " in operation.detail:
            yield f"{operation.target}: {operation.detail}; it is empty until its next batch fills it"
        if "is no longer read" in operation.detail:
            yield f"{operation.target}: {operation.detail}; what it held is kept aside until `apply --prune`"


def _tables(running: RunningPlatform, target: KeptRelease) -> list[ArchivePart]:
    """Return the release's tables that somebody consumes: those that are kept, else what its model compiles to."""
    wanted = archived_datasets(target.spec)
    if not wanted:
        return []
    if not target.has_tables:
        ecosystem = Ecosystem.from_json(target.model)
        graph = build_graph(with_system(ecosystem))
        return list(archive_of(compile_release(ecosystem, graph, environment=target.spec.environment), target.spec))
    with running.reading() as connection:
        return [
            ArchivePart(dataset=name, part=number, columns=tuple(part.columns), content=part.content)
            for name in sorted(wanted)
            for number, part in enumerate(table_parts(connection, running.schema, target.digest, name), start=1)
        ]
