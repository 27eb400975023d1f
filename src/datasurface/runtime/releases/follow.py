"""Following: look at the release store, choose by the rule, verify, plan, apply, activate. One platform, one look.

A release that cannot become active stays pending with its reason; what was active goes on, and the next look tries
again. The follower only goes forward: never to an older release than the active one, nor to one that was rolled back.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from datasurface.engine.operation import Operation
from datasurface.errors import ApplyBlockedError, ConfigurationError, DataSurfaceError, TransientError
from datasurface.model.release_rule import parse_rule
from datasurface.release.job import Follows, PlatformSpec
from datasurface.release.published import Published
from datasurface.release.released import Released, read_released
from datasurface.runtime.apply import Applied, apply_plan
from datasurface.runtime.plan import make_plan
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.runtime.releases.base import Candidate, ReleaseSource, newest
from datasurface.runtime.releases.memory import (
    Known,
    Mark,
    is_newer,
    read_known,
    remember_look,
    remember_ref,
    with_pending,
)
from datasurface.runtime.releases.opening import address_in, source_of_platform
from datasurface.runtime.security import keep_access
from datasurface.secrets.masking import masked
from datasurface.store.following import Origin, Seen

__all__ = ["Followed", "follow_once"]

_LOGGER = logging.getLogger("datasurface")
_CODES = {"applied": 0, "current": 99, "nothing": 99, "pinned": 99, "pending": 1, "unreachable": 75}
_SHOWN = 3
_BUSY_FOR = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How one look ended.

    Attributes:
        state: `applied`, `current`, `nothing` (the rule selects none), `pinned` (a rollback holds it back), `pending`,
            or `unreachable`.
        ref: The selected release in words; empty if none is selected.
        wanted: Its digest; None if none is selected, or it could not be told.
        active: The digest of the active release afterwards; None if nothing is active.
        reason: Why it is not as the rule says; empty if it is.
        done: What was done, in words.
    """

    platform: str
    state: str
    ref: str = ""
    wanted: str | None = None
    active: str | None = None
    reason: str = ""
    done: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What a job that follows ends with: 0 applied, 99 nothing to do, 1 somebody has to act, 75 try again."""
        return _CODES[self.state]

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {**dataclasses.asdict(self), "done": list(self.done)}


def follow_once(
    spec: PlatformSpec,
    folder: Path | None,
    environ: Mapping[str, str],
    *,
    who: str,
    busy_for: float = _BUSY_FOR,
) -> Followed:
    """Bring one platform to the release that its rule selects, if that can be done now.

    Args:
        spec: The platform, of a release or of a platform file: where it is, and what it follows.
        folder: The model folder; None where there is none.
        environ: The variables of the process.
        who: What activations are told to be made by.
        busy_for: Seconds to wait for a stream that another run holds.

    Raises:
        ConfigurationError: the platform follows nothing.
        StoreError: the merge database is out of reach, or is another ecosystem's.
    """
    follows = spec.follows
    if follows is None:
        raise ConfigurationError(
            f"platform {spec.name!r} follows no releases",
            hint='say Environment(releases="v*", release_store="s3://bucket/prefix"), and name it with -e',
        )
    with open_platform(spec, folder or Path.cwd(), environ) as running:
        look = _Look(running, spec, follows, read_known(running), datetime.now(UTC), who, busy_for)
        found = look.taken(source_of_platform(spec, follows, folder, environ))
    level = logging.WARNING if found.state in {"pending", "unreachable"} else logging.INFO
    _LOGGER.log(level, "platform %s: %s %s %s", found.platform, found.state, found.ref, found.reason)
    return found


class _Look:
    """One look of one platform."""

    def __init__(
        self,
        running: RunningPlatform,
        spec: PlatformSpec,
        follows: Follows,
        known: Known,
        now: datetime,
        who: str,
        busy_for: float,
    ) -> None:
        self._running = running
        self._spec = spec
        self._known = known
        self._now = now
        self._who = who
        self._busy_for = busy_for
        self._rule = parse_rule(follows.rule)
        self._seen = Seen(at=now, rule=follows.rule, store=str(address_in(follows.store)))
        self._wanted: str | None = None
        self._ref = ""

    def taken(self, source: ReleaseSource) -> Followed:
        """Look, and do what follows from it."""
        try:
            candidate = newest(source.look(self._rule), self._rule)
            if candidate is None:
                reason = f"the rule {str(self._rule)!r} selects nothing in {source.label}"
                return self._ended("nothing", reason, pending=False)
            self._selected(candidate, None)
            published = source.describe(candidate)
            self._selected(candidate, published)
            remember_ref(self._running, published)
            return self._move(source, published)
        except TransientError as error:
            return self._unreachable(error)
        except DataSurfaceError as error:
            if not self._ref:
                return self._unreachable(error)
            if self._wanted is not None and read_known(self._running).active == self._wanted:
                return self._ended("current", pending=False, active=self._wanted)  # another follower was faster
            return self._ended("pending", f"{error.message} ({error.hint})" if error.hint else error.message)

    def _selected(self, candidate: Candidate, published: Published | None) -> None:
        """Remember what the rule selects, as far as it is known."""
        self._ref = published.label if published else candidate.label
        before = self._known.following.seen
        digest = published.digest if published else None
        self._wanted = digest
        since = before.since if before and digest and before.digest == digest else self._now
        commit = (published.commit if published else candidate.commit) or None
        self._seen = dataclasses.replace(self._seen, digest=digest, ref=candidate.name, commit=commit, since=since)

    def _move(self, source: ReleaseSource, published: Published) -> Followed:
        """Make a release active, unless it is, or is held back."""
        if published.digest == self._known.active:
            return self._ended("current", pending=False)
        held = self._held_back(published)
        if held:
            return self._ended("pinned", held, pending=False)
        problem = published.problem(self._spec.ecosystem, self._spec.environment)
        if problem:
            raise ApplyBlockedError(problem)
        with tempfile.TemporaryDirectory(prefix="datasurface-release-") as drafts:
            released = read_released(source.fetch(published, Path(drafts)))
            applied = self._apply(released, published)
        return self._ended("applied", pending=False, active=released.digest, done=applied.done)

    def _held_back(self, published: Published) -> str:
        """Return why a release does not become active although the rule selects it; empty if nothing holds it."""
        known, pin = self._known, self._known.following.pin
        resumed = known.following.resumed_at
        if pin is not None:
            left = Mark.of(pin.left_origin, pin.left_at)
            if published.digest in {pin.left, pin.to} or not is_newer(self._rule, published, left):
                return (
                    f"{pin.who} rolled back from {pin.left[:12]} at {pin.at:%Y-%m-%d %H:%M:%SZ}; "
                    "a newer release or `datasurface release unpin` ends that"
                )
        if known.active is None or known.activated_at is None or (resumed is not None and resumed > known.activated_at):
            return ""
        origin = known.activation.origin if known.activation else Origin(who="")
        if is_newer(self._rule, published, Mark.of(origin, known.activated_at)):
            return ""
        if origin.ref is None:
            return (
                f"{origin.who or 'somebody'} applied {known.active[:12]} by hand after it was published; "
                "a newer release or `datasurface release unpin` ends that"
            )
        return f"it is older than {origin.label}, which is active; `datasurface rollback` goes back"

    def _apply(self, released: Released, published: Published) -> Applied:
        spec = self._verified(released, published)
        plan = make_plan(self._running, spec, released.digest)
        if plan.stopped:
            raise ApplyBlockedError(_sentence(plan.stopped))
        origin = Origin(
            who=self._who,
            how="follow",
            ref_kind=published.ref_kind.value,
            ref=published.ref,
            commit=published.commit or None,
            committed_at=published.committed_at,
        )
        applied = apply_plan(
            self._running,
            spec,
            plan,
            released.model_json,
            tables=released.archive_of(spec),
            busy_for=self._busy_for,
            origin=origin,
        )
        keep_access(self._running, spec)
        if not applied.active:
            waits = "; ".join(f"{o.action} {o.target}: {reason}" for o, reason in applied.waiting[:_SHOWN])
            raise ApplyBlockedError(f"{len(applied.done)} operations are done, {len(applied.waiting)} wait: {waits}")
        return applied

    def _verified(self, released: Released, published: Published) -> PlatformSpec:
        """Return what the release says of this platform, once all shows that it is for it."""
        if (released.digest, released.ecosystem, released.environment) != (
            published.digest,
            published.ecosystem,
            published.environment,
        ):
            raise ApplyBlockedError("its file is another release than its description says: publish it again")
        if released.errors:
            raise ApplyBlockedError(f"check finds errors in it: {'; '.join(released.errors[:_SHOWN])}")
        spec = released.platform(self._spec.name)
        if spec is None:
            raise ApplyBlockedError(f"it has no platform {self._spec.name!r} that moves data")
        if spec.container != self._spec.container:
            raise ApplyBlockedError(
                f"it moves platform {spec.name!r} from {self._spec.container.label()} to {spec.container.label()}: "
                "deploy that first, and give its jobs the new place"
            )
        return spec

    def _unreachable(self, error: Exception) -> Followed:
        """Return that the store could not be looked at; what was known of it stays known."""
        reason = masked(getattr(error, "message", str(error)))
        before = self._known.following
        kept = before.seen or self._seen
        seen = dataclasses.replace(kept, at=self._now, rule=self._seen.rule, store=self._seen.store, error=reason)
        remember_look(self._running, seen, before.pending)
        return Followed(
            platform=self._spec.name,
            state="unreachable",
            ref=self._ref,
            active=self._known.active,
            reason=reason,
        )

    def _ended(
        self,
        state: str,
        reason: str = "",
        *,
        pending: bool = True,
        active: str | None = None,
        done: tuple[Operation, ...] = (),
    ) -> Followed:
        reason = masked(reason)
        before = self._known.following
        waits = with_pending(before, self._wanted, self._ref, reason, self._now) if pending else None
        remember_look(self._running, self._seen, waits)
        return Followed(
            platform=self._spec.name,
            state=state,
            ref=self._ref,
            wanted=self._wanted,
            active=active or self._known.active,
            reason=reason,
            done=tuple([operation.sentence() for operation in done]),
        )


def _sentence(stopped: tuple[Operation, ...]) -> str:
    more = f", and {len(stopped) - _SHOWN} more" if len(stopped) > _SHOWN else ""
    return "nothing was changed: " + "; ".join(o.sentence() for o in stopped[:_SHOWN]) + more
