"""The store `kubernetes` with the real client library, against a small server that speaks the API's contract."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from datasurface import Credential, CredentialKind, KubernetesSecrets
from datasurface.errors import ConfigurationError, SecretError, TransientError
from datasurface.secrets import kubernetes_client
from datasurface.secrets.base import Secret, Surroundings, WritableStore
from datasurface.secrets.kubernetes import KubernetesStore
from kubernetes_api import TOKEN, Api, api_server, kubeconfig

CREDENTIAL = Credential("crm_reader")
NAME = "datasurface.acme.crm-reader-{}"
CANARY = "c4n4ry-\"'\\\n\t{}$ü🙂"
Show = Callable[[BaseException], str]
Open = Callable[..., KubernetesStore]


def secret(password: str, user: str = "ada") -> Secret:
    return Secret(user=user, password=password)


@pytest.fixture
def api() -> Iterator[Api]:
    with api_server() as running:
        yield running


@pytest.fixture
def opened(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the store of the namespace `data`, as the kubeconfig says."""
    monkeypatch.setattr(kubernetes_client, "_PAUSES", (0.0, 0.0))
    file = kubeconfig(tmp_path / "kubeconfig", api.url)

    def open_it(choice: KubernetesSecrets | str = "kubernetes", environment: str | None = None) -> KubernetesStore:
        where = Surroundings(environ={"KUBECONFIG": str(file)}, ecosystem="acme", environment=environment)
        return KubernetesStore.opened(choice, where)

    return open_it


def test_a_staged_secret_is_pending_until_it_is_promoted(opened: Open) -> None:
    store = opened()
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
    store.remove(CREDENTIAL)
    store.remove(CREDENTIAL)
    assert (store.lookup(CREDENTIAL), store.pending(CREDENTIAL)) == (None, None)


def test_what_it_makes_has_the_keys_that_a_pod_mounts_and_says_whose_it_is(opened: Open, api: Api) -> None:
    store = opened(environment="prod")
    for value in ("first", "second"):
        store.stage(CREDENTIAL, secret(value))
        store.promote(CREDENTIAL)
    ((namespace, name),) = api.secrets
    assert (namespace, name[:33]) == ("data", "datasurface.acme.prod.crm-reader-")
    assert api.texts(namespace, name) == {
        "user": "ada", "password": "second", "previous.user": "ada", "previous.password": "first",
    }  # fmt: skip
    metadata = api.secrets[namespace, name]["metadata"]
    assert metadata["labels"] == {"app.kubernetes.io/managed-by": "datasurface"}
    assert metadata["annotations"] == {
        "datasurface/ecosystem": "acme", "datasurface/environment": "prod", "datasurface/credential": "crm_reader",
    }  # fmt: skip


@pytest.mark.parametrize("value", [CANARY, "", " spaces ", "\x00", "end\n"])
def test_any_text_comes_back_as_it_was(opened: Open, value: str) -> None:
    store = opened()
    store.stage(CREDENTIAL, secret(value))
    store.promote(CREDENTIAL)
    assert store.lookup(CREDENTIAL) == secret(value)


def test_what_is_not_ours_is_changed_only_when_told_and_keeps_all_else(opened: Open, api: Api) -> None:
    name = opened().name(CREDENTIAL)
    owner = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "u"}]
    metadata = {"name": name, "ownerReferences": owner}
    api.put("data", name, {"username": "old", "password": "p-w", "ca.crt": "kept"}, metadata=metadata)
    assert opened().lookup(CREDENTIAL) == secret("p-w", "old")
    for change in (lambda: opened().stage(CREDENTIAL, secret("new")), lambda: opened().remove(CREDENTIAL)):
        with pytest.raises(SecretError, match="not made by DataSurface") as caught:
            change()
        assert "adopt=True" in caught.value.hint
    told = opened(KubernetesSecrets(adopt=True))
    told.stage(CREDENTIAL, secret("new-pw"))
    told.promote(CREDENTIAL)
    assert told.lookup(CREDENTIAL) == secret("new-pw")
    assert api.texts("data", name)["ca.crt"] == "kept"
    assert api.secrets["data", name]["metadata"]["ownerReferences"] == owner


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"password": CANARY}, "no key user of Secret datasurface.acme.crm-reader"),
        ({"user": "ada"}, "no key password of Secret"),
        ({"user": "ada", "password": b"c4n4ry\xff"}, "no text in UTF-8"),
    ],
)
def test_a_secret_that_cannot_be_used_is_an_error_without_what_it_holds(
    opened: Open, api: Api, shown: Show, data: dict[str, str | bytes], problem: str
) -> None:
    api.put("data", opened().name(CREDENTIAL), data)
    with pytest.raises(SecretError, match=problem) as caught:
        opened().lookup(CREDENTIAL)
    assert "c4n4ry" not in shown(caught.value)
    assert "YzRuNHJ5" not in shown(caught.value)


@pytest.mark.parametrize(
    ("verb", "action"),
    [
        ("get", lambda store: store.lookup(CREDENTIAL)),
        ("create", lambda store: store.stage(CREDENTIAL, secret(CANARY))),
        ("patch", lambda store: store.stage(Credential("there"), secret(CANARY))),
        ("delete", lambda store: store.remove(Credential("there"))),
    ],
)
def test_a_refusal_names_the_permission_and_shows_no_secret(
    opened: Open, api: Api, shown: Show, verb: str, action: Callable[[KubernetesStore], object]
) -> None:
    store = opened()
    store.stage(Credential("there"), secret("x"))
    api.forbidden.add(verb)
    with pytest.raises(SecretError) as caught:
        action(store)
    assert f"a Role must allow {verb} on secrets in namespace data" in caught.value.hint
    assert "c4n4ry" not in shown(caught.value)
    assert "YzRuNHJ5" not in shown(caught.value)


def test_an_immutable_secret_is_an_error(opened: Open, api: Api) -> None:
    name = opened().name(CREDENTIAL)
    api.put("data", name, {"user": "u", "password": "p"}, immutable=True)
    with pytest.raises(SecretError, match="immutable"):
        opened(KubernetesSecrets(adopt=True)).stage(CREDENTIAL, secret("new"))


def test_a_busy_server_is_asked_again_and_at_last_the_fault_is_one_that_may_pass(opened: Open, api: Api) -> None:
    store = opened()
    api.busy = 2
    assert store.lookup(CREDENTIAL) is None
    api.busy = 100
    with pytest.raises(TransientError, match="429"):
        store.lookup(CREDENTIAL)


def test_a_server_out_of_reach_is_a_fault_that_may_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_client, "_PAUSES", (0.0,))
    file = kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:1")
    store = KubernetesStore.opened("kubernetes", Surroundings(environ={"KUBECONFIG": str(file)}, ecosystem="acme"))
    with pytest.raises(TransientError, match="cannot be reached"):
        store.lookup(CREDENTIAL)


def test_a_wrong_login_to_the_cluster_is_told(api: Api, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "kubeconfig", api.url, token="expired")
    store = KubernetesStore.opened("kubernetes", Surroundings(environ={"KUBECONFIG": str(file)}, ecosystem="acme"))
    with pytest.raises(SecretError, match="401") as caught:
        store.lookup(CREDENTIAL)
    assert "not valid" in caught.value.hint


def test_without_a_cluster_the_error_says_how_one_is_found(tmp_path: Path) -> None:
    environ = {"KUBECONFIG": str(tmp_path / "absent")}
    with pytest.raises(ConfigurationError, match="knows no cluster") as caught:
        KubernetesStore.opened("kubernetes", Surroundings(environ=environ, ecosystem="acme"))
    assert "KUBECONFIG" in caught.value.hint


def test_in_a_pod_it_is_the_pods_own_account_and_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "ca.crt", tmp_path / "ca.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    for name, text in (("token", TOKEN), ("namespace", "pods-own\n")):
        (tmp_path / name).write_text(text)
    loader = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{loader}.SERVICE_CERT_FILENAME", str(certificate))
    monkeypatch.setattr(kubernetes_client, "POD_NAMESPACE", tmp_path / "namespace")
    with api_server(certificate, key) as api:
        port = str(urlsplit(api.url).port)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}
        store = KubernetesStore.opened("kubernetes", Surroundings(environ=environ, ecosystem="acme"))
        store.stage(CREDENTIAL, secret("first"))
        store.promote(CREDENTIAL)
        assert {namespace for namespace, _ in api.secrets} == {"pods-own"}
        assert store.lookup(CREDENTIAL) == secret("first")


def test_nothing_is_logged_of_what_is_sent_and_received(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        store = opened()
        store.stage(CREDENTIAL, secret(CANARY))
        store.promote(CREDENTIAL)
        store.lookup(CREDENTIAL)
    assert "c4n4ry" not in caplog.text
    assert "YzRuNHJ5" not in caplog.text


def test_writers_at_once_leave_a_whole_secret_and_readers_never_see_half(opened: Open) -> None:
    store, problems = opened(), list[object]()
    store.stage(CREDENTIAL, secret("begin", "begin"))
    store.promote(CREDENTIAL)

    def write(writer: int) -> None:
        try:
            for number in range(5):
                value = f"{writer}-{number}"
                store.stage(CREDENTIAL, secret(value, value))
                store.promote(CREDENTIAL)
                found = store.lookup(CREDENTIAL)
                if found is None or found.user != found.password:
                    problems.append(found)
        except SecretError as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_credential_of_another_kind_has_its_own_keys(opened: Open) -> None:
    store, credential = opened(), Credential("k", kind=CredentialKind.KEY_PAIR)
    store.stage(credential, Secret(user="ada", private_key="-----\nkey\n"))
    store.promote(credential)
    assert store.lookup(credential) == Secret(user="ada", private_key="-----\nkey\n")
