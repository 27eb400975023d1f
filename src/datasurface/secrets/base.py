"""What a secret is and what a store of secrets must do. Knows no store; they are found by entry point.

A secret's values leave a `Secret` only through its fields: never through `repr`, a message or an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from datasurface.errors import SecretError
from datasurface.model.infrastructure import Credential
from datasurface.model.secret_stores import StoreChoice
from datasurface.model.vocabulary import CredentialKind
from datasurface.secrets.masking import remember

__all__ = [
    "ManySecrets",
    "Pieces",
    "Secret",
    "SecretStore",
    "StoreFactory",
    "Surroundings",
    "WritableStore",
    "assemble",
    "optional_pieces",
    "pieces_of",
    "required_pieces",
]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Secret:
    """What logs in somewhere; which fields are set follows from the credential's kind.

    All but the user is masked from then on in what this process writes.
    """

    user: str | None = None
    password: str | None = None
    token: str | None = None
    private_key: str | None = None
    certificate: str | None = None

    def __post_init__(self) -> None:
        remember((self.password, self.token, self.private_key, self.certificate))

    def pieces(self) -> dict[str, str]:
        """Return the fields that are set, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def __repr__(self) -> str:
        held = [f"{f.name}=***" for f in fields(self) if getattr(self, f.name) is not None]
        return f"Secret({', '.join(held)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a store is opened.

    Attributes:
        environ: The variables of the process.
        ecosystem: Whose secrets are looked for; empty where no model is at hand.
        environment: The environment that binds the model; None for the model as it is.
        folder: The model folder, where relative paths start.
    """

    environ: Mapping[str, str]
    ecosystem: str = ""
    environment: str | None = None
    folder: Path = Path()


class SecretStore(Protocol):
    """Somewhere that holds secrets by the names of credentials."""

    keeps: float
    """For how many seconds an answer may be kept: 0 for what is as near as the process itself."""

    def lookup(self, credential: Credential) -> Secret | None:
        """Return the secret, or None if the store has nothing under that name.

        Raises:
            SecretError: the secret is incomplete, may be read by others, or cannot be read at all.
        """
        ...

    def places(self, credential: Credential) -> tuple[str, ...]:
        """Return where the store looks for the secret, in words for a message: variables, files, paths."""
        ...


@runtime_checkable
class WritableStore(SecretStore, Protocol):
    """A store that secrets can be put into, in two steps, so that every password in use is known to it at any moment.

    A new secret is staged, given to what it logs in to, proved there, and then promoted. Each step is done whole or
    not at all, whatever is killed meanwhile.
    """

    @property
    def accepts_new(self) -> bool:
        """Whether new secrets may go there, as it is set up."""
        ...

    def stage(self, credential: Credential, secret: Secret) -> None:
        """Keep a secret as the one to come, in place of an earlier one; `lookup` does not see it.

        Raises:
            SecretError: the secret is incomplete, or the store cannot be written to.
        """
        ...

    def pending(self, credential: Credential) -> Secret | None:
        """Return the secret to come, or None if nothing is staged.

        Raises:
            SecretError: as `lookup`.
        """
        ...

    def promote(self, credential: Credential) -> None:
        """Make the secret to come the current one, and keep the former as the previous; again is no error.

        Raises:
            SecretError: there is neither one to come nor a current one, or the store cannot be written to.
        """
        ...

    def remove(self, credential: Credential) -> None:
        """Remove the secret with all its versions; none being there is no error.

        Raises:
            SecretError: the store cannot be written to.
        """
        ...


StoreFactory = Callable[[StoreChoice, Surroundings], SecretStore]
"""What an entry point of the group `datasurface.secrets` names: opens a store, by its name alone or with settings."""


@runtime_checkable
class ManySecrets(Protocol):
    """A writable store that is faster with many secrets at once."""

    def stage_all(self, secrets: Mapping[Credential, Secret]) -> None:
        """Keep secrets as those to come, as `WritableStore.stage` does."""
        ...

    def promote_all(self, credentials: Sequence[Credential]) -> None:
        """Make secrets to come the current ones, as `WritableStore.promote` does."""
        ...


_REQUIRED: dict[CredentialKind, tuple[str, ...]] = {
    CredentialKind.PASSWORD: ("user", "password"),
    CredentialKind.TOKEN: ("token",),
    CredentialKind.KEY_PAIR: ("user", "private_key"),
    CredentialKind.CERTIFICATE: ("certificate", "private_key"),
}
_OPTIONAL: dict[CredentialKind, tuple[str, ...]] = {
    CredentialKind.TOKEN: ("user",),
    CredentialKind.KEY_PAIR: ("password",),
    CredentialKind.CERTIFICATE: ("user", "password"),
}


class Pieces(Mapping[str, str]):
    """The pieces of a secret by name; what shows the variables of a traceback's frames does not show them."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: Mapping[str, str]) -> None:
        self._pieces = pieces

    def __getitem__(self, name: str) -> str:
        return self._pieces[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    def __repr__(self) -> str:
        return f"Pieces({', '.join(f'{name}=***' for name in self._pieces)})"


def required_pieces(kind: CredentialKind) -> tuple[str, ...]:
    """Return the fields of `Secret` that a credential of this kind must have."""
    return _REQUIRED[kind]


def optional_pieces(kind: CredentialKind) -> tuple[str, ...]:
    """Return the fields that it may have besides: a key's passphrase, a token's user."""
    return _OPTIONAL.get(kind, ())


def assemble(credential: Credential, read: Callable[[str], str | None], place: Callable[[str], str]) -> Secret | None:
    """Return the secret that `read` finds piece by piece, or None if it finds no piece at all.

    Args:
        credential: Whose secret it is; its kind says which pieces it has.
        read: Returns the piece of that name, such as `password`, or None.
        place: Returns where that piece is looked for, for messages.

    Raises:
        SecretError: some pieces are there and a required one is not.
    """
    required, optional = required_pieces(credential.kind), optional_pieces(credential.kind)
    found = _found(read, (*required, *optional))
    if not found:
        return None
    missing = [place(name) for name in required if name not in found]
    if missing:
        raise SecretError(
            f"the secret of credential {credential.name!r} is incomplete: there is "
            f"{' and '.join(place(name) for name in found)}, but no {' and no '.join(missing)}"
        )
    return Secret(**found)


def _found(read: Callable[[str], str | None], names: tuple[str, ...]) -> Pieces:
    """Return the pieces that are there; in a function of its own, whose variables no later error shows."""
    return Pieces({name: value for name in names for value in [read(name)] if value is not None})


def pieces_of(credential: Credential, secret: Secret) -> Pieces:
    """Return the pieces of a secret that a credential of this kind has, by the fields' names.

    Raises:
        SecretError: a required one is absent.
    """
    required, optional = required_pieces(credential.kind), optional_pieces(credential.kind)
    found = _found(partial(getattr, secret), (*required, *optional))
    missing = [name for name in required if name not in found]
    if missing:
        raise SecretError(f"the new secret of credential {credential.name!r} has no {' and no '.join(missing)}")
    return found
