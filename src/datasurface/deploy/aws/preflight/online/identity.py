"""Who asks, and whether it is the account that the model means: every other question waits for that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.preflight.check import Check, Needs, Outcome, UnseenError, failed, passed, warned

__all__ = ["ACCOUNT", "CHECKS", "check_of_account", "principal_of"]

LOGIN, ACCOUNT = "aws.identity.login", "aws.identity.account"


def check_of_account(
    topic: str,
    kind: str,
    title: str,
    looks_at: str,
    fails: str,
    remedy: str,
    look: Callable[[AwsSubject], Iterable[Outcome]],
) -> Check[AwsSubject]:
    """Return the check `<topic>.<kind>`, which asks AWS once the account is known to be the one that is meant."""
    return Check(
        id=f"{topic}.{kind}",
        title=title,
        looks_at=looks_at,
        fails=fails,
        remedy=remedy,
        look=look,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    )


def principal_of(subject: AwsSubject) -> str:
    """Return the ARN of the user or role whose policies decide what this login may do.

    Raises:
        UnseenError: it is neither.
    """
    arn = str(subject.aws.ask("sts", "get_caller_identity", region=subject.home_region)["Arn"])
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        role = subject.aws.find("iam", "get_role", {"NoSuchEntity"}, RoleName=rest.partition("/")[0])
        if role is not None:
            return str(role["Role"]["Arn"])
    if kind == "user":
        return arn
    raise UnseenError(
        f"what {arn} may do cannot be simulated", hint="log in as a user, or under a role, that deploys the stacks"
    )


def _login(subject: AwsSubject) -> Iterator[Outcome]:
    arn = str(subject.aws.ask("sts", "get_caller_identity", region=subject.home_region)["Arn"])
    if arn.endswith(":root"):
        yield warned("this login is the account's root", "a role, or a user, that may do what is needed")
    else:
        yield passed(arn)


def _account(subject: AwsSubject) -> Iterator[Outcome]:
    actual = str(subject.aws.ask("sts", "get_caller_identity", region=subject.home_region)["Account"])
    wanted = subject.settings.account
    if actual == wanted:
        yield passed(actual)
    else:
        yield failed(
            f"this login is of the account {actual}, the environment is deployed to {wanted}",
            f"another profile: AWS_PROFILE=…, or Aws(account={actual!r}) in the model",
        )


def _region(subject: AwsSubject) -> Iterator[Outcome]:
    region = subject.settings.region
    found = subject.aws.ask("ec2", "describe_regions", region=subject.home_region, AllRegions=True)["Regions"]
    state = next((each.get("OptInStatus", "opted-in") for each in found if each.get("RegionName") == region), None)
    if state is None:
        yield failed(f"AWS has no region {region!r}", "another region= in Aws(…)")
    elif state == "not-opted-in":
        yield failed(f"{region} is not enabled in this account", f"aws account enable-region --region-name {region}")
    else:
        yield passed(f"{region} is enabled")


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id=LOGIN,
        title="login to AWS",
        looks_at="sts:GetCallerIdentity",
        fails="there is no login, or it has expired; warns of the account's root",
        remedy="aws sso login, or AWS_PROFILE",
        look=_login,
        needs=Needs.CREDENTIALS,
        seconds=8,
    ),
    Check(
        id=ACCOUNT,
        title="account",
        looks_at="the login's account against account= of Aws(…); all other questions wait for it",
        fails="they differ",
        remedy="another profile",
        look=_account,
        needs=Needs.CREDENTIALS,
        after=LOGIN,
        seconds=4,
    ),
    Check(
        id="aws.identity.region",
        title="region enabled",
        looks_at="whether the account has enabled the region",
        fails="it has not, or there is no such region",
        remedy="aws account enable-region",
        look=_region,
        needs=Needs.CREDENTIALS,
        after=ACCOUNT,
    ),
)
