"""A pod's job is somebody to AWS, and asks Secrets Manager for what it needs: nobody hands it a secret.

Secrets Manager and STS are moto's, over HTTP; the pod is a process with the pod's arguments and variables, no more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cloud import Gate
from cloud_secrets import KEYS, REGION, passwords, put
from datasurface.model.secret_names import aws_name
from deployed_model import Deployed, deployed
from servers import Server

pytestmark = pytest.mark.slow

DAGS = "acme.prod.yellow."
HERE = "Egress(['127.0.0.1/32'])"


@pytest.fixture(scope="module")
def model(one_server: Server, aws: Gate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed(one_server, tmp_path_factory.mktemp("model")) as made:
        image = "registry.example/datasurface@sha256:" + "a" * 64
        places = ", ".join(f"{each}={HERE}" for each in ("airflow_database", "api_server", "secret_store"))
        egress = f"egress={{'shop_db': {HERE}, 'merge': {HERE}}}, {places}"
        deployments = f"[Airflow(), Kubernetes(image={image!r}, {egress})]"
        made.write(secrets=f"[AwsSecrets(region={REGION!r})]", deployments=deployments)
        for name, login in made.logins.items():
            put(aws, aws_name("datasurface", "acme", "prod", name), login, made.canaries[name])
        environ = KEYS | {"AWS_ENDPOINT_URL": aws.url}
        made.run("apply", "--yes", environ=environ)
        made.run("security", "sync", environ=environ)
        for name, password in passwords(aws).items():
            made.canaries.add(name, password)
        made.run("deploy", "airflow", "-o", "dags")
        yield made


@pytest.fixture(params=["by a service account's token", "by the agent of Pod Identity"])
def identity(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What EKS puts into a pod's environment: by IRSA, or by Pod Identity."""
    token = tmp_path / "token"
    token.write_text("a-token-of-the-cluster")
    if request.param == "by a service account's token":
        role = "arn:aws:iam::123456789012:role/acme-prod-ingest"
        yield {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_REGION": REGION}
        return
    with agent() as url:
        credentials = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
        yield credentials | {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token), "AWS_REGION": REGION}


def test_job(model: Deployed, aws: Gate, identity: Mapping[str, str], tmp_path: Path) -> None:
    """What the job asks for is what is its own: the source's login and the platform's, nothing else."""
    model.sell("UPDATE orders SET amount = amount + 1 WHERE id = 5")
    del aws.asked[:]
    done = in_a_pod(model, "sales", {**identity, "AWS_ENDPOINT_URL": aws.url}, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    [told] = json.loads(done.stdout)["streams"]
    assert (told["stream"], told["state"]) == ("sales", "merged")
    assert set(aws.asked) == {aws_name("datasurface", "acme", "prod", name) for name in ("shop_reader", "yellow.run")}
    assert model.seen()["sales_orders"] == model.oracle()["sales_orders"]
    assert model.canaries.in_text(done.stdout + done.stderr) == set()


def test_nobody(model: Deployed, aws: Gate, tmp_path: Path) -> None:
    """Without an identity there are no secrets, and the answer says so."""
    nobody = {"AWS_ENDPOINT_URL": aws.url, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
    done = in_a_pod(model, "sales", nobody, tmp_path)
    assert done.returncode in {1, 2}
    assert "AWS" in done.stdout + done.stderr


def in_a_pod(
    model: Deployed, stream: str, environ: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run a job as its pod does: the pod's arguments and variables, its platform file, nothing of the model folder."""
    parts = [json.loads(file.read_text()) for file in (model.folder / "dags").glob("acme-prod-yellow.????????.json")]
    [entry] = [part[f"{DAGS}{stream}"] for part in parts if f"{DAGS}{stream}" in part]
    [container] = entry["pod"]["spec"]["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert not any("SECRETS" in name for name in variables)
    arguments = container["args"]
    file = arguments[arguments.index("--platform-file") + 1]
    platform = str(model.folder / "dags" / "acme-prod-yellow.platform.json")
    with tempfile.TemporaryDirectory(dir=folder) as home:
        return subprocess.run(
            [sys.executable, "-m", "datasurface", *[platform if each == file else each for each in arguments]],
            cwd=home,
            env={"PATH": os.environ["PATH"], **variables, "HOME": home, "DATASURFACE_HOME": home, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


class _Agent(BaseHTTPRequestHandler):
    """The agent of EKS Pod Identity: credentials for whoever brings the pod's token."""

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == "a-token-of-the-cluster"
        keys = {"AccessKeyId": "ASIATESTTESTTESTTEST", "SecretAccessKey": "made-up", "Token": "t"}
        body = json.dumps({**keys, "Expiration": "2099-01-01T00:00:00Z"} if allowed else {}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def agent() -> Iterator[str]:
    """Run that agent; yield where it is asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Agent)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/credentials"
    finally:
        server.shutdown()
        server.server_close()
