"""The image of the jobs: linted, and its build steps run as far as that goes without an engine for images."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datasurface.deploy.kubernetes.image import dockerfile
from datasurface.deploy.kubernetes.target import TARGET
from deploy.kubernetes_model import deployable

ROOT = Path(__file__).parents[2]
CHECKOV = ROOT / ".checkov" / "bin" / "checkov"
HADOLINT = Path(sys.executable).parent / "hadolint"


def _run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("kubernetes")
    for file in TARGET.files(deployable()):
        (place / file.path).parent.mkdir(parents=True, exist_ok=True)
        (place / file.path).write_text(file.content)
    return place


def test_the_dockerfile_is_clean_in_hadolint(folder: Path) -> None:
    run = _run(HADOLINT, "--no-color", folder / "image" / "Dockerfile")
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(not CHECKOV.exists(), reason="no checkov: make .checkov/.made")
def test_everything_is_clean_in_checkov(folder: Path) -> None:
    frameworks = ["kubernetes", "dockerfile"]
    run = _run(CHECKOV, "-d", folder, "--framework", *frameworks, "-o", "json", "--skip-download")
    reports = {report["check_type"]: report for report in json.loads(run.stdout)}
    assert reports.keys() == {"kubernetes", "dockerfile"}
    failed = {name: [c["check_id"] for c in r["results"]["failed_checks"]] for name, r in reports.items()}
    assert failed == {"kubernetes": [], "dockerfile": []}
    skipped = {check["check_id"] for r in reports.values() for check in r["results"]["skipped_checks"]}
    assert skipped == {"CKV_K8S_15", "CKV_K8S_38", "CKV_DOCKER_7"}
    assert reports["kubernetes"]["summary"]["passed"] > 100


def test_no_line_names_an_architecture_a_tag_or_a_secret() -> None:
    text = dockerfile(["aws", "cron"])
    assert not re.search(r"amd64|arm64|x86|aarch|:latest|curl|wget|git |apt", text)
    assert not re.search(r"(?i)password|token|secret", text)
    assert text.count("FROM ") == 2
    assert 'ARG EXTRAS="aws,cron"' in text
    assert "USER 10001:10001" in text


@pytest.mark.slow
def test_its_steps_make_an_environment_that_runs(tmp_path: Path) -> None:
    """What RUN says is run by a shell, with `/opt` and `/wheels` in a folder; the wheel is that of this source."""
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    version = wheel.name.split("-")[1]
    arguments, steps = _steps(dockerfile(["cron"]))
    environ = {**os.environ, **arguments, "VERSION": version}
    for step in steps:
        here = step.replace("/opt/datasurface", str(tmp_path / "opt")).replace("/wheels", str(wheels))
        done = _run("/bin/sh", "-euc", here, env=environ)
        assert done.returncode == 0, done.stderr
    command = tmp_path / "opt" / "bin" / "datasurface"
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert version in shown.stdout
    code = "import cronsim, psycopg; print(psycopg.pq.__impl__)"
    found = subprocess.run([command.with_name("python"), "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "binary"
    shutil.rmtree(tmp_path / "opt")


def _steps(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the arguments with defaults, and the commands of RUN, of a Dockerfile."""
    joined = text.replace("\\\n", " ")
    arguments = dict(re.findall(r'^ARG (\w+)="?([^"\n]*)"?$', joined, flags=re.MULTILINE))
    found = {name: value for name, value in arguments.items() if value}
    found.setdefault("MORE", "")
    return found, re.findall(r"^RUN (.*)$", joined, flags=re.MULTILINE)


def test_the_extras_follow_from_the_model() -> None:
    (made,) = [f for f in TARGET.files(deployable()) if f.path == "image/Dockerfile"]
    assert 'ARG EXTRAS="aws,kubernetes,prometheus"' in made.content
