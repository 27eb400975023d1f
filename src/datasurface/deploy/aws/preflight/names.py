"""Checks of names: every one that follows from the model is one that its service takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from datasurface.deploy.aws.preflight.limits import LABEL, RULES, SECRET, STACK, NameRule
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import is_known
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed

__all__ = ["CHECKS"]

_SHORTER = "choose shorter names for the ecosystem, the environment or the platform, or give the name in Aws(…)"
_KINDS = {
    "bucket": ("S3 bucket", ("AWS::S3::Bucket",), 63),
    "role": ("IAM role", ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"), 64),
    "load-balancer": (
        "load balancer",
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancingV2::TargetGroup"),
        32,
    ),
    "database": (
        "database cluster",
        ("AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::RDS::DBSubnetGroup"),
        63,
    ),
    "cluster": ("EKS cluster", ("AWS::EKS::Cluster", "AWS::EKS::Nodegroup", "AWS::EKS::FargateProfile"), 100),
    "log-group": ("log group", ("AWS::Logs::LogGroup",), 512),
    "repository": ("ECR repository", ("AWS::ECR::Repository",), 256),
    "key-alias": ("KMS alias", ("AWS::KMS::Alias",), 256),
}
_OTHER = {kind for kind, _ in RULES} - {kind for _, kinds, _ in _KINDS.values() for kind in kinds}


def _named(*types: str) -> Callable[[AwsSubject], Iterator[Outcome]]:
    """Return a look at the names of the templates' resources of these types."""

    def look(subject: AwsSubject) -> Iterator[Outcome]:
        for (type_, name), rule in RULES.items():
            if type_ not in types:
                continue
            for resource in subject.resources(type_):
                given = resource.properties.get(name)
                if isinstance(given, str) and is_known(given):
                    yield _judged(given, rule, resource.place)

    return look


def _judged(name: str, rule: NameRule, about: str) -> Outcome:
    problem = rule.problem(name)
    if problem is None:
        return passed(f"{name} ({len(name)} of {rule.longest} characters)", about=about)
    return failed(problem, _SHORTER, about=about)


def _secrets(subject: AwsSubject) -> Iterator[Outcome]:
    yield from _named("AWS::SecretsManager::Secret")(subject)
    for name in sorted({secret.name for secret in subject.secrets}):
        problem = SECRET.problem(name)
        if problem:
            yield failed(problem, "choose a shorter name for the credential, or another prefix in AwsSecrets(…)")


def _stacks(subject: AwsSubject) -> Iterator[Outcome]:
    for name in subject.stack_names:
        yield _judged(name, STACK, "stack")


def _labels(subject: AwsSubject) -> Iterator[Outcome]:
    for label, about in subject.accounts:
        problem = LABEL.problem(label)
        if problem:
            yield failed(problem, _SHORTER, about=about)


CHECKS: tuple[Check[AwsSubject], ...] = (
    *[
        Check(
            id=f"aws.names.{kind}",
            title=f"name of the {label}",
            looks_at=f"the length (at most {longest}) and the characters of each {label}'s name in the templates",
            fails="a name is too long, or has a character that the service refuses",
            remedy=_SHORTER,
            look=_named(*types),
        )
        for kind, (label, types, longest) in _KINDS.items()
    ],
    Check(
        id="aws.names.secret",
        title="names of secrets",
        looks_at="the secret of each credential that a job needs: at most 512 characters, no ending that AWS adds",
        fails="Secrets Manager would refuse a name, or find another secret by it",
        remedy="a shorter name of the credential, or another prefix in AwsSecrets(…)",
        look=_secrets,
    ),
    Check(
        id="aws.names.stack",
        title="names of stacks",
        looks_at="at most 128 letters, digits and hyphens",
        fails="CloudFormation would refuse a stack's name",
        remedy=_SHORTER,
        look=_stacks,
    ),
    Check(
        id="aws.names.label",
        title="names and labels in Kubernetes",
        looks_at="service accounts, the namespace, and each label that follows from the model: at most 63 characters",
        fails="Kubernetes would refuse a pod",
        remedy=_SHORTER,
        look=_labels,
    ),
    Check(
        id="aws.names.other",
        title="other names",
        looks_at="topics, queues, functions, alarms, rules, security groups and launch templates",
        fails="a name is too long, or has a character that the service refuses",
        remedy=_SHORTER,
        look=_named(*sorted(_OTHER - {"AWS::SecretsManager::Secret"})),
    ),
)
