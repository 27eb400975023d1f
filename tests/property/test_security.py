"""Whatever a model says and whatever somebody does to roles and grants: after `sync` access is as the model says."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from datasurface.names import output_schema
from datasurface.release.bind import replaced
from datasurface.release.job import PlatformSpec, ReaderSpec
from security_bench import LIMIT, SecurityBench, security_bench, spec_of, transformer_job
from servers import Server

WORKSPACES = ("w1", "w2")
PEOPLE = ("anna", "bob", "team")
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "ALL")
ATTRIBUTES = (
    "SUPERUSER",
    "CREATEDB",
    "CREATEROLE",
    "REPLICATION",
    "BYPASSRLS",
    "LOGIN",
    "NOLOGIN",
    "NOINHERIT",
    "CONNECTION LIMIT 0",
    "VALID UNTIL '2001-01-01'",
    "SET search_path = public",
    "SET session_replication_role = replica",
    "IN DATABASE postgres SET work_mem = '1MB'",
)


@pytest.fixture(scope="module")
def bench(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecurityBench]:
    spec = spec_of(workspaces=WORKSPACES, transformers=WORKSPACES)
    folder = tmp_path_factory.mktemp("secrets") / "s"
    with server.database() as url, security_bench(url, folder, spec) as made:
        made.build()
        for name in PEOPLE:
            person = f"{name}_{spec.ecosystem}"
            made.made.append(person)
            made.sql(f'CREATE ROLE "{person}" {"NOLOGIN" if name == "team" else "LOGIN"}')
        yield made


@st.composite
def models(draw: st.DrawFn, whole: PlatformSpec) -> PlatformSpec:
    """Return a platform that has some of the workspaces, transformers and readers."""
    workspaces = draw(st.sets(st.sampled_from(WORKSPACES), min_size=1))
    transformers = draw(st.sets(st.sampled_from(sorted(workspaces))))
    readers = []
    for workspace in sorted(workspaces):
        for name in sorted(draw(st.sets(st.sampled_from((*PEOPLE, "carl"))))):
            made = name == "carl"
            hides = draw(st.booleans())
            readers.append(
                ReaderSpec(
                    name if made else f"{name}_{whole.ecosystem}",
                    workspace=workspace,
                    login=made,
                    group=name == "team",
                    cleared="INTERNAL" if hides else None,
                    hidden=["crm.people.salary"] if hides else (),
                )
            )
    return replaced(
        whole,
        views=[view for view in whole.views if view.workspace in workspaces],
        jobs=[transformer_job(name, "yellow") for name in sorted(transformers)],
        readers=readers,
    )


@st.composite
def tampering(draw: st.DrawFn, bench: SecurityBench) -> list[str]:
    """Return what somebody with all power does to the platform's access."""
    names = bench.names
    groups = [
        names.owner,
        names.run,
        names.monitor,
        *(names.transformer(w) for w in WORKSPACES),
        *(names.reader(w, "all") for w in WORKSPACES),
        names.reader("w1", "all", "INTERNAL"),
    ]
    logins = [f"{role}.{half}" for role in (names.run, names.transformer("w1"), names.person("carl")) for half in "ab"]
    ours = st.sampled_from([*groups, *logins])
    strangers = st.sampled_from([f"{name}_{bench.spec.ecosystem}" for name in PEOPLE])
    anybody = st.one_of(ours, strangers)
    tables = [f'"{bench.schema}"."crm.people"', f'"{bench.schema}".ledger', f'"{bench.schema}".batches']
    tables += [f"{w}_all.{view}" for w in WORKSPACES for view in ("crm_people", "crm_people_history")]
    tables += [f'"{output_schema("yellow", w, LIMIT)}".out' for w in WORKSPACES]
    schemas = [f'"{bench.schema}"', *(f"{w}_all" for w in WORKSPACES), f'"{output_schema("yellow", "w1", LIMIT)}"']
    database = bench.url.rsplit("/", 1)[1]
    table, schema = st.sampled_from(tables), st.sampled_from(schemas)
    privilege, option = st.sampled_from(PRIVILEGES), st.sampled_from(["", " WITH GRANT OPTION"])
    one = st.one_of(
        st.builds('GRANT {} ON {} TO "{}"{}'.format, privilege, table, anybody, option),
        st.builds("GRANT {} ON {} TO PUBLIC".format, privilege, table),
        st.builds('GRANT SELECT (name), UPDATE (salary) ON {} TO "{}"{}'.format, table, anybody, option),
        st.builds('REVOKE {} ON {} FROM "{}" CASCADE'.format, privilege, table, anybody),
        st.builds('GRANT ALL ON SCHEMA {} TO "{}"{}'.format, schema, anybody, option),
        st.builds('REVOKE ALL ON SCHEMA {} FROM "{}" CASCADE'.format, schema, anybody),
        st.builds("GRANT USAGE ON SCHEMA {} TO PUBLIC".format, schema),
        st.builds('ALTER TABLE {} OWNER TO "{}"'.format, table, anybody),
        st.builds('ALTER SCHEMA {} OWNER TO "{}"'.format, schema, anybody),
        st.builds('GRANT "{}" TO "{}"{}'.format, ours, anybody, st.sampled_from(["", " WITH ADMIN OPTION"])),
        st.builds('REVOKE "{}" FROM "{}" CASCADE'.format, ours, anybody),
        st.builds('GRANT "{}" TO "{}"'.format, strangers, ours),
        st.builds('GRANT pg_read_all_data TO "{}"'.format, ours),
        st.builds('ALTER ROLE "{}" {}'.format, ours, st.sampled_from(ATTRIBUTES)),
        st.builds(
            f'GRANT ALL ON DATABASE "{database}" TO {{}}'.format, st.sampled_from(["PUBLIC", f'"{names.monitor}"'])
        ),
        st.builds(
            'ALTER DEFAULT PRIVILEGES FOR ROLE "{}"{} GRANT ALL ON TABLES TO {}'.format,
            st.sampled_from(groups),
            st.sampled_from(["", *(f" IN SCHEMA {s}" for s in schemas)]),
            st.one_of(st.just("PUBLIC"), strangers.map('"{}"'.format)),
        ),
        st.builds(
            'ALTER DEFAULT PRIVILEGES FOR ROLE "{}" IN SCHEMA {} REVOKE ALL ON TABLES FROM "{}"'.format,
            st.just(names.owner),
            schema,
            ours,
        ),
        st.builds('SET ROLE "{}"; GRANT ALL ON {} TO "{}"; RESET ROLE'.format, strangers, table, anybody),
        st.builds('DROP OWNED BY "{0}"; DROP ROLE "{0}"'.format, st.sampled_from(logins)),
    )
    return draw(st.lists(one, min_size=3, max_size=10))


def done(bench: SecurityBench, statements: list[str]) -> None:
    """Do what can be done; some of it is about what the model of the moment does not have."""
    with psycopg.connect(bench.url, autocommit=True) as connection:
        for statement in statements:
            try:
                connection.execute(statement.encode())
            except psycopg.Error:
                connection.execute(b"RESET ROLE")


@pytest.mark.slow
def test_sync_makes_it_so_whatever_was_done(bench: SecurityBench, server: Server) -> None:
    whole = bench.spec

    @settings(
        max_examples=30 if server.version >= 18 else 12,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(data=st.data())
    def whatever(data: st.DataObject) -> None:
        bench.spec = data.draw(models(whole))
        done(bench, data.draw(tampering(bench)))
        synced = bench.sync(unsafe=True)
        assert synced.complete, [(change.sentence(), reason) for change, reason in synced.waiting]
        for _ in range(2):
            assert [change.sentence() for change in bench.plan().changes] == []
            assert bench.sync().done == ()
        for credential in ("run", "monitor", *(f"transformer.{name}" for name in bench_transformers(bench))):
            bench.as_login(credential).close()

    whatever()


def bench_transformers(bench: SecurityBench) -> list[str]:
    return [job.transformer.workspace for job in bench.spec.jobs if job.transformer is not None]
