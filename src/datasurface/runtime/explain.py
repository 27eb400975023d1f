"""Why a stream exists, what it reads, and why it does not run at this moment; in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from datasurface.errors import DataSurfaceError
from datasurface.graph.reasons import why
from datasurface.model.capture import Every, External
from datasurface.model.ecosystem import Ecosystem
from datasurface.model.effective import all_workspaces
from datasurface.model.infrastructure import EmbeddedPostgres
from datasurface.release.compile import pipelines_of
from datasurface.release.job import Changed, JobSpec, PlatformSpec, TransformerSpec
from datasurface.runtime.code_logs import last_log, logs_of
from datasurface.runtime.embedded import embedded_of
from datasurface.runtime.facts import PlatformFacts, read_facts
from datasurface.runtime.folder import ModelFolder, unknown_stream
from datasurface.runtime.releases.standing import ReleaseStanding, release_standing
from datasurface.runtime.releases.waiting import waiting_sentences
from datasurface.runtime.status import StreamStatus, every_text, stream_status
from datasurface.store.ledger import BatchState, history_of

__all__ = ["Explanation", "explain", "now_sentences"]

_PATIENCE = 60.0
_COUNTED = 50
"""How many batches of a stream are looked at for failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What can be told of one stream on one platform.

    Attributes:
        exists: Why it exists, nearest reason first.
        reads: What it reads, and when.
        now: Why it runs or does not run now, the first thing to mend first.
        status: Where it stands; None if it is not in the active release.
    """

    platform: str
    stream: str
    exists: tuple[str, ...]
    reads: tuple[str, ...]
    now: tuple[str, ...]
    status: StreamStatus | None

    def to_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "platform": self.platform,
            "stream": self.stream,
            "exists": list(self.exists),
            "reads": list(self.reads),
            "now": list(self.now),
            "status": self.status.to_json() if self.status else None,
        }


def explain(model: ModelFolder, stream: str) -> list[Explanation]:
    """Explain a stream on each platform that has it, in the active release or in the model folder.

    Raises:
        ConfigurationError: neither has such a stream.
        StoreError: a merge database is out of reach.
    """
    found: list[Explanation] = []
    known: set[str] = set()
    for spec in model.platforms:
        look = _look(model, spec, stream)
        facts = look.facts
        wanted = spec.job(stream)
        active = facts.spec.job(stream) if facts and facts.spec else None
        job = active or wanted
        known.update(j.stream for j in (*spec.jobs, *(facts.spec.jobs if facts and facts.spec else ())))
        if job is None:
            continue
        status = stream_status(job, facts.streams[stream], facts.now) if facts and active else None
        found.append(
            Explanation(
                platform=spec.name,
                stream=stream,
                exists=tuple(_why(model, facts if active else None, spec.name, stream)),
                reads=tuple(_reads(job)),
                now=(*_waits(job, facts), *_now(model, spec, job, status, look, wanted=wanted is not None)),
                status=status,
            )
        )
    if not found:
        found = _not_run(model, stream)
    if not found:
        raise unknown_stream(stream, known)
    return found


def _not_run(model: ModelFolder, stream: str) -> list[Explanation]:
    """Explain the output of a transformer that the model declares and nothing runs."""
    for placed in all_workspaces(model.release.ecosystem):
        transformer = placed.workspace.transformer
        if transformer is None or transformer.output.name != stream:
            continue
        what = f"transformer {transformer.name} of workspace {placed.workspace.name}"
        return [
            Explanation(
                platform=spec.name,
                stream=stream,
                exists=(f"it does not exist: {what} would write it, and nobody else consumes it",),
                reads=(),
                now=("it does not run: an output that nobody consumes is not made",),
                status=None,
            )
            for spec in model.platforms
        ]
    return []


def now_sentences(status: StreamStatus, *, failures: int = 0, idle: float | None = None) -> Iterator[str]:
    """Yield why a stream of the active release runs or does not run.

    Args:
        status: Where it stands.
        failures: How many of its newest batches failed, one after the other.
        idle: Seconds since a batch of any stream of the platform began; None if none ever did.
    """
    facts = status.facts
    last = facts.last
    if facts.running:
        since = f" since {facts.held_since:%Y-%m-%d %H:%M:%SZ}" if facts.held_since else ""
        yield f"it runs now: {facts.owner} holds it{since}, last heard of {facts.silent or 0:.0f} s ago"
        return
    if facts.stale:
        yield f"{facts.owner} held it and has been silent for {facts.silent or 0:.0f} s: the next run takes it over"
    if last is None:
        yield "it has never run"
    elif facts.state == "parked":
        yield f"batch {last.batch_id} is parked: {last.error}"
        yield f"look at the source; then `datasurface accept {facts.stream}`, or the next run reads anew"
    elif facts.state in {"failed", "abandoned"}:
        yield f"batch {last.batch_id} was {last.state.value} at {last.finished_at:%Y-%m-%d %H:%M:%SZ}: {last.error}"
        if failures > 1:
            yield f"its last {failures} batches failed"
    elif facts.state == "waiting":
        yield f"batch {last.batch_id} is read and waits to be merged{f': {last.error}' if last.error else ''}"
    elif facts.state == "interrupted":
        yield f"batch {last.batch_id} was interrupted; the next run begins it again"
    yield _due(status, idle)


def _due(status: StreamStatus, idle: float | None) -> str:
    if status.next_due is None:
        if status.every == "on change":
            return "it runs when its inputs have changed"
        if status.every == "external":
            return "it runs only when something outside asks for it: `datasurface run --once --stream`"
        return f"its schedule {status.every!r} cannot be followed here; see `datasurface doctor`"
    if status.overdue > _PATIENCE:
        return f"it has been due for {status.overdue:.0f} s: {_scheduler(idle)}"
    if status.overdue > 0:
        return "it is due now"
    return f"it is not due before {status.next_due:%Y-%m-%d %H:%M:%SZ}"


def _scheduler(idle: float | None) -> str:
    """Return what the ledger tells of whoever starts batches, the local scheduler or another."""
    if idle is None:
        return "no scheduler has ever started a batch on this platform: is `datasurface run`, or its DAG, on?"
    if idle > _PATIENCE:
        return (
            f"no scheduler has started a batch of any stream for {idle:.0f} s: `datasurface run`, or Airflow, is down"
        )
    return "a scheduler starts other streams: all its workers are busy, or it does not follow this one (is its DAG on?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a platform's tables say.

    Attributes:
        facts: None for an embedded platform that was never made.
        standing: Which release is wanted, and why it is not active.
        failures: How many of the stream's newest batches failed, one after the other.
    """

    facts: PlatformFacts | None
    standing: ReleaseStanding
    failures: int

    @property
    def idle(self) -> float | None:
        """Seconds since a batch of any stream began; None if none ever did."""
        if self.facts is None:
            return None
        began = [stream.last.started_at for stream in self.facts.streams.values() if stream.last is not None]
        return max(0.0, (self.facts.now - max(began)).total_seconds()) if began else None


def _look(model: ModelFolder, spec: PlatformSpec, stream: str) -> _Look:
    """Read a platform's tables; an embedded one that was never made is not made for a question."""
    embedded = embedded_of(model, spec.container)
    if embedded is not None and not embedded.made:
        return _Look(facts=None, standing=release_standing(spec, model.release.digest, None), failures=0)
    with model.open_one(spec) as running:
        facts = read_facts(running)
        standing = release_standing(spec, model.release.digest, running)
        if not standing.known.enrolled:
            return _Look(facts=facts, standing=standing, failures=0)
        with running.reading() as connection:
            newest = history_of(connection, running.schema, stream, _COUNTED)
    failed = list(takewhile(lambda batch: batch.state is BatchState.FAILED, newest))
    return _Look(facts=facts, standing=standing, failures=len(failed))


def _why(model: ModelFolder, facts: PlatformFacts | None, platform: str, stream: str) -> list[str]:
    """Return the reasons, from the model that runs, or that of the folder for a stream that does not run yet."""
    if facts is None or facts.model is None or facts.active == model.release.digest:
        graph = model.release.graph
    else:
        graph = pipelines_of(Ecosystem.from_json(facts.model), model.release.environment)
    sentences = why(graph, stream)
    on_this = f"on platform {platform}, "
    return [s.removeprefix(on_this) for s in sentences if s.startswith(on_this) or not s.startswith("on platform ")]


def _reads(job: JobSpec) -> Iterator[str]:
    capture = type(job.capture).__name__
    login = f"as {job.credential.name!r}" if job.credential else "with the driver's own login"
    if isinstance(job.source, EmbeddedPostgres):
        login = "as its owner"
    every = job.capture.every
    if job.transformer is not None:
        yield from _transforms(job.transformer, every)
        return
    when = "on demand only" if isinstance(every, External) else f"every {every_text(every)}"
    yield f"{capture} of {job.source.label()} {login}, {when}"
    for dataset in job.datasets:
        table = f"{dataset.source_schema}.{dataset.source_table}" if dataset.source_schema else dataset.source_table
        yield f"table {table} as {job.datastore}.{dataset.name}, history {dataset.history.value}"


def _transforms(spec: TransformerSpec, every: Every) -> Iterator[str]:
    when = "when its inputs have changed" if isinstance(every, Changed) else f"every {every_text(every)}"
    yield f"transformer {spec.name} of workspace {spec.workspace}, {type(spec.code).__name__}, runs {when}"
    for name, group in sorted({(f"{i.datastore}.{i.dataset}", i.group) for i in spec.inputs}):
        yield f"input {name} of group {group}"
    for name in spec.unused:
        yield f"its output {name} is dropped: nobody consumes it"


def _waits(job: JobSpec, facts: PlatformFacts | None) -> Iterator[str]:
    """Yield which inputs a transformer waits for: those that were never merged."""
    if job.transformer is None or facts is None:
        return
    never = [s for s in job.transformer.triggers if s not in facts.streams or facts.streams[s].read_at is None]
    if never:
        yield f"it waits for its input {', '.join(never)}, which was never merged"


def _now(
    model: ModelFolder, spec: PlatformSpec, job: JobSpec, status: StreamStatus | None, look: _Look, *, wanted: bool
) -> Iterator[str]:
    if status is None:
        active = look.standing.known.active
        first = f"it is not in the active release {active[:12]}" if active else "no release is active"
        reasons = list(waiting_sentences(look.standing))
        yield f"{first}: {reasons[0]}" if look.standing.rule is None else first
        yield from reasons if look.standing.rule is not None else ()
    if not wanted:
        what = "the next release" if look.standing.rule is not None else "the next `datasurface apply`"
        yield f"the model folder no longer asks for it: {what} ends it"
    if not isinstance(job.source, EmbeddedPostgres):
        try:
            model.secrets(spec).find(job.credential)
        except DataSurfaceError as error:
            yield f"its source cannot be logged in to from here: {error.message}"
    if status is not None:
        yield from now_sentences(status, failures=look.failures, idle=look.idle)
    elif isinstance(job.capture.every, Changed):
        yield "it runs when its inputs have changed"
    elif isinstance(job.capture.every, External):
        yield "it runs only when something outside asks for it"
    logs = logs_of(model.folder, model.environ, spec.name)
    if job.transformer is not None and (log := last_log(logs, job.stream)):
        yield f"what its code printed when it last ran here is in {log}"
