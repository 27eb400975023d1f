"""`deploy monitoring`: every query reads what is really exported, promtool and Grafana's own classes read the files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from datasurface import Airflow, Monitoring
from datasurface.deploy.base import target, target_names
from datasurface.deploy.monitoring.queries import FOREIGN, Scope, names_of
from datasurface.deploy.monitoring.rules import Severity, alerts
from datasurface.runtime.telemetry.metrics import METRICS
from deploy.kubernetes_model import SETTINGS, deployable

SERIES = {series for metric in METRICS for series in metric.series}
OWN = Path(__file__).parents[2] / ".promtool"
PROMTOOL = shutil.which("promtool", path=f"{OWN}:{os.environ['PATH']}")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool: `make .promtool/promtool` gets it")


def made(*deployments: Any) -> dict[str, str]:
    found = deployable(*(deployments or (SETTINGS,)))
    return {file.path: file.content for file in target("monitoring").files(found)}


def test_it_is_a_target_and_its_files_are_the_same_each_time() -> None:
    assert "monitoring" in target_names()
    files = made()
    assert list(files) == sorted(files)
    assert files == made()
    assert list(files) == [
        "RUNBOOK.md",
        "grafana/overview.json",
        "grafana/stream.json",
        "kubernetes/dashboards.yaml",
        "kubernetes/exporters.yaml",
        "kubernetes/rules.yaml",
        "prometheus/datasurface.rules.yaml",
    ]


def rules(files: dict[str, str]) -> list[dict[str, Any]]:
    return yaml.safe_load(files["prometheus/datasurface.rules.yaml"])["groups"][0]["rules"]


def test_every_query_reads_what_is_exported() -> None:
    files = made()
    asked = [rule["expr"] for rule in rules(files)]
    for name in ("overview", "stream"):
        asked += list(queries(json.loads(files[f"grafana/{name}.json"])))
    assert len(asked) > 40
    for query in asked:
        read = names_of(query)
        assert read, query
        assert set(read) <= SERIES | FOREIGN, query
    everything = {name for query in asked for name in names_of(query)}
    assert everything >= {"datasurface_stream_lag_seconds", "datasurface_platform_up"}


def queries(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.fullmatch(r"label_values\((.*), \w+\)", variable["query"])[1]  # type: ignore[index]


def test_names_are_found_in_any_query() -> None:
    query = 'sum by (le, step) (rate(a_bucket{x="b_c"}[5m])) / on(z) group_left(y) b_total{q=~"rate|sum"} > 1e9'
    assert names_of(query) == ["a_bucket", "b_total"]
    with pytest.raises(KeyError, match="datasurface_nonsense"):
        Scope().series("nonsense")


def test_each_alert_says_what_it_means_and_what_to_do() -> None:
    found = alerts(Scope(), [("prod", "yellow")], volumes="ns")
    assert len({alert.name for alert in found}) == len(found)
    for alert in found:
        assert alert.name.startswith("DataSurface")
        assert alert.means.endswith(".")
        assert alert.remedy.endswith(".")
    page = made()["RUNBOOK.md"]
    assert all(f"## {rule['alert']}\n" in page for rule in rules(made()))
    assert {alert.severity for alert in found} == set(Severity)


def test_without_a_cluster_there_is_nothing_for_one() -> None:
    files = made(Airflow())
    assert not any(path.startswith("kubernetes/") for path in files)
    assert "kubelet_" not in files["prometheus/datasurface.rules.yaml"]


def test_the_exporter_is_a_pod_like_all_others() -> None:
    files = made(SETTINGS, Monitoring(namespace="observability", labels={"release": "prometheus"}))
    documents = list(yaml.safe_load_all(files["kubernetes/exporters.yaml"]))
    kinds = {document["kind"]: document for document in documents}
    assert set(kinds) == {"Deployment", "Service", "NetworkPolicy", "ServiceMonitor"}
    for kind in ("Deployment", "Service", "NetworkPolicy"):
        kubernetes_validate.validate(kinds[kind], "1.34", strict=True)
    pod = kinds["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["args"][:5] == ["metrics", "--port", "9464", "--address", "0.0.0.0"]
    assert container["args"][-2] == "--platform-file"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["spec"]["restartPolicy"] == "Always"
    for document in (kinds["Service"]["spec"], kinds["ServiceMonitor"]["spec"]["selector"]):
        selected = document.get("selector") or document["matchLabels"]
        assert selected.items() <= pod["metadata"]["labels"].items()
    (ingress,) = kinds["NetworkPolicy"]["spec"]["ingress"]
    assert ingress["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "observability"}}}]
    assert kinds["ServiceMonitor"]["metadata"]["labels"]["release"] == "prometheus"
    shown = yaml.safe_load(files["kubernetes/dashboards.yaml"])
    assert shown["metadata"]["namespace"] == "observability"
    assert json.loads(shown["data"]["overview.json"])["title"] == "DataSurface: acme.prod"
    plain = made(SETTINGS, Monitoring(operator=False))
    assert "kubernetes/rules.yaml" not in plain
    assert "ServiceMonitor" not in plain["kubernetes/exporters.yaml"]


@pytest.mark.parametrize("name", ["overview", "stream"])
def test_grafana_s_own_classes_read_the_dashboards(name: str) -> None:
    """What its generated classes do not know they drop, so what comes back is what Grafana's schema has."""
    dashboard = json.loads(made()[f"grafana/{name}.json"])
    back = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    assert_within(dashboard, back)
    assert len(dashboard["uid"]) <= 40
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert ids == sorted(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        across = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in across for y in range(place["y"], place["y"] + place["h"])}
        assert taken.isdisjoint(cells)
        taken |= cells


def assert_within(wanted: Any, found: Any, path: str = "$") -> None:
    if isinstance(wanted, dict):
        assert isinstance(found, dict), path
        for key, value in wanted.items():
            assert key in found or value is None, f"{path}.{key} is not known to Grafana's schema"
            if value is not None:
                assert_within(value, found[key], f"{path}.{key}")
    elif isinstance(wanted, list):
        assert len(wanted) == len(found), path
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            assert_within(one, other, f"{path}[{index}]")
    else:
        assert wanted == found, path


def promtool(*arguments: str) -> str:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_reads_the_rules_and_the_dashboards_queries(tmp_path: Path) -> None:
    files = made(SETTINGS)
    (tmp_path / "rules.yaml").write_text(files["prometheus/datasurface.rules.yaml"])
    assert f"{len(rules(files))} rules found" in promtool("check", "rules", str(tmp_path / "rules.yaml"))
    object_ = yaml.safe_load(files["kubernetes/rules.yaml"])
    assert object_["spec"]["groups"][0]["rules"] == rules(files)
    asked = [query for name in ("overview", "stream") for query in queries(json.loads(files[f"grafana/{name}.json"]))]
    recorded = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(asked)
    ]
    (tmp_path / "queries.yaml").write_text(json.dumps({"groups": [{"name": "queries", "rules": recorded}]}))
    promtool("check", "rules", str(tmp_path / "queries.yaml"))


WHERE = 'environment="prod",platform="yellow"'
CRM = f'{WHERE},stream="crm"'
INFO = f'datasurface_stream_info{{{CRM},zone="eu",team="sales",owner="github:a/b@main",production="%s"}}'
LABELS = {"environment": "prod", "platform": "yellow", "source": "datasurface"}
OF_CRM = {**LABELS, "stream": "crm", "zone": "eu", "team": "sales", "owner": "github:a/b@main"}

CASES: list[tuple[str, dict[str, str], dict[str, str], str, bool]] = [
    ("DataSurfaceStreamLate", {f"datasurface_stream_lag_seconds{{{CRM}}}": "5000x60",
        f"datasurface_stream_lag_limit_seconds{{{CRM}}}": "3600x60", INFO % "false": "1x60"},
        {**OF_CRM, "production": "false", "severity": "warning"}, "10m", True),
    ("DataSurfaceStreamLate", {f"datasurface_stream_lag_seconds{{{CRM}}}": "3000x60",
        f"datasurface_stream_lag_limit_seconds{{{CRM}}}": "3600x60", INFO % "false": "1x60"}, {}, "30m", False),
    ("DataSurfaceProductionStreamLate", {f"datasurface_stream_lag_seconds{{{CRM}}}": "5000x60",
        f"datasurface_stream_lag_limit_seconds{{{CRM}}}": "3600x60", INFO % "true": "1x60"},
        {**OF_CRM, "production": "true", "severity": "critical"}, "10m", True),
    ("DataSurfaceBatchesFail", {f'datasurface_stream_state{{{CRM},state="failed"}}': "1x60", INFO % "true": "1x60"},
        {**OF_CRM, "production": "true", "state": "failed", "severity": "warning"}, "20m", True),
    ("DataSurfaceBatchesFail", {f'datasurface_stream_state{{{CRM},state="failed"}}': "1x10 _x50",
        INFO % "true": "1x60"}, {}, "20m", False),
    ("DataSurfaceBatchParked", {f'datasurface_stream_state{{{CRM},state="parked"}}': "1x60", INFO % "true": "1x60"},
        {**OF_CRM, "production": "true", "state": "parked", "severity": "warning"}, "1m", True),
    ("DataSurfaceNothingRuns", {f"datasurface_stream_overdue_seconds{{{CRM}}}": "900x60",
        f'datasurface_stream_overdue_seconds{{{WHERE},stream="b"}}': "900x60"},
        {**LABELS, "severity": "critical"}, "10m", True),
    ("DataSurfaceNothingRuns", {f"datasurface_stream_overdue_seconds{{{CRM}}}": "900x60",
        f'datasurface_stream_overdue_seconds{{{WHERE},stream="b"}}': "0x60"}, {}, "10m", False),
    ("DataSurfaceNoHeartbeat", {f"datasurface_scheduler_heartbeat_timestamp_seconds{{{WHERE}}}": "0x60"},
        {**LABELS, "severity": "critical"}, "5m", True),
    ("DataSurfaceNoHeartbeat", {f"datasurface_scheduler_heartbeat_timestamp_seconds{{{WHERE}}}": "0+60x60"},
        {}, "30m", False),
    ("DataSurfaceReleasePending", {f"datasurface_release_pending{{{WHERE}}}": "1x60"},
        {**LABELS, "severity": "warning"}, "40m", True),
    ("DataSurfaceSecurityDrift", {f'datasurface_system_job_ok{{{WHERE},task="security"}}': "0x60"},
        {**LABELS, "task": "security", "severity": "warning"}, "40m", True),
    ("DataSurfaceAccessChanged", {f"datasurface_access_changes{{{WHERE}}}": "5x30 7x30",
        f"datasurface_release_activated_timestamp_seconds{{{WHERE}}}": "1x60"},
        {**LABELS, "severity": "info"}, "35m", True),
    ("DataSurfaceAccessChanged", {f"datasurface_access_changes{{{WHERE}}}": "5x30 7x30",
        f"datasurface_release_activated_timestamp_seconds{{{WHERE}}}": "1x30 9x30"}, {}, "35m", False),
    ("DataSurfaceDatabaseOut", {f"datasurface_platform_up{{{WHERE}}}": "0x60"},
        {**LABELS, "severity": "critical"}, "5m", True),
    ("DataSurfaceExporterAbsent", {"up": "1x60"}, {**LABELS, "severity": "critical"}, "15m", True),
    ("DataSurfaceExporterAbsent", {f"datasurface_platform_up{{{WHERE}}}": "1x60"}, {}, "15m", False),
    ("DataSurfaceConnectionsNearlyUsed", {f"datasurface_database_connections{{{WHERE}}}": "90x60",
        f"datasurface_database_connections_limit{{{WHERE}}}": "97x60"},
        {**LABELS, "severity": "warning"}, "15m", True),
    ("DataSurfaceDatabaseGrows", {f"datasurface_database_size_bytes{{{WHERE}}}": "2e9+20e6x600"},
        {**LABELS, "severity": "warning"}, "9h", True),
    ("DataSurfaceDatabaseGrows", {f"datasurface_database_size_bytes{{{WHERE}}}": "2e9+1e5x600"}, {}, "9h", False),
]  # fmt: skip


@needs_promtool
def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    """Prometheus' own unit tests of rules: series over time, a moment, and what fires then."""
    by_name = {rule["alert"]: rule for rule in rules(made())}
    for rule in by_name.values():
        rule["annotations"]["summary"] = ""  # depends on the value at that moment
    groups = {"groups": [{"name": "datasurface", "rules": [*by_name.values()]}]}
    (tmp_path / "rules.yaml").write_text(json.dumps(groups))
    tests = []
    for alert, series, labels, at, fires in CASES:
        annotations = by_name[alert]["annotations"]
        expected = {"exp_labels": labels, "exp_annotations": annotations} if fires else {}
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [{"alertname": alert, "eval_time": at, "exp_alerts": [expected] if fires else []}],
            }
        )
    (tmp_path / "tests.yaml").write_text(json.dumps({"rule_files": ["rules.yaml"], "tests": tests}))
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "tests.yaml"))
    assert {case[0] for case in CASES if case[4]} >= {"DataSurfaceStreamLate", "DataSurfaceExporterAbsent"}
