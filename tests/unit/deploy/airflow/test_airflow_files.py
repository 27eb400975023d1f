"""The files of `deploy airflow`: what they say, that nothing secret is in them, and that they are always the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from datasurface import Airflow, Cron, External, Hint, Priority, TaskKind, YellowPlatform
from datasurface.deploy.airflow.target import TARGET
from datasurface.deploy.base import Deployable, Learned
from datasurface.errors import ConfigurationError
from deploying import CLUSTER, IMAGE, MERGE, SHOP, deployable, derived, model, store

PROCESS = Airflow(tasks=TaskKind.PROCESS)


def _files(found: Deployable) -> dict[str, str]:
    return {file.path: file.content for file in TARGET.files(found)}


def _dags(found: Deployable) -> dict[str, Any]:
    files = _files(found)
    parts = json.loads(files["acme-prod-yellow.json"])["parts"]
    return {name: entry for part in parts for name, entry in json.loads(files[part]).items()}


def _small(settings: Airflow = PROCESS, **more: Any) -> Deployable:
    stores = [
        store("crm", doc="Customers."),
        store("erp", Cron("0 6 * * *", tz="Europe/Berlin")),
        store("hook", External()),
    ]
    transformers = [derived("sums", ["crm.orders", "erp.orders"]), derived("daily", ["sums_out.rows"], "1 day")]
    ecosystem = model(stores, transformers=transformers, deployments=[settings, CLUSTER], **{"releases": "v*", **more})
    return deployable(ecosystem)


def test_the_files_of_a_platform() -> None:
    names = sorted(_files(_small()))
    assert re.fullmatch(r"acme-prod-yellow\.[0-9a-f]{8}\.json", names[0])
    assert names[1:] == [f"acme-prod-yellow.{kind}" for kind in ("json", "platform.json", "pools.json", "py")]


def test_the_code_is_a_module_of_the_package() -> None:
    code = Path(sys.modules[type(TARGET).__module__].__file__ or "").with_name("dagfile.py").read_text()
    assert _files(_small())["acme-prod-yellow.py"] == code
    assert not re.search(r"^\s*(from|import) datasurface", code, re.MULTILINE)


def test_a_stream_a_transformer_and_the_system_have_dags() -> None:
    found = _dags(_small())
    prefix = "acme.prod.yellow."
    streams = ["crm", "daily_out", "erp", "hook", "sums_out"]
    system = ["airflow-history", "airflow-pools", "apply", "audit", "retention", "security"]
    assert sorted(found) == sorted([f"{prefix}{s}" for s in streams] + [f"{prefix}ds-{s}" for s in system])
    assert found[f"{prefix}erp"]["every"] == {"cron": "0 6 * * *", "tz": "Europe/Berlin"}
    assert found[f"{prefix}hook"]["every"] is None
    assert found[f"{prefix}hook"]["inputs"] == []
    assert found[f"{prefix}sums_out"]["inputs"] == ["crm", "erp", "ds-platform"]
    assert re.fullmatch(r"\d+ \* \* \* \*", found[f"{prefix}sums_out"]["every"]["cron"])
    assert found[f"{prefix}daily_out"]["inputs"] == []
    assert found[f"{prefix}crm"]["owner"] == "sales"
    assert "Customers." in found[f"{prefix}crm"]["doc"]
    assert found[f"{prefix}crm"]["tags"] == [
        "datasurface",
        "ecosystem:acme",
        "environment:prod",
        "ingest",
        "platform:yellow",
    ]


def test_transformers_hear_of_a_new_release_and_of_new_logins() -> None:
    """The code may be another, a login may be there at last, and the model's tables have no other input."""
    found = _dags(_small())
    emits = {name.removeprefix("acme.prod.yellow."): entry["outlets"] for name, entry in found.items()}
    assert [name for name, outlets in emits.items() if "ds-platform" in outlets] == ["ds-apply", "ds-security"]
    assert emits["crm"] == ["crm"]
    assert emits["ds-audit"] == []


def test_nothing_looks_for_releases_that_no_rule_selects() -> None:
    found = _dags(_small(releases=None))
    assert "acme.prod.yellow.ds-apply" not in found
    assert "acme.prod.yellow.ds-security" in found


def test_priorities_and_pools_come_from_the_model() -> None:
    found = _dags(_small(priority=Priority.CRITICAL))
    crm, sums = found["acme.prod.yellow.crm"], found["acme.prod.yellow.sums_out"]
    assert (crm["pool"], crm["priority"]) == ("acme.prod.shop_db", 1000)
    assert sums["pool"] == "acme.prod.merge"
    assert _dags(_small())["acme.prod.yellow.crm"]["priority"] < 1000
    pools = json.loads(_files(_small())["acme-prod-yellow.pools.json"])
    assert {name: pool["slots"] for name, pool in pools.items()} == {"acme.prod.merge": 8, "acme.prod.shop_db": 3}


def test_a_process_gets_the_connections_of_its_own_credentials() -> None:
    found = _dags(_small())
    crm, sums = found["acme.prod.yellow.crm"], found["acme.prod.yellow.sums_out"]
    assert crm["arguments"] == ["job", "crm"]
    assert crm["secrets"]["datasurface_shop_reader"] == {
        "password": "DATASURFACE_SHOP_READER_PASSWORD",
        "user": "DATASURFACE_SHOP_READER_USER",
    }
    assert "datasurface_shop_reader" not in sums["secrets"]
    assert "datasurface_yellow_transformer_sums" in sums["secrets"]


def test_stores_that_are_no_environment_need_no_connections() -> None:
    platform = YellowPlatform("yellow", container=MERGE, secrets=["aws"])
    assert _dags(_small(platform=platform))["acme.prod.yellow.crm"]["secrets"] == {}


def test_a_pod_is_what_the_cluster_gets() -> None:
    platform = YellowPlatform(
        "yellow", container=MERGE, hints={"crm": Hint(memory="2Gi", cpu=0.5, timeout="10 minutes")}
    )
    found = _dags(_small(Airflow(folder="/model"), platform=platform))
    crm = found["acme.prod.yellow.crm"]
    container = crm["pod"]["spec"]["containers"][0]
    assert crm["pod"]["metadata"]["namespace"] == "datasurface"
    assert container["image"] == IMAGE
    assert container["args"][:4] == ["job", "crm", "-m", "/model"]
    assert container["resources"]["requests"]["memory"] == "2048Mi"
    assert container["resources"]["requests"]["cpu"] == "500m"
    assert crm["timeout"] == 600
    assert found["acme.prod.yellow.erp"]["timeout"] == 6 * 3600


def test_pods_learn_their_memory() -> None:
    ecosystem = model([store("crm")], deployments=[Airflow(), CLUSTER])
    found = _dags(deployable(ecosystem, {"crm": Learned(seconds=9, memory=700 * 1024 * 1024)}))
    container = found["acme.prod.yellow.crm"]["pod"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "1088Mi"


def test_one_odd_credential_changes_nothing_for_others() -> None:
    """A stream that logs in by other means than all others keeps its DAG, and so do they."""
    odd = SHOP.__class__("odd_db", host="odd.example", database="odd")
    plain = model([store("crm"), store("erp")], deployments=[PROCESS])
    with_odd = model([store("crm"), store("erp"), store("odd", source=odd)], deployments=[PROCESS])
    before, after = _dags(deployable(plain)), _dags(deployable(with_odd))
    assert after.keys() - before.keys() == {"acme.prod.yellow.odd"}
    assert all(after[name] == entry for name, entry in before.items())
    assert list(after["acme.prod.yellow.odd"]["secrets"]) == ["datasurface_merge_admin"]


def test_pods_need_a_cluster() -> None:
    with pytest.raises(ConfigurationError, match="no Kubernetes among its deployments"):
        TARGET.files(deployable(model([store("crm")], deployments=[Airflow()])))


def test_history_is_left_alone_if_asked() -> None:
    found = _dags(_small(Airflow(tasks=TaskKind.PROCESS, history=None)))
    assert "acme.prod.yellow.ds-airflow-history" not in found
    assert "acme.prod.yellow.ds-airflow-pools" in found


def test_a_change_of_one_stream_changes_its_line_alone() -> None:
    before = _dags(deployable(model([store("crm"), store("erp")], deployments=[PROCESS])))
    after = _dags(deployable(model([store("crm"), store("erp", "1 hour")], deployments=[PROCESS])))
    assert {name for name, entry in after.items() if before.get(name) != entry} == {"acme.prod.yellow.erp"}


def test_a_dag_is_in_the_part_that_its_id_leads_to() -> None:
    stores = [store(f"s{number}") for number in range(400)]
    files = _files(deployable(model(stores, deployments=[Airflow(), CLUSTER])))
    parts = json.loads(files["acme-prod-yellow.json"])["parts"]
    assert len(parts) > 1
    assert all(len(content) < 900_000 for content in files.values())
    for number, part in enumerate(parts):
        for line in files[part].splitlines()[1:-1]:
            (name,) = json.loads(f"{{{line.rstrip(',')}}}")
            assert zlib.crc32(name.encode()) % len(parts) == number


def test_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib;from unit.deploy.airflow.test_airflow_files import _small, _files;"
        "print(hashlib.sha256(repr(sorted(_files(_small()).items())).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_thousand_streams_take_seconds() -> None:
    found = deployable(model([store(f"s{number}") for number in range(1000)], deployments=[Airflow(), CLUSTER]))
    began = time.process_time()
    first = TARGET.files(found)
    assert time.process_time() - began < 5
    assert TARGET.files(found) == first
