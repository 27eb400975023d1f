"""Releases in a place that keeps files by key: what is written where, so that one listing tells what there is.

`<ecosystem>/<environment>/tags/<tag>.json` and `…/branches/<branch>/<time>-<commit>.json` describe releases;
`<ecosystem>/<environment>/files/<sha256>.sqlite` hold them. A file is written before its description, neither is ever
replaced by other content, and what was written by half or changed is seen by its checksum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

from datasurface.errors import StoreError
from datasurface.model.release_rule import RefKind, ReleaseRule
from datasurface.release.published import Published, read_published
from datasurface.release.released import file_digest
from datasurface.runtime.releases.base import Candidate

__all__ = ["Objects", "StoredReleases", "place_of"]

_NO_ENVIRONMENT = "@model"
"""The folder of the model as it is; no environment's quoted name has an `@`."""
_TIME = "%Y%m%dT%H%M%SZ"


class Objects(Protocol):
    """Files by key. All methods raise `StoreError` if the place refuses, `TransientError` if it is out of reach."""

    @property
    def label(self) -> str:
        """The place in words."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`, sorted."""
        ...

    def read(self, key: str) -> bytes | None:
        """Return the content; None if there is none."""
        ...

    def save(self, key: str, path: Path) -> bool:
        """Write the content into a file; return False if there is none."""
        ...

    def create(self, key: str, content: bytes | Path) -> bool:
        """Write content under a key that is free, whole or not at all; return False if it is taken."""
        ...

    def replace(self, key: str, content: bytes | Path) -> None:
        """Write content in place of what is damaged there, whole or not at all."""
        ...


def place_of(ecosystem: str, environment: str | None) -> str:
    """Return what the keys of an environment's releases begin with."""
    return f"{_quoted(ecosystem)}/{_NO_ENVIRONMENT if environment is None else _quoted(environment)}/"


class StoredReleases:
    """The releases of one ecosystem and environment among files."""

    def __init__(self, objects: Objects, ecosystem: str, environment: str | None) -> None:
        self._objects = objects
        self._place = place_of(ecosystem, environment)

    @property
    def label(self) -> str:
        """The place in words."""
        return self._objects.label

    def look(self, rule: ReleaseRule | None) -> Sequence[Candidate]:
        """Return what a rule takes, or everything: one listing."""
        prefixes = [_tags(self._place), _branches(self._place)] if rule is None else [self._prefix(rule)]
        found = [c for prefix in prefixes for key in self._objects.keys(prefix) if (c := self._candidate(key))]
        return [c for c in found if rule is None or rule.matches(c.kind, c.name)]

    def describe(self, candidate: Candidate) -> Published:
        """Return what its description says."""
        content = self._objects.read(candidate.key)
        where = f"{candidate.key} in {self.label}"
        if content is None:
            raise StoreError(f"{where} is gone", hint="publish it again")
        found = read_published(content.decode(errors="replace"), where)
        if (found.ref_kind, found.ref) != (candidate.kind, candidate.name):
            raise StoreError(f"{where} describes another release, {found.label}", hint="publish this one again")
        return found

    def fetch(self, published: Published, folder: Path) -> Path:
        """Write the release file into a folder; one that is not what its description says is refused."""
        path = folder / f"{published.digest}.sqlite"
        key = self._file(published)
        if not self._objects.save(key, path):
            raise StoreError(f"the file of {published.label} is not in {self.label}: {key}", hint="publish it again")
        if file_digest(path) != published.sha256:
            path.unlink()
            raise StoreError(
                f"the file of {published.label} in {self.label} was changed or is not whole: {key}",
                hint="publish it again",
            )
        return path

    def publish(self, published: Published, file: Path) -> tuple[Published, bool]:
        """Write a release, unless it is there; repair what is damaged of it.

        Returns:
            What is there now, and whether anything was written.

        Raises:
            StoreError: another release is published under this tag or commit.
        """
        key = self._key(published)
        present = self._present(key)
        if present is not None:
            _require_same(present, published)
            return present, self._repair(present, published, key, file)
        self._write(self._file(published), file)
        text = published.to_text().encode()
        if not self._objects.create(key, text):
            faster = self._present(key)
            if faster is not None:
                _require_same(faster, published)
                return faster, False
            self._objects.replace(key, text)
        return published, True

    def _present(self, key: str) -> Published | None:
        """Return what is published under a key; None for nothing, or for what is damaged."""
        content = self._objects.read(key)
        try:
            return None if content is None else read_published(content.decode(errors="replace"), key)
        except StoreError:
            return None

    def _repair(self, present: Published, published: Published, key: str, file: Path) -> bool:
        """Write the file and its description again if the file is not what was described; its bytes may differ."""
        held = self._objects.read(self._file(present))
        if held is not None and _sha256(held) == present.sha256:
            return False
        self._write(self._file(published), file)
        self._objects.replace(key, published.to_text().encode())
        return True

    def _write(self, key: str, file: Path) -> None:
        if not self._objects.create(key, file):
            held = self._objects.read(key)
            if held is None or _sha256(held) != file_digest(file):
                self._objects.replace(key, file)

    def _file(self, published: Published) -> str:
        return f"{self._place}files/{published.sha256}.sqlite"

    def _key(self, published: Published) -> str:
        name = _quoted(published.ref)
        if published.ref_kind is RefKind.TAG:
            return f"{_tags(self._place)}{name}.json"
        moment = published.moment.astimezone(UTC).strftime(_TIME)
        return f"{_branches(self._place)}{name}/{moment}-{published.commit}.json"

    def _prefix(self, rule: ReleaseRule) -> str:
        return _tags(self._place) if rule.kind is RefKind.TAG else f"{_branches(self._place)}{_quoted(rule.pattern)}/"

    def _candidate(self, key: str) -> Candidate | None:
        """Return what a key tells; None for a file that is none of ours."""
        parts = key.removeprefix(self._place).removesuffix(".json").split("/")
        if not key.endswith(".json"):
            return None
        match parts:
            case ["tags", name]:
                return Candidate(kind=RefKind.TAG, name=unquote(name), key=key)
            case ["branches", name, moment]:
                return _of_branch(unquote(name), moment, key)
        return None


def _of_branch(name: str, text: str, key: str) -> Candidate | None:
    moment, _, commit = text.partition("-")
    try:
        at = datetime.strptime(moment, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Candidate(kind=RefKind.BRANCH, name=name, commit=commit, committed_at=at, key=key)


def _require_same(present: Published, published: Published) -> None:
    """Raise `StoreError` if something else is published under this name."""
    if present.digest == published.digest:
        return
    if present.ref_kind is RefKind.TAG and present.commit != published.commit:
        reason = f"{present.label} was published as release {present.digest[:12]}; a tag that was published never moves"
    else:
        reason = (
            f"{present.label} was published as release {present.digest[:12]} by DataSurface {present.datasurface}, "
            f"and this one is {published.digest[:12]}"
        )
    raise StoreError(reason, hint="make a new tag or commit and publish that")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tags(place: str) -> str:
    return f"{place}tags/"


def _branches(place: str) -> str:
    return f"{place}branches/"


def _quoted(name: str) -> str:
    return quote(name, safe="")
