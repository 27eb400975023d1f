"""Which tags a rule takes, which of them is the newest, and where releases can be."""

from __future__ import annotations

import pytest

from datasurface import GitHubRepository, GitLabRepository
from datasurface.model.release_address import StoreKind, parse_address
from datasurface.model.release_rule import RefKind, parse_rule, ref_problem

TAGS = ["v1.9", "v1.10", "v1.10.0-rc.1", "v1.10-rc2", "v2.0.0-beta", "v0.9", "vnext", "w3.0", "v1.2+build7"]


def taken(rule: str, tags: list[str]) -> list[str]:
    """Return what a rule takes, in its order."""
    parsed = parse_rule(rule)
    return sorted([t for t in tags if parsed.matches(RefKind.TAG, t)], key=parsed.order)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("v*", ["v0.9", "v1.2+build7", "v1.9", "v1.10"]),
        ("v1.*", ["v1.2+build7", "v1.9", "v1.10"]),
        ("tag:w*", ["w3.0"]),
        ("v*-rc*", ["v1.10.0-rc.1", "v1.10-rc2"]),
        ("v*-*", ["v1.10.0-rc.1", "v1.10-rc2", "v2.0.0-beta"]),
        ("v1.9", ["v1.9"]),
        ("vnext", ["vnext"]),
        ("branch:main", []),
    ],
)
def test_a_rule_takes_tags_by_version(rule: str, expected: list[str]):
    assert taken(rule, TAGS) == expected


def test_a_final_release_comes_after_its_pre_releases_and_numbers_count_as_numbers():
    tags = ["v1.0-rc.10", "v1.0", "v1.0-rc.9", "v1.0-alpha", "v1.0-1.x"]
    order = parse_rule("v*").order
    assert sorted(tags, key=order) == ["v1.0-alpha", "v1.0-rc.9", "v1.0-rc.10", "v1.0", "v1.0-1.x"]


def test_dates_are_versions():
    assert taken("release-*", ["release-2026-11-26", "release-2026-2-3", "release-2025.12.31"]) == [
        "release-2025.12.31",
        "release-2026-2-3",
        "release-2026-11-26",
    ]


def test_a_branch_is_meant_by_its_whole_name():
    rule = parse_rule("branch:release/1.x")
    assert rule.matches(RefKind.BRANCH, "release/1.x")
    assert not rule.matches(RefKind.BRANCH, "release/1.xy")
    assert not rule.matches(RefKind.TAG, "release/1.x")
    assert str(rule) == "branch:release/1.x"


@pytest.mark.parametrize("text", ["", "branch:", "commit:abc", "v *", "a..b", "-v", "branch:ma*n", "v^1", "x" * 201])
def test_what_states_no_rule_is_refused(text: str):
    with pytest.raises(ValueError, match=r"."):
        parse_rule(text)


@pytest.mark.parametrize("name", ["v1", "feature/über", "a.b"])
def test_names_that_git_takes(name: str):
    assert not ref_problem(name)


@pytest.mark.parametrize(
    ("address", "kind", "place", "prefix", "shown"),
    [
        ("s3://acme-releases/prod/eu/", StoreKind.S3, "acme-releases", "prod/eu", "s3://acme-releases/prod/eu"),
        ("s3://acme-releases", StoreKind.S3, "acme-releases", "", "s3://acme-releases"),
        ("/srv/releases", StoreKind.FOLDER, "/srv/releases", "", "/srv/releases"),
        ("file:///srv/a%20b", StoreKind.FOLDER, "/srv/a b", "", "/srv/a b"),
        ("git+https://g.example/a/b.git", StoreKind.GIT, "https://g.example/a/b.git", "", "git+https://g.example/a/b.git"),
        (GitHubRepository("acme/model"), StoreKind.GIT, "acme/model", "", "acme/model"),
        (GitLabRepository("https://g.example", "a/b"), StoreKind.GIT, "https://g.example/a/b", "", "https://g.example/a/b"),
    ],
)  # fmt: skip
def test_an_address_is_taken_apart(address: object, kind: StoreKind, place: str, prefix: str, shown: str):
    found = parse_address(address)  # type: ignore[arg-type]
    assert (found.kind, found.place, found.prefix, str(found)) == (kind, place, prefix, shown)


@pytest.mark.parametrize(
    "address",
    ["releases", "./x", "https://g.example/a", "s3://", "s3://Upper", "s3://a..b/c", "ftp://x/y", "file://host/x"],
)
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(ValueError, match=r"."):
        parse_address(address)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ValueError, match="holds a password") as caught:
        parse_address("git+https://bot:hunter2@g.example/a.git")
    assert "hunter2" not in str(caught.value)
