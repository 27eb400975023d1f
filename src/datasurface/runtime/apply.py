"""Make the running system what a plan says: each operation in a transaction of its own, then the release is active."""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, update
from sqlalchemy.exc import SQLAlchemyError

from datasurface.engine.operation import Operation
from datasurface.errors import ApplyBlockedError, StreamBusyError
from datasurface.release.archive import ArchivePart, archive_of
from datasurface.release.compile import Release
from datasurface.release.job import PlatformSpec
from datasurface.runtime.plan import Plan, make_plan
from datasurface.runtime.platform import RunningPlatform, identity_of
from datasurface.store.checks import forget_knowledge
from datasurface.store.following import Origin
from datasurface.store.releases import activate, keep_tables
from datasurface.store.schema_version import enroll
from datasurface.store.streams import Claim, claim, dataset_states, hold, owner_name, release, save_dataset
from datasurface.store.tables import bind, datasets, views

__all__ = ["Applied", "apply_plan", "plan_and_apply", "this_user"]

_LOCK_WAIT = 2.0
_ATTEMPTS = 5
_BUSY_FOR = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How an apply ended.

    Attributes:
        done: What was done.
        waiting: What was not, each with its reason.
        active: Whether the release is the active one now.
    """

    done: tuple[Operation, ...]
    waiting: tuple[tuple[Operation, str], ...]
    active: bool


def apply_plan(
    running: RunningPlatform,
    spec: PlatformSpec,
    plan: Plan,
    model_json: str,
    *,
    tables: Iterable[ArchivePart] = (),
    prune: bool = False,
    busy_for: float = _BUSY_FOR,
    origin: Origin | None = None,
    told: Callable[[Operation], None] = lambda _operation: None,
) -> Applied:
    """Do what a plan says, and make its release the active one.

    Args:
        running: The platform.
        spec: The release's platform.
        plan: What `make_plan` found.
        model_json: The model, kept with the release.
        tables: The release's tables that somebody consumes: `archive_of(release, spec)`.
        prune: Whether retired tables are dropped too.
        busy_for: Seconds to wait for a stream that another run holds.
        origin: Where the release comes from, and who applies it; None for this user, by hand.
        told: Hears of every operation before it runs.

    Raises:
        ApplyBlockedError: an operation is refused; nothing was done. Or another apply runs.
    """
    refused = [o for o in plan.operations if o.refused]
    if refused:
        raise ApplyBlockedError(f"{refused[0].target}: {refused[0].refused}", hint="nothing was changed")
    with ExitStack() as stack:
        stack.enter_context(running.store.exclusive(f"apply {running.schema}"))
        _require_same(plan, make_plan(running, spec, plan.digest))
        executor = _Executor(running, spec, busy_for)
        for operation in (*plan.operations, *(plan.retired if prune else ())):
            if operation.action != "activate":
                told(operation)
                executor.perform(operation)
        active = not executor.waiting
        if active:
            _activate(running, spec, plan.digest, model_json, tables, origin or Origin(who=this_user()))
    return Applied(done=tuple(executor.done), waiting=tuple(executor.waiting), active=active)


def _require_same(plan: Plan, now: Plan) -> None:
    """Raise `ApplyBlockedError` if the running system has changed since the plan was made: another apply was faster."""
    planned, found = ([(o.action, o.target, o.detail, o.refused) for o in p.operations] for p in (plan, now))
    if planned != found:
        raise ApplyBlockedError(
            "the running system has changed since the plan was made; nothing was done", hint="plan and apply again"
        )


def _activate(
    running: RunningPlatform,
    spec: PlatformSpec,
    digest: str,
    model_json: str,
    tables: Iterable[ArchivePart],
    origin: Origin,
) -> None:
    with running.store.engine.begin() as connection:
        parts = ((p.dataset, p.part, p.columns, p.content) for p in tables)
        keep_tables(connection, running.schema, digest, parts)
        activate(connection, running.schema, digest, model_json, spec, datetime.now(UTC), origin)


def this_user() -> str:
    """Return who this process is, for those who ask later: `ann@laptop`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


class _Executor:
    """Performs operations one by one and remembers those that have to wait."""

    def __init__(self, running: RunningPlatform, spec: PlatformSpec, busy_for: float) -> None:
        self._running = running
        self._spec = spec
        self._busy_for = busy_for
        self._owner = owner_name()
        self._enrolled = running.is_enrolled()
        self.done: list[Operation] = []
        self.waiting: list[tuple[Operation, str]] = []

    def perform(self, operation: Operation) -> None:
        """Do one operation, waiting for its stream and for locks; what cannot be done now is remembered."""
        if operation.blocked:
            self._wait(operation, operation.blocked)
            return
        stuck = self._stands_on(operation)
        if stuck:
            self._wait(operation, stuck)
            return
        try:
            held = self._hold(operation)
        except StreamBusyError as error:
            self._wait(operation, error.message)
            return
        try:
            self._retry(operation, held)
        finally:
            if held is not None:
                with self._running.store.engine.begin() as connection:
                    release(connection, self._running.schema, held)

    def _wait(self, operation: Operation, reason: str) -> None:
        self.waiting.append((operation, reason))

    def _stands_on(self, operation: Operation) -> str:
        """Return why a view has to wait: the change of its table has to."""
        tables = {f"{view.stream.partition('.')[0]}.{view.dataset}" for view in operation.saves_views}
        found = [o.target for o, _ in self.waiting if o.target.partition(" ")[2].removeprefix("of ") in tables]
        return f"it waits for {found[0]}" if found else ""

    def _hold(self, operation: Operation) -> Claim | None:
        """Take the stream that an operation changes, waiting for it if it is busy."""
        if operation.stream is None or not self._enrolled:
            return None
        until = time.monotonic() + self._busy_for
        while True:
            try:
                with self._running.store.engine.begin() as connection:
                    return claim(connection, self._running.schema, operation.stream, self._owner)
            except StreamBusyError:
                if time.monotonic() >= until:
                    raise
                time.sleep(min(0.5, self._busy_for / 10))

    def _retry(self, operation: Operation, held: Claim | None) -> None:
        store = self._running.store
        for attempt in range(_ATTEMPTS):
            try:
                with store.engine.begin() as connection:
                    store.bound_waits(connection, lock=_LOCK_WAIT, idle=60)
                    if held is not None:
                        self._require_unloaded(connection, operation, held)
                    self._run(connection, operation)
            except Exception as error:
                reason = store.explain_error(error)
                if store.is_lock_timeout(error) and attempt + 1 < _ATTEMPTS:
                    time.sleep(0.2 * (attempt + 1))
                    continue
                if store.is_lock_timeout(error) or store.is_dependency(error):
                    self._wait(operation, reason)
                    return
                if isinstance(error, SQLAlchemyError) or store.is_database_error(error):
                    raise ApplyBlockedError(f"{operation.sentence()}: {reason}") from error
                raise
            else:
                self.done.append(operation)
                return

    def _require_unloaded(self, connection: Connection, operation: Operation, held: Claim) -> None:
        """Show that the stream is still held, and that a table to be made anew was not loaded since it was planned."""
        hold(connection, self._running.schema, held)
        if operation.saves_state is None or operation.saves_state[1].loaded:
            return
        stream, state = operation.saves_state
        known = dataset_states(connection, self._running.schema, stream).get(state.dataset)
        if known is not None and known.loaded:
            raise ApplyBlockedError(
                f"{operation.target} was loaded since the plan was made; it stays as it is", hint="plan and apply again"
            )

    def _run(self, connection: Connection, operation: Operation) -> None:
        running = self._running
        for statement in operation.statements:
            running.store.run(connection, statement)
        if not self._enrolled:
            enroll(connection, running.schema, identity_of(self._spec), datetime.now(UTC))
            self._enrolled = True
        self._remember(bind(connection, running.schema), operation)

    def _remember(self, bound: Connection, operation: Operation) -> None:
        gone = [*operation.forgets_views, *((v.schema, v.name) for v in operation.saves_views)]
        for schema, name in gone:
            bound.execute(delete(views).where(views.c.schema_name == schema, views.c.view_name == name))
        for view in operation.saves_views:
            bound.execute(
                insert(views).values(
                    schema_name=view.schema,
                    view_name=view.name,
                    stream=view.stream,
                    dataset=view.dataset,
                    columns=json.dumps(view.columns),
                    history=view.history,
                    statement=self._running.store.create_view(view),
                )
            )
        if operation.saves_state is not None:
            stream, state = operation.saves_state
            save_dataset(bound, self._running.schema, stream, state)
        if operation.forgets_state is not None:
            stream, dataset = operation.forgets_state
            bound.execute(delete(datasets).where(datasets.c.stream == stream, datasets.c.dataset == dataset))
        if operation.action == "change" and operation.stream is not None:
            forget_knowledge(bound, self._running.schema, operation.stream)
        if operation.ends_history is not None:
            stream, dataset = operation.ends_history
            bound.execute(
                update(datasets)
                .where(datasets.c.stream == stream, datasets.c.dataset == dataset)
                .values(history_from=None, history_from_at=None)
            )


def plan_and_apply(running: RunningPlatform, spec: PlatformSpec, release: Release, *, prune: bool = False) -> Applied:
    """Make a plan for a release and apply it."""
    plan = make_plan(running, spec, release.digest)
    return apply_plan(running, spec, plan, release.model_json, tables=archive_of(release, spec), prune=prune)
