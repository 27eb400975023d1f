"""Places that hold releases: a folder and a bucket of a real S3 stand-in over HTTP, the same tests for both."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from cloud import moto_server
from datasurface.errors import StoreError, TransientError
from datasurface.model.release_rule import RefKind, parse_rule
from datasurface.release.published import Published
from datasurface.runtime.releases.base import newest
from datasurface.runtime.releases.folder import FolderObjects
from datasurface.runtime.releases.objects import Objects, StoredReleases
from datasurface.runtime.releases.s3 import S3Objects

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with moto_server() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """An empty place."""
    if request.param == "folder":
        (tmp_path / "store").mkdir()
        return FolderObjects(tmp_path / "store")
    url = request.getfixturevalue("s3")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="releases", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return S3Objects.opened("releases", "models/acme", {"AWS_ENDPOINT_URL": url, **KEYS})


@pytest.fixture
def store(objects: Objects) -> StoredReleases:
    return StoredReleases(objects, "acme", "prod")


def described(file: Path, ref: str = "v1.0", kind: RefKind = RefKind.TAG, **changes: Any) -> Published:
    """Return the description of a file, with the digest of its first line as the release's."""
    content = file.read_bytes()
    found = Published(
        ref_kind=kind,
        ref=ref,
        commit=hashlib.sha1(ref.encode()).hexdigest(),
        committed_at=datetime(2026, 1, 1, tzinfo=UTC),
        digest=hashlib.sha256(content.splitlines()[0]).hexdigest(),
        ecosystem="acme",
        environment="prod",
        format=2,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        published_at=datetime(2026, 1, 2, tzinfo=UTC),
        published_by="ci@test",
        datasurface="0.1.0",
    )
    return dataclasses.replace(found, **changes)


def written(folder: Path, text: str) -> Path:
    path = folder / f"draft-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    path.write_text(text)
    return path


def test_what_was_published_is_found_described_and_fetched(store: StoredReleases, tmp_path: Path):
    file = written(tmp_path, "one\n")
    published, wrote = store.publish(described(file, "team/v1.0 ä"), file)
    assert wrote
    (found,) = store.look(None)
    assert (found.kind, found.name) == (RefKind.TAG, "team/v1.0 ä")
    assert store.describe(found) == published
    assert store.fetch(published, tmp_path).read_text() == "one\n"


def test_publishing_again_writes_nothing_even_if_the_bytes_of_the_same_release_differ(
    store: StoredReleases, objects: Objects, tmp_path: Path
):
    first, again = written(tmp_path, "one\nby day\n"), written(tmp_path, "one\nby night\n")
    published, _ = store.publish(described(first), first)
    keys = objects.keys("")
    assert store.publish(described(again, published_by="somebody@else"), again) == (published, False)
    assert objects.keys("") == keys


def test_another_release_is_never_put_under_a_tag_that_was_published(store: StoredReleases, tmp_path: Path):
    one, two = written(tmp_path, "one\n"), written(tmp_path, "two\n")
    published, _ = store.publish(described(one), one)
    with pytest.raises(StoreError, match=r"tag v1\.0 at \w+ was published as release .* a tag that was .* never moves"):
        store.publish(described(two, commit="f" * 40), two)
    with pytest.raises(StoreError, match=r"by DataSurface 0\.1\.0, and this one is"):
        store.publish(described(two), two)
    assert store.describe(store.look(None)[0]) == published


def test_of_two_who_publish_different_releases_at_once_one_wins_and_the_other_is_told(
    store: StoredReleases, tmp_path: Path
):
    files = [written(tmp_path, f"{number}\n") for number in range(6)]
    together, ends = Barrier(6), list[str]()

    def work(file: Path) -> None:
        together.wait()
        try:
            ends.append(store.publish(described(file), file)[0].sha256)
        except StoreError as error:
            ends.append(error.message)

    threads = [Thread(target=work, args=[file]) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = store.describe(store.look(None)[0])
    assert [end for end in ends if "was published as release" not in end] == [won.sha256]
    assert store.fetch(won, tmp_path).exists()


def test_the_newest_commit_of_a_branch_is_found_by_its_time_whenever_it_was_published(
    store: StoredReleases, tmp_path: Path
):
    for day in (3, 9, 5):
        file = written(tmp_path, f"day {day}\n")
        commit = f"{day}" * 40
        at = datetime(2026, 1, day, tzinfo=UTC)
        store.publish(described(file, "main", RefKind.BRANCH, commit=commit, committed_at=at), file)
    rule = parse_rule("branch:main")
    found = newest(store.look(rule), rule)
    assert found is not None
    assert found.commit == "9" * 40
    assert store.look(parse_rule("branch:mai")) == []
    assert store.look(parse_rule("v*")) == []


def test_releases_of_other_ecosystems_and_environments_are_not_seen(
    store: StoredReleases, objects: Objects, tmp_path: Path
):
    file = written(tmp_path, "one\n")
    store.publish(described(file), file)
    for ecosystem, environment in [("acme", "test"), ("acme", None), ("other", "prod"), ("acme/prod", None)]:
        assert StoredReleases(objects, ecosystem, environment).look(None) == []


def test_a_file_that_was_changed_is_refused_and_repaired_by_publishing_again(
    store: StoredReleases, objects: Objects, tmp_path: Path
):
    file = written(tmp_path, "one\n")
    published, _ = store.publish(described(file), file)
    (key,) = [key for key in objects.keys("") if "/files/" in key]
    objects.replace(key, b"one\nand more\n")
    with pytest.raises(StoreError, match="was changed or is not whole"):
        store.fetch(published, tmp_path)
    assert store.publish(described(file), file)[1]
    assert store.fetch(published, tmp_path).read_text() == "one\n"


def test_a_description_that_was_written_by_half_is_refused_and_the_next_release_is_found(
    store: StoredReleases, objects: Objects, tmp_path: Path
):
    file = written(tmp_path, "one\n")
    store.publish(described(file, "v1.0"), file)
    (key,) = [key for key in objects.keys("") if "/tags/" in key]
    whole = objects.read(key) or b""
    for damaged in (whole[:-40], b"", b"[]", whole.replace(b"ci@test", b"me@test"), b"\xff"):
        objects.replace(key, damaged)
        with pytest.raises(StoreError, match="is no whole description of a release"):
            store.describe(store.look(None)[0])
    later = written(tmp_path, "two\n")
    store.publish(described(later, "v1.1"), later)
    rule = parse_rule("v*")
    found = newest(store.look(rule), rule)
    assert found is not None
    assert store.describe(found).ref == "v1.1"
    assert store.publish(described(file, "v1.0"), file)[1]
    assert objects.read(key) == whole


@pytest.mark.parametrize("thing", ["folder", "dangling link"])
def test_another_thing_in_the_place_of_a_description_is_not_an_absent_release(thing: str, tmp_path: Path):
    (tmp_path / "store").mkdir()
    store, rule = StoredReleases(FolderObjects(tmp_path / "store"), "acme", "prod"), parse_rule("v*")
    file = written(tmp_path, "one\n")
    store.publish(described(file, "v1.0"), file)
    place = tmp_path / "store" / "acme" / "prod" / "tags" / "v1.1.json"
    place.mkdir() if thing == "folder" else place.symlink_to(tmp_path / "nothing")
    found = newest(store.look(rule), rule)
    assert found is not None
    assert found.name == "v1.1"
    with pytest.raises(StoreError, match=r"v1\.1\.json") as caught:
        store.describe(found)
    assert "publish it again" in caught.value.hint
    if thing == "folder":
        with pytest.raises(StoreError, match=r"Is a directory: .*v1\.1\.json") as caught:
            store.publish(described(file, "v1.1"), file)
        assert "move it away" in caught.value.hint


def test_a_file_in_the_place_of_the_folder_of_tags_is_told(tmp_path: Path):
    (tmp_path / "acme" / "prod").mkdir(parents=True)
    (tmp_path / "acme" / "prod" / "tags").write_text("")
    with pytest.raises(StoreError, match="Not a directory") as caught:
        StoredReleases(FolderObjects(tmp_path), "acme", "prod").look(parse_rule("v*"))
    assert "move it away" in caught.value.hint


def test_a_file_that_is_gone_is_told(store: StoredReleases, tmp_path: Path):
    file = written(tmp_path, "one\n")
    with pytest.raises(StoreError, match=r"the file of tag v1\.0 at \w+ is not in"):
        store.fetch(described(file), tmp_path)


def test_keys_of_a_newer_package_are_passed_over(store: StoredReleases, objects: Objects, tmp_path: Path):
    file = written(tmp_path, "one\n")
    published, _ = store.publish(described(file), file)
    (key,) = [key for key in objects.keys("") if "/tags/" in key]
    document = json.loads(objects.read(key) or b"")
    del document["checksum"]
    document["signature"] = "some day"
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    checksum = hashlib.sha256(text.encode()).hexdigest()
    objects.replace(key, json.dumps({**document, "checksum": checksum}).encode())
    assert store.describe(store.look(None)[0]) == published


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ecosystem": "other"}, "made for ecosystem 'other', environment 'prod', not for ecosystem 'acme'"),
        ({"environment": None}, "made for ecosystem 'acme' without an environment"),
        ({"format": 99, "datasurface": "7.0"}, r"DataSurface 7\.0 made it in format 99, .* deploy the newer one first"),
        ({"format": 1}, "publish a new tag or commit with the newer one"),
    ],
)
def test_a_release_that_is_not_for_this_platform_or_package_says_why(changes: dict[str, Any], why: str, tmp_path: Path):
    file = written(tmp_path, "one\n")
    found = described(file, **changes).problem("acme", "prod")
    assert re.search(why, found), found


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(StoreError, match="is no folder"):
        StoredReleases(FolderObjects(tmp_path / "unmounted"), "acme", "prod").look(None)


def test_a_bucket_that_is_not_there_is_told(s3: str, monkeypatch: pytest.MonkeyPatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    bucket = S3Objects.opened("nobodys-bucket", "", {"AWS_ENDPOINT_URL": s3, **KEYS})
    with pytest.raises(StoreError, match="NoSuchBucket") as caught:
        bucket.keys("")
    assert "make the bucket first" in caught.value.hint


def test_s3_that_is_out_of_reach_may_come_back(monkeypatch: pytest.MonkeyPatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    bucket = S3Objects.opened("releases", "", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", **KEYS})
    with pytest.raises(TransientError, match="cannot be reached"):
        bucket.read("x")
