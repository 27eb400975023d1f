"""A stack: its template, and what all templates share: names for others, tags, exceptions from rules, text."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from troposphere import AWSObject, Export, ImportValue, Join, Output, Tags, Template

from datasurface.deploy.aws.ground import Ground

__all__ = [
    "CAPABILITY_EXPAND",
    "CAPABILITY_NAMED_IAM",
    "DIRECT_LIMIT",
    "LARGEST",
    "Stack",
    "StackBuilder",
    "joined",
    "title_of",
]

CAPABILITY_NAMED_IAM = "CAPABILITY_NAMED_IAM"
CAPABILITY_EXPAND = "CAPABILITY_AUTO_EXPAND"
DIRECT_LIMIT = 51_200
"""Bytes of a template that CloudFormation takes with the call itself."""
LARGEST = 1_000_000
"""Bytes of a template that it takes from a bucket; 1 MB."""
_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack.

    Attributes:
        key: What it is called within the environment, such as `network`.
        name: What CloudFormation calls it.
        path: The template's file.
        text: The template, as JSON.
        capabilities: What has to be acknowledged.
        purpose: What it holds, in words.
    """

    key: str
    name: str
    path: str
    text: str
    capabilities: tuple[str, ...]
    purpose: str

    @property
    def document(self) -> Mapping[str, Any]:
        """The template as plain data."""
        document: Mapping[str, Any] = json.loads(self.text)
        return document

    @property
    def direct(self) -> bool:
        """Whether the template is small enough to be sent without a bucket."""
        return len(self.text.encode()) <= DIRECT_LIMIT


@dataclass(slots=True, kw_only=True)
class StackBuilder:
    """Collects the resources of one stack.

    Attributes:
        key: What it is called within the environment.
        purpose: What it holds, in words.
    """

    ground: Ground
    key: str
    purpose: str
    capabilities: set[str] = field(default_factory=set)
    template: Template = field(default_factory=Template)

    def add(self, resource: AWSObject) -> Any:
        """Add a resource and return it."""
        if (resource.resource_type or "").startswith("AWS::IAM::"):
            self.capabilities.add(CAPABILITY_NAMED_IAM)
        return self.template.add_resource(resource)

    def tell(self, name: str, value: object, description: str) -> None:
        """Tell the other stacks, and the target `kubernetes`, about something."""
        exported = Export(self.ground.names.export(name))
        self.template.add_output(Output(name, Value=value, Description=description, Export=exported))

    def told(self, name: str) -> ImportValue:
        """Return what another stack told."""
        return ImportValue(self.ground.names.export(name))

    def except_from(self, resource: AWSObject, rules: Mapping[str, str]) -> None:
        """Say in a resource's metadata from which rules of checkov it is an exception, and why."""
        metadata = dict(getattr(resource, "Metadata", None) or {})
        skipped = [{"id": rule, "comment": why} for rule, why in sorted(rules.items())]
        resource.Metadata = {**metadata, "checkov": {"skip": skipped}}

    def built(self) -> Stack:
        """Return the stack; everything in it is tagged."""
        names = self.ground.names
        self.template.set_description(f"DataSurface {names.prefix}: {self.purpose}")
        for resource in self.template.resources.values():
            _tag(resource, {**self.ground.tags, "datasurface:stack": self.key})
        return Stack(
            key=self.key,
            name=names.stack(self.key),
            path=f"{self.key}.json",
            text=json.dumps(self.template.to_dict(), indent=1, sort_keys=True) + "\n",
            capabilities=tuple(sorted(self.capabilities)),
            purpose=self.purpose,
        )


def title_of(name: str) -> str:
    """Return a name as part of a resource's title in a template: `order_lines` is `OrderLines`.

    Titles say which resource is which when a stack changes, so they follow from names and never from places in a list.
    """
    camel = "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", name))
    return camel if _SNAKE.fullmatch(name) else f"{camel[:80]}{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def joined(values: Sequence[object]) -> object:
    """Return a list as one text, which is all that a stack can tell."""
    return Join(",", list(values))


def _tag(resource: AWSObject, tags: Mapping[str, str]) -> None:
    """Give a resource the tags that it lacks, if its kind has tags."""
    name = "FileSystemTags" if resource.resource_type == "AWS::EFS::FileSystem" else "Tags"
    kind = resource.props.get(name)
    if kind is None:
        return
    own = resource.properties.get(name)
    if kind[0] is dict:
        resource.properties[name] = {**tags, **(own or {})}
        return
    given: list[Any] = own.tags if isinstance(own, Tags) else []
    known = {tag["Key"]: tag["Value"] for tag in given}
    resource.properties[name] = Tags(dict(sorted({**tags, **known}.items())))
