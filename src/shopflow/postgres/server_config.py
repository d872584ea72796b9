"""The server's settings, written for the machine found; each number's source is beside it."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

KB = 1024
MB = 1024 * KB
GB = 1024 * MB
# cgroup v2, then v1; inside a container its own limit stands at the root of the mount.
MEMORY_LIMITS = (("", "memory.max"), ("memory", "memory.limit_in_bytes"))
CGROUPS = Path("/sys/fs/cgroup")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 a file system that is measured, not written to
# Connections beside the pools': psql, backups, monitoring, migrations.
SPARE_CONNECTIONS = 25


def configuration(
    *,
    port: int,
    socket: Path,
    disk: Path,
    connections: int,
    archiving: Mapping[str, str],
    memory: int | None = None,
) -> str:
    """Return the text of `shopflow.conf`.

    Args:
        port: the TCP port on 127.0.0.1.
        socket: the directory of the Unix socket.
        disk: any path on the disk that holds the data.
        connections: how many the pools may open together.
        archiving: the settings of the WAL archive.
        memory: bytes the server may count on, by default what the machine or container has.
    """
    found = memory_limit() if memory is None else memory
    settings = (
        _memory(found, connections)
        | _disk(disk)
        | _access(port, socket)
        | _planner()
        | _logging()
        | dict(archiving)
    )
    lines = [f"{name} = {value}" for name, value in settings.items()]
    return "\n".join(
        ["# Written at every start; your own settings go into conf.d/*.conf.", *lines, ""]
    )


def memory_limit(groups: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """Return the bytes of memory we may use: the machine's, or less if a cgroup says so."""
    limits = [int(psutil.virtual_memory().total)]
    for file in _limit_files(groups, own):
        try:
            text = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        # v2 says "max" and v1 a number near 2**63 when there is no limit.
        if text.isdecimal():
            limits.append(int(text))
    return min(limits)


def _limit_files(groups: Path, own: Path) -> Iterable[Path]:
    """A limit may stand at our own group or at any of its parents."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for controller, name in MEMORY_LIMITS:
        root = groups / controller
        yield root / name
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                group = root / path.lstrip("/")
                yield group / name
                yield from (parent / name for parent in group.parents if root in parent.parents)


def quoted(value: str | Path) -> str:
    """Return `value` as postgresql.conf spells a string."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _memory(memory: int, connections: int) -> dict[str, str]:
    backends = max(100, connections + SPARE_CONNECTIONS)
    return {
        "max_connections": str(backends),
        # A quarter, as the manual says; 2 GB gave checkout 1.2 x, more was not better.
        "shared_buffers": _kilobytes(min(max(memory // 4, 16 * MB), 2 * GB)),
        "effective_cache_size": _kilobytes(max(memory * 3 // 4, 32 * MB)),
        # An eighth of the memory if every connection sorts once.
        "work_mem": _kilobytes(min(max(memory // 8 // backends, 4 * MB), 32 * MB)),
        "maintenance_work_mem": _kilobytes(min(max(memory // 16, 32 * MB), 1 * GB)),
        "dynamic_shared_memory_type": _parallel_memory(),
        # Reads from the cache 1.4 x as fast as `worker` does.
        "io_method": "sync",
    }


def _parallel_memory(shared: Path = SHARED_MEMORY) -> str:
    # Containers give /dev/shm 64 MB, and a parallel hash join then fails with "No space left on
    # device"; System V memory has no such bound.
    try:
        size = shutil.disk_usage(shared).total
    except OSError:
        return "sysv"
    return "posix" if size >= 256 * MB else "sysv"


def _disk(disk: Path) -> dict[str, str]:
    # 4 GB between checkpoints: a quarter less WAL an order; at most a twentieth of the disk.
    largest = min(4 * GB, max(shutil.disk_usage(disk).total // 20, 128 * MB))
    return {
        "max_wal_size": _kilobytes(largest),
        "min_wal_size": _kilobytes(max(largest // 4, 32 * MB)),
        "wal_level": "replica",
        "summarize_wal": "on",
        # The wheel has pglz only, which took a third of checkout's throughput.
        "wal_compression": "off",
    }


def _access(port: int, socket: Path) -> dict[str, str]:
    return {
        "listen_addresses": quoted("127.0.0.1"),
        "port": str(port),
        "unix_socket_directories": quoted(quoted_list_item(socket)),
        "unix_socket_permissions": "0700",
        "password_encryption": quoted("scram-sha-256"),
    }


def quoted_list_item(path: Path) -> str:
    """Return a path as an item of a comma-separated setting."""
    return '"' + str(path).replace('"', '""') + '"'


def _planner() -> dict[str, str]:
    return {
        # With 4, a spinning disk's, the planner leaves the indexes: checkout 1.6 x slower.
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": quoted("UTC"),
        "log_timezone": quoted("UTC"),
        "shared_preload_libraries": quoted("pg_stat_statements"),
    }


def _logging() -> dict[str, str]:
    return {
        "logging_collector": "on",
        "log_destination": quoted("jsonlog"),
        # Paths are seen from the data directory. A file a weekday, begun anew: a week is kept.
        "log_directory": quoted("../log"),
        "log_filename": quoted("postgresql-%a.log"),
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_truncate_on_rotation": "on",
        "log_lock_waits": "on",
        # Parameters are customers' data.
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "lc_messages": quoted("C"),
    }


def _kilobytes(size: int) -> str:
    return f"{size // KB}kB"
