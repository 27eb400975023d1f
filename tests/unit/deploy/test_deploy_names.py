"""Names of what is deployed: legal whatever the model's names are, and never the same for two things."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from datasurface import EmbeddedPostgres
from datasurface.deploy.names import SystemJob, dag_id, dns_label, job_account, system_dag_id
from datasurface.release.job import PlatformSpec

_IDENTIFIERS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,127}", fullmatch=True)
_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


@given(st.lists(st.one_of(st.none(), _IDENTIFIERS), max_size=5), st.integers(min_value=20, max_value=253))
def test_a_label_is_legal(parts: list[str | None], limit: int) -> None:
    name = dns_label(*parts, limit=limit)
    assert _LABEL.fullmatch(name)
    assert len(name) <= limit


@given(st.lists(_IDENTIFIERS, min_size=1, max_size=3), st.lists(_IDENTIFIERS, min_size=1, max_size=3))
def test_other_parts_make_another_label(one: list[str], other: list[str]) -> None:
    assert (dns_label(*one) == dns_label(*other)) == (one == other)


@given(_IDENTIFIERS, _IDENTIFIERS, _IDENTIFIERS)
def test_no_stream_has_the_id_of_a_system_dag(ecosystem: str, name: str, stream: str) -> None:
    platform = PlatformSpec(name, ecosystem=ecosystem, environment="prod", container=EmbeddedPostgres())
    ids = {system_dag_id(platform, kind) for kind in SystemJob}
    assert len(ids) == len(SystemJob)
    assert dag_id(platform, stream) not in ids
    assert all(re.fullmatch(r"[\w.-]{1,250}", found) for found in (*ids, dag_id(platform, stream)))


def test_every_kind_of_job_has_an_account_of_its_own() -> None:
    platform = PlatformSpec("yellow", ecosystem="acme", environment="prod", container=EmbeddedPostgres())
    accounts = [job_account(platform, kind) for kind in SystemJob]
    assert len(set(accounts)) == len(SystemJob)
    assert accounts[0].startswith("ds-acme-prod-yellow-system-apply-")
