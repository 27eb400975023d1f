"""What a real Airflow of the tests is told: short intervals, few processes, nothing of the user's own settings."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent
FILE_BACKEND = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
_FOREIGN = ("DATASURFACE_", "AIRFLOW_", "AIRFLOW__", "AWS_", "PG", "KUBECONFIG", "KUBERNETES_", "PYTHON", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Backend:
    """A secrets backend: the class, and what it is made with."""

    name: str
    arguments: Mapping[str, object]


def programs(line: int) -> Path:
    """Return where the programs of an Airflow line (3 or 2) are; its make target makes them."""
    return ROOT / f".airflow{line}" / "bin"


def environ_of(
    line: int, home: Path, database: str, port: int, backend: Backend, more: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of all of an Airflow's processes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    settings = _common(home, database, backend) | (_three(port) if line == 3 else _two())
    named = {f"AIRFLOW__{name.upper()}": value for name, value in settings.items()}
    path = f"{programs(line)}:{kept.get('PATH', '')}"
    return kept | {"PATH": path, "AIRFLOW_HOME": str(home), "PYTHONWARNINGS": "default"} | named | dict(more)


def _common(home: Path, database: str, backend: Backend) -> dict[str, str]:
    return {
        "core__auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "core__dags_are_paused_at_creation": "False",
        "core__dags_folder": str(home / "dags"),
        "core__executor": "LocalExecutor",
        "core__fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "core__load_examples": "False",
        "core__min_serialized_dag_fetch_interval": "1",
        "core__min_serialized_dag_update_interval": "1",
        "core__parallelism": "3",
        "database__load_default_connections": "False",
        "database__sql_alchemy_conn": urlunsplit(urlsplit(database)._replace(scheme="postgresql+psycopg2")),
        "scheduler__catchup_by_default": "False",
        "scheduler__job_heartbeat_sec": "1",
        "scheduler__scheduler_heartbeat_sec": "1",
        "scheduler__scheduler_idle_sleep_time": "0.2",
        "secrets__backend": backend.name,
        "secrets__backend_kwargs": json.dumps(backend.arguments),
    }


def _three(port: int) -> dict[str, str]:
    """Return what is Airflow 3's own. A task that stops beating is given up after 10 seconds, not after 300."""
    url = f"http://127.0.0.1:{port}"
    return {
        "api__base_url": url,
        "api__host": "127.0.0.1",
        "api__port": str(port),
        "api__secret_key": secrets.token_hex(16),
        "api__workers": "1",
        "api_auth__jwt_secret": secrets.token_hex(32),
        "core__execution_api_server_url": f"{url}/execution/",
        "core__simple_auth_manager_all_admins": "True",
        "dag_processor__bundle_refresh_check_interval": "1",
        "dag_processor__min_file_process_interval": "1",
        "dag_processor__parsing_processes": "1",
        "dag_processor__refresh_interval": "1",
        "scheduler__task_instance_heartbeat_sec": "2",
        "scheduler__task_instance_heartbeat_timeout": "10",
        "scheduler__task_instance_heartbeat_timeout_detection_interval": "2",
    }


def _two() -> dict[str, str]:
    """Return what is Airflow 2's own: the scheduler parses the DAG files too."""
    return {
        "core__auth_manager": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "scheduler__dag_dir_list_interval": "1",
        "scheduler__local_task_job_heartbeat_sec": "2",
        "scheduler__min_file_process_interval": "1",
        "scheduler__parsing_processes": "1",
        "scheduler__scheduler_zombie_task_threshold": "10",
        "scheduler__zombie_detection_interval": "2",
        "usage_data_collection__enabled": "False",
    }
