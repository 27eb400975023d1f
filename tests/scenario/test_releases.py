"""Releases reach a running system by themselves: published, followed, held up, gone back from; on a real database."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from datasurface.errors import ConfigurationError, StoreError
from datasurface.release.platform_file import platform_file, read_platform_file
from datasurface.release.published import Published
from datasurface.runtime.apply import plan_and_apply
from datasurface.runtime.releases.base import Candidate
from datasurface.runtime.releases.objects import StoredReleases
from datasurface.store.following import Pending
from releasing import NAME, PLACED, Shop

WIDER = 'Column("name", String(60))'
OTHER_KEY = 'Column("name", String(40), key=True)'


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Shop:
    return Shop(tmp_path, *two_databases)


def test_a_tag_reaches_the_system_and_the_streams_follow(shop: Shop):
    first = shop.release("v1.9")
    found = shop.follow()
    assert (found.state, found.wanted, found.active, found.exit_code) == ("applied", first, first, 0)
    shop.run()
    assert shop.seen() == shop.held()
    assert shop.follow().state == "current"
    second = shop.release("v1.10", NAME, PLACED)
    shop.release("v1.10.1-rc1", PLACED)
    found = shop.follow()
    assert (found.state, found.ref[:9], found.active) == ("applied", "tag v1.10", second)
    shop.run()
    assert shop.seen() == shop.held("id, name, placed")
    known = shop.standing.known
    assert known.activation is not None
    origin = known.activation.origin
    assert (origin.who, origin.how, origin.ref) == ("follower@test", "follow", "v1.10")
    assert shop.standing.wanted == second


def test_the_follower_needs_nothing_but_the_platform_file(shop: Shop, tmp_path: Path):
    path = tmp_path / "platform.json"
    path.write_text(platform_file(shop.spec))
    shop.release("v1")
    assert shop.follow(read_platform_file(path)).state == "applied"


def test_publishing_again_is_nothing_and_a_tag_never_moves(shop: Shop):
    shop.commit("v1")
    assert shop.publish().written
    again = shop.publish()
    assert (again.written, again.selected) == (False, True)
    shop.write(NAME, PLACED)
    with pytest.raises(ConfigurationError, match=r"1 file differs from the commit .* eco\.py"):
        shop.publish()
    shop.commit()
    with pytest.raises(ConfigurationError, match="no tag is checked out"):
        shop.publish()
    with pytest.raises(ConfigurationError, match="tag v1 is not what is checked out"):
        shop.publish("v1")
    shop.git("tag", "--force", "v1")
    with pytest.raises(StoreError, match="a tag that was published never moves"):
        shop.publish()


def test_what_check_refuses_is_not_published(shop: Shop):
    shop.write('Column("", BigInt)')
    shop.commit("v1")
    found = shop.publish()
    assert found.published is None
    assert found.report.errors
    assert shop.follow().state == "unreachable"


def test_a_branch_is_followed_by_its_newest_commit(two_databases: tuple[str, str], tmp_path: Path):
    shop = Shop(tmp_path, *two_databases, rule="branch:main")
    shop.commit()
    one = shop.publish().published
    assert one is not None
    assert (one.ref_kind.value, one.ref) == ("branch", "main")
    assert shop.follow().active == one.digest
    shop.write(NAME, PLACED)
    old = shop.git("rev-parse", "HEAD")
    shop.commit()
    two = shop.publish().published
    assert two is not None
    shop.git("checkout", "--quiet", old)
    shop.publish("branch:main")
    assert shop.follow().active == two.digest


def test_a_release_that_is_refused_stays_pending_while_the_streams_go_on(shop: Shop):
    active = shop.release("v1")
    shop.follow()
    shop.run()
    refused = shop.release("v2", OTHER_KEY)
    for tries in (1, 2):
        found = shop.follow()
        assert (found.state, found.active, found.wanted, found.exit_code) == ("pending", active, refused, 1)
        assert "the key changes from (id) to (id, name)" in found.reason
        pending = shop.standing.known.following.pending
        assert pending is not None
        assert (pending.tries, pending.digest, pending.ref[:6]) == (tries, refused, "tag v2")
    assert isinstance(pending, Pending)
    assert pending.since < pending.tried_at
    shop.sql("INSERT INTO orders VALUES (51, 'late', NULL)")
    shop.run()
    assert shop.seen() == shop.held()
    good = shop.release("v2.1", WIDER)
    assert shop.follow().active == good
    assert shop.standing.known.following.pending is None


def test_a_blocked_release_changes_nothing_until_its_way_is_free(shop: Shop):
    shop.release("v1")
    shop.follow()
    shop.run()
    shop.rows("CREATE VIEW public.mine AS SELECT name FROM reports_all.shop_orders")
    wanted = shop.release("v2", WIDER)
    found = shop.follow()
    assert found.state == "pending"
    assert "somebody's own view stands on it: public.mine" in found.reason
    assert found.done == ()
    shop.rows("DROP VIEW public.mine")
    assert shop.follow().active == wanted


@pytest.mark.parametrize("damage", ["half", "changed"])
def test_a_damaged_release_is_refused_and_the_next_one_is_not_held_up(shop: Shop, damage: str):
    active = shop.release("v1")
    shop.follow()
    shop.release("v2", NAME, PLACED)
    (newest,) = list(Path(shop.store).rglob("v2.json")) if damage == "half" else [_file_of(shop, "v2")]
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2] if damage == "half" else content.replace(b"orders", b"0rders"))
    found = shop.follow()
    assert (found.state, found.active) == ("pending", active)
    assert "publish" in found.reason
    assert shop.follow().state == "pending"
    repaired = shop.publish().published
    assert repaired is not None
    assert shop.follow().active == repaired.digest
    assert shop.follow().state == "current"


def _file_of(shop: Shop, tag: str) -> Path:
    text = next(Path(shop.store).rglob(f"{tag}.json")).read_text()
    return next(f for f in Path(shop.store).rglob("*.sqlite") if f.stem in text)


def test_a_release_for_another_environment_is_refused(shop: Shop):
    shop.release("v1")
    shop.follow()
    place = Path(shop.store) / "acme" / "prod" / "tags"
    other = Path(shop.store) / "acme" / "test" / "tags" / "v3.json"
    shop.write(NAME)
    shop.commit("v3")
    shop.publish(environment="test", store=shop.store)
    (place / "v3.json").write_bytes(other.read_bytes())
    found = shop.follow()
    assert found.state == "pending"
    assert "made for ecosystem 'acme', environment 'test', not for ecosystem 'acme', environment 'prod'" in found.reason


def test_rolling_back_holds_until_a_newer_release_comes(shop: Shop):
    first = shop.release("v1")
    shop.follow()
    shop.run()
    second = shop.release("v2", NAME, PLACED)
    shop.follow()
    shop.run()
    way = shop.roll_back()
    assert (way.left, way.target.digest, way.origin.ref) == (second, first, "v1")
    assert any("batches were merged since" in sentence for sentence in way.stays)
    assert any("placed is no longer read" in sentence for sentence in way.stays)
    found = shop.follow()
    assert (found.state, found.active, found.wanted, found.exit_code) == ("pinned", first, second, 99)
    assert "ann@test rolled back from" in found.reason
    shop.run()
    assert shop.seen() == shop.held()
    pin = shop.standing.known.following.pin
    assert pin is not None
    assert (pin.who, pin.left, pin.left_origin.ref) == ("ann@test", second, "v2")
    shop.release("v1.5", WIDER)
    assert shop.follow().state == "pinned"
    third = shop.release("v2.0.1", WIDER)
    assert shop.follow().active == third
    assert shop.standing.known.following.pin is None
    assert shop.way_back().target.digest == second
    assert shop.way_back("v1").target.digest == first
    assert shop.way_back(first[:8]).target.digest == first


def test_unpin_lets_the_rule_count_again(shop: Shop):
    shop.release("v1")
    shop.follow()
    second = shop.release("v2", NAME, PLACED)
    shop.follow()
    shop.roll_back("v1")
    assert shop.follow().state == "pinned"
    shop.unpin()
    assert shop.follow().active == second
    shop.run()
    assert shop.seen() == shop.held("id, name, placed")


def test_rolling_back_to_what_cannot_be_is_refused_before_anything_changes(shop: Shop):
    shop.release("v1")
    shop.follow()
    shop.run()
    wide = shop.release("v2", WIDER)
    shop.follow()
    shop.run()
    way = shop.way_back()
    (refused,) = [o.refused for o in way.plan.operations if o.refused]
    assert "the way out is a new release" in refused
    assert "prune" not in refused
    with pytest.raises(ConfigurationError, match="no kept release is called v7"):
        shop.way_back("v7")
    with pytest.raises(ConfigurationError, match="is active already"):
        shop.way_back("v2")
    assert shop.follow().active == wide


def test_a_rule_that_selects_nothing_and_a_store_that_is_away_are_told(shop: Shop):
    shop.release("v1")
    shop.follow()
    spec = dataclasses.replace(shop.spec, follows=dataclasses.replace(shop.spec.follows, rule="w*"))  # type: ignore[type-var]
    found = shop.follow(spec)
    assert (found.state, found.exit_code) == ("nothing", 99)
    assert "'w*' selects nothing in" in found.reason
    Path(shop.store).rename(f"{shop.store}-away")
    found = shop.follow()
    assert (found.state, found.exit_code) == ("unreachable", 75)
    seen = shop.standing.known.following.seen
    assert seen is not None
    assert "is no folder" in seen.error


def test_an_older_tag_than_the_active_release_does_not_come_by_itself(shop: Shop):
    shop.release("v1")
    second = shop.release("v2", NAME, PLACED)
    shop.follow()
    for path in Path(shop.store).rglob("v2.json"):
        path.unlink()
    found = shop.follow()
    assert (found.state, found.active) == ("pinned", second)
    assert "it is older than tag v2, which is active" in found.reason


def test_a_release_that_was_applied_by_hand_gets_its_tag_when_the_follower_finds_it(shop: Shop):
    model = shop.model
    with model.open_one(model.platforms[0]) as running:
        assert plan_and_apply(running, model.platforms[0], model.release).active
    with pytest.raises(ConfigurationError, match=r"no kept release is called v1\.9"):
        shop.way_back("v1.9")
    first = shop.release("v1.9")
    assert (first, shop.follow().state) == (model.release.digest, "current")
    activation = shop.standing.known.activation
    assert activation is not None
    assert (activation.origin.label, activation.origin.how) == ("tag v1.9", "apply")
    assert shop.standing.to_json()["active_ref"] == "v1.9"
    second = shop.release("v1.10", NAME, PLACED)
    assert shop.follow().active == second
    assert "tag v1.9" in shop.command("rollback", "--list").stdout
    way = shop.roll_back("v1.9")
    assert (way.target.digest, way.origin.ref) == (first, "v1.9")


def test_a_folder_in_the_place_of_a_description_holds_its_release_and_status_says_so(shop: Shop):
    active = shop.release("v1")
    shop.follow()
    place = Path(shop.store) / "acme" / "prod" / "tags" / "v2.json"
    place.mkdir()
    found = shop.follow()
    assert (found.state, found.active, found.exit_code) == ("pending", active, 1)
    assert "publish it again" in found.reason
    shown = shop.command("status").stdout
    assert "wanted: v2 (which release that is could not be told) since" in shown
    assert "Is a directory" in shown
    place.rmdir()
    assert shop.follow().state == "current"


def test_a_rollback_during_a_look_is_not_forgotten(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    first = shop.release("v1")
    shop.follow()
    shop.release("v2", NAME, PLACED)
    shop.follow()
    whole = StoredReleases.describe

    def slowly(store: StoredReleases, candidate: Candidate) -> Published:
        monkeypatch.setattr(StoredReleases, "describe", whole)
        shop.roll_back()
        return whole(store, candidate)

    monkeypatch.setattr(StoredReleases, "describe", slowly)
    assert shop.follow().state == "current"
    found = shop.follow()
    assert (found.state, found.active) == ("pinned", first)


def test_a_release_that_is_applied_by_hand_ends_a_rollback_and_stays_until_a_newer_one_is_published(shop: Shop):
    shop.release("v1")
    shop.follow()
    shop.release("v2", NAME, PLACED)
    shop.follow()
    shop.roll_back()
    shop.write(WIDER)
    model = shop.model
    with model.open_one(model.platforms[0]) as running:
        assert plan_and_apply(running, model.platforms[0], model.release).active
    assert shop.standing.known.following.pin is None
    found = shop.follow()
    assert (found.state, found.active) == ("pinned", model.release.digest)
    assert "by hand after it was published" in found.reason
    third = shop.release("v3", WIDER, PLACED)
    assert shop.follow().active == third
