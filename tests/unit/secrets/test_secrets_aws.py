"""The store `aws` with the real boto3, against a real moto server over HTTP."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from cloud import Gate
from datasurface import AwsSecrets, Credential, CredentialKind
from datasurface.errors import ConfigurationError, SecretError, TransientError
from datasurface.secrets.aws import AwsStore
from datasurface.secrets.base import Secret, Surroundings, WritableStore

CREDENTIAL = Credential("crm_reader")
CANARY = "c4n4ry-\"'\\\n\t{}$ü🙂"
Open = Callable[..., AwsStore]
Show = Callable[[BaseException], str]


def secret(password: str, user: str = "ada") -> Secret:
    return Secret(user=user, password=password)


@pytest.fixture
def client(aws_variables: dict[str, str]) -> Any:
    return boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=aws_variables["AWS_ENDPOINT_URL"])


def test_a_staged_secret_is_pending_until_it_is_promoted(aws: Open) -> None:
    store = aws()
    assert isinstance(store, WritableStore)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, None)
    store.stage(CREDENTIAL, secret("first"))
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, secret("first"))
    store.promote(CREDENTIAL)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (secret("first"), None)
    store.stage(CREDENTIAL, secret("second"))
    store.stage(CREDENTIAL, secret("third"))
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (secret("first"), secret("third"))
    store.promote(CREDENTIAL)
    store.promote(CREDENTIAL)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (secret("third"), None)


def test_what_it_makes_has_a_telling_name_labels_key_and_tags(aws: Open, client: Any, ecosystem: str) -> None:
    store = aws(AwsSecrets(region="eu-west-1", kms_key="alias/acme"), environment="prod")
    for value in ("first", "second"):
        store.stage(CREDENTIAL, secret(value))
        store.promote(CREDENTIAL)
    name = f"datasurface/{ecosystem}/prod/crm_reader"
    found = client.describe_secret(SecretId=name)
    assert found["KmsKeyId"] == "alias/acme"
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == {
        "managed-by": "datasurface", "ecosystem": ecosystem, "environment": "prod",
    }  # fmt: skip
    previous = client.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")
    assert json.loads(previous["SecretString"]) == {"username": "ada", "password": "first"}
    assert "AWSPENDING" not in [s for stages in found["VersionIdsToStages"].values() for s in stages]


@pytest.mark.parametrize("value", [CANARY, "", " spaces ", "\x00"])
def test_any_text_comes_back_as_it_was(aws: Open, value: str) -> None:
    store = aws()
    store.stage(CREDENTIAL, secret(value))
    store.promote(CREDENTIAL)
    assert store.lookup(CREDENTIAL) == secret(value)


def test_a_secret_that_a_database_service_made_is_read(aws: Open, client: Any, ecosystem: str) -> None:
    made = {"engine": "postgres", "host": "h", "port": 5432, "username": "ada", "password": "p-w", "dbname": "crm"}
    client.create_secret(Name=f"datasurface/{ecosystem}/crm_reader", SecretString=json.dumps(made))
    assert aws().lookup(CREDENTIAL) == secret("p-w")


def test_what_is_not_ours_is_changed_only_when_told_and_keeps_its_other_keys(
    aws: Open, client: Any, ecosystem: str
) -> None:
    name, made = f"datasurface/{ecosystem}/crm_reader", {"host": "h", "user": "old", "password": "p-w"}
    client.create_secret(Name=name, SecretString=json.dumps(made))
    for change in (lambda: aws().stage(CREDENTIAL, secret("new")), lambda: aws().remove(CREDENTIAL)):
        with pytest.raises(SecretError, match="not made by DataSurface") as caught:
            change()
        assert "adopt=True" in caught.value.hint
    told = aws(AwsSecrets(region="eu-west-1", adopt=True))
    told.stage(CREDENTIAL, secret("new-pw"))
    told.promote(CREDENTIAL)
    found = json.loads(client.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")["SecretString"])
    assert found == {"host": "h", "username": "ada", "password": "new-pw"}


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        (f'{{"password": "{CANARY[:6]}"}}', CredentialKind.PASSWORD, "no 'username' in datasurface/"),
        ('{"username": "ada"}', CredentialKind.PASSWORD, "no 'password' in datasurface/"),
        (CANARY, CredentialKind.PASSWORD, "no JSON object"),
        (json.dumps([CANARY]), CredentialKind.PASSWORD, "no JSON object"),
    ],
)
def test_a_secret_that_cannot_be_used_is_an_error_without_what_it_holds(
    aws: Open, client: Any, ecosystem: str, shown: Show, text: str, kind: CredentialKind, problem: str
) -> None:
    client.create_secret(Name=f"datasurface/{ecosystem}/crm_reader", SecretString=text)
    with pytest.raises(SecretError, match=problem) as caught:
        aws().lookup(Credential("crm_reader", kind=kind))
    assert "c4n4ry" not in shown(caught.value)


def test_a_token_may_be_plain_text(aws: Open, client: Any, ecosystem: str) -> None:
    client.create_secret(Name=f"datasurface/{ecosystem}/api", SecretString="plain-token")
    assert aws().lookup(Credential("api", kind=CredentialKind.TOKEN)) == Secret(token="plain-token")


def test_a_removed_secret_is_gone_and_can_come_back(aws: Open) -> None:
    store = aws()
    store.stage(CREDENTIAL, secret("first"))
    store.promote(CREDENTIAL)
    store.remove(CREDENTIAL)
    store.remove(CREDENTIAL)
    assert store.lookup(CREDENTIAL) is None
    store.stage(CREDENTIAL, secret("second"))
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, secret("second"))
    store.promote(CREDENTIAL)
    assert store.lookup(CREDENTIAL) == secret("second")


def test_a_region_must_be_known(aws_variables: dict[str, str]) -> None:
    def opened(choice: AwsSecrets | str, **more: str) -> AwsStore:
        return AwsStore.opened(choice, Surroundings(environ={**aws_variables, **more}, ecosystem="acme"))

    with pytest.raises(ConfigurationError, match="no region") as caught:
        opened("aws")
    assert "AWS_REGION" in caught.value.hint
    assert "us-west-2" in opened("aws", AWS_REGION="us-west-2").places(CREDENTIAL)[0]
    assert "eu-west-3" in opened(AwsSecrets(region="eu-west-3"), AWS_REGION="us-west-2").places(CREDENTIAL)[0]


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("GetSecretValue", lambda store: store.lookup(CREDENTIAL)),
        ("DescribeSecret", lambda store: store.stage(CREDENTIAL, secret(CANARY))),
        ("CreateSecret", lambda store: store.stage(CREDENTIAL, secret(CANARY))),
        ("PutSecretValue", lambda store: store.stage(CREDENTIAL, secret(CANARY))),
    ],
)
def test_a_refusal_names_the_permission_and_shows_no_secret(
    aws: Open, gate: Gate, ecosystem: str, shown: Show, operation: str, action: Callable[[AwsStore], object]
) -> None:
    gate.refuse(operation, "AccessDeniedException", "User: x is not authorized")
    with pytest.raises(SecretError) as caught:
        action(aws())
    wanted = f"secretsmanager:{operation} on arn:aws:secretsmanager:eu-west-1:…:secret:datasurface/{ecosystem}/crm_re"
    assert wanted in caught.value.hint
    assert "c4n4ry" not in shown(caught.value)


def test_a_refused_key_names_the_keys_permission(aws: Open, gate: Gate) -> None:
    gate.refuse("GetSecretValue", "AccessDeniedException", "Access to KMS is not allowed")
    with pytest.raises(SecretError) as caught:
        aws().lookup(CREDENTIAL)
    assert "kms:Decrypt" in caught.value.hint


def test_a_busy_service_is_asked_again_and_at_last_the_fault_is_one_that_may_pass(
    aws: Open, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    store = aws()
    gate.refuse("GetSecretValue", "ThrottlingException", times=3)
    assert store.lookup(CREDENTIAL) is None
    assert gate.calls.count("GetSecretValue") == 4
    gate.refuse("GetSecretValue", "ThrottlingException")
    with pytest.raises(TransientError, match="too many requests"):
        store.lookup(CREDENTIAL)


def test_a_service_out_of_reach_is_a_fault_that_may_pass(
    aws_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    environ = {**aws_variables, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    store = AwsStore.opened(AwsSecrets(region="eu-west-1"), Surroundings(environ=environ, ecosystem="acme"))
    with pytest.raises(TransientError, match="cannot be reached"):
        store.lookup(CREDENTIAL)


def test_without_a_login_to_aws_the_error_says_so(aws: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SecretError, match="no login to AWS"):
        aws().lookup(CREDENTIAL)


def test_nothing_is_logged_of_what_is_sent_and_received(aws: Open, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        store = aws()
        store.stage(CREDENTIAL, secret(CANARY))
        store.promote(CREDENTIAL)
        store.lookup(CREDENTIAL)
    assert "c4n4ry" not in caplog.text


def test_a_secret_that_aws_rotates_itself_is_left_to_it(aws: Open, client: Any, ecosystem: str) -> None:
    store = aws()
    store.stage(CREDENTIAL, secret("first"))
    store.promote(CREDENTIAL)
    name = f"datasurface/{ecosystem}/crm_reader"
    client.rotate_secret(SecretId=name, RotationRules={"AutomaticallyAfterDays": 30})
    with pytest.raises(SecretError, match="rotated by AWS itself"):
        store.stage(CREDENTIAL, secret("second"))


def test_writers_at_once_leave_a_whole_secret_that_one_of_them_wrote(aws: Open) -> None:
    store, problems = aws(), list[BaseException]()

    def write(writer: int) -> None:
        try:
            for number in range(3):
                value = f"{writer}-{number}"
                store.stage(CREDENTIAL, secret(value, value))
                store.promote(CREDENTIAL)
        except SecretError as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.lookup(CREDENTIAL)
    assert found is not None
    assert found.user == found.password
    assert problems == []


def test_no_secret_store_without_a_model() -> None:
    with pytest.raises(ConfigurationError, match="needs a model"):
        AwsStore.opened("aws", Surroundings(environ={}))
