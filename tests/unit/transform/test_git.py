"""Repositories at a release: tags and commits, never branches; logins that nobody else sees."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from datasurface import Credential, CredentialKind, GitHubRepository, GitLabRepository, LocalRepository
from datasurface.errors import ConfigurationError, TransientError
from datasurface.model.ownership import Repository
from datasurface.secrets.base import Secret
from datasurface.transform.git import Checkout, GitSource, address_of, checkout
from unit.transform.repositories import git, repository_of

TOKEN = "canary-token-7361"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two commits: the first is tagged, the second is where `main` stands."""
    folder = repository_of(tmp_path / "repository", {"code.py": "VERSION = 1\n"}, tag="v1")
    (folder / "code.py").write_text("VERSION = 2\n")
    git(folder, "commit", "--quiet", "--all", "-m", "second")
    return folder


def fetch(
    repository: Repository | str, release: str, cache: Path, credential: str | None = None, secret: Secret | None = None
) -> Checkout:
    login = Credential(credential, kind=CredentialKind.TOKEN) if credential else None
    source = GitSource(repository=repository, release=release, credential=login)
    return checkout(source, folder=cache.parent, cache=cache, secret=lambda _: secret or Secret())


def test_a_tag_and_a_commit_are_fetched_once_and_then_need_no_repository(repository: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = git(repository, "rev-parse", "HEAD~1")
    tagged = fetch(LocalRepository("repository"), "v1", cache)
    pinned = fetch("repository", first, cache)
    assert (tagged.commit, pinned.commit) == (first, first)
    assert (tagged.files / "code.py").read_text() == "VERSION = 1\n"
    assert not (tagged.files / ".git").exists()
    repository.rename(tmp_path / "elsewhere")
    assert fetch("repository", "v1", cache) == tagged
    with pytest.raises(ConfigurationError, match="cannot fetch"):
        fetch("repository", "v2", cache)


def test_a_branch_is_refused_and_so_is_what_is_not_there(repository: Path, tmp_path: Path) -> None:
    cases = {
        "main": "is a branch, which moves",
        "v9": "has no tag 'v9'",
        git(repository, "rev-parse", "--short", "HEAD"): "a commit is named by all its 40 digits",
        "0" * 40: "cannot fetch|rev-parse",
        "--upload-pack=touch x": "neither a tag nor a commit",
    }
    for release, message in cases.items():
        with pytest.raises(ConfigurationError, match=message):
            fetch("repository", release, tmp_path / "cache")
    with pytest.raises(ConfigurationError, match="not allowed"):
        fetch("ext::sh -c whoami ://", "v1", tmp_path / "cache")


def test_addresses() -> None:
    assert address_of(GitHubRepository("acme/code"), None) == "https://github.com/acme/code.git"
    assert address_of(GitLabRepository("https://git.acme.example/", "a/b"), None) == "https://git.acme.example/a/b.git"
    assert address_of("git@acme.example:a/b.git", None) == "git@acme.example:a/b.git"
    assert address_of("code", Path("/model")) == "/model/code"


def test_a_private_repository_is_read_with_a_token_that_nobody_sees(repository: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with served(repository, TOKEN) as (address, asked):
        with pytest.raises(ConfigurationError, match="give the code a credential"):
            fetch(address, "v1", cache)
        with watched() as seen:
            found = fetch(address, "v1", cache, "code_reader", Secret(token=TOKEN))
        assert any(asked), "the header was sent"
    assert (found.files / "code.py").exists()
    encoded = b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    assert any("fetch" in line for line in seen)
    assert not [line for line in seen if TOKEN in line or encoded in line]
    kept = b"".join(p.read_bytes() for p in cache.rglob("*") if p.is_file())
    assert TOKEN.encode() not in kept
    assert encoded.encode() not in kept


def test_a_token_does_not_travel_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="would not be kept secret on the way"):
        fetch("http://git.acme.example/code.git", "v1", tmp_path / "cache", "reader", Secret(token=TOKEN))


def test_an_address_with_a_password_is_refused_without_repeating_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds a password") as caught:
        fetch(f"https://me:{TOKEN}@git.acme.example/code.git", "v1", tmp_path / "cache")
    assert TOKEN not in str(caught.value)


def test_what_is_out_of_reach_may_pass(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="cannot fetch"):
        fetch("http://127.0.0.1:9/code.git", "v1", tmp_path / "cache")


@contextmanager
def served(repository: Path, token: str) -> Iterator[tuple[str, list[bool]]]:
    """Serve a repository by HTTP to whoever has the token, with git's own program for that."""
    asked: list[bool] = []
    wanted = "Basic " + b64encode(f"x-access-token:{token}".encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def answer(self, body: bytes) -> None:
            asked.append(self.headers.get("Authorization") == wanted)
            if not asked[-1]:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="code"')
                self.end_headers()
                return
            parts = urlsplit(self.path)
            variables = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(repository),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
            }
            done = subprocess.run(["git", "http-backend"], env=variables, input=body, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            self.send_response(200)
            for line in head.decode().splitlines():
                name, _, value = line.partition(": ")
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            del format, args

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/.git", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def watched() -> Iterator[set[str]]:
    """Collect the command lines of all processes meanwhile."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue
            time.sleep(0.002)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
