"""A model folder as the commands that run something see it: which platforms it asks for, and where they live.

It decides nothing about what runs: that is the active release of each platform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from datasurface.errors import ConfigurationError, StoreError
from datasurface.govern.report import Report
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.model.load import load
from datasurface.release.compile import Release, compile_release, pipelines_of
from datasurface.release.job import PlatformSpec
from datasurface.release.released import read_released
from datasurface.runtime.compile_model import compile_ecosystem, compile_model
from datasurface.runtime.platform import RunningPlatform, open_platform
from datasurface.secrets.keyring import Keyring

__all__ = ["ModelFolder", "checked_folder", "checked_release", "read_folder", "unknown_stream"]

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


def checked_release(
    path: Path,
    folder: Path,
    environment: str | None,
    environ: Mapping[str, str],
    *,
    platform: str | None = None,
) -> tuple[ModelFolder, Report]:
    """Check and compile again the model of a release file; no code of a model runs.

    What is applied follows from the model that the release's digest is of, whatever else the file holds.

    Args:
        path: The release file.
        folder: Where relative paths start; it need hold no model.
        environment: The environment that has to be the release's; None for whichever it is.
        environ: The variables that hold secrets.
        platform: Choose only this one.

    Raises:
        StoreError: the file is no release, is damaged, or another version of DataSurface made it.
        ConfigurationError: another environment binds it, or it has no such platform.
    """
    released = read_released(path)
    if environment is not None and environment != released.environment:
        raise ConfigurationError(
            f"release {released.digest[:12]} is of {_shown(released.environment)}, not of environment {environment!r}",
            hint="leave -e away, or build it with that environment",
        )
    release, report = compile_ecosystem(Ecosystem.from_json(released.model_json), released.environment)
    if release.digest != released.digest:
        raise StoreError(f"release file {path} does not hold the model of its digest {released.digest[:12]}")
    chosen = () if report.errors else _chosen(release, platform)
    return ModelFolder(folder=folder, release=release, platforms=chosen, environ=environ), report


def _shown(environment: str | None) -> str:
    return "the model as it is" if environment is None else f"environment {environment!r}"


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
