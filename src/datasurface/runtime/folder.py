"""A model folder as the commands that run something see it: which platforms it asks for, and where they live.

It decides nothing about what runs: that is the active release of each platform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from datasurface.errors import ConfigurationError
from datasurface.govern.report import Report
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.model.load import load
from datasurface.release.compile import Release, compile_release, pipelines_of
from datasurface.release.job import PlatformSpec
from datasurface.runtime.compile_model import compile_model
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.secrets.keyring import Keyring

__all__ = ["ModelFolder", "checked_folder", "read_folder", "unknown_stream"]

_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """A model folder and what it asks for.

    Attributes:
        folder: The model folder.
        release: What the model in it says now; not what runs.
        platforms: The platforms that a command is about.
        environ: The variables that hold secrets and the places of embedded servers.
    """

    folder: Path
    release: Release
    platforms: tuple[PlatformSpec, ...]
    environ: Mapping[str, str]

    @property
    def only_embedded(self) -> bool:
        """Whether the model's only platform is an embedded one, which nobody else can depend on."""
        specs = self.release.platforms
        return len(specs) == 1 and isinstance(specs[0].container, EmbeddedPostgres)

    def secrets(self, spec: PlatformSpec) -> Keyring:
        """Return where the secrets of a platform are looked up."""
        return Keyring.of(spec, self.folder, self.environ)

    @contextmanager
    def open(self) -> Iterator[list[tuple[RunningPlatform, PlatformSpec]]]:
        """Open all platforms, each with what the model asks of it.

        Raises:
            StoreError: one is out of reach, or belongs to another ecosystem.
        """
        with ExitStack() as stack:
            yield [(stack.enter_context(self.open_one(spec)), spec) for spec in self.platforms]

    @contextmanager
    def open_one(self, spec: PlatformSpec) -> Iterator[RunningPlatform]:
        """Open one platform."""
        with open_platform(spec, self.folder, self.environ) as running:
            yield running


def read_folder(
    folder: Path, environment: str | None, environ: Mapping[str, str], *, platform: str | None = None
) -> ModelFolder:
    """Load a model only to learn its platforms and its digest; `check` is not asked.

    Raises:
        ModelLoadError: the folder holds no model that can be loaded.
        ConfigurationError: it has no such environment or platform.
    """
    ecosystem = load(folder)
    release = compile_release(ecosystem, pipelines_of(ecosystem, environment), environment=environment)
    return ModelFolder(folder=folder, release=release, platforms=_chosen(release, platform), environ=environ)


def checked_folder(
    folder: Path, environment: str | None, environ: Mapping[str, str], *, platform: str | None = None
) -> tuple[ModelFolder, Report]:
    """Load, check and compile a model.

    Raises:
        ModelLoadError: the folder holds no model that can be loaded.
        ConfigurationError: it has no such environment or platform.
    """
    release, report = compile_model(folder, environment)
    chosen = () if report.errors else _chosen(release, platform)
    return ModelFolder(folder=folder, release=release, platforms=chosen, environ=environ), report


def unknown_stream(stream: str, known: set[str]) -> ConfigurationError:
    """Return the error that says which streams there are."""
    names = sorted(known)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    listed = f"the streams are {', '.join(names[:_LISTED])}{more}" if names else "the active release has no streams"
    return ConfigurationError(f"there is no stream {stream!r}", hint=listed)


def _chosen(release: Release, platform: str | None) -> tuple[PlatformSpec, ...]:
    if not release.platforms:
        raise ConfigurationError(
            f"ecosystem {release.ecosystem.name!r} has no platform that moves data", hint="declare a YellowPlatform"
        )
    if platform is None:
        return release.platforms
    found = release.platform(platform)
    if found is None:
        names = ", ".join(p.name for p in release.platforms)
        raise ConfigurationError(f"there is no platform {platform!r}", hint=f"the platforms are {names}")
    return (found,)
