"""What settings of deployments can be: for each field what it takes, as a pattern and in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from datasurface.model.aws_check import aws_problems
from datasurface.model.deployment import Aws, Deployment
from datasurface.model.kubernetes import Kubernetes
from datasurface.model.kubernetes_check import kubernetes_problems

__all__ = ["deployment_problems"]

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A name of Kubernetes (RFC 1123)."""

OBJECT = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""A longer name of Kubernetes (RFC 1123), such as a Secret's."""

_DURATION = re.compile(r"\s*[1-9]\d{0,8}\s*(second|minute|hour|day|week|month|year)s?\s*")
_CONNECTION = re.compile(r"[\w.-]{1,200}", re.ASCII)

_TAKEN: Mapping[tuple[str, str], tuple[re.Pattern[str], str]] = {
    ("Airflow", "version"): (re.compile(r"3(\.\d{1,2}){0,2}|2\.11(\.\d{1,2})?"), '"3", or "2.11"'),
    **{
        ("Airflow", name): (_DURATION, 'a number and a unit, such as "6 hours"')
        for name in ("timeout", "retry_delay", "longest_delay", "look_again", "history")
    },
    **{
        ("Airflow", name): (_CONNECTION, "the id of an Airflow connection: letters, digits, dots, dashes, underscores")
        for name in ("connections", "metadata", "failures", "kubernetes_connection")
    },
    ("Kubernetes", "image"): (
        re.compile(r"[a-z0-9][\w./:-]{0,200}@sha256:[0-9a-f]{64}"),
        "an image by its digest: registry.example/datasurface@sha256:…",
    ),
    ("Kubernetes", "namespace"): (LABEL, "at most 63 small letters, digits and dashes"),
    ("Kubernetes", "metrics_for"): (LABEL, "at most 63 small letters, digits and dashes"),
    ("Kubernetes", "airflow_namespace"): (LABEL, "at most 63 small letters, digits and dashes"),
    ("Kubernetes", "airflow_image"): (
        re.compile(r"[a-z0-9][\w./:-]{0,200}@sha256:[0-9a-f]{64}"),
        "an image by its digest: registry.example/airflow@sha256:…",
    ),
    ("Kubernetes", "airflow_logs"): (
        re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?"),
        "a bucket: s3://bucket/prefix",
    ),
    ("Kubernetes", "version"): (re.compile(r"1\.\d{1,2}"), 'the first two numbers of a version: "1.34"'),
    ("Kubernetes", "pull_secrets"): (OBJECT, "the names of Secrets: small letters, digits, dashes and dots"),
    ("Kubernetes", "release_secret"): (OBJECT, "the name of a Secret: small letters, digits, dashes and dots"),
    ("Aws", "account"): (re.compile(r"\d{12}"), "the twelve digits of an account"),
    ("Aws", "region"): (re.compile(r"[a-z]{2}(-[a-z]{2,8}){1,3}-\d{1,2}"), 'a region such as "eu-central-1"'),
    ("Aws", "kubernetes"): (re.compile(r"1\.\d{2}"), 'a version such as "1.35"'),
    ("Aws", "database_groups"): (re.compile(r"sg-[0-9a-f]{8,17}(:\d{1,5})?"), '"sg-…", or with a port "sg-…:1433"'),
    ("Aws", "create_roles"): (re.compile(r"[\w+=,.@-]{1,64}"), "a role's name, without account and path"),
    ("Aws", "admins"): (
        re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]{1,128}"),
        "the ARN of a role or user, not of a session",
    ),
    ("Aws", "api_access"): (
        re.compile(r"(?!0\.0\.0\.0/)\d{1,3}(\.\d{1,3}){3}/\d{1,2}"),
        'networks such as "203.0.113.0/24", and not all of them',
    ),
    ("Aws", "alarms_to"): (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "mail addresses"),
    ("Aws", "expires"): (re.compile(r"\d{4}-[01]\d-[0-3]\d"), "a day such as 2026-12-31"),
    ("Aws", "cluster"): (re.compile(r"[A-Za-z0-9][\w-]{0,99}"), "at most 100 letters, digits, dashes and underscores"),
}
"""Texts by noun and field; of a sequence, each of its texts."""


def deployment_problems(deployment: Deployment) -> Iterator[str]:
    """Yield each setting that cannot be, in words: `region='Ireland': it takes a region such as …`."""
    kind = type(deployment).__name__
    for (noun, name), (takes, words) in _TAKEN.items():
        for value in _texts(getattr(deployment, name)) if noun == kind else ():
            if not takes.fullmatch(value):
                yield f"{name}={value!r}: it takes {words}"
    if isinstance(deployment, Aws):
        yield from aws_problems(deployment)
    if isinstance(deployment, Kubernetes):
        yield from kubernetes_problems(deployment)


def _texts(value: str | Sequence[str] | None) -> Sequence[str]:
    return () if value is None else (value,) if isinstance(value, str) else value
