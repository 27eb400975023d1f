"""Databases as they are: as RDS describes them, and as they answer from here, with the jobs' own secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasurface.databases.base import adapter_for
from datasurface.databases.merge import MergeStore
from datasurface.deploy.aws.preflight.online.identity import ACCOUNT
from datasurface.deploy.aws.preflight.online.reach import existing_databases
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.versions import AURORA, judged
from datasurface.deploy.preflight.check import Check, Needs, Outcome, failed, passed, skipped, warned
from datasurface.errors import DataSurfaceError
from datasurface.model.infrastructure import Container, EmbeddedPostgres
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.runtime.doctor.check import Check as Found
from datasurface.runtime.doctor.check import Verdict
from datasurface.runtime.doctor.containers import network, source, store
from datasurface.runtime.logins import Logins
from datasurface.secrets.keyring import Keyring

__all__ = ["CHECKS"]

_INSIDE = "kubectl -n {namespace} exec into a pod of a job, or start one, and run `datasurface doctor` there"


def _described(subject: AwsSubject) -> Iterator[Outcome]:
    for name, database in existing_databases(subject):
        status = database.get("Status", database.get("DBInstanceStatus"))
        if status != "available":
            yield failed(f"it is {status}", f"wait, or start it: aws rds start-db-cluster for {name}", about=name)
        engine, version = str(database.get("Engine")), str(database.get("EngineVersion"))
        if "postgres" in engine:
            major = version.partition(".")[0]
            yield judged(engine, major, AURORA, subject.today, "an upgrade to a newer version", name)
        if int(database.get("BackupRetentionPeriod") or 0) < 1:
            yield warned("it has no backups", "aws rds modify-db-cluster --backup-retention-period 14", about=name)
        if not database.get("DeletionProtection"):
            yield warned("it can be deleted by mistake", "aws rds modify-db-cluster --deletion-protection", about=name)
        if database.get("PubliclyAccessible"):
            yield warned("it has a public address", "aws rds modify-db-instance --no-publicly-accessible", about=name)


def _places(subject: AwsSubject) -> list[tuple[PlatformSpec, Container, list[JobSpec]]]:
    """Return each database once: the merge databases without jobs, the sources with those that read them."""
    found: dict[tuple[str, Container], tuple[PlatformSpec, list[JobSpec]]] = {}
    for platform in subject.platforms:
        found[platform.name, platform.container] = (platform, [])
        for job in (each for each in platform.jobs if each.transformer is None and each.source != platform.container):
            found.setdefault((platform.name, job.source), (platform, []))[1].append(job)
    return [
        (platform, container, jobs)
        for (_, container), (platform, jobs) in found.items()
        if not isinstance(container, EmbeddedPostgres)
    ]


def _answers(subject: AwsSubject) -> Iterator[Outcome]:
    made = {database.container for database in subject.settings.databases}
    for platform, container, jobs in _places(subject):
        about = container.label()
        reached = network(container)
        if reached is not None and reached.verdict is not Verdict.PASS:
            if container.name in made:
                yield skipped("the stacks make it, with a private address", about=about)
            else:
                remedy = _INSIDE.format(namespace=subject.namespace)
                yield warned(f"{reached.detail} from here: only the jobs may be able to reach it", remedy, about=about)
            continue
        yield from (_outcome(found, about) for found in _asked(subject, platform, container, jobs))


def _asked(
    subject: AwsSubject, platform: PlatformSpec, container: Container, jobs: list[JobSpec]
) -> Iterator[Found | DataSurfaceError]:
    """Log in as the jobs do, and look at version, rights and tables; nothing is written."""
    logins = Logins(Path(), subject.environ, Keyring.of(platform, Path(), subject.environ))
    by_credential: dict[Any, list[JobSpec]] = {}
    for job in jobs:
        by_credential.setdefault(job.credential, []).append(job)
    for credential, mine in by_credential.items():
        yield from source(logins, container, credential, mine)
    if not jobs:
        try:
            login = logins.login(container, platform.credential)
            opened: MergeStore = getattr(adapter_for(container), "merge_store")(login)  # noqa: B009 - not all have it
        except DataSurfaceError as error:
            yield error
            return
        try:
            yield from store(opened, container)
        finally:
            opened.close()


def _outcome(found: Found | DataSurfaceError, about: str) -> Outcome:
    if isinstance(found, DataSurfaceError):
        return failed(found.message, found.hint or "see the message", about=about)
    detail = f"{found.subject.removeprefix(about).removeprefix(': ')}: {found.detail}"
    judge: Mapping[Verdict, Any] = {Verdict.FAIL: failed, Verdict.WARN: warned}
    if found.verdict is Verdict.PASS:
        return passed(detail, about=about)
    outcome: Outcome = judge[found.verdict](detail, found.remedy, about=about)
    return outcome


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.database.existing",
        title="existing databases as RDS describes them",
        looks_at="state, version, backups, protection and public address of each database of the model that RDS knows",
        fails="it is not available, or its version's support has ended; warns of the rest",
        remedy="aws rds modify-db-cluster",
        look=_described,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
    Check(
        id="aws.database.answers",
        title="databases from here",
        looks_at="whether each database answers, accepts the jobs' own secrets, has a version that is supported, the "
        "rights that are needed, and the tables of the model; nothing is written, nothing is dropped",
        fails="a login, right, version or table is wrong; warns if it does not answer here: `doctor` tells inside",
        remedy="`datasurface doctor` in a pod",
        look=_answers,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
)
