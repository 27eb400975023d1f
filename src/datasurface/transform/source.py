"""A transformer as the source of its output's stream: reading it runs the code, then takes the output tables whole.

The code runs while the batch is staged, never in a merge transaction. If it fails, the batch fails, and consumers keep
what they had.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from datasurface.databases.base import Feed, Login, Reading, SourceTable
from datasurface.databases.code import Moment
from datasurface.errors import ConfigurationError, MissingExtraError, SourceError, SupersededError
from datasurface.model.transformer import ContainerImage, SystemCode
from datasurface.model.vocabulary import History, OutputMode
from datasurface.release.job import Changed, JobDataset, JobSpec
from datasurface.store.ledger import last_batch
from datasurface.store.streams import DatasetState, dataset_states, position_of
from datasurface.transform.account import account_for, require_reachable
from datasurface.transform.base import Launch, Place, kind_of
from datasurface.transform.combination import Combination
from datasurface.transform.container import ContainerRunner, container_run
from datasurface.transform.context import TransformerContext
from datasurface.transform.ending import limits_of, require_success
from datasurface.transform.folders import VARIABLE
from datasurface.transform.host import CodeHost, combination_of, transformer_of
from datasurface.transform.instruction import InputState, Instruction
from datasurface.transform.process import private_folder, run_process
from datasurface.transform.standins import stand_ins
from datasurface.transform.system import SystemRun, system_function

__all__ = ["TransformerSource"]

_PACKAGE = Path(__file__).parents[1]
_LOCK_WAIT = 5.0
"""Seconds that the platform waits for its own output tables; whoever holds them is left from an earlier run."""
_IDLE = 60.0


def _whole_from(state: DatasetState | None) -> int | None:
    """Return the batch from which on every version of a dataset is there, none forgotten; None if none are kept."""
    if state is None or state.history_from is None:
        return None
    return max(state.history_from, state.pruned_through or 0)


class TransformerSource:
    """Reads the output of a transformer by running it; `anew` has it make its whole output again."""

    def __init__(self, host: CodeHost, job: JobSpec, *, anew: bool = False) -> None:
        self._host = host
        self._anew = anew
        self._job = job
        self._transformer = transformer_of(job)

    def tables(self, schema: str | None) -> Sequence[SourceTable]:
        """Return the output tables there are."""
        return self._host.tables().tables(schema)

    def table(self, schema: str | None, name: str) -> SourceTable | None:
        """Return one output table, or None."""
        return self._host.tables().table(schema, name)

    def verify(self, dataset: JobDataset) -> None:
        """Output tables are made by the platform itself: there is nothing to verify."""

    def close(self) -> None:
        """Nothing stays open between two runs."""

    @contextmanager
    def reading(self, datasets: Sequence[JobDataset], *, connections: int) -> Iterator[Reading]:
        """Run the code and open what it wrote.

        Raises:
            SourceError: the code failed; the message says why and where.
            SupersededError: another run has merged the output of these very inputs meanwhile.
            TransientError: the database went away meanwhile, or something could not be fetched.
        """
        try:
            moment, combination = self._run()
        except (ConfigurationError, MissingExtraError) as error:
            raise SourceError(error.message, hint=error.hint) from error
        with self._host.tables().reading(datasets, connections=connections) as written:
            yield _Output(written, moment.at, combination)
        with self._changing() as connection:
            for dataset in datasets:
                self._host.database.empty_output(connection, dataset)

    def _run(self) -> tuple[Moment, Combination]:
        host, code = self._host, self._transformer.code
        is_system = isinstance(code, SystemCode)
        login = host.own_login() if is_system else host.login()
        if not is_system:
            self._end_sessions(login)
        self._make_outputs()
        with host.store.engine.connect() as connection:
            moment = host.database.export_moment(connection)
            combination = combination_of(host, self._job, connection)
            self._require_news(connection, combination)
            instruction = self._instruction(login, connection, moment, combination)
            if isinstance(code, SystemCode):
                self._perform_system(code, login, connection, instruction)
            else:
                last = last_batch(connection, host.schema, self._job.stream)
                try:
                    if isinstance(code, ContainerImage) and host.containers is not None:
                        self._contain(code, instruction, host.containers)
                    else:
                        self._perform(instruction, last.batch_id if last else 0)
                finally:
                    self._end_sessions(login)
            connection.rollback()
        if instruction.rebuild and self._job.mode is OutputMode.CHANGES:
            self._delete_rest()
        return moment, combination

    def _require_news(self, connection: Connection, combination: Combination) -> None:
        """Refuse to run twice for one combination; the stream is held, so nobody can merge it from here on."""
        if self._anew or not isinstance(self._job.capture.every, Changed):
            return
        last = Combination.of_position(position_of(connection, self._host.schema, self._job.stream))
        counting = frozenset(self._transformer.triggers)
        if last is not None and last.triggers(counting) == combination.triggers(counting):
            raise SupersededError(f"what stream {self._job.stream!r} makes of these inputs is merged already")

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        store = self._host.store
        with store.engine.begin() as connection:
            store.bound_waits(connection, lock=_LOCK_WAIT, idle=_IDLE)
            yield connection

    def _make_outputs(self) -> None:
        with self._changing() as connection:
            for dataset in self._job.datasets:
                self._host.database.make_output(connection, self._job.staged(dataset), role=self._host.role)

    def _delete_rest(self) -> None:
        """After the output was made anew as changes, what is not in it is gone."""
        host, job = self._host, self._job
        with host.store.engine.begin() as connection:
            for dataset in job.datasets:
                current = host.store.tables_of(host.schema, f"{job.datastore}.{dataset.name}").current
                host.database.delete_rest(connection, dataset, host.schema, current)

    def _instruction(
        self, login: Login, connection: Connection, moment: Moment, combination: Combination
    ) -> Instruction:
        host, job, spec = self._host, self._job, self._transformer
        last = Combination.of_position(position_of(connection, host.schema, job.stream))
        states = {stream: dataset_states(connection, host.schema, stream) for stream in combination.inputs}
        inputs = {}
        for declared in spec.inputs:
            state = states[declared.stream].get(declared.dataset)
            inputs[f"{declared.datastore}.{declared.dataset}"] = InputState(
                batch=combination.inputs[declared.stream],
                previous=last.inputs.get(declared.stream) if last else None,
                history_from=_whole_from(state),
            )
        rebuild = self._anew or last is None or last.code != combination.code or self._untold(inputs)
        if rebuild:
            inputs = {name: replace(state, previous=None) for name, state in inputs.items()}
        return Instruction(
            job=job,
            login=login.current(),
            snapshot=moment.snapshot,
            name_limit=host.store.name_limit,
            inputs=inputs,
            secrets=host.secrets(),
            rebuild=rebuild,
        )

    def _untold(self, inputs: Mapping[str, InputState]) -> bool:
        """Tell whether an output of changes cannot follow an input: what it has not seen yet is forgotten."""
        if self._job.mode is not OutputMode.CHANGES:
            return False
        followed = [i for i in self._transformer.inputs if i.history is History.FULL]
        states = [inputs[f"{i.datastore}.{i.dataset}"] for i in followed]
        return any(state.previous is not None and not state.comparable for state in states)

    def _perform_system(self, code: SystemCode, login: Login, connection: Connection, instruction: Instruction) -> None:
        """Run code of DataSurface itself, here."""
        host = self._host
        function = system_function(code.name)
        with closing(host.database.session(login, instruction.snapshot)) as session:
            function(
                SystemRun(
                    job=self._job,
                    context=TransformerContext(instruction, session),
                    session=session,
                    reader=connection,
                    schema=host.schema,
                    release=host.release,
                    platform=host.platform,
                )
            )
            session.commit()

    def _end_sessions(self, login: Login) -> None:
        """End what a run left in the database, or a platform that was killed: it may hold what the next one needs."""
        with self._host.store.engine.connect() as connection:
            self._host.database.end_sessions(connection, login)

    def _perform(self, instruction: Instruction, batch: int) -> None:
        """Run the code in a process of its own, in a private folder that is removed afterwards."""
        spec, host = self._transformer, self._host
        with private_folder() as work, host.record(self._job, batch) as keep:
            try:
                account = account_for(spec.user)
                place = Place(folder=host.folder, cache=host.cache, work=work, secret=host.secret)
                launch = kind_of(spec.code).launch(spec.code, place)
                if account is not None:
                    require_reachable(account, [launch.python, _PACKAGE, *launch.path, *launch.reads])
            except (ConfigurationError, MissingExtraError) as error:
                raise SourceError(error.message, hint=error.hint) from error
            with self._inputs(instruction) if launch.frozen else nullcontext(instruction) as given:
                ended = run_process(
                    [str(launch.python), "-P", "-m", "datasurface.transform.child"],
                    folder=work,
                    environment=_environment(launch),
                    instruction=given.to_json(),
                    limits=limits_of(spec, account),
                    hide=host.hide,
                    keep=keep,
                    label=f"transformer {spec.workspace}.{spec.name}",
                )
        require_success(spec, ended, host.hide)

    def _contain(self, code: ContainerImage, instruction: Instruction, runner: ContainerRunner) -> None:
        """Have a container run; its exit code says whether its output counts."""
        with self._inputs(instruction) as given:
            ended = runner(container_run(code, given))
        if ended.code != 0 or ended.timed_out:
            require_success(self._transformer, ended, self._host.hide)

    @contextmanager
    def _inputs(self, instruction: Instruction) -> Iterator[Instruction]:
        """Copy the inputs; what still uses the copies is ended before they are dropped."""
        host = self._host
        with stand_ins(instruction, store=host.store, database=host.database, role=host.role) as given:
            try:
                yield given
            finally:
                self._end_sessions(instruction.login)


class _Output:
    """What the code wrote; the batch's time is that at which its inputs were read."""

    def __init__(self, written: Reading, read_at: datetime, combination: Combination) -> None:
        self._written = written
        self.read_at = read_at
        self.position: Mapping[str, Any] = combination.to_position()

    def feed(self, dataset: JobDataset) -> AbstractContextManager[Feed]:
        """Open the rows of one dataset."""
        return self._written.feed(dataset)


def _environment(launch: Launch) -> dict[str, str]:
    """Return the variables of a run besides those that every run gets: where it imports from."""
    paths = os.pathsep.join(str(path) for path in launch.path)
    return {**launch.environment, **({VARIABLE: paths} if paths else {})}
