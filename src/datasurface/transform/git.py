"""Code in git repositories: fetched once at a tag or commit, without anything of it being run.

Credentials go to git by its environment, which no process list shows, for the repository's own host only. What is kept
is the files and the commit; nothing of the repository's own configuration stays.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from datasurface.errors import ConfigurationError, TransientError
from datasurface.model.infrastructure import Credential
from datasurface.model.ownership import GitHubRepository, GitLabRepository, LocalRepository, Repository
from datasurface.secrets.base import Secret
from datasurface.secrets.masking import masked, remember
from datasurface.transform.fetched import fetched

__all__ = ["Checkout", "GitSource", "address_of", "checkout", "remote_refs"]

_PASSED_ON = re.compile(
    r"(HOME|PATH|LANG|LC_ALL|USER|LOGNAME|SSH_AUTH_SOCK|(SSL|CURL)_\w+|GIT_SSL_\w+|\w+_proxy)\Z", re.IGNORECASE
)
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")
_RELEASE = re.compile(r"[^\s~^:?*\[\\\-][^\s~^:?*\[\\]*\Z")
_SECONDS = 600
_LAYOUT = 2
"""Rises when what is kept of a repository changes."""
_PASSING = re.compile(
    r"could not resolve|couldn't resolve|failed to connect|couldn't connect|timed out|connection (reset|refused|closed)"
    r"|early eof|hung up|returned error: 5\d\d|network is unreachable|temporary failure",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"authentication failed|could not read (username|password)|permission denied|error: 40[13]", re.IGNORECASE
)
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """A repository at a release, and how to get in.

    Attributes:
        repository: A repository of the model, or an address as git takes it, or a path.
        release: A tag, or all digits of a commit.
        credential: What logs in; None for what git itself is set up with.
    """

    repository: Repository | str
    release: str
    credential: Credential | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The files of a repository at one commit, and when it was made."""

    files: Path
    commit: str
    committed_at: datetime


def checkout(
    source: GitSource, *, folder: Path | None, cache: Path, secret: Callable[[Credential], Secret] | None
) -> Checkout:
    """Return the files of a repository; they are fetched once, and found without network from then on.

    Args:
        source: What to fetch.
        folder: The model folder, from which relative paths start.
        cache: The private folder that lasts.
        secret: Returns the secret of a credential.

    Raises:
        ConfigurationError: there is no such repository or release, it is a branch, or the login is refused.
        TransientError: the repository is out of reach now.
    """
    address = address_of(source.repository, folder)
    _require_no_password(address)
    _require_release(source.release)
    key = hashlib.sha256(f"{address}\0{source.release}\0{_LAYOUT}".encode()).hexdigest()

    def fetch(into: Path) -> None:
        commit, moment = _opened(source, address, secret).fetch(source.release, into / "files")
        (into / "commit").write_text(commit, encoding="ascii")
        (into / "committed_at").write_text(moment, encoding="ascii")

    found = fetched(cache, "repositories", key, fetch)
    moment = datetime.fromisoformat((found / "committed_at").read_text(encoding="ascii"))
    return Checkout(files=found / "files", commit=(found / "commit").read_text(encoding="ascii"), committed_at=moment)


def remote_refs(
    source: GitSource, patterns: Sequence[str], *, folder: Path | None, secret: Callable[[Credential], Secret] | None
) -> dict[str, str]:
    """Return the refs of a repository that match one of git's patterns, and the commit of each: one cheap request.

    Args:
        source: The repository; its release is not looked at.
        patterns: Such as `refs/tags/*`.
        folder: The folder from which relative paths start.
        secret: Returns the secret of a credential.

    Raises:
        ConfigurationError: there is no such repository, or the login is refused.
        TransientError: the repository is out of reach now.
    """
    address = address_of(source.repository, folder)
    _require_no_password(address)
    return _opened(source, address, secret).refs(patterns)


def _opened(source: GitSource, address: str, secret: Callable[[Credential], Secret] | None) -> _Git:
    login = secret(source.credential) if source.credential is not None and secret is not None else None
    return _Git(address, _environment(address, source.repository, login))


def address_of(repository: Repository | str, folder: Path | None) -> str:
    """Return the address of a repository as git takes it; paths are absolute."""
    match repository:
        case GitHubRepository():
            return f"https://github.com/{repository.name}.git"
        case GitLabRepository():
            return f"{repository.url.rstrip('/')}/{repository.name}.git"
        case LocalRepository():
            return str((folder or Path()).absolute() / repository.path)
        case str() if "://" in repository or re.match(r"[\w.-]+@[\w.-]+:", repository):
            return repository
    return str((folder or Path()).absolute() / str(repository))


class _Git:
    """The program, for one repository."""

    def __init__(self, address: str, environment: Mapping[str, str]) -> None:
        program = shutil.which("git")
        if program is None:
            raise ConfigurationError(f"fetching {address} needs git, which is not installed", hint="install git")
        self._program = program
        self._address = address
        self._environment = environment

    def fetch(self, release: str, files: Path) -> tuple[str, str]:
        """Write the files of a release; return its commit, and when that was made as ISO text."""
        wanted = release if _COMMIT.match(release) else self._tag(release)
        self._run("init", "--quiet", str(files))
        inside = ("-C", str(files))
        try:
            self._run(*inside, "fetch", "--quiet", "--no-tags", "--depth=1", "--", self._address, wanted)
        except ConfigurationError:
            if wanted != release:
                raise
            every = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            self._run(*inside, "fetch", "--quiet", "--no-tags", "--update-head-ok", "--", self._address, *every)
        target = "FETCH_HEAD" if wanted != release else release
        commit = self._run(*inside, "rev-parse", "--verify", "--quiet", f"{target}^{{commit}}").strip()
        self._run(*inside, "checkout", "--quiet", "--force", "--detach", commit)
        moment = self._run(*inside, "show", "--no-patch", "--format=%cI", commit).strip()
        shutil.rmtree(files / ".git")
        return commit, moment

    def refs(self, patterns: Sequence[str]) -> dict[str, str]:
        """Return refs and the commits that they are of; an annotated tag is of the commit that it names."""
        listed = self._run("ls-remote", "--", self._address, *patterns, *(f"{pattern}^{{}}" for pattern in patterns))
        found = [line.partition("\t")[::2] for line in listed.splitlines()]
        named = {name: commit for commit, name in found if not name.endswith("^{}")}
        return named | {name.removesuffix("^{}"): commit for commit, name in found if name.endswith("^{}")}

    def _tag(self, release: str) -> str:
        """Return the full name of a tag.

        Raises:
            ConfigurationError: it is a branch, or there is none of that name.
        """
        tag, branch = f"refs/tags/{release}", f"refs/heads/{release}"
        listed = self._run("ls-remote", "--", self._address, tag, branch)
        names = {line.partition("\t")[2] for line in listed.splitlines()}
        if tag in names:
            return tag
        if branch in names:
            raise ConfigurationError(
                f"release={release!r} of {self._address} is a branch, which moves",
                hint="name a tag, or all digits of a commit: then every run is of the same code",
            )
        raise ConfigurationError(
            f"{self._address} has no tag {release!r}", hint="a commit is named by all its 40 digits"
        )

    def _run(self, *arguments: str) -> str:
        """Run git and return what it prints.

        Raises:
            ConfigurationError: it refuses.
            TransientError: the repository is out of reach, or it takes too long.
        """
        try:
            done = subprocess.run(  # noqa: S603 - arguments are checked, and stand behind `--`
                [self._program, *arguments],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TransientError(f"{self._address} did not answer for {_SECONDS} seconds") from None
        if done.returncode == 0:
            return done.stdout
        said = masked(" ".join(done.stderr.split()))
        message = f"cannot fetch {self._address}: {said or f'git ended with exit code {done.returncode}'}"
        if _PASSING.search(said):
            raise TransientError(message)
        hint = "give the code a credential= with a token that may read it" if _REFUSED.search(said) else ""
        raise ConfigurationError(message, hint=hint)


def _require_no_password(address: str) -> None:
    """Refuse an address that holds a secret: process lists show it, and so would this message."""
    if "://" in address and urlsplit(address).password is not None:
        raise ConfigurationError(
            f"the address of a repository at {urlsplit(address).hostname} holds a password",
            hint="leave it away, and give the code a credential=",
        )


def _require_release(release: str) -> None:
    if not _RELEASE.match(release):
        raise ConfigurationError(f"release={release!r} is neither a tag nor a commit")


def _environment(address: str, repository: Repository | str, login: Secret | None) -> dict[str, str]:
    """Return git's variables: nothing of the platform's own secrets, no questions, and the login for this host."""
    found = {name: value for name, value in os.environ.items() if _PASSED_ON.match(name)}
    found |= {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C.UTF-8",
    }
    return found if login is None else {**found, **_header(address, repository, login)}


def _header(address: str, repository: Repository | str, login: Secret) -> dict[str, str]:
    """Return the variables that have git log in by HTTP.

    Raises:
        ConfigurationError: the secret would travel in the clear, or not at all.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS):
        raise ConfigurationError(
            f"a credential for {address} would not be kept secret on the way", hint="use an https address"
        )
    user = login.user or ("oauth2" if isinstance(repository, GitLabRepository) else "x-access-token")
    given = f"{user}:{login.token or login.password or ''}"
    value = base64.b64encode(given.encode()).decode()
    remember((value,))
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {value}",
    }
