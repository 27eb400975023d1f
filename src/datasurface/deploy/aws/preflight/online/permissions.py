"""Whether this login may do everything that creation and running need, simulated by IAM; and the jobs' roles too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from datasurface.deploy.aws.preflight.online.identity import ACCOUNT, principal_of
from datasurface.deploy.aws.preflight.roles import arn_suffix, role_of_account
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.preflight.check import Check, Needs, Outcome, failed, passed, skipped

__all__ = ["CHECKS", "OPERATING", "needed_actions", "policy_for"]

_BATCH = 40
_LISTED = 5
OPERATING: tuple[str, ...] = (
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplateSummary",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetAuthorizationToken",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
    "eks:DescribeCluster",
    "secretsmanager:DescribeSecret",
    "secretsmanager:PutSecretValue",
)
"""What deploying stacks, pushing an image, reaching the cluster and giving secrets need, besides making resources."""


def needed_actions(subject: AwsSubject) -> tuple[str, ...]:
    """Return every action that creation and running need, sorted."""
    return tuple(sorted({*OPERATING, *(action for stack in subject.stacks for action in stack.actions)}))


def _groups(subject: AwsSubject, actions: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """Return actions by what they are about: roles, policies and buckets by their names, all others on `*`."""
    named = {
        "role": tuple(_arns(subject, "AWS::IAM::Role", "RoleName", "iam::{account}:role/{name}")),
        "policy": tuple(_arns(subject, "AWS::IAM::ManagedPolicy", "ManagedPolicyName", "iam::{account}:policy/{name}")),
        "bucket": tuple(_arns(subject, "AWS::S3::Bucket", "BucketName", "s3:::{name}")),
    }
    found: dict[tuple[str, ...], list[str]] = {}
    for action in actions:
        found.setdefault(named.get(_about(action), ()) or ("*",), []).append(action)
    return found


def _about(action: str) -> str:
    """Return what kind of named resource an action is about; empty for none."""
    service, _, name = action.partition(":")
    if service == "s3" and "ListAll" not in name and "Object" not in name:
        return "bucket"
    if service != "iam" or name in {"ListRoles", "ListPolicies", "CreateServiceLinkedRole"}:
        return ""
    return "role" if "Role" in name else "policy" if "Policy" in name and "Simulate" not in name else ""


def _arns(subject: AwsSubject, type_: str, name: str, form: str) -> list[str]:
    names = sorted({given for each in subject.resources(type_) if (given := each.text(name))})
    account = subject.settings.account
    return [f"arn:{subject.partition}:{form.format(account=account, name=each)}" for each in names]


def simulated(subject: AwsSubject, principal: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, str]:
    """Return what IAM decides for each action: `allowed`, `implicitDeny` or `explicitDeny`; the worst of all resources.

    Raises:
        UnseenError, AwsRefusalError, SecretError, TransientError: as `AwsReader.ask`.
    """
    found: dict[str, str] = {}
    for start in range(0, len(actions), _BATCH):
        results = subject.aws.pages(
            "iam",
            "simulate_principal_policy",
            "EvaluationResults",
            PolicySourceArn=principal,
            ActionNames=list(actions[start : start + _BATCH]),
            ResourceArns=list(resources),
        )
        for result in results:
            name = str(result["EvalActionName"])
            worst = [found.get(name, "allowed"), *(decision for _, decision in _decisions(result))]
            found[name] = max(worst, key=_DECISIONS.index)
    return found


_DECISIONS = ("allowed", "implicitDeny", "explicitDeny")


def _decisions(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each resource that an action was simulated on, and what was decided."""
    organization = result.get("OrganizationsDecisionDetail", {})
    denied = organization.get("AllowedByOrganizations") is False
    for each in result.get("ResourceSpecificResults", []):
        yield str(each["EvalResourceName"]), "explicitDeny" if denied else str(each["EvalResourceDecision"])
    if denied or not result.get("ResourceSpecificResults"):
        yield str(result.get("EvalResourceName", "*")), "explicitDeny" if denied else str(result["EvalDecision"])


def policy_for(missing: Mapping[tuple[str, ...], Sequence[str]]) -> dict[str, object]:
    """Return the smallest policy that allows actions, by the resources that they are about."""
    statements: list[dict[str, object]] = [
        {
            "Effect": "Allow",
            "Action": sorted(actions),
            "Resource": resources[0] if len(resources) == 1 else list(resources),
        }
        for resources, actions in sorted(missing.items())
        if actions
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _create(subject: AwsSubject) -> Iterator[Outcome]:
    principal = principal_of(subject)
    missing: dict[tuple[str, ...], list[str]] = {}
    denied: list[str] = []
    number = 0
    for resources, actions in _groups(subject, needed_actions(subject)).items():
        decided = simulated(subject, principal, actions, resources)
        number += len(actions)
        missing[resources] = [action for action in actions if decided.get(action, "implicitDeny") == "implicitDeny"]
        denied += [action for action in actions if decided.get(action) == "explicitDeny"]
    if denied:
        yield failed(
            f"{principal} is denied {_listed(denied)}: by a policy, a permissions boundary or the organization",
            "whoever administers the account or the organization has to lift the denial",
            document={"denied": sorted(denied)},
        )
    lacking = [action for actions in missing.values() for action in actions]
    if lacking:
        yield failed(
            f"{principal} lacks {len(lacking)} of {number} actions: {_listed(lacking)}",
            "add the policy below: aws iam put-role-policy, or put-user-policy",
            document=policy_for(missing),
        )
    if not denied and not lacking:
        yield passed(f"{principal} may do all {number} actions")


def _listed(actions: Sequence[str]) -> str:
    shown = sorted(actions)
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more


def _roles(subject: AwsSubject) -> Iterator[Outcome]:
    """Roles that exist already are asked themselves, whatever the templates say."""
    looked = 0
    for account, role in sorted(role_of_account(subject).items()):
        name = role.text("RoleName")
        secrets = [secret.name for secret in subject.secrets if account in secret.accounts]
        found = subject.aws.find("iam", "get_role", {"NoSuchEntity"}, RoleName=name) if name and secrets else None
        if found is None:
            continue
        looked += 1
        arn = found["Role"]["Arn"]
        resources = [arn_suffix(subject, secret) for secret in secrets]
        results = subject.aws.pages(
            "iam",
            "simulate_principal_policy",
            "EvaluationResults",
            PolicySourceArn=arn,
            ActionNames=["secretsmanager:GetSecretValue"],
            ResourceArns=resources,
        )
        decided = [pair for result in results for pair in _decisions(result)]
        refused = sorted({resource for resource, decision in decided if decision != "allowed"})
        if refused:
            yield failed(
                f"{arn} may not read {len(refused)} of {len(resources)} secrets of its jobs",
                "deploy the stack of the roles anew, or add the policy below",
                about=account,
                document=policy_for({tuple(refused): ["secretsmanager:GetSecretValue"]}),
            )
    if looked == 0:
        yield skipped("no role of a job exists yet", "after the stacks are made, run it again")
    else:
        yield passed(f"{looked} roles looked at")


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.permissions.create",
        title="permissions of this login",
        looks_at="every action that making the stacks, pushing the image and running need, simulated by IAM in batches",
        fails="one is missing or denied; prints the smallest policy that adds what is missing",
        remedy="the printed policy",
        look=_create,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
    Check(
        id="aws.permissions.roles",
        title="permissions of the jobs' roles",
        looks_at="roles of jobs that exist already: whether they may read each secret of their jobs, simulated by IAM",
        fails="one may not",
        remedy="the stack of the roles anew, or the printed policy",
        look=_roles,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
)
