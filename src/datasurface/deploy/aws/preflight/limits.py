"""What AWS takes as names, by the property that gives them, as data. Each rule follows the service's API reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LABEL", "RULES", "SECRET", "STACK", "NameRule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRule:
    """What a service takes as a name.

    Attributes:
        longest: The most characters.
        pattern: What the whole name has to match, apart from its length.
        words: The same in words.
        shortest: The fewest characters.
        never: What it may not match besides.
    """

    longest: int
    pattern: str
    words: str
    shortest: int = 1
    never: str = field(default=r"(?!)")

    def problem(self, name: str) -> str | None:
        """Return what is wrong with a name, in words; None if nothing is."""
        if not self.shortest <= len(name) <= self.longest:
            return f"{name!r} has {len(name)} characters; it takes {self.shortest} to {self.longest}"
        if re.fullmatch(self.pattern, name) is None or re.search(self.never, name):
            return f"{name!r} is not legal: it takes {self.words}"
        return None


_RDS = NameRule(
    longest=63,
    pattern=r"[A-Za-z][A-Za-z0-9-]*",
    never=r"--|-\Z",
    words="letters, digits and single hyphens, beginning with a letter and not ending with a hyphen",
)
_ELB = NameRule(
    longest=32,
    pattern=r"[A-Za-z0-9-]+",
    never=r"\A-|-\Z|\Ainternal-",
    words="letters, digits and hyphens, neither at the beginning nor at the end, and not `internal-` at the beginning",
)
_IAM_CHARACTERS = "letters, digits and _+=,.@-"
LABEL = NameRule(
    longest=63,
    pattern=r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?",
    words="letters, digits, dots, dashes and underscores, with a letter or digit at both ends",
)
"""The value of a Kubernetes label."""
SECRET = NameRule(
    longest=512,
    pattern=r"[A-Za-z0-9/_+=.@-]+",
    never=r"-[A-Za-z0-9]{6}\Z",
    words="letters, digits and /_+=.@-, and no hyphen before the last six characters: AWS adds such an ending itself",
)
"""The name of a secret of Secrets Manager."""
STACK = NameRule(
    longest=128,
    pattern=r"[A-Za-z][A-Za-z0-9-]*",
    words="letters, digits and hyphens, beginning with a letter",
)
"""The name of a stack of CloudFormation."""

RULES: Mapping[tuple[str, str], NameRule] = {
    ("AWS::S3::Bucket", "BucketName"): NameRule(
        shortest=3,
        longest=63,
        pattern=r"[a-z0-9][a-z0-9.-]*[a-z0-9]",
        never=r"\.\.|\A\d+\.\d+\.\d+\.\d+\Z|\A(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ols-s3|\.mrap|--x-s3)\Z",
        words="small letters, digits, dots and hyphens, a letter or digit at both ends, and none of AWS's own endings",
    ),
    ("AWS::IAM::Role", "RoleName"): NameRule(longest=64, pattern=r"[A-Za-z0-9_+=,.@-]+", words=_IAM_CHARACTERS),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): NameRule(
        longest=128, pattern=r"[A-Za-z0-9_+=,.@-]+", words=_IAM_CHARACTERS
    ),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Name"): _ELB,
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "Name"): _ELB,
    ("AWS::RDS::DBCluster", "DBClusterIdentifier"): _RDS,
    ("AWS::RDS::DBInstance", "DBInstanceIdentifier"): _RDS,
    ("AWS::RDS::DBSubnetGroup", "DBSubnetGroupName"): NameRule(
        longest=255, pattern=r"[a-z0-9 _.-]+", never=r"\Adefault\Z", words="small letters, digits, spaces and _.-"
    ),
    ("AWS::EKS::Cluster", "Name"): NameRule(
        longest=100, pattern=r"[A-Za-z0-9][A-Za-z0-9_-]*", words="letters, digits, _ and -, beginning with a letter"
    ),
    ("AWS::EKS::Nodegroup", "NodegroupName"): NameRule(
        longest=63, pattern=r"[A-Za-z0-9][A-Za-z0-9_-]*", words="letters, digits, _ and -, beginning with a letter"
    ),
    ("AWS::EKS::FargateProfile", "FargateProfileName"): NameRule(
        longest=63, pattern=r"[A-Za-z0-9][A-Za-z0-9_-]*", words="letters, digits, _ and -"
    ),
    ("AWS::SecretsManager::Secret", "Name"): SECRET,
    ("AWS::KMS::Alias", "AliasName"): NameRule(
        longest=256,
        pattern=r"alias/[A-Za-z0-9/_-]+",
        never=r"\Aalias/aws/",
        words="`alias/`, then letters, digits, /, _ and -, and not alias/aws/",
    ),
    ("AWS::Logs::LogGroup", "LogGroupName"): NameRule(
        longest=512, pattern=r"[A-Za-z0-9._/#-]+", never=r"\Aaws/", words="letters, digits and ._-/#"
    ),
    ("AWS::ECR::Repository", "RepositoryName"): NameRule(
        shortest=2,
        longest=256,
        pattern=r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*",
        words="small letters and digits, with single . _ - or / between them",
    ),
    ("AWS::SNS::Topic", "TopicName"): NameRule(
        longest=256, pattern=r"[A-Za-z0-9_-]+(\.fifo)?", words="letters, digits, _ and -"
    ),
    ("AWS::SQS::Queue", "QueueName"): NameRule(
        longest=80, pattern=r"[A-Za-z0-9_-]+(\.fifo)?", words="letters, digits, _ and -"
    ),
    ("AWS::Lambda::Function", "FunctionName"): NameRule(
        longest=64, pattern=r"[A-Za-z0-9_-]+", words="letters, digits, _ and -"
    ),
    ("AWS::CloudWatch::Alarm", "AlarmName"): NameRule(longest=255, pattern=r"[ -~]+", words="printable characters"),
    ("AWS::Events::Rule", "Name"): NameRule(longest=64, pattern=r"[A-Za-z0-9_.-]+", words="letters, digits and ._-"),
    ("AWS::EC2::SecurityGroup", "GroupName"): NameRule(
        longest=255, pattern=r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]+", never=r"\Asg-", words="no `sg-` at the beginning"
    ),
    ("AWS::EC2::LaunchTemplate", "LaunchTemplateName"): NameRule(
        shortest=3, longest=128, pattern=r"[A-Za-z0-9().\/_-]+", words="letters, digits and ().-/_"
    ),
}
"""By type of resource and property."""
