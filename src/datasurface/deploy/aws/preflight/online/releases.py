"""The release store as it is: whether the job that follows releases would find it, and something in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from datasurface.deploy.aws.preflight.online.existing import existing_stacks
from datasurface.deploy.aws.preflight.online.identity import ACCOUNT
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.preflight.check import Check, Needs, Outcome, failed, passed, skipped, warned
from datasurface.errors import DataSurfaceError
from datasurface.model.release_rule import ReleaseRule, parse_rule

__all__ = ["CHECKS"]


def _store(subject: AwsSubject) -> Iterator[Outcome]:
    from datasurface.runtime.releases.opening import address_in, source_of_platform  # noqa: PLC0415 - not offline

    for platform in subject.platforms:
        follows = platform.follows
        if follows is None:
            yield skipped("no releases are followed: somebody applies them", about=platform.name)
            continue
        address = address_in(follows.store)
        buckets = {bucket.text("BucketName") for bucket in subject.resources("AWS::S3::Bucket")}
        if address.place in buckets and not existing_stacks(subject):
            yield skipped(f"the stacks make {address}", about=platform.name)
            continue
        rule: ReleaseRule = parse_rule(follows.rule)
        with tempfile.TemporaryDirectory(prefix="ds-preflight-") as folder:
            try:
                found = source_of_platform(platform, follows, Path(folder), subject.environ).look(rule)
            except DataSurfaceError as error:
                remedy = error.hint or "is its login valid, and may it read there?"
                yield failed(error.message, remedy, about=platform.name)
                continue
        if found:
            number = f"{len(found)} release{'' if len(found) == 1 else 's'}"
            yield passed(f"{address} holds {number} that the rule {follows.rule} takes", about=platform.name)
        else:
            yield warned(
                f"{address} holds no release that the rule {follows.rule} takes",
                "datasurface release publish",
                about=platform.name,
            )


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.releases.store",
        title="release store",
        looks_at="the bucket, folder or repository that releases are taken from, with its own login",
        fails="it is not there, or refuses the login; warns if it holds nothing that the environment's rule takes",
        remedy="a login that may read there; datasurface release publish",
        look=_store,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
)
