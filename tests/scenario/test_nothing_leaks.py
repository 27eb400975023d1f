"""Secrets of every kind, in a whole run and in failing ones: none is anywhere but where secrets are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from command_line import Project, project
from sampling import Sampler, found_in

pytestmark = pytest.mark.slow

SOURCE, WRONG, DECLARED = "canary-source-4f7a", "canary-wrong-9b1c", "canary-declared-2e8d"

MODEL = """
from datasurface import *

SHOP = PostgresDatabase("shop_db", host="{host}", port={port}, database="shop", credential="shop")
TOTALS = Dataset("totals", columns=[Column("name", String(40), key=True), Column("amount", BigInt)],
                 checks=[InRange("amount", at_least=0)])
ecosystem = Ecosystem(
    "acme",
    owner=GitHubRepository("acme/model"),
    platforms=[YellowPlatform("yellow")],
    zones=[GovernanceZone("usa", teams=[Team("sales",
        datastores=[Datastore("crm", capture=Snapshot(SHOP, every="1 hour"), datasets=[Dataset("orders", columns=[
            Column("id", BigInt, key=True), Column("name", String(40))])])],
        workspaces=[
            Workspace("adding", groups=[DatasetGroup("in", sinks=["crm.orders"])], transformer=DataTransformer(
                "add", code=PythonModule("adding:run"), output=Datastore("sums", datasets=[TOTALS]),
                secrets={{"api": Credential("payments", kind=CredentialKind.TOKEN)}})),
            Workspace("reports", groups=[DatasetGroup("all", sinks=["crm.orders", "sums.totals"],
                                                      history=History.FULL)])])])],
)
"""
GOOD = """
import base64, os, sys, time
from pathlib import Path

def shown_of_the_platform():
    warden = Path(f"/proc/{os.getppid()}/stat").read_text()
    try:
        return Path(f"/proc/{warden.rpartition(')')[2].split()[1]}/environ").read_bytes()
    except PermissionError:
        return b"only root may look into it"

def run(context):
    shown = shown_of_the_platform()
    print("of the platform it sees", len(shown), "bytes, secrets among them:", b"canary" in shown)
    token = context.secrets["api"].token
    assert token == os.environ["DATASURFACE_SECRET_API_TOKEN"]
    print("printed:", token, repr(token), base64.b64encode(token.encode()).decode())
    print(dict(os.environ))
    print("to standard error:", token, file=sys.stderr, flush=True)
    context.log.warning("logged: %s", token)
    time.sleep(0.5)
    context.output("totals").write([("all", 1)])
"""
FAILING = {
    "an exception with the secret in its message": (
        'def run(context):\n    raise ValueError("no: " + context.secrets["api"].token)\n'
    ),
    "an exception within another, and more text": (
        "def run(context):\n    try:\n        int(context.secrets['api'].token)\n"
        "    except ValueError as error:\n        raise RuntimeError(f'x{context.secrets}') from error\n"
    ),
    "a crash right after printing it": (
        "import os\ndef run(context):\n    os.write(2, context.secrets['api'].token.encode()); os.abort()\n"
    ),
    "a check that fails": "def run(context):\n    context.output('totals').write([('all', -1)])\n",
}


@pytest.fixture(scope="module")
def made() -> Iterator[Project]:
    with project() as found:
        prepare(found)
        yield found


def prepare(made: Project) -> None:
    """Make the source with its login, and let the server log and count every statement from then on."""
    made.run("local", "start")
    made.query("CREATE DATABASE shop")
    made.query(f"CREATE ROLE shop_reader LOGIN PASSWORD '{SOURCE}'")
    made.query("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40))", "shop")
    made.query("INSERT INTO orders VALUES (1, 'ann'), (2, 'bob')", "shop")
    made.query("GRANT SELECT ON orders TO shop_reader", "shop")
    made.query("ALTER SYSTEM SET log_statement = 'all'")
    made.query("ALTER SYSTEM SET log_min_error_statement = 'error'")
    made.query("ALTER SYSTEM SET log_error_verbosity = 'verbose'")
    made.query("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    made.run("local", "stop")
    made.run("local", "start")
    made.query("CREATE EXTENSION pg_stat_statements")
    parts = urlsplit(made.uri())
    (made.folder / "eco.py").write_text(MODEL.format(host=parts.hostname, port=parts.port))
    made.environ |= {
        "DATASURFACE_SHOP_USER": "shop_reader",
        "DATASURFACE_SHOP_PASSWORD": SOURCE,
        "DATASURFACE_PAYMENTS_TOKEN": DECLARED,
        "LOGIN_URL": f"postgresql://me:{WRONG}@nowhere/db",
    }


def is_kept(path: Path) -> bool:
    """Tell whether secrets are kept in a file: the server's own password, and those of the logins that it has."""
    return ".datasurface/local/password" in str(path) or ".datasurface/local/logins/" in str(path)


def kept(made: Project) -> list[str]:
    """Return every secret there is by now."""
    found = {SOURCE, WRONG, DECLARED}
    server = made.folder / ".datasurface/local"
    for path in (server / "password", *(server / "logins").rglob("password")):
        with suppress(FileNotFoundError):  # a former secret is removed now and then
            found.add(path.read_text().strip())
    return sorted(found)


class Talk:
    """The commands that are run, and all that they say."""

    def __init__(self, made: Project) -> None:
        self._made = made
        self.said = ""

    def run(self, *arguments: str, code: int = 0, **environ: str) -> str:
        done = self._made.run(*arguments, code=code, **environ)
        self.said += done.stdout + done.stderr
        return done.stdout + done.stderr

    def code(self, text: str) -> None:
        """Give the transformer other code, which makes it run again."""
        (self._made.folder / "adding.py").write_text(text)


def live(made: Project, talk: Talk) -> None:
    """Do what people do on good and bad days."""
    talk.code(GOOD)
    talk.run("check")
    talk.run("plan", "--json", code=1)
    talk.run("apply", "--yes")
    talk.run("run", "--once", code=1, DATASURFACE_SHOP_PASSWORD=WRONG)
    assert "password authentication failed" in talk.said
    talk.run("run", "--once", code=1, DATASURFACE_SHOP_PASSWORD=f"{WRONG} \n")
    assert "printed: ***" in talk.run("run", "--once")
    for text in FAILING.values():
        talk.code(text)
        talk.run("run", "--once", "--stream", "sums", code=1)
    talk.run("security", "rotate")
    talk.code(GOOD + "# mended\n")
    talk.run("run", "--once", "--stream", "sums")
    (made.folder / "eco.py").write_text(
        (made.folder / "eco.py").read_text().replace('Column("name", String(40))', 'Column("name", String(50))')
    )
    talk.run("plan", "--json", code=1)


def ask(talk: Talk) -> None:
    """Ask everything that can be asked."""
    for arguments in (["status"], ["history", "sums"], ["explain", "sums"], ["show"], ["doctor"], ["security", "plan"]):
        talk.run(*arguments, "--json")
    talk.run("security", "drift")
    talk.run("audit", "crm")
    talk.run("build", "-o", "release.db")
    talk.run("run", "--once", "--stream", "nobody", code=2)


def rows_of_everything(uri: str) -> Iterator[tuple[str, str]]:
    """Yield every row of every table and view that is not PostgreSQL's own, as text, and the counted statements."""
    with psycopg.connect(uri, autocommit=True) as connection:
        relations = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname !~ '^(pg_catalog|information_schema|pg_toast)'"
        ).fetchall()
        for schema, name in relations:
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, name))
            yield from ((f"{schema}.{name}", row) for (row,) in connection.execute(query))


def test_no_secret_is_anywhere_but_where_secrets_are_kept(made: Project):
    talk = Talk(made)
    with Sampler(lambda: kept(made), made.uri()) as sampler:
        live(made, talk)
    ask(talk)
    talk.run("connect", "adding")  # which makes a reader's password, and prints it: the one that is meant to be seen
    canaries = kept(made)
    assert len(canaries) >= 8, (
        "three of this test, the server's, of the transformer's, the run's and the monitor's logins"
    )

    assert sampler.leaks == set()
    assert sampler.processes > 50
    assert sampler.statements > 50
    assert sampler.given, "it was looked often enough to see the secrets that this test gives"
    assert sampler.handed >= sampler.given, "each run started itself again without secrets"
    assert "printed: ***" in talk.said
    assert "bytes, secrets among them: False" in talk.said
    assert "secrets among them: True" not in talk.said
    uri = talk.said.splitlines()[-1]
    assert found_in(uri.encode(), canaries)
    assert found_in(talk.said.replace(uri, "").encode(), canaries) == []

    files = [path for path in made.folder.rglob("*") if path.is_file() and not is_kept(path)]
    assert any(path.match("local/log/*.log") for path in files)
    assert any(path.match("logs/yellow/sums/*.log") for path in files)
    assert {path: found for path in files if (found := found_in(path.read_bytes(), canaries))} == {}
    rows = 0
    for relation, row in rows_of_everything(made.uri()):
        rows += 1
        assert found_in((row or "").encode(), canaries) == [], relation
    assert rows > 200


def test_a_failing_run_says_what_failed_and_where(made: Project):
    """What is masked is still of use: the reason, the file, the line, and where the output is."""
    batches = made.json("history", "sums")["batches"]
    assert "printed: ***" in Path(batches[0]["log"]).read_text()
    assert batches[0]["log"] in made.run("explain", "sums").stdout.replace("\n", "")
    errors = [batch["error"] for batch in batches if batch["error"]]
    assert any("ValueError: no: *** at " in error and "adding.py:2" in error for error in errors)
    assert any("RuntimeError: x" in error for error in errors)
    assert any("signal 6 (SIGABRT)" in error and "its last words: ***" in error for error in errors)
