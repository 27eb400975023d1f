"""Apache Airflow: one DAG a stream, made by code that is the same for everybody from generated JSON."""
