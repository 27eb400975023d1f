"""The target `monitoring`: alert rules for Prometheus, dashboards for Grafana, and a cluster's exporters of metrics."""
