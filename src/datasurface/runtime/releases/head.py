"""Which tag or branch a model folder holds: what git says, and in a CI job the variables of its service."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from datasurface.errors import ConfigurationError
from datasurface.model.release_rule import RefKind, ReleaseRule, ref_problem, version_order

__all__ = ["Head", "head_of"]

_TAG_VARIABLES = ("CI_COMMIT_TAG",)
_BRANCH_VARIABLES = ("CI_COMMIT_BRANCH",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a model folder holds.

    Attributes:
        name: The tag's or branch's name.
        commit: All digits; empty outside a repository.
        committed_at: When the commit was made; None outside a repository.
    """

    kind: RefKind
    name: str
    commit: str
    committed_at: datetime | None


def head_of(folder: Path, ref: str | None, rule: ReleaseRule | None, environ: Mapping[str, str]) -> Head:
    """Return which tag or branch the model in a folder is of.

    Args:
        folder: The model folder.
        ref: `v1.2`, `tag:v1.2` or `branch:main`, given by hand; None to ask git.
        rule: The environment's rule: whether a tag or a branch is looked for.
        environ: Where CI services say what they have checked out.

    Raises:
        ConfigurationError: it is of no such tag or branch, or tracked files differ from the commit.
    """
    git = _Repository.of(folder)
    if git is None:
        return _by_hand(ref, rule)
    git.require_clean()
    head = git.commit("HEAD")
    kind, name = git.named(ref, rule) if ref is not None else git.found(rule, environ)
    if ref is not None and not git.has(kind, name, head):
        raise ConfigurationError(f"{kind} {name} is not what is checked out in {folder}", hint=f"git checkout {name}")
    return Head(kind=kind, name=name, commit=head, committed_at=git.moment(head))


def _by_hand(ref: str | None, rule: ReleaseRule | None) -> Head:
    """Return what was given for a folder that no repository has."""
    if ref is None:
        raise ConfigurationError("the model folder is in no git repository", hint="say of which tag it is: --ref v1.0")
    kind, name = _given(ref, rule)
    if kind is RefKind.BRANCH:
        raise ConfigurationError(
            f"branch {name}: the model folder is in no git repository, so nobody knows which commit is the newest",
            hint="publish under a tag: --ref v1.0",
        )
    return Head(kind=kind, name=name, commit="", committed_at=None)


def _given(ref: str, rule: ReleaseRule | None) -> tuple[RefKind, str]:
    prefix, separator, name = ref.partition(":")
    if not separator:
        prefix, name = (rule.kind if rule else RefKind.TAG), ref
    if prefix not in set(RefKind) or ref_problem(name):
        raise ConfigurationError(
            f"--ref {ref}: {ref_problem(name) or f'{prefix} is neither tag nor branch'}", hint="v1.2, or branch:main"
        )
    return RefKind(prefix), name


class _Repository:
    """Git, asked about one work tree."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder

    @classmethod
    def of(cls, folder: Path) -> _Repository | None:
        """Return the repository that a folder is in; None if it is in none, or git is not installed."""
        program = shutil.which("git")
        if program is None:
            return None
        found = cls(program, folder)
        done = found.run("rev-parse", "--is-inside-work-tree")
        if "dubious ownership" in done.stderr:
            raise ConfigurationError(
                f"git refuses the repository of {folder}, which is another user's",
                hint=f"git config --global --add safe.directory {folder}",
            )
        return found if done.stdout.strip() == "true" and found.commit("HEAD") else None

    def ask(self, *arguments: str) -> str:
        """Return what git prints; empty if it refuses."""
        done = self.run(*arguments)
        return done.stdout.strip() if done.returncode == 0 else ""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run git; it asks nothing and speaks English."""
        return subprocess.run(  # noqa: S603 - arguments are ours, or refs that git could have
            [self._program, "-C", str(self._folder), *arguments],
            env={**os.environ, "LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    def commit(self, name: str) -> str:
        """Return the commit that a name means; empty if there is no such name."""
        return self.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")

    def has(self, kind: RefKind, name: str, commit: str) -> bool:
        """Tell whether a commit is what a tag names, or one of a branch; true for a ref that was not fetched."""
        if kind is RefKind.TAG:
            return self.commit(f"refs/tags/{name}") in {commit, ""}
        branch = self.commit(f"refs/heads/{name}")
        return not branch or self.ask("merge-base", commit, branch) == commit

    def moment(self, commit: str) -> datetime:
        """Return when a commit was made."""
        return datetime.fromisoformat(self.ask("show", "--no-patch", "--format=%cI", commit))

    def require_clean(self) -> None:
        """Refuse a folder whose tracked files differ from the commit."""
        changed = self.ask("status", "--porcelain", "--untracked-files=no", "--", ".").splitlines()
        if changed:
            raise ConfigurationError(
                f"{len(changed)} file{'s differ' if len(changed) > 1 else ' differs'} from the commit that is "
                f"checked out: {changed[0].split(maxsplit=1)[-1]}",
                hint="commit first: a release is what its tag or commit says",
            )

    def named(self, ref: str, rule: ReleaseRule | None) -> tuple[RefKind, str]:
        """Return the tag or branch that is meant by a name; what exists decides where the name does not."""
        kind, name = _given(ref, rule)
        if ":" not in ref and kind is RefKind.TAG and not self.commit(f"refs/tags/{name}"):
            if self.commit(f"refs/heads/{name}"):
                return RefKind.BRANCH, name
            raise ConfigurationError(f"there is no tag {name}", hint=f"git tag {name}")
        return kind, name

    def found(self, rule: ReleaseRule | None, environ: Mapping[str, str]) -> tuple[RefKind, str]:
        """Return the tag or branch that is checked out, the kind that the rule takes first."""
        tag, branch = self._tag(rule, environ), self._branch(environ)
        wants_branch = rule is not None and rule.kind is RefKind.BRANCH
        order = [(RefKind.BRANCH, branch), (RefKind.TAG, tag)] if wants_branch else [(RefKind.TAG, tag)]
        if rule is None:
            order.append((RefKind.BRANCH, branch))
        for kind, name in order:
            if name:
                return kind, name
        raise ConfigurationError(
            f"no {'branch' if wants_branch else 'tag'} is checked out in {self._folder}",
            hint="git tag v1.0, or say which: --ref v1.0",
        )

    def _tag(self, rule: ReleaseRule | None, environ: Mapping[str, str]) -> str:
        """Return the tag of what is checked out; of several the one with the highest version that the rule takes."""
        tags = self.ask("tag", "--points-at", "HEAD").splitlines()
        tags += [environ[name] for name in _TAG_VARIABLES if environ.get(name)]
        if environ.get("GITHUB_REF_TYPE") == "tag":
            tags.append(environ.get("GITHUB_REF_NAME", ""))
        taken = [tag for tag in tags if rule is not None and rule.matches(RefKind.TAG, tag)] or [t for t in tags if t]
        return max(taken, key=lambda tag: (version_order(tag) is not None, version_order(tag) or tag), default="")

    def _branch(self, environ: Mapping[str, str]) -> str:
        branch = self.ask("symbolic-ref", "--short", "--quiet", "HEAD")
        if not branch and environ.get("GITHUB_REF_TYPE") == "branch":
            branch = environ.get("GITHUB_REF_NAME", "")
        return branch or next((environ[name] for name in _BRANCH_VARIABLES if environ.get(name)), "")
