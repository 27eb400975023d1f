"""Environments of their own for code that needs packages: made once for each release of the code, then only used.

Only wheels are installed, so that nothing of a package runs before the code itself does. The platform's packages come
behind the environment's own: `datasurface` can be imported, and what the code needs in another version is its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasurface.errors import ConfigurationError, TransientError
from datasurface.names import is_pinned
from datasurface.secrets.masking import masked
from datasurface.transform.fetched import fetched

__all__ = ["environment_of", "requirements_of"]

_PASSED_ON = re.compile(r"(HOME|PATH|LANG|LC_ALL|TMPDIR|(PIP|SSL|REQUESTS_CA)_\w+|NETRC|\w+_proxy)\Z", re.IGNORECASE)
_SECONDS = 1800
_LAST = 600
"""How much of what pip said an error repeats: its end, where the reason stands."""
_PASSING = re.compile(
    r"connection (broken|reset|refused|aborted)|timed out|temporary failure|max retries exceeded|"
    r"\b50[0234]\b|network is unreachable",
    re.IGNORECASE,
)


def requirements_of(files: Path) -> str:
    """Return what the code in a folder needs, as pip takes it: its `requirements.txt`, else its `pyproject.toml`'s.

    Raises:
        ConfigurationError: its `pyproject.toml` cannot be read.
    """
    listed, project = files / "requirements.txt", files / "pyproject.toml"
    if listed.is_file():
        return listed.read_text(encoding="utf-8")
    if not project.is_file():
        return ""
    try:
        found = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the pyproject.toml of the code cannot be read: {error}") from None
    return "".join(f"{line}\n" for line in found)


def environment_of(requirements: str, *, release: str, files: Path | None, cache: Path) -> Path:
    """Return the interpreter of an environment with these requirements, made if there is none yet.

    Args:
        requirements: Lines as pip takes them; without any, the interpreter is the platform's own.
        release: The commit of the code: what is not pinned is looked up anew for each.
        files: The folder from which relative paths in the requirements start.
        cache: The private folder that lasts.

    Raises:
        ConfigurationError: the requirements cannot be met.
        TransientError: the package index is out of reach now.
    """
    lines = [line.strip() for line in requirements.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not lines:
        return Path(sys.executable)
    own = _platform_packages()
    parts = [sys.version, sys.base_prefix, *own, "" if all(map(is_pinned, lines)) else release, *lines]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def make(folder: Path) -> None:
        _build(folder, requirements, files or folder, own)

    return fetched(cache, "environments", key, make) / "bin" / "python"


def _platform_packages() -> list[str]:
    """Return the folders in which the platform's own packages are."""
    return [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]


def _build(folder: Path, requirements: str, files: Path, own: Sequence[str]) -> None:
    pip = importlib.util.find_spec("pip") is not None
    _run([sys.executable, "-m", "venv", *(["--without-pip"] if pip else []), str(folder)], folder)
    python = folder / "bin" / "python"
    listed = folder / "requirements.txt"
    listed.write_text(requirements, encoding="utf-8")
    installer = [sys.executable, "-m", "pip", "--python", str(python)] if pip else [str(python), "-m", "pip"]
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--only-binary", ":all:"]
    _run([*installer, "install", *options, "--requirement", str(listed)], files)
    packages = next((folder / "lib").glob("python*/site-packages"))
    lines = [f"import site; site.addsitedir({path!r})\n" for path in own]
    (packages / "zz_datasurface.pth").write_text("".join(lines), encoding="utf-8")


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a step of building, without the platform's own secrets.

    Raises:
        ConfigurationError: it refuses; the message has its last words.
        TransientError: the package index is out of reach, or it takes too long.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the command is made here; requirements are in a file
            command,
            cwd=folder,
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TransientError(f"installing what the code needs took over {_SECONDS} seconds") from None
    if done.returncode != 0:
        said = masked(" ".join((done.stderr or done.stdout).split()))[-_LAST:]
        kind = TransientError if _PASSING.search(said) else ConfigurationError
        hint = "only wheels are installed: nothing of a package may run before the code does"
        raise kind(f"what the code needs cannot be installed: {said}", hint=hint)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if _PASSED_ON.match(name)}
