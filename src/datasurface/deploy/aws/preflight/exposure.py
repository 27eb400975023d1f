"""Checks that nothing is open to the world, that no password is a default, and that data is encrypted and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.deploy.aws.preflight.template import Resource, is_known, listed
from datasurface.deploy.preflight.check import Check, Outcome, failed, passed, warned

__all__ = ["CHECKS"]

_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})
_DYNAMIC = "{{resolve:"
_SECRET_WORDS = ("password", "secretstring", "token", "privatekey")
_NOT_SECRET = (
    "excludecharacters",
    "generatestringkey",
    "httptokens",
    "managemasteruserpassword",
    "passwordencryption",
    "passwordlength",
    "secretstringtemplate",
    "tokenid",
)
_WEEK, _TWO = 7, 2


def _passwords(subject: AwsSubject) -> Iterator[Outcome]:
    for template in subject.templates:
        for name, parameter in sorted(template.document.get("Parameters", {}).items()):
            if _is_secret(name) and parameter.get("Default"):
                yield failed(
                    f"the parameter {name!r} has a default, which everybody knows",
                    "no default: secrets are made by Secrets Manager",
                    about=template.path,
                )
    for resource in subject.all_resources:
        for path, value in _texts(resource.properties):
            if _is_secret(path.rpartition(".")[2]) and is_known(value) and not value.startswith(_DYNAMIC):
                yield failed(
                    f"{path} holds a text, which anybody can read who sees the template",
                    "a secret that Secrets Manager makes, or {{resolve:secretsmanager:…}}",
                    about=resource.place,
                )
    for manifest in subject.manifests:
        for name in _plain_variables(manifest):
            yield failed(
                f"the variable {name} holds a secret as plain text",
                "a secret of a store: credentials are looked up when a job starts",
                about=f"{manifest.get('kind')} {manifest.get('metadata', {}).get('name')}",
            )


def _is_secret(name: str) -> bool:
    lower = name.lower().replace("_", "")
    return any(word in lower for word in _SECRET_WORDS) and not any(word in lower for word in _NOT_SECRET)


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value:
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, path)


def _plain_variables(value: Any) -> Iterator[str]:
    """Yield the names of variables of containers that hold a secret's text."""
    if isinstance(value, Mapping):
        name, text = value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(text, str) and text and name.isupper() and _is_secret(name):
            yield name
        for each in value.values():
            yield from _plain_variables(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _plain_variables(each)


def _api(subject: AwsSubject) -> Iterator[Outcome]:
    for cluster in subject.resources("AWS::EKS::Cluster"):
        config = cluster.properties.get("ResourcesVpcConfig", {})
        public = _truth(config.get("EndpointPublicAccess", True))
        networks = [str(each) for each in listed(config.get("PublicAccessCidrs"))]
        if not public:
            yield passed("the Kubernetes API is private", about=cluster.place)
        elif not networks or _EVERYWHERE & set(networks):
            yield failed("the Kubernetes API is open to the world", 'Aws(api_access=["…/32"])', about=cluster.place)
        else:
            yield warned(
                f"the Kubernetes API may be reached from {', '.join(networks)}",
                "leave api_access= out if nobody needs it from outside",
                about=cluster.place,
            )


def _open_groups(subject: AwsSubject) -> Iterator[Outcome]:
    for resource in subject.resources("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"):
        own = [dict(resource.properties)] if resource.type.endswith("Ingress") else []
        for rule in own + listed(resource.properties.get("SecurityGroupIngress")):
            if _EVERYWHERE & {str(rule.get("CidrIp")), str(rule.get("CidrIpv6"))}:
                yield failed(
                    f"it lets the whole world in at port {rule.get('FromPort', 'any')}",
                    "name the networks that need it",
                    about=resource.place,
                )


def _open_services(subject: AwsSubject) -> Iterator[Outcome]:
    for database in subject.resources("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"):
        if _truth(database.properties.get("PubliclyAccessible", False)):
            yield failed("the database has a public address", "PubliclyAccessible: false", about=database.place)
    for balancer in subject.resources("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if balancer.properties.get("Scheme", "internet-facing") == "internet-facing":
            yield failed("the load balancer faces the internet", "Scheme: internal", about=balancer.place)
    for manifest in subject.manifests:
        annotations = manifest.get("metadata", {}).get("annotations", {})
        scheme = annotations.get("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal")
        kind = manifest.get("spec", {}).get("type") if manifest.get("kind") == "Service" else None
        if kind == "LoadBalancer" and scheme != "internal":
            name = manifest.get("metadata", {}).get("name")
            yield failed("the service faces the internet", "annotation …-scheme: internal", about=f"Service {name}")


def _buckets(subject: AwsSubject) -> Iterator[Outcome]:
    for bucket in subject.resources("AWS::S3::Bucket"):
        block = bucket.properties.get("PublicAccessBlockConfiguration", {})
        names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        missing = [name for name in names if not _truth(block.get(name, False))]
        if missing:
            yield failed(f"public access is not blocked: {', '.join(missing)}", "set all four", about=bucket.place)


def _encrypted(subject: AwsSubject) -> Iterator[Outcome]:
    for type_, name in (("AWS::RDS::DBCluster", "StorageEncrypted"), ("AWS::EFS::FileSystem", "Encrypted")):
        for resource in subject.resources(type_):
            if not _truth(resource.properties.get(name, False)):
                yield failed("it is not encrypted", f"{name}: true", about=resource.place)
    for bucket in subject.resources("AWS::S3::Bucket"):
        if "BucketEncryption" not in bucket.properties:
            yield warned("it is encrypted with S3's own key only", "a key of KMS", about=bucket.place)


def _truth(value: object) -> bool:
    return value is True or str(value).lower() == "true"


def _kept(subject: AwsSubject) -> Iterator[Outcome]:
    """Backups, protection against deletion, and a second instance."""
    environment = subject.deployable.environment
    production = environment is not None and environment.production
    for database in subject.resources("AWS::RDS::DBCluster"):
        problems = list(_unsafe(subject, database, production=production))
        for problem, remedy in problems:
            judge = failed if production else warned
            yield judge(problem, remedy, about=database.place)
        if not problems:
            yield passed("backups, protection and instances as they should be", about=database.place)


def _unsafe(subject: AwsSubject, database: Resource, *, production: bool) -> Iterator[tuple[str, str]]:
    days = int(database.properties.get("BackupRetentionPeriod", 1))
    if days < _WEEK:
        yield f"backups are kept for {days} days", "AuroraCluster(backup_days=14)"
    if not _truth(database.properties.get("DeletionProtection", False)):
        yield "it can be deleted by mistake", "AuroraCluster(deletion_protection=True)"
    if database.whole.get("DeletionPolicy") not in {"Snapshot", "Retain"}:
        yield "it is gone with its stack", "DeletionPolicy: Snapshot"
    instances = len(list(subject.resources("AWS::RDS::DBInstance")))
    if production and instances < _TWO:
        yield "one instance in one zone serves production", "AuroraCluster(instances=2)"


CHECKS: tuple[Check[AwsSubject], ...] = (
    Check(
        id="aws.exposure.passwords",
        title="default passwords",
        looks_at="parameters, properties and variables that hold a password, token or key as text",
        fails="one does",
        remedy="a secret that Secrets Manager makes",
        look=_passwords,
    ),
    Check(
        id="aws.exposure.api",
        title="the Kubernetes API",
        looks_at="from where the cluster's endpoint may be reached",
        fails="from the whole world; warns if from some networks",
        remedy="api_access= of Aws(…), empty by default",
        look=_api,
    ),
    Check(
        id="aws.exposure.groups",
        title="open security groups",
        looks_at="what security groups let in",
        fails="0.0.0.0/0 or ::/0",
        remedy="the networks that need it",
        look=_open_groups,
    ),
    Check(
        id="aws.exposure.services",
        title="public databases and load balancers",
        looks_at="public addresses of databases, schemes of load balancers and of services",
        fails="one faces the internet",
        remedy="keep it internal",
        look=_open_services,
    ),
    Check(
        id="aws.exposure.buckets",
        title="public buckets",
        looks_at="the block of public access of each bucket",
        fails="a part of it is missing",
        remedy="all four settings",
        look=_buckets,
    ),
    Check(
        id="aws.exposure.encryption",
        title="encryption",
        looks_at="databases, file systems and buckets",
        fails="one is not encrypted; warns of a bucket without a key of KMS",
        remedy="a key of KMS",
        look=_encrypted,
    ),
    Check(
        id="aws.database.safety",
        title="backups and protection of the database",
        looks_at="retention of backups, protection against deletion, what becomes of it with its stack, instances",
        fails="in production one of them is missing; elsewhere it warns",
        remedy="the defaults of AuroraCluster(…)",
        look=_kept,
    ),
)
