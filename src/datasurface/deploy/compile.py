"""From a model folder to what a target is made from: load, bind, check, compile, and read what else is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasurface.deploy.base import Deployable, Learned
from datasurface.deploy.outputs import read_outputs
from datasurface.errors import ConfigurationError
from datasurface.govern.report import Report
from datasurface.runtime.folder import checked_folder

__all__ = ["deployable_of"]


def deployable_of(
    folder: Path,
    environment: str | None,
    environ: Mapping[str, str],
    *,
    learned: Path | None = None,
    outputs: Path | None = None,
) -> tuple[Deployable | None, Report]:
    """Compile the model of a folder for deployment; None in place of the result if the report has errors.

    Args:
        folder: The model folder.
        environment: The environment's name; None for the model as it is.
        environ: The variables of the process.
        learned: A JSON file: by platform and stream, `seconds` and `memory` in bytes.
        outputs: A JSON file: names and values, or what `aws cloudformation describe-stacks` prints.

    Raises:
        ModelLoadError: the folder holds no model that can be loaded.
        ConfigurationError: there is no such environment, or a file cannot be understood.
    """
    model, report = checked_folder(folder, environment, environ)
    if report.errors:
        return None, report
    bound = next((e for e in model.release.ecosystem.environments if e.name == environment), None)
    deployable = Deployable(
        release=model.release,
        environment=bound,
        learned=_learned(learned) if learned is not None else {},
        outputs=_outputs(outputs) if outputs is not None else {},
    )
    return deployable, report


def _learned(path: Path) -> dict[str, dict[str, Learned]]:
    document = _document(path)
    try:
        return {
            platform: {
                stream: Learned(seconds=float(values["seconds"]), memory=values.get("memory"))
                for stream, values in streams.items()
            }
            for platform, streams in document.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _not_understood(path, "by platform and stream, `seconds` and `memory`") from error


def _outputs(path: Path) -> dict[str, str]:
    try:
        return read_outputs(path.read_text(encoding="utf-8"), source=str(path))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise _not_understood(path, "an object")
    return document


def _not_understood(path: Path, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"{path} is not understood: it has to hold {wanted}")
