"""What CloudFormation's stacks tell, read as it comes."""

from __future__ import annotations

import json

import pytest

from datasurface.deploy.outputs import read_outputs
from datasurface.errors import ConfigurationError


def stack(**outputs: str) -> dict[str, object]:
    return {"StackName": "s", "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()]}


def test_the_outputs_of_all_stacks_are_read():
    text = json.dumps({"Stacks": [stack(VpcId="vpc-1"), {"StackName": "none"}, stack(ClusterName="c", VpcId="vpc-1")]})
    assert read_outputs(text) == {"ClusterName": "c", "VpcId": "vpc-1"}


def test_names_and_texts_are_read_too():
    assert read_outputs('{"VpcId": "vpc-1"}') == {"VpcId": "vpc-1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is not understood"),
        ('{"VpcId": 1}', "is not understood"),
        (json.dumps({"Stacks": [stack(VpcId="vpc-1"), stack(VpcId="vpc-2")]}), "two stacks tell different things"),
    ],
)
def test_anything_else_is_refused(text: str, words: str):
    with pytest.raises(ConfigurationError, match=f"out.json.*{words}"):
        read_outputs(text, source="out.json")
