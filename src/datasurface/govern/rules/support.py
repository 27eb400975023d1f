"""Support: what the DSL can say and this release cannot do yet. Each is reported where it stands, and never skipped."""

from __future__ import annotations

from collections.abc import Iterator

from datasurface.govern.paths import shown, step, store_path, workspace_path
from datasurface.govern.report import Finding, finding
from datasurface.govern.scope import Scope
from datasurface.model.effective import capture_credential, platform_credential
from datasurface.model.infrastructure import Container, Credential
from datasurface.model.platform import PrimaryIngestion
from datasurface.model.vocabulary import CredentialKind

__all__ = [
    "assignments",
    "credentials",
    "hints",
    "policies",
    "replicas",
]

_NOT_FOLLOWED = ("cpu", "memory", "timeout")


def replicas(scope: Scope) -> Iterator[Finding]:
    """DS-S002: replicas that serve somebody, and workspaces that stand on one."""
    for platform in scope.yellow:
        for replica in platform.replicas:
            if not scope.workspace_groups.keys() & set(replica.workspaces):
                continue
            path = step(step("", "platform", platform.name), "replica", replica.name)
            message = f"replica {shown(replica.name)} is not supported yet by platform {platform.name}"
            yield finding("DS-S002", replica, path, message, "leave it away: the platform's own database serves all")
    offered = {r.container.name: p.name for p in scope.yellow for r in p.replicas}
    for where in scope.workspaces:
        container = where.workspace.container
        if container is not None and container.name in offered:
            message = (
                f"views of workspace {shown(where.workspace.name)} on the replica {shown(container.name)} "
                f"are not supported yet by platform {offered[container.name]}"
            )
            hint = "leave container= away: the platform's own database serves it"
            yield finding("DS-S002", where.workspace, workspace_path(where), message, hint)


def assignments(scope: Scope) -> Iterator[Finding]:
    """DS-S003: primary ingestions of datastores that exist."""
    for rule in scope.ecosystem.assignments:
        if isinstance(rule, PrimaryIngestion) and scope.stores.keys() & set(rule.datastores):
            message = f"primary ingestion is not supported yet by platform {shown(rule.platform)}"
            path = step("", "primary ingestion", rule.platform)
            yield finding("DS-S003", rule, path, message, "leave it away: each platform then reads the source itself")


def policies(scope: Scope) -> Iterator[Finding]:
    """DS-S005: policies that nothing enforces yet."""
    for zone in scope.ecosystem.zones:
        for policy in zone.policies:
            kind = type(policy).__name__
            message = f"the policy {kind} of zone {shown(zone.name)} is not enforced yet"
            path = step(step("", "zone", zone.name), "policy", kind)
            yield finding("DS-S005", policy, path, message, "do not rely on it: nothing is refused because of it")


def hints(scope: Scope) -> Iterator[Finding]:
    """DS-S009: hints that nothing follows, because no environment is deployed; local runs follow a few only."""
    if any(environment.deployments for environment in scope.declared.environments):
        return
    code = {w.workspace.transformer.name for w in scope.workspaces if w.workspace.transformer is not None}
    code |= {w.workspace.transformer.output.name for w in scope.workspaces if w.workspace.transformer is not None}
    code |= {w.workspace.name for w in scope.workspaces if w.workspace.transformer is not None}
    for platform in scope.yellow:
        for name, hint in sorted(platform.hints.items()):
            fields = ("cpu",) if name in code else _NOT_FOLLOWED
            ignored = [f for f in fields if getattr(hint, f) is not None]
            if ignored:
                message = (
                    f"nothing follows the hint for {shown(name)} of platform {platform.name}: {', '.join(ignored)}"
                )
                path = step("", "platform", platform.name)
                yield finding(
                    "DS-S009",
                    hint,
                    path,
                    message,
                    "local runs follow connections= of streams, memory= and timeout= of transformers; "
                    "what is deployed follows the others",
                )


def credentials(scope: Scope) -> Iterator[Finding]:
    """DS-S010: credentials of a kind that the database cannot be logged in to with."""
    for placed in scope.datastores:
        carriers, capture = scope.carriers(placed.datastore), placed.datastore.capture
        credential = capture_credential(placed.datastore)
        if carriers and credential is not None and capture is not None:
            yield from _kind(scope, capture, store_path(placed), credential, capture.container)
    for platform in scope.yellow:
        credential = platform_credential(platform)
        if credential is not None:
            path = step("", "platform", platform.name)
            yield from _kind(scope, platform, path, credential, platform.container)


def _kind(scope: Scope, subject: object, path: str, credential: Credential, container: Container) -> Iterator[Finding]:
    capabilities = scope.capabilities_of(container)
    if capabilities is None or credential.kind.value in capabilities.credentials:
        return
    kind = credential.kind.value.replace("_", " ")
    message = f"the credential {shown(credential.name)} is a {kind}, which {capabilities.database} cannot use"
    usable = sorted(known.name for known in CredentialKind if known.value in capabilities.credentials)
    hint = f"use CredentialKind.{' or '.join(usable)}" if usable else "leave the credential away: it has no logins"
    yield finding("DS-S010", subject, path, message, hint)
