"""What `deidentified` makes of a datastore: types, keys, classifications, places; and what it refuses at once."""

from __future__ import annotations

import pytest

from datasurface import (
    CONFIDENTIAL,
    DEIDENTIFIED,
    INTERNAL,
    MNPI,
    PII,
    PSEUDONYMISED,
    BigInt,
    Classification,
    Column,
    CredentialKind,
    Dataset,
    Datastore,
    Date,
    DeIdentify,
    FixedString,
    Generalise,
    History,
    Keep,
    KeyedHash,
    OutputMode,
    Redact,
    String,
    Tokenise,
    Workspace,
    deidentified,
)
from datasurface.errors import ModelCallError

SECRET = Classification("SECRET", level=9, scheme="acme")
STORE = Datastore(
    "hr",
    datasets=[
        Dataset(
            "people",
            classification=[PII, INTERNAL],
            columns=[
                Column("badge", BigInt, key=True, source="BADGE NO"),
                Column("name", String(80), nullable=False, classification=[CONFIDENTIAL]),
                Column("born", Date),
                Column("postcode", FixedString(8)),
                Column("deal", String(5), nullable=False, classification=[MNPI]),
                Column("notes", String(), classification=[SECRET]),
            ],
        ),
        Dataset("rooms", columns=[Column("room", BigInt, key=True)]),
    ],
)


def made(**more: object) -> Workspace:
    columns = {
        "people.badge": KeyedHash(length=40),
        "people.born": Generalise(period="year"),
        "people.postcode": Generalise(prefix=2),
        "people.notes": Keep(),
    }
    return deidentified(STORE, **{"columns": columns, "key": "hr_key", **more})  # type: ignore[arg-type]


def outputs(workspace: Workspace) -> dict[str, Dataset]:
    assert workspace.transformer is not None
    return {d.name: d for d in workspace.transformer.output.datasets}


def test_types_keys_and_nulls_follow_from_the_methods():
    columns = {c.name: c for c in outputs(made())["people"].columns}
    assert {name: c.data_type for name, c in columns.items()} == {
        "badge": String(40),
        "name": String(30),
        "born": Date(),
        "postcode": String(8),
        "deal": String(5),
        "notes": String(),
    }
    assert [name for name, c in columns.items() if c.key] == ["badge"]
    assert {name for name, c in columns.items() if not c.nullable} == {"badge", "name"}
    assert columns["badge"].source == "badge"


def test_classifications_that_decided_are_gone_and_all_others_stay():
    people = outputs(made())["people"]
    assert people.classification == (INTERNAL,)
    assert {c.name: c.classification for c in people.columns} == {
        "badge": (PSEUDONYMISED,),
        "name": (CONFIDENTIAL, PSEUDONYMISED),
        "born": (DEIDENTIFIED,),
        "postcode": (DEIDENTIFIED,),
        "deal": (DEIDENTIFIED,),
        "notes": (PII, SECRET),
    }


def test_the_first_of_the_methods_decides_and_single_columns_before_all():
    workspace = made(
        methods={SECRET: Redact("-"), PII: Tokenise(domain="p")}, columns={"people.deal": Keep()}, key=None
    )
    assert workspace.transformer is not None
    code = workspace.transformer.code
    assert isinstance(code, DeIdentify)
    done = {c.name: c for c in code.datasets[0].columns}
    assert done["notes"].method == Redact("-")
    assert done["name"].method == Tokenise(domain="p")
    assert done["notes"].replaces == (PII, SECRET)
    assert "deal" not in done
    assert code.datasets[1].columns == ()


def test_the_workspace_reads_history_and_its_own_tokens():
    workspace = made(retention="30 days", approvals=["privacy.desk:token_mapping"])
    inputs, own = workspace.groups
    assert (inputs.history, inputs.retention) == (History.FULL, "30 days")
    assert own.history is History.LIVE
    transformer = workspace.transformer
    assert transformer is not None
    assert transformer.mode is OutputMode.CHANGES
    key = transformer.secrets["key"]
    assert not isinstance(key, str)
    assert (key.name, key.kind) == ("hr_key", CredentialKind.TOKEN)
    mapping = {c.name: c for c in outputs(workspace)["token_mapping"].columns}
    assert mapping["value"].classification == (PII,)
    assert transformer.output.approvals == ("privacy.desk:token_mapping",)


def test_without_tokens_there_is_no_mapping_and_without_hashes_no_key():
    workspace = deidentified(STORE, methods={PII: Redact()}, columns={"people.badge": Keep()}, datasets=["people"])
    assert list(outputs(workspace)) == ["people"]
    assert workspace.transformer is not None
    assert not workspace.transformer.secrets
    assert [g.name for g in workspace.groups] == ["inputs"]


def test_everything_stands_where_the_model_calls_it():
    workspace = made()
    assert workspace.transformer is not None
    for part in (workspace, workspace.transformer.code, outputs(workspace)["people"].columns[0]):
        assert part.declared_at is not None
        assert part.declared_at.path.endswith("test_deidentified.py")
    assert Workspace.from_json(workspace.to_json()) == workspace


def test_what_is_not_there_is_refused_at_once():
    with pytest.raises(ModelCallError, match=r"names the column 'people.emial', which is not there.*test_deidentified"):
        deidentified(STORE, columns={"people.emial": Redact()})
    with pytest.raises(ModelCallError, match="names the dataset 'persons'"):
        deidentified(STORE, datasets=["persons"])
    with pytest.raises(ModelCallError, match=r"hashes people\.badge without a key"):
        made(key=None)
