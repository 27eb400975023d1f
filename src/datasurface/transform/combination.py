"""The combination of input batches that a run of code sees: what decides whether it has to run at all. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Combination"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """Which batches of its inputs a run sees, and which code it is; becomes the position of the output's stream.

    Attributes:
        inputs: For each input stream the merged batch that last changed a row of it; None before its first.
        code: The digest of the code, and of what it is given.
        release: The digest of the release, for system code that describes it; else empty.
    """

    inputs: Mapping[str, int | None] = field(default_factory=dict)
    code: str = ""
    release: str = ""

    @classmethod
    def of_position(cls, position: str | None) -> Combination | None:
        """Return what a stream's position says; None before its first merge."""
        if position is None:
            return None
        data = json.loads(position)
        return cls(inputs=data.get("inputs", {}), code=data.get("code", ""), release=data.get("release", ""))

    def to_position(self) -> dict[str, object]:
        """Return the position that a run that saw this combination has."""
        return {"inputs": dict(self.inputs), "code": self.code, "release": self.release}

    def triggers(self, streams: frozenset[str]) -> Combination:
        """Return what of it makes a run necessary: the inputs among `streams`, the code and the release."""
        inputs = {name: batch for name, batch in self.inputs.items() if name in streams}
        return Combination(inputs=inputs, code=self.code, release=self.release)

    @property
    def missing(self) -> tuple[str, ...]:
        """The input streams that were never merged, sorted."""
        return tuple(sorted(name for name, batch in self.inputs.items() if batch is None))
