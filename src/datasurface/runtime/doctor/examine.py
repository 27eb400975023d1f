"""The whole examination: the model, this machine, every platform and source with its secret, streams' owners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from datasurface.errors import DataSurfaceError
from datasurface.model.capture import Cron
from datasurface.model.infrastructure import Container, Credential, EmbeddedPostgres
from datasurface.release.job import JobSpec, PlatformSpec
from datasurface.runtime.doctor.check import Check, failed, passed, warned
from datasurface.runtime.doctor.code import code
from datasurface.runtime.doctor.containers import network, source, store
from datasurface.runtime.doctor.machine import machine
from datasurface.runtime.doctor.secrets import needed_by_stores, secret, transformer_secrets
from datasurface.runtime.embedded import embedded_servers
from datasurface.runtime.facts import PlatformFacts, read_facts
from datasurface.runtime.folder import ModelFolder, checked_folder
from datasurface.runtime.logins import Logins
from datasurface.runtime.platform import open_platform

__all__ = ["examine", "streams"]


def examine(
    folder: Path, environment: str | None, environ: Mapping[str, str], *, platform: str | None = None
) -> Iterator[Check]:
    """Yield what was found, thing by thing; a thing that cannot be looked at fails, and the others go on.

    An embedded server that does not run is started, as a job would start it.
    """
    try:
        model, report = checked_folder(folder, environment, environ, platform=platform)
    except DataSurfaceError as error:
        yield failed("model", error)
        yield from machine((), (folder,))
        return
    if report.errors:
        yield failed("model", f"{len(report.errors)} errors", "run `datasurface check`")
        yield from machine((), (folder,))
        return
    yield passed("model", f"{len(report.warnings)} warnings" if report.warnings else "no findings")
    yield from _machine(model)
    for spec in model.platforms:
        yield from _platform(model, spec)
    yield from _sources(model)


def _machine(model: ModelFolder) -> Iterator[Check]:
    servers = embedded_servers(model)
    jobs = [job for spec in model.platforms for job in spec.jobs]
    needed = {"local"} if servers else set()
    needed |= {"cron"} if any(isinstance(job.capture.every, Cron) for job in jobs) else set()
    needed |= {extra for spec in model.platforms for extra in needed_by_stores(spec)}
    yield from machine(needed, (model.folder, *(server.folder for server in servers)))
    for server in servers:
        yield passed(f"embedded server {server.container}", f"{server.state}, in {server.folder}")


def _platform(model: ModelFolder, spec: PlatformSpec) -> Iterator[Check]:
    """Yield what a platform's merge database is like, and its streams."""
    yield from code(spec, model.folder)
    if not isinstance(spec.container, EmbeddedPostgres):
        yield from secret(spec.credential, model.secrets(spec))
    if reached := network(spec.container):
        yield reached
    try:
        with open_platform(spec, model.folder, model.environ) as running:
            yield from store(running.store, spec.container)
            yield from streams(spec.name, read_facts(running), model.release.digest)
    except DataSurfaceError as error:
        yield failed(f"platform {spec.name}", error)


def streams(platform: str, facts: PlatformFacts, wanted: str) -> Iterator[Check]:
    """Yield what is to be known of a platform's release and of streams whose owner has fallen silent."""
    subject = f"platform {platform}: release"
    if facts.active is None:
        yield warned(subject, "nothing is active", "run `datasurface apply`")
    elif facts.active != wanted:
        yield warned(
            subject, f"{facts.active[:12]} is active, the model folder has moved on", "run `datasurface apply`"
        )
    else:
        yield passed(subject, f"{facts.active[:12]} is active, as the model folder has it")
    for stream in facts.streams.values():
        if stream.stale:
            yield warned(
                f"stream {stream.stream}",
                f"{stream.owner} holds it and has been silent for {stream.silent or 0:.0f} s",
                "the next run takes it over; is that process stopped or its machine gone?",
            )
        elif stream.state == "parked":
            yield warned(f"stream {stream.stream}", "a batch is parked", f"run `datasurface explain {stream.stream}`")


def _sources(model: ModelFolder) -> Iterator[Check]:
    """Yield what each source is like, once for each credential that it is read with."""
    for spec in model.platforms:
        used: dict[tuple[Container, Credential | None], list[JobSpec]] = {}
        for job in (j for j in spec.jobs if j.transformer is None):
            used.setdefault((job.source, job.credential), []).append(job)
        logins = Logins(model.folder, model.environ, model.secrets(spec))
        for (container, credential), jobs in used.items():
            if not isinstance(container, EmbeddedPostgres):
                found = list(secret(credential, logins.secrets))
                yield from found
                if any(check.verdict == "fail" for check in found):
                    continue
            if reached := network(container):
                yield reached
            yield from source(logins, container, credential, jobs)
        yield from transformer_secrets(spec, logins.secrets)
