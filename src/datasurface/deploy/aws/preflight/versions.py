"""Checks of versions against a dated table of what is supported, and until when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, warned
from datasurface.model.airflow import Airflow

__all__ = ["AS_OF", "AURORA", "CHECKS", "KUBERNETES", "Window", "judged"]

AS_OF = date(2026, 4, 24)
"""The day on which the table held."""
_SOON = 90


@dataclass(frozen=True, slots=True)
class Window:
    """How long a version is supported.

    Attributes:
        standard: The last day of standard support.
        extended: The last day of extended support, which costs more.
    """

    standard: date
    extended: date


KUBERNETES: Mapping[str, Window] = {
    "1.29": Window(date(2025, 3, 23), date(2026, 3, 23)),
    "1.30": Window(date(2025, 7, 23), date(2026, 7, 23)),
    "1.31": Window(date(2025, 11, 26), date(2026, 11, 26)),
    "1.32": Window(date(2026, 3, 23), date(2027, 3, 23)),
    "1.33": Window(date(2026, 7, 29), date(2027, 7, 29)),
    "1.34": Window(date(2026, 12, 2), date(2027, 12, 2)),
    "1.35": Window(date(2027, 3, 27), date(2028, 3, 27)),
}
"""EKS, from its release calendar."""
AURORA: Mapping[str, Window] = {
    "12": Window(date(2025, 2, 28), date(2028, 2, 29)),
    "13": Window(date(2026, 2, 28), date(2029, 2, 28)),
    "14": Window(date(2027, 2, 28), date(2030, 2, 28)),
    "15": Window(date(2028, 2, 29), date(2031, 2, 28)),
    "16": Window(date(2029, 2, 28), date(2032, 2, 29)),
    "17": Window(date(2030, 2, 28), date(2033, 2, 28)),
    "18": Window(date(2031, 2, 28), date(2034, 2, 28)),
}
"""Aurora PostgreSQL by major version, from its release calendar."""
_AIRFLOW: Mapping[str, Window] = {"2.11": Window(date(2026, 4, 22), date(2026, 4, 22))}
"""Airflow, whose third major version has no end yet."""
_OLDEST_DATABASE = 14


def judged(what: str, version: str, windows: Mapping[str, Window], today: date, remedy: str, about: str) -> Outcome:
    """Return how a version stands on a day."""
    window = windows.get(version)
    newest = max(windows, key=_numbers)
    if window is None and _numbers(version) > _numbers(newest):
        return warned(f"{what} {version} is newer than the table of {AS_OF}", f"{newest} is known", about=about)
    if window is None or today > window.extended:
        ended = "long" if window is None else f"on {window.extended}"
        return failed(f"the support of {what} {version} has ended ({ended})", remedy, about=about)
    if today > window.standard:
        why = f"{what} {version} is in extended support, which costs more, until {window.extended}"
        return warned(why, remedy, about=about)
    if (window.standard - today).days < _SOON:
        return warned(f"the standard support of {what} {version} ends on {window.standard}", remedy, about=about)
    return passed(f"{what} {version} is supported until {window.standard} (table of {AS_OF})", about=about)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _clusters(subject: AwsSubject) -> Iterator[Outcome]:
    for cluster in subject.resources("AWS::EKS::Cluster"):
        version = cluster.text("Version")
        remedy = f"a newer version of Kubernetes in Aws(…), such as {_newest(KUBERNETES, subject.today)}"
        if version is None:
            yield warned("it has no version: AWS chooses one", remedy, about=cluster.place)
        else:
            yield judged("Kubernetes", version, KUBERNETES, subject.today, remedy, cluster.place)


def _databases(subject: AwsSubject) -> Iterator[Outcome]:
    for database in subject.resources("AWS::RDS::DBCluster"):
        version = database.text("EngineVersion")
        remedy = f"a newer version of the database, such as {_newest(AURORA, subject.today)}"
        if version is None:
            yield warned("it has no version: AWS chooses one", remedy, about=database.place)
            continue
        major = version.partition(".")[0]
        if major.isdigit() and int(major) < _OLDEST_DATABASE:
            yield failed(f"PostgreSQL {version} is older than {_OLDEST_DATABASE}", remedy, about=database.place)
        else:
            yield judged("Aurora PostgreSQL", major, AURORA, subject.today, remedy, database.place)


def _airflow(subject: AwsSubject) -> Iterator[Outcome]:
    settings = subject.deployable.find(Airflow)
    if settings is not None and settings.version in _AIRFLOW:
        yield judged("Airflow", settings.version, {**_AIRFLOW}, subject.today, 'Airflow(version="3")', "Airflow")
    elif settings is not None:
        yield passed(f"Airflow {settings.version} has no end of support yet", about="Airflow")


def _newest(windows: Mapping[str, Window], today: date) -> str:
    """Return the version whose standard support lasts longest."""
    fitting = [version for version, window in windows.items() if window.standard > today] or list(windows)
    return max(fitting, key=lambda version: windows[version].standard)


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.versions.kubernetes",
        title="version of Kubernetes",
        looks_at=f"the cluster's version against EKS's release calendar (as of {AS_OF})",
        fails="its support has ended; warns in extended support, 90 days before, and of a version not in the table",
        remedy="a newer version in Aws(…)",
        look=_clusters,
    ),
    Check(
        id="aws.versions.database",
        title="version of Aurora PostgreSQL",
        looks_at=f"the engine's version against Aurora's release calendar (as of {AS_OF}), and at least PostgreSQL 14",
        fails="its support has ended, or it is too old; warns in extended support",
        remedy="a newer version in Aws(…)",
        look=_databases,
    ),
    Check(
        id="aws.versions.airflow",
        title="version of Airflow",
        looks_at="the version in Airflow(…) against the project's support calendar",
        fails="its support has ended",
        remedy='Airflow(version="3")',
        look=_airflow,
    ),
)
