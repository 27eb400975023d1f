"""Checks of what somebody has said, and of this machine: region, image, programs that apply the files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, warned
from datasurface.deploy.prices import REGION_FACTORS

__all__ = ["CHECKS", "image_parts"]

_DIGEST = "@sha256:"
_MORE_REGIONS = frozenset(
    {
        "af-south-1",
        "ap-east-1",
        "ap-northeast-3",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-7",
        "ca-west-1",
        "cn-north-1",
        "cn-northwest-1",
        "eu-central-2",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
        "us-gov-east-1",
        "us-gov-west-1",
    }
)
_PROGRAMS = {
    "aws": "it deploys the stacks: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    "kubectl": "it applies the Kubernetes files: https://kubernetes.io/docs/tasks/tools/",
    "helm": "it installs Airflow's chart: https://helm.sh/docs/intro/install/",
}


def image_parts(image: str) -> tuple[str, str, str]:
    """Return the registry, the repository and the digest or tag of an image."""
    name, _, reference = image.partition("@") if "@" in image else image.rpartition(":")
    registry, _, repository = name.partition("/")
    return registry, repository, reference


def _region(subject: AwsSubject) -> Iterator[Outcome]:
    region = subject.settings.region
    if region in REGION_FACTORS or region in _MORE_REGIONS:
        yield passed(region)
    else:
        yield warned(
            f"no region {region!r} is known here", "is it spelled right? `aws ec2 describe-regions` lists them"
        )


def _image(subject: AwsSubject) -> Iterator[Outcome]:
    for about, image in sorted(subject.images.items()):
        if _DIGEST not in image:
            yield failed(
                f"{image} is named by a tag: nodes keep what they once fetched under it, so old code would run",
                "docker buildx imagetools inspect IMAGE prints the digest: name@sha256:…",
                about=about,
            )
            continue
        registry, _, _ = image_parts(image)
        host = registry.split(".")
        elsewhere = ".dkr.ecr." in registry and host[3] != subject.settings.region
        if elsewhere:
            yield warned(
                f"the image is in the region {host[3]}, the nodes in {subject.settings.region}",
                f"copy it: docker buildx imagetools create -t …{subject.settings.region}… {image}",
                about=about,
            )
        else:
            yield passed(f"{image[:60]}… is named by its digest", about=about)


def _programs(subject: AwsSubject) -> Iterator[Outcome]:
    path = subject.environ.get("PATH")
    for program, why in _PROGRAMS.items():
        if shutil.which(program, path=path) is None:
            yield warned(f"{program} is not installed here", why, about=program)
        else:
            yield passed("is installed", about=program)


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.settings.region",
        title="region",
        looks_at="region= of Aws(…) against a list of regions",
        fails="never; warns of a region that is not in the list",
        remedy="the region's right name",
        look=_region,
    ),
    Check(
        id="aws.images.digest",
        title="image by digest",
        looks_at="how the image of the jobs is named, and in which region's registry it is",
        fails="it is named by a tag; warns if its registry is in another region",
        remedy="name@sha256:…",
        look=_image,
    ),
    Check(
        id="aws.settings.programs",
        title="programs on this machine",
        looks_at="aws, kubectl and helm on the path",
        fails="never; warns if one is missing, because files are applied elsewhere too",
        remedy="install it where the files are applied",
        look=_programs,
    ),
)
