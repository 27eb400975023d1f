"""How everything that is made in AWS is called: within each service's limits, unique, and known before it exists.

Because names are known beforehand, policies name what they are about, and nobody has to copy an ARN.
"""

from __future__ import annotations

from dataclasses import dataclass

from datasurface.deploy.base import Deployable
from datasurface.deploy.names import dns_label, job_account
from datasurface.model.deployment import Aws
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.release.needs import SystemJob

__all__ = ["AwsNames", "aws_names", "partition_of"]

_PREFIX = 24
"""The longest beginning of a name: a bucket's name holds it, a word, the account and the region in 63 characters."""
_ROLE = 64
_DATABASE = 63


def partition_of(region: str) -> str:
    """Return the partition of AWS that a region belongs to: the second part of ARNs."""
    return next(
        (name for start, name in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")) if region.startswith(start)), "aws"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsNames:
    """The names of one environment's resources.

    Attributes:
        prefix: What they begin with: at most 24 small letters, digits and dashes.
        cluster: The name of the EKS cluster.
    """

    prefix: str
    account: str
    region: str
    cluster: str

    @property
    def partition(self) -> str:
        """The second part of ARNs."""
        return partition_of(self.region)

    @property
    def registry(self) -> str:
        """The host of the account's image registry."""
        ending = ".cn" if self.partition == "aws-cn" else ""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com{ending}"

    @property
    def repository(self) -> str:
        """The repository of the jobs' image."""
        return f"{self.prefix}/jobs"

    def stack(self, name: str) -> str:
        """Return the name of a stack."""
        return f"{self.prefix}-{name}"

    def export(self, name: str) -> str:
        """Return the name under which a stack tells the others about something."""
        return f"{self.prefix}-{name}"

    def bucket(self, what: str) -> str:
        """Return the name of a bucket, which no other account or region has either."""
        return f"{self.prefix}-{what}-{self.account}-{self.region}"

    def bucket_arn(self, what: str) -> str:
        """Return the ARN of a bucket."""
        return f"arn:{self.partition}:s3:::{self.bucket(what)}"

    def key_alias(self, what: str) -> str:
        """Return the alias of a key."""
        return f"alias/{self.prefix}-{what}"

    def database(self, container: str) -> str:
        """Return the identifier of a database cluster."""
        return f"{self.prefix}-{dns_label(container, limit=_DATABASE - _PREFIX - 1).removeprefix('ds-')}"

    def rotation(self, container: str) -> str:
        """Return the name of the function that rotates the password of a database's administrator."""
        return f"{self.database(container)[:54].rstrip('-')}-rotation"

    def log_group(self, what: str) -> str:
        """Return the name of a log group."""
        return f"/datasurface/{self.prefix}/{what}"

    def role(self, what: str) -> str:
        """Return the name of a role of the system: cluster, nodes, …."""
        return f"{self.prefix}-{what}"[:_ROLE]

    def job_role(self, platform: PlatformSpec, kind: SystemJob | JobSpec) -> str:
        """Return the name of the role of a kind of job: that of its service account."""
        return job_account(platform, kind)

    def role_arn(self, name: str) -> str:
        """Return the ARN of a role of this account."""
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def secret_arn(self, name: str, region: str | None = None) -> str:
        """Return the pattern of a secret's ARN: AWS adds a dash and six characters to its name."""
        return f"arn:{self.partition}:secretsmanager:{region or self.region}:{self.account}:secret:{name}-??????"


def aws_names(deployable: Deployable) -> AwsNames:
    """Return the names of what an environment has in AWS.

    Raises:
        ConfigurationError: the environment is not deployed to AWS.
    """
    settings = deployable.settings(Aws)
    prefix = dns_label(deployable.ecosystem, deployable.environment_name, limit=_PREFIX)
    return AwsNames(prefix=prefix, account=settings.account, region=settings.region, cluster=settings.cluster or prefix)
