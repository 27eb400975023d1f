"""Whoever deploys may have every secret at hand: none gets into a file of any target."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import aws_models
from canaries import Canaries
from datasurface import Monitoring
from datasurface.deploy.base import Deployable, target, target_names
from datasurface.release.needs import SystemJob, credentials_of, issued_credentials, system_credentials
from deploy import kubernetes_model

DEPLOYED = {
    "airflow": kubernetes_model.deployable,
    "aws": lambda: aws_models.deployable(aws_models.model(aws_models.aws())),
    "kubernetes": kubernetes_model.deployable,
    "monitoring": lambda: kubernetes_model.deployable(Monitoring()),
}


def names(deployed: Deployable) -> list[str]:
    """Return the credentials of all jobs."""
    found = set()
    for platform in deployed.platforms:
        found |= set(issued_credentials(platform))
        found |= {
            each
            for job in platform.jobs
            for synced in (True, False)
            for each in credentials_of(platform, job, synced=synced)
        }
        found |= {each for kind in SystemJob for each in system_credentials(platform, kind)}
    return sorted(each.name for each in found)


def test_every_target_is_looked_at() -> None:
    assert set(DEPLOYED) == set(target_names())


@pytest.mark.parametrize("name", sorted(DEPLOYED))
def test_none(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The secrets stand in the environment and in files, where the stores would find them."""
    deployed = DEPLOYED[name]()
    known = names(deployed)
    assert len(known) > 3
    canaries = Canaries(*known)
    monkeypatch.setenv("DATASURFACE_SECRETS", str(tmp_path))
    for credential in known:
        variable = re.sub(r"\W", "_", credential).upper()
        (tmp_path / credential).mkdir(mode=0o700)
        for piece in ("user", "password", "token"):
            monkeypatch.setenv(f"DATASURFACE_{variable}_{piece.upper()}", canaries[credential])
            (tmp_path / credential / piece).touch(mode=0o600)
            (tmp_path / credential / piece).write_text(canaries[credential])
    files = target(name).files(deployed)
    assert files
    assert {(file.path, who) for file in files for who in canaries.in_text(file.content)} == set()
