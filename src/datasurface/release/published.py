"""What a release store says of a release: of which tag or commit it is, for whom, and the digest of its file. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datasurface.errors import StoreError
from datasurface.model.release_rule import RefKind
from datasurface.release.compile import FORMAT

__all__ = ["Published", "read_published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published release.

    Attributes:
        ref: The tag's or branch's name.
        commit: All digits of the commit; empty if it is not known.
        committed_at: When the commit was made; None if it is not known.
        digest: The release's digest.
        environment: What binds it; None for the model as it is.
        format: The version of what the release holds.
        sha256: Of the release file.
        bytes: Its length.
        datasurface: The version that made it.
    """

    ref_kind: RefKind
    ref: str
    commit: str
    committed_at: datetime | None
    digest: str
    ecosystem: str
    environment: str | None
    format: int
    sha256: str
    bytes: int
    published_at: datetime
    published_by: str
    datasurface: str

    @property
    def label(self) -> str:
        """The ref in words."""
        return f"{self.ref_kind} {self.ref}" + (f" at {self.commit[:12]}" if self.commit else "")

    @property
    def moment(self) -> datetime:
        """When it came into being: what releases of different refs are compared by."""
        return self.committed_at or self.published_at

    def problem(self, ecosystem: str, environment: str | None) -> str:
        """Return why a platform of this ecosystem and environment refuses it; empty if it does not."""
        if (self.ecosystem, self.environment) != (ecosystem, environment):
            return f"it was made for {_of(self.ecosystem, self.environment)}, not for {_of(ecosystem, environment)}"
        if self.format > FORMAT:
            return (
                f"DataSurface {self.datasurface} made it in format {self.format}, and the one that runs here reads "
                f"format {FORMAT}: deploy the newer one first"
            )
        if self.format < FORMAT:
            return (
                f"DataSurface {self.datasurface} made it in format {self.format}, and the one that runs here reads "
                f"format {FORMAT}: publish a new tag or commit with the newer one"
            )
        return ""

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        values = dataclasses.asdict(self)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}

    def to_text(self) -> str:
        """Return the document that a store keeps, with a checksum of itself."""
        values = self.to_json()
        return json.dumps({**values, "checksum": _checksum(values)}, indent=1, sort_keys=True, ensure_ascii=False)


def read_published(text: str, where: str) -> Published:
    """Return what `to_text` wrote; keys that a newer package has added are passed over.

    Raises:
        StoreError: it was written by half, or changed.
    """
    try:
        return _decoded(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{where} is no whole description of a release: {error}",
            hint="it was written by half or changed: publish the release again",
        ) from error


def _decoded(values: dict[str, Any]) -> Published:
    if values.pop("checksum") != _checksum(values):
        raise ValueError("its checksum does not fit")
    known = {field.name for field in dataclasses.fields(Published)}
    given: dict[str, Any] = {name: value for name, value in values.items() if name in known}
    given |= {name: _moment(values[name]) for name in ("committed_at", "published_at")}
    return Published(**{**given, "ref_kind": RefKind(values["ref_kind"])})


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _checksum(values: Mapping[str, object]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _of(ecosystem: str, environment: str | None) -> str:
    return f"ecosystem {ecosystem!r}" + (f", environment {environment!r}" if environment else " without an environment")
