"""Which exporters are opened: what is asked for must be there, what only the surroundings suggest must not hurt."""

from __future__ import annotations

import logging
import sys

import pytest

from datasurface.errors import ConfigurationError, MissingExtraError
from datasurface.runtime.telemetry.configure import VARIABLE, exporters_of, open_telemetry
from datasurface.runtime.telemetry.otel import OtelExporter
from datasurface.runtime.telemetry.prometheus import PrometheusExporter

OTEL = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def test_without_variables_nothing_is_opened_or_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasurface.runtime.telemetry.configure.entry_points", lambda **_: pytest.fail("looked up"))
    assert exporters_of({"PATH": "/bin"}) == {}
    with open_telemetry({"TRACEPARENT": "x"}, short_lived=True) as telemetry:
        assert not telemetry.on


def test_an_exporter_s_own_variables_open_it() -> None:
    assert {name: type(made) for name, made in exporters_of(OTEL).items()} == {"otel": OtelExporter}
    assert exporters_of({**OTEL, VARIABLE: "none"}) == {}
    assert exporters_of({"OTEL_SERVICE_NAME": "only a name"}) == {}
    (disabled,) = exporters_of({**OTEL, "OTEL_SDK_DISABLED": "true"}).values()
    assert not isinstance(disabled, OtelExporter)


@pytest.mark.parametrize(
    ("name", "module", "variables"),
    [
        ("otel", "opentelemetry.exporter.otlp.proto.http.trace_exporter", OTEL),
        ("openlineage", "openlineage.client", {"OPENLINEAGE_URL": "http://127.0.0.1:9"}),
    ],
)
def test_a_missing_extra(
    name: str,
    module: str,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "datasurface\[{name}\]"'):
        exporters_of({**variables, VARIABLE: name})
    with caplog.at_level(logging.WARNING):
        assert exporters_of(variables) == {}
    assert f'pip install "datasurface[{name}]"' in caplog.text


def test_metrics_without_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match=r'pip install "datasurface\[prometheus\]"'):
        PrometheusExporter(process=False)


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigurationError, match="exporter 'otle' that does not exist") as caught:
        exporters_of({VARIABLE: "otle"})
    assert "openlineage, otel" in caught.value.hint
    with pytest.raises(ConfigurationError, match="nothing says where OpenLineage's events go"):
        exporters_of({VARIABLE: "openlineage"})
    first = PrometheusExporter(process=False)
    port = first.serve("127.0.0.1", 0)
    try:
        with pytest.raises(ConfigurationError, match=f"metrics cannot be served at 127.0.0.1:{port}"):
            PrometheusExporter(process=False).serve("127.0.0.1", port)
    finally:
        first.close()
