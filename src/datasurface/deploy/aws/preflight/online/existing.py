"""What is in the account already: the states of the stacks, what belongs to them, and the cluster. Asked once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasurface.deploy.aws.preflight.subject import AwsSubject

__all__ = ["existing_cluster", "existing_stacks", "own_resources"]


def existing_stacks(subject: AwsSubject) -> dict[str, str]:
    """Return the states of those stacks that are there, by name.

    Raises:
        UnseenError, AwsRefusalError, SecretError, TransientError: as `AwsReader.ask`.
    """

    def ask() -> dict[str, str]:
        found = {}
        for name in subject.stack_names:
            answer = subject.aws.find("cloudformation", "describe_stacks", {"ValidationError"}, StackName=name)
            for stack in answer["Stacks"] if answer else ():
                if stack["StackStatus"] != "DELETE_COMPLETE":
                    found[name] = str(stack["StackStatus"])
        return found

    return subject.once("stacks", ask)


def own_resources(subject: AwsSubject) -> set[str]:
    """Return the physical names of what the stacks that are there hold.

    Raises:
        UnseenError, AwsRefusalError, SecretError, TransientError: as `AwsReader.ask`.
    """

    def ask() -> set[str]:
        found = set()
        for name in existing_stacks(subject):
            held = subject.aws.pages("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name)
            found |= {str(each.get("PhysicalResourceId", "")) for each in held}
        return found

    return subject.once("resources", ask)


def existing_cluster(subject: AwsSubject) -> Mapping[str, Any] | None:
    """Return the EKS cluster of the environment, or None if it is not there.

    Raises:
        UnseenError, AwsRefusalError, SecretError, TransientError: as `AwsReader.ask`.
    """

    def ask() -> Mapping[str, Any] | None:
        absent = {"ResourceNotFoundException"}
        answer = subject.aws.find("eks", "describe_cluster", absent, name=subject.cluster)
        return answer["cluster"] if answer is not None else None

    return subject.once("cluster", ask)
