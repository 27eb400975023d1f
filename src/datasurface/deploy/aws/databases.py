"""The stack `data`: an Aurora PostgreSQL cluster for each container that asks for one.

The administrator's password is made by Secrets Manager, at the very name where jobs look it up, and rotated by AWS's
own function. The logins of jobs are made and rotated by `security`, and AWS leaves those alone: no secret has two
rotators.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from troposphere import GetAtt, Ref, Sub, Tags, ec2, rds, route53, secretsmanager

from datasurface.deploy.aws.endpoints import nowhere
from datasurface.deploy.aws.foundation import add_log_group
from datasurface.deploy.aws.ground import Database, Ground
from datasurface.deploy.aws.roles import add_role, service_trust
from datasurface.deploy.aws.rotation import UNSAFE, add_rotation
from datasurface.deploy.aws.subnets import database_subnets, vpc_id
from datasurface.deploy.aws.template import CAPABILITY_EXPAND, Stack, StackBuilder, title_of
from datasurface.model.secret_names import aws_name

__all__ = ["ADMIN", "databases", "instances_of"]

ADMIN = "ds_admin"
"""The user that administers a cluster that is made."""
_HOSTED_ROTATION = "AWS::SecretsManager-2024-09-16"
_RECORD_SECONDS = "60"
_HTTPS = 443


def databases(ground: Ground) -> Stack | None:
    """Return the stack of databases; None if all exist already."""
    if not ground.databases:
        return None
    stack = StackBuilder(ground=ground, key="data", purpose="databases and their administrators' secrets")
    stack.template.set_transform(_HOSTED_ROTATION)
    stack.capabilities.add(CAPABILITY_EXPAND)
    subnets = stack.add(
        rds.DBSubnetGroup(
            "Subnets",
            DBSubnetGroupName=ground.names.prefix,
            DBSubnetGroupDescription="subnets that nothing leads out of",
            SubnetIds=database_subnets(stack),
        )
    )
    add_role(
        stack,
        "MonitoringRole",
        ground.names.role("rds-monitoring"),
        service_trust(ground, "monitoring.rds.amazonaws.com"),
        managed=("service-role/AmazonRDSEnhancedMonitoringRole",),
    )
    for database in ground.databases:
        _add(stack, database, subnets)
    _add_hosts(stack)
    return stack.built()


def instances_of(ground: Ground, database: Database) -> int:
    """Return how many instances a cluster has: two in production, so that one may fail."""
    return database.made.instances if database.made.instances is not None else 2 if ground.production else 1


def _add(stack: StackBuilder, database: Database, subnets: rds.DBSubnetGroup) -> None:
    names, made, container = stack.ground.names, database.made, database.container
    title = title_of(container.name)
    identifier = names.database(container.name)
    group = _add_group(stack, database)
    secret = _add_secret(stack, database)
    logs = add_log_group(stack, f"Logs{title}", f"/aws/rds/cluster/{identifier}/postgresql")
    cluster: rds.DBCluster = stack.add(
        rds.DBCluster(
            f"Database{title}",
            DependsOn=[logs.title],
            DeletionPolicy="Snapshot",
            UpdateReplacePolicy="Snapshot",
            DBClusterIdentifier=identifier,
            Engine="aurora-postgresql",
            EngineVersion=made.version,
            DatabaseName=container.database,
            Port=container.port,
            MasterUsername=ADMIN,
            MasterUserPassword=Sub(f"{{{{resolve:secretsmanager:${{{secret.title}}}:SecretString:password}}}}"),
            DBSubnetGroupName=Ref(subnets),
            DBClusterParameterGroupName=Ref(_add_parameters(stack, database)),
            VpcSecurityGroupIds=[Ref(group)],
            StorageEncrypted=True,
            KmsKeyId=stack.told("DataKey"),
            EnableIAMDatabaseAuthentication=True,
            BackupRetentionPeriod=made.backup_days,
            CopyTagsToSnapshot=True,
            DeletionProtection=made.deletion_protection,
            EnableCloudwatchLogsExports=["postgresql"],
        )
    )
    for index in range(instances_of(stack.ground, database)):
        _add_instance(stack, f"Database{title}Instance{index}", cluster, made.instance)
    add_rotation(stack, database, secret, cluster)
    stack.tell(f"Database{title}Endpoint", GetAtt(cluster, "Endpoint.Address"), f"the writer of {container.name}")
    stack.tell(f"Database{title}Group", Ref(group), f"the security group of {container.name}")


def _add_group(stack: StackBuilder, database: Database) -> ec2.SecurityGroup:
    """Add the group that nobody may pass but those whom the stack `cluster` lets in, and the rotation."""
    title = title_of(database.container.name)
    group: ec2.SecurityGroup = stack.add(
        ec2.SecurityGroup(
            f"DatabaseGroup{title}",
            VpcId=vpc_id(stack),
            GroupDescription=f"PostgreSQL of {database.container.name}",
            SecurityGroupEgress=[nowhere()],
            Tags=Tags(Name=stack.ground.names.database(database.container.name)),
        )
    )
    return group


def _add_parameters(stack: StackBuilder, database: Database) -> rds.DBClusterParameterGroup:
    title = title_of(database.container.name)
    group: rds.DBClusterParameterGroup = stack.add(
        rds.DBClusterParameterGroup(
            f"DatabaseParameters{title}",
            Description=f"TLS only, for {database.container.name}",
            Family=f"aurora-postgresql{database.made.version.partition('.')[0]}",
            Parameters={
                "rds.force_ssl": "1",
                "log_min_duration_statement": "5000",
                "log_statement": "ddl",
                "password_encryption": "scram-sha-256",
            },
        )
    )
    return group


def _add_secret(stack: StackBuilder, database: Database) -> secretsmanager.Secret:
    """Add the administrator's secret; its password is made when the stack is, and is in no template."""
    ground, title = stack.ground, title_of(database.container.name)
    platform = next(p for p in ground.platforms if p.container == database.container)
    name = aws_name(ground.store(platform).prefix, platform.ecosystem, platform.environment, database.admin.name)
    secret: secretsmanager.Secret = stack.add(
        secretsmanager.Secret(
            f"DatabaseSecret{title}",
            Name=name,
            Description=f"who administers the database {database.container.name}",
            KmsKeyId=stack.told("SecretsKey"),
            GenerateSecretString=secretsmanager.GenerateSecretString(
                SecretStringTemplate=json.dumps({"username": ADMIN}),
                GenerateStringKey="password",
                PasswordLength=48,
                ExcludeCharacters=UNSAFE,
            ),
        )
    )
    return secret


def _add_instance(stack: StackBuilder, title: str, cluster: rds.DBCluster, instance: str) -> None:
    stack.add(
        rds.DBInstance(
            title,
            Engine="aurora-postgresql",
            DBClusterIdentifier=Ref(cluster),
            DBInstanceClass=instance,
            PubliclyAccessible=False,
            AutoMinorVersionUpgrade=True,
            EnablePerformanceInsights=True,
            PerformanceInsightsKMSKeyId=stack.told("DataKey"),
            MonitoringInterval=60,
            MonitoringRoleArn=GetAtt("MonitoringRole", "Arn"),
        )
    )


def _add_hosts(stack: StackBuilder) -> None:
    """Add the private names that the model's hosts are, each leading to its cluster's writer."""
    zones: dict[str, str] = {}
    for database in stack.ground.databases:
        title = title_of(database.container.name)
        if database.domain is None:
            continue
        if database.domain not in zones:
            zones[database.domain] = f"HostedZone{title_of(database.domain)}"
            stack.add(
                route53.HostedZone(
                    zones[database.domain],
                    Name=database.domain,
                    VPCs=[route53.HostedZoneVPCs(VPCId=vpc_id(stack), VPCRegion=stack.ground.names.region)],
                    HostedZoneTags=_zone_tags(stack.ground.tags),
                )
            )
        stack.add(
            route53.RecordSetType(
                f"Host{title}",
                HostedZoneId=Ref(zones[database.domain]),
                Name=database.container.host,
                Type="CNAME",
                TTL=_RECORD_SECONDS,
                ResourceRecords=[GetAtt(f"Database{title}", "Endpoint.Address")],
            )
        )


def _zone_tags(tags: Mapping[str, str]) -> Tags:
    return Tags(dict(tags))
