"""The keys that everything is encrypted with: one for data, one for secrets, one for logs and messages."""

from __future__ import annotations

from troposphere import GetAtt, Ref, kms

from datasurface.deploy.aws.template import StackBuilder

__all__ = ["KEYS", "add_keys", "document", "statement"]

KEYS = ("data", "secrets", "logs")
"""What each key is for; its export is `<Name>Key`, its alias `alias/<prefix>-<name>`."""
_WAIT_DAYS = 30


def add_keys(stack: StackBuilder) -> None:
    """Add the keys and their aliases; a key outlives its stack, because backups need it."""
    for name in KEYS:
        title = f"{name.capitalize()}Key"
        key = stack.add(
            kms.Key(
                title,
                DeletionPolicy="Retain",
                UpdateReplacePolicy="Retain",
                Description=f"{stack.ground.names.prefix}: {name}",
                EnableKeyRotation=True,
                PendingWindowInDays=_WAIT_DAYS,
                KeyPolicy=_policy(stack, name),
            )
        )
        alias = stack.ground.names.key_alias(name)
        stack.add(kms.Alias(f"{title}Alias", AliasName=alias, TargetKeyId=Ref(key)))
        stack.tell(title, GetAtt(key, "Arn"), f"the ARN of the key for {name}, {alias}")


def document(*statements: dict[str, object]) -> dict[str, object]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(
    sid: str,
    actions: str | list[str],
    resources: object,
    *,
    principal: object = None,
    condition: object = None,
    effect: str = "Allow",
) -> dict[str, object]:
    """Return one statement of a policy."""
    found: dict[str, object] = {"Sid": sid, "Effect": effect, "Action": actions, "Resource": resources}
    if principal is not None:
        found["Principal"] = principal
    if condition is not None:
        found["Condition"] = condition
    return found


def _policy(stack: StackBuilder, name: str) -> dict[str, object]:
    """Return a key's policy: the account's own policies decide, and AWS's services use it for this environment only."""
    names = stack.ground.names
    account = {"AWS": f"arn:{names.partition}:iam::{names.account}:root"}
    statements = [statement("AccountDecides", "kms:*", "*", principal=account)]
    if name == "logs":
        groups = f"arn:{names.partition}:logs:{names.region}:{names.account}:log-group:*"
        use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        of_groups = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
        service = {"Service": f"logs.{names.region}.amazonaws.com"}
        statements.append(statement("LogGroups", use, "*", principal=service, condition=of_groups))
        sending = ["kms:Decrypt", "kms:GenerateDataKey*"]
        own = {"StringEquals": {"aws:SourceAccount": names.account}}
        alarms, rules = {"Service": "cloudwatch.amazonaws.com"}, {"Service": "events.amazonaws.com"}
        statements.append(statement("Alarms", sending, "*", principal=alarms, condition=own))
        # EventBridge tells a key nothing about where it comes from: with a condition, its messages would be lost.
        statements.append(statement("Rules", sending, "*", principal=rules))
    return document(*statements)
