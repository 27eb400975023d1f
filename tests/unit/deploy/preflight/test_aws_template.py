"""Templates: what CloudFormation would reject, or take for something else."""

from __future__ import annotations

from typing import Any

import pytest

from datasurface.deploy.aws.preflight.template import templates_of
from datasurface.errors import ConfigurationError
from preflight_bench import fails, passes, resource, skips, subject

BUCKET = resource("S3::Bucket", BucketName="acme")
ROLE = resource("IAM::Role", AssumeRolePolicyDocument={})
NAMED = resource("IAM::Role", RoleName="acme", AssumeRolePolicyDocument={})


def test_a_template_in_order() -> None:
    given = subject(
        {"Bucket": BUCKET, "Alias": {**resource("KMS::Alias", TargetKeyId={"Ref": "Bucket"}), "DependsOn": "Bucket"}}
    )
    assert "2 resources" in passes("aws.template.structure", given)


def test_files_that_cannot_be_made() -> None:
    passes("aws.template.made", subject({"Bucket": BUCKET}))
    problem = ConfigurationError("nothing tells where the container is", hint="say egress=")
    fails("aws.template.made", subject(problems=[problem]), "where the container is", "say egress=")


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({}, "no resources"),
        ({"A": {"Type": "AWS::IAM::OIDCIdentityProvider"}}, "it is called AWS::IAM::OIDCProvider"),
        ({"A": {"Type": "Bucket"}}, "'Bucket' is no type"),
        ({"A-B": BUCKET}, "letters and digits only"),
        ({"A": {**BUCKET, "Propertys": {}}}, "no attribute 'Propertys'"),
        ({"A": {**BUCKET, "DependsOn": ["B"]}}, "depends on 'B'"),
        ({"A": resource("S3::Bucket", BucketName={"Ref": "Nobody"})}, "'Nobody' is referred to"),
        ({"A": resource("S3::Bucket", BucketName={"Fn::Sub": "x-${Nobody.Arn}"})}, "'Nobody' is referred to"),
        ({"A": resource("S3::Bucket", BucketName={"Fn::GetAtt": ["Nobody", "Arn"]})}, "'Nobody' is referred to"),
        ({"A": resource("S3::Bucket", Tags={"${Issuer}:sub": "x"})}, "no function in a key"),
        ({"A": resource("S3::Bucket", BucketName={"Ref": "A", "Fn::Sub": "x"})}, "stands among other keys"),
        ({"A": {**BUCKET, "Condition": "Never"}}, "condition 'Never' does not exist"),
        ({"A": ["no", "object"]}, "no object"),
    ],
)
def test_what_cloudformation_would_reject(resources: Any, words: str) -> None:
    fails("aws.template.structure", subject(resources), words, "stack.json")


def test_sections() -> None:
    fails("aws.template.structure", subject({"A": BUCKET}, document={"Ressources": {}}), "no section 'Ressources'")


def test_substitutions_of_their_own_are_known() -> None:
    name = {"Fn::Sub": ["${X}-${AWS::Region}", {"X": "a"}]}
    passes("aws.template.structure", subject({"A": resource("S3::Bucket", BucketName=name)}))


def test_parameters_without_a_value() -> None:
    given = {"Parameters": {"KeyPairName": {"Type": "String"}}}
    fails("aws.template.parameters", subject({"A": BUCKET}, document=given), "KeyPairName")
    given = {"Parameters": {"KeyPairName": {"Type": "String", "Default": "x"}}}
    passes("aws.template.parameters", subject({"A": BUCKET}, document=given))


@pytest.mark.parametrize(
    ("resources", "given", "missing"),
    [
        ({"A": BUCKET}, (), None),
        ({"A": ROLE}, (), "CAPABILITY_IAM"),
        ({"A": ROLE}, ("CAPABILITY_IAM",), None),
        ({"A": ROLE}, ("CAPABILITY_NAMED_IAM",), None),
        ({"A": NAMED}, ("CAPABILITY_IAM",), "CAPABILITY_NAMED_IAM"),
        ({"A": NAMED}, ("CAPABILITY_NAMED_IAM",), None),
    ],
)
def test_capabilities(resources: Any, given: tuple[str, ...], missing: str | None) -> None:
    made = subject(resources, capabilities=given)
    if missing is None:
        passes("aws.template.capabilities", made)
    else:
        fails("aws.template.capabilities", made, missing, "--capabilities")


def test_a_transform_has_to_be_acknowledged() -> None:
    transform = {"Transform": "AWS::Serverless-2016-10-31"}
    fails("aws.template.capabilities", subject({"A": BUCKET}, document=transform), "CAPABILITY_AUTO_EXPAND")


def test_size() -> None:
    passes("aws.template.size", subject({"A": BUCKET}))
    fails("aws.template.size", subject({f"A{number}": BUCKET for number in range(501)}), "501 resources", "500")
    large = resource("S3::Bucket", Tags=["x" * 60_000])
    assert "--s3-bucket" in passes("aws.template.size", subject({"A": large}))


def test_cfn_lint_is_run_only_if_asked_for() -> None:
    skips("aws.template.lint", subject({"A": BUCKET}), "--lint")


def test_cfn_lint() -> None:
    passes("aws.template.lint", subject({"A": BUCKET}, lint=True))
    wrong = resource("S3::Bucket", BucketNam="acme")
    fails("aws.template.lint", subject({"A": wrong}, lint=True), "E3002", "stack.json")


def test_values_are_resolved_across_templates() -> None:
    first = {
        "Parameters": {"Name": {"Default": "acme"}},
        "Resources": {"Role": resource("IAM::Role", RoleName={"Fn::Join": ["-", [{"Ref": "Name"}, "jobs"]]})},
        "Outputs": {"Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}, "Export": {"Name": "acme-role"}}},
    }
    second = {
        "Resources": {
            "It": resource(
                "S3::Bucket", A={"Fn::ImportValue": "acme-role"}, B={"Fn::ImportValue": "other"}, C={"Ref": "Z"}
            )
        }
    }
    known = {"AWS::AccountId": "1" * 12, "AWS::Region": "eu-west-1", "AWS::Partition": "aws"}
    _, template = templates_of([("a.json", first), ("b.json", second)], known)
    (found,) = template.resources
    assert found.properties == {"A": "arn:aws:iam::111111111111:role/acme-jobs", "B": "${other}", "C": "${Z}"}
