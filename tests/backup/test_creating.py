"""Backups of each kind, streamed into the store, verified there, and never half of one."""

import io
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow import settings as settings_module
from shopflow.backup import Backup, BackupError, Store, catalogue, create, restore, verify
from shopflow.backup.encryption import new_key
from shopflow.backup.manifest import Found
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.backup.conftest import archived, mark
from tests.backup.s3 import Peer
from tests.conftest import fast_home


@pytest.fixture
def encrypted(server_directory: Path, s3: Peer) -> Iterator[Settings]:
    """A server whose backups and WAL go to S3, encrypted."""
    settings = settings_module.load(
        {}, home=fast_home(server_directory), backup_url=f"{s3.url}/archives", backup_key=new_key()
    )
    Server(settings).start()
    try:
        yield settings
    finally:
        Server(settings).stop()


@pytest.fixture(scope="module")
def chained(live: Settings, place: Path) -> Settings:
    """The live server with another store, of the same WAL: other tests' backups stay the newest."""
    (place / "chained").mkdir()
    (place / "chained" / "wal").symlink_to(place / "store" / "wal")
    return msgspec.structs.replace(live, backup_url=f"file://{place}/chained")


@pytest.fixture(scope="module")
def chain(chained: Settings, superuser: psycopg.Connection) -> list[Backup]:
    """A full backup and two incremental ones, with a row of its own before each."""
    found = [create(chained)]
    for number in (1, 2):
        mark(superuser, f"in increment {number}")
        found.append(create(chained, kind="incremental"))
    return found


@pytest.fixture
def damaged(chained: Settings, chain: list[Backup], place: Path) -> Iterator[Path]:
    """The directory of the store; what is done to its backups is undone."""
    directory = place / "chained"
    before = {path: path.read_bytes() for path in (directory / "base").iterdir()}
    yield directory
    for path, content in before.items():
        path.write_bytes(content)


def test_an_incremental_backup_is_small_and_restores_with_what_it_builds_on(
    chained: Settings, superuser: psycopg.Connection, chain: list[Backup], place: Path
) -> None:
    full, first, second = chain
    assert (first.kind, first.parent, second.parent) == ("incremental", full.name, first.name)
    assert second.content_size < full.content_size
    assert second.end_wal is not None
    assert second.end_wal >= second.start_wal
    mark(superuser, "after the increments")
    archived(superuser)
    restored = restore(chained, place / "chain")
    try:
        assert restored.backup == second.name
        with psycopg.connect(restored.url) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM public.canary")}
        assert {"in increment 1", "in increment 2", "after the increments"} <= names
    finally:
        Server(msgspec.structs.replace(chained, home=place / "chain")).stop()


def test_an_incremental_backup_without_another_before_it_is_refused(
    live: Settings, superuser: psycopg.Connection, place: Path
) -> None:
    empty = msgspec.structs.replace(live, backup_url=f"file://{place}/none-before")
    with pytest.raises(BackupError, match="shopflow backup create"):
        create(empty, kind="incremental")


def test_a_chain_that_misses_a_link_is_told(chain: list[Backup]) -> None:
    full, first, second = chain
    assert catalogue.chain([second, full, first], second) == [full, first, second]
    with pytest.raises(BackupError, match=f"{second.name} needs {first.name}"):
        catalogue.chain([full, second], second)


def test_an_archive_goes_to_s3_in_its_storage_class_and_encrypted(
    encrypted: Settings, s3: Peer, tmp_path: Path
) -> None:
    s3.forget()
    made = create(encrypted, kind="archive")
    begun = {each[1]: each[3] for each in s3.log() if "uploads" in each[2]}
    assert made.manifest is not None
    for path in (made.data, made.manifest):
        assert begun[f"/the-bucket/some/prefix/archives/{path}"] == "GLACIER_IR"
        assert b"".join(Store(encrypted).get(path)).startswith(b"age-encryption.org/v1")
    assert made.encrypted
    assert [each.problem for each in verify(encrypted)] == [None]
    (other,) = verify(msgspec.structs.replace(encrypted, backup_key=new_key()))
    assert "another key" in (other.problem or "")
    (none,) = verify(msgspec.structs.replace(encrypted, backup_key=None))
    assert "SHOPFLOW_BACKUP_KEY_FILE" in (none.problem or "")
    # Not what an incremental one builds on.
    with pytest.raises(BackupError, match="a full one first"):
        create(encrypted, kind="incremental")


def test_every_backup_is_read_back(chained: Settings, chain: list[Backup]) -> None:
    found = {each.name: each.problem for each in verify(chained)}
    assert found == {each.name: None for each in chain}


@pytest.mark.parametrize("part", ["data", "manifest"])
@pytest.mark.parametrize("done", ["cut", "changed"])
def test_what_is_damaged_in_the_store_is_named(
    part: str, done: str, chained: Settings, chain: list[Backup], damaged: Path
) -> None:
    path: str = getattr(chain[1], part)
    file = damaged / path
    content = file.read_bytes()
    half = len(content) // 2
    changed = content[:half] + bytes([content[half] ^ 255]) + content[half + 1 :]
    file.write_bytes(content[:half] if done == "cut" else changed)
    (found,) = verify(chained, chain[1].name)
    assert path in (found.problem or "")


def test_a_file_that_is_not_as_in_the_manifest_is_named(
    chained: Settings, chain: list[Backup], damaged: Path
) -> None:
    assert chain[0].manifest is not None
    assert chain[1].manifest is not None
    (damaged / chain[0].manifest).write_bytes((damaged / chain[1].manifest).read_bytes())
    (found,) = verify(chained, chain[0].name)
    assert re.search(r"base/.*(PG_VERSION|pg_control|size|present)", found.problem or "")


def test_one_that_is_killed_half_way_is_no_backup_and_leaves_what_can_be_seen(
    live: Settings, backup: Backup, place: Path
) -> None:
    program = f"""
from pathlib import Path
import time
from shopflow import settings
from shopflow.backup import create
def moved(size):
    print("moving", flush=True)
    time.sleep(60)
create(settings.load({{}}, home=Path("{live.home}"), backup_url="file://{place}/killed"), moved)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    killed = Store(msgspec.structs.replace(live, backup_url=f"file://{place}/killed"))
    assert catalogue.read(killed) == []
    assert all(each.path.startswith("base/") for each in killed.list_objects(""))
    # The server is not in anybody's way afterwards.
    assert create(live).kind == "full"


@given(
    sizes=st.lists(st.integers(0, 3000), max_size=4),
    pieces=st.integers(1, 1500),
    manifest=st.binary(min_size=1, max_size=3000),
)
def test_the_manifest_is_found_however_the_tar_is_cut(
    sizes: list[int], pieces: int, manifest: bytes
) -> None:
    tar = _tar([(f"file {number}", b"x" * size) for number, size in enumerate(sizes)], manifest)
    found = Found()
    for start in range(0, len(tar), pieces):
        found.feed(tar[start : start + pieces])
    assert found.content() == manifest


def test_a_tar_without_a_manifest_is_refused() -> None:
    found = Found()
    found.feed(_tar([("file", b"content")], None))
    with pytest.raises(BackupError, match="backup_manifest"):
        found.content()


def _tar(files: list[tuple[str, bytes]], manifest: bytes | None) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        named = [("backup_manifest", manifest)] if manifest is not None else []
        for name, content in [*files, *named]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def test_a_backup_whose_wal_goes_elsewhere_is_none(live: Settings, place: Path) -> None:
    """The server archives to where it was started for."""
    elsewhere = msgspec.structs.replace(live, backup_url=f"file://{place}/elsewhere")
    with pytest.raises(BackupError, match="archives to another place"):
        create(elsewhere)
    assert catalogue.read(Store(elsewhere)) == []
