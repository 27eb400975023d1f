"""Clients of AWS whose answers are given beforehand and checked against botocore's own model of the service."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.stub import Stubber


@functools.cache
def session() -> boto3.Session:
    """Return one session for all: reading the models of services anew for each would take most of the time."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")


class Stubs:
    """Makes clients as a session does: stubbed ones for services that have answers, real ones for all others."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._stubbers: dict[str, Stubber] = {}

    def answer(
        self, service: str, operation: str, response: Mapping[str, Any], expected: Mapping[str, Any] | None = None
    ) -> Stubs:
        """Give the answer to a call, which has to come in this order; what it is called with may be expected."""
        self._stubber(service).add_response(operation, dict(response), dict(expected) if expected is not None else None)
        return self

    def refuse(self, service: str, operation: str, code: str, message: str = "refused") -> Stubs:
        """Answer a call with an error."""
        self._stubber(service).add_client_error(operation, service_error_code=code, service_message=message)
        return self

    def client(self, service_name: str, **arguments: Any) -> Any:
        """Return the client of a service."""
        if service_name not in self._clients:
            return session().client(service_name, **arguments)
        return self._clients[service_name]

    def all_used(self) -> None:
        """Expect that every answer was asked for."""
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()

    def _stubber(self, service: str) -> Stubber:
        if service not in self._stubbers:
            made = session().client(service, region_name="eu-central-1")
            self._clients[service] = made
            self._stubbers[service] = Stubber(made)
            self._stubbers[service].activate()
        return self._stubbers[service]
