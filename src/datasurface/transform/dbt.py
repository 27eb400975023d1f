"""dbt projects: `DbtProject`, whose models, named as the datasets of the output, are built and copied (extra `dbt`).

dbt works in a schema of its own that is gone after the run, on copies of the inputs that do not change meanwhile. Its
login is in variables of the run's own process; what it writes to disk is in the run's private folder.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from datasurface.errors import ConfigurationError, MissingExtraError, SourceError
from datasurface.model.effective import credential_of
from datasurface.model.infrastructure import AuroraDatabase, PostgresDatabase
from datasurface.model.transformer import Code, DbtProject
from datasurface.transform.base import Launch, Place
from datasurface.transform.context import TransformerContext
from datasurface.transform.environment import environment_of, requirements_of
from datasurface.transform.git import GitSource, checkout

__all__ = ["DbtProjectKind"]

_PROJECT = "DATASURFACE_DBT_PROJECT"
_PASSWORD = "DBT_ENV_SECRET_DATASURFACE"  # noqa: S105 - the name of a variable, whose value dbt keeps out of its logs
_NOT_COPIED = (".git", "target", "logs", "__pycache__")
_QUIET = ("--no-send-anonymous-usage-stats", "--no-version-check", "--no-use-colors", "--no-partial-parse")
_FAILED = ("error", "fail", "runtime error", "partial success")
_THREADS = 4


class DbtProjectKind:
    """Runs dbt in an environment of the project's own if it has a `requirements.txt`, else in the platform's."""

    def version(self, code: Code, place: Place) -> str:
        """Return the digest of the project's files, if it is a folder of the model: there they change by themselves."""
        found = _code(code)
        if found.release is not None:
            return ""
        digest = hashlib.sha256()
        folder = _folder(found, place)
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not {*p.parts} & {*_NOT_COPIED}):
            digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def launch(self, code: Code, place: Place) -> Launch:
        """Fetch the project, and make its environment if it has one of its own.

        Raises:
            ConfigurationError: there is no such project.
            MissingExtraError: neither the project nor the platform has dbt.
        """
        found, commit = _code(code), ""
        if found.release is None:
            folder = _folder(found, place)
        else:
            source = GitSource(
                repository=found.project, release=found.release, credential=credential_of(found.credential)
            )
            fetched = checkout(source, folder=place.folder, cache=place.cache, secret=place.secret)
            folder, commit = fetched.files, fetched.commit
        _require_project(folder)
        needs = requirements_of(folder)
        if not needs:
            _require_dbt()
        python = (
            environment_of(needs, release=commit, files=folder, cache=place.cache) if needs else Path(sys.executable)
        )
        return Launch(python=python, reads=(folder,), environment={_PROJECT: str(folder)}, frozen=True)

    def perform(self, code: Code, context: TransformerContext) -> None:
        """Build the models of the output, with what they need and their tests, and write what is in them."""
        _code(code)
        wanted = [name for name, output in context.outputs.items() if output.columns]
        project = _Project(Path(os.environ[_PROJECT]), Path.cwd(), context)
        for name, relation in project.build(wanted).items():
            context.output(name).write_sql(f"SELECT * FROM {relation}")


class _Project:
    """A copy of a project in the run's private folder, with the sources and the profile of the run."""

    def __init__(self, original: Path, folder: Path, context: TransformerContext) -> None:
        self._folder = folder / "project"
        self._context = context
        shutil.copytree(original, self._folder, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        settings = importlib.import_module("yaml").safe_load((self._folder / "dbt_project.yml").read_text("utf-8"))
        models = self._folder / (settings.get("model-paths") or ["models"])[0]
        models.mkdir(exist_ok=True)
        (models / "datasurface_sources.yml").write_text(json.dumps(_sources(context)), encoding="utf-8")
        profiles = folder / "profiles"
        profiles.mkdir()
        (profiles / "profiles.yml").write_text(json.dumps(_profile(context)), encoding="utf-8")
        os.environ[_PASSWORD] = context.login.password or ""
        self._options = [
            *("--project-dir", str(self._folder), "--profiles-dir", str(profiles), "--profile", "datasurface"),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
            *("--vars", json.dumps(dict(context.params))),
            *_QUIET,
        ]

    def build(self, wanted: Sequence[str]) -> Mapping[str, str]:
        """Build models with what they need and their tests, and return where each is, as SQL text.

        Raises:
            SourceError: dbt says what is wrong with the project, or a model or a test failed.
        """
        runner = importlib.import_module("dbt.cli.main").dbtRunner
        manifest = self._invoke(runner(), ["parse"]).result
        found = dict(_relations(manifest, wanted, self._context.work_schema or ""))
        self._invoke(runner(manifest=manifest), ["build", "--select", *(f"+{name}" for name in wanted)])
        return found

    def _invoke(self, runner: Any, arguments: Sequence[str]) -> Any:
        done = runner.invoke([*arguments, *self._options])
        if done.success:
            return done
        if done.exception is not None:
            raise SourceError(f"dbt {arguments[0]}: {' '.join(str(done.exception).split())}")
        raise SourceError(f"dbt {arguments[0]}: {'; '.join(_failures(done.result))}")


def _failures(result: Any) -> Iterator[str]:
    for each in getattr(result, "results", ()):
        if str(each.status) in _FAILED:
            said = " ".join(str(each.message or "").split())
            yield f"{each.node.resource_type} {each.node.name}: {said}"


def _relations(manifest: Any, wanted: Sequence[str], schema: str) -> Iterator[tuple[str, str]]:
    """Yield where each wanted model will be.

    Raises:
        SourceError: there is no such model, it is ephemeral, or a model would be in another schema.
    """
    models = {n.name: n for n in manifest.nodes.values() if n.resource_type in {"model", "seed", "snapshot"}}
    outside = sorted(n.name for n in models.values() if n.schema != schema)
    if outside:
        raise SourceError(
            f"the models {', '.join(outside)} would be in another schema than dbt may use here: leave schema= away"
        )
    for name in wanted:
        model = models.get(name)
        if model is None:
            raise SourceError(
                f"the project has no model {name!r}; its models are {', '.join(sorted(models)) or 'none'}"
            )
        if model.config.materialized == "ephemeral":
            raise SourceError(
                f"the model {name!r} is ephemeral, so there is nothing to take: make it a table or a view"
            )
        yield name, model.relation_name


def _sources(context: TransformerContext) -> dict[str, Any]:
    """Return the sources file: a source for each group, with its inputs as tables."""
    sources = []
    for group, inputs in context.inputs.items():
        tables = [name for found in inputs.values() for name in (found.view, found.history_view) if name is not None]
        schema = next(iter(inputs.values())).schema
        sources.append({"name": group, "schema": schema, "tables": [{"name": name} for name in sorted(tables)]})
    return {"version": 2, "sources": sources}


def _profile(context: TransformerContext) -> dict[str, Any]:
    """Return the profiles file, which names the variable that holds the password."""
    container = context.login.container
    if not isinstance(container, PostgresDatabase | AuroraDatabase):
        raise ConfigurationError(f"dbt cannot work in {container.label()}")
    output = {
        "type": "postgres",
        "host": container.host,
        "port": container.port,
        "dbname": container.database,
        "sslmode": container.tls.value,
        "user": context.login.user,
        "password": "{{ env_var('" + _PASSWORD + "') }}",
        "schema": context.work_schema,
        "threads": _THREADS,
    }
    return {"datasurface": {"target": "run", "outputs": {"run": output}}}


def _code(code: Code) -> DbtProject:
    if not isinstance(code, DbtProject):
        raise TypeError(f"{code!r} is no DbtProject")
    return code


def _folder(code: DbtProject, place: Place) -> Path:
    if not isinstance(code.project, str):
        raise ConfigurationError("the repository of a dbt project is not pinned", hint="add release=")
    return (place.folder or Path()) / code.project


def _require_dbt() -> None:
    """Raise `MissingExtraError` unless the platform's own environment has dbt; importing it would take seconds."""
    for name in ("dbt-core", "dbt-postgres"):
        try:
            distribution(name)
        except PackageNotFoundError:
            raise MissingExtraError("a dbt project without a requirements.txt", "dbt") from None


def _require_project(folder: Path) -> None:
    """Raise `ConfigurationError` unless a folder holds a project that can be built as it is."""
    if not (folder / "dbt_project.yml").is_file():
        raise ConfigurationError(f"there is no dbt_project.yml in {folder}")
    listed = [name for name in ("packages.yml", "dependencies.yml") if (folder / name).is_file()]
    if listed and not (folder / "dbt_packages").is_dir():
        raise ConfigurationError(
            f"the dbt project has a {listed[0]}, but its packages are not there",
            hint="run `dbt deps` and keep dbt_packages with the project: a run fetches nothing",
        )
