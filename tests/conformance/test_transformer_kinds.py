"""Kinds of code on a real server: repositories and packages in environments of their own."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.engine_shop import Shop, shop_on
from conformance.test_transformers import adding, deriving, totals
from datasurface import Credential, CredentialKind, LocalRepository, PythonPackage, PythonRepository
from datasurface.engine.batch import Outcome
from unit.transform.repositories import git, repository_of
from unit.transform.test_git import TOKEN, served

CODE = """
from importlib.metadata import version

def run(context):
    rows = context.input("shop.orders").rows()
    context.output("totals").write((version("iniconfig"), {what}) for _id, _customer, _amount in list(rows)[:1])
"""


@pytest.fixture
def shop(two_databases: tuple[str, str], tmp_path: Path) -> Iterator[Shop]:
    with shop_on(two_databases, tmp_path) as opened:
        opened.do(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20), amount bigint)",
            "INSERT INTO orders VALUES (1, 'ann', 10), (2, 'bob', 5), (3, 'ann', 7)",
        )
        yield opened


def test_a_repository_runs_at_its_release_with_packages_of_its_own(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's package wins over the platform's, which has another version of it."""
    files = {"src/adder/__init__.py": CODE.format(what="1"), "requirements.txt": "iniconfig==2.0.0\n"}
    repository = repository_of(shop.folder / "code", files, tag="v1")
    code = PythonRepository(LocalRepository("code"), release="v1", entry="adder:run")
    shop.open(deriving(shop, adding(code)))
    shop.merged()
    assert shop.merged("sums") == (1, 0, 0)
    assert totals(shop) == [("2.0.0", 1)]
    repository.rename(shop.folder / "gone")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    shop.do("UPDATE orders SET amount = 9 WHERE id = 1")
    shop.merged()
    assert shop.merged("sums") == (0, 0, 0), "nothing is fetched again"
    (shop.folder / "gone").rename(repository)
    (repository / "src" / "adder" / "__init__.py").write_text(CODE.format(what="2"))
    (repository / "requirements.txt").write_text("no-such-package-anywhere==1\n")
    git(repository, "commit", "--quiet", "--all", "-m", "second")
    git(repository, "branch", "topic")
    for release, said in {"topic": "is a branch, which moves", "v2": "has no tag 'v2'"}.items():
        shop.bench.apply(deriving(shop, adding(dataclasses.replace(code, release=release))))
        result = shop.run("sums")
        assert result.outcome is Outcome.FAILED
        assert said in result.error
    head = git(repository, "rev-parse", "HEAD")
    shop.bench.apply(deriving(shop, adding(dataclasses.replace(code, release=head))))
    result = shop.run("sums")
    assert result.outcome is Outcome.FAILED
    assert "what the code needs cannot be installed" in result.error
    assert totals(shop) == [("2.0.0", 1)], "what was there stays"


def test_a_private_repository_is_read_with_a_declared_credential(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    repository = repository_of(shop.folder / "code", {"adder.py": CODE.format(what="1")}, tag="v1")
    credential = Credential("code_reader", kind=CredentialKind.TOKEN)
    with served(repository, TOKEN) as (address, _):
        code = PythonRepository(address, release="v1", entry="adder:run", credential=credential)
        shop.open(deriving(shop, adding(code)))
        shop.merged()
        result = shop.run("sums")
        assert result.outcome is Outcome.FAILED
        assert "DATASURFACE_CODE_READER_TOKEN" in result.error, "the error says where it is looked for"
        monkeypatch.setitem(dict_of(shop), "DATASURFACE_CODE_READER_TOKEN", "another-token")
        result = shop.run("sums")
        assert "cannot fetch" in result.error
        assert "another-token" not in result.error
        monkeypatch.setitem(dict_of(shop), "DATASURFACE_CODE_READER_TOKEN", TOKEN)
        assert shop.merged("sums") == (1, 0, 0)
    assert TOKEN not in caplog.text
    kept = b"".join(p.read_bytes() for p in (shop.folder / ".datasurface").rglob("*") if p.is_file())
    assert TOKEN.encode() not in kept


def dict_of(shop: Shop) -> dict[str, str]:
    """Return the variables in which the platform looks for secrets."""
    found = shop.bench.running.logins.environ
    assert isinstance(found, dict)
    return found


def test_a_package_runs_at_its_version(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = shop.folder / "wheels"
    for version in ("1.2", "1.3"):
        wheel(wheels, "acme_adder", version, CODE.format(what=version[-1]).replace('version("iniconfig")', '"all"'))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    code = PythonPackage("acme-adder==1.2", entry="acme_adder:run")
    shop.open(deriving(shop, adding(code)))
    shop.merged()
    assert shop.merged("sums") == (1, 0, 0)
    assert totals(shop) == [("all", 2)]
    shop.bench.apply(deriving(shop, adding(dataclasses.replace(code, requirement="acme-adder==1.3"))))
    assert shop.merged("sums") == (0, 1, 0)
    assert totals(shop) == [("all", 3)]


def wheel(folder: Path, name: str, version: str, content: str) -> None:
    """Write the smallest wheel there can be."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", content)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
