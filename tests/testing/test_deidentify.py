"""De-identified copies over several cycles, against an oracle that knows every value and every token."""

from __future__ import annotations

import hashlib
import hmac
import random
from typing import Any

from datasurface import (
    CONFIDENTIAL,
    INTERNAL,
    PC3,
    PII,
    BigInt,
    Binary,
    Column,
    Dataset,
    Datastore,
    Date,
    Decimal,
    FixedString,
    Generalise,
    Integer,
    Interval,
    Json,
    KeyedHash,
    Redact,
    String,
    Tokenise,
    Workspace,
    deidentified,
)
from datasurface.testing import BenchFactory, TransformerBench

KEY = "a key that nobody guesses, of more than enough characters"
CRM = Datastore(
    "crm",
    datasets=[
        Dataset(
            "customers",
            classification=[INTERNAL],
            columns=[
                Column("id", BigInt, key=True, classification=[PII]),
                Column("name", String(80), classification=[PII, CONFIDENTIAL]),
                Column("email", String(80), classification=[PII]),
                Column("born", Date, classification=[PII]),
                Column("postcode", FixedString(8), classification=[PII]),
                Column("card", String(20), classification=[PC3]),
                Column("spent", Decimal(10, 2)),
                Column("note", Json),
                Column("photo", Binary),
                Column("pause", Interval),
            ],
        ),
        Dataset(
            "orders",
            columns=[
                Column("order_id", Integer, key=True),
                Column("customer", Decimal(20), classification=[PII]),
                Column("mail", String(200), classification=[PII]),
            ],
        ),
    ],
)
COPY = deidentified(
    CRM,
    columns={
        "customers.id": Tokenise(domain="customer"),
        "orders.customer": Tokenise(domain="customer"),
        "customers.email": KeyedHash(),
        "orders.mail": KeyedHash(),
        "customers.born": Generalise(period="quarter"),
        "customers.postcode": Generalise(prefix=2),
        "customers.spent": Generalise(width=50),
    },
    key="crm_hashes",
)
HOSTILE = "x'); DROP TABLE customers; --\\\t\n\"$1%s{}\u202e\U0001f469\u200d\U0001f4bb e\u0301 \u00e9"


def opened(
    bench: BenchFactory, workspace: Workspace = COPY, store: Datastore = CRM, key: str = KEY
) -> TransformerBench:
    secrets = {"crm_hashes": key} if workspace.transformer and workspace.transformer.secrets else {}
    return bench(workspace, datastores=[store], secrets=secrets)


def customer(number: int, rng: random.Random) -> dict[str, Any]:
    return {
        "id": number,
        "name": rng.choice([None, "", "Ann", "ann", "Bob", "1", HOSTILE, "tok_a"]),
        "email": rng.choice([None, "", "a@b.example", "b@b.example", HOSTILE]),
        "born": rng.choice([None, *BORN]),
        "postcode": rng.choice([None, "", "N", "EC1A 1BB"]),
        "card": rng.choice([None, "4111 1111"]),
        "spent": rng.choice([None, "0", "49.99", "50", "-0.01", "99999999.99", "-99999999.99"]),
        "note": rng.choice([None, {"n": 1, "s": HOSTILE, "l": [None, True]}]),
        "photo": rng.choice([None, b"", b"\\x00\x00\xff"]),
        "pause": rng.choice([None, "1 mon 2 days"]),
    }


def order(number: int, rng: random.Random) -> dict[str, Any]:
    mail = rng.choice([None, "", "a@b.example", "c@b.example"])
    return {"order_id": number, "customer": rng.choice([None, 1, 2, 3, 10**18]), "mail": mail}


def hashed(text: str | None, key: str = KEY) -> str | None:
    return None if text is None else hmac.new(key.encode(), b"t" + text.encode(), hashlib.sha256).hexdigest()[:32]


BORN = {"1970-01-01": "1970-01-01", "2001-12-31": "2001-10-01", "1999-05-17": "1999-04-01"}
POSTCODE = {"": "", "N": "", "EC1A 1BB": "EC"}
SPENT = {"49.99": 0, "0": 0, "50": 50, "-0.01": -50, "99999999.99": 99999950, "-99999999.99": "-99999999.99"}


class Oracle:
    """Knows which values there are, and remembers their tokens."""

    def __init__(self) -> None:
        self.customers: dict[int, dict[str, Any]] = {}
        self.orders: dict[int, dict[str, Any]] = {}
        self.tokens: dict[tuple[str, str], str] = {}

    def values(self) -> set[tuple[str, str]]:
        found = {("customer", str(c["id"])) for c in self.customers.values()}
        found |= {("customer", str(o["customer"])) for o in self.orders.values() if o["customer"] is not None}
        return found | {("values", c["name"]) for c in self.customers.values() if c["name"] is not None}

    def learn(self, mapping: list[dict[str, Any]]) -> None:
        """Check the mapping: exactly the values there are, tokens that stay, and no two of one."""
        now = {(m["domain"], m["value"]): m["token"] for m in mapping}
        assert len(now) == len(mapping)
        assert set(now) == self.values()
        assert len(set(now.values())) == len(now)
        for value, token in now.items():
            assert self.tokens.get(value, token) == token, "a token changed"
            assert token not in {t for v, t in self.tokens.items() if v != value}, "a token was given twice"
        self.tokens = now

    def token(self, domain: str, value: object) -> str | None:
        return None if value is None else self.tokens[domain, str(value)]

    def copied(self, c: dict[str, Any], key: str) -> dict[str, Any]:
        return {
            "id": self.token("customer", c["id"]),
            "name": self.token("values", c["name"]),
            "email": hashed(c["email"], key),
            "born": BORN.get(c["born"]),
            "postcode": POSTCODE.get(c["postcode"]),
            "card": None,
            "spent": SPENT.get(c["spent"]),
            "note": c["note"],
            "photo": c["photo"],
            "pause": c["pause"],
        }

    def verify(self, bench: TransformerBench, key: str = KEY) -> None:
        self.learn(bench.current("token_mapping"))
        bench.assert_current("customers", [self.copied(c, key) for c in self.customers.values()])
        orders = [
            (o["order_id"], self.token("customer", o["customer"]), hashed(o["mail"], key)) for o in self.orders.values()
        ]
        bench.assert_current("orders", orders)


def test_several_cycles_equal_the_oracle(transformer_bench: BenchFactory):
    rng = random.Random(20261126)
    bench, oracle = opened(transformer_bench), Oracle()
    for cycle in range(5):
        for number in range(1, 40):
            fate = rng.random()
            if cycle == 0 or fate < 0.15:
                oracle.customers[number] = customer(number, rng)
                oracle.orders[number] = order(number, rng)
            elif fate < 0.3:
                oracle.customers.pop(number, None)
            elif fate < 0.4:
                oracle.orders.pop(number, None)
        bench.given("customers", list(oracle.customers.values()))
        bench.given("orders", list(oracle.orders.values()))
        bench.run()
        oracle.verify(bench)
    assert not bench.run().ran("crm_deidentified")


def test_only_what_changed_is_written(transformer_bench: BenchFactory):
    rng, oracle = random.Random(1), Oracle()
    bench = opened(transformer_bench)
    oracle.customers = {n: {**customer(n, rng), "name": f"name {n}"} for n in range(50)}
    bench.given("customers", list(oracle.customers.values()))
    bench.given("orders", [])
    bench.run()
    oracle.verify(bench)
    oracle.customers[7]["name"] = "corrected"
    bench.update("customers", [{"id": 7, "name": "corrected"}])
    del oracle.customers[9]
    bench.delete("customers", [{"id": 9}])
    cycle = bench.run()
    oracle.verify(bench)
    assert cycle.counted["crm_deidentified.customers"] == (0, 1, 1)
    assert cycle.counted["crm_deidentified.token_mapping"] == (1, 0, 3), "both values of the deleted row, one corrected"
    assert "customers: 1 rows written, 1 deleted" in "\n".join(cycle.printed)


def test_an_erased_value_comes_back_under_another_token(transformer_bench: BenchFactory):
    bench = opened(transformer_bench)
    row = {"id": 1, "name": "Ann"}
    bench.given("customers", [row, {"id": 2, "name": "Ann"}])
    bench.given("orders", [(5, 1, None)])
    bench.run()
    first = {r["value"]: r["token"] for r in bench.current("token_mapping")}
    bench.delete("customers", [{"id": 1}])
    bench.run()
    second = {r["value"]: r["token"] for r in bench.current("token_mapping")}
    assert second == first, "another row has the name, and an order the number"
    bench.given("customers", [])
    bench.run()
    assert {r["value"] for r in bench.current("token_mapping")} == {"1"}
    bench.given("orders", [])
    bench.run()
    assert bench.current("token_mapping") == []
    bench.given("customers", [row])
    bench.run()
    third = {r["value"]: r["token"] for r in bench.current("token_mapping")}
    assert set(third) == {"1", "Ann"}
    assert not set(third.values()) & set(first.values())


def test_another_key_makes_the_hashes_anew_and_leaves_the_tokens(transformer_bench: BenchFactory):
    rng = random.Random(3)
    columns = {"orders.order_id": KeyedHash(), "customers.name": Tokenise()}
    hashing = deidentified(CRM, methods={PC3: Redact(), PII: KeyedHash()}, columns=columns, key="crm_hashes")
    assert hashing.transformer is not None
    bench = opened(transformer_bench, hashing)
    bench.given("customers", [customer(n, rng) for n in range(1200)])
    bench.given("orders", [])
    bench.run()
    before = {r["id"] for r in bench.current("customers")}
    tokens = bench.current("token_mapping")
    bench.secrets({"crm_hashes": KEY[::-1]})
    cycle = bench.run()
    after = {r["id"] for r in bench.current("customers")}
    assert cycle.counted["crm_deidentified.customers"] == (1200, 0, 1200), "no guard parks it"
    assert len(before) == len(after) == 1200
    assert not before & after
    assert bench.current("token_mapping") == tokens
    bench.update("customers", [{"id": 7, "email": "new@b.example"}])
    bench.delete("customers", [{"id": 8}])
    assert bench.run().counted["crm_deidentified.customers"] == (0, 1, 1)
    bench.assert_rebuild_agrees(ignore=["name", "token"])
    bench.secrets({"crm_hashes": "short"})
    assert "has to have at least 16 bytes" in bench.fails().error
    assert KEY[::-1] not in str(bench.current("customers"))
