"""Which releases an environment takes: a pattern of tags ordered by version, or the newest commit of a branch. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

__all__ = ["Order", "RefKind", "ReleaseRule", "parse_rule", "ref_problem", "version_order"]

_LONGEST = 200
_ILLEGAL = re.compile(r"[\x00-\x20\x7f~^:\\]|\.\.|@\{|//|/\Z|\A/|\A-|\.lock\Z|\.\Z")
"""What git allows in no name of a tag or branch; patterns may have `*`, `?` and `[…]` besides."""
_WILD = re.compile(r"[*?\[]")
_VERSION = re.compile(r"\d+(?:[._-]\d+)*(?![0-9A-Za-z])|\d+(?:\.\d+)*")
_TOKENS = re.compile(r"\d+|[A-Za-z]+")

Order = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...], str]
"""What versions are compared by: their numbers, final after pre-releases, the pre-release's parts, the tag itself."""


class RefKind(StrEnum):
    """What a release is of."""

    TAG = "tag"
    BRANCH = "branch"


@dataclass(frozen=True, slots=True)
class ReleaseRule:
    """A rule, taken apart.

    Attributes:
        kind: Whether tags or the commits of a branch are taken.
        pattern: The tags' pattern, or the branch's name.
    """

    kind: RefKind
    pattern: str

    def matches(self, kind: RefKind, name: str) -> bool:
        """Tell whether the rule takes a ref; pre-releases only if the pattern names them."""
        if kind is not self.kind:
            return False
        if kind is RefKind.BRANCH or not _WILD.search(self.pattern):
            return name == self.pattern
        if not fnmatchcase(name, self.pattern):
            return False
        order = version_order(name)
        return order is not None and (_is_final(order) or self._names_prereleases)

    def order(self, name: str) -> Order:
        """Return what a tag is compared by; any that has no version comes first."""
        return version_order(name) or ((), 0, (), name)

    def __str__(self) -> str:
        return f"branch:{self.pattern}" if self.kind is RefKind.BRANCH else self.pattern

    @property
    def _names_prereleases(self) -> bool:
        """Whether the pattern itself has a suffix behind its version, such as `v*-rc*`."""
        _, _, tail = self.pattern.partition(found[0]) if (found := re.search(r"[*?\[\d]", self.pattern)) else ("",) * 3
        return bool(re.search(r"[A-Za-z-]", re.sub(r"\[[^\]]*\]?", "", tail)))


def _is_final(order: Order) -> bool:
    return order[1] == 1


def version_order(name: str) -> Order | None:
    """Return what the version in a tag is compared by, as Semantic Versioning has it; None if it has no number."""
    found = _VERSION.search(name)
    if found is None:
        return None
    numbers = [int(number) for number in re.split(r"[._-]", found[0])]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    suffix = name[found.end() :].partition("+")[0]
    parts = tuple((0, int(t), "") if t.isdigit() else (1, 0, t.lower()) for t in _TOKENS.findall(suffix))
    return tuple(numbers), 0 if parts else 1, parts, name


def parse_rule(text: str) -> ReleaseRule:
    """Return the rule that a text states: `v*`, `tag:v*` or `branch:main`.

    Raises:
        ValueError: it states none; the message says why.
    """
    kind, separator, rest = text.partition(":")
    if not separator:
        kind, rest = RefKind.TAG.value, text
    if kind not in set(RefKind):
        raise ValueError(f"{kind!r} is neither tag nor branch")
    if rest == "":
        raise ValueError("it names nothing")
    bare = rest if kind == RefKind.BRANCH else re.sub(r"\[[^\]/]+\]|[*?]", "x", rest)
    problem = ref_problem(bare)
    if problem:
        raise ValueError(problem)
    return ReleaseRule(RefKind(kind), rest)


def ref_problem(name: str) -> str:
    """Return why git could have no tag or branch of this name; empty if it could."""
    if not name or len(name) > _LONGEST:
        return f"names have 1 to {_LONGEST} characters"
    found = _ILLEGAL.search(name) or _WILD.search(name)
    return f"git allows no {found[0]!r} there" if found else ""
