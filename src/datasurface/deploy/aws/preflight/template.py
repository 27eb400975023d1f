"""CloudFormation templates as preflight reads them: resources, and values as far as they are known before a stack is.

It knows no resource: what a property means is the business of the check that asks for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Resource", "Template", "is_known", "listed", "templates_of"]

_NO_BRACES = str.maketrans("", "", '{}"$')
_REFERENCE = re.compile(r"\$\{([^!}][^}]*)\}")
_NAMED_BY = {
    "AWS::EC2::SecurityGroup": "",
    "AWS::EKS::Cluster": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::RDS::DBCluster": "DBClusterIdentifier",
    "AWS::S3::Bucket": "BucketName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::Logs::LogGroup": "LogGroupName",
}
"""The property that gives the name of what `Ref` returns."""
_ARNS = {
    "AWS::IAM::Role": "arn:{partition}:iam::{account}:role/{name}",
    "AWS::S3::Bucket": "arn:{partition}:s3:::{name}",
    "AWS::EKS::Cluster": "arn:{partition}:eks:{region}:{account}:cluster/{name}",
    "AWS::ECR::Repository": "arn:{partition}:ecr:{region}:{account}:repository/{name}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of a template.

    Attributes:
        template: The path of its template.
        id: Its logical id.
        type: Such as `AWS::S3::Bucket`.
        properties: Its properties, with what is known in place of references.
        whole: All that the template says of it, as it stands there.
    """

    template: str
    id: str
    type: str
    properties: Mapping[str, Any]
    whole: Mapping[str, Any]

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"{self.template}: {self.id}"

    def text(self, name: str) -> str | None:
        """Return a property that is a known text, else None."""
        value = self.properties.get(name)
        return value if isinstance(value, str) and is_known(value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template, and what stands for its parameters.

    Attributes:
        path: Its path among the generated files.
        document: The whole template.
        known: What references stand for, by name: parameters and pseudo parameters.
        exports: What other templates export, by name.
    """

    path: str
    document: Mapping[str, Any]
    known: Mapping[str, str] = field(default_factory=dict)
    exports: Mapping[str, str] = field(default_factory=dict)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All resources, sorted by id."""
        return tuple([self._resource(name) for name in sorted(self.document.get("Resources", {}))])

    def of(self, *types: str) -> Iterator[Resource]:
        """Yield the resources of some types."""
        for resource in self.resources:
            if resource.type in types:
                yield resource

    def resolve(self, value: Any) -> Any:
        """Return a value with what is known in place of references; what is not stays as `${Name}`."""
        if isinstance(value, list):
            return [self.resolve(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            found = self._intrinsic(name, argument)
            if found is not None:
                return found
        return {name: self.resolve(each) for name, each in value.items()}

    def exported(self) -> dict[str, str]:
        """Return what other templates can import, by name."""
        outputs = [each for each in self.document.get("Outputs", {}).values() if "Export" in each]
        return {str(self.resolve(each["Export"]["Name"])): str(self.resolve(each.get("Value"))) for each in outputs}

    def _resource(self, name: str) -> Resource:
        whole = self.document["Resources"][name]
        return Resource(
            template=self.path,
            id=name,
            type=str(whole.get("Type", "")),
            properties=self.resolve(whole.get("Properties", {})),
            whole=whole,
        )

    def _intrinsic(self, name: str, argument: Any) -> Any:
        """Return what an intrinsic function gives; None if `name` is none."""
        known: dict[str, Callable[[Any], Any]] = {
            "Ref": self._reference,
            "Fn::GetAtt": self._attribute,
            "Fn::Sub": self._substituted,
            "Fn::Join": self._joined,
            "Fn::If": lambda given: self.resolve(given[1]),
            "Fn::ImportValue": self._imported,
        }
        if name in known:
            return known[name](argument)
        if name.startswith("Fn::"):
            return "${" + f"{name} {json.dumps(argument, sort_keys=True)}".translate(_NO_BRACES) + "}"
        return None

    def _joined(self, argument: list[Any]) -> str:
        separator, parts = argument
        values = self.resolve(parts)
        return separator.join(map(str, values)) if isinstance(values, list) else str(values)

    def _imported(self, argument: Any) -> str:
        name = str(self.resolve(argument))
        return self.exports.get(name, f"${{{name.translate(_NO_BRACES)}}}")

    def _reference(self, name: str) -> str:
        if name in self.known:
            return self.known[name]
        resource = self.document.get("Resources", {}).get(name)
        given = _NAMED_BY.get(resource.get("Type", ""), "") if isinstance(resource, dict) else ""
        value = self.resolve(resource.get("Properties", {}).get(given)) if given else None
        return value if isinstance(value, str) else f"${{{name}}}"

    def _attribute(self, argument: Any) -> str:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        name, attribute = str(parts[0]), str(parts[1])
        resource = self.document.get("Resources", {}).get(name)
        form = _ARNS.get(resource.get("Type", "")) if isinstance(resource, dict) else None
        called = self._reference(name)
        if attribute == "Arn" and form and is_known(called):
            return form.format(
                partition=self.known.get("AWS::Partition", "aws"),
                region=self.known.get("AWS::Region", ""),
                account=self.known.get("AWS::AccountId", ""),
                name=called,
            )
        return f"${{{name}.{attribute}}}"

    def _substituted(self, argument: Any) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument

        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if name in given:
                return str(self.resolve(given[name]))
            return self._attribute(name) if "." in name else self._reference(name)

        return _REFERENCE.sub(value, text)


def is_known(value: str) -> bool:
    """Tell whether nothing in a resolved text is left to the creation of the stack."""
    return "${" not in value


def listed(value: Any) -> list[Any]:
    """Return what may be one value or a list of them as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def templates_of(documents: Iterable[tuple[str, Mapping[str, Any]]], known: Mapping[str, str]) -> tuple[Template, ...]:
    """Return templates that know what those before them export.

    Args:
        documents: The path and the content of each, in the order of their stacks.
        known: What pseudo parameters, and parameters without a default, stand for.
    """
    found: list[Template] = []
    exports: dict[str, str] = {}
    for path, document in documents:
        parameters = document.get("Parameters", {})
        defaults = {name: str(each["Default"]) for name, each in parameters.items() if "Default" in each}
        template = Template(path=path, document=document, known={**defaults, **known}, exports=dict(exports))
        exports.update(template.exported())
        found.append(template)
    return tuple(found)
