"""Checks of the templates themselves: structure, references, parameters, capabilities, size; cfn-lint if asked for."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import Template
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, skipped

__all__ = ["CHECKS"]

_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
        "Transform",
    }
)
_ATTRIBUTES = frozenset(
    {
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
    }
)
_LOGICAL = re.compile(r"[A-Za-z0-9]{1,255}\Z")
_TYPE = re.compile(r"(AWS|Alexa|Custom)(::[A-Za-z0-9]+){1,2}(::MODULE)?\Z")
_MISTAKEN = {"AWS::IAM::OIDCIdentityProvider": "AWS::IAM::OIDCProvider"}
_SUBSTITUTED = re.compile(r"\$\{([^!}][^}]*)\}")
_LONGEST_BODY, _LONGEST_OBJECT = 51_200, 1_048_576
_MOST_RESOURCES, _MOST_OUTPUTS, _MOST_PARAMETERS = 500, 200, 200
_IAM = frozenset(
    {
        "AWS::IAM::Group",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::IAM::User",
        "AWS::IAM::UserToGroupAddition",
    }
)
_NAMES = frozenset({"RoleName", "ManagedPolicyName", "UserName", "GroupName", "InstanceProfileName"})
_RUN = "import sys; from cfnlint.runner import main; sys.exit(main())"
_AGAIN = "generate the files anew; if it stays, report it"


def _files(subject: AwsSubject) -> Iterator[Outcome]:
    for problem in subject.problems:
        yield failed(problem.message, problem.hint or "see the message")
    if not subject.problems:
        yield passed(f"{len(subject.stacks)} stacks can be made")


def _structure(subject: AwsSubject) -> Iterator[Outcome]:
    for template in subject.templates:
        problems = list(_problems(template))
        for problem in problems:
            yield failed(problem, _AGAIN, about=template.path)
        if not problems:
            yield passed(f"{len(template.resources)} resources", about=template.path)


def _problems(template: Template) -> Iterator[str]:
    document = template.document
    for section in sorted(document.keys() - _SECTIONS):
        yield f"there is no section {section!r} in a template"
    resources = document.get("Resources", {})
    if not resources:
        yield "it has no resources"
    for name, resource in sorted(resources.items()):
        yield from (f"{name}: {problem}" for problem in _of_resource(name, resource, resources))
    known = {*resources, *document.get("Parameters", {})}
    for used in sorted(set(_references(document)) - known):
        if not used.startswith("AWS::"):
            yield f"{used!r} is referred to, and is neither a resource nor a parameter"
    for condition in sorted(set(_conditions(document)) - document.get("Conditions", {}).keys()):
        yield f"the condition {condition!r} does not exist"


def _of_resource(name: str, resource: Any, resources: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(resource, dict):
        yield "it is no object"
        return
    type_ = str(resource.get("Type", ""))
    if not _LOGICAL.match(name):
        yield "a logical id has letters and digits only"
    if type_ in _MISTAKEN:
        yield f"there is no type {type_}; it is called {_MISTAKEN[type_]}"
    elif not _TYPE.match(type_):
        yield f"{type_!r} is no type of a resource"
    for attribute in sorted(resource.keys() - _ATTRIBUTES):
        yield f"there is no attribute {attribute!r}"
    for other in _texts(resource.get("DependsOn")):
        if other not in resources:
            yield f"it depends on {other!r}, which does not exist"
    yield from _keys(resource.get("Properties", {}))


def _keys(value: Any) -> Iterator[str]:
    """Yield what is wrong with keys: an intrinsic function among others, or one that stands in place of a key."""
    if isinstance(value, dict):
        functions = [key for key in value if key == "Ref" or key.startswith("Fn::")]
        if functions and len(value) > 1:
            yield f"{functions[0]} stands among other keys: {', '.join(sorted(value))}"
        for key, each in value.items():
            if "${" in key:
                yield f"the key {key!r} would not be substituted: CloudFormation takes no function in a key"
            yield from _keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from _keys(each)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    if not isinstance(value, dict):
        return
    for key, argument in value.items():
        if key == "Ref" and isinstance(argument, str):
            yield argument
        elif key == "Fn::GetAtt":
            yield argument.partition(".")[0] if isinstance(argument, str) else str(argument[0])
        elif key == "Fn::Sub":
            text, given = (argument, {}) if isinstance(argument, str) else argument
            yield from (name.partition(".")[0] for name in _SUBSTITUTED.findall(text) if name not in given)
            yield from _references(given)
        else:
            yield from _references(argument)


def _conditions(document: Mapping[str, Any]) -> Iterator[str]:
    for section in ("Resources", "Outputs"):
        for each in document.get(section, {}).values():
            if isinstance(each, dict) and isinstance(each.get("Condition"), str):
                yield each["Condition"]


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _parameters(subject: AwsSubject) -> Iterator[Outcome]:
    for template in subject.templates:
        for name, parameter in sorted(template.document.get("Parameters", {}).items()):
            if "Default" not in parameter:
                yield failed(
                    f"the parameter {name!r} has no default: somebody would have to know what to give",
                    "generate the files anew: everything follows from the model",
                    about=template.path,
                )


def _capabilities(subject: AwsSubject) -> Iterator[Outcome]:
    for stack, template in zip(subject.stacks, subject.templates, strict=True):
        given = set(stack.capabilities)
        if "CAPABILITY_NAMED_IAM" in given:
            given.add("CAPABILITY_IAM")
        missing = [each for each in _needed(template) if each not in given]
        if missing:
            yield failed(
                f"CloudFormation refuses it without an acknowledgement: {', '.join(missing)}",
                f"aws cloudformation deploy --stack-name {stack.name} --capabilities {' '.join(missing)} …",
                about=template.path,
            )
        elif given:
            yield passed(f"{', '.join(stack.capabilities)} is given", about=template.path)


def _needed(template: Template) -> Iterator[str]:
    made = [resource for resource in template.resources if resource.type in _IAM]
    if any(_NAMES & resource.properties.keys() for resource in made):
        yield "CAPABILITY_NAMED_IAM"
    elif made:
        yield "CAPABILITY_IAM"
    if "Transform" in template.document:
        yield "CAPABILITY_AUTO_EXPAND"


def _size(subject: AwsSubject) -> Iterator[Outcome]:
    for template in subject.templates:
        size = len(json.dumps(template.document, separators=(",", ":")))
        counts = (
            ("resources", len(template.document.get("Resources", {})), _MOST_RESOURCES),
            ("outputs", len(template.document.get("Outputs", {})), _MOST_OUTPUTS),
            ("parameters", len(template.document.get("Parameters", {})), _MOST_PARAMETERS),
            ("bytes", size, _LONGEST_OBJECT),
        )
        for what, number, most in counts:
            if number > most:
                yield failed(f"{number} {what}; CloudFormation takes {most}", _AGAIN, about=template.path)
        if size > _LONGEST_BODY:
            yield passed(f"{size} bytes: it has to be uploaded to S3 first (--s3-bucket)", about=template.path)


def _cfn_lint(subject: AwsSubject) -> Iterator[Outcome]:
    if not subject.lint:
        yield skipped("not asked for", "--lint runs it; it takes some seconds")
        return
    if importlib.util.find_spec("cfnlint") is None:
        yield skipped("cfn-lint is not installed", "pip install cfn-lint")
        return
    with tempfile.TemporaryDirectory(prefix="ds-preflight-") as folder:
        paths = {}
        for template in subject.templates:
            path = Path(folder, template.path.replace("/", "_"))
            path.write_text(json.dumps(template.document), encoding="utf-8")
            paths[str(path)] = template.path
        yield from _linted(paths, subject.settings.region)


def _linted(paths: Mapping[str, str], region: str) -> Iterator[Outcome]:
    command = [sys.executable, "-c", _RUN, "--format", "json", "--regions", region, "--", *sorted(paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - no shell
    try:
        findings = json.loads(done.stdout)
    except ValueError:
        yield failed(f"cfn-lint could not be run: {done.stderr.strip()[-300:]}", "pip install -U cfn-lint")
        return
    for finding in findings:
        rule, where = finding["Rule"]["Id"], "/".join(map(str, finding["Location"]["Path"] or []))
        if finding["Level"] == "Error":
            yield failed(f"{rule} {where}: {finding['Message']}", _AGAIN, about=paths.get(finding["Filename"], ""))
    if not any(finding["Level"] == "Error" for finding in findings):
        yield passed(f"{len(paths)} templates, {len(findings)} warnings")


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.template.made",
        title="whether there are files at all",
        looks_at="that `deploy aws`, and `deploy kubernetes` where the environment has both, can make their files",
        fails="the model says too little, or what contradicts itself; everything else looks at what could be made",
        remedy="what the message says",
        look=_files,
    ),
    Check(
        id="aws.template.structure",
        title="structure of the templates",
        looks_at="sections, types, attributes, references, dependencies, conditions, functions in place of keys",
        fails="CloudFormation would reject a template, or make something else than is meant",
        remedy=_AGAIN,
        look=_structure,
    ),
    Check(
        id="aws.template.parameters",
        title="parameters of the templates",
        looks_at="that every parameter has a value, from the model alone",
        fails="a parameter has none, so that a command would have to name it",
        remedy="generate the files anew",
        look=_parameters,
    ),
    Check(
        id="aws.template.capabilities",
        title="capabilities",
        looks_at="what the command has to acknowledge for IAM resources and transforms, and what it does",
        fails="it lacks CAPABILITY_IAM, CAPABILITY_NAMED_IAM where a role has a name, or CAPABILITY_AUTO_EXPAND",
        remedy="--capabilities CAPABILITY_NAMED_IAM",
        look=_capabilities,
    ),
    Check(
        id="aws.template.size",
        title="size of the templates",
        looks_at="resources (500), outputs and parameters (200), bytes (1 MiB)",
        fails="a template is larger than CloudFormation takes",
        remedy="fewer transformers with a role of their own in one environment",
        look=_size,
    ),
    Check(
        id="aws.template.lint",
        title="cfn-lint",
        looks_at="the templates with cfn-lint's rules for the region, with --lint, where it is installed",
        fails="it finds an error",
        remedy=_AGAIN,
        look=_cfn_lint,
    ),
)
