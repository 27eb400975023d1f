"""Where a platform stands between the release that is wanted and the one that is active, for status and explain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from datasurface.release.job import PlatformSpec
from datasurface.runtime.platform import RunningPlatform
from datasurface.runtime.releases.memory import Known, read_known
from datasurface.runtime.releases.opening import address_in

__all__ = ["ReleaseStanding", "release_standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStanding:
    """Wanted, active, pending.

    Attributes:
        model: The digest of the model in its folder; None where there is no folder.
        rule: The environment's rule; None if releases are applied by hand.
        store: Where releases come from, in words.
        known: What the platform's tables say.
    """

    model: str | None
    rule: str | None
    store: str | None
    known: Known

    @property
    def wanted(self) -> str | None:
        """What the rule selected at the last look that could tell; without a rule that of the model folder."""
        if self.rule is None:
            return self.model
        seen = self.known.following.seen
        return seen.digest if seen else None

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints of it, beside the keys of a platform."""
        following = self.known.following
        seen, pending, pin, activation = following.seen, following.pending, following.pin, self.known.activation
        return {
            "rule": self.rule,
            "store": self.store,
            "looked_at": _iso(seen.at if seen else None),
            "look_error": (seen.error or None) if seen else None,
            "wanted_ref": seen.ref if seen else None,
            "wanted_commit": seen.commit if seen else None,
            "wanted_since": _iso(seen.since if seen else None),
            "active_ref": activation.origin.ref if activation else None,
            "active_commit": activation.origin.commit if activation else None,
            "activated_by": activation.origin.who if activation else None,
            "activated_how": activation.origin.how if activation else None,
            "pending": None
            if pending is None
            else {
                "digest": pending.digest,
                "ref": pending.ref,
                "reason": pending.reason,
                "since": _iso(pending.since),
                "tried_at": _iso(pending.tried_at),
                "tries": pending.tries,
            },
            "pin": None
            if pin is None
            else {"at": _iso(pin.at), "who": pin.who, "left": pin.left, "left_ref": pin.left_origin.ref, "to": pin.to},
        }


def release_standing(spec: PlatformSpec, model: str | None, running: RunningPlatform | None) -> ReleaseStanding:
    """Return where a platform stands; `running` is None for an embedded one that was never made."""
    follows = spec.follows
    return ReleaseStanding(
        model=model,
        rule=follows.rule if follows else None,
        store=str(address_in(follows.store)) if follows else None,
        known=read_known(running) if running else Known(enrolled=False),
    )


def _iso(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
