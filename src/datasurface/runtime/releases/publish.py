"""Publishing: the model of a folder, checked and compiled, put into a release store under its tag or commit."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from datasurface import __version__
from datasurface.errors import ConfigurationError
from datasurface.govern.report import Report
from datasurface.model.ownership import Repository
from datasurface.model.platform import Environment
from datasurface.model.release_rule import parse_rule
from datasurface.release.compile import FORMAT, Release
from datasurface.release.file import write_release
from datasurface.release.published import Published
from datasurface.release.released import file_digest
from datasurface.runtime.apply import this_user
from datasurface.runtime.compile_model import compile_model
from datasurface.runtime.releases.head import Head, head_of
from datasurface.runtime.releases.opening import address_in, open_store

__all__ = ["Outcome", "environment_of", "publish", "store_address"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How publishing ended.

    Attributes:
        published: What the store has; None if `check` found errors.
        written: Whether it was not there, or not whole.
        selected: Whether the environment's rule takes it; None if there is no rule.
        store: The store in words.
        report: What `check` found.
    """

    published: Published | None
    written: bool = False
    selected: bool | None = None
    store: str = ""
    report: Report


def publish(
    folder: Path, environment: str | None, environ: Mapping[str, str], *, ref: str | None, store: str | None
) -> Outcome:
    """Publish the release of a model folder; again it does nothing.

    Args:
        folder: The model folder.
        environment: What binds it; None for the model as it is.
        environ: The variables of the process: CI services and AWS's tools.
        ref: The tag or branch that it is of; None to ask git.
        store: Where to; None for the environment's release store.

    Raises:
        ConfigurationError: it is of no tag or branch, or there is no store to publish to.
        StoreError: the store refuses, or another release has this tag.
        TransientError: the store is out of reach now.
    """
    release, report = compile_model(folder, environment)
    if report.errors:
        return Outcome(published=None, report=report)
    bound = environment_of(release)
    rule = parse_rule(bound.releases) if bound is not None and bound.releases is not None else None
    head = head_of(folder, ref, rule, environ)
    address = address_in(store if store is not None else store_address(bound), folder if store is not None else None)
    target = open_store(address, release.ecosystem.name, environment, environ)
    with tempfile.TemporaryDirectory(prefix="datasurface-release-") as drafts:
        file = Path(drafts) / "release.sqlite"
        write_release(release, file)
        published, written = target.publish(_described(release, head, file), file)
    return Outcome(
        published=published,
        written=written,
        selected=None if rule is None else rule.matches(head.kind, head.name),
        store=target.label,
        report=report,
    )


def environment_of(release: Release) -> Environment | None:
    """Return the environment that binds a release; None for the model as it is."""
    return next((e for e in release.ecosystem.environments if e.name == release.environment), None)


def store_address(environment: Environment | None) -> str | Repository:
    """Return an environment's release store, as the model says it.

    Raises:
        ConfigurationError: it has none.
    """
    if environment is None:
        raise ConfigurationError(
            "without an environment there is no release store", hint="say which environment: -e, or the store: --to"
        )
    if environment.release_store is None:
        raise ConfigurationError(
            f"environment {environment.name!r} has no release store",
            hint='say Environment(release_store="s3://bucket/prefix"), or --to',
        )
    return environment.release_store


def _described(release: Release, head: Head, file: Path) -> Published:
    return Published(
        ref_kind=head.kind,
        ref=head.name,
        commit=head.commit,
        committed_at=head.committed_at,
        digest=release.digest,
        ecosystem=release.ecosystem.name,
        environment=release.environment,
        format=FORMAT,
        sha256=file_digest(file),
        bytes=file.stat().st_size,
        published_at=datetime.now(UTC),
        published_by=this_user(),
        datasurface=__version__,
    )
