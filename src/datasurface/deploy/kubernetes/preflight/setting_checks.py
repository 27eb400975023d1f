"""What the model says of a cluster: complete, safe, and of a version that is supported. Needs no cluster."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.deploy.kubernetes.network import open_ways
from datasurface.deploy.kubernetes.preflight.subject import Subject
from datasurface.deploy.pod_secrets import issues, uses_files
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, warned
from datasurface.model.vocabulary import Tls
from datasurface.release.job import PlatformSpec

__all__ = ["NEWEST", "OLDEST", "SETTING_CHECKS", "version_outcome"]

OLDEST, NEWEST = (1, 31), (1, 37)
"""The versions whose published schemas the manifests are validated against."""
_UNPROTECTED = frozenset({Tls.DISABLE, Tls.PREFER})


def version_outcome(found: str, about: str = "") -> Outcome:
    """Return whether a version of Kubernetes is one that the manifests are made for."""
    numbers = tuple([int(part) for part in found.split(".")[:2]])
    oldest, newest = ".".join(map(str, OLDEST)), ".".join(map(str, NEWEST))
    if numbers < OLDEST:
        return failed(f"{found} is older than {oldest}", f"upgrade the cluster to {oldest} or newer", about=about)
    if numbers > NEWEST:
        return warned(
            f"{found} is newer than {newest}, which was the newest tested", "try it in a test first", about=about
        )
    return passed(f"{found} is one of {oldest} to {newest}", about=about)


def _complete(subject: Subject) -> Iterator[Outcome]:
    if subject.problem is not None:
        yield failed(subject.problem.message, subject.problem.hint)
    else:
        yield passed(f"{len(subject.objects)} objects can be made")


def _version(subject: Subject) -> Iterator[Outcome]:
    if subject.cluster.settings.version is not None:
        yield version_outcome(subject.cluster.settings.version)


def _open(subject: Subject) -> Iterator[Outcome]:
    if subject.problem is None:
        for way in open_ways(subject.cluster):
            yield warned(
                f"it lets pods with {', '.join(f'{k}={v}' for k, v in way.of.items())} connect to everywhere",
                "name the networks that are meant in Egress([…])",
                about=way.name,
            )


def _protected(subject: Subject) -> Iterator[Outcome]:
    for platform in subject.cluster.platforms:
        for container in {platform.container, *(job.source for job in platform.jobs)}:
            tls = getattr(container, "tls", None)
            if isinstance(tls, Tls) and tls in _UNPROTECTED:
                yield warned(
                    f"tls={tls.value}: its rows and the login may cross the network in clear",
                    "Tls.VERIFY_FULL, or at least Tls.REQUIRE, in containers={…} of the environment",
                    about=container.name,
                )


def _passwords(subject: Subject) -> Iterator[Outcome]:
    for platform in subject.cluster.platforms:
        if issues(platform):
            yield passed("new passwords are kept in a secret store", about=platform.name)
        else:
            yield warned(
                "no secret store can keep new passwords: every job logs in as the platform's own credential says",
                'Environment(secrets=["files", KubernetesSecrets()])',
                about=platform.name,
            )
        if not uses_files(platform) and subject.cluster.place("secret_store") is None:
            yield failed(
                "its secret store is a cloud's, and nothing tells where that is",
                "Kubernetes(secret_store=Egress([…]))",
                about=platform.name,
            )


def _releases(subject: Subject) -> Iterator[Outcome]:
    for platform in subject.cluster.platforms:
        yield _release(platform)


def _release(platform: PlatformSpec) -> Outcome:
    if platform.follows is None:
        return warned(
            "no release reaches it by itself",
            'Environment(releases="v*", release_store="s3://bucket/prefix"), or `datasurface apply` from elsewhere',
            about=platform.name,
        )
    store = str(platform.follows.store)
    if not store.startswith("s3://"):
        return failed(
            f"its release store {store!r} is no bucket, and pods share no folder and have no git",
            'release_store="s3://bucket/prefix"',
            about=platform.name,
        )
    return passed(f"releases {platform.follows.rule} come from {store}", about=platform.name)


SETTING_CHECKS: tuple[Check[Subject], ...] = (
    Check(
        id="kubernetes.settings.complete",
        title="the model says where everything is",
        looks_at="An Egress of each container, the release store, the secret store, Airflow's database and the API.",
        fails="Nothing tells where one is, or the PostgreSQL cluster and its container contradict each other.",
        remedy="Add what is named to Kubernetes(…).",
        look=_complete,
    ),
    Check(
        id="kubernetes.settings.version",
        title="a supported version of Kubernetes",
        looks_at="Kubernetes(version=…) against the versions that the manifests are validated for.",
        fails="The version is older, so that fields are unknown to it; a newer one warns.",
        remedy="Upgrade the cluster.",
        look=_version,
    ),
    Check(
        id="kubernetes.settings.open",
        title="no way to everywhere",
        looks_at="The networks of all Egress.",
        fails="It warns of 0.0.0.0/0 and ::/0.",
        remedy="Name the networks that are meant.",
        look=_open,
    ),
    Check(
        id="kubernetes.settings.tls",
        title="connections are protected",
        looks_at="tls= of the merge database and of each source.",
        fails="It warns of `disable` and `prefer`.",
        remedy="Tls.VERIFY_FULL, or at least Tls.REQUIRE.",
        look=_protected,
    ),
    Check(
        id="kubernetes.settings.passwords",
        title="a place for new passwords",
        looks_at="The secret stores of each platform.",
        fails="A cloud's store has no Egress; it warns if no store can keep the logins that DataSurface makes.",
        remedy='Environment(secrets=["files", KubernetesSecrets()]).',
        look=_passwords,
    ),
    Check(
        id="kubernetes.settings.releases",
        title="releases reach the cluster",
        looks_at="The environment's rule and release store.",
        fails="The store is a folder or a git repository, which pods cannot reach; it warns if there is no rule.",
        remedy='release_store="s3://bucket/prefix".',
        look=_releases,
    ),
)
