"""What the templates of `deploy aws` hold: private, encrypted, kept, and nothing that somebody has to copy."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aws_models import ACCOUNT, MERGE, OPS, REGION, Template, aws, deployable, model, of_type, templates
from datasurface import (
    AuroraCluster,
    AuroraDatabase,
    AwsEgress,
    AwsExistingNetwork,
    AwsIdentity,
    AwsNetwork,
    AwsSecrets,
    Hint,
    NodeGroup,
    PostgresDatabase,
)
from datasurface.deploy.aws.actions import ACTIONS, required_actions
from datasurface.deploy.aws.target import TARGET, stacks
from datasurface.deploy.aws_names import AwsNames, aws_names
from datasurface.deploy.base import Deployable
from datasurface.errors import ConfigurationError
from datasurface.model.deployment import Aws

PREFIX = "ds-acme-prod-479fc59d"


@pytest.fixture(scope="module")
def whole() -> dict[str, Template]:
    return templates(aws(admins=[OPS], shared_storage=True, alarms_to=["ops@acme.example"]))


def test_the_stacks_come_in_an_order_in_which_each_finds_what_it_asks_for(whole: dict[str, Template]):
    assert list(whole) == ["foundation", "secrets", "network", "data", "cluster", "identities", "operations"]
    told: set[str] = set()
    for template in whole.values():
        text = json.dumps(template)
        asked = {part.split('"')[0] for part in text.split('"Fn::ImportValue": "')[1:]}
        assert asked <= told
        told |= {output["Export"]["Name"] for output in template.get("Outputs", {}).values()}
    keys = [key for template in whole.values() for key in template.get("Outputs", {})]
    assert len(keys) == len(set(keys))


def test_no_template_has_a_parameter_or_a_password(whole: dict[str, Template]):
    for template in whole.values():
        assert "Parameters" not in template
    (secret,) = of_type(whole["data"], "AWS::SecretsManager::Secret").values()
    assert secret["Name"] == "datasurface/acme/prod/merge_admin"
    assert secret["GenerateSecretString"]["SecretStringTemplate"] == '{"username": "ds_admin"}'
    (cluster,) = of_type(whole["data"], "AWS::RDS::DBCluster").values()
    assert cluster["MasterUserPassword"] == {
        "Fn::Sub": "{{resolve:secretsmanager:${DatabaseSecretMerge}:SecretString:password}}"
    }


def test_the_database_is_encrypted_backed_up_kept_and_takes_tls_only(whole: dict[str, Template]):
    (cluster,) = of_type(whole["data"], "AWS::RDS::DBCluster").values()
    assert cluster["StorageEncrypted"] is True
    assert cluster["DeletionProtection"] is True
    assert cluster["BackupRetentionPeriod"] == 14
    assert cluster["DBClusterIdentifier"] == f"{PREFIX}-merge-39c59690"
    assert whole["data"]["Resources"]["DatabaseMerge"]["DeletionPolicy"] == "Snapshot"
    (parameters,) = of_type(whole["data"], "AWS::RDS::DBClusterParameterGroup").values()
    assert parameters["Parameters"]["rds.force_ssl"] == "1"
    instances = of_type(whole["data"], "AWS::RDS::DBInstance")
    assert len(instances) == 2
    assert not any(instance["PubliclyAccessible"] for instance in instances.values())
    (record,) = of_type(whole["data"], "AWS::Route53::RecordSet").values()
    assert (record["Name"], record["Type"]) == (MERGE.host, "CNAME")
    (rotation,) = of_type(whole["data"], "AWS::SecretsManager::RotationSchedule").values()
    assert rotation["RotationRules"] == {"AutomaticallyAfterDays": 30}


def test_outside_of_production_one_instance_and_one_nat_gateway_do():
    small = templates(production=False)
    assert len(of_type(small["data"], "AWS::RDS::DBInstance")) == 1
    assert len(of_type(small["network"], "AWS::EC2::NatGateway")) == 1


def test_only_the_nodes_and_the_rotation_get_into_the_database(whole: dict[str, Template]):
    (group,) = [
        g for t, g in of_type(whole["data"], "AWS::EC2::SecurityGroup").items() if t.startswith("DatabaseGroup")
    ]
    assert "SecurityGroupIngress" not in group
    (rotation,) = of_type(whole["data"], "AWS::EC2::SecurityGroupIngress").values()
    assert rotation["SourceSecurityGroupId"] == {"Ref": "RotationGroupMerge"}
    (nodes,) = of_type(whole["cluster"], "AWS::EC2::SecurityGroupIngress").values()
    assert nodes["SourceSecurityGroupId"] == {"Fn::GetAtt": ["Cluster", "ClusterSecurityGroupId"]}
    assert nodes["GroupId"] == {"Fn::ImportValue": f"{PREFIX}-DatabaseMergeGroup"}
    assert nodes["FromPort"] == nodes["ToPort"] == 5432


def test_databases_that_exist_are_opened_by_group_and_port():
    opened = templates(aws(databases=[], database_groups=["sg-0123456789abcdef0", "sg-0fedcba9876543210:1433"]))
    assert "data" not in opened
    rules = of_type(opened["cluster"], "AWS::EC2::SecurityGroupIngress").values()
    assert [(r["GroupId"], r["FromPort"]) for r in rules] == [
        ("sg-0123456789abcdef0", 5432),
        ("sg-0fedcba9876543210", 1433),
    ]


def test_the_network_is_private(whole: dict[str, Template]):
    network = whole["network"]
    subnets = of_type(network, "AWS::EC2::Subnet")
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets.values())
    tagged = [
        title
        for title, subnet in subnets.items()
        if {"Key": "kubernetes.io/role/internal-elb", "Value": "1"} in subnet["Tags"]
    ]
    assert tagged == ["NodeSubnet0", "NodeSubnet1", "NodeSubnet2"]
    assert [s["AvailabilityZone"]["Fn::Select"][0] for t, s in sorted(subnets.items()) if t.startswith("Node")] == [
        0,
        1,
        2,
    ]
    associated = of_type(network, "AWS::EC2::SubnetRouteTableAssociation").values()
    public = {a["SubnetId"]["Ref"] for a in associated if a["RouteTableId"] == {"Ref": "PublicRoutes"}}
    assert public == {"PublicSubnet0", "PublicSubnet1", "PublicSubnet2"}
    assert len(of_type(network, "AWS::EC2::NatGateway")) == 3
    assert of_type(network, "AWS::EC2::FlowLog")
    services = {
        e["ServiceName"]["Fn::Sub"].rpartition("${AWS::Region}.")[2]
        for e in of_type(network, "AWS::EC2::VPCEndpoint").values()
    }
    assert {"secretsmanager", "sts", "kms", "s3", "ecr.api", "ecr.dkr", "logs", "eks-auth"} == services
    for database in (title for title in subnets if title.startswith("Database")):
        routes = [r["RouteTableId"]["Ref"] for r in of_type(network, "AWS::EC2::Route").values()]
        assert "DatabaseRoutes" not in routes, database


def test_a_network_without_a_way_out_has_every_endpoint_and_no_gateway():
    network = templates(aws(network=AwsNetwork(egress=AwsEgress.NONE, zones=2)))["network"]
    for kind in ("NatGateway", "InternetGateway", "Route", "EIP"):
        assert not of_type(network, f"AWS::EC2::{kind}")
    text = json.dumps(network)
    for service in ("ec2", "eks", "autoscaling", "elasticloadbalancing", "monitoring"):
        assert f"${{AWS::Region}}.{service}" in text


def test_an_existing_network_is_used_and_not_made():
    found = AwsExistingNetwork(
        "vpc-0123456789abcdef0", cidr="10.1.0.0/16", subnets=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"]
    )
    used = templates(aws(network=found))
    assert "network" not in used
    (cluster,) = of_type(used["cluster"], "AWS::EKS::Cluster").values()
    assert cluster["ResourcesVpcConfig"]["SubnetIds"] == list(found.subnets)
    (group, *_) = of_type(used["data"], "AWS::EC2::SecurityGroup").values()
    assert group["VpcId"] == found.vpc
    made = templates(aws(network=AwsExistingNetwork(found.vpc, cidr=found.cidr, subnets=found.subnets, endpoints=True)))
    assert {r["Type"] for r in made["network"]["Resources"].values()} == {
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::VPCEndpoint",
    }


def test_the_cluster_is_private_encrypted_and_logs_what_is_done(whole: dict[str, Template]):
    (cluster,) = of_type(whole["cluster"], "AWS::EKS::Cluster").values()
    access = cluster["ResourcesVpcConfig"]
    assert access["EndpointPrivateAccess"] is True
    assert access["EndpointPublicAccess"] is False
    assert cluster["EncryptionConfig"][0]["Resources"] == ["secrets"]
    assert len(cluster["Logging"]["ClusterLogging"]["EnabledTypes"]) == 5
    assert cluster["AccessConfig"] == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }
    assert cluster["DeletionProtection"] is True
    assert cluster["Version"] == "1.35"
    (entry,) = of_type(whole["cluster"], "AWS::EKS::AccessEntry").values()
    assert entry["PrincipalArn"] == OPS
    names = {a["AddonName"] for a in of_type(whole["cluster"], "AWS::EKS::Addon").values()}
    assert {"vpc-cni", "coredns", "kube-proxy", "aws-ebs-csi-driver", "eks-pod-identity-agent"} <= names
    (cni,) = [a for a in of_type(whole["cluster"], "AWS::EKS::Addon").values() if a["AddonName"] == "vpc-cni"]
    assert json.loads(cni["ConfigurationValues"]) == {"enableNetworkPolicy": "true"}


def test_the_api_is_public_only_for_networks_that_somebody_named():
    (cluster,) = of_type(templates(aws(api_access=["203.0.113.0/24"]))["cluster"], "AWS::EKS::Cluster").values()
    assert cluster["ResourcesVpcConfig"]["EndpointPublicAccess"] is True
    assert cluster["ResourcesVpcConfig"]["PublicAccessCidrs"] == ["203.0.113.0/24"]


def test_nodes_keep_their_own_identity_from_pods(whole: dict[str, Template]):
    (launch,) = of_type(whole["cluster"], "AWS::EC2::LaunchTemplate").values()
    data = launch["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    (nodes,) = of_type(whole["cluster"], "AWS::EKS::Nodegroup").values()
    assert nodes["ScalingConfig"]["MinSize"] == 2
    assert nodes["NodegroupName"] == "jobs-m7i-large"
    assert nodes["InstanceTypes"] == ["m7i.large"]
    assert nodes["AmiType"] == "AL2023_x86_64_STANDARD"


def test_nodes_are_as_large_as_the_largest_pod_and_as_many_as_all_need():
    large = {"shop_0": Hint(memory="20Gi", cpu=3)}
    (nodes,) = of_type(templates(hints=large)["cluster"], "AWS::EKS::Nodegroup").values()
    assert nodes["InstanceTypes"] == ["m7i.2xlarge"]
    many = templates(aws(nodes=[NodeGroup("jobs", instance="m7g.large", smallest=1)]), stores=60)
    (nodes,) = of_type(many["cluster"], "AWS::EKS::Nodegroup").values()
    assert nodes["AmiType"] == "AL2023_ARM_64_STANDARD"
    assert nodes["ScalingConfig"]["MaxSize"] > 3


@pytest.mark.parametrize(
    ("settings", "more", "message"),
    [
        (aws(nodes=[NodeGroup("jobs", instance="m7i.large")]), {"hints": {"shop_0": Hint(memory="9Gi")}}, "no node of"),
        (
            aws(nodes=[NodeGroup("jobs", instance="m7i.large")]),
            {"stores": 40, "hints": {f"shop_{n}": Hint(cpu=3) for n in (1, 2)}},
            r"yellow.shop_1 \(3000 m, 512 Mi\), yellow.shop_2",
        ),
        (aws(nodes=[NodeGroup("jobs", largest=1)]), {"stores": 60}, "have 1 nodes at most"),
        (aws(nodes=[NodeGroup("jobs", instance="q9.large")]), {}, "'q9.large' is not known"),
        (aws(databases=[AuroraCluster("other")]), {}, "no platform has a container of that name"),
        (aws(), {"merge": PostgresDatabase("merge", host="h", database="m", credential="x")}, "is a PostgresDatabase"),
        (aws(), {"merge": AuroraDatabase("merge", host="a.db.acme.internal", database="m")}, "takes one credential"),
        (
            aws(),
            {"merge": AuroraDatabase("merge", host="db.acme.com", database="m", credential="x")},
            "cannot be given",
        ),
        (aws(), {"secrets": ("environment",)}, "asks no secret store of AWS"),
        (aws(), {"secrets": (AwsSecrets(region="us-east-1"),)}, "are in us-east-1"),
    ],
)
def test_what_would_fail_in_aws_is_refused_here(settings: Aws, more: dict[str, Any], message: str):
    with pytest.raises(ConfigurationError, match=message):
        templates(settings, **more)


def test_buckets_keys_and_images_outlive_their_stack(whole: dict[str, Template]):
    kept = {t for t, r in whole["foundation"]["Resources"].items() if r.get("DeletionPolicy") == "Retain"}
    assert kept == {"AccessBucket", "DataKey", "JobImages", "LogsBucket", "LogsKey", "ReleasesBucket", "SecretsKey"}
    for bucket in of_type(whole["foundation"], "AWS::S3::Bucket").values():
        assert len(bucket["BucketName"]) <= 63
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    for policy in of_type(whole["foundation"], "AWS::S3::BucketPolicy").values():
        deny = policy["PolicyDocument"]["Statement"][0]
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    (images,) = of_type(whole["foundation"], "AWS::ECR::Repository").values()
    assert images["ImageTagMutability"] == "IMMUTABLE"
    assert images["ImageScanningConfiguration"] == {"ScanOnPush": True}
    for key in of_type(whole["foundation"], "AWS::KMS::Key").values():
        assert key["EnableKeyRotation"] is True


def test_everything_is_tagged_and_the_day_of_expiry_is_a_tag():
    for template in templates(aws(expires="2027-01-31", tags={"cost-centre": "42"})).values():
        for title, resource in template["Resources"].items():
            tags = resource.get("Properties", {}).get("Tags")
            if tags is not None:
                pairs = tags if isinstance(tags, dict) else {t["Key"]: t["Value"] for t in tags}
                assert pairs["datasurface:expires"] == "2027-01-31", title
                assert pairs["cost-centre"] == "42", title


def test_longest_names_are_within_aws_limits():
    names = AwsNames(prefix="x" * 24, account=ACCOUNT, region="ap-northeast-1", cluster="c")
    assert len(names.bucket("releases")) <= 63
    assert len(names.database("d" * 200)) <= 63
    assert len(names.rotation("d" * 200)) <= 64
    assert len(names.role("amazon-cloudwatch-observability")) <= 64
    assert aws_names(deployable(model(aws()))).prefix == PREFIX


def test_alarms_tell_of_databases_nodes_and_jobs(whole: dict[str, Template]):
    alarms = {a["MetricName"] for a in of_type(whole["operations"], "AWS::CloudWatch::Alarm").values()}
    assert {"CPUUtilization", "FreeLocalStorage", "DatabaseConnections", "cluster_failed_node_count", "FailedJobs"} <= (
        alarms
    )
    (mail,) = of_type(whole["operations"], "AWS::SNS::Subscription").values()
    assert mail["Endpoint"] == "ops@acme.example"
    for alarm in of_type(whole["operations"], "AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]


def test_what_it_takes_to_make_the_stacks_is_known_for_every_type(whole: dict[str, Template]):
    types = {r["Type"] for t in whole.values() for r in t["Resources"].values()}
    irsa = templates(aws(identity=AwsIdentity.IRSA))
    types |= {r["Type"] for t in irsa.values() for r in t["Resources"].values()}
    assert types == set(ACTIONS)
    actions = required_actions(stacks(deployable(model(aws()))))
    assert {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"} <= set(actions["cluster"])
    assert "kms:CreateKey" in actions["foundation"]


def test_the_readme_has_the_exact_commands():
    files = {f.path: f.content for f in TARGET.files(deployable(model(aws())))}
    readme = files["README.md"]
    assert f"--stack-name {PREFIX}-identities" in readme
    assert "--capabilities CAPABILITY_AUTO_EXPAND CAPABILITY_NAMED_IAM" in readme
    assert '`datasurface/acme/prod/reader_0` | `{"username": "…", "password": "…"}`' in readme
    listed = json.loads(files["stacks.json"])
    assert [s["template"] for s in listed["stacks"]] == [
        f"{k}.json" for k in ("foundation", "secrets", "network", "data", "cluster", "identities", "operations")
    ]
    assert (listed["account"], listed["region"]) == (ACCOUNT, REGION)


def test_what_is_added_to_the_model_moves_nothing_in_the_templates():
    """A title that follows from a place in a list would make CloudFormation replace what has a name: it cannot."""
    before, after = templates(stores=3), templates(stores=7, hints={"shop_0": Hint(memory="20Gi")})
    for key in ("secrets", "data", "cluster", "identities", "operations"):
        for title, resource in before[key]["Resources"].items():
            if resource["Type"] == "AWS::EKS::Nodegroup":
                names = [t[key]["Resources"][title]["Properties"]["NodegroupName"] for t in (before, after)]
                assert names == ["jobs-m7i-large", "jobs-m7i-2xlarge"]
                continue
            for name in ("Name", "RoleName", "ManagedPolicyName", "ServiceAccount", "DBClusterIdentifier"):
                value = resource.get("Properties", {}).get(name)
                assert after[key]["Resources"][title].get("Properties", {}).get(name) == value, title


def test_many_secrets_and_identities_are_divided_by_name():
    many = {s.key: s for s in stacks(deployable(model(aws(), stores=500, logins=500)))}
    keys = [key for key in many if key.startswith("secrets-")]
    assert keys == sorted(keys)
    assert len(keys) == 16
    assert sum(len(many[key].document["Resources"]) for key in keys) == 501


def _thousand() -> Deployable:
    return deployable(model(aws(), stores=1000))


def test_a_thousand_streams_take_seconds():
    made = _thousand()
    started = time.perf_counter()
    files = TARGET.files(made)
    assert time.perf_counter() - started < 10
    assert max(len(f.content) for f in files) < 1_000_000


def test_files_are_the_same_in_another_process_with_another_hash_seed():
    folder = Path(__file__).parents[3]
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]);"
        "from aws_models import *; from datasurface.deploy.aws.target import TARGET;"
        "d = deployable(model(aws(), stores=30));"
        "print(hashlib.sha256(repr([(f.path, f.content) for f in TARGET.files(d)]).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
