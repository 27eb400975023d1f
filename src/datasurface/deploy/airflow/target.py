"""The target `airflow`: the DAG file of each platform, and the JSON that it reads.

The DAGs are spread over parts by a digest of their ids. A part's name holds the digest of its content, and the index
names the parts, so that whoever reads while files are being replaced sees either all of the former or all of the new.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from datasurface.deploy.airflow.entries import Entries, Entry
from datasurface.deploy.airflow.groups import refuse_unknown
from datasurface.deploy.airflow.pools import pools_of
from datasurface.deploy.airflow.trigger import seconds_of
from datasurface.deploy.base import Deployable, GeneratedFile
from datasurface.deploy.names import platform_id
from datasurface.model.airflow import Airflow
from datasurface.model.vocabulary import TaskKind
from datasurface.release.job import PlatformSpec
from datasurface.release.platform_file import platform_file

__all__ = ["TARGET", "AirflowTarget", "asset_prefix", "file_stem"]

_FORMAT = 1
_FULL = 400_000
"""How many characters a part has at most: a ConfigMap takes a million bytes."""
_MOST = 1024
_CODE = Path(__file__).with_name("dagfile.py")


class AirflowTarget:
    """Turns a release into DAGs of Airflow."""

    name = "airflow"

    def files(self, deployable: Deployable) -> tuple[GeneratedFile, ...]:
        """Return the files of all platforms, sorted by path.

        Raises:
            ConfigurationError: the environment has no `Airflow(…)`, or one that does not fit the model.
        """
        settings = deployable.settings(Airflow)
        refuse_unknown(deployable.platforms, settings)
        entries = Entries(deployable, settings)
        code = _CODE.read_text(encoding="utf-8")
        found: list[GeneratedFile] = []
        for platform in deployable.platforms:
            found += _files(platform, settings, entries.of(platform), code)
        return tuple(sorted(found, key=lambda file: file.path))


TARGET = AirflowTarget()


def file_stem(platform: PlatformSpec) -> str:
    """Return what the files of a platform are called: its id, with dashes, which no name has."""
    return platform_id(platform).replace(".", "-")


def asset_prefix(platform: PlatformSpec) -> str:
    """Return what the assets of a platform begin with; the name of the stream follows."""
    return f"x-datasurface://{platform.ecosystem}/{platform.environment or '-'}/{platform.name}/"


def _files(platform: PlatformSpec, settings: Airflow, entries: Mapping[str, Entry], code: str) -> list[GeneratedFile]:
    stem = file_stem(platform)
    parts = [GeneratedFile(path=_part_name(stem, content), content=content) for content in _parts(entries)]
    index = _index(platform, settings, [part.path for part in parts])
    written = {part.path: part for part in parts}
    return [
        GeneratedFile(path=f"{stem}.py", content=code),
        GeneratedFile(path=f"{stem}.json", content=_text(index)),
        GeneratedFile(path=f"{stem}.platform.json", content=platform_file(platform)),
        GeneratedFile(path=f"{stem}.pools.json", content=_text(pools_of(platform))),
        *written.values(),
    ]


def _index(platform: PlatformSpec, settings: Airflow, parts: list[str]) -> dict[str, object]:
    return {
        "format": _FORMAT,
        "platform": platform_id(platform),
        "assets": asset_prefix(platform),
        "parts": parts,
        "tasks": settings.tasks.value,
        "command": list(settings.command),
        "environment": dict(sorted(settings.environment.items())),
        "retries": {
            "count": settings.retries,
            "delay": seconds_of(settings.retry_delay),
            "longest": seconds_of(settings.longest_delay),
        },
        "failures": settings.failures,
        "metadata": settings.metadata,
        "history_days": max(1, seconds_of(settings.history) // 86400) if settings.history is not None else None,
        "operator": _operator(settings) if settings.tasks is TaskKind.POD else {},
    }


def _operator(settings: Airflow) -> dict[str, object]:
    """Return what all pods' operators are given besides their pod."""
    return {
        "base_container_name": "job",
        "deferrable": settings.deferrable,
        "get_logs": True,
        "kubernetes_conn_id": settings.kubernetes_connection,
        "log_events_on_failure": True,
        "log_pod_spec_on_failure": False,
        "on_finish_action": "delete_succeeded_pod" if settings.keep_failed_pods else "delete_pod",
        "startup_timeout_seconds": 600,
        "termination_message_policy": "FallbackToLogsOnError",
        **({"in_cluster": True} if settings.kubernetes_connection is None else {}),
    }


def _parts(entries: Mapping[str, Entry]) -> list[str]:
    """Return the contents of the parts: each a JSON object with a line for every DAG."""
    lines = {name: f"{json.dumps(name)}:{_compact(entry)}" for name, entry in entries.items()}
    number = 1
    while True:
        shares: list[list[str]] = [[] for _ in range(number)]
        for name, line in sorted(lines.items()):
            shares[zlib.crc32(name.encode()) % number].append(line)
        if all(sum(map(len, share)) < _FULL for share in shares) or number >= _MOST:
            return ["{\n" + ",\n".join(share) + "\n}\n" for share in shares]
        number *= 2


def _part_name(stem: str, content: str) -> str:
    return f"{stem}.{hashlib.sha256(content.encode()).hexdigest()[:8]}.json"


def _compact(data: object) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def _text(data: object) -> str:
    return json.dumps(data, sort_keys=True, indent=1) + "\n"
