"""The stack `operations`: what somebody is told about before users notice."""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import Ref, cloudwatch, events, logs, sns

from datasurface.deploy.aws.databases import instances_of
from datasurface.deploy.aws.ground import Database, Ground
from datasurface.deploy.aws.keys import document, statement
from datasurface.deploy.aws.nodes import planned_groups
from datasurface.deploy.aws.template import Stack, StackBuilder, title_of
from datasurface.deploy.instances import INSTANCES

__all__ = ["FAILED_JOBS", "operations"]

FAILED_JOBS = "FailedJobs"
_GIB = 1024**3
_OWN = "DataSurface"
_BYTES_A_CONNECTION = 9_531_392
"""Aurora PostgreSQL's default of `max_connections`: this part of the instance's memory, at most 5,000."""
_MOST_CONNECTIONS = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alarm:
    """When somebody is told: a metric that stays over, or under, a limit for so many periods."""

    title: str
    text: str
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    limit: float
    below: bool = False
    statistic: str = "Average"
    seconds: int = 300
    periods: int = 3
    missing: str = "notBreaching"


def operations(ground: Ground) -> Stack:
    """Return the stack of alarms."""
    stack = StackBuilder(ground=ground, key="operations", purpose="alarms, and whom they are sent to")
    topic = _add_topic(stack)
    _add_failed_jobs(stack)
    _add_failed_launches(stack, topic)
    alarms = [*_of_cluster(ground), *[alarm for each in ground.databases for alarm in _of_database(ground, each)]]
    for alarm in alarms:
        _add_alarm(stack, alarm, topic)
    return stack.built()


def _of_cluster(ground: Ground) -> list[_Alarm]:
    dimensions = (("ClusterName", ground.names.cluster),)
    return [
        _Alarm(
            title="FailedNodes",
            text="nodes of the cluster are not ready",
            namespace="ContainerInsights",
            metric="cluster_failed_node_count",
            dimensions=dimensions,
            limit=0,
            statistic="Maximum",
        ),
        _Alarm(
            title="PodsWithoutNode",
            text="pods have waited for a node for a quarter of an hour",
            namespace="AWS/EKS",
            metric="scheduler_pending_pods_UNSCHEDULABLE",
            dimensions=dimensions,
            limit=0,
            statistic="Minimum",
        ),
        _Alarm(
            title="FailedJobsAlarm",
            text="jobs have failed",
            namespace=_OWN,
            metric=FAILED_JOBS,
            dimensions=(),
            limit=0,
            statistic="Sum",
            periods=1,
        ),
    ]


def _of_database(ground: Ground, database: Database) -> list[_Alarm]:
    name = database.container.name
    title = title_of(name)
    dimensions = (("DBClusterIdentifier", ground.names.database(name)),)
    found = [
        _Alarm(
            title=f"{title}Cpu",
            text=f"the database {name} has had no CPU to spare for a quarter of an hour",
            namespace="AWS/RDS",
            metric="CPUUtilization",
            dimensions=dimensions,
            limit=85,
        ),
        _Alarm(
            title=f"{title}Storage",
            text=f"the database {name} runs out of local storage, which sorts and temporary tables take",
            namespace="AWS/RDS",
            metric="FreeLocalStorage",
            dimensions=dimensions,
            limit=5 * _GIB,
            below=True,
            statistic="Minimum",
        ),
        _Alarm(
            title=f"{title}Connections",
            text=f"the database {name} has nine tenths of the connections that it takes",
            namespace="AWS/RDS",
            metric="DatabaseConnections",
            dimensions=dimensions,
            limit=int(0.9 * _connections(database.made.instance)),
            statistic="Maximum",
        ),
    ]
    if instances_of(ground, database) > 1:
        found.append(
            _Alarm(
                title=f"{title}ReplicaLag",
                text=f"the second instance of {name} is a second behind",
                namespace="AWS/RDS",
                metric="AuroraReplicaLagMaximum",
                dimensions=dimensions,
                limit=1000,
                statistic="Maximum",
            )
        )
    return found


def _connections(instance: str) -> int:
    """Return how many connections an instance takes; of a class that is not known, as many as a small one."""
    known = INSTANCES.get(instance.removeprefix("db."))
    memory = known.memory * 1024 * 1024 if known is not None else 8 * _GIB
    return min(int(memory / _BYTES_A_CONNECTION), _MOST_CONNECTIONS)


def _add_topic(stack: StackBuilder) -> sns.Topic:
    topic: sns.Topic = stack.add(
        sns.Topic("Alarms", TopicName=stack.ground.names.role("alarms"), KmsMasterKeyId=stack.told("LogsKey"))
    )
    names = stack.ground.names
    start = f"{names.region}:{names.account}"
    senders = (
        ("Alarms", "cloudwatch", f"arn:{names.partition}:cloudwatch:{start}:alarm:{names.prefix}-*"),
        ("Launches", "events", f"arn:{names.partition}:events:{start}:rule/{names.role('failed-launches')}"),
    )
    statements = [
        statement(
            sid,
            "sns:Publish",
            Ref(topic),
            principal={"Service": f"{service}.amazonaws.com"},
            condition={"ArnLike": {"aws:SourceArn": source}},
        )
        for sid, service, source in senders
    ]
    stack.add(sns.TopicPolicy("AlarmsPolicy", Topics=[Ref(topic)], PolicyDocument=document(*statements)))
    for address in stack.ground.settings.alarms_to:
        stack.add(
            sns.SubscriptionResource(
                f"Mail{title_of(address)}", TopicArn=Ref(topic), Protocol="email", Endpoint=address
            )
        )
    stack.tell("AlarmsTopic", Ref(topic), "what alarms are sent to")
    return topic


def _add_failed_jobs(stack: StackBuilder) -> None:
    """Count failed jobs in the containers' log, in which each job's last line says how it ended."""
    stack.add(
        logs.MetricFilter(
            "FailedJobsFilter",
            LogGroupName=stack.told("ApplicationLogs"),
            FilterPattern='{ ($.log_processed.exit = 1) && ($.log_processed.platform = "*") }',
            MetricTransformations=[
                logs.MetricTransformation(MetricNamespace=_OWN, MetricName=FAILED_JOBS, MetricValue="1", DefaultValue=0)
            ],
        )
    )


def _add_failed_launches(stack: StackBuilder, topic: sns.Topic) -> None:
    """Tell at once when EC2 starts no node: no capacity, or a quota is used up."""
    groups = [{"prefix": f"eks-{planned.group.name}-"} for planned in planned_groups(stack.ground)]
    stack.add(
        events.Rule(
            "FailedLaunches",
            Name=stack.ground.names.role("failed-launches"),
            Description="EC2 starts no node",
            EventPattern={
                "source": ["aws.autoscaling"],
                "detail-type": ["EC2 Instance Launch Unsuccessful"],
                "detail": {"AutoScalingGroupName": groups},
            },
            Targets=[events.Target(Id="alarms", Arn=Ref(topic))],
        )
    )


def _add_alarm(stack: StackBuilder, alarm: _Alarm, topic: sns.Topic) -> None:
    stack.add(
        cloudwatch.Alarm(
            alarm.title,
            AlarmName=f"{stack.ground.names.prefix}-{alarm.title}",
            AlarmDescription=alarm.text,
            Namespace=alarm.namespace,
            MetricName=alarm.metric,
            Dimensions=[cloudwatch.MetricDimension(Name=name, Value=value) for name, value in alarm.dimensions],
            ComparisonOperator="LessThanThreshold" if alarm.below else "GreaterThanThreshold",
            Threshold=alarm.limit,
            Statistic=alarm.statistic,
            Period=alarm.seconds,
            EvaluationPeriods=alarm.periods,
            TreatMissingData=alarm.missing,
            AlarmActions=[Ref(topic)],
            OKActions=[Ref(topic)],
        )
    )
