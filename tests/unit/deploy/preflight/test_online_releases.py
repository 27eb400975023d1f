"""The release store: there, readable, and with something that the environment's rule takes."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datasurface import Kubernetes
from datasurface.deploy.aws.preflight.clients import Clients
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.model.release_rule import RefKind
from datasurface.release.bind import replaced
from datasurface.release.published import Published
from datasurface.runtime.releases.objects import StoredReleases
from datasurface.runtime.releases.s3 import S3Objects
from deploying import deployable, model, store
from preflight_bench import IMAGE, PLATFORM, REGION, Resources, aws, fails, passes, resource, skips, subject, warns

BUCKET = "acme-releases"


def following(
    clients: Clients, address: str | None = f"s3://{BUCKET}/prod", resources: Resources | None = None
) -> AwsSubject:
    made = model([store("crm")], deployments=[aws(), Kubernetes(image=IMAGE)], platform=PLATFORM)
    rule = "v*" if address is not None else None
    environment = replaced(made.environments[0], releases=rule, release_store=address)
    environ = {**os.environ, "AWS_REGION": REGION}
    return subject(
        resources, what=deployable(replaced(made, environments=[environment])), clients=clients, environ=environ
    )


def make_bucket(cloud: Clients) -> None:
    cloud.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


def test_nothing_is_followed(cloud: Clients) -> None:
    skips("aws.releases.store", following(cloud, None), "no releases are followed")


def test_a_store_that_is_not_there(cloud: Clients) -> None:
    fails("aws.releases.store", following(cloud), BUCKET)


def test_a_repository_out_of_reach(cloud: Clients) -> None:
    found = fails("aws.releases.store", following(cloud, "git+https://127.0.0.1:9/acme/model.git"), "yellow")
    assert found.outcome.remedy


def test_a_store_that_the_stacks_make(cloud: Clients) -> None:
    made = {"Bucket": resource("S3::Bucket", BucketName=BUCKET)}
    skips("aws.releases.store", following(cloud, resources=made), "the stacks make s3://acme-releases/prod")


def test_a_store_without_releases(cloud: Clients) -> None:
    make_bucket(cloud)
    warns("aws.releases.store", following(cloud), "holds no release that the rule v* takes", "release publish")


def published(file: Path, ref: str) -> Published:
    return Published(
        ref_kind=RefKind.TAG,
        ref=ref,
        commit="a" * 40,
        committed_at=datetime(2026, 1, 1, tzinfo=UTC),
        digest="b" * 64,
        ecosystem="acme",
        environment="prod",
        format=2,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        bytes=len(file.read_bytes()),
        published_at=datetime(2026, 1, 2, tzinfo=UTC),
        published_by="ci",
        datasurface="0.1.0",
    )


@pytest.mark.parametrize(("ref", "taken"), [("v1.0", True), ("draft", False)])
def test_a_store_with_a_release(cloud: Clients, tmp_path: Path, ref: str, taken: bool) -> None:
    make_bucket(cloud)
    file = tmp_path / "release"
    file.write_text("one")
    given = following(cloud)
    objects = S3Objects.opened(BUCKET, "prod", given.environ)
    StoredReleases(objects, "acme", "prod").publish(published(file, ref), file)
    if taken:
        assert "holds 1 release that the rule v* takes" in passes("aws.releases.store", given)
    else:
        warns("aws.releases.store", given, "holds no release")
