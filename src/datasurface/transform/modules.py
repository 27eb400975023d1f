"""The files of the model folder that a module is made of: its package, and what it imports from the folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["files_of"]


def files_of(module: str, folder: Path) -> list[Path]:
    """Return the files in `folder` that `module` needs, sorted: they are read, and nothing of them is run.

    A module that is imported by a name made at run time is not found.
    """
    found: set[Path] = set()
    work = [module]
    seen: set[str] = set()
    while work:
        name = work.pop()
        if name in seen:
            continue
        seen.add(name)
        for path in _places(name, folder):
            if path not in found:
                found.add(path)
                work += _imports(path, folder)
    return sorted(found)


def _places(module: str, folder: Path) -> Iterator[Path]:
    """Yield the files that importing a module runs: its packages' and its own; of a package in full, all its files."""
    parts = module.split(".")
    if (folder / parts[0] / "__init__.py").is_file():
        yield from (folder / parts[0]).rglob("*.py")
    for number in range(1, len(parts) + 1):
        path = folder.joinpath(*parts[:number])
        yield from (p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file())


def _imports(path: Path, folder: Path) -> Iterator[str]:
    """Yield the names of the modules that a file imports; none of one that is no Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = path.parent.relative_to(folder).parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
