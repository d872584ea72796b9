"""The archive_command: whole or not at all, never over another segment, never above 125."""

import subprocess
from pathlib import Path

import pytest

from shopflow.postgres.wal_archive import SCRIPT, command


def archive(segment: Path, directory: Path, script: Path = SCRIPT) -> int:
    line = command(script, directory).replace("%p", str(segment)).replace("%f", "SEGMENT")
    return subprocess.run(["/bin/sh", "-c", line], check=False).returncode


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    path = tmp_path / "segment"
    path.write_bytes(b"wal" * 1000)
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    # A shell would read the name.
    path = tmp_path / "a $HOME 'quoted'"
    path.mkdir()
    return path


def test_the_same_segment_again_is_fine_and_another_of_its_name_is_refused(
    segment: Path, directory: Path
) -> None:
    assert archive(segment, directory) == 0
    assert archive(segment, directory) == 0
    (stored,) = directory.iterdir()
    content = stored.read_bytes()
    segment.write_bytes(b"another")
    assert archive(segment, directory) == 1
    assert stored.read_bytes() == content
    assert [path.name for path in directory.iterdir()] == ["SEGMENT.gz"]


def test_every_failure_is_one_that_postgresql_counts(
    segment: Path, directory: Path, tmp_path: Path
) -> None:
    assert archive(segment, tmp_path / "not there") == 1
    assert archive(tmp_path / "no segment", directory) == 1
    assert archive(segment, directory, script=tmp_path / "no script") == 1
    empty = tmp_path / "empty"
    empty.touch()
    # A shell runs nothing, and is content.
    assert archive(segment, directory, script=empty) == 1
    assert archive(segment, directory, script=tmp_path) == 1
    assert list(directory.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(segment: Path, directory: Path) -> None:
    limited = f"ulimit -f 0; trap '' XFSZ; {command(SCRIPT, directory)}"
    line = limited.replace("%p", str(segment)).replace("%f", "SEGMENT")
    assert subprocess.run(["/bin/sh", "-c", line], check=False).returncode == 1
    assert list(directory.iterdir()) == []
