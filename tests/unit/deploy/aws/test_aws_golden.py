"""The files for a small model, as they are kept: whoever changes what is generated sees how far it reaches.

`DATASURFACE_GOLDEN=write pytest …` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

from aws_models import aws, deployable, model
from datasurface import AwsNetwork
from datasurface.deploy.aws.target import TARGET

GOLDEN = Path(__file__).parents[3] / "deploy" / "golden" / "aws"


def test_the_files_of_a_small_model_are_as_kept():
    settings = aws(network=AwsNetwork(zones=2), alarms_to=["ops@acme.example"], tags={"cost-centre": "42"})
    made = {file.path: file.content for file in TARGET.files(deployable(model(settings, production=False)))}
    if os.environ.get("DATASURFACE_GOLDEN") == "write":
        for path, content in made.items():
            (GOLDEN / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / path).write_text(content)
    kept = {str(path.relative_to(GOLDEN)): path.read_text() for path in GOLDEN.rglob("*") if path.is_file()}
    assert sorted(made) == sorted(kept)
    for path, content in made.items():
        assert content == kept[path], path
