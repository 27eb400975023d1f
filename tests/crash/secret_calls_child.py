"""Kills itself with signal 9 before and after every request of every step of a remote store, and checks what is left.

Usage: secret_calls_child.py STORE URL, with the variables of the process as the store needs them. Prints how many times
it was killed.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
from collections.abc import Callable

from datasurface import AwsSecrets, AzureKeyVault, Credential, KubernetesSecrets
from datasurface.model.secret_stores import StoreChoice
from datasurface.secrets.base import Secret, Surroundings, WritableStore
from datasurface.secrets.resolve import open_store

OLD, STAGED, NEW = [Secret(user="ada", password=password) for password in ("pw-old", "pw-staged", "pw-new")]
State = tuple[Secret | None, Secret | None]


def opened(kind: str, url: str) -> WritableStore:
    choices: dict[str, StoreChoice] = {
        "aws": AwsSecrets(region="eu-west-1"),
        "azure": AzureKeyVault(url),
        "kubernetes": KubernetesSecrets(namespace="data"),
    }
    store = open_store(choices[kind], Surroundings(environ=os.environ, ecosystem="acme"))
    assert isinstance(store, WritableStore)
    return store


def die_at(number: int) -> None:
    """Die at the `number`-th moment: odd ones are just before a request is sent, even ones just after its answer."""
    left, send, answer = [number], http.client.HTTPConnection.endheaders, http.client.HTTPResponse.begin

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted_send(*args: object, **kwargs: object) -> None:
        count()
        send(*args, **kwargs)  # type: ignore[arg-type]

    def counted_answer(response: http.client.HTTPResponse) -> None:
        answer(response)
        count()

    http.client.HTTPConnection.endheaders = counted_send  # type: ignore[method-assign]
    http.client.HTTPResponse.begin = counted_answer  # type: ignore[method-assign]


def killed(store: WritableStore, step: Callable[[WritableStore], None], number: int) -> bool:
    """Do a step in a child that dies at that moment; `store` is one that nobody has used, and so has no connection."""
    child = os.fork()
    if child == 0:
        die_at(number)
        step(store)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and status:
        raise AssertionError(f"the child ended with {status}")
    return os.WIFSIGNALED(status)


def sweep(kind: str, url: str, name: str, before: State, allowed: set[State], after: State) -> int:
    """Kill one step at every moment; the step done again must end as if it had never been killed."""
    store, unused = opened(kind, url), opened(kind, url)
    for number in range(1, 200):
        credential = Credential(f"{name}-{number}")
        prepare(store, credential, before)
        step = {
            "first": lambda store, c=credential: store.stage(c, NEW),
            "stage": lambda store, c=credential: store.stage(c, NEW),
            "promote": lambda store, c=credential: store.promote(c),
            "remove": lambda store, c=credential: store.remove(c),
        }[name]
        died = killed(unused, step, number)
        left = (store.lookup(credential), store.pending(credential))
        if left not in allowed:
            raise AssertionError(f"{name} killed at {number} left {[s and s.password for s in left]}")
        step(store)
        if (store.lookup(credential), store.pending(credential)) != after:
            raise AssertionError(f"{name} killed at {number} and done again did not end as it should")
        if not died:
            return number - 1
    raise AssertionError(f"{name} never ended")


def prepare(store: WritableStore, credential: Credential, wanted: State) -> None:
    current, pending = wanted
    if current is not None:
        store.stage(credential, current)
        store.promote(credential)
    if pending is not None:
        store.stage(credential, pending)


if __name__ == "__main__":
    which, where = sys.argv[1:]
    deaths = sweep(which, where, "first", (None, None), {(None, None), (None, NEW)}, (None, NEW))
    deaths += sweep(which, where, "stage", (OLD, STAGED), {(OLD, STAGED), (OLD, NEW)}, (OLD, NEW))
    deaths += sweep(which, where, "promote", (OLD, STAGED), {(OLD, STAGED), (STAGED, None)}, (STAGED, None))
    deaths += sweep(which, where, "remove", (OLD, STAGED), {(OLD, STAGED), (OLD, None), (None, None)}, (None, None))
    print(deaths)  # noqa: T201 - what the test reads
