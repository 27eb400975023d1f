"""How the password of a database's administrator is changed: by AWS's own function, inside of the network."""

from __future__ import annotations

from troposphere import Join, Ref, ec2, rds, secretsmanager

from datasurface.deploy.aws.foundation import add_log_group
from datasurface.deploy.aws.ground import Database, Ground
from datasurface.deploy.aws.subnets import node_subnets, vpc_id
from datasurface.deploy.aws.template import StackBuilder, title_of
from datasurface.model.aws import AwsNetwork

__all__ = ["UNSAFE", "add_rotation"]

UNSAFE = "/@\"'\\ %:?#[]"
"""Characters that no password has, because they mean something in a URL or a shell."""
_HTTPS = 443


def add_rotation(
    stack: StackBuilder, database: Database, secret: secretsmanager.Secret, cluster: rds.DBCluster
) -> None:
    """Add the function that gives the administrator a new password, its log, and when it does so."""
    title = title_of(database.container.name)
    log_group = f"/aws/lambda/{stack.ground.names.rotation(database.container.name)}"
    logs = add_log_group(stack, f"RotationLogs{title}", log_group)
    group = _add_group(stack, title, database.container.port)
    attached = stack.add(
        secretsmanager.SecretTargetAttachment(
            f"DatabaseSecretTarget{title}",
            SecretId=Ref(secret),
            TargetId=Ref(cluster),
            TargetType="AWS::RDS::DBCluster",
        )
    )
    stack.add(
        secretsmanager.RotationSchedule(
            f"DatabaseSecretRotation{title}",
            DependsOn=[attached.title, f"Database{title}Instance0", logs.title],
            SecretId=Ref(secret),
            RotateImmediatelyOnUpdate=False,
            RotationRules=secretsmanager.RotationRules(AutomaticallyAfterDays=database.made.rotate_days),
            HostedRotationLambda=secretsmanager.HostedRotationLambda(
                RotationType="PostgreSQLSingleUser",
                RotationLambdaName=stack.ground.names.rotation(database.container.name),
                ExcludeCharacters=UNSAFE,
                KmsKeyArn=stack.told("SecretsKey"),
                VpcSecurityGroupIds=Ref(group),
                VpcSubnetIds=Join(",", node_subnets(stack)),
            ),
        )
    )


def _add_group(stack: StackBuilder, title: str, port: int) -> ec2.SecurityGroup:
    """Add what the function may reach: its database, and Secrets Manager."""
    group: ec2.SecurityGroup = stack.add(
        ec2.SecurityGroup(
            f"RotationGroup{title}",
            VpcId=vpc_id(stack),
            GroupDescription="the function that rotates the password of the administrator",
            SecurityGroupEgress=[
                ec2.SecurityGroupRule(
                    IpProtocol="tcp",
                    FromPort=_HTTPS,
                    ToPort=_HTTPS,
                    CidrIp=_where_secrets_are(stack.ground),
                    Description="to Secrets Manager",
                ),
                ec2.SecurityGroupRule(
                    IpProtocol="tcp",
                    FromPort=port,
                    ToPort=port,
                    DestinationSecurityGroupId=Ref(f"DatabaseGroup{title}"),
                    Description="to the database",
                ),
            ],
        )
    )
    stack.add(
        ec2.SecurityGroupIngress(
            f"RotationIntoDatabase{title}",
            GroupId=Ref(f"DatabaseGroup{title}"),
            IpProtocol="tcp",
            FromPort=port,
            ToPort=port,
            SourceSecurityGroupId=Ref(group),
            Description="rotation of the administrator's password",
        )
    )
    return group


def _where_secrets_are(ground: Ground) -> str:
    """Return where Secrets Manager is: inside of the network, or anywhere if it has no endpoint of ours."""
    network = ground.settings.network
    own = isinstance(network, AwsNetwork) or network.endpoints
    return network.cidr if own else "0.0.0.0/0"
