"""What a demonstration says at its end: whether the books are exact, and what to do next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from datasurface.demo.folder import DEFAULT_FOLDER
from datasurface.demo.outcome import Outcome
from datasurface.demo.teller import Teller

__all__ = ["tell_ending"]


def tell_ending(outcome: Outcome, teller: Teller) -> None:
    """Tell what was proved and the commands that go on from here."""
    teller.section("What was proved")
    changed = sum(rows for _, rows in outcome.changes)
    if outcome.exact:
        teller.line(f"The ledger counts exactly the {changed:,} rows that were changed, dataset by dataset.")
        teller.line("The audit found no difference between the source and what consumers see.")
    else:
        teller.line("The ledger or the audit differs from what was done at the source: a fault of DataSurface.")
    teller.line(f"All of this took {outcome.seconds:.1f} s.")

    program, folder = _program(), shlex.quote(str(_short(outcome.folder)))
    teller.section("From here")
    teller.command(f"{program} connect delays --psql -m {folder}", "ask your own questions, as the consumer delays:")
    teller.command(f"{program} graph -m {folder}", "see the pipelines that nobody wrote:")
    teller.command(
        f"{shlex.quote(str(_short(outcome.folder / 'eco.py')))}", "read the model, change it, then check, plan, apply:"
    )
    elsewhere = "" if outcome.folder == DEFAULT_FOLDER.absolute() else f" --dir {folder}"
    teller.command(f"{program} demo{elsewhere}", "start over:")
    teller.command(
        f"{program} local stop -m {folder} && rm -r {_all_folders(outcome)}", "stop its servers, leave nothing:"
    )


def _all_folders(outcome: Outcome) -> str:
    """Return the folders that the demonstration alone uses: its own, and its servers' if they had to live elsewhere."""
    found = [outcome.folder]
    if not os.environ.get("DATASURFACE_HOME"):
        found += sorted({s.parent for s in outcome.servers if not s.is_relative_to(outcome.folder.resolve())})
    return shlex.join([str(_short(folder)) for folder in found])


def _program() -> str:
    """Return how this command is called, so that what is printed can be copied."""
    called = Path(sys.argv[0])
    if called.name == "datasurface":
        found = shutil.which("datasurface")
        same = found is not None and Path(found).resolve() == called.resolve()
        return "datasurface" if same else shlex.quote(str(_short(called.absolute())))
    return f"{shlex.quote(str(_short(Path(sys.executable))))} -m datasurface"


def _short(path: Path) -> Path:
    """Return `path` as seen from the current folder, if it is in there."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
