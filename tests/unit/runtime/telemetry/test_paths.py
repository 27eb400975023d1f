"""Where the server of metrics answers, and where it does not."""

from __future__ import annotations

import urllib.error
import urllib.request

from datasurface.runtime.telemetry.prometheus import PrometheusExporter


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_at_their_path_alone() -> None:
    exporter = PrometheusExporter(process=False)
    try:
        base = f"http://127.0.0.1:{exporter.serve('127.0.0.1', 0)}"
        status, text = _get(f"{base}/metrics")
        assert status == 200
        assert "datasurface_build_info" in text
        assert _get(f"{base}/metrics?name[]=datasurface_build_info")[0] == 200
        status, text = _get(f"{base}/")
        assert status == 200
        assert 'href="/metrics"' in text
        assert "datasurface_build_info" not in text
        for path in ("/etc", "/metrics/more", "/favicon.ico"):
            assert _get(base + path) == (404, "metrics are at /metrics\n")
    finally:
        exporter.close()
