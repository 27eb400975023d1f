"""The pod of a CronJob, run as a process: its arguments, its variables, its files and nothing else, on real databases.

What a kubelet does is done by hand: volumes become folders, with the modes that the pod says, and paths that begin with
a mount's are moved there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import yaml

from datasurface import BigInt, Column, Dataset, Environment, Kubernetes
from datasurface.deploy.base import Deployable
from datasurface.deploy.kubernetes.target import TARGET
from deploy.kubernetes_model import IMAGE
from workbench import container, environ, model, workbench

ORDERS = Dataset("orders", columns=[Column("id", BigInt, key=True)])


def _pod(documents: list[dict[str, Any]], argument: str) -> dict[str, Any]:
    """Return the pod whose job has that argument."""
    specs = [d["spec"]["jobTemplate"]["spec"]["template"]["spec"] for d in documents if d["kind"] == "CronJob"]
    (found,) = [spec for spec in specs if argument in spec["containers"][0]["args"]]
    return dict(found)


def _run(
    pod: dict[str, Any], maps: Mapping[str, Mapping[str, str]], secrets: Mapping[str, Mapping[str, str]], root: Path
) -> subprocess.CompletedProcess[str]:
    """Run a pod's container as a process: what it mounts is written below `root` first."""
    (job,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in job["volumeMounts"]}
    for volume in pod["volumes"]:
        place = root / mounts[volume["name"]].lstrip("/")
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        if "configMap" in volume:
            for name, text in maps[volume["configMap"]["name"]].items():
                (place / name).write_text(text)
        elif "secret" in volume and (volume["secret"]["secretName"] in secrets or not volume["secret"].get("optional")):
            for item in volume["secret"]["items"]:
                file = place / item["path"]
                file.write_text(secrets[volume["secret"]["secretName"]][item["key"]])
                file.chmod(0o600)

    def moved(text: str) -> str:
        return re.sub(r"^(/etc/datasurface|/var/run/datasurface|/tmp)(?=/|$)", rf"{root}\1", text)

    variables = {each["name"]: moved(each["value"]) for each in job["env"]}
    command = [sys.executable, "-m", "datasurface", *map(moved, job["args"])]
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_a_stream_runs_with_what_its_pod_is_given(two_databases: tuple[str, str], tmp_path: Path) -> None:
    source, target = two_databases
    with psycopg.connect(source) as connection:
        connection.execute(b"CREATE TABLE orders (id bigint PRIMARY KEY)")
        connection.execute(b"INSERT INTO orders SELECT generate_series(1, 7)")
    made = model(container("src", source), container("dst", target), [ORDERS])
    with workbench(made, target, tmp_path, environ(src=source, dst=target)) as bench:
        release = bench.release
    settings = Environment("prod", deployments=[Kubernetes(image=IMAGE)], secrets=["files"])
    deployed = Deployable(release=release, environment=settings)
    files = [file for file in TARGET.files(deployed) if file.path[0].isdigit()]
    documents = [document for file in files for document in yaml.safe_load_all(file.content)]
    maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    secrets = {
        f"datasurface.acme.{name}": {"user": unquote(parts.username or ""), "password": unquote(parts.password or "")}
        for name, parts in (("src", urlsplit(source)), ("dst", urlsplit(target)))
    }
    pod = _pod(documents, "shop")
    first = _run(pod, maps, secrets, tmp_path / "pod")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout.splitlines()[-1])["streams"][0]["inserted"] == 7
    again = _run(pod, maps, secrets, tmp_path / "pod")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout.splitlines()[-1])["streams"][0]["changed"] is False
    alone = {name: pieces for name, pieces in secrets.items() if name.endswith("dst")}
    (tmp_path / "bare").mkdir()
    left = [v for v in pod["volumes"] if v.get("secret", {}).get("secretName") != "datasurface.acme.src"]
    less = {**pod, "volumes": left}
    missing = _run(less, maps, alone, tmp_path / "bare")
    assert missing.returncode == 1
    assert "src" in json.loads(missing.stdout.splitlines()[-1])["streams"][0]["error"]
    retention = _run(_pod(documents, "retention"), maps, secrets, tmp_path / "pod")
    assert retention.returncode == 0, retention.stderr
    password = unquote(urlsplit(source).password or "")
    assert not any(password in run.stdout + run.stderr for run in (first, again, missing, retention))
    assert not any(password in file.content for file in files)
