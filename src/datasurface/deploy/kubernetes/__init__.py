"""Kubernetes: manifests, values for Airflow's chart and the image of the jobs, all from a bound release."""
