"""The page about de-identification: its model on a source of its own, as a reader would try it."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal

import psycopg
import pytest

from pages import ROOT, blocks, commands, model_folder, shell

PAGE = ROOT / "docs" / "how-to" / "de-identify.md"
SOURCE = """
CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(80), born date, card varchar(20), country varchar(2));
CREATE TABLE orders (order_id bigint PRIMARY KEY, customer bigint, postcode varchar(10), amount decimal(10, 2));
INSERT INTO customers VALUES (17, 'Ann', '1970-05-17', '4111', 'UK'), (18, 'Bob', NULL, NULL, 'FR');
INSERT INTO orders VALUES (1, 17, 'EC1A 1BB', 10.5);
"""
SEEN = """
SELECT c.id ~ '^tok_', c.name ~ '^tok_', c.name <> c.id, c.born, c.card, o.postcode, o.amount
FROM analysts_all.crm_deidentified_customers c JOIN analysts_all.crm_deidentified_orders o ON o.customer = c.id;
"""


def test_the_model_runs_and_says_what_it_hides():
    eco, *_rest = [b for b in blocks(PAGE) if b.kind == "python"]
    run, asked = [c for b in blocks(PAGE) if b.kind == "console" for c in commands(b) if "datasurface" in c.text]
    with model_folder() as folder:
        (folder / "eco.py").write_text(eco.text)
        with closing(sqlite3.connect(folder / "crm.db")) as source:
            source.executescript(SOURCE)
        ran = shell(run.text, folder)
        assert ran.returncode == 0, ran.stdout
        assert ran.stdout.splitlines()[-1] == run.output[0]
        with psycopg.connect(shell("datasurface connect analysts", folder).stdout.strip()) as analyst:
            assert analyst.execute(SEEN).fetchall() == [
                (True, True, True, date(1970, 1, 1), None, "EC1", Decimal("10.50"))
            ]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                analyst.execute("SELECT * FROM crm_deidentified_own.crm_deidentified_token_mapping")
        told = shell(asked.text, folder)
        assert told.returncode == 0, told.stdout
        for line in asked.output:
            assert re.search(r"\s+".join(map(re.escape, line.split())), told.stdout), told.stdout
