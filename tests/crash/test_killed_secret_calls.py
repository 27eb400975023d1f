from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cloud import moto_server
from key_vault import vault_server
from kubernetes_api import api_server, kubeconfig


def deaths(store: str, url: str, **variables: str) -> int:
    child = Path(__file__).with_name("secret_calls_child.py")
    command = [sys.executable, str(child), store, url]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_"))}
    ended = subprocess.run(command, env={**environ, **variables}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


def test_kill_9_at_any_call_of_aws_leaves_whole_secrets_and_the_next_attempt_ends_well() -> None:
    variables = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    with moto_server() as port:
        url = f"http://127.0.0.1:{port}"
        assert deaths("aws", url, AWS_ENDPOINT_URL=url, **variables) > 20


def test_kill_9_at_any_call_of_kubernetes_leaves_whole_secrets_and_the_next_attempt_ends_well(tmp_path: Path) -> None:
    with api_server() as api:
        file = kubeconfig(tmp_path / "kubeconfig", api.url)
        assert deaths("kubernetes", api.url, KUBECONFIG=str(file)) > 12


def test_kill_9_at_any_call_of_azure_leaves_whole_secrets_and_the_next_attempt_ends_well(tmp_path: Path) -> None:
    with vault_server(tmp_path) as (vault, variables):
        assert deaths("azure", vault.url, **variables) > 20
