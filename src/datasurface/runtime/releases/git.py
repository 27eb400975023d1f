"""A git repository followed directly: a look is `git ls-remote`, a release is built from a shallow fetch of its commit.

Building imports the model's code. That happens in a process of its own, whose environment holds none of this one's
variables but where programs are found: no secret of the platform, and none of the repository.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datasurface import __version__
from datasurface.errors import DataSurfaceError, StoreError, TransientError
from datasurface.model.infrastructure import Credential
from datasurface.model.release_rule import RefKind, ReleaseRule
from datasurface.release.compile import FORMAT
from datasurface.release.published import Published
from datasurface.release.released import file_digest, read_released
from datasurface.runtime.releases.base import Candidate
from datasurface.secrets.base import Secret
from datasurface.secrets.masking import masked
from datasurface.transform.fetched import fetched
from datasurface.transform.git import GitSource, checkout, remote_refs

__all__ = ["GitReleases"]

_KINDS = {"refs/tags/": RefKind.TAG, "refs/heads/": RefKind.BRANCH}
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ")
_SECONDS = 900
_SHOWN = 3
"""How many errors of `check` a refusal repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitReleases:
    """The releases of one environment in a git repository whose root is the model folder.

    Attributes:
        source: The repository and its login.
        folder: The folder from which relative paths start; None where there is none.
        cache: A private folder that lasts, for what is fetched and built.
        secret: Returns the secret of a credential.
    """

    source: GitSource
    ecosystem: str
    environment: str | None
    label: str
    folder: Path | None
    cache: Path
    secret: Callable[[Credential], Secret] | None

    def look(self, rule: ReleaseRule | None) -> Sequence[Candidate]:
        """Return what a rule takes, or every tag and branch: one `git ls-remote`."""
        patterns = ["refs/tags/*", "refs/heads/*"]
        if rule is not None:
            patterns = ["refs/tags/*"] if rule.kind is RefKind.TAG else [f"refs/heads/{rule.pattern}"]
        with_commits = self._told(
            lambda: remote_refs(self.source, patterns, folder=self.folder, secret=self.secret), "looked at"
        )
        found = [_candidate(name, commit) for name, commit in sorted(with_commits.items())]
        return [c for c in found if c is not None and (rule is None or rule.matches(c.kind, c.name))]

    def describe(self, candidate: Candidate) -> Published:
        """Return what is known of a commit; it is built if it was not before."""
        file = self._built(candidate)
        released = read_released(file)
        moment = _moment(file)
        return Published(
            ref_kind=candidate.kind,
            ref=candidate.name,
            commit=candidate.commit,
            committed_at=moment,
            digest=released.digest,
            ecosystem=released.ecosystem,
            environment=released.environment,
            format=FORMAT,
            sha256=file_digest(file),
            bytes=file.stat().st_size,
            published_at=moment,
            published_by=self.label,
            datasurface=__version__,
        )

    def fetch(self, published: Published, folder: Path) -> Path:  # noqa: ARG002 - the file is here already
        """Return the file that was built."""
        return self._built(Candidate(kind=published.ref_kind, name=published.ref, commit=published.commit))

    def _built(self, candidate: Candidate) -> Path:
        """Return the release file of a commit, built once for each version of DataSurface."""
        key = f"{candidate.commit}-{self.environment or ''}-{__version__}-{FORMAT}"

        def make(into: Path) -> None:
            source = GitSource(
                repository=self.source.repository, release=candidate.commit, credential=self.source.credential
            )
            found = checkout(source, folder=self.folder, cache=self.cache, secret=self.secret)
            _build(found.files, self.environment, into / "release.sqlite", candidate.label)
            (into / "committed_at").write_text(found.committed_at.isoformat(), encoding="ascii")

        made: Path = self._told(lambda: fetched(self.cache, "releases", key, make), "built")
        return made / "release.sqlite"

    def _told(self, work: Callable[[], Any], what: str) -> Any:
        try:
            return work()
        except (TransientError, StoreError):
            raise
        except DataSurfaceError as error:
            raise StoreError(f"{self.label} cannot be {what}: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise StoreError(f"{self.label} cannot be {what}: {error}") from error


def _moment(file: Path) -> datetime:
    return datetime.fromisoformat((file.parent / "committed_at").read_text(encoding="ascii")).astimezone(UTC)


def _candidate(name: str, commit: str) -> Candidate | None:
    for prefix, kind in _KINDS.items():
        if name.startswith(prefix):
            return Candidate(kind=kind, name=name.removeprefix(prefix), commit=commit, key=name)
    return None


def _build(files: Path, environment: str | None, output: Path, label: str) -> None:
    """Build the release of a model folder in a process that knows no secret.

    Raises:
        StoreError: the model cannot be loaded, or `check` finds errors.
    """
    command = [sys.executable, "-m", "datasurface", "build", "--json", "-m", str(files), "-o", str(output)]
    command += ["-e", environment] if environment is not None else []
    with tempfile.TemporaryDirectory(prefix="datasurface-build-") as home:
        variables = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            done = subprocess.run(  # noqa: S603 - the environment's name stands behind its option
                command,
                cwd=home,
                env={**variables, "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StoreError(f"building {label} took over {_SECONDS} seconds") from None
    if done.returncode != 0 or not output.is_file():
        raise StoreError(f"{label} cannot be built: {_reason(done.stdout, done.stderr)}")


def _reason(document: str, said: str) -> str:
    """Return why a build ended without a release: the first errors of `check`, or what stopped it."""
    try:
        found = json.loads(document)
        if "error" in found:
            return masked(str(found["error"]["message"]))
        errors = [f"{f['code']} {f['path']}: {f['message']}" for f in found["findings"] if f["severity"] == "error"]
        more = f", and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
        return masked("; ".join(errors[:_SHOWN]) + more)
    except (ValueError, KeyError, TypeError):
        return masked(" ".join(said.split())[-600:]) or "its process was ended"
