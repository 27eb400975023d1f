"""Which platform serves which group: what the group names, else the most specific rule, else the only one that fits.

A rule matches a group if all criteria it sets (workspace, group, history, zone) do. More criteria are more specific;
of two rules with equally many, one that sets `workspace` is more specific than one that does not. Rules that are
still equal and name different platforms are a tie. A rule whose platform is DECOMMISSIONED does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product

from datasurface.graph.index import Index, IndexedGroup
from datasurface.graph.nodes import GraphProblem
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.platform import Assign, LegacyPlatform, Platform, YellowPlatform
from datasurface.model.vocabulary import AssignStatus, History

__all__ = ["GroupKey", "Placement", "moves_data", "place_groups", "serves"]

GroupKey = tuple[str, str]
"""The names of a workspace and of one of its groups."""

_Criteria = tuple[str | None, str | None, History | None, str | None]
_Mask = tuple[bool, bool, bool, bool]

_YES_NO = (True, False)
_BY_SPECIFICITY: Sequence[_Mask] = sorted(
    product(_YES_NO, _YES_NO, _YES_NO, _YES_NO), key=lambda mask: (sum(mask), mask[0]), reverse=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where groups are served.

    Attributes:
        platforms: The platforms by name.
        serving: The platform of each consumer's group; groups with a problem are left out.
        pins: The platform of those groups of transformers that are bound to one. All others follow whoever consumes
            the transformer's output.
    """

    platforms: Mapping[str, Platform]
    serving: Mapping[GroupKey, str]
    pins: Mapping[GroupKey, str]
    problems: tuple[GraphProblem, ...]


def moves_data(platform: Platform | None) -> bool:
    """Tell whether a platform runs pipelines; a legacy one only documents them."""
    return isinstance(platform, YellowPlatform)


def serves(platform: Platform, history: History) -> bool:
    """Tell whether a platform can serve groups that want this kind of history."""
    return not isinstance(platform, (YellowPlatform, LegacyPlatform)) or history in platform.histories


def place_groups(ecosystem: Ecosystem, index: Index) -> Placement:
    """Decide for every group which platform serves it."""
    platforms: dict[str, Platform] = {}
    for platform in ecosystem.platforms:
        platforms.setdefault(platform.name, platform)
    rules = _Rules(ecosystem)
    problems = list(_unknown_in_rules(ecosystem, platforms))
    serving: dict[GroupKey, str] = {}
    pins: dict[GroupKey, str] = {}
    for groups in index.groups.values():
        for group in groups:
            pinned = group.workspace.transformer is not None
            found = _pin(group, platforms, rules) if pinned else _platform_of(group, platforms, rules)
            if isinstance(found, GraphProblem):
                problems.append(found)
            elif found is not None:
                (pins if pinned else serving)[group.workspace.name, group.group.name] = found
    return Placement(platforms=platforms, serving=serving, pins=pins, problems=tuple(problems))


class _Rules:
    """The rules that count, by what they ask for, so that a group finds its own without trying each."""

    def __init__(self, ecosystem: Ecosystem) -> None:
        self._platforms: dict[_Criteria, set[str]] = {}
        for rule in _counting_rules(ecosystem):
            criteria = (rule.workspace, rule.group, rule.history, rule.zone)
            self._platforms.setdefault(criteria, set()).add(rule.platform)
        used = {tuple(c is not None for c in criteria) for criteria in self._platforms}
        self._masks = [mask for mask in _BY_SPECIFICITY if mask in used]

    def platforms_for(self, group: IndexedGroup, *, naming_workspace: bool = False) -> list[str]:
        """Return the platforms of the most specific rules that match, sorted; several are a tie."""
        values: _Criteria = (group.workspace.name, group.group.name, group.group.history, group.placed.zone.name)
        masks = [mask for mask in self._masks if mask[0] or not naming_workspace]
        for _specificity, equal in groupby(masks, key=lambda mask: (sum(mask), mask[0])):
            found: set[str] = set()
            for mask in equal:
                found |= self._platforms.get(_masked(values, mask), set())
            if found:
                return sorted(found)
        return []


def _masked(values: _Criteria, mask: _Mask) -> _Criteria:
    workspace, group, history, zone = values
    return (
        workspace if mask[0] else None,
        group if mask[1] else None,
        history if mask[2] else None,
        zone if mask[3] else None,
    )


def _counting_rules(ecosystem: Ecosystem) -> Iterator[Assign]:
    for rule in ecosystem.assignments:
        if isinstance(rule, Assign) and rule.status is not AssignStatus.DECOMMISSIONED:
            yield rule


def _unknown_in_rules(ecosystem: Ecosystem, platforms: Mapping[str, Platform]) -> Iterator[GraphProblem]:
    for rule in _counting_rules(ecosystem):
        if rule.platform not in platforms:
            yield GraphProblem(
                kind="unknown_platform",
                subject=rule,
                path=f"ecosystem {ecosystem.name} / assign {rule.platform}",
                message=f"the rule assigns groups to platform {rule.platform!r}, which does not exist",
            )


def _platform_of(group: IndexedGroup, platforms: Mapping[str, Platform], rules: _Rules) -> str | GraphProblem | None:
    """Return the platform that serves a consumer's group, or why none does; None if a rule's own problem says so."""
    history = group.group.history
    if group.group.platform is not None:
        return _named(group, group.group.platform, platforms)
    ruled = rules.platforms_for(group)
    if len(ruled) > 1:
        return _tie(group, ruled)
    if ruled:
        return _named(group, ruled[0], platforms) if ruled[0] in platforms else None
    fitting = sorted(name for name, p in platforms.items() if moves_data(p) and serves(p, history))
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        message = f"platforms {_listed(fitting)} could serve it and no rule says which"
    else:
        message = f"no platform serves history {history.value}"
    return GraphProblem(kind="no_platform", subject=group.group, path=group.path, message=message)


def _pin(group: IndexedGroup, platforms: Mapping[str, Platform], rules: _Rules) -> str | GraphProblem | None:
    """Return the platform that a transformer's group is bound to: by itself, or by a rule that names its workspace."""
    name = group.group.platform
    if name is not None:
        return _named(group, name, platforms)
    ruled = rules.platforms_for(group, naming_workspace=True)
    if len(ruled) > 1:
        return _tie(group, ruled)
    return _named(group, ruled[0], platforms) if ruled and ruled[0] in platforms else None


def _named(group: IndexedGroup, name: str, platforms: Mapping[str, Platform]) -> str | GraphProblem:
    platform = platforms.get(name)
    if platform is None:
        message = f"it names platform {name!r}, which does not exist"
        return GraphProblem(kind="unknown_platform", subject=group.group, path=group.path, message=message)
    if not serves(platform, group.group.history):
        message = f"platform {name} does not serve history {group.group.history.value}"
        return GraphProblem(kind="platform_cannot", subject=group.group, path=group.path, message=message)
    return name


def _tie(group: IndexedGroup, ruled: Sequence[str]) -> GraphProblem:
    message = f"equally specific rules assign it to different platforms: {_listed(ruled)}"
    return GraphProblem(kind="tie", subject=group.group, path=group.path, message=message)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
