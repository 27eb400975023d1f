"""The server's settings: for a laptop, many small streams and now and then a merge of a million rows.

They are written anew at each start, so that a newer package brings newer settings. `ALTER SYSTEM` wins over them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine", "quote", "render", "this_machine"]

_MB = 1024 * 1024
_GB = 1024 * _MB

_CONSTANT = {
    # Who may connect, and how. Sockets and loopback only; the file of `initdb` asks everybody for a SCRAM password.
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    # What is committed stays, whatever crashes.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Costs within noise of `replica` on a load, update and delete of a million rows, and lets this database be a source
    # of ChangeCapture. A forgotten slot must not fill the disk.
    "wal_level": "logical",
    "max_slot_wal_keep_size": "16GB",
    # A merge of a million rows writes some 250 MB of log; checkpoints in its middle would write pages twice.
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    # `apply` changes hundreds of tables and views in one transaction.
    "max_locks_per_transaction": "256",
    "random_page_cost": "1.1",
    "jit": "off",
    # The same results on every machine.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "datestyle": "ISO, YMD",
    # A file for each day of the week, emptied when its day comes again. No statements and no details: they hold
    # people's data and passwords.
    "logging_collector": "on",
    "log_destination": "stderr",
    "log_filename": "server-%a.log",
    "log_file_mode": "0600",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is to use: bytes of memory, and of shared memory that files in `/dev/shm` may take."""

    memory: int
    shared_memory: int


def this_machine() -> Machine:
    """Look at this machine, or at the container that we are in."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = Path(path).read_text(encoding="ascii").strip() if Path(path).is_file() else "max"
        limits += [int(text)] if text.isdigit() else []
    return Machine(memory=min(limits), shared_memory=_shared_memory())


def _shared_memory() -> int:
    try:
        facts = os.statvfs("/dev/shm")  # noqa: S108 - only its size is asked for
    except OSError:
        return 0
    return facts.f_frsize * facts.f_blocks


def render(machine: Machine, *, defaults: Path, logs: Path, sockets: Path, port: int, cluster_name: str) -> str:
    """Return the settings file; `defaults` is the file that `initdb` wrote."""
    values = _CONSTANT | {
        "port": str(port),
        "unix_socket_directories": str(sockets),
        "log_directory": str(logs),
        "cluster_name": cluster_name,
        "shared_buffers": _megabytes(machine.memory // 8, 32, 256),
        "effective_cache_size": _megabytes(machine.memory // 2, 64, 64 * 1024),
        "work_mem": _megabytes(machine.memory // 64, 4, 64),
        "maintenance_work_mem": _megabytes(machine.memory // 16, 32, 256),
        "autovacuum_work_mem": _megabytes(machine.memory // 64, 16, 64),
        # Containers often have 64 MB of /dev/shm, on which a parallel hash join of a million rows fails.
        "dynamic_shared_memory_type": "posix" if machine.shared_memory >= _GB else "sysv",
    }
    lines = [f"{name} = {quote(value)}" for name, value in sorted(values.items())]
    head = "# Written by DataSurface at each start. Use ALTER SYSTEM to change a setting."
    return "\n".join([head, f"include {quote(str(defaults))}", *lines, ""])


def _megabytes(size: int, least: int, most: int) -> str:
    return f"{min(max(size // _MB, least), most)}MB"


def quote(value: str) -> str:
    """Quote a value for a settings file."""
    doubled = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"
