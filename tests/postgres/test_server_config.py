"""The settings written for a machine: which memory counts, and the bounds of each number."""

from pathlib import Path

import psutil
import pytest

from shopflow.postgres.server_config import configuration, memory_limit, quoted

MB = 1024 * 1024
GB = 1024 * MB
UNLIMITED_V1 = "9223372036854771712"


def limits(directory: Path, own: str, files: dict[str, str]) -> int:
    """What is found in a made-up /sys/fs/cgroup."""
    for name, content in files.items():
        file = directory / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")
    (directory / "own").write_text(own)
    return memory_limit(directory / "cgroup", directory / "own")


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"memory.max": str(512 * MB)}, 512 * MB),
        ("0::/shop/one\n", {"shop/one/memory.max": "max", "shop/memory.max": str(GB)}, GB),
        ("4:memory:/docker/x\n", {"memory/memory.limit_in_bytes": str(256 * MB)}, 256 * MB),
        (
            "4:cpu,memory:/a\n",
            {"memory/a/memory.limit_in_bytes": str(GB), "memory/memory.limit_in_bytes": "1" * 30},
            GB,
        ),
    ],
    ids=["v2 in a container", "v2 at a parent", "v1 in a container", "v1 own group"],
)
def test_a_cgroup_limit_counts(
    tmp_path: Path, own: str, files: dict[str, str], expected: int
) -> None:
    assert limits(tmp_path, own, files) == expected


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/\n", {"memory.max": "max"}),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": UNLIMITED_V1}),
        ("", {}),
    ],
)
def test_without_a_limit_the_machine_counts(
    tmp_path: Path, own: str, files: dict[str, str]
) -> None:
    assert limits(tmp_path, own, files) == psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("memory", "buffers", "work"),
    [
        (256 * MB, 64 * MB, 4 * MB),
        (4 * GB, GB, 4 * GB // 8 // 100),
        (64 * GB, 2 * GB, 32 * MB),
    ],
)
def test_memory_is_shared_out(tmp_path: Path, memory: int, buffers: int, work: int) -> None:
    text = configuration(
        port=1, socket=tmp_path, disk=tmp_path, connections=5, archiving={}, memory=memory
    )
    lines = text.splitlines()
    assert f"shared_buffers = {buffers // 1024}kB" in lines
    assert f"work_mem = {work // 1024}kB" in lines


def test_the_pools_fit_into_the_connections(tmp_path: Path) -> None:
    text = configuration(
        port=1, socket=tmp_path, disk=tmp_path, connections=400, archiving={}, memory=GB
    )
    assert "max_connections = 425" in text.splitlines()


def test_a_quote_does_not_end_a_value() -> None:
    assert quoted(Path("/it's\\here")) == r"'/it''s\\here'"
