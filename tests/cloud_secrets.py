"""Secrets in the tests' Secrets Manager, put there as a person or a rotation does."""

from __future__ import annotations

import json
from typing import Any

import boto3  # type: ignore[import-untyped]

from cloud import Gate

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "made-up", "AWS_REGION": REGION}


def put(aws: Gate, name: str, login: str, password: str) -> None:
    """Make a secret, or change it."""
    manager = _manager(aws)
    text = json.dumps({"username": login, "password": password})
    try:
        manager.create_secret(Name=name, SecretString=text)
    except manager.exceptions.ResourceExistsException:
        manager.put_secret_value(SecretId=name, SecretString=text)


def passwords(aws: Gate) -> dict[str, str]:
    """Return every password that is kept there, by the last part of the secret's name."""
    manager = _manager(aws)
    found = {}
    for secret in manager.list_secrets()["SecretList"]:
        value = json.loads(manager.get_secret_value(SecretId=secret["Name"])["SecretString"])
        if "password" in value:
            found[secret["Name"].rpartition("/")[2]] = str(value["password"])
    return found


def _manager(aws: Gate) -> Any:
    return boto3.client(
        "secretsmanager",
        region_name=REGION,
        endpoint_url=aws.url,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
