"""How an environment is taken down: in an order that works, and honest about what remains and costs."""

from __future__ import annotations

import json

import pytest

from aws_models import aws, deployable, model
from datasurface import AuroraCluster
from datasurface.deploy.aws.target import plan_of_teardown
from datasurface.deploy.aws.teardown import TeardownPlan


@pytest.fixture(scope="module")
def plan() -> TeardownPlan:
    return plan_of_teardown(deployable(model(aws(shared_storage=True))))


def place(plan: TeardownPlan, words: str) -> int:
    (found,) = [number for number, step in enumerate(plan.steps) if words in f"{step.title} {' '.join(step.commands)}"]
    return found


def test_what_no_template_knows_goes_before_what_it_would_keep(plan: TeardownPlan):
    order = [
        "Stop the jobs",
        "Delete load balancers",
        "helm uninstall airflow",
        "delete-stack --region eu-central-1 --stack-name ds-acme-prod-479fc59d-operations",
        "delete-stack --region eu-central-1 --stack-name ds-acme-prod-479fc59d-identities",
        "aws eks update-cluster-config",
        "delete-stack --region eu-central-1 --stack-name ds-acme-prod-479fc59d-cluster",
        "delete-network-interface",
        "aws rds modify-db-cluster",
        "delete-stack --region eu-central-1 --stack-name ds-acme-prod-479fc59d-data",
        "delete-stack --region eu-central-1 --stack-name ds-acme-prod-479fc59d-network",
        "delete-stack --region eu-central-1 --stack-name ds-acme-prod-479fc59d-secrets",
        "delete-stack --region eu-central-1 --stack-name ds-acme-prod-479fc59d-foundation",
    ]
    places = [place(plan, words) for words in order]
    assert places == sorted(places)


def test_what_is_kept_is_deleted_only_by_optional_steps(plan: TeardownPlan):
    for step in plan.steps:
        kept = any(word in " ".join(step.commands) for word in ("s3api", "kms", "delete-secret", "ecr", "snapshot"))
        foundation = "foundation" in step.title or "-secrets" in step.title
        assert step.optional == (kept or foundation or "file system" in step.title), step


def test_what_remains_and_what_it_costs(plan: TeardownPlan):
    found = {(each.what, each.name): each for each in plan.remains}
    assert found["the key", "alias/ds-acme-prod-479fc59d-data"].month == 1
    assert found["the secret", "datasurface/acme/prod/reader_0"].month == 0.4
    assert found["the secret", "datasurface/acme/prod/yellow.run"].month == 0.4
    snapshot = found["the last snapshot of", "ds-acme-prod-479fc59d-merge-39c59690"]
    assert snapshot.month is None
    assert snapshot.by_gb is not None
    assert snapshot.by_gb > 0
    whats = {what for what, _name in found}
    assert {"the bucket", "the images in", "the file system of"} <= whats
    assert "the log group" not in whats  # all of them belong to stacks
    assert plan.month == round(sum(each.month or 0 for each in plan.remains), 2) > 3
    assert 90 > plan.minutes > 30
    assert all(each.commands and each.why for each in plan.remains)


def test_without_protection_nothing_has_to_be_unlocked():
    open_ = aws(deletion_protection=False, databases=[AuroraCluster("merge", deletion_protection=False)])
    plan = plan_of_teardown(deployable(model(open_)))
    text = json.dumps(plan.to_json())
    assert "update-cluster-config" not in text
    assert "modify-db-cluster" not in text


def test_where_airflow_starts_nothing_nothing_of_it_is_taken_down():
    text = json.dumps(plan_of_teardown(deployable(model(aws(), airflow=None))).to_json())
    assert "airflow" not in text.replace("ds-acme-prod-479fc59d-airflow", "")
