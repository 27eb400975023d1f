"""What a run's process is told on its standard input: never in its arguments or variables, which others can see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from datasurface.databases.base import Login
from datasurface.model.infrastructure import Container
from datasurface.model.serial import decode, encode
from datasurface.release.job import JobSpec
from datasurface.secrets.base import Secret

__all__ = ["InputState", "Instruction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputState:
    """How far an input is, at the moment at which it is read.

    Attributes:
        batch: The merged batch that last changed its stream; None before the first.
        previous: The same as the last merged run of the transformer saw it; None if there was none.
        history_from: The batch from which on all versions are kept; None if none are.
    """

    batch: int | None
    previous: int | None = None
    history_from: int | None = None

    @property
    def comparable(self) -> bool:
        """Whether it can be told what changed since `previous`."""
        return self.previous is not None and self.history_from is not None and self.history_from <= self.previous


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Instruction:
    """A run.

    Attributes:
        job: The stream of the output.
        login: The code's own login.
        snapshot: The moment at which inputs are read.
        name_limit: The longest name in the database, in bytes.
        inputs: How far the inputs are, by `store.dataset`.
        secrets: The declared secrets, by the name the code knows them under.
        rebuild: Whether the output is to be made anew: there was no run, or other code made the last one.
        schemas: Schemas that stand in for those of the workspace's groups, by theirs.
        work: The schema in which the code may make tables of its own; None for nowhere.
    """

    job: JobSpec
    login: Login
    snapshot: str | None
    name_limit: int
    inputs: Mapping[str, InputState]
    secrets: Mapping[str, Secret]
    rebuild: bool
    schemas: Mapping[str, str] = field(default_factory=dict)
    work: str | None = None

    def secret_variables(self) -> dict[str, str]:
        """Return the variables under which code finds its secrets: `DATASURFACE_SECRET_<NAME>_<PIECE>`."""
        return {
            f"DATASURFACE_SECRET_{name.upper()}_{piece.upper()}": value
            for name, secret in self.secrets.items()
            for piece, value in secret.pieces().items()
        }

    def to_json(self) -> str:
        """Return the document."""
        return json.dumps(
            {
                "job": self.job.to_json(),
                "container": encode(self.login.container),
                "user": self.login.user,
                "password": self.login.password,
                "snapshot": self.snapshot,
                "name_limit": self.name_limit,
                "inputs": {name: [s.batch, s.previous, s.history_from] for name, s in self.inputs.items()},
                "secrets": {name: secret.pieces() for name, secret in self.secrets.items()},
                "rebuild": self.rebuild,
                "schemas": dict(self.schemas),
                "work": self.work,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Instruction:
        """Return the instruction in a document."""
        data = json.loads(text)
        container = decode(data["container"])
        if not isinstance(container, Container):
            raise TypeError("the instruction names no container")
        return cls(
            job=JobSpec.from_json(data["job"]),
            login=Login(container=container, user=data["user"], password=data["password"]),
            snapshot=data["snapshot"],
            name_limit=data["name_limit"],
            inputs={
                name: InputState(batch=batch, previous=previous, history_from=history_from)
                for name, (batch, previous, history_from) in data["inputs"].items()
            },
            secrets={name: Secret(**pieces) for name, pieces in data["secrets"].items()},
            rebuild=data["rebuild"],
            schemas=data["schemas"],
            work=data["work"],
        )
