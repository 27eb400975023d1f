"""`datasurface init`: a model folder that passes `check` and runs at once."""

from __future__ import annotations

import os
import shlex
import sqlite3
from importlib.resources import files
from pathlib import Path

import click

from datasurface.cli.session import Session, model_options
from datasurface.errors import ConfigurationError

__all__ = ["command"]

_FILES = {
    "eco.py": "eco.py.txt",
    "README.md": "README.md.txt",
    ".gitignore": "gitignore.txt",
    ".github/workflows/check.yml": "github.yml.txt",
    ".gitlab-ci.yml": "gitlab.yml.txt",
}
"""Each file of a new folder and the template it comes from."""
_SAMPLE = "shop.db"
_SAMPLE_SQL = "shop.sql.txt"


@click.command("init")
@click.argument("directory", required=False, metavar="[DIR]", type=click.Path(path_type=Path))
@model_options
def command(session: Session, *, directory: Path | None) -> int:
    """Make a model folder that passes and runs at once.

    It holds a model that explains itself, a small database as its source, and CI files for GitHub and GitLab. DIR is
    the current folder by default. Files that exist are never overwritten.
    """
    folder = directory or session.folder
    _refuse_existing(folder)
    try:
        for name, template in _FILES.items():
            _write(folder / name, _template(template))
        _make_sample(folder / _SAMPLE)
    except OSError as error:
        raise ConfigurationError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    _say_what_next(folder)
    return 0


def _refuse_existing(folder: Path) -> None:
    if os.path.lexists(folder) and not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder", hint="name a folder, new or existing")
    taken = [name for name in [*_FILES, _SAMPLE] if os.path.lexists(folder / name)]
    if taken:
        raise ConfigurationError(
            f"{folder} has {', '.join(taken)} already; nothing was written",
            hint="name another folder, or move these away first",
        )


def _template(name: str) -> str:
    return (files("datasurface.cli") / "templates" / name).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _make_sample(path: Path) -> None:
    try:
        connection = sqlite3.connect(path)
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"cannot make the sample database {path}: {error}", hint="SQLite takes paths of at most about 500 bytes"
        ) from error
    try:
        connection.executescript(_template(_SAMPLE_SQL))
        connection.commit()
    finally:
        connection.close()


def _say_what_next(folder: Path) -> None:
    click.echo(f"made a model in {folder}: {', '.join([*_FILES, _SAMPLE])}", err=True)
    click.echo("next:")
    if folder.absolute() != Path.cwd():
        click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo("  datasurface check")
    click.echo('  datasurface run --once              # needs: pip install "datasurface[local]"')
    click.echo("  datasurface connect reports --psql")
