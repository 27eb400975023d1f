"""What jobs need in the account: secrets, roles that trust them, images, a cluster with its add-ons, databases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from aws_stubs import Stubs
from datasurface.deploy.aws.preflight.clients import Clients
from datasurface.deploy.aws.preflight.subject import AwsSubject
from datasurface.model.vocabulary import AwsIdentity
from preflight_bench import (
    ACCOUNT,
    IMAGE,
    REGION,
    aws,
    fails,
    passes,
    resource,
    results,
    skips,
    subject,
    warns,
)

GOOD = '{"username": "ann", "password": "s3cret-of-ann"}'
NEEDED = ("datasurface/acme/prod/merge_admin", "datasurface/acme/prod/shop_reader")


def given_secrets(cloud: Clients, **changed: str | None) -> None:
    for name in NEEDED:
        text = changed.get(name.rpartition("/")[2], GOOD)
        if text is not None:
            cloud.client("secretsmanager").create_secret(Name=name, SecretString=text)


def test_secrets_with_what_each_job_needs(cloud: Clients) -> None:
    given_secrets(cloud)
    found = subject(clients=cloud)
    assert {secret.name for secret in found.secrets if not secret.issued} == set(NEEDED)
    skips("aws.secrets.present", found, "`datasurface security sync` makes it")
    verdicts = {result.verdict.value for result in results("aws.secrets.present", found)}
    assert verdicts == {"pass", "skipped"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no secret datasurface/acme/prod/shop_reader"),
        ("postgresql://ann:s3cret-of-ann@db/shop", "is no JSON object"),
        ('["s3cret-of-ann"]', "is no JSON object"),
        ('{"postgres_USER": "ann", "postgres_PASSWORD": "s3cret-of-ann"}', "has no username, password"),
        ('{"username": "ann", "password": ""}', "has no password"),
    ],
)
def test_secrets_that_would_not_do(cloud: Clients, text: str | None, words: str) -> None:
    given_secrets(cloud, shop_reader=text)
    found = fails("aws.secrets.present", subject(clients=cloud), words, "shop_reader")
    assert "s3cret" not in json.dumps(found.to_json())
    assert '"username": …' in found.outcome.remedy


def test_a_secret_that_is_being_deleted(cloud: Clients) -> None:
    given_secrets(cloud)
    cloud.client("secretsmanager").delete_secret(SecretId=NEEDED[1], RecoveryWindowInDays=7)
    fails("aws.secrets.present", subject(clients=cloud), "is being deleted", "restore-secret")


def test_secrets_that_the_stacks_make(cloud: Clients) -> None:
    given_secrets(cloud, shop_reader=None)
    made = {"Secret": resource("SecretsManager::Secret", Name=NEEDED[1])}
    skips("aws.secrets.present", subject(made, clients=cloud), "the stacks make it")


ISSUER = f"oidc.eks.{REGION}.amazonaws.com/id/ABC"


def make_cluster(cloud: Clients, name: str = "acme") -> str:
    """Make a cluster; return its issuer without https://."""
    role = f"arn:aws:iam::{ACCOUNT}:role/x"
    made = cloud.client("eks").create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": ["a", "b"]})
    issuer: str = made["cluster"]["identity"]["oidc"]["issuer"]
    return issuer.removeprefix("https://")


def account() -> str:
    return min(account for secret in subject().secrets for account in secret.accounts)


def trust(issuer: str, name: str) -> str:
    condition = {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": f"system:serviceaccount:datasurface:{name}"}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": condition},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trusting(cloud: Clients, **more: Any) -> AwsSubject:
    role = resource("IAM::Role", RoleName="acme-jobs")
    arn = {"Fn::GetAtt": ["Role", "Arn"]}
    pods = resource("EKS::PodIdentityAssociation", ServiceAccount=account(), RoleArn=arn)
    return subject({"Role": role, "Pods": pods}, settings=aws(cluster="acme", **more), clients=cloud)


def test_a_role_that_trusts_the_service_account(cloud: Clients) -> None:
    skips("aws.trust.roles", trusting(cloud), "no role of a job exists yet")
    issuer = make_cluster(cloud)
    cloud.client("iam").create_role(RoleName="acme-jobs", AssumeRolePolicyDocument=trust(issuer, account()))
    assert "acme-jobs trusts it" in passes("aws.trust.roles", trusting(cloud))


@pytest.mark.parametrize(
    ("issuer", "name", "words"),
    [
        (None, "somebody", "not the service account"),
        ("oidc.eks.eu-central-1.amazonaws.com/id/OTHER", None, "was made for another cluster"),
        ("https://oidc.eks.eu-central-1.amazonaws.com/id/ABC", None, "without https://"),
    ],
)
def test_a_role_that_does_not(cloud: Clients, issuer: str | None, name: str | None, words: str) -> None:
    actual = make_cluster(cloud)
    policy = trust(issuer or actual, name or account())
    cloud.client("iam").create_role(RoleName="acme-jobs", AssumeRolePolicyDocument=policy)
    fails("aws.trust.roles", trusting(cloud), "acme-jobs", words)


def test_the_issuer_is_known_to_iam(cloud: Clients) -> None:
    given = {"identity": AwsIdentity.IRSA}
    skips("aws.trust.provider", trusting(cloud, **given), "not there yet")
    issuer = make_cluster(cloud)
    fails("aws.trust.provider", trusting(cloud, **given), issuer, "create-open-id-connect-provider")
    cloud.client("iam").create_open_id_connect_provider(Url=f"https://{issuer}", ThumbprintList=["a" * 40])
    assert "is known to IAM" in passes("aws.trust.provider", trusting(cloud, **given))


def stubbed_cluster(stubs: Stubs, **more: Any) -> Stubs:
    return stubs.answer("eks", "describe_cluster", {"cluster": {"name": "acme", "status": "ACTIVE", **more}})


@pytest.mark.parametrize("there", [True, False])
def test_pod_identity(there: bool) -> None:
    associations = [{"serviceAccount": account() if there else "other", "namespace": "datasurface"}]
    stubs = stubbed_cluster(Stubs(), version="1.35")
    expected = {"clusterName": "acme", "namespace": "datasurface"}
    stubs.answer("eks", "list_pod_identity_associations", {"associations": associations}, expected)
    given = trusting(Clients(REGION, stubs))
    if there:
        passes("aws.trust.associations", given)
    else:
        fails("aws.trust.associations", given, account(), "associated with no role")


NODES = {"Nodes": resource("EKS::Nodegroup", InstanceTypes=["m6g.large"])}
INDEX = "application/vnd.oci.image.index.v1+json"


def pushed(cloud: Clients, *architectures: str) -> str:
    """Push a list of manifests for these architectures; return the image by its digest."""
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="jobs")
    one = "application/vnd.oci.image.manifest.v1+json"
    listed = [
        {"mediaType": one, "size": 1, "digest": "sha256:" + "b" * 64, "platform": {"architecture": each, "os": "linux"}}
        for each in architectures
    ]
    manifest = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
    made = ecr.put_image(repositoryName="jobs", imageManifest=json.dumps(manifest), imageTag="1")
    return f"{IMAGE.partition('@')[0]}@{made['image']['imageId']['imageDigest']}"


def manifest_of(value: Mapping[str, Any]) -> Clients:
    told = {"images": [{"imageManifest": json.dumps(value)}]}
    return Clients(REGION, Stubs().answer("ecr", "batch_get_image", told))


def test_an_image_that_is_not_there(cloud: Clients) -> None:
    fails("aws.images.present", subject(NODES, images={"jobs": IMAGE}, clients=cloud), "not in its registry", "buildx")
    cloud.client("ecr").create_repository(repositoryName="jobs")
    fails("aws.images.present", subject(NODES, images={"jobs": IMAGE}, clients=cloud), "not in its registry")


def test_an_image_that_cannot_be_there_yet(cloud: Clients) -> None:
    made = {**NODES, "Repository": resource("ECR::Repository", RepositoryName="jobs")}
    warns("aws.images.present", subject(made, images={"jobs": IMAGE}, clients=cloud), "made by the stacks", "buildx")


def test_architectures_of_an_image() -> None:
    def listed(*architectures: str) -> dict[str, Any]:
        return {"manifests": [{"platform": {"architecture": each}} for each in architectures]}

    both = subject(NODES, images={"jobs": IMAGE}, clients=manifest_of(listed("amd64", "arm64", "unknown")))
    assert "for amd64, arm64" in passes("aws.images.present", both)
    wrong = subject(NODES, images={"jobs": IMAGE}, clients=manifest_of(listed("amd64")))
    fails("aws.images.present", wrong, "nodes of arm64", "exec format error", "linux/arm64")
    single = subject(NODES, images={"jobs": IMAGE}, clients=manifest_of({"config": {}}))
    warns("aws.images.present", single, "one architecture")


def test_an_image_in_the_registry(cloud: Clients) -> None:
    image = pushed(cloud, "amd64", "arm64")
    assert "for amd64, arm64" in passes("aws.images.present", subject(NODES, images={"jobs": image}, clients=cloud))


def test_registries_of_others_are_not_asked(cloud: Clients) -> None:
    skips(
        "aws.images.present", subject(images={"jobs": "ghcr.io/acme/jobs@sha256:" + "a" * 64}, clients=cloud), "ghcr.io"
    )


def test_a_cluster_that_is_named_and_not_there(cloud: Clients) -> None:
    fails("aws.cluster.state", subject(settings=aws(cluster="acme"), clients=cloud), "there is no cluster acme")
    skips("aws.cluster.state", subject({"C": resource("EKS::Cluster", Name="acme")}, clients=cloud), "not there yet")


@pytest.mark.parametrize(
    ("cluster", "verdict", "words"),
    [
        ({"version": "1.35"}, "pass", "Kubernetes 1.35"),
        ({"version": "1.28"}, "fail", "has ended"),
        ({"version": "1.35", "status": "CREATING"}, "fail", "it is CREATING"),
        ({"version": "1.32"}, "warn", "extended support"),
        ({"version": "1.35", "resourcesVpcConfig": {"endpointPublicAccess": True}}, "warn", "open to the world"),
    ],
)
def test_the_state_of_a_cluster(cluster: dict[str, Any], verdict: str, words: str) -> None:
    given = subject(settings=aws(cluster="acme"), clients=Clients(REGION, stubbed_cluster(Stubs(), **cluster)))
    if verdict == "pass":
        assert words in passes("aws.cluster.state", given)
    else:
        (fails if verdict == "fail" else warns)("aws.cluster.state", given, words)


@pytest.mark.parametrize(("version", "verdict"), [("1.35", "pass"), ("1.33", "warn"), ("1.20", "fail")])
def test_versions_that_eks_makes(version: str, verdict: str) -> None:
    stubs = Stubs().refuse("eks", "describe_cluster", "ResourceNotFoundException")
    offered = [("1.35", "STANDARD_SUPPORT"), ("1.33", "EXTENDED_SUPPORT")]
    told = [{"clusterVersion": each, "versionStatus": status} for each, status in offered]
    stubs.answer("eks", "describe_cluster_versions", {"clusterVersions": told})
    given = subject({"C": resource("EKS::Cluster", Name="acme", Version=version)}, clients=Clients(REGION, stubs))
    if verdict == "pass":
        passes("aws.cluster.offered", given)
    else:
        (fails if verdict == "fail" else warns)("aws.cluster.offered", given, version)


def test_addons() -> None:
    addons = {"A": resource("EKS::Addon", AddonName="coredns"), "B": resource("EKS::Addon", AddonName="vpc-cni")}

    def given(*there: str, status: str = "ACTIVE") -> AwsSubject:
        stubs = stubbed_cluster(Stubs()).answer("eks", "list_addons", {"addons": list(there)})
        issues = {"issues": [{"code": "AccessDenied", "message": "no role"}]} if status != "ACTIVE" else {}
        for name in sorted(there):
            addon = {"addonName": name, "status": status, "addonVersion": "v1", "health": issues}
            stubs.answer("eks", "describe_addon", {"addon": addon})
        return subject(addons, settings=aws(cluster="acme"), clients=Clients(REGION, stubs))

    passes("aws.cluster.addons", given("coredns", "vpc-cni"))
    fails("aws.cluster.addons", given("coredns"), "vpc-cni", "create-addon")
    fails("aws.cluster.addons", given("coredns", "vpc-cni", status="DEGRADED"), "DEGRADED: no role")


def test_access_to_the_cluster() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/ann"

    def given(*entries: str) -> AwsSubject:
        stubs = stubbed_cluster(Stubs()).answer("sts", "get_caller_identity", {"Arn": arn})
        stubs.answer("eks", "list_access_entries", {"accessEntries": list(entries)})
        return subject(settings=aws(cluster="acme"), clients=Clients(REGION, stubs))

    passes("aws.cluster.access", given(arn))
    warns("aws.cluster.access", given("arn:aws:iam::123456789012:role/other"), arn, "admins=")
