"""The platform file says where the merge database is, and nothing of streams; what is no such file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasurface import AwsSecrets, Credential, PostgresDatabase, PythonModule, Snapshot
from datasurface.errors import ConfigurationError
from datasurface.release.job import JobSpec, OutputCapture, PlatformSpec, ReaderSpec, TransformerSpec, ViewSpec
from datasurface.release.needs import SystemJob, credentials_of, issued_credentials, system_credentials
from datasurface.release.platform_file import platform_file, read_platform_file

MERGE = PostgresDatabase("merge", host="h", database="d")
CRM = JobSpec(
    "crm",
    platform="yellow",
    datastore="crm",
    datasets=[],
    capture=Snapshot(PostgresDatabase("crm_db", host="h", database="crm")),
    credential=Credential("crm_reader"),
)
SUMS = JobSpec(
    "sums",
    platform="yellow",
    datastore="sums",
    datasets=[],
    capture=OutputCapture(MERGE),
    credential=Credential("admin"),
    transformer=TransformerSpec("t", workspace="w", code=PythonModule("m:f"), secrets={"key": Credential("api")}),
)
PLATFORM = PlatformSpec(
    "yellow",
    ecosystem="acme",
    environment="prod",
    container=MERGE,
    credential=Credential("admin"),
    secrets=["environment", AwsSecrets(region="eu-west-1")],
    jobs=[CRM, SUMS],
    views=[ViewSpec(workspace="w", group="g", stream="crm", datastore="crm", dataset="o", columns=["id"])],
    readers=[ReaderSpec("ann", workspace="w", login=True)],
)


def test_it_comes_back_without_streams_views_and_readers(tmp_path: Path) -> None:
    path = tmp_path / "yellow.json"
    path.write_text(platform_file(PLATFORM))
    found = read_platform_file(path)
    assert (found.name, found.ecosystem, found.environment) == ("yellow", "acme", "prod")
    assert (found.container, found.credential, found.secrets) == (MERGE, Credential("admin"), PLATFORM.secrets)
    assert found.jobs == found.views == found.readers == ()
    assert path.stat().st_size < 500


@pytest.mark.parametrize("content", ["", "{", "[]", '{"is": "Credential", "name": "x"}', '{"is": "PlatformSpec"}'])
def test_what_is_no_platform_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "yellow.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"yellow\.json is no platform file"):
        read_platform_file(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_platform_file(tmp_path / "no.json")


def names(credentials: tuple[Credential, ...]) -> list[str]:
    return [credential.name for credential in credentials]


def test_each_job_needs_its_own_secrets_only() -> None:
    assert names(credentials_of(PLATFORM, CRM)) == ["crm_reader", "yellow.run"]
    assert names(credentials_of(PLATFORM, CRM, synced=False)) == ["admin", "crm_reader"]
    assert names(credentials_of(PLATFORM, SUMS)) == ["api", "yellow.run", "yellow.transformer.w"]


def test_jobs_of_the_system_need_what_they_do() -> None:
    assert names(system_credentials(PLATFORM, SystemJob.APPLY)) == ["yellow.run"]
    assert names(system_credentials(PLATFORM, SystemJob.APPLY, synced=False)) == ["admin"]
    assert names(system_credentials(PLATFORM, SystemJob.RETENTION)) == ["yellow.run"]
    assert names(system_credentials(PLATFORM, SystemJob.AUDIT)) == ["crm_reader", "yellow.run"]
    assert names(system_credentials(PLATFORM, SystemJob.SECURITY)) == ["admin", "yellow.run"]
    issued = ["yellow.monitor", "yellow.person.ann", "yellow.run", "yellow.transformer.w"]
    assert names(issued_credentials(PLATFORM)) == issued
