"""Images as they are: in the registry, and for the architecture of the nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from datasurface.deploy.aws.preflight.nodes import node_types
from datasurface.deploy.aws.preflight.online.existing import existing_stacks
from datasurface.deploy.aws.preflight.online.identity import ACCOUNT
from datasurface.deploy.aws.preflight.settings import image_parts
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.instances import INSTANCES
from datasurface.deploy.preflight.check import Check, Needs, Outcome, failed, passed, skipped, warned

__all__ = ["CHECKS"]

_LISTS = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_ONE = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_BUILD = "docker buildx build --platform linux/amd64,linux/arm64 --push -t REGISTRY/REPOSITORY:TAG ."


def _architectures(subject: AwsSubject) -> set[str]:
    groups = subject.resources("AWS::EKS::Nodegroup")
    return {INSTANCES[kind].architecture for group in groups for kind in node_types(group)}


def _present(subject: AwsSubject) -> Iterator[Outcome]:
    for about, image in sorted(subject.images.items()):
        registry, repository, reference = image_parts(image)
        if ".dkr.ecr." not in registry:
            yield skipped(
                f"{registry or image} is no registry of AWS: it is not asked",
                f"docker buildx imagetools inspect {image} shows its platforms",
                about=about,
            )
            continue
        made = any(each.text("RepositoryName") == repository for each in subject.resources("AWS::ECR::Repository"))
        manifest = _manifest(subject, registry.partition(".")[0], repository, reference)
        if manifest is None and made and not existing_stacks(subject):
            yield warned(
                f"the repository {repository} is made by the stacks: the image cannot be there yet",
                f"after the first stack: {_BUILD}",
                about=about,
            )
        elif manifest is None:
            yield failed(f"{image} is not in its registry", _BUILD, about=about)
        else:
            yield _judged(manifest, _architectures(subject), about)


def _manifest(subject: AwsSubject, account: str, repository: str, reference: str) -> Mapping[str, Any] | None:
    key = "imageDigest" if reference.startswith("sha256:") else "imageTag"
    found = subject.aws.find(
        "ecr",
        "batch_get_image",
        {"RepositoryNotFoundException", "ImageNotFoundException"},
        registryId=account,
        repositoryName=repository,
        imageIds=[{key: reference}],
        acceptedMediaTypes=[*_LISTS, *_ONE],
    )
    if found is None or not found.get("images"):
        return None
    manifest: Mapping[str, Any] = json.loads(found["images"][0]["imageManifest"])
    return manifest


def _judged(manifest: Mapping[str, Any], wanted: set[str], about: str) -> Outcome:
    listed = manifest.get("manifests")
    if listed is None:
        return warned(
            f"it is built for one architecture, and the nodes are {', '.join(sorted(wanted)) or 'not known'}: "
            "on others pods end with `exec format error`",
            _BUILD,
            about=about,
        )
    there = {str(each.get("platform", {}).get("architecture")) for each in listed} - {"unknown", "None"}
    missing = wanted - there
    if missing:
        return failed(
            f"it is built for {', '.join(sorted(there))}, and there are nodes of {', '.join(sorted(missing))}: "
            "there pods end with `exec format error`",
            _BUILD,
            about=about,
        )
    return passed(f"it is there, for {', '.join(sorted(there))}", about=about)


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.images.present",
        title="image in its registry",
        looks_at="the manifest of each image in ECR: that it is there, and for the architecture of each node",
        fails="it is not there, or not for an architecture of the nodes; warns if it is for one architecture only",
        remedy=_BUILD,
        look=_present,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
)
