from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface.model.secret_names import SecretNames, aws_name, azure_name, kubernetes_name

LEGAL: dict[SecretNames, tuple[re.Pattern[str], int]] = {
    aws_name: (re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}\Z"), 512),
    kubernetes_name: (re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z"), 253),
    azure_name: (re.compile(r"[0-9a-zA-Z-]{1,127}\Z"), 127),
}
PARTS = st.tuples(st.text(min_size=1), st.none() | st.text(min_size=1), st.text(min_size=1))


@pytest.mark.parametrize(
    ("names", "credential", "environment", "expected"),
    [
        (aws_name, "crm_reader", None, "datasurface/acme/crm_reader"),
        (aws_name, "yellow.run", "prod", "datasurface/acme/prod/yellow.run"),
        (aws_name, "crm/reader", None, "datasurface/acme/crm_reader.c434ddea"),
        (kubernetes_name, "crm-reader", None, "datasurface.acme.crm-reader"),
        (kubernetes_name, "crm_reader", "prod", "datasurface.acme.prod.crm-reader-82882d21"),
        (azure_name, "crm-reader", "prod", "datasurface--acme--prod--crm-reader"),
        (azure_name, "CRM", None, "datasurface--acme--crm-130f70ae"),
    ],
)
def test_a_legal_part_stays_and_another_gets_a_digest(
    names: SecretNames, credential: str, environment: str | None, expected: str
) -> None:
    assert names("datasurface", "acme", environment, credential) == expected


@given(parts=PARTS)
def test_every_name_is_legal_for_its_store(parts: tuple[str, str | None, str]) -> None:
    for names, (legal, limit) in LEGAL.items():
        name = names("datasurface", *parts)
        assert legal.match(name)
        assert len(name) <= limit


@given(one=PARTS, other=PARTS)
def test_different_credentials_never_meet(one: tuple[str, str | None, str], other: tuple[str, str | None, str]) -> None:
    for names in LEGAL:
        assert (names("datasurface", *one) == names("datasurface", *other)) == (one == other)


@pytest.mark.parametrize("names", LEGAL)
def test_environment_and_dotted_credential_are_kept_apart(names: SecretNames) -> None:
    assert names("p", "acme", "yellow", "run") != names("p", "acme", None, "yellow.run")
    assert names("p", "acme", "yellow", "run") != names("p", "acme", None, "yellow/run")
    assert names("p", "acme", "yellow", "run") != names("p", "acme", None, "yellow--run")
