"""What a release store holds for an environment, the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from datasurface.errors import ConfigurationError, StoreError
from datasurface.model.release_address import StoreKind
from datasurface.model.release_rule import RefKind, ReleaseRule, parse_rule, version_order
from datasurface.release.published import Published
from datasurface.runtime.folder import ModelFolder
from datasurface.runtime.releases.base import Candidate, ReleaseSource, newest
from datasurface.runtime.releases.opening import address_in, open_source, source_of_platform

__all__ = ["Listed", "Listing", "list_releases"]

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One release.

    Attributes:
        matches: Whether the environment's rule takes it; None without a rule.
        selected: Whether it is the one that the rule selects now.
        published: Its description; None for one that is damaged, or is built only when it is followed.
        error: Why its description cannot be read; empty if it can.
    """

    candidate: Candidate
    matches: bool | None
    selected: bool
    published: Published | None
    error: str = ""

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        commit = self.published.commit if self.published else self.candidate.commit
        at = self.published.committed_at if self.published else self.candidate.committed_at
        return {
            "key": self.candidate.key,
            "kind": self.candidate.kind.value,
            "ref": self.candidate.name,
            "commit": commit or None,
            "committed_at": at.isoformat() if at else None,
            "matches": self.matches,
            "selected": self.selected,
            "error": self.error or None,
            "release": self.published.to_json() if self.published else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a store holds.

    Attributes:
        number: How many releases there are, those that are not listed included.
        releases: The newest, in order.
    """

    store: str
    rule: ReleaseRule | None
    number: int
    releases: tuple[Listed, ...]


def list_releases(model: ModelFolder, environ: Mapping[str, str], *, store: str | None, limit: int) -> Listing:
    """Return what a store holds for the environment that binds a model.

    Args:
        model: The model folder, with the environment.
        environ: The variables of the process.
        store: Where to look; None for the environment's release store.
        limit: How many releases to describe at most.

    Raises:
        ConfigurationError: there is no store to look into.
        StoreError: it refuses.
        TransientError: it is out of reach now.
    """
    spec = model.platforms[0]
    rule = parse_rule(spec.follows.rule) if spec.follows else None
    source, described = _opened(model, environ, store)
    found = source.look(None)
    selected = newest(found, rule) if rule else None
    rows = [
        _listed(source, c, rule, selected, described=described) for c in sorted(found, key=_order, reverse=True)[:limit]
    ]
    return Listing(store=source.label, rule=rule, number=len(found), releases=tuple(rows))


def _opened(model: ModelFolder, environ: Mapping[str, str], store: str | None) -> tuple[ReleaseSource, bool]:
    spec = model.platforms[0]
    if store is not None:
        address = address_in(store, model.folder)
        source = open_source(address, spec.ecosystem, spec.environment, environ, folder=model.folder)
        return source, address.kind is not StoreKind.GIT
    if spec.follows is None:
        raise ConfigurationError(
            "there is no release store to look into",
            hint="name an environment that has a rule and a store with -e, or the store with --from",
        )
    source = source_of_platform(spec, spec.follows, model.folder, environ)
    return source, address_in(spec.follows.store).kind is not StoreKind.GIT


def _order(candidate: Candidate) -> tuple[bool, object, datetime, str]:
    version = version_order(candidate.name) if candidate.kind is RefKind.TAG else None
    return candidate.kind is RefKind.TAG, version or ((), 0, (), ""), candidate.committed_at or _NEVER, candidate.name


def _listed(
    source: ReleaseSource,
    candidate: Candidate,
    rule: ReleaseRule | None,
    selected: Candidate | None,
    *,
    described: bool,
) -> Listed:
    published, error = None, ""
    if described:
        try:
            published = source.describe(candidate)
        except StoreError as problem:
            error = problem.message
    return Listed(
        candidate=candidate,
        matches=rule.matches(candidate.kind, candidate.name) if rule else None,
        selected=candidate == selected,
        published=published,
        error=error,
    )
